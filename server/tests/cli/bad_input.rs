//! Flags, variables and files that make no sense: exit code 2, and a message that names what was set, to
//! what, and what is allowed. Nothing is made or changed.

use std::path::Path;

use crate::process::{arg, matchkeep, run, text};

/// A match that nobody played.
const ID: &str = "0123456789abc";

/// Runs what cannot be, in an empty folder, and says that the message names all these.
fn assert_refused(arguments: &[&str], named: &[&str]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = matchkeep().args(arguments).current_dir(folder.path()).output();
    let output = output.expect("the program starts");
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    for part in named {
        assert!(message.contains(part), "{arguments:?}: `{part}` in: {message}");
    }
    assert!(output.stdout.is_empty(), "{arguments:?}: {}", text(&output.stdout));
    let made = std::fs::read_dir(folder.path()).expect("it is there").count();
    assert_eq!(made, 0, "{arguments:?} made something");
}

#[test]
fn every_flag_with_a_senseless_value_is_refused() {
    for (arguments, named) in [
        (&["demo", "--bots", "0"][..], &["--bots", "0", "1 to 4096"][..]),
        (&["demo", "--bots", "5000"], &["--bots", "5000", "1 to 4096"]),
        (&["demo", "--bots", "x"], &["--bots", "x"]),
        (
            &["demo", "--bots", "5", "--matches", "2"],
            &["--bots", "5", "multiple of --matches", "2"],
        ),
        (&["demo", "--bots", "129"], &["--bots", "129", "128", "--matches"]),
        (&["demo", "--matches", "0"], &["--matches", "0", "1 to"]),
        (&["demo", "--seconds", "0"], &["--seconds", "0", "1 to 3600"]),
        (&["demo", "--seconds", "3601"], &["--seconds", "3601", "1 to 3600"]),
        (&["demo", "--seconds", "-1"], &["-1"]),
        (&["demo", "--chaos", "--seconds", "6"], &["--seconds", "6", "with --chaos", "7 to 3600"]),
        (&["demo", "--trace", "nowhere.gz"], &["--trace", "nowhere.gz"]),
        (&["serve", "--shards", "0"], &["shards", "0", "1 to 256"]),
        (&["serve", "--shards", "257"], &["shards", "257", "1 to 256"]),
        (&["serve", "--shards", "many"], &["--shards", "many"]),
        (&["serve", "--pin", "perhaps"], &["--pin", "perhaps", "true", "false"]),
        (&["serve", "--host", "0.0.0.0"], &["host", "0.0.0.0", "loopback"]),
        (&["serve", "--host", "example"], &["--host", "example"]),
        (&["serve", "--admin", "0.0.0.0:1"], &["admin", "0.0.0.0:1", "loopback"]),
        (&["serve", "--admin", "7780"], &["--admin", "7780"]),
        (&["serve", "--lobby-port", "65536"], &["--lobby-port", "65536", "65535"]),
        (&["serve", "--lobby-port", "7778"], &["lobby_port", "7778"]),
        (&["serve", "--shard-port", "65535", "--shards", "2"], &["shard_port", "65535"]),
        (&["serve", "--config", "nowhere.toml"], &["nowhere.toml"]),
        (&["bots", "--count", "0"], &["--count", "0", "1 to 4096"]),
        (&["bots", "--count", "4097"], &["--count", "4097", "1 to 4096"]),
        (&["bots", "--kind", "dance"], &["--kind", "dance", "fight"]),
        (&["bots", "--kind", "trace"], &["--kind", "trace", "--trace"]),
        (&["bots", "--trace", "x.gz"], &["--trace", "x.gz", "--kind trace"]),
        (&["bots", "--lobby", "127.0.0.1"], &["--lobby", "HOST:PORT"]),
        (&["bots", "--lobby-ca", "ca.pem"], &["--lobby"]),
        (
            &["bots", "--lobby", "127.0.0.1:1", "--lobby-ca", "/nowhere.pem"],
            &["--lobby-ca /nowhere.pem"],
        ),
        (
            &["bots", "--lobby", "127.0.0.1:1", "--fingerprint", "12"],
            &["--fingerprint", "12", "64 hexadecimal"],
        ),
        (&["bots", "--seed", "x"], &["--seed", "x"]),
        (&["bots", "--seconds", "x"], &["--seconds", "x"]),
        (&["bots", "--data", "nowhere"], &["nowhere"]),
        (&["history", "ls", "--limit", "0"], &["--limit", "0", "1 to 1000"]),
        (&["history", "ls", "--limit", "1001"], &["--limit", "1001", "1 to 1000"]),
        (&["history", "ls", "--state", "odd"], &["--state", "odd", "running", "interrupted"]),
        (&["history", "ls", "--mode", "a b"], &["--mode", "a b"]),
        (&["history", "ls", "--before", "x"], &["--before", "x"]),
        (&["history", "ls", "--data", "nowhere"], &["nowhere"]),
        (&["history", "show", "x", "--data", "nowhere"], &["x"]),
        (&["history", "ls", "--admin", "here"], &["--admin", "here"]),
        (&["history", "verify"], &["--all", "ID"]),
        (&["history", "verify", "x"], &["x"]),
        (&["history", "verify", ID, "--all"], &["--all", "ID"]),
        (&["history", "verify", "--all", "--data", "nowhere"], &["nowhere"]),
        (&["history", "bisect", ID], &["--other"]),
        (&["history", "export", "x"], &["x"]),
        (&["history", "export", ID, "--admin", "127.0.0.1:1"], &["127.0.0.1:1"]),
        (&["history", "hashes", ID, "--from", "x"], &["--from", "x"]),
        (&["match", "state", ID], &["--at"]),
        (&["match", "state", ID, "--at", "-1"], &["-1"]),
        (&["match", "state", "x", "--at", "1"], &["x", "not a match ID"]),
        (&["match", "state", ID, "--at", "1", "--data", "nowhere"], &["nowhere"]),
        (&["match", "diff", ID, "--from", "1"], &["--to"]),
        (&["dance"], &["dance"]),
        (&["serve", "--dance"], &["--dance"]),
    ] {
        assert_refused(arguments, named);
    }
}

