//! Time travel from the command line: every verb, in both forms, while a server runs on the folder, by its
//! address alone, and from the folder alone.

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Serve, arg, run, run_json, run_ok, text, wait_for};

/// A tick that is long durable when the tests begin.
const TICK: &str = "120";
/// Another one, behind it.
const LATER: &str = "180";

/// A match that two bots left, in which time goes on.
struct Bed {
    serve: Serve,
    data: PathBuf,
    id: String,
    _folder: TempDir,
}

fn bed() -> Bed {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let serve = Serve::start(&data, &[]);
    run_ok(&["bots", "--count", "2", "--kind", "idle", "--seconds", "4", "--data", arg(&data)]);
    let list = run_json(&["history", "ls", "--data", arg(&data), "--json"]);
    let id = list[0]["id"].as_str().expect("an ID").to_owned();
    wait_for("a later tick", || {
        let output = run(&["match", "state", &id, "--at", LATER, "--data", arg(&data)]);
        output.status.success().then_some(())
    });
    Bed { serve, data, id, _folder: folder }
}

/// Runs `check` with the flags of each place that the match can be looked at from.
fn everywhere(check: impl Fn(&str, &[&str])) {
    let Bed { serve, data, id, _folder } = bed();
    let admin = serve.told("admin").to_owned();
    check(&id, &["--data", arg(&data)]);
    check(&id, &["--admin", &admin]);
    assert_eq!(serve.stop(Signal::TERM), Some(0));
    check(&id, &["--data", arg(&data)]);
}

/// Arguments one behind the other.
fn joined<'a>(parts: &[&[&'a str]]) -> Vec<&'a str> {
    parts.concat()
}

fn refused(arguments: &[&str], code: i32, named: &[&str]) {
    let output = run(arguments);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
    for part in named {
        assert!(message.contains(part), "{arguments:?}: `{part}` in: {message}");
    }
}

#[test]
fn any_field_of_any_tick_is_shown_the_same_from_everywhere() {
    let seen = std::cell::RefCell::new(Vec::new());
    everywhere(|id, place| {
        let state = ["match", "state", id, "--at", TICK];
        let document = run_json(&joined(&[&state, place, &["--json"]]));
        assert_eq!((&document["match"], &document["tick"]), (&json!(id), &json!(120)));
        assert_eq!(document["state"]["tick"], 120, "{document}");
        let entities = document["entities"].as_object().expect("by ID");
        let kinds: Vec<&str> = entities.values().filter_map(|e| e["kind"].as_str()).collect();
        for kind in ["player", "own", "score", "clock", "pickup"] {
            assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
        }
        let player = entities.iter().find(|(_, entity)| entity["kind"] == "player");
        let (player, _) = player.expect("there are two");

        // One field of it, by its path.
        let path = format!("entities.{player}.fields.z");
        let field = run_json(&joined(&[&state, place, &["--field", &path, "--json"]]));
        assert_eq!(field["value"], document["entities"][player]["fields"]["z"], "{field}");
        assert_eq!((&field["field"], &field["hash"]), (&json!(path), &document["hash"]));
        let health = joined(&[&state, place, &["--field", "state.game.players[0].health"]]);
        assert_eq!(run_ok(&health), "100\n");
        let unknown = joined(&[&state, place, &["--field", "state.game.playrs"]]);
        refused(&unknown, 2, &["--field", "playrs", "state.game", "players"]);

        // For a person.
        let printed = run_ok(&joined(&[&state, place]));
        let hash = document["hash"].as_str().expect("text");
        for part in [id, "tick   120", hash, "KIND", "everyone", "those near", "game\n"] {
            assert!(printed.contains(part), "{part} in {printed}");
        }
        seen.borrow_mut().push((document, printed));

        refused(
            &joined(&[&["match", "state", id, "--at", "99999999"], place]),
            2,
            &["99999999", "newest durable tick", id],
        );
        let nobody = "0123456789abc";
        refused(&joined(&[&["match", "state", nobody, "--at", "1"], place]), 2, &[nobody]);
    });
    let seen = seen.into_inner();
    assert!(seen.iter().all(|shown| *shown == seen[0]), "the same tick, the same match");
}

