//! `matchkeep demo` from end to end, and `matchkeep history` on what it leaves behind.

use serde_json::{Value, json};

use crate::process::{arg, matchkeep, run, run_json, run_ok, text};

#[test]
fn a_demo_plays_stores_and_reports() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let data = arg(&data);
    let report = run_json(&["demo", "--bots", "2", "--seconds", "3", "--data", data, "--json"]);
    let number = |key: &str| report[key].as_u64().unwrap_or_else(|| panic!("{key} in {report}"));
    assert_eq!((number("matches_completed"), number("players")), (1, 2));
    assert_eq!((number("results_stored"), number("bots_told_result")), (1, 2));
    // Three seconds of play at 60 Hz, and warm-up and countdown before that.
    assert!(number("ticks") >= 180, "{report}");
    for key in ["ticks_skipped", "inputs_refused", "shots", "hits", "frags"] {
        number(key);
    }
    assert!(number("inputs_sent") >= number("inputs_applied") && number("inputs_applied") > 100);
    assert!(number("snapshots_received") > 100, "{report}");
    assert!(number("snapshot_bytes") > number("snapshots_received"), "{report}");
    for key in ["tick_lateness_us", "tick_sent_us", "tick_work_us"] {
        let part = |part: &str| report[key][part].as_u64().expect("a number");
        assert!(part("count") > 0 && part("p50") <= part("p99"), "{report}");
        assert!(part("p99") <= part("p999") && part("p999") <= part("max"), "{report}");
    }
    let id = report["matches"][0].as_str().expect("the match's ID");

    // The server of the demo is gone; what it stored is there.
    let list = run_json(&["history", "ls", "--data", data, "--json"]);
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
    assert_eq!((list[0]["id"].as_str(), list[0]["state"].as_str()), (Some(id), Some("finished")));
    let record = run_json(&["history", "show", id, "--data", data, "--json"]);
    assert_eq!(record["ticks"].as_u64(), Some(number("ticks")));
    assert_eq!(record["players"].as_array().map(Vec::len), Some(2));
    let sum = |name: &str| -> u64 {
        let players = record["players"].as_array().expect("a list").iter();
        let stats = players.flat_map(|player| player["stats"].as_array().expect("a list"));
        let of_name = stats.filter(|stat| stat["name"] == name);
        of_name.filter_map(|stat| stat["value"].as_u64()).sum()
    };
    assert_eq!((sum("shots"), sum("hits")), (number("shots"), number("hits")));

    let table = run_ok(&["history", "ls", "--data", data]);
    assert!(table.starts_with("MATCH") && table.contains(id), "{table}");
    let described = run_ok(&["history", "show", id, "--data", data]);
    for part in [id, "arena", "time limit", "bot1", "bot2", "SCORE"] {
        assert!(described.contains(part), "{part} in {described}");
    }
    let none = run_ok(&["history", "ls", "--data", data, "--state", "interrupted", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&none).expect("JSON"), Value::Array(Vec::new()));
}

#[test]
fn a_demo_whose_server_is_killed_again_and_again_ends_with_its_result() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let data = arg(&data);
    let args = ["demo", "--chaos", "--bots", "3", "--seconds", "14", "--data", data, "--json"];
    let report = run_json(&args);
    let kills = report["kills"].as_u64().expect("a number");
    assert!(kills >= 2, "{report}");
    assert_eq!(report["matches_completed"].as_u64(), Some(1), "{report}");
    assert_eq!(report["bots_told_result"].as_u64(), Some(3), "{report}");
    let felt = report["felt"].as_array().expect("a list");
    assert_eq!(felt.len(), 3, "everybody felt something: {report}");
    for player in felt {
        let list = |key: &str| player[key].as_array().expect("a list").len() as u64;
        assert!(list("gaps_ms") >= kills && list("ticks_rolled_back") >= kills, "{report}");
    }
    let id = report["matches"][0].as_str().expect("the match's ID");
    let record = run_json(&["history", "show", id, "--data", data, "--json"]);
    assert_eq!(record["state"].as_str(), Some("finished"), "{record}");

    // What all those processes wrote of it is one match, and comes to the same again.
    let proof = run_json(&["history", "verify", "--all", "--data", data, "--json"]);
    assert_eq!((&proof["verified"], &proof["matches"][0]["match"]), (&json!(1), &json!(id)));
    let row = &proof["matches"][0];
    let number = |key: &str| row[key].as_u64().unwrap_or_else(|| panic!("{key} in {row}"));
    assert!(number("epochs") > kills, "an epoch for each process: {row}");
    assert_eq!(record["ticks"].as_u64(), Some(number("ticks")), "{row}");
    assert!(number("hashes") >= 14 && number("checkpoints") > 1 && number("results") == 1, "{row}");
}

#[test]
fn the_commands_a_demo_suggests_work_as_printed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let printed = run_ok(&["demo", "--bots", "2", "--seconds", "1", "--data", arg(&data)]);
    for part in ["bot1", "ticks", "late by p50", "inputs", "snapshots", "1 stored"] {
        assert!(printed.contains(part), "{part} in {printed}");
    }
    let (_, next) = printed.split_once("Try next:").expect("it suggests something");
    let commands: Vec<&str> = next.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    assert_eq!(commands.len(), 3, "{next}");
    let program = env!("CARGO_BIN_EXE_matchkeep");
    for command in commands {
        let arguments = command.strip_prefix(program).expect("the program, as it was called");
        let mut command = matchkeep();
        command.args(arguments.split_whitespace());
        if arguments.contains("demo") {
            // As printed, but shorter: it is the same command for all that it says.
            command.args(["--seconds", "1"]);
        }
        let output = command.output().expect("the program starts");
        assert!(output.status.success(), "{arguments}: {}", text(&output.stderr));
        assert!(!output.stdout.is_empty(), "{arguments}");
    }
}

#[test]
fn a_match_nobody_stored_is_named_in_the_message() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let serve = crate::process::Serve::start(&data, &[]);
    assert_eq!(serve.stop(rustix::process::Signal::TERM), Some(0));
    let output = run(&["history", "show", "0123456789abc", "--data", arg(&data)]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("0123456789abc"), "{}", text(&output.stderr));
    assert_eq!(run_ok(&["history", "ls", "--data", arg(&data), "--json"]).trim(), "[]");
}
