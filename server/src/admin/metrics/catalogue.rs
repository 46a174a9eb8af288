//! Every metric: its name, what it is, and where its value is read. `docs/METRICS.md` is this list for
//! people; a test compares the two.
//!
//! Names follow Prometheus: base units (seconds, bytes) at the end, `_total` after them where it only
//! grows. A label has few values, all known beforehand: never a match or a player.

use matchkeep_shared::disconnect::DisconnectReason;

use crate::control::NodeStats;
use crate::lobby::door::Unconnected;
use crate::matches::incident::IncidentCause;
use crate::shard::stats::Distribution;

/// Upper bounds of the buckets of tick times, in seconds: from a fifth of a percent of a tick at 60 Hz to
/// several ticks.
const TICK_BUCKETS: &[f64] = &[
    0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.016, 0.025,
    0.05, 0.1,
];
/// Of how far the journal is behind: from one flush to a disk that hangs.
const LAG_BUCKETS: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Of bringing a match back: from a tick to what makes players leave.
const RECOVERY_BUCKETS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// One metric.
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) reading: Reading,
}

/// What a metric is, and where its value is.
pub(super) enum Reading {
    /// Only grows.
    Counter(fn(&NodeStats) -> u64),
    /// Only grows; one for each value of a label.
    CounterBy(&'static str, fn(&NodeStats) -> Vec<(&'static str, u64)>),
    /// Goes up and down.
    Gauge(fn(&NodeStats) -> f64),
    /// Always 1; its labels say something.
    Info(&'static str, &'static str),
    /// How long something took, in buckets.
    Seconds(&'static [f64], fn(&NodeStats) -> &Distribution),
}

const fn counter(name: &'static str, help: &'static str, of: fn(&NodeStats) -> u64) -> Metric {
    Metric { name, help, reading: Reading::Counter(of) }
}

const fn gauge(name: &'static str, help: &'static str, of: fn(&NodeStats) -> f64) -> Metric {
    Metric { name, help, reading: Reading::Gauge(of) }
}

const fn seconds(
    name: &'static str,
    help: &'static str,
    buckets: &'static [f64],
    of: fn(&NodeStats) -> &Distribution,
) -> Metric {
    Metric { name, help, reading: Reading::Seconds(buckets, of) }
}

/// Every reason and how many ended by it; those that never happened are there with 0.
fn disconnects(stats: &NodeStats) -> Vec<(&'static str, u64)> {
    let counted = |label| stats.shards.disconnects.get(label).copied().unwrap_or(0);
    DisconnectReason::ALL.iter().map(|reason| (reason.label(), counted(reason.label()))).collect()
}

/// First packets refused at the lobby and at shards, by why.
fn refusals(stats: &NodeStats) -> Vec<(&'static str, u64)> {
    stats.refusals().by_reason().into()
}

/// Every reason and how many the lobby sent away for it; and handshakes that came to nothing.
fn lobby_ends(stats: &NodeStats) -> Vec<(&'static str, u64)> {
    let counted = |label| (label, stats.lobby.ends.get(label).copied().unwrap_or(0));
    let reasons = DisconnectReason::ALL.iter().map(|reason| reason.label());
    reasons.chain([Unconnected::Failed.label()]).map(counted).collect()
}

/// Every reason and how often players were told it instead of getting a match.
fn lobby_told(stats: &NodeStats) -> Vec<(&'static str, u64)> {
    let counted = |label| stats.lobby.told.get(label).copied().unwrap_or(0);
    DisconnectReason::ALL.iter().map(|reason| (reason.label(), counted(reason.label()))).collect()
}

/// Every cause and how many matches were restarted for it.
fn restarts(stats: &NodeStats) -> Vec<(&'static str, u64)> {
    let counted = |label| stats.control.deaths.get(label).copied().unwrap_or(0);
    IncidentCause::ALL.iter().map(|cause| (cause.label(), counted(cause.label()))).collect()
}