#[test]
fn what_changed_between_two_ticks_is_listed() {
    everywhere(|id, place| {
        let diff = ["match", "diff", id, "--from", TICK, "--to", LATER];
        let document = run_json(&joined(&[&diff, place, &["--json"]]));
        assert_eq!((&document["from"], &document["to"]), (&json!(120), &json!(180)));
        let changes = document["changes"].as_array().expect("a list");
        let tick = changes.iter().find(|change| change["path"] == "state.tick");
        let tick = tick.expect("time passed");
        assert_eq!((&tick["from"], &tick["to"]), (&json!(120), &json!(180)));
        let printed = run_ok(&joined(&[&diff, place]));
        assert!(printed.lines().any(|line| line == "state.tick: 120 -> 180"), "{printed}");
        assert_eq!(printed.lines().count(), changes.len());
        let same = ["match", "diff", id, "--from", TICK, "--to", TICK];
        assert_eq!(run_ok(&joined(&[&same, place])), "nothing changed\n");
    });
}

#[test]
fn matches_are_proved_while_they_run_and_afterwards() {
    everywhere(|id, place| {
        for which in [id, "--all"] {
            let proof = run_json(&joined(&[&["history", "verify", which], place, &["--json"]]));
            let row = &proof["matches"][0];
            assert_eq!((&row["match"], &row["verdict"]), (&json!(id), &json!("verified")), "{row}");
            assert!(
                row["hashes"].as_u64() >= Some(1) && row["ticks"].as_u64() >= Some(180),
                "{row}"
            );
            let printed = run_ok(&joined(&[&["history", "verify", which], place]));
            assert!(printed.contains(id) && printed.contains("1 of 1 verified"), "{printed}");
        }
        let nobody = "0123456789abc";
        refused(&joined(&[&["history", "verify", nobody], place]), 2, &[nobody]);
    });
}

#[test]
fn a_build_agrees_with_itself_at_every_tick() {
    let program = env!("CARGO_BIN_EXE_matchkeep");
    everywhere(|id, place| {
        let bisect = ["history", "bisect", id, "--other", program];
        let document = run_json(&joined(&[&bisect, place, &["--json"]]));
        assert_eq!((&document["match"], &document["agree"]), (&json!(id), &json!(true)));
        assert!(document["ticks"].as_u64() >= Some(180), "{document}");
        let printed = run_ok(&joined(&[&bisect, place]));
        assert!(printed.contains(id) && printed.contains("agree"), "{printed}");
        let nowhere = ["history", "bisect", id, "--other", "/nowhere/at/all"];
        refused(&joined(&[&nowhere, place]), 2, &["--other", "/nowhere/at/all"]);
        let stranger = ["history", "bisect", id, "--other", "/bin/echo"];
        refused(&joined(&[&stranger, place]), 2, &["the other build", "history hashes"]);
    });
}

#[test]
fn the_hash_of_every_tick_can_be_had() {
    everywhere(|id, place| {
        let hashes = ["history", "hashes", id, "--from", TICK, "--to", LATER];
        let lines = run_ok(&joined(&[&hashes, place, &["--json"]]));
        let lines: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let ticks: Vec<u64> = lines.iter().filter_map(|line| line["tick"].as_u64()).collect();
        assert_eq!(ticks, (120..=180).collect::<Vec<_>>());
        let state = run_json(&joined(&[&["match", "state", id, "--at", TICK, "--json"], place]));
        assert_eq!(lines[0]["hash"], state["hash"]);
        let printed = run_ok(&joined(&[&hashes, place]));
        assert_eq!(printed.lines().count(), 61);
        assert!(printed.contains(lines[0]["hash"].as_str().expect("text")), "{printed}");
        let backwards = ["history", "hashes", id, "--from", LATER, "--to", TICK];
        refused(&joined(&[&backwards, place]), 2, &["--from", "180", "0 to 120"]);
    });
}

