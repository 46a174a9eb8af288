//! `matchkeep config`, and the settings as file, environment and flags: one to one.

use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::process::{Serve, arg, matchkeep, run, run_json, run_ok, text};

/// One setting of `config show --json`.
fn one<'a>(shown: &'a Value, key: &str) -> &'a Value {
    let settings = shown["settings"].as_array().expect("a list");
    let found = settings.iter().find(|setting| setting["key"] == key);
    found.unwrap_or_else(|| panic!("no {key} in {shown}"))
}

/// Another value than the one in force, that can be.
fn another(key: &str, value: &Value) -> Value {
    match (key, value) {
        (_, Value::Bool(is_on)) => json!(!is_on),
        (_, Value::Number(number)) => json!(number.as_u64().expect("none is below 0") + 100),
        ("data", _) => json!("elsewhere"),
        ("host", _) => json!("127.0.0.9"),
        ("admin", _) => json!("127.0.0.9:7999"),
        ("log", _) => json!("debug"),
        ("log_format", _) => json!("json"),
        ("lobby_certificate" | "lobby_key" | "admin_certificate" | "admin_key", _) => {
            json!("elsewhere.pem")
        }
        ("identity_keys", _) => json!("keys.json"),
        ("identity_algorithm", _) => json!("ES256"),
        ("identity_issuer" | "identity_audience", _) => json!("somebody"),
        (key, value) => panic!("{key} = {value}: what else can it be?"),
    }
}

/// What else must be set where this is.
fn companion(key: &str) -> &'static [&'static str] {
    match key {
        "lobby_certificate" => &["--lobby-key", "key.pem"],
        "lobby_key" => &["--lobby-certificate", "certificate.pem"],
        "admin_certificate" => &["--admin-key", "key.pem"],
        "admin_key" => &["--admin-certificate", "certificate.pem"],
        "identity_keys" => &["--identity-issuer", "us", "--identity-audience", "it"],
        "identity_issuer" => &["--identity-keys", "keys.json", "--identity-audience", "it"],
        "identity_audience" => &["--identity-keys", "keys.json", "--identity-issuer", "us"],
        _ => &[],
    }
}

#[test]
fn each_setting_is_a_key_a_flag_a_variable_and_a_line_in_the_documentation() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/OPERATIONS.md");
    let document = std::fs::read_to_string(path).expect("the document is part of the project");
    let help = run_ok(&["serve", "--help"]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("m.toml");
    let before = run_json(&["config", "show", "--json"]);
    let settings = before["settings"].as_array().expect("a list");
    let mut seen = 0;
    for setting in settings.iter().filter(|setting| !setting["flag"].is_null()) {
        let word = |name: &str| setting[name].as_str().expect("a word").to_owned();
        let (key, flag, variable) = (word("key"), word("flag"), word("variable"));
        assert_eq!(setting["origin"], json!({ "from": "default" }), "{setting}");
        let value = another(&key, &setting["value"]);
        let bare = value.as_str().map_or_else(|| value.to_string(), str::to_owned);

        let shown =
            run_json(&[&["config", "show", "--json", &flag, &bare], companion(&key)].concat());
        let by_flag = json!({ "from": "flag", "name": flag });
        assert_eq!((&one(&shown, &key)["value"], &one(&shown, &key)["origin"]), (&value, &by_flag));

        let output = matchkeep()
            .args(["config", "show", "--json"])
            .args(companion(&key))
            .env(&variable, &bare)
            .output();
        let output = output.expect("the program starts");
        let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let by_variable = json!({ "from": "variable", "name": variable });
        let (value_shown, origin) = (&one(&shown, &key)["value"], &one(&shown, &key)["origin"]);
        assert_eq!((value_shown, origin), (&value, &by_variable));

        std::fs::write(&file, format!("# one\n{key} = {value}\n")).expect("a temporary file");
        let shown = run_json(
            &[&["config", "show", "--json", "--config", arg(&file)], companion(&key)].concat(),
        );
        let by_file = json!({ "from": "file", "path": file, "line": 2 });
        assert_eq!((&one(&shown, &key)["value"], &one(&shown, &key)["origin"]), (&value, &by_file));

        // What is there for tests alone is told nowhere.
        if key != "state_hashes" {
            assert!(help.contains(&format!("{flag} <")), "{flag} in {help}");
            assert!(help.contains(&format!("{variable}]")), "{variable} in {help}");
            let row = format!("| `{key}` | `{flag}` | `{variable}` |");
            assert!(document.lines().any(|line| line.starts_with(&row)), "missing: {row}");
        }
        seen += 1;
    }
    assert!(seen > 10, "{seen} settings");
    let rows = document.lines().filter(|line| line.contains("| `MATCHKEEP_SERVER_"));
    assert_eq!(rows.count(), seen - 1, "each line of the documentation is a setting");
}

