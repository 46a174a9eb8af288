//! `matchkeep bots` on a server that runs.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::process::{Serve, arg, run, run_json, run_ok, text, wait_for};

#[test]
fn bots_find_the_server_by_its_folder_or_by_its_address() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let serve = Serve::start(&data, &[]);
    let report = run_json(&[
        "bots",
        "--count",
        "4",
        "--mode",
        "ffa",
        "--seconds",
        "2",
        "--data",
        arg(&data),
        "--json",
    ]);
    assert_eq!(report["bots_joined"].as_u64(), Some(4), "{report}");
    assert_eq!(report["failures"].as_array().map(Vec::len), Some(0), "{report}");
    assert!(report["snapshots_received"].as_u64() > Some(100), "{report}");
    assert!(report["inputs_sent"].as_u64() > Some(100), "{report}");
    // Who is near is seen, by whom, and how far each goes.
    let seen = report["seen"].as_array().expect("a list");
    let by_whom: BTreeSet<_> =
        seen.iter().map(|it| (it["bot"].as_u64(), it["slot"].as_u64())).collect();
    assert!(!seen.is_empty() && by_whom.len() == seen.len(), "each once: {report}");
    assert!(by_whom.iter().all(|(bot, slot)| *bot < Some(4) && *slot < Some(4)), "{report}");
    assert!(seen.iter().all(|seen| seen["match"].is_string()), "{report}");
    let moved = seen.iter().filter_map(|seen| seen["moved_units"].as_f64());
    assert!(moved.clone().count() == seen.len() && moved.sum::<f64>() > 100.0, "{report}");

    let (lobby, fingerprint) = (serve.told("lobby"), serve.told("lobby_fingerprint"));
    let printed = run_ok(&[
        "bots",
        "--count",
        "1",
        "--kind",
        "idle",
        "--seconds",
        "1",
        "--lobby",
        lobby,
        "--fingerprint",
        fingerprint,
    ]);
    assert!(printed.contains("bots in a match       1"), "{printed}");
    assert_eq!(serve.counter("joins"), 5);
    wait_for("the goodbyes", || (serve.counter("players") == 0).then_some(()));
    let (_, stats) = serve.get("/v1/stats");
    assert!(stats.contains("\"disconnects\":{\"left\":5}"), "without a goodbye: {stats}");
    assert_eq!(serve.stop(Signal::TERM), Some(0));
}

#[test]
fn bots_live_through_a_server_that_stops_for_a_second() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let serve = Serve::start(&data, &[]);
    let path = arg(&data).to_owned();
    let bots = std::thread::Builder::new().spawn(move || {
        run_json(&["bots", "--count", "4", "--seconds", "6", "--data", &path, "--json"])
    });
    wait_for("the bots", || (serve.counter("players") == 4).then_some(()));
    serve.signal(Signal::STOP);
    #[expect(clippy::disallowed_methods, reason = "a test takes the time")]
    let begun = Instant::now();
    wait_for("a second", || (begun.elapsed() > Duration::from_secs(1)).then_some(()));
    serve.signal(Signal::CONT);
    let report = bots.expect("a thread").join().expect("no panic");
    assert_eq!(report["failures"].as_array().map(Vec::len), Some(0), "{report}");
    assert!(report["interruptions"].as_u64() >= Some(4), "{report}");
    let returns = report["returns"].as_array().expect("a list");
    assert_eq!(returns.len(), 4, "{report}");
    for bot in returns {
        let gap = bot["gaps_ms"][0].as_f64().expect("one at least");
        assert!((950.0..5000.0).contains(&gap), "{report}");
    }
    assert_eq!(serve.stop(Signal::TERM), Some(0));
}

#[test]
fn bots_that_cannot_play_say_why_and_fail() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let serve = Serve::start(&data, &[]);
    let output = run(&["bots", "--count", "1", "--mode", "chess", "--data", arg(&data)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no such mode"), "{}", text(&output.stderr));

    let lobby = serve.told("lobby");
    let wrong = "0".repeat(64);
    let output = run(&["bots", "--count", "1", "--lobby", lobby, "--fingerprint", &wrong]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert_eq!(serve.counter("joins"), 0);
    assert_eq!(serve.stop(Signal::TERM), Some(0));

    // The server is gone, and its folder says so.
    let output = run(&["bots", "--count", "1", "--data", arg(&data)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no server runs on"), "{}", text(&output.stderr));
}
