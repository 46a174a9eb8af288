//! `matchkeep serve`: health, history while it runs, signals.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use matchkeep_client::bots::Playable;
use matchkeep_client::netcode::MatchEvent;
use matchkeep_client::transport::{
    ClientError, Fingerprint, LobbyClient, MatchClient, Return, endpoint,
};
use matchkeep_shared::arena::{Arena, ArenaInput};
use matchkeep_shared::disconnect::DisconnectReason;
use rustix::process::Signal;
use serde_json::Value;

use crate::process::{Serve, arg, matchkeep, run_json, run_ok, text, wait_for};

#[test]
fn the_admin_interface_answers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let serve = Serve::start(&folder.path().join("data"), &[]);
    assert_eq!(serve.get("/livez"), (200, "ok\n".to_owned()));
    assert_eq!(serve.get("/readyz"), (200, "ready\n".to_owned()));
    let (status, metrics) = serve.get("/metrics");
    assert_eq!(status, 200);
    for name in ["matchkeep_tick_lateness_seconds", "# HELP", "# TYPE"] {
        assert!(metrics.contains(name), "{name} in {metrics}");
    }
    let labels = metrics.lines().filter(|line| !line.starts_with('#'));
    for line in labels {
        assert!(!line.contains("player=") && !line.contains("match="), "{line}");
    }
    assert_eq!(serve.get("/v1/history"), (200, "[]".to_owned()));
    for (path, expected) in [
        ("/v1/history/nonsense", 400),
        ("/v1/history/0123456789abc", 404),
        ("/v1/history?limit=0", 400),
        ("/v1/history?limit=1001", 400),
        ("/v1/history?before=x", 400),
        ("/v1/history?order=up", 400),
        ("/nowhere", 404),
    ] {
        let (status, body) = serve.get(path);
        assert_eq!(status, expected, "{path}: {body}");
    }
    assert_eq!(serve.stop(Signal::TERM), Some(0));
}

/// Joins a match by name alone and plays until the server says something; `seen` is the newest tick shown.
async fn play_until_sent_away(
    lobby: &str,
    fingerprint: &str,
    seen: &AtomicU64,
    ready: impl FnOnce(),
) -> ClientError {
    let lobby = lobby.parse::<std::net::SocketAddr>().expect("an address");
    let fingerprint = fingerprint.parse::<Fingerprint>().expect("a fingerprint");
    let socket = endpoint(lobby.ip()).expect("a socket");
    let client = LobbyClient::connect::<Arena>(&socket, lobby, fingerprint, "ada").await;
    let place = client.expect("it answers").find_match("").await.expect("there is a place");
    let mut client = MatchClient::<Arena>::join(place, Return::Never).await.expect("it answers");
    let mut ready = Some(ready);
    loop {
        match client.next().await {
            Ok(MatchEvent::InputDue(tick)) => client.send_input(tick, ArenaInput::default()),
            Ok(MatchEvent::Snapshot(info)) => {
                seen.fetch_max(info.tick.0, Ordering::Relaxed);
                if let Some(ready) = ready.take() {
                    ready();
                }
            }
            Ok(_) => {}
            Err(error) => return error,
        }
    }
}

fn assert_stops_well(signal: Signal) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let serve = Serve::start(&data, &[]);
    let (lobby, print) =
        (serve.told("lobby").to_owned(), serve.told("lobby_fingerprint").to_owned());
    let (sender, ready) = std::sync::mpsc::channel();
    let seen = Arc::new(AtomicU64::new(0));
    let sees = Arc::clone(&seen);
    let player = std::thread::Builder::new().spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let played = play_until_sent_away(&lobby, &print, &sees, move || {
            sender.send(()).expect("the test waits for it");
        });
        runtime.expect("a runtime").block_on(played)
    });
    ready.recv_timeout(Duration::from_secs(60)).expect("a snapshot");
    assert_eq!(serve.stop(signal), Some(0));
    let told = player.expect("a thread").join().expect("no panic");
    let shutdown = ClientError::Disconnected(DisconnectReason::ServerShutdown).to_string();
    assert_eq!(told.to_string(), shutdown);

    // Nothing is left that says the server ran; the match has not ended, and goes on with the next one.
    let list = run_json(&["history", "ls", "--data", arg(&data), "--json"]);
    assert_eq!(list[0]["state"].as_str(), Some("running"), "{list}");
    assert!(!data.join("endpoints.json").exists());
    let stopped_at = number(&data, "SELECT last_tick FROM journals") as u64;
    let seen = seen.load(Ordering::Relaxed);
    assert!(
        seen > 0 && seen <= stopped_at,
        "tick {seen} was shown, {stopped_at} is in the journal"
    );
    let next = Serve::start(&data, &[]);
    let claimed = "SELECT last_tick FROM journal_records WHERE kind = 'claim' ORDER BY row DESC";
    assert_eq!(number(&data, claimed) as u64, stopped_at, "it goes on from the tick it stopped at");
    let stats = next.stats();
    assert_eq!(stats["matches_recovered"].as_u64(), Some(1), "{stats}");
    assert_eq!(stats["matches"].as_u64(), Some(1), "{stats}");
    assert_eq!(next.stop(signal), Some(0));
}

