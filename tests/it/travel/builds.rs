//! Two builds of one game whose rules differ, and a third game: real processes.

use std::io::BufRead;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use matchkeep_server::journal::{JournalReader, JournalState};
use matchkeep_server::store::SqliteJournalReader;
use matchkeep_tests::relay::{LAST_TICK, PLANTED_AT};
use serde_json::Value;

const SOUND: &str = env!("CARGO_BIN_EXE_relay");
const PLANTED: &str = env!("CARGO_BIN_EXE_relay_planted");
const OTHER_GAME: &str = env!("CARGO_BIN_EXE_fragile");

/// A server that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(program: &str, arguments: &[&str], data: &Path) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).arg("--data").arg(data).stdin(Stdio::null());
    command.output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &Output) -> Value {
    let printed = text(&output.stdout);
    serde_json::from_str(&printed)
        .unwrap_or_else(|error| panic!("{error}: {printed}: {}", text(&output.stderr)))
}

/// A match that two bots played to its end on a server of the build whose rules were changed; its ID.
fn planted_match(data: &Path) -> String {
    let mut child = Command::new(PLANTED)
        .args(["serve", "--lobby-port", "0", "--shard-port", "0", "--admin", "127.0.0.1:0"])
        .args(["--shards", "1", "--pin", "false", "--json", "--until-stdin-closes", "--data"])
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server starts");
    let out = child.stdout.take().expect("it was asked for a pipe");
    let server = Server(child);
    let mut line = String::new();
    std::io::BufReader::new(out).read_line(&mut line).expect("it says where it is");
    let played = run(PLANTED, &["bots", "--kind", "idle", "--count", "2", "--seconds", "20"], data);
    assert!(played.status.success(), "{}", text(&played.stderr));
    let begun = Instant::now();
    let id = loop {
        let journal = SqliteJournalReader::open(data).expect("readable");
        let mut finished = None;
        let mut each = |entry: matchkeep_server::journal::JournalEntry| {
            finished = Some(entry.match_id);
        };
        journal.list(Some(JournalState::Finished), &mut each).expect("readable");
        match finished {
            Some(id) => break id.to_string(),
            None if begun.elapsed() > Duration::from_secs(60) => panic!("the match goes on"),
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    drop(server);
    id
}

#[test]
fn changed_rules_are_found_by_verify_and_by_bisect_with_the_tick_and_the_field() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let id = planted_match(&data);
    let id = id.as_str();

    // The build that played it comes to the same again.
    let verified = run(PLANTED, &["history", "verify", "--all", "--json"], &data);
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified.stderr));
    let report = json(&verified);
    assert_eq!(report["verified"], 1, "{report}");
    assert_eq!(report["matches"][0]["ticks"], LAST_TICK, "{report}");

    // The other one says from which stored hash on it does not.
    let differs = run(SOUND, &["history", "verify", id, "--json"], &data);
    assert_eq!(differs.status.code(), Some(1), "{}", text(&differs.stderr));
    let report = json(&differs);
    let row = &report["matches"][0];
    let number = |key: &str| row[key].as_u64().unwrap_or_else(|| panic!("{key} in {row}"));
    assert_eq!(row["verdict"], "differs", "{row}");
    assert_eq!(report["differ"], 1, "{report}");
    assert!((PLANTED_AT..PLANTED_AT + 60).contains(&number("first_tick")), "{row}");
    assert!((PLANTED_AT - 60..PLANTED_AT).contains(&number("agreed_tick")), "{row}");
    let printed = run(SOUND, &["history", "verify", id], &data);
    assert_eq!(printed.status.code(), Some(1));
    assert!(text(&printed.stdout).contains("differs at tick"), "{}", text(&printed.stdout));
    assert!(text(&printed.stderr).contains(id), "{}", text(&printed.stderr));

    // Both together: the very tick, and what they disagree about.
    let bisect = ["history", "bisect", id, "--other", PLANTED];
    let printed = run(SOUND, &bisect, &data);
    assert_eq!(printed.status.code(), Some(1), "{}", text(&printed.stderr));
    let said = text(&printed.stdout);
    assert!(said.contains(&format!("at tick {PLANTED_AT}")), "{said}");
    assert!(said.contains("\nstate.game.runners[0].at_cm: "), "{said}");
    let found = run(SOUND, &[&bisect[..], &["--json"]].concat(), &data);
    assert_eq!(found.status.code(), Some(1), "{}", text(&found.stderr));
    let found = json(&found);
    assert_eq!(found["agree"], false, "{found}");
    assert_eq!(found["tick"], PLANTED_AT, "{found}");
    let changes = found["changes"].as_array().expect("a list");
    let paths: Vec<&str> = changes.iter().filter_map(|change| change["path"].as_str()).collect();
    assert_eq!(paths, ["entities.0.fields.at_cm", "state.game.runners[0].at_cm"], "{found}");
    for change in changes {
        let value = |key: &str| change[key].as_u64().expect("a number");
        assert_eq!(value("to"), value("from") + 1, "one unit, and no more: {change}");
    }

    // A build agrees with itself.
    let agreed = run(SOUND, &["history", "bisect", id, "--other", SOUND, "--json"], &data);
    assert_eq!(agreed.status.code(), Some(0), "{}", text(&agreed.stderr));
    assert_eq!(json(&agreed)["agree"], true);

    // Another game is nothing to compare with, and has nothing to say about the match.
    let refused = run(OTHER_GAME, &["history", "verify", "--all"], &data);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stdout));
    let said = text(&refused.stderr);
    assert!(said.contains("relay, rules version 1") && said.contains("fragile"), "{said}");
    let refused = run(SOUND, &["history", "bisect", id, "--other", OTHER_GAME], &data);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stdout));
    assert!(text(&refused.stderr).contains("the other build"), "{}", text(&refused.stderr));
}