/// The lines of an export, by what they are about.
fn kinds(lines: &[Value], kind: &str) -> Vec<Value> {
    lines.iter().filter(|line| line["line"] == kind).cloned().collect()
}

#[test]
fn a_match_is_written_as_lines() {
    everywhere(|id, place| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let lines = run_ok(&joined(&[&["history", "export", id], place]));
        let lines: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!((&lines[0]["line"], &lines[0]["match"]), (&json!("match"), &json!(id)));
        let ticks = kinds(&lines, "tick");
        let numbers: Vec<u64> = ticks.iter().filter_map(|tick| tick["tick"].as_u64()).collect();
        let last = numbers.len() as u64;
        assert!(last >= 180 && numbers == (1..=last).collect::<Vec<_>>(), "{numbers:?}");
        let entities = ticks[120]["entities"].as_array().expect("a list");
        let player = entities.iter().find(|entity| entity["kind"] == "player").expect("one");
        assert_eq!(player["at"].as_array().map(Vec::len), Some(3), "{player}");
        let joins = kinds(&lines, "entry");
        let joins = joins.iter().filter(|line| line["entry"]["join"]["name"].is_string()).count();
        assert_eq!(joins, 2, "both bots came");
        assert!(!kinds(&lines, "event").is_empty(), "they were told of each other");
        assert_eq!(lines.last().expect("lines")["line"], "end");

        // Into a file, with a word about it.
        let file = |name: &str| folder.path().join(name);
        let export = |file: &Path, more: &[&str]| {
            run(&joined(&[&["history", "export", id, "--out", arg(file)], place, more]))
        };
        let said = export(&file("a"), &[]);
        assert!(said.status.success(), "{}", text(&said.stderr));
        let said = text(&said.stdout);
        assert!(said.contains(id) && said.contains("ticks") && said.contains("events"), "{said}");
        let told = export(&file("b"), &["--json"]);
        let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
        let written = std::fs::read_to_string(file("b")).expect("it is there");
        let written: Vec<Value> =
            written.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(told["counts"]["ticks"], kinds(&written, "tick").len(), "{told}");
        assert_eq!(told["counts"]["events"], kinds(&written, "event").len(), "{told}");
        // What is there already is somebody's.
        let again = export(&file("a"), &[]);
        assert_eq!(again.status.code(), Some(2), "{}", text(&again.stdout));
        assert!(text(&again.stderr).contains("--out"), "{}", text(&again.stderr));
    });
}

#[test]
fn a_journal_is_handed_out_in_pages() {
    let bed = bed();
    let (status, entry) = bed.serve.get(&format!("/v1/matches/{}/journal", bed.id));
    assert_eq!(status, 200, "{entry}");
    let entry: Value = serde_json::from_str(&entry).expect("JSON");
    assert_eq!((&entry["match"], &entry["state"]), (&json!(bed.id), &json!("open")), "{entry}");
    let (status, list) = bed.serve.get("/v1/journals");
    let list: Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!((status, &list[0]["match"]), (200, &json!(bed.id)), "{list}");
    let (status, rest) = bed.serve.get(&format!("/v1/journals?after={}", bed.id));
    assert_eq!((status, rest.as_str()), (200, "[]"));
    for (path, expected) in [
        ("/v1/journals?after=x", 400),
        ("/v1/journals?before=x", 400),
        ("/v1/matches/x/journal", 400),
        ("/v1/matches/0123456789abc/journal", 404),
        ("/v1/matches/x/journal/records", 400),
        ("/v1/matches/0123456789abc/journal/records", 404),
        (&format!("/v1/matches/{}/journal/records?after=1&checkpoint=1", bed.id), 400),
        (&format!("/v1/matches/{}/journal/records?after=x", bed.id), 400),
    ] {
        let (status, body) = bed.serve.get(path);
        assert_eq!(status, expected, "{path}: {body}");
    }
    assert_eq!(bed.serve.stop(Signal::TERM), Some(0));
}
