//! What `recovery` found, for a program and for a person.

use serde::Serialize;

use super::kills::Kill;
use super::plan::Plan;
use super::verify::Verdict;

/// A distribution in a few numbers.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Summary {
    pub count: usize,
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

impl Summary {
    /// Of these values, in any order.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let Some(last) = values.len().checked_sub(1) else { return Self::default() };
        let at = |share: f64| values[((values.len() as f64 * share) as usize).min(last)];
        Self {
            count: values.len(),
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: values[last],
        }
    }
}

/// The whole outcome; units are in the names.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names say it; docs/TESTING.md describes each")]
pub struct Report {
    pub matches: usize,
    pub players: usize,
    pub kills: usize,
    pub kills_during_recovery: usize,
    pub matches_lost: u64,
    pub hash_mismatches: u64,
    pub hashes_compared: u64,
    pub ticks_replayed: u64,
    pub ticks_undone: u64,
    pub durable_ticks_lost_max: i64,
    pub undurable_ticks_lost: Summary,
    pub all_matches_ticking_ms: Summary,
    pub client_fresh_snapshot_ms: Summary,
    pub bots_back_share: f64,
    pub failures: Vec<String>,
}

impl Report {
    /// From what was measured.
    pub fn new(
        plan: &Plan,
        kills: &[Kill],
        kills_during_recovery: usize,
        verdict: &Verdict,
        failures: Vec<String>,
    ) -> Self {
        let players = plan.matches * plan.per_match;
        let each = |of: fn(&Kill) -> &[i64]| kills.iter().flat_map(of).map(|ticks| *ticks as f64);
        let durable = kills.iter().flat_map(|kill| &kill.durable_lost);
        let back: usize = kills.iter().map(|kill| kill.back).sum();
        Self {
            matches: plan.matches,
            players,
            kills: kills.len(),
            kills_during_recovery,
            matches_lost: verdict.matches_lost,
            hash_mismatches: verdict.hash_mismatches,
            hashes_compared: verdict.hashes_compared,
            ticks_replayed: verdict.ticks_replayed,
            ticks_undone: verdict.ticks_undone,
            durable_ticks_lost_max: durable.copied().max().unwrap_or(0).max(0),
            undurable_ticks_lost: Summary::of(each(|kill| &kill.undurable_lost)),
            all_matches_ticking_ms: Summary::of(kills.iter().map(|kill| kill.ticking_ms)),
            client_fresh_snapshot_ms: Summary::of(
                kills.iter().flat_map(|kill| kill.fresh_ms.iter().copied()),
            ),
            bots_back_share: back as f64 / (players * kills.len()) as f64,
            failures,
        }
    }

    /// For a person.
    pub fn table(&self) -> String {
        let summary = |s: &Summary| format!("p50 {:.1}, p99 {:.1}, max {:.1}", s.p50, s.p99, s.max);
        let rows = [
            ("matches, players", format!("{}, {}", self.matches, self.players)),
            (
                "kills",
                format!("{}, {} more during recovery", self.kills, self.kills_during_recovery),
            ),
            ("matches lost", self.matches_lost.to_string()),
            (
                "state hashes",
                format!("{} compared, {} differ", self.hashes_compared, self.hash_mismatches),
            ),
            ("durable ticks lost", self.durable_ticks_lost_max.to_string()),
            ("ticks undone by a kill", summary(&self.undurable_ticks_lost)),
            ("all matches ticking, ms", summary(&self.all_matches_ticking_ms)),
            ("a bot's first new snapshot, ms", summary(&self.client_fresh_snapshot_ms)),
            ("bots back", format!("{:.2}%", self.bots_back_share * 100.0)),
        ];
        rows.iter().map(|(name, value)| format!("{name:32} {value}\n")).collect()
    }
}
