//! Seeing and steering running matches from the command line: every verb, in both forms, on a live server.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Serve, arg, matchkeep, refused, run, run_json, run_ok, wait_for};

/// Bots that play until this is dropped.
pub(crate) struct Bots(Child);

impl Bots {
    fn start(data: &Path, count: &str) -> Self {
        let bots = ["bots", "--kind", "idle", "--count", count, "--data", arg(data)];
        let mut command = matchkeep();
        command.args(bots).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("the program starts"))
    }
}

impl Drop for Bots {
    fn drop(&mut self) {
        // Has no effect on bots that have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server with a match of two bots.
pub(crate) struct Bed {
    pub(crate) serve: Serve,
    pub(crate) data: PathBuf,
    pub(crate) id: String,
    pub(crate) _bots: Bots,
    pub(crate) _folder: TempDir,
}

pub(crate) fn bed() -> Bed {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let serve = Serve::start(&data, &[]);
    assert_eq!(run_ok(&["match", "ls", "--data", arg(&data)]), "no matches\n");
    let bots = Bots::start(&data, "2");
    let id = wait_for("a match of two", || {
        let list = run_json(&["match", "ls", "--json", "--data", arg(&data)]);
        let is_full = list[0]["players"] == 2 && list[0]["tick"].as_u64() > Some(140);
        is_full.then(|| list[0]["id"].as_str().expect("an ID").to_owned())
    });
    Bed { serve, data, id, _bots: bots, _folder: folder }
}

impl Bed {
    /// What a verb prints.
    fn ok(&self, arguments: &[&str]) -> String {
        run_ok(&[arguments, &["--data", arg(&self.data)]].concat())
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        run_json(&[arguments, &["--admin", self.serve.told("admin"), "--json"]].concat())
    }

    pub(crate) fn refused(&self, arguments: &[&str], named: &[&str]) {
        refused(&[arguments, &["--data", arg(&self.data)]].concat(), named);
    }

    fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(60)))
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .into();
        let mut request = agent.post(format!("http://{}{path}", self.serve.told("admin")));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request.send(body).expect("it answers");
        let body = response.body_mut().read_to_string().expect("a body");
        (response.status().as_u16(), body)
    }
}

fn contains(printed: &str, parts: &[&str]) {
    for part in parts {
        assert!(printed.contains(part), "`{part}` in: {printed}");
    }
}

#[test]
fn a_running_match_is_seen() {
    let bed = bed();
    let id = bed.id.as_str();
    let list = bed.ok(&["match", "ls"]);
    contains(&list, &["MATCH", "COST US", id, "running", "2/"]);
    assert_eq!(list.lines().count(), 2);
    let mode = bed.json(&["match", "ls"])[0]["mode"].as_str().expect("text").to_owned();
    let by = ["match", "ls", "--mode", &mode, "--stage", "running", "--sort", "cost", "--reverse"];
    assert_eq!(bed.json(&by)[0]["id"], id);
    assert_eq!(bed.json(&["match", "ls", "--mode", "nosuch"]), json!([]));
    assert_eq!(bed.ok(&["match", "ls", "--stage", "paused"]), "no matches\n");
    bed.refused(&["match", "ls", "--stage", "asleep"], &["asleep", "--stage", "paused", "ending"]);
    bed.refused(&["match", "ls", "--mode", "a b"], &["--mode a b"]);
    bed.refused(&["match", "ls", "--sort", "colour"], &["--sort", "colour", "players"]);
    bed.refused(&["match", "ls", "--watch", "0"], &["--watch", "0.1 to 3600"]);

    contains(&bed.ok(&["match", "show", id]), &[id, "2 connected", "RTT MS", "bot", "connected"]);
    let shown = bed.json(&["match", "show", id]);
    assert_eq!((&shown["id"], &shown["stage"]), (&json!(id), &json!("running")), "{shown}");
    assert_eq!(shown["players_seen"].as_array().map(Vec::len), Some(2), "{shown}");
    assert!(shown["players_seen"][0]["link"]["rtt_us"].as_u64() > Some(0), "{shown}");

    let inspected = bed.ok(&["match", "inspect", id]);
    contains(&inspected, &["PHASE", "receive", "replicate", "SUBSTITUTED", "KIND", "everyone"]);
    let inspected = bed.json(&["match", "inspect", id]);
    assert_eq!((&inspected["match"]["id"], &inspected["state"]["match"]), (&json!(id), &json!(id)));
    assert!(inspected["match"]["phases"]["ticks_seen"].as_u64() >= Some(1), "{inspected}");
    let path = "state.game.players[0].health";
    assert_eq!(bed.ok(&["match", "inspect", id, "--field", path]), "100\n");
    let field = bed.json(&["match", "inspect", id, "--field", path]);
    assert_eq!((&field["field"], &field["value"]), (&json!(path), &json!(100)), "{field}");
    bed.refused(
        &["match", "inspect", id, "--field", "state.game.playrs"],
        &["--field", "playrs", "players"],
    );
    let nobody = "0123456789abc";
    for verb in ["show", "inspect", "pause"] {
        bed.refused(&["match", verb, nobody], &[nobody, "match ls", "history show"]);
    }

    contains(&bed.ok(&["node", "ls"]), &["PID", "arena", "yes", bed.serve.told("lobby")]);
    contains(&bed.ok(&["node", "show"]), &["rules", "WORK P50", "players may come", "matches  1"]);
    assert_eq!(bed.json(&["node", "ls"])[0]["players"], 2);
    let node = bed.json(&["node", "show"]);
    assert_eq!(
        (&node["ready"], &node["shards"][0]["matches"]),
        (&json!(true), &json!(1)),
        "{node}"
    );
    assert_eq!(bed.serve.stop(Signal::TERM), Some(0));
}