#[test]
fn sigterm_tells_players_keeps_matches_and_exits_0() {
    assert_stops_well(Signal::TERM);
}

#[test]
fn an_interrupt_does_the_same() {
    assert_stops_well(Signal::INT);
}

#[test]
fn history_reads_through_a_running_server_and_without_one_the_same() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let serve = Serve::start(&data, &[]);
    run_ok(&["bots", "--count", "2", "--kind", "idle", "--seconds", "1", "--data", arg(&data)]);
    let admin = serve.told("admin").to_owned();
    let through_folder = run_json(&["history", "ls", "--data", arg(&data), "--json"]);
    let through_admin = run_json(&["history", "ls", "--admin", &admin, "--json"]);
    assert_eq!(through_folder, through_admin);
    assert_eq!(through_admin[0]["state"].as_str(), Some("running"), "{through_admin}");
    let id = through_admin[0]["id"].as_str().expect("an ID").to_owned();
    let shown = run_ok(&["history", "show", &id, "--admin", &admin]);
    assert!(shown.contains(&id) && shown.contains("running"), "{shown}");
    assert_eq!(serve.stop(Signal::TERM), Some(0));

    let after: Value = run_json(&["history", "show", &id, "--data", arg(&data), "--json"]);
    assert_eq!(
        after["state"].as_str(),
        Some("running"),
        "{after}: it goes on with the next server"
    );
}

#[test]
fn a_server_that_was_killed_leaves_a_folder_that_the_next_one_takes_over() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let serve = Serve::start(&data, &[]);
    run_ok(&["bots", "--count", "1", "--kind", "idle", "--seconds", "1", "--data", arg(&data)]);
    assert_eq!(serve.stop(Signal::KILL), None, "it did not end by itself");
    // Dead, and its note of where it was is still there: history finds that out and reads the folder.
    let list = run_json(&["history", "ls", "--data", arg(&data), "--json"]);
    assert_eq!(list[0]["state"].as_str(), Some("running"), "{list}");
    let next = Serve::start(&data, &[]);
    let stats = next.stats();
    assert_eq!(stats["matches_recovered"].as_u64(), Some(1), "{stats}");
    let list = run_json(&["history", "ls", "--data", arg(&data), "--json"]);
    assert_eq!(list[0]["state"].as_str(), Some("running"), "{list}");
    assert_eq!(next.stop(Signal::TERM), Some(0));
}

#[test]
fn environment_variables_say_what_flags_say() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let mut child = matchkeep()
        .args(["serve", "--until-stdin-closes"])
        .env("MATCHKEEP_SERVER_DATA", &data)
        .env("MATCHKEEP_SERVER_HOST", "127.0.0.1")
        .env("MATCHKEEP_SERVER_LOBBY_PORT", "0")
        .env("MATCHKEEP_SERVER_SHARD_PORT", "0")
        .env("MATCHKEEP_SERVER_ADMIN", "127.0.0.1:0")
        .env("MATCHKEEP_SERVER_SHARDS", "2")
        .env("MATCHKEEP_SERVER_PIN", "false")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the program starts");
    wait_for("the server", || data.join("endpoints.json").exists().then_some(()));
    drop(child.stdin.take());
    let output = child.wait_with_output().expect("it ends when its standard input does");
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("shards       2\n"), "its settings are shown: {printed}");
    assert!(printed.contains(arg(&data)) && printed.contains("places held 30 s"), "{printed}");
}

/// The arena has bots; without that half of these tests is about nothing.
#[test]
fn the_arena_is_playable() {
    fn is_playable<G: Playable>() {}
    is_playable::<Arena>();
}

/// A number from the database, as `sqlite3 matches.db` would say.
fn number(data: &Path, sql: &str) -> i64 {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = rusqlite::Connection::open_with_flags(data.join("matches.db"), flags);
    let database = database.expect("the database opens beside a server");
    database.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

#[test]
fn journals_go_when_they_are_older_than_they_are_kept_and_results_stay() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    run_ok(&["demo", "--bots", "2", "--seconds", "2", "--data", arg(&data)]);
    let before = run_json(&["history", "ls", "--data", arg(&data), "--json"]);
    assert_eq!(before[0]["state"].as_str(), Some("finished"), "{before}");
    let finished = "SELECT count(*) FROM journals WHERE state = 'finished'";
    let records = "SELECT count(*) FROM journal_records";
    let written = number(&data, records);
    assert_eq!(number(&data, finished), 1);
    assert!(written > 10, "{written} records");

    let serve = Serve::start(&data, &["--journal-keep-days", "30"]);
    assert_eq!(serve.stop(Signal::TERM), Some(0));
    assert_eq!((number(&data, finished), number(&data, records)), (1, written), "kept for a month");

    let serve = Serve::start(&data, &["--journal-keep-days", "0"]);
    wait_for("retention", || (number(&data, records) == 0).then_some(()));
    assert_eq!(number(&data, "SELECT count(*) FROM journals WHERE state = 'retired'"), 1);
    assert_eq!(serve.stop(Signal::TERM), Some(0));
    let after = run_json(&["history", "ls", "--data", arg(&data), "--json"]);
    assert_eq!(before, after, "results stay");
}
