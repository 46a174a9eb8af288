//! What a shard counts. Plain numbers that only its own thread touches; copied out when somebody asks.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use matchkeep_shared::disconnect::DisconnectReason;
use serde::{Deserialize, Serialize};

use crate::matches::inputs::InputCounts;
use crate::refusals::RefusalCounts;

/// The longest time a distribution tells apart, in microseconds.
const MICROSECONDS_MAX: u64 = 60_000_000;

/// Times in microseconds, two significant digits.
#[derive(Clone, Debug)]
pub struct Distribution(Histogram<u64>);

impl Default for Distribution {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, MICROSECONDS_MAX, 2);
        Self(histogram.expect("the bounds are in order"))
    }
}

impl Distribution {
    /// Counts one time; longer ones than a minute count as a minute.
    pub fn record(&mut self, time: Duration) {
        self.0.saturating_record((time.as_nanos() / 1000) as u64);
    }

    /// Adds what another distribution counted.
    pub fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("both have the same bounds");
    }

    /// What this distribution counted and `earlier`, an older copy of it, had not.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut difference = self.clone();
        difference.0.subtract(&earlier.0).expect("an older copy is contained in the newer one");
        difference
    }

    /// Every value that was counted, in microseconds, and how often.
    pub fn values(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter_recorded().map(|v| (v.value_iterated_to(), v.count_at_value()))
    }

    /// The distribution in a few numbers.
    pub fn summary(&self) -> Summary {
        Summary {
            count: self.0.len(),
            p50: self.0.value_at_quantile(0.5),
            p99: self.0.value_at_quantile(0.99),
            p999: self.0.value_at_quantile(0.999),
            max: self.0.max(),
        }
    }
}

/// A distribution as programs read it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Summary {
    /// How many values.
    pub count: u64,
    /// The median.
    pub p50: u64,
    /// 99 of 100 are at most this.
    pub p99: u64,
    /// 999 of 1,000 are at most this.
    pub p999: u64,
    /// The largest.
    pub max: u64,
}

/// All that one shard counted since it started.
#[derive(Clone, Debug, Default)]
pub struct ShardStats {
    /// Steps made.
    pub ticks: u64,
    /// Deadlines given up because the shard was too far behind.
    pub ticks_skipped: u64,
    /// From a tick's deadline to the start of its step.
    pub tick_lateness: Distribution,
    /// From a tick's deadline to its last datagram handed to the kernel.
    pub tick_sent: Distribution,
    /// From the start of a step to its last datagram handed to the kernel.
    pub tick_work: Distribution,
    /// What receiving took, as far as it was looked at, scaled to all of it.
    pub receive: Duration,
    /// How inputs fared, players who left included.
    pub inputs: InputCounts,
    /// Snapshot datagrams handed to QUIC, and their bytes.
    pub snapshots_sent: u64,
    /// Bytes of those.
    pub snapshot_bytes: u64,
    /// Snapshots QUIC had no room for; the next one replaces them.
    pub snapshots_unsent: u64,
    /// UDP datagrams received.
    pub udp_received: u64,
    /// Bytes of those.
    pub udp_received_bytes: u64,
    /// Of these datagrams, those that belong to no connection and begin none.
    pub udp_foreign: u64,
    /// UDP datagrams sent.
    pub udp_sent: u64,
    /// Bytes of those.
    pub udp_sent_bytes: u64,
    /// UDP datagrams the kernel would not take.
    pub udp_send_errors: u64,
    /// Datagrams the kernel dropped because the socket's buffer was full.
    pub udp_dropped: u64,
    /// Handshakes begun.
    pub handshakes: u64,
    /// First packets turned away, by a Retry or for lack of room.
    pub handshakes_deferred: u64,
    /// First packets that waited so long, or had so many behind them, that their clients were left to try again.
    pub handshakes_forgotten: u64,
    /// First packets turned away, by what for.
    pub refusals: RefusalCounts,
    /// Joins granted.
    pub joins: u64,
    /// Connections that ended, by reason.
    pub disconnects: BTreeMap<&'static str, u64>,
    /// Matches on the shard now.
    pub matches: u64,
    /// Players connected now.
    pub players: u64,
    /// QUIC connections now, joined or not.
    pub connections: u64,
    /// Entities in all matches now.
    pub entities: u64,
    /// Matches whose game died.
    pub matches_died: u64,
    /// Matches that went on in a new epoch.
    pub matches_resumed: u64,
    /// Matches now that have made a step since they began or went on.
    pub matches_ticking: u64,
    /// Matches now that take more than their share, and have for a while.
    pub matches_hot: u64,
    /// Matches now that stand still.
    pub matches_standing: u64,
    /// Of those, the ones that wait for the journal.
    pub matches_undurable: u64,
    /// Datagrams of clients that named another epoch, and were dropped.
    pub datagrams_stale: u64,
    /// From the order to bring a match back until it ticks again.
    pub match_recovery: Distribution,
    /// How far a match's durable tick was behind when the journal had flushed for it.
    pub durable_lag: Distribution,
    /// How far the durable tick is behind now, in the match where it is furthest.
    pub durable_lag_max: Duration,
    /// How far the durable tick is behind now, in ticks, in the match where it is furthest.
    pub durable_lag_ticks_max: u64,
}

