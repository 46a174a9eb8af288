//! `/metrics` of a real server: names by the rules, documented, and about what happens.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rustix::process::Signal;

use crate::process::{Serve, arg, run_ok, wait_for};

/// The labels that there are; none of a match or a player.
const LABELS: [&str; 4] = ["cause", "reason", "version", "le"];

/// What must be there whatever else comes and goes.
const NEEDED: [&str; 16] = [
    "matchkeep_ready",
    "matchkeep_recovery_seconds",
    "matchkeep_tick_lateness_seconds",
    "matchkeep_tick_work_seconds",
    "matchkeep_ticks_skipped_total",
    "matchkeep_durable_lag_seconds",
    "matchkeep_durable_lag_max_seconds",
    "matchkeep_match_restarts_total",
    "matchkeep_match_recovery_seconds",
    "matchkeep_matches_undurable",
    "matchkeep_matches_hot",
    "matchkeep_appends_stale_total",
    "matchkeep_datagrams_stale_total",
    "matchkeep_udp_dropped_total",
    "matchkeep_results_lost_total",
    "matchkeep_store_errors_total",
];

/// A metric, as the server tells of it.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) help: String,
    pub(crate) kind: String,
    pub(crate) labels: BTreeSet<String>,
    /// The value of each sample, by the sample's name and labels.
    pub(crate) samples: BTreeMap<String, f64>,
}

/// Reads the text of `/metrics`.
pub(crate) fn parse(text: &str) -> BTreeMap<String, Told> {
    let mut all = BTreeMap::<String, Told>::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a name and a help");
            all.entry(name.to_owned()).or_default().help = help.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and a type");
            all.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else {
            let (sample, value) = line.rsplit_once(' ').expect("a sample and a value");
            let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
            let parts = ["_bucket", "_sum", "_count"];
            let whole = parts.iter().find_map(|part| name.strip_suffix(part));
            let metric = match whole.filter(|whole| all.contains_key(*whole)) {
                Some(whole) => whole,
                None => name,
            };
            let told = all.get_mut(metric).unwrap_or_else(|| panic!("no HELP before {line}"));
            let names = labels.trim_end_matches('}').split("\",").filter(|label| !label.is_empty());
            let names = names.map(|label| label.split('=').next().unwrap_or_default().to_owned());
            told.labels.extend(names);
            told.samples.insert(sample.to_owned(), value.parse().expect("a number"));
        }
    }
    all
}

fn scrape(serve: &Serve) -> BTreeMap<String, Told> {
    let (status, text) = serve.get("/metrics");
    assert_eq!(status, 200, "{text}");
    parse(&text)
}

