//! The counters as programs read them: `/v1/stats`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::control::NodeStats;
use crate::matches::inputs::InputCounts;
use crate::shard::stats::Summary;

/// A node's counters since it started; units are in the names.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[allow(missing_docs, reason = "the names say it; /metrics describes each")]
pub struct StatsDocument {
    pub ticks: u64,
    pub ticks_skipped: u64,
    pub tick_lateness_us: Summary,
    pub tick_sent_us: Summary,
    pub tick_work_us: Summary,
    pub inputs: InputCounts,
    pub snapshots_sent: u64,
    pub snapshot_bytes: u64,
    pub snapshots_unsent: u64,
    pub udp_received: u64,
    pub udp_received_bytes: u64,
    pub udp_foreign: u64,
    pub udp_sent: u64,
    pub udp_sent_bytes: u64,
    pub udp_send_errors: u64,
    pub udp_dropped: u64,
    pub handshakes: u64,
    pub handshakes_deferred: u64,
    pub handshakes_forgotten: u64,
    pub retries: u64,
    pub connections_refused: BTreeMap<String, u64>,
    pub lobby_refused: BTreeMap<String, u64>,
    pub joins: u64,
    pub disconnects: BTreeMap<String, u64>,
    pub matches: u64,
    pub players: u64,
    pub connections: u64,
    pub entities: u64,
    pub matches_died: u64,
    pub matches_resumed: u64,
    pub matches_ticking: u64,
    pub matches_hot: u64,
    pub matches_standing: u64,
    pub matches_undurable: u64,
    pub durable_lag_ticks_max: u64,
    pub durable_lag_us: Summary,
    pub match_recovery_us: Summary,
    pub datagrams_stale: u64,
    /// From the start of the node until players could come; absent until they can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_ms: Option<u64>,
    pub matches_recovered: u64,
    pub matches_quarantined: u64,
    pub matches_foreign: u64,
    pub match_restarts: BTreeMap<String, u64>,
    pub appends_stale: u64,
    pub results_stored: u64,
    pub results_pending: u64,
    pub results_lost: u64,
    pub store_errors: u64,
}

impl From<&NodeStats> for StatsDocument {
    fn from(stats: &NodeStats) -> Self {
        let shards = &stats.shards;
        let control = &stats.control;
        let refusals = stats.refusals();
        let told = |(reason, n): (&str, u64)| (reason.to_owned(), n);
        let deaths = control.deaths.iter();
        let disconnects = shards.disconnects.iter();
        Self {
            ticks: shards.ticks,
            ticks_skipped: shards.ticks_skipped,
            tick_lateness_us: shards.tick_lateness.summary(),
            tick_sent_us: shards.tick_sent.summary(),
            tick_work_us: shards.tick_work.summary(),
            inputs: shards.inputs,
            snapshots_sent: shards.snapshots_sent,
            snapshot_bytes: shards.snapshot_bytes,
            snapshots_unsent: shards.snapshots_unsent,
            udp_received: shards.udp_received,
            udp_received_bytes: shards.udp_received_bytes,
            udp_foreign: shards.udp_foreign,
            udp_sent: shards.udp_sent,
            udp_sent_bytes: shards.udp_sent_bytes,
            udp_send_errors: shards.udp_send_errors,
            udp_dropped: shards.udp_dropped,
            handshakes: shards.handshakes,
            handshakes_deferred: shards.handshakes_deferred,
            handshakes_forgotten: shards.handshakes_forgotten,
            retries: refusals.retried,
            connections_refused: refusals.by_reason().map(told).into(),
            lobby_refused: stats.lobby.ends.iter().map(|(reason, n)| told((reason, *n))).collect(),
            joins: shards.joins,
            disconnects: disconnects.map(|(reason, n)| ((*reason).to_owned(), *n)).collect(),
            matches: shards.matches,
            players: shards.players,
            connections: shards.connections,
            entities: shards.entities,
            matches_died: shards.matches_died,
            matches_resumed: shards.matches_resumed,
            matches_ticking: shards.matches_ticking,
            matches_hot: shards.matches_hot,
            matches_standing: shards.matches_standing,
            matches_undurable: shards.matches_undurable,
            durable_lag_ticks_max: shards.durable_lag_ticks_max,
            durable_lag_us: shards.durable_lag.summary(),
            match_recovery_us: shards.match_recovery.summary(),
            datagrams_stale: shards.datagrams_stale,
            recovery_ms: stats.recovery.map(|recovery| recovery.as_millis() as u64),
            matches_recovered: control.matches_recovered,
            matches_quarantined: control.matches_quarantined,
            matches_foreign: control.matches_foreign,
            match_restarts: deaths.map(|(cause, n)| ((*cause).to_owned(), *n)).collect(),
            appends_stale: control.stale_appends,
            results_stored: control.results_stored,
            results_pending: control.results_pending,
            results_lost: control.results_lost,
            store_errors: control.store_errors,
        }
    }
}