#[test]
fn a_running_match_is_steered() {
    let bed = bed();
    let id = bed.id.as_str();
    assert_eq!(bed.ok(&["match", "say", id, "hello"]), format!("match {id}: told 2 players\n"));
    let said = bed.json(&["match", "say", id, "and again"]);
    assert_eq!((&said["order"], &said["told"]), (&json!("say"), &json!(2)), "{said}");
    assert_eq!(said["match"]["id"], id);
    bed.refused(&["match", "say", id, " "], &["text is empty"]);
    bed.refused(&["match", "say", id, &"x".repeat(513)], &["513 bytes", "up to 512"]);

    contains(&bed.ok(&["match", "pause", id]), &[id, "stands still after tick"]);
    bed.refused(&["match", "pause", id], &["paused already", "resume"]);
    let tick = || bed.json(&["match", "show", id])["tick"].as_u64();
    let stopped = tick();
    assert_eq!(bed.json(&["match", "ls", "--stage", "paused"])[0]["tick"].as_u64(), stopped);
    contains(&bed.ok(&["match", "resume", id]), &[id, "goes on from tick"]);
    bed.refused(&["match", "resume", id], &["nobody paused the match"]);
    wait_for("a later tick", || (tick() > stopped).then_some(()));
    assert_eq!(bed.json(&["match", "pause", id])["match"]["stage"], "paused");
    assert_eq!(bed.json(&["match", "resume", id])["match"]["stage"], "running");

    let players = bed.json(&["match", "show", id]);
    let name = |n: usize| players["players_seen"][n]["name"].as_str().expect("a name").to_owned();
    let account = players["players_seen"][1]["player"].to_string();
    bed.refused(&["match", "kick", id, "zoe"], &["`zoe`", &name(0), &name(1), &account]);
    let kicked = bed.ok(&["match", "kick", id, &name(0)]);
    assert_eq!(kicked, format!("match {id}: sent `{}` away\n", name(0)));
    let kicked = bed.json(&["match", "kick", id, &account]);
    assert_eq!((&kicked["order"], &kicked["match"]["players"]), (&json!("kick"), &json!(0)));
    assert_eq!(bed.serve.stats()["disconnects"]["kicked"], 2);

    let audited = wait_for("every outcome in the audit log", || {
        let rows = bed.json(&["audit", "ls"]);
        let words = |row: &Value| format!("{} {}", row["what"], row["outcome"]).replace('"', "");
        let told: Vec<String> = rows.as_array().expect("a list").iter().map(words).collect();
        (!told.iter().any(|row| row.ends_with("unknown"))).then_some(told)
    });
    let newest = ["kick done", "kick done", "resume done", "pause done", "resume refused"];
    assert_eq!(audited[..5], newest, "{audited:?}");
    let ended = bed.ok(&["match", "end", id, "--reason", "lights out"]);
    contains(&ended, &[id, "history show"]);
    wait_for("the result", || {
        let record = bed.json(&["history", "show", id]);
        (record["reason"] == "lights out").then_some(())
    });
    wait_for("its end", || {
        let output = run(&["match", "show", id, "--data", arg(&bed.data)]);
        (output.status.code() == Some(2)).then_some(())
    });
    bed.refused(&["match", "end", id], &["no running match", id]);
    assert_eq!(bed.serve.stop(Signal::TERM), Some(0));
}

