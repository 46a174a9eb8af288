//! How often each kind of fault really happened.

use std::collections::BTreeMap;

/// Every kind there is. One that stays at 0 over many seeds is no test, and fails the run.
pub const KINDS: [&str; 34] = [
    "client_stall",
    "crash_in_flush",
    "crash_in_recovery",
    "disk_busy",
    "disk_full",
    "fsync_failed",
    "game_panic",
    "game_panic_between_steps",
    "hung_step",
    "lobby_message_lost",
    "match_ended_by_order",
    "match_paused",
    "match_quarantined",
    "match_told",
    "old_packet_replayed",
    "orderly_stop",
    "packet_corrupted",
    "packet_duplicated",
    "packet_lost",
    "packet_overtaken",
    "partition_both_ways",
    "partition_from_server",
    "partition_to_server",
    "player_abandoned",
    "player_kicked",
    "player_left",
    "power_cut",
    "process_killed",
    "queued_for_a_match",
    "shard_stall",
    "slow_disk",
    "stale_writer",
    "torn_records",
    "wall_clock_jump",
];

/// Counts by kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally(BTreeMap<&'static str, u64>);

impl Default for Tally {
    fn default() -> Self {
        Self(KINDS.into_iter().map(|kind| (kind, 0)).collect())
    }
}

impl Tally {
    /// One more of this kind.
    ///
    /// # Panics
    /// Where there is no such kind.
    pub fn count(&mut self, kind: &'static str) {
        self.add(kind, 1);
    }

    /// Some more of this kind.
    ///
    /// # Panics
    /// Where there is no such kind.
    pub fn add(&mut self, kind: &'static str, more: u64) {
        *self.0.get_mut(kind).unwrap_or_else(|| panic!("{kind} is no kind of fault")) += more;
    }

    /// Takes in the counts of another seed.
    pub fn merge(&mut self, other: &Self) {
        for (kind, count) in &other.0 {
            self.add(kind, *count);
        }
    }

    /// The kinds that never happened.
    pub fn missing(&self) -> Vec<&'static str> {
        self.0.iter().filter(|(_, count)| **count == 0).map(|(kind, _)| *kind).collect()
    }

    /// All counts.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(kind, count)| (*kind, *count))
    }
}
