//! All that a node counts, put together when somebody asks.

use std::time::Duration;

use super::core::ControlCounters;
use crate::lobby::door::DoorCounts;
use crate::refusals::RefusalCounts;
use crate::shard::stats::ShardStats;

/// All counters of a node.
#[derive(Clone, Debug, Default)]
pub struct NodeStats {
    /// Of all shards together.
    pub shards: ShardStats,
    /// Of the lobby's endpoint.
    pub lobby: DoorCounts,
    /// Of control.
    pub control: ControlCounters,
    /// Since the node was started.
    pub running: Duration,
    /// By how much the system's clock is ahead of the node's own, in milliseconds.
    pub clock_skew_ms: i64,
    /// From the start until players could come; `None` until they can.
    pub recovery: Option<Duration>,
    /// Bytes handed to the journal that are not durable yet.
    pub journal_pending_bytes: u64,
    /// Writes that wait for the store.
    pub store_writes_waiting: u64,
}

impl NodeStats {
    /// First packets turned away, by the lobby and by shards.
    pub fn refusals(&self) -> RefusalCounts {
        let mut refusals = self.shards.refusals;
        refusals += self.lobby.refusals;
        refusals
    }
}
