//! The keys that tickets are signed with: seen, rotated beside a server in play, and void in the end.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use matchkeep_client::netcode::MatchEvent;
use matchkeep_client::transport::{
    ClientError, Fingerprint, LobbyClient, MatchClient, Return, endpoint,
};
use matchkeep_shared::arena::Arena;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::wire::lobby::Assignment;
use serde_json::{Value, json};

use crate::process::{Serve, arg, matchkeep, refused, run_json, run_ok, wait_for};

/// How long a client may take to get an answer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A place in a match, with a ticket.
async fn place(serve: &Serve, name: &str) -> Assignment {
    let lobby = serve.told("lobby").parse().expect("an address");
    let fingerprint = serve.told("lobby_fingerprint").parse::<Fingerprint>().expect("one");
    let socket = endpoint([127, 0, 0, 1].into()).expect("a socket");
    let asked = async {
        let connecting = LobbyClient::connect::<Arena>(&socket, lobby, fingerprint, name);
        let mut lobby = connecting.await.expect("the lobby takes the name");
        let place = lobby.find_match("").await.expect("there is a place");
        lobby.close();
        place
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("the lobby answers")
}

/// Goes there; whoever is let in leaves again.
async fn visit(place: Assignment) -> Result<(), ClientError> {
    let joined = async {
        let mut client = MatchClient::<Arena>::join(place, Return::Never).await?;
        while !matches!(client.next().await?, MatchEvent::Joined(_)) {}
        client.leave().await;
        Ok(())
    };
    tokio::time::timeout(PATIENCE, joined).await.expect("the shard answers")
}

/// The name of the key that signed it.
fn signed_by(place: &Assignment) -> String {
    place.ticket[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The keys of a folder, as `key ls` lists them: name and state.
fn keys(data: &Path) -> Vec<(String, String)> {
    let rows = run_json(&["key", "ls", "--json", "--data", arg(data)]);
    let word = |row: &Value, what: &str| row[what].as_str().expect("a word").to_owned();
    let rows = rows.as_array().expect("a list").iter();
    rows.map(|row| (word(row, "id"), word(row, "state"))).collect()
}

#[test]
fn a_key_is_rotated_in_mid_match_and_nobody_is_sent_away() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, log) = (folder.path().join("data"), folder.path().join("log"));
    let serve = Serve::start_logged(&data, &log, &[]);
    let here = ["--data", arg(&data)];
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let is_signed_with = |key: &str| {
        let line = format!("tickets are signed with a new key key={key}");
        wait_for(&line, || {
            let log = std::fs::read_to_string(&log).expect("a log");
            // Colours aside.
            log.lines()
                .any(|it| it.contains("signed with a new key") && it.contains(key))
                .then_some(())
        });
    };
    let bots = [&["bots", "--count", "4", "--seconds", "8", "--json"][..], &here].concat();
    let bots = matchkeep().args(bots).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let bots = bots.expect("the program starts");
    wait_for("four bots", || (serve.stats()["players"] == json!(4)).then_some(()));

    let first = keys(&data);
    assert_eq!((first.len(), first[0].1.as_str()), (1, "signs"));
    let first = first[0].0.clone();
    let (early, late) =
        runtime.block_on(async { (place(&serve, "ann").await, place(&serve, "ben").await) });
    assert_eq!(signed_by(&early), first);

    let told = run_ok(&[&["key", "rotate"][..], &here].concat());
    let second = keys(&data)[0].0.clone();
    assert_ne!(first, second);
    assert!(told.contains(&format!("the key {second} signs from now on\n")), "{told}");
    assert!(told.contains(&format!("the key {first} is believed until 20")), "{told}");
    is_signed_with(&second);
    runtime.block_on(async {
        visit(early).await.expect("a ticket of before is good");
        let place = place(&serve, "cid").await;
        assert_eq!(signed_by(&place), second);
        visit(place).await.expect("so is a new one");
    });

    let again = [&["key", "rotate"][..], &here].concat();
    refused(&again, &[&first, "is needed until", "sent to the lobby", "--force"]);
    assert_eq!(keys(&data)[0].0, second, "nothing was changed");
    let forced = run_json(&[&again[..], &["--force", "--json"]].concat());
    let third = forced[0]["id"].as_str().expect("a name").to_owned();
    is_signed_with(&third);
    let states = keys(&data);
    let expected = [(&third, "signs"), (&second, "believed"), (&first, "void")];
    assert_eq!(states, expected.map(|(id, state)| (id.clone(), state.to_owned())));
    runtime.block_on(async {
        let refused = visit(late).await.expect_err("its key is void");
        assert!(
            matches!(refused, ClientError::Disconnected(DisconnectReason::TicketInvalid)),
            "{refused}"
        );
        visit(place(&serve, "dan").await).await.expect("whoever asks the lobby again comes in");
    });

    let table = run_ok(&[&["key", "ls"][..], &here].concat());
    for part in ["MADE (UTC)", &first, "void since 20", "signs"] {
        assert!(table.contains(part), "{part} in {table}");
    }
    assert!(!table.contains("PRIVATE"), "{table}");
    let rows = run_json(&[&["audit", "ls", "--json"][..], &here].concat());
    let what = |row: &Value| (row["what"].clone(), row["arguments"].clone());
    let rotated = |id: &str, former: &str, force: bool| {
        (json!("key rotate"), json!({ "id": id, "former": former, "force": force }))
    };
    let rows: Vec<_> = rows.as_array().expect("a list").iter().map(what).collect();
    assert_eq!(rows, [rotated(&third, &second, true), rotated(&second, &first, false)]);

    let output = bots.wait_with_output().expect("they end");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&report["bots_joined"], &report["failures"]), (&json!(4), &json!([])));
    assert_eq!(report["reconnects"], json!(0), "nobody was sent away: {report}");
    drop(serve);
}

#[test]
fn where_there_is_nothing_to_rotate_that_is_said() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, nowhere) = (folder.path().join("data"), folder.path().join("nowhere"));
    for verb in ["ls", "rotate"] {
        refused(&["key", verb, "--data", arg(&nowhere)], &[arg(&nowhere)]);
    }
    // A folder that no server has worked on has no keys.
    run_ok(&["token", "make", "ada", "--right", "read", "--data", arg(&data)]);
    assert_eq!(run_ok(&["key", "ls", "--data", arg(&data)]), "no keys\n");
    refused(&["key", "rotate", "--data", arg(&data)], &["tickets.pem", "a server that starts"]);
}