#[test]
fn metrics_keep_the_conventions_are_documented_and_tell_what_happens() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let serve = Serve::start(&data, &[]);
    run_ok(&["bots", "--count", "2", "--kind", "idle", "--seconds", "2", "--data", arg(&data)]);
    let metrics = scrape(&serve);
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    for (name, told) in &metrics {
        assert!(name.starts_with("matchkeep_") && name.chars().all(is_plain), "{name}");
        assert!(told.help.len() > 5 && !told.help.ends_with('.'), "{name}: {told:?}");
        assert!(!told.samples.is_empty(), "{name}: it has a value from the start");
        assert!(told.labels.iter().all(|label| LABELS.contains(&&**label)), "{name}: {told:?}");
        assert_eq!(told.labels.contains("le"), told.kind == "histogram", "{name}: {told:?}");
        // Units are base units, and last; what only grows says so after them.
        assert_eq!(name.ends_with("_total"), told.kind == "counter", "{name}: {told:?}");
        for word in name.split('_') {
            let scaled = ["ms", "us", "ns", "milliseconds", "microseconds", "kb", "mb", "kib"];
            assert!(!scaled.contains(&word), "{name}: {word} is no base unit");
        }
        let stem = name.trim_end_matches("_total");
        for unit in ["seconds", "bytes"] {
            assert!(!stem.contains(unit) || stem.ends_with(unit), "{name}: its unit is not last");
        }
        if told.kind == "histogram" {
            assert!(name.ends_with("_seconds"), "{name}");
            let buckets = told.samples.keys().filter(|sample| sample.contains("_bucket{"));
            assert!(buckets.count() > 5, "{name}: {told:?}");
        }
    }
    for name in NEEDED {
        assert!(metrics.contains_key(name), "{name} is missing");
    }
    assert_documented(&metrics);

    let value = |name: &str, sample: &str| {
        let value = metrics[name].samples.get(sample);
        *value.unwrap_or_else(|| panic!("no {sample} in {:?}", metrics[name]))
    };
    assert_eq!(value("matchkeep_ready", "matchkeep_ready"), 1.0);
    assert_eq!(value("matchkeep_matches", "matchkeep_matches"), 1.0);
    assert!(value("matchkeep_ticks_total", "matchkeep_ticks_total") > 60.0);
    let recovery = value("matchkeep_recovery_seconds", "matchkeep_recovery_seconds");
    assert!(recovery > 0.0 && recovery < 30.0, "{recovery}");
    let lags = "matchkeep_durable_lag_seconds";
    assert!(value(lags, &format!("{lags}_count")) > 0.0, "{:?}", metrics[lags]);
    let (ended, left) = ("matchkeep_disconnects_total", "{reason=\"left\"}");
    assert_eq!(value(ended, &format!("{ended}{left}")), 2.0);
    assert_eq!(serve.stop(Signal::KILL), None, "it did not end by itself");

    // The next process brings the match back, and tells how long that took.
    let next = Serve::start(&data, &[]);
    let metrics = scrape(&next);
    let (name, count) =
        ("matchkeep_match_recovery_seconds", "matchkeep_match_recovery_seconds_count");
    assert_eq!(metrics[name].samples[count], 1.0, "{:?}", metrics[name]);
    let again = "matchkeep_matches_recovered_total";
    assert_eq!(metrics[again].samples[again], 1.0);
    // What was counted once is not counted twice, and only grows.
    let ticks = |metrics: &BTreeMap<String, Told>| {
        let lateness = &metrics["matchkeep_tick_lateness_seconds"].samples;
        let steps = metrics["matchkeep_ticks_total"].samples["matchkeep_ticks_total"];
        (steps, lateness["matchkeep_tick_lateness_seconds_count"])
    };
    let before = ticks(&metrics);
    let after = wait_for("ticks", || {
        let after = ticks(&scrape(&next));
        (after.0 > before.0 + 30.0).then_some(after)
    });
    assert_eq!(after.0, after.1, "each step is in the distribution once");
    assert_eq!(next.stop(Signal::TERM), Some(0));
}

/// `docs/METRICS.md` lists exactly these.
fn assert_documented(metrics: &BTreeMap<String, Told>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/METRICS.md");
    let document = std::fs::read_to_string(path).expect("the document is part of the project");
    let written: BTreeSet<&str> =
        document.lines().filter(|line| line.starts_with("| `matchkeep_")).collect();
    let row = |(name, told): (&String, &Told)| {
        let labels = told.labels.iter().filter(|label| *label != "le");
        let labels: Vec<String> = labels.map(|label| format!("`{label}`")).collect();
        format!("| `{name}` | {} | {} | {} |", told.kind, labels.join(", "), told.help)
    };
    let rows: BTreeSet<String> = metrics.iter().map(row).collect();
    let missing: Vec<&String> = rows.iter().filter(|row| !written.contains(row.as_str())).collect();
    assert!(missing.is_empty(), "missing in docs/METRICS.md: {missing:#?}");
    let wrong: Vec<&&str> = written.iter().filter(|row| !rows.contains(**row)).collect();
    assert!(wrong.is_empty(), "in docs/METRICS.md and not at /metrics: {wrong:#?}");
}