/// All of them, in the order in which the documentation has them.
pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "matchkeep_build_info",
        help: "The version of the program; always 1",
        reading: Reading::Info("version", env!("CARGO_PKG_VERSION")),
    },
    gauge("matchkeep_ready", "Whether players may come: 1 when every match is back", |s| {
        f64::from(u8::from(s.recovery.is_some()))
    }),
    gauge(
        "matchkeep_recovery_seconds",
        "From the start of the node until players could come; so far, where that is still to be",
        |s| s.recovery.unwrap_or(s.running).as_secs_f64(),
    ),
    gauge(
        "matchkeep_clock_skew_seconds",
        "By how much the system's clock is ahead of the server's own, which nobody sets",
        |s| s.clock_skew_ms as f64 / 1000.0,
    ),
    // Ticks.
    counter("matchkeep_ticks_total", "Steps made", |s| s.shards.ticks),
    counter("matchkeep_ticks_skipped_total", "Deadlines of ticks that were given up", |s| {
        s.shards.ticks_skipped
    }),
    seconds(
        "matchkeep_tick_lateness_seconds",
        "From a tick's deadline to the start of its step",
        TICK_BUCKETS,
        |s| &s.shards.tick_lateness,
    ),
    seconds(
        "matchkeep_tick_sent_seconds",
        "From a tick's deadline to its last datagram",
        TICK_BUCKETS,
        |s| &s.shards.tick_sent,
    ),
    seconds(
        "matchkeep_tick_work_seconds",
        "From the start of a step to its last datagram",
        TICK_BUCKETS,
        |s| &s.shards.tick_work,
    ),
    // Matches and what becomes of them.
    gauge("matchkeep_matches", "Matches now", |s| s.shards.matches as f64),
    gauge("matchkeep_matches_hot", "Matches that take more than their share of a shard", |s| {
        s.shards.matches_hot as f64
    }),
    gauge("matchkeep_matches_standing", "Matches that stand still", |s| {
        s.shards.matches_standing as f64
    }),
    gauge(
        "matchkeep_matches_undurable",
        "Matches that stand still and wait for the journal",
        |s| s.shards.matches_undurable as f64,
    ),
    gauge("matchkeep_players", "Players connected now", |s| s.shards.players as f64),
    gauge("matchkeep_entities", "Entities in all matches now", |s| s.shards.entities as f64),
    counter("matchkeep_matches_died_total", "Matches whose game panicked", |s| {
        s.shards.matches_died
    }),
    Metric {
        name: "matchkeep_match_restarts_total",
        help: "Matches that were interrupted and go on, or were set aside, by cause",
        reading: Reading::CounterBy("cause", restarts),
    },
    counter("matchkeep_matches_resumed_total", "Matches that went on in a new epoch", |s| {
        s.shards.matches_resumed
    }),
    counter(
        "matchkeep_matches_recovered_total",
        "Matches of an earlier process that went on",
        |s| s.control.matches_recovered,
    ),
    counter(
        "matchkeep_matches_quarantined_total",
        "Matches that were set aside with their data",
        |s| s.control.matches_quarantined,
    ),
    counter(
        "matchkeep_matches_foreign_total",
        "Matches left alone because they were played under other rules, or written down in another format",
        |s| s.control.matches_foreign,
    ),
    seconds(
        "matchkeep_match_recovery_seconds",
        "From the order to bring a match back until it ticks again",
        RECOVERY_BUCKETS,
        |s| &s.shards.match_recovery,
    ),
    // The journal and the store.
    gauge(
        "matchkeep_durable_lag_max_seconds",
        "Play that is not durable yet, in the match where it is most, now",
        |s| s.shards.durable_lag_max.as_secs_f64(),
    ),
    seconds(
        "matchkeep_durable_lag_seconds",
        "Play of a match that was not durable yet when the journal had flushed for it",
        LAG_BUCKETS,
        |s| &s.shards.durable_lag,
    ),
    gauge("matchkeep_journal_pending_bytes", "Bytes handed over and not yet durable", |s| {
        s.journal_pending_bytes as f64
    }),
    counter(
        "matchkeep_appends_stale_total",
        "Appends that the journal refused because their epoch was over",
        |s| s.control.stale_appends,
    ),
    gauge("matchkeep_store_writes_waiting", "Writes that wait for the store", |s| {
        s.store_writes_waiting as f64
    }),
    counter("matchkeep_store_errors_total", "Writes that the store refused", |s| {
        s.control.store_errors
    }),
    gauge("matchkeep_results_pending", "Results that are not durable yet", |s| {
        s.control.results_pending as f64
    }),
    counter("matchkeep_results_stored_total", "Results on stable storage", |s| {
        s.control.results_stored
    }),
    counter("matchkeep_results_lost_total", "Results that can never be stored", |s| {
        s.control.results_lost
    }),
    // Inputs and snapshots.
    counter("matchkeep_inputs_applied_total", "Inputs applied at their tick", |s| {
        s.shards.inputs.applied
    }),
    counter("matchkeep_inputs_substituted_total", "Ticks played without their input", |s| {
        s.shards.inputs.substituted
    }),
    counter("matchkeep_inputs_late_total", "Inputs that came after their tick", |s| {
        s.shards.inputs.late
    }),
    counter("matchkeep_inputs_duplicate_total", "Inputs that came again", |s| {
        s.shards.inputs.duplicate
    }),
    counter("matchkeep_inputs_refused_total", "Inputs too far ahead of their match", |s| {
        s.shards.inputs.refused
    }),
    counter(
        "matchkeep_datagrams_stale_total",
        "Datagrams of clients that were dropped because they named another epoch",
        |s| s.shards.datagrams_stale,
    ),
    counter("matchkeep_snapshots_sent_total", "Snapshots sent", |s| s.shards.snapshots_sent),
    counter("matchkeep_snapshots_sent_bytes_total", "Bytes of snapshots sent", |s| {
        s.shards.snapshot_bytes
    }),
    counter(
        "matchkeep_snapshots_unsent_total",
        "Snapshots that QUIC had no room for; the next one replaces them",
        |s| s.shards.snapshots_unsent,
    ),
    // Connections and packets.
    gauge("matchkeep_connections", "QUIC connections of shards now, joined or not", |s| {
        s.shards.connections as f64
    }),
    counter("matchkeep_joins_total", "Joins granted", |s| s.shards.joins),
    Metric {
        name: "matchkeep_disconnects_total",
        help: "Sessions that ended, by reason",
        reading: Reading::CounterBy("reason", disconnects),
    },
    counter("matchkeep_handshakes_total", "Handshakes begun", |s| s.shards.handshakes),
    counter(
        "matchkeep_handshakes_deferred_total",
        "First packets turned away, by a Retry or for lack of room",
        |s| s.shards.handshakes_deferred,
    ),
    counter(
        "matchkeep_handshakes_forgotten_total",
        "First packets that waited so long, or had so many behind them, that their clients were left to try again",
        |s| s.shards.handshakes_forgotten,
    ),
    Metric {
        name: "matchkeep_connections_refused_total",
        help: "First packets refused by the lobby and by shards, by reason",
        reading: Reading::CounterBy("reason", refusals),
    },
    counter(
        "matchkeep_retries_total",
        "First packets that the lobby and shards answered with a Retry: prove your address",
        |s| s.refusals().retried,
    ),
    Metric {
        name: "matchkeep_lobby_refused_total",
        help: "Connections that the lobby ended, by reason",
        reading: Reading::CounterBy("reason", lobby_ends),
    },
    Metric {
        name: "matchkeep_lobby_requests_refused_total",
        help: "Requests that the lobby refused, and players told that they wait no longer, by reason",
        reading: Reading::CounterBy("reason", lobby_told),
    },
    counter("matchkeep_udp_received_total", "UDP datagrams received", |s| s.shards.udp_received),
    counter("matchkeep_udp_received_bytes_total", "Bytes of UDP datagrams received", |s| {
        s.shards.udp_received_bytes
    }),
    counter(
        "matchkeep_udp_foreign_total",
        "UDP datagrams received that belong to no connection and begin none",
        |s| s.shards.udp_foreign,
    ),
    counter("matchkeep_udp_sent_total", "UDP datagrams sent", |s| s.shards.udp_sent),
    counter("matchkeep_udp_sent_bytes_total", "Bytes of UDP datagrams sent", |s| {
        s.shards.udp_sent_bytes
    }),
    counter("matchkeep_udp_send_errors_total", "UDP datagrams that the kernel did not take", |s| {
        s.shards.udp_send_errors
    }),
    counter(
        "matchkeep_udp_dropped_total",
        "UDP datagrams that the kernel dropped because a buffer was full",
        |s| s.shards.udp_dropped,
    ),
];
