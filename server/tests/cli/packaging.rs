//! What is in `packaging/` fits the program: metrics that are named exist, flags and settings are sound.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::metrics::parse;
use crate::process::{Serve, arg, run_json};

fn packaging(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging").join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(packaging(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Every name of a metric of ours in a text.
fn named(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let names = text.match_indices("matchkeep_").map(|(at, _)| {
        let rest = &text[at..];
        &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())]
    });
    names.collect()
}

#[test]
fn every_metric_in_dashboard_and_alerts_exists() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let serve = Serve::start(&folder.path().join("data"), &[]);
    let metrics = parse(&serve.get("/metrics").1);
    let mut samples = BTreeSet::new();
    for (name, told) in &metrics {
        samples.extend(told.samples.keys().map(|sample| sample.split('{').next().expect("a name")));
        samples.insert(name);
    }
    for file in ["grafana/matchkeep.json", "prometheus/alerts.yml", "prometheus/alerts_test.yml"] {
        let text = read(file);
        let named = named(&text);
        assert!(named.len() > 2, "{file}: {named:?}");
        let unknown: Vec<_> = named.iter().filter(|name| !samples.contains(*name)).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
    assert_eq!(serve.stop(Signal::TERM), Some(0));
}

#[test]
fn the_dashboard_asks_only_what_it_can_draw() {
    let dashboard: serde_json::Value =
        serde_json::from_str(&read("grafana/matchkeep.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut places = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().expect("a title");
        let place = (panel["gridPos"]["x"].as_u64(), panel["gridPos"]["y"].as_u64());
        assert!(places.insert(place), "{title} lies on another panel");
        let targets = panel["targets"].as_array().expect("queries");
        assert!(!targets.is_empty(), "{title}");
        for target in targets {
            let query = target["expr"].as_str().expect("a query");
            // What only grows is drawn as a rate.
            for name in named(query).iter().filter(|name| name.ends_with("_total")) {
                let rated =
                    ["rate(", "increase("].iter().any(|f| query.contains(&format!("{f}{name}")));
                assert!(rated, "{title}: {query}");
            }
        }
    }
}

#[test]
fn the_settings_that_packages_install_are_sound() {
    let file = packaging("matchkeep.toml");
    let told = run_json(&["config", "check", "--json", "--config", arg(&file)]);
    assert_eq!(told["sound"], true, "{told}");
    // What is only hinted at is sound too.
    let hinted: String = read("matchkeep.toml")
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(key) if key.contains(" = ") => format!("{key}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("m.toml");
    std::fs::write(&file, hinted).expect("a temporary file");
    let shown = run_json(&["config", "show", "--json", "--config", arg(&file)]);
    let settings = shown["settings"].as_array().expect("a list");
    let data = settings.iter().find(|setting| setting["key"] == "data").expect("it is there");
    assert_eq!(data["value"], "/var/lib/matchkeep");
}

#[test]
fn unit_and_image_name_settings_that_there_are() {
    let shown = run_json(&["config", "show", "--json"]);
    let settings = shown["settings"].as_array().expect("a list");
    let variables = settings.iter().filter_map(|setting| setting["variable"].as_str());
    let mut known: BTreeSet<&str> = variables.collect();
    known.insert("MATCHKEEP_SERVER_CONFIG");
    for file in ["systemd/matchkeep.service", "docker/Dockerfile", "docker/compose.yaml"] {
        let text = read(file);
        for (at, _) in text.match_indices("MATCHKEEP_") {
            let rest = &text[at..];
            let end = rest.find(|c: char| !c.is_ascii_uppercase() && c != '_');
            let name = &rest[..end.unwrap_or(rest.len())];
            assert!(known.contains(name), "{file}: {name}");
        }
    }
    let unit = read("systemd/matchkeep.service");
    for line in
        ["Type=notify", "WatchdogSec=10", "Restart=on-failure", "RestartPreventExitStatus=2"]
    {
        assert!(unit.lines().any(|written| written == line), "{line}");
    }
}