#[test]
fn the_admin_interface_says_whose_fault_it_is() {
    let bed = bed();
    let matches = format!("/v1/matches/{}", bed.id);
    for (path, expected, named) in [
        ("/v1/matches?limit=0", 400, "limit = 0"),
        ("/v1/matches?after=x", 400, "after"),
        ("/v1/matches?stage=asleep", 400, "paused"),
        ("/v1/matches?colour=red", 400, "colour"),
        (&format!("{matches}/journal/records?after={}", u64::MAX), 200, ""),
        (&format!("{matches}/journal/records?after=1&checkpoint=1"), 400, "one of them"),
        ("/v1/journals?after=x", 400, "after"),
        ("/v1/matches/x", 400, "x"),
        ("/v1/matches/0123456789abc", 404, "no running match"),
        ("/v1/matches/0123456789abc/state", 404, "no running match"),
        (&format!("{matches}/state?field=playrs"), 400, "playrs"),
        (&format!("{matches}/state?field=tick"), 200, "value"),
        (&format!("/v1/matches?after={}", bed.id), 200, "[]"),
    ] {
        let (status, body) = bed.serve.get(path);
        assert_eq!(status, expected, "{path}: {body}");
        assert!(body.contains(named), "{path}: {body}");
    }
    let json = ("Content-Type", "application/json");
    for (verb, headers, body, expected, named) in [
        ("say", &[json][..], "{\"text\": \"hello\"}", 200, "\"told\":2"),
        ("say", &[json], "{\"text\": \"\"}", 400, "text is empty"),
        ("say", &[json], "{\"words\": \"hello\"}", 400, "words"),
        ("say", &[json], "hello", 400, "the body"),
        ("say", &[], "{\"text\": \"hello\"}", 415, "application/json"),
        (
            "say",
            &[("Content-Type", "text/plain")],
            "{\"text\": \"hello\"}",
            415,
            "application/json",
        ),
        ("say", &[json, ("Host", "example.com")], "{\"text\": \"hello\"}", 403, "Host"),
        ("kick", &[json], "{\"player\": 9999}", 404, "9999"),
        ("resume", &[json], "", 409, "nobody paused"),
        ("pause", &[json], "{}", 200, "paused"),
        ("pause", &[json], "{}", 409, "already"),
        ("end", &[json], "{\"reason\": \"\\n\"}", 400, "reason"),
    ] {
        let (status, answer) = bed.post(&format!("{matches}/{verb}"), headers, body);
        assert_eq!(status, expected, "{verb} {body}: {answer}");
        assert!(answer.contains(named), "{verb} {body}: {answer}");
    }
    let (status, _) = bed.post("/v1/matches/0123456789abc/pause", &[json], "{}");
    assert_eq!(status, 404);
    let (status, _) = bed.serve.get(&format!("{matches}/pause"));
    assert_eq!(status, 405, "looking changes nothing");
    let long = format!("{{\"text\": \"{}\"}}", "x".repeat(5000));
    assert_eq!(bed.post(&format!("{matches}/say"), &[json], &long).0, 413);
}

#[test]
fn what_is_watched_is_shown_again_until_nobody_reads_it() {
    let bed = bed();
    let watch = |arguments: &[&str], lines: usize| {
        let mut command = matchkeep();
        command.args(arguments).args(["--data", arg(&bed.data)]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let read: Vec<String> = stdout.lines().take(lines).map(|l| l.expect("text")).collect();
        // The reader is gone with the lines; that is no failure.
        let status = wait_for("the end", || child.try_wait().expect("it is ours"));
        assert_eq!(status.code(), Some(0), "{arguments:?}");
        read
    };
    let id = bed.id.as_str();
    for arguments in [
        &["match", "ls", "--watch", "0.1", "--json"][..],
        &["match", "show", id, "--watch", "0.1", "--json"],
        &["match", "watch", id, "--every", "0.1", "--json"],
        &["node", "show", "--watch", "0.1", "--json"],
    ] {
        let seen: Vec<Value> = watch(arguments, 3)
            .iter()
            .map(|line| serde_json::from_str(line).expect("a document on each line"))
            .collect();
        assert!(seen[0] != seen[1] && seen[1] != seen[2], "{arguments:?}: {seen:?}");
    }
    let tables = watch(&["match", "ls", "--watch", "0.1"], 6);
    assert_eq!(tables.iter().filter(|line| line.starts_with("MATCH")).count(), 2, "{tables:?}");
    assert!(tables.iter().all(|line| !line.contains('\u{1b}')), "{tables:?}");
}

#[test]
fn a_pause_does_not_outlive_the_process() {
    let Bed { serve, data, id, _bots, _folder } = bed();
    run_ok(&["match", "pause", &id, "--data", arg(&data)]);
    assert_eq!(serve.stop(Signal::TERM), Some(0));
    let serve = Serve::start(&data, &[]);
    let row = wait_for("the match", || {
        let list = run_json(&["match", "ls", "--data", arg(&data), "--json"]);
        list[0]["id"].is_string().then(|| list[0].clone())
    });
    assert_eq!(
        (&row["id"], &row["stage"], &row["epoch"]),
        (&json!(id), &json!("running"), &json!(2))
    );
    assert_eq!(serve.stop(Signal::TERM), Some(0));
}

#[test]
fn without_a_server_there_is_nothing_to_steer() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let nowhere = arg(&data);
    refused(&["match", "ls", "--data", nowhere], &[nowhere]);
    assert_eq!(Serve::start(&data, &[]).stop(Signal::TERM), Some(0));
    for verb in [&["match", "ls"][..], &["match", "pause", "0123456789abc"], &["node", "show"]] {
        refused(&[verb, &["--data", nowhere]].concat(), &["no server runs on", nowhere, "serve"]);
        let gone = [verb, &["--admin", "127.0.0.1:1"]].concat();
        refused(&gone, &["no server answers at 127.0.0.1:1"]);
    }
}