#[test]
fn names_that_nobody_can_have_are_refused_before_anybody_asks() {
    let long = "n".repeat(33);
    assert_refused(&["bots", "--mode", &long], &["--mode", &long]);
}

#[test]
fn variables_are_checked_as_flags_are() {
    for (name, value, allowed) in [
        ("MATCHKEEP_SERVER_SHARDS", "0", "1 to 256"),
        ("MATCHKEEP_SERVER_PIN", "perhaps", "true"),
        ("MATCHKEEP_SERVER_HOST", "0.0.0.0", "loopback"),
        ("MATCHKEEP_SERVER_CONFIG", "nowhere.toml", "nowhere.toml"),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let output = matchkeep().arg("serve").env(name, value).current_dir(folder.path()).output();
        let output = output.expect("the program starts");
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}={value}: {message}");
        assert!(message.contains(value) && message.contains(allowed), "{name}: {message}");
    }
}

/// Runs `serve` with a configuration.
fn configured(folder: &Path, config: &str) -> (Option<i32>, String) {
    let path = folder.join("config.toml");
    std::fs::write(&path, config).expect("a temporary file");
    let data = folder.join("data");
    let output = run(&["serve", "--config", arg(&path), "--data", arg(&data)]);
    assert!(!data.exists(), "{config}: a data folder was made");
    (output.status.code(), text(&output.stderr))
}

#[test]
fn a_configuration_is_refused_by_key_value_and_what_is_allowed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bad_map = folder.path().join("bad.toml");
    std::fs::write(&bad_map, "name = 3").expect("a temporary file");
    let bad_map = format!("[modes.a]\nmap = {:?}", arg(&bad_map));
    for (config, named) in [
        ("shards = 0", &["shards", "0", "1 to 256"][..]),
        ("colour = 'red'", &["colour", "config.toml"]),
        ("shards = 'two'", &["shards", "config.toml"]),
        ("[modes.a", &["config.toml"]),
        ("[modes.a]\nplayers = 4", &["modes.a", "players"]),
        ("[modes.a]\nplayers_max = 129", &["modes.a.players_max", "129", "1 to 128"]),
        ("[modes.a]\nplayers_max = 0", &["modes.a.players_max", "0", "1 to 128"]),
        ("[modes.a]\nplayers_max = 4\nplayers_min = 5", &["modes.a.players_min", "5", "4"]),
        ("[modes.a]\ntick_rate_hz = 10", &["modes.a.tick_rate_hz", "10", "20 to 128"]),
        ("[modes.a]\nhold_seconds = 4000", &["modes.a.hold_seconds", "4000", "3600"]),
        ("[modes.a]\nmap = 'castle'", &["modes.a.map", "castle", "duel"]),
        ("[modes.a]\nmap = 'nowhere.toml'", &["nowhere.toml"]),
        (&bad_map, &["modes.a.map", "bad.toml"]),
        ("[modes.a.rules]\nfrag_limits = 3", &["modes.a.frag_limits", "3", "frag_limit"]),
        ("[modes.a]\nteams = 4", &["modes.a.teams = 4", "line 2", "arena allows 0", "and 2"]),
        ("[modes.a.rules]\nteams = 2", &["modes.a.rules.teams = 2", "line 2", "teams = 0"]),
        ("[modes.'a b']\n", &["a b"]),
    ] {
        let (code, message) = configured(folder.path(), config);
        assert_eq!(code, Some(2), "{config}: {message}");
        for part in named {
            assert!(message.contains(part), "{config}: `{part}` in: {message}");
        }
    }
}