#[test]
fn every_key_of_a_mode_is_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/OPERATIONS.md");
    let document = std::fs::read_to_string(path).expect("the document is part of the project");
    for (key, about) in matchkeep_server::settings::MODE_KEYS {
        let row = format!("| `{key}` | {about}");
        assert!(document.lines().any(|line| line.starts_with(&row)), "missing: {row}");
    }
}

#[test]
fn a_sound_configuration_is_said_to_be_and_starts_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("m.toml");
    let text = format!("data = {:?}\n[modes.one]\nplayers_max = 4\n", arg(folder.path()));
    std::fs::write(&file, text).expect("a temporary file");
    let told = run_ok(&["config", "check", "--config", arg(&file)]);
    assert!(told.contains(arg(&file)) && told.contains("one"), "{told}");
    let told = run_json(&["config", "check", "--config", arg(&file), "--json"]);
    assert_eq!(told, json!({ "sound": true, "file": file, "modes": ["one"] }));
    let made = std::fs::read_dir(folder.path()).expect("it is there").count();
    assert_eq!(made, 1, "the file alone");
    assert!(run_ok(&["config", "check"]).contains("no file is named"));
}

#[test]
fn a_configuration_that_cannot_be_is_refused_with_place_value_and_fix() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("m.toml");
    for (written, named) in [
        ("# one\nshrads = 2\n", &["shrads", "m.toml, line 2", "`shards`"][..]),
        ("shards = 0\n", &["shards = 0", "m.toml, line 1", "1 to 256"]),
        ("[modes.a]\n\nplayer_max = 2\n", &["modes.a.player_max", "line 3", "`players_max`"]),
    ] {
        std::fs::write(&file, written).expect("a temporary file");
        for verb in ["check", "show"] {
            let output = run(&["config", verb, "--config", arg(&file)]);
            let message = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{written}: {message}");
            assert!(output.stdout.is_empty(), "{written}: {message}");
            for part in named {
                assert!(message.contains(part), "{written}: `{part}` in: {message}");
            }
        }
    }
}

#[test]
fn a_variable_of_ours_that_is_none_is_refused() {
    for verb in [&["serve"][..], &["config", "check"]] {
        let output = matchkeep().args(verb).env("MATCHKEEP_SERVER_SHRADS", "2").output();
        let output = output.expect("the program starts");
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains("`MATCHKEEP_SERVER_SHARDS`"), "{message}");
    }
    let output = matchkeep().args(["config", "check"]).env("MATCHKEEP_SERVER_PIN", "so").output();
    let message = text(&output.expect("the program starts").stderr);
    assert!(message.contains("pin = so (MATCHKEEP_SERVER_PIN)"), "{message}");
}

#[test]
fn a_server_says_what_it_runs_with_and_where_that_is_from() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, file) = (folder.path().join("data"), folder.path().join("m.toml"));
    std::fs::write(&file, "journal_keep_days = 3\n").expect("a temporary file");
    let mut child = matchkeep()
        .args(["serve", "--until-stdin-closes", "--config", arg(&file), "--data", arg(&data)])
        .args(["--lobby-port", "0", "--shard-port", "0", "--admin", "127.0.0.1:0"])
        .env("MATCHKEEP_SERVER_SHARDS", "1")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the program starts");
    crate::process::wait_for("the server", || data.join("endpoints.json").exists().then_some(()));
    drop(child.stdin.take());
    let output = child.wait_with_output().expect("it ends when its standard input does");
    let printed = text(&output.stdout);
    let line = |place: &str| {
        let line = printed.lines().find(|line| line.starts_with(place));
        line.unwrap_or_else(|| panic!("no {place} in {printed}")).to_owned()
    };
    assert!(line("flags ").contains(&format!("data = {:?}, lobby_port = 0", arg(&data))));
    assert!(line("environment ").contains("shards = 1"), "{printed}");
    assert!(line(arg(&file)).contains("journal_keep_days = 3"), "{printed}");
    assert!(line("defaults ").contains("journal_keep_gib = 20"), "{printed}");
}

#[test]
fn the_log_is_json_where_that_is_set() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, log) = (folder.path().join("data"), folder.path().join("log"));
    let serve = Serve::start_logged(&data, &log, &["--log-format", "json", "--log", "debug"]);
    assert_eq!(serve.stop(Signal::TERM), Some(0));
    let written = std::fs::read_to_string(&log).expect("a log");
    let lines: Vec<Value> = written
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    let told = |text: &str| {
        lines.iter().any(|line| line["message"].as_str().is_some_and(|said| said.contains(text)))
    };
    assert!(told("stopping: SIGTERM"), "{written}");
    assert!(told("settings: flags"), "where standard output is a program's: {written}");
    assert!(lines.iter().all(|line| line["level"].is_string() && line["timestamp"].is_string()));
}
