//! The counters as Prometheus reads them: `/metrics`. No player and no match in a label.
//!
//! Shards count in plain memory of their own; only when somebody asks are their counters carried over
//! into the recorder that renders them. Which there are, and under what names: [`catalogue`].

mod catalogue;

use metrics::{Key, KeyName, Label, Metadata, Recorder, SharedString};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use self::catalogue::{METRICS, Metric, Reading};
use crate::control::NodeStats;
use crate::shard::stats::Distribution;

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
        let mut builder = PrometheusBuilder::new();
        for metric in METRICS {
            if let Reading::Seconds(buckets, _) = metric.reading {
                builder = builder
                    .set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)
                    .expect("no list of buckets is empty");
            }
        }
        let recorder = builder.build_recorder();
        for metric in METRICS {
            let (name, help) = (KeyName::from(metric.name), SharedString::from(metric.help));
            match metric.reading {
                Reading::Counter(_) | Reading::CounterBy(..) => {
                    recorder.describe_counter(name, None, help);
                }
                Reading::Gauge(_) | Reading::Info(..) => recorder.describe_gauge(name, None, help),
                Reading::Seconds(..) => recorder.describe_histogram(name, None, help),
            }
        }
        let handle = recorder.handle();
        Self { recorder, handle, before: NodeStats::default() }
    }

    /// The text of all metrics as of these counters.
    pub(crate) fn render(&mut self, stats: &NodeStats) -> String {
        let before = std::mem::replace(&mut self.before, stats.clone());
        for metric in METRICS {
            self.carry_over(metric, stats, &before);
        }
        self.handle.run_upkeep();
        self.handle.render()
    }

    fn carry_over(&self, metric: &Metric, stats: &NodeStats, before: &NodeStats) {
        let key = |labels: Vec<Label>| Key::from_parts(metric.name, labels);
        match metric.reading {
            Reading::Counter(of) => {
                self.recorder.register_counter(&key(vec![]), &METADATA).absolute(of(stats));
            }
            Reading::CounterBy(label, of) => {
                for (value, count) in of(stats) {
                    let key = key(vec![Label::from_static_parts(label, value)]);
                    self.recorder.register_counter(&key, &METADATA).absolute(count);
                }
            }
            Reading::Gauge(of) => {
                self.recorder.register_gauge(&key(vec![]), &METADATA).set(of(stats));
            }
            Reading::Info(label, value) => {
                let key = key(vec![Label::from_static_parts(label, value)]);
                self.recorder.register_gauge(&key, &METADATA).set(1.0);
            }
            Reading::Seconds(_, of) => {
                let histogram = self.recorder.register_histogram(&key(vec![]), &METADATA);
                let new: Distribution = of(stats).since(of(before));
                for (microseconds, count) in new.values() {
                    histogram.record_many(microseconds as f64 / 1e6, count as usize);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::time::Duration;

    #[test]
    fn counters_and_distributions_are_rendered_and_not_counted_twice() {
        let mut stats = NodeStats::default();
        stats.shards.ticks = 3;
        stats.shards.tick_work.record(Duration::from_micros(80));
        stats.shards.tick_work.record(Duration::from_micros(700));
        stats.shards.disconnects.insert("left", 2);
        stats.control.deaths.insert("panic", 1);
        stats.shards.durable_lag_max = Duration::from_millis(250);
        let mut metrics = Metrics::new();
        metrics.render(&stats);
        stats.shards.tick_work.record(Duration::from_micros(90));
        let text = metrics.render(&stats);
        for line in [
            "matchkeep_ticks_total 3",
            "matchkeep_disconnects_total{reason=\"left\"} 2",
            "matchkeep_disconnects_total{reason=\"idle_timeout\"} 0",
            "matchkeep_match_restarts_total{cause=\"panic\"} 1",
            "matchkeep_match_restarts_total{cause=\"hung\"} 0",
            "matchkeep_tick_work_seconds_bucket{le=\"0.0001\"} 2",
            "matchkeep_tick_work_seconds_count 3",
            "matchkeep_durable_lag_seconds_count 0",
            "matchkeep_durable_lag_max_seconds 0.25",
            "matchkeep_players 0",
            "matchkeep_ready 0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn names_say_what_they_are() {
        let mut names = BTreeSet::new();
        for Metric { name, help, reading } in METRICS {
            assert!(names.insert(name), "{name} is there twice");
            assert!(help.starts_with(char::is_uppercase) && !help.ends_with('.'), "{name}: {help}");
            let is_counter = matches!(reading, Reading::Counter(_) | Reading::CounterBy(..));
            assert_eq!(is_counter, name.ends_with("_total"), "{name}");
            if let Reading::Seconds(buckets, _) = reading {
                assert!(name.ends_with("_seconds"), "{name}");
                assert!(buckets.is_sorted() && buckets.len() > 5, "{name}: {buckets:?}");
            }
        }
    }
}
