//! The result of a match: who played, how well, and in what place. Knows the score, not the play.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::arena::Arena;
use crate::arena::player::{Person, Stats};
use crate::game::{Outcome, PlayerResult};

/// What is kept of a player who left.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) info: Person,
    pub(crate) team: u8,
    pub(crate) stats: Stats,
}

impl Arena {
    /// The result, once the match is over. The place goes by a player's frags, in a match with teams by
    /// the team's; equals share a place.
    pub(super) fn result(&self) -> Option<Outcome> {
        let reason = self.progress.reason?.text().to_string();
        let present = self.players.iter().flatten();
        let mut rows: Vec<_> = present
            .map(|player| (&player.info, player.team, &player.stats))
            .chain(self.left.iter().map(|record| (&record.info, record.team, &record.stats)))
            .collect();
        let score = |team: u8, stats: &Stats| match usize::from(team).checked_sub(1) {
            Some(team) => self.team_frags.get(team).copied().unwrap_or(0),
            None => stats.frags,
        };
        rows.sort_by_key(|(info, team, stats)| {
            (Reverse(score(*team, stats)), *team, Reverse(stats.frags), stats.deaths, info.id)
        });
        // In a match with teams a place is a team's: both teams have one, whatever their size.
        let mut players: Vec<PlayerResult> = Vec::with_capacity(rows.len());
        let mut place = 0;
        for (index, (info, team, stats)) in rows.into_iter().enumerate() {
            let score = i64::from(score(team, stats));
            if players.last().is_none_or(|before| before.score != score) {
                place = if team == 0 { index as u32 + 1 } else { place + 1 };
            }
            players.push(PlayerResult {
                player: info.id,
                name: info.name.clone(),
                team: (team > 0).then_some(team),
                place,
                score,
                stats: stats.named(),
            });
        }
        Some(Outcome { reason, players })
    }
}

impl Stats {
    fn named(&self) -> Vec<(String, i64)> {
        let list = [
            ("frags", i64::from(self.frags)),
            ("deaths", self.deaths.into()),
            ("suicides", self.suicides.into()),
            ("shots", self.shots.into()),
            ("hits", self.hits.into()),
            ("damage_given", self.damage_given.into()),
            ("damage_taken", self.damage_taken.into()),
            ("pickups", self.pickups.into()),
        ];
        list.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
    }
}
