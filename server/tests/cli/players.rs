//! Players on a data folder: seen, banned, and let in again.

use crate::process::{Serve, arg, refused, run_json, run_ok};

#[test]
fn players_are_seen_banned_and_let_in_again_beside_a_server() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let serve = Serve::start(&data, &[]);
    let place = ["--data", arg(&data)];
    let with = |arguments: &[&str]| -> Vec<String> {
        arguments.iter().chain(&place).map(|argument| (*argument).to_owned()).collect()
    };
    let text = |arguments: &[&str]| {
        let all = with(arguments);
        run_ok(&all.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let document = |arguments: &[&str]| {
        let mut all = with(arguments);
        all.push("--json".to_owned());
        run_json(&all.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert_eq!(text(&["player", "ls"]), "no players\n");
    text(&["bots", "--count", "2", "--seconds", "1", "--kind", "idle"]);

    let players = document(&["player", "ls"]);
    assert_eq!(players.as_array().map(Vec::len), Some(2), "{players}");
    let name = players[0]["name"].as_str().expect("a name").to_owned();
    let table = text(&["player", "ls", "--limit", "1"]);
    assert!(table.contains(&name) && table.lines().count() == 2, "{table}");

    let told = text(&["player", "ban", &name, "--reason", "aimbot", "--days", "7"]);
    assert!(told.contains(&name) && told.contains("is banned until 20"), "{told}");
    assert_eq!(document(&["player", "ls", "--banned"])[0]["banned"], "aimbot");
    let shown = text(&["player", "show", &name]);
    assert!(shown.contains("banned until") && shown.contains("aimbot"), "{shown}");
    let told = text(&["player", "unban", &name]);
    assert!(told.ends_with("may play again\n"), "{told}");
    assert_eq!(text(&["player", "ls", "--banned"]), "no players\n");
    let revoked = document(&["player", "revoke", &name]);
    assert!(revoked["revoked_unix_ms"].is_u64(), "{revoked}");

    let audit = document(&["audit", "ls"]);
    let rows = audit.as_array().expect("a list").iter();
    let what: Vec<_> = rows.map(|row| row["what"].as_str().expect("a text")).collect();
    assert_eq!(what, ["player revoke", "player unban", "player ban"]);

    let here = arg(&data);
    refused(&["player", "show", "nobody", "--data", here], &["no player `nobody`"]);
    refused(&["player", "unban", &name, "--data", here], &["is not banned"]);
    refused(&["player", "ban", &name, "--reason", "", "--data", here], &["0 bytes", "256"]);
    refused(&["player", "ls", "--limit", "0", "--data", here], &["--limit 0", "1000"]);
    let nowhere = folder.path().join("nowhere");
    refused(&["player", "ls", "--data", arg(&nowhere)], &[arg(&nowhere)]);
    drop(serve);
}
