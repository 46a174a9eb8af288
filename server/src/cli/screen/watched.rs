//! A match on the screen, running or played again.
//!
//! Owns: what is kept of it from look to look, and who is in its table. Must not know: where it comes from, how
//! it is drawn.

use std::time::Duration;

use matchkeep_shared::ids::{MatchId, Slot};
use matchkeep_shared::sketch::Score;

use super::minute::Minute;
use super::playhead::Playhead;
use crate::shard::view::{MatchView, PlayerView};
use crate::travel::Picture;

/// What is on the screen.
#[derive(Debug)]
pub(super) struct WatchedMatch {
    pub(super) id: MatchId,
    /// What it looks like.
    pub(super) picture: Option<Picture>,
    /// What its shard knows, of a match that runs.
    pub(super) view: Option<MatchView>,
    /// What a tick cost, in microseconds.
    pub(super) cost_us: Minute,
    /// How late a tick was, in microseconds.
    pub(super) late_us: Minute,
    /// Where in time it is, of a match that is played again.
    pub(super) playhead: Option<Playhead>,
    /// Why there is nothing newer.
    pub(super) trouble: Option<String>,
}

/// A player in the table: what the game says, and what the shard does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    pub(super) slot: Slot,
    pub(super) score: Option<&'a Score>,
    pub(super) seen: Option<&'a PlayerView>,
}

impl WatchedMatch {
    pub(super) fn new(id: MatchId) -> Self {
        Self {
            id,
            picture: None,
            view: None,
            cost_us: Minute::default(),
            late_us: Minute::default(),
            playhead: None,
            trouble: None,
        }
    }

    /// Takes what was seen of a running match.
    pub(super) fn take(&mut self, now: Duration, view: MatchView, picture: Picture) {
        self.cost_us.push(now, view.row.tick_cost_us);
        self.late_us.push(now, view.row.tick_late_us);
        self.view = Some(view);
        self.picture = Some(picture);
        self.trouble = None;
    }

    /// Everyone who has a place: in the game's order, then those it says nothing of.
    pub(super) fn lines(&self) -> Vec<Line<'_>> {
        let scores = self.picture.iter().flat_map(|picture| &picture.sketch.scores);
        let seen: Vec<&PlayerView> = self.view.iter().flat_map(|view| &view.players_seen).collect();
        let of = |slot: Slot| seen.iter().find(|player| player.slot == slot).copied();
        let mut lines: Vec<Line<'_>> = scores
            .map(|score| Line { slot: score.slot, score: Some(score), seen: of(score.slot) })
            .collect();
        for player in seen {
            if !lines.iter().any(|line| line.slot == player.slot) {
                lines.push(Line { slot: player.slot, score: None, seen: Some(player) });
            }
        }
        lines
    }
}

impl Line<'_> {
    /// What to call the player.
    pub(super) fn name(&self) -> &str {
        let seen = self.seen.and_then(|player| player.name.as_deref());
        self.score.map(|score| score.name.as_str()).or(seen).unwrap_or("?")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use matchkeep_shared::ids::PlayerId;
    use matchkeep_shared::sketch::{Area, Height, Mark, MarkKind, Sketch, Wall};
    use matchkeep_shared::time::Tick;

    use super::super::node::tests::row;
    use super::*;
    use crate::matches::inputs::InputCounts;
    use crate::shard::view::LinkView;

    fn player(slot: u8, name: Option<&str>) -> PlayerView {
        PlayerView {
            player: PlayerId(slot.into()),
            name: name.map(str::to_owned),
            slot: Slot(slot),
            connected: slot != 1,
            link: (slot != 1).then(|| LinkView {
                address: "127.0.0.1:9".parse().expect("an address"),
                rtt_us: 12_300,
                rtt_min_us: 11_000,
                packets_sent: 200,
                packets_lost: 3,
                udp_sent: 200,
                udp_sent_bytes: 20_000,
                udp_received: 100,
                udp_received_bytes: 10_000,
                datagrams_sent: 200,
                datagrams_received: 100,
            }),
            input_margin_us: Some(-700),
            inputs: InputCounts::default(),
            last_disconnect: None,
        }
    }

    fn score(slot: u8, name: &str, score: i64) -> Score {
        let stats = vec![("deaths".to_owned(), 2), ("health".to_owned(), 75)];
        Score { slot: Slot(slot), name: name.to_owned(), team: None, score, stats }
    }

    pub(in crate::cli::screen) fn picture(tick: u64) -> Picture {
        let area = |low, high| Area { low, high };
        let wall = |low, high, height| Wall { area: area(low, high), height };
        let mark = |kind, x: f32, facing: Option<f32>, label: &str, slot: Option<u8>| Mark {
            kind,
            at: [x, 0.0],
            facing_degrees: facing,
            label: label.to_owned(),
            slot: slot.map(Slot),
            team: None,
        };
        let sketch = Sketch {
            status: "playing, 42 s left".to_owned(),
            bounds: Some(area([-100.0, -100.0], [100.0, 100.0])),
            walls: vec![
                wall([-20.0, 20.0], [20.0, 40.0], Height::Low),
                wall([-100.0, 90.0], [100.0, 100.0], Height::Full),
                wall([-100.0, -100.0], [100.0, -90.0], Height::Full),
            ],
            marks: vec![
                mark(MarkKind::Item, -80.0, None, "health", None),
                mark(MarkKind::Shot, 10.0, Some(0.0), "rocket", Some(0)),
                mark(MarkKind::Down, 80.0, Some(0.0), "bob", Some(1)),
                mark(MarkKind::Player, -40.0, Some(90.0), "alice", Some(0)),
            ],
            scores: vec![score(1, "bob", 5), score(0, "alice", 3)],
        };
        Picture { id: MatchId(7), tick: Tick(tick), ended: None, sketch }
    }

    pub(in crate::cli::screen) fn running() -> WatchedMatch {
        let players_seen = vec![player(0, Some("alice")), player(1, Some("bob")), player(2, None)];
        let view = MatchView { row: row(7, 2, 60, 250.0), phases: None, players_seen };
        let mut watched = WatchedMatch::new(MatchId(7));
        watched.take(Duration::from_secs(1), view, picture(607));
        watched
    }

    #[test]
    fn the_table_has_everyone_once_in_the_games_order() {
        let watched = running();
        let lines = watched.lines();
        let seen: Vec<_> =
            lines.iter().map(|line| (line.name(), line.slot.0, line.seen.is_some())).collect();
        assert_eq!(seen, [("bob", 1, true), ("alice", 0, true), ("?", 2, true)]);
        assert!(WatchedMatch::new(MatchId(1)).lines().is_empty());
    }
}
