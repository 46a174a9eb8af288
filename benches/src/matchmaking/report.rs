//! What `matchmaking` saw, for a program and for a person.

use serde::Serialize;

use super::plan::Plan;
use super::world::Observed;
use crate::recovery::report::Summary;

/// The whole outcome; units are in the names, ratings are in the rating system's own.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names say it; docs/MATCHMAKING.md describes each")]
pub struct Report {
    pub players: usize,
    pub lobbies: usize,
    pub dying: usize,
    pub seed: u64,
    pub virtual_seconds: u64,
    pub matches: u64,
    pub lost: u64,
    pub matched_twice: u64,
    pub parties_split: u64,
    pub matches_short: u64,
    pub teams_overfull: u64,
    pub promises_broken: u64,
    pub turned_out: u64,
    pub given_up: u64,
    pub cancelled: u64,
    pub filled: u64,
    pub refused: u64,
    pub lobby_deaths: u64,
    pub wait_seconds: Summary,
    pub rating_difference: Summary,
    pub rating_spread: Summary,
    pub look_us: Summary,
}

impl Report {
    /// From what was seen.
    pub fn new(plan: &Plan, seen: &Observed) -> Self {
        let summary = |values: &[f64]| Summary::of(values.iter().copied());
        let faults = &seen.faults;
        Self {
            players: plan.players,
            lobbies: plan.lobbies,
            dying: plan.dying,
            seed: plan.seed,
            virtual_seconds: seen.virtual_seconds,
            matches: seen.matches,
            lost: faults.lost,
            matched_twice: faults.matched_twice,
            parties_split: faults.parties_split,
            matches_short: faults.matches_short,
            teams_overfull: faults.teams_overfull,
            promises_broken: faults.promises_broken,
            turned_out: faults.turned_out,
            given_up: seen.given_up,
            cancelled: seen.cancelled,
            filled: seen.filled,
            refused: seen.refused,
            lobby_deaths: seen.lobby_deaths,
            wait_seconds: summary(&seen.wait_seconds),
            rating_difference: summary(&seen.rating_difference),
            rating_spread: summary(&seen.rating_spread),
            look_us: summary(&seen.look_us),
        }
    }

    /// For a person.
    pub fn table(&self) -> String {
        let summary = |s: &Summary| format!("p50 {:.1}, p99 {:.1}, max {:.1}", s.p50, s.p99, s.max);
        let rows = [
            ("players, matches", format!("{}, {}", self.players, self.matches)),
            ("lobbies", format!("{}, {} deaths", self.lobbies, self.lobby_deaths)),
            (
                "lost, matched twice, parties split",
                format!("{}, {}, {}", self.lost, self.matched_twice, self.parties_split),
            ),
            (
                "teams overfull, matches short",
                format!("{}, {}", self.teams_overfull, self.matches_short),
            ),
            (
                "promises broken, turned out",
                format!("{}, {}", self.promises_broken, self.turned_out),
            ),
            ("given up, cancelled", format!("{}, {}", self.given_up, self.cancelled)),
            ("went into running matches", self.filled.to_string()),
            ("came too late at the store", self.refused.to_string()),
            ("waiting, s", summary(&self.wait_seconds)),
            ("between the teams' mean ratings", summary(&self.rating_difference)),
            ("between best and worst player", summary(&self.rating_spread)),
            ("what time does to a lobby, us", summary(&self.look_us)),
        ];
        rows.iter().map(|(name, value)| format!("{name:36} {value}\n")).collect()
    }
}
