//! The counters as Prometheus reads them: `/metrics`. No player and no match in a label.
//!
//! Shards count in plain memory of their own; only when somebody asks are their counters carried over
//! into the recorder that renders them.

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Label, Metadata, Recorder, SharedString, Unit,
};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use crate::control::NodeStats;
use crate::shard::stats::Distribution;

/// Upper bounds of the buckets of tick times, in seconds.
const TICK_BUCKETS: &[f64] =
    &[0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.016, 0.025, 0.05, 0.1];

const METADATA: Metadata<'_> =
    Metadata::new(module_path!(), metrics::Level::INFO, Some(module_path!()));

/// Renders counters, and remembers what of the distributions was carried over already.
pub(crate) struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    before: NodeStats,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Prefix("matchkeep_tick".to_owned()), TICK_BUCKETS)
            .expect("the list of buckets is not empty")
            .build_recorder();
        let handle = recorder.handle();
        Self { recorder, handle, before: NodeStats::default() }
    }

    /// The text of all metrics as of these counters.
    pub(crate) fn render(&mut self, stats: &NodeStats) -> String {
        let shards = &stats.shards;
        let before = std::mem::replace(&mut self.before, stats.clone()).shards;
        self.seconds(
            "matchkeep_tick_lateness_seconds",
            "From a tick's deadline to the start of its step",
            &shards.tick_lateness.since(&before.tick_lateness),
        );
        self.seconds(
            "matchkeep_tick_sent_seconds",
            "From a tick's deadline to its last datagram",
            &shards.tick_sent.since(&before.tick_sent),
        );
        self.seconds(
            "matchkeep_tick_work_seconds",
            "From the start of a step to its last datagram",
            &shards.tick_work.since(&before.tick_work),
        );
        let inputs = &shards.inputs;
        for (name, help, value) in [
            ("matchkeep_ticks_total", "Steps made", shards.ticks),
            ("matchkeep_ticks_skipped_total", "Deadlines given up", shards.ticks_skipped),
            ("matchkeep_inputs_applied_total", "Inputs applied at their tick", inputs.applied),
            ("matchkeep_inputs_substituted_total", "Ticks without input", inputs.substituted),
            ("matchkeep_inputs_late_total", "Inputs after their tick", inputs.late),
            ("matchkeep_inputs_duplicate_total", "Inputs that came again", inputs.duplicate),
            ("matchkeep_inputs_refused_total", "Inputs too far ahead", inputs.refused),
            ("matchkeep_snapshots_sent_total", "Snapshots sent", shards.snapshots_sent),
            ("matchkeep_snapshots_sent_bytes_total", "Bytes of those", shards.snapshot_bytes),
            ("matchkeep_snapshots_unsent_total", "Snapshots without room", shards.snapshots_unsent),
            ("matchkeep_udp_received_total", "UDP datagrams received", shards.udp_received),
            ("matchkeep_udp_received_bytes_total", "Bytes of those", shards.udp_received_bytes),
            ("matchkeep_udp_sent_total", "UDP datagrams sent", shards.udp_sent),
            ("matchkeep_udp_sent_bytes_total", "Bytes of those", shards.udp_sent_bytes),
            ("matchkeep_udp_send_errors_total", "UDP sends that failed", shards.udp_send_errors),
            (
                "matchkeep_udp_dropped_total",
                "UDP datagrams lost to a full buffer",
                shards.udp_dropped,
            ),
            ("matchkeep_handshakes_total", "Handshakes begun", shards.handshakes),
            (
                "matchkeep_handshakes_deferred_total",
                "First packets turned away",
                shards.handshakes_deferred,
            ),
            (
                "matchkeep_handshakes_forgotten_total",
                "First packets that waited so long that their clients were left to try again",
                shards.handshakes_forgotten,
            ),
            ("matchkeep_joins_total", "Joins granted", shards.joins),
            (
                "matchkeep_results_stored_total",
                "Results on stable storage",
                stats.control.results_stored,
            ),
            (
                "matchkeep_results_lost_total",
                "Results never to be stored",
                stats.control.results_lost,
            ),
            (
                "matchkeep_store_errors_total",
                "Writes the store refused",
                stats.control.store_errors,
            ),
        ] {
            self.counter(name, help, &[], value);
        }
        let control = &stats.control;
        for (name, help, value) in [
            ("matchkeep_matches_died_total", "Games that panicked", shards.matches_died),
            ("matchkeep_matches_resumed_total", "Matches gone on with", shards.matches_resumed),
            (
                "matchkeep_matches_recovered_total",
                "Matches of an earlier process gone on with",
                control.matches_recovered,
            ),
            ("matchkeep_matches_quarantined_total", "Set aside", control.matches_quarantined),
            ("matchkeep_matches_foreign_total", "Of other rules", control.matches_foreign),
            ("matchkeep_appends_stale_total", "Appends refused", control.stale_appends),
        ] {
            self.counter(name, help, &[], value);
        }
        for (cause, count) in &control.deaths {
            let labels = [Label::from_static_parts("cause", cause)];
            let help = "Matches restarted, by cause";
            self.counter("matchkeep_match_restarts_total", help, &labels, *count);
        }
        for (reason, count) in &shards.disconnects {
            let labels = [Label::from_static_parts("reason", reason)];
            let help = "Sessions that ended, by reason";
            self.counter("matchkeep_disconnects_total", help, &labels, *count);
        }
        for (name, help, value) in [
            ("matchkeep_matches", "Matches now", shards.matches),
            ("matchkeep_players", "Players connected now", shards.players),
            ("matchkeep_connections", "QUIC connections of shards now", shards.connections),
            ("matchkeep_entities", "Entities in all matches now", shards.entities),
            ("matchkeep_matches_hot", "Matches too slow for long", shards.matches_hot),
            ("matchkeep_matches_standing", "Matches that stand still", shards.matches_standing),
            (
                "matchkeep_matches_undurable",
                "Matches that wait for the journal",
                shards.matches_undurable,
            ),
            (
                "matchkeep_durable_lag_ticks_max",
                "Ticks not durable yet, in the match where it is most",
                shards.durable_lag_ticks_max,
            ),
            ("matchkeep_results_pending", "Results not yet durable", stats.control.results_pending),
        ] {
            self.gauge(name, help, value);
        }
        self.handle.run_upkeep();
        self.handle.render()
    }

    fn counter(&self, name: &'static str, help: &'static str, labels: &[Label], value: u64) {
        self.recorder.describe_counter(KeyName::from(name), None, SharedString::from(help));
        let key = Key::from_parts(name, labels.to_vec());
        let counter: Counter = self.recorder.register_counter(&key, &METADATA);
        counter.absolute(value);
    }

    fn gauge(&self, name: &'static str, help: &'static str, value: u64) {
        self.recorder.describe_gauge(KeyName::from(name), None, SharedString::from(help));
        let gauge: Gauge = self.recorder.register_gauge(&Key::from_name(name), &METADATA);
        gauge.set(value as f64);
    }

    fn seconds(&self, name: &'static str, help: &'static str, new: &Distribution) {
        let unit = Some(Unit::Seconds);
        self.recorder.describe_histogram(KeyName::from(name), unit, SharedString::from(help));
        let histogram: Histogram =
            self.recorder.register_histogram(&Key::from_name(name), &METADATA);
        for (microseconds, count) in new.values() {
            histogram.record_many(microseconds as f64 / 1e6, count as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn counters_and_distributions_are_rendered_and_not_counted_twice() {
        let mut stats = NodeStats::default();
        stats.shards.ticks = 3;
        stats.shards.tick_work.record(Duration::from_micros(80));
        stats.shards.tick_work.record(Duration::from_micros(700));
        stats.shards.disconnects.insert("left", 2);
        let mut metrics = Metrics::new();
        metrics.render(&stats);
        stats.shards.tick_work.record(Duration::from_micros(90));
        let text = metrics.render(&stats);
        for line in [
            "matchkeep_ticks_total 3",
            "matchkeep_disconnects_total{reason=\"left\"} 2",
            "matchkeep_tick_work_seconds_bucket{le=\"0.0001\"} 2",
            "matchkeep_tick_work_seconds_count 3",
            "matchkeep_players 0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
    }
}