impl ShardStats {
    pub(super) fn count_disconnect(&mut self, reason: DisconnectReason) {
        *self.disconnects.entry(reason.label()).or_default() += 1;
    }

    /// A tick's share of what receiving took.
    pub fn receive_for_each_tick(&self) -> Duration {
        Duration::from_secs_f64(self.receive.as_secs_f64() / self.ticks.max(1) as f64)
    }

    /// Adds what another shard counted.
    pub fn add(&mut self, other: &Self) {
        self.ticks += other.ticks;
        self.ticks_skipped += other.ticks_skipped;
        self.tick_lateness.add(&other.tick_lateness);
        self.tick_sent.add(&other.tick_sent);
        self.tick_work.add(&other.tick_work);
        self.receive += other.receive;
        self.inputs += other.inputs;
        self.snapshots_sent += other.snapshots_sent;
        self.snapshot_bytes += other.snapshot_bytes;
        self.snapshots_unsent += other.snapshots_unsent;
        self.udp_received += other.udp_received;
        self.udp_received_bytes += other.udp_received_bytes;
        self.udp_foreign += other.udp_foreign;
        self.udp_sent += other.udp_sent;
        self.udp_sent_bytes += other.udp_sent_bytes;
        self.udp_send_errors += other.udp_send_errors;
        self.udp_dropped += other.udp_dropped;
        self.handshakes += other.handshakes;
        self.handshakes_deferred += other.handshakes_deferred;
        self.handshakes_forgotten += other.handshakes_forgotten;
        self.refusals += other.refusals;
        self.joins += other.joins;
        for (reason, count) in &other.disconnects {
            *self.disconnects.entry(reason).or_default() += count;
        }
        self.matches += other.matches;
        self.players += other.players;
        self.connections += other.connections;
        self.entities += other.entities;
        self.matches_died += other.matches_died;
        self.matches_resumed += other.matches_resumed;
        self.matches_ticking += other.matches_ticking;
        self.matches_hot += other.matches_hot;
        self.matches_standing += other.matches_standing;
        self.matches_undurable += other.matches_undurable;
        self.datagrams_stale += other.datagrams_stale;
        self.match_recovery.add(&other.match_recovery);
        self.durable_lag.add(&other.durable_lag);
        self.durable_lag_max = self.durable_lag_max.max(other.durable_lag_max);
        self.durable_lag_ticks_max = self.durable_lag_ticks_max.max(other.durable_lag_ticks_max);
    }
}
