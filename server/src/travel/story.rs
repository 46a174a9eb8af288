//! A match as lines of JSON: its ticks with positions, what entered, what happened, how it ended.
//! `docs/TIME-TRAVEL.md` lists the lines.
//!
//! Owns: the lines. Must not know: where they go.

use matchkeep_shared::Game;
use matchkeep_shared::glam::Vec3;
use matchkeep_shared::ids::Slot;
use matchkeep_shared::schema::Entity;
use matchkeep_shared::time::Tick;
use matchkeep_shared::world::{Audience, World};
use serde::Serialize;
use serde_json::{Value, json};

use super::error::TravelError;
use super::playback::Playback;
use crate::matches::state::{Entry, MatchState};

/// How many lines there were of each kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct StoryCounts {
    /// Ticks.
    pub ticks: u64,
    /// Things that entered: joins, leaves, lost connections.
    pub entries: u64,
    /// Events of the game.
    pub events: u64,
    /// Positions of entities.
    pub positions: u64,
}

/// Writes a match down, tick after tick.
#[derive(Debug, Default)]
pub struct Story {
    counts: StoryCounts,
    world: World,
}

impl Story {
    /// Appends the lines of a playback's newest tick; at tick 0, the line about the match.
    ///
    /// # Errors
    /// [`TravelError::NoJson`] for an event without such a form.
    pub fn tell<G: Game>(
        &mut self,
        playback: &mut Playback<G>,
        out: &mut Vec<u8>,
    ) -> Result<(), TravelError> {
        let hash = playback.hash();
        let (Some((header, spec)), Some(state)) = (playback.made_of(), playback.state()) else {
            return Ok(());
        };
        let tick = state.tick();
        if tick == Tick(0) {
            let about = json!({
                "line": "match",
                "match": spec.id.to_string(),
                "game": header.game,
                "rules_version": header.rules_version,
                "mode": spec.mode,
                "map": header.map,
                "created_unix_ms": header.created_unix_ms,
                "tick_rate_hz": spec.rate,
                "places": spec.places,
            });
            line(&about, out);
            return Ok(());
        }
        for entry in playback.entered() {
            self.counts.entries += 1;
            line(&json!({ "line": "entry", "tick": tick, "entry": entered(entry) }), out);
        }
        self.world.fill::<G::Entity>(tick, |writer| state.game().replicate(writer));
        let entities = positions::<G>(&self.world);
        self.counts.ticks += 1;
        self.counts.positions += entities.len() as u64;
        let hash = format!("{hash:016x}");
        let players = players(state);
        let ticked = json!({
            "line": "tick", "tick": tick, "hash": hash, "players": players, "entities": entities,
        });
        line(&ticked, out);
        for (to, event) in playback.events().into_iter().flat_map(|events| events.iter()) {
            let no_json = |cause: serde_json::Error| TravelError::NoJson {
                tick,
                cause: format!("an event: {cause}"),
            };
            let event = serde_json::to_value(event).map_err(no_json)?;
            self.counts.events += 1;
            line(&json!({ "line": "event", "tick": tick, "to": to, "event": event }), out);
        }
        Ok(())
    }

    /// Appends the last line: how the match ended, if it did.
    pub fn end<G: Game>(&self, playback: &Playback<G>, out: &mut Vec<u8>) {
        let result = playback.state().and_then(MatchState::outcome);
        line(&json!({ "line": "end", "tick": playback.tick(), "result": result }), out);
    }

    /// How many lines there were.
    pub fn counts(&self) -> StoryCounts {
        self.counts
    }
}

fn line(value: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(value.to_string().as_bytes());
    out.push(b'\n');
}

/// What entered, without the tickets.
fn entered(entry: &Entry) -> Value {
    match entry {
        Entry::Join { slot, player, .. } => {
            json!({ "join": { "slot": slot, "player": player.id, "name": player.name } })
        }
        Entry::Leave { slot } => json!({ "leave": { "slot": slot } }),
        Entry::Lost { slot } => json!({ "lost": { "slot": slot } }),
        Entry::Regained { slot, .. } => json!({ "regained": { "slot": slot } }),
        Entry::End { reason } => json!({ "end": { "reason": reason } }),
    }
}

/// Everyone who has a place: who, whether connected, and where they see from.
fn players<G: Game>(state: &MatchState<G>) -> Vec<Value> {
    let player = |slot: Slot| {
        json!({
            "slot": slot,
            "player": state.player(slot),
            "connected": state.is_connected(slot),
            "sees_from": state.game().viewpoint(slot).map(point),
        })
    };
    state.taken().map(player).collect()
}

/// Everything that is somewhere.
fn positions<G: Game>(world: &World) -> Vec<Value> {
    let position = |index: usize| match world.audience(index) {
        Audience::Near { at, .. } => {
            let row = world.entity(index, G::Entity::KINDS);
            let kind = G::Entity::KINDS[usize::from(row.kind)].name;
            Some(json!({ "id": row.id, "kind": kind, "at": point(at) }))
        }
        _ => None,
    };
    (0..world.len()).filter_map(position).collect()
}

fn point(at: Vec3) -> [f32; 3] {
    [at.x, at.y, at.z]
}

#[cfg(test)]
mod tests {
    use matchkeep_shared::encoding::encode;
    use matchkeep_shared::ids::SlotSet;

    use super::*;

    #[test]
    fn whoever_hears_of_an_event_is_a_list_in_json_and_a_number_in_a_journal() {
        let some = SlotSet::one(Slot(0)).with(Slot(127));
        for (set, expected) in
            [(SlotSet::ALL, json!("all")), (SlotSet::EMPTY, json!([])), (some, json!([0, 127]))]
        {
            let written = serde_json::to_value(set).expect("it has a form");
            assert_eq!(written, expected);
            let read: SlotSet = serde_json::from_value(written).expect("it reads back");
            assert_eq!(read, set);
        }
        assert!(serde_json::from_value::<SlotSet>(json!("none")).is_err());
        assert_eq!(encode(&some), encode(&(1_u128 | 1 << 127)));
    }
}
