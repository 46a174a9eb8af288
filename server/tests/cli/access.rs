//! Who may use the admin interface: tokens made and revoked on the folder, shown to a live server.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::process::{
    Answer, Serve, arg, is_refused, matchkeep, run, run_json, run_ok, text, wait_for,
};

/// Makes a token on this folder.
fn make(data: &Path, name: &str, right: &str) -> String {
    let made = ["token", "make", name, "--right", right, "--data", arg(data)];
    run_ok(&made).trim().to_owned()
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// Asks with a token; the status.
fn status(serve: &Serve, method: &str, path: &str, token: Option<&str>) -> u16 {
    ask(serve, method, path, token).status
}

fn ask(serve: &Serve, method: &str, path: &str, token: Option<&str>) -> Answer {
    let bearer = token.map(bearer);
    let mut headers = vec![("Content-Type", "application/json")];
    headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
    serve.ask(method, path, &headers, "{}")
}

/// A match that is not there: who may give orders is told so.
const PAUSE: &str = "/v1/matches/0123456789abc/pause";

#[test]
fn without_a_token_nobody_needs_one_and_with_the_first_everybody_does() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let serve = Serve::start(&data, &[]);
    assert_eq!(status(&serve, "GET", "/v1/node", None), 200);
    assert_eq!(status(&serve, "POST", PAUSE, None), 404);
    assert_eq!(run_ok(&["token", "ls", "--data", arg(&data)]), "no tokens\n");

    let reads = make(&data, "grafana", "read");
    assert!(reads.len() >= 4 + 32, "{reads}");
    wait_for("the server to ask for tokens", || {
        (status(&serve, "GET", "/v1/node", None) == 401).then_some(())
    });
    let operates = make(&data, "ada", "operate");
    wait_for("the second token", || {
        (status(&serve, "POST", PAUSE, Some(&operates)) == 404).then_some(())
    });

    for path in ["/livez", "/readyz"] {
        assert_eq!(status(&serve, "GET", path, None), 200, "{path} stays open");
    }
    let guarded = [
        "/metrics",
        "/v1/stats",
        "/v1/node",
        "/v1/matches",
        "/v1/matches/0123456789abc",
        "/v1/matches/0123456789abc/state",
        "/v1/matches/0123456789abc/journal",
        "/v1/matches/0123456789abc/journal/records",
        "/v1/history",
        "/v1/history/0123456789abc",
        "/v1/journals",
        "/v1/audit",
    ];
    for path in guarded {
        for nobody in [None, Some("mkt_0"), Some("")] {
            let answer = ask(&serve, "GET", path, nobody);
            assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")));
            assert!(answer.body.contains("token make"), "{path}: {}", answer.body);
        }
        for token in [&reads, &operates] {
            let seen = status(&serve, "GET", path, Some(token));
            assert!([200, 404].contains(&seen), "{path}: {seen}");
        }
    }
    for order in ["say", "kick", "pause", "resume", "end"] {
        let path = format!("/v1/matches/0123456789abc/{order}");
        assert_eq!(status(&serve, "POST", &path, None), 401, "{order}");
        let answer = ask(&serve, "POST", &path, Some(&reads));
        assert_eq!(answer.status, 403, "{order}: {}", answer.body);
        for part in ["grafana", "read", "operate"] {
            assert!(answer.body.contains(part), "{order}: {}", answer.body);
        }
        let seen = status(&serve, "POST", &path, Some(&operates));
        assert!([400, 404].contains(&seen), "{order}: {seen}");
    }
    // A page whose name was pointed here has no token; who has one may name the server as the certificate does.
    let bearer = bearer(&operates);
    let host = ("Host", "game.example.org:7780");
    let headers = [host, ("Content-Type", "application/json"), ("Authorization", &bearer)];
    assert_eq!(serve.ask("POST", PAUSE, &headers, "{}").status, 404);
    assert_eq!(serve.ask("POST", PAUSE, &headers[..2], "{}").status, 401);
    let text = [host, ("Content-Type", "text/plain"), ("Authorization", &bearer)];
    assert_eq!(serve.ask("POST", PAUSE, &text, "{}").status, 415);
    assert_eq!(serve.stop(Signal::TERM), Some(0));
}

#[test]
fn what_is_revoked_lets_nobody_in_and_the_interface_stays_closed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    // Before the first server: the folder is made.
    let token = make(&data, "ada", "operate");
    let files = std::fs::read_dir(&data).expect("it was made");
    for file in files {
        let path = file.expect("readable").path();
        let bytes = std::fs::read(&path).expect("readable");
        let is_there = bytes.windows(token.len()).any(|window| window == token.as_bytes());
        assert!(!is_there, "{} holds the token itself", path.display());
    }
    let serve = Serve::start(&data, &[]);
    assert_eq!(status(&serve, "GET", "/v1/node", None), 401);
    assert_eq!(status(&serve, "GET", "/v1/node", Some(&token)), 200);
    assert_eq!(
        run_ok(&["token", "revoke", "ada", "--data", arg(&data)]),
        "the token `ada` is revoked\n"
    );
    wait_for("the server to hear of it", || {
        (status(&serve, "GET", "/v1/node", Some(&token)) == 401).then_some(())
    });
    assert_eq!(status(&serve, "GET", "/v1/node", None), 401, "it is not open again");
    assert_eq!(serve.stop(Signal::TERM), Some(0));

    let serve = Serve::start(&data, &[]);
    assert_eq!(status(&serve, "GET", "/v1/node", None), 401, "nor after a restart");
    let again = make(&data, "ada", "read");
    wait_for("the name's new token", || {
        (status(&serve, "GET", "/v1/node", Some(&again)) == 200).then_some(())
    });
    assert_eq!(serve.stop(Signal::TERM), Some(0));
}

#[test]
fn verbs_show_the_token_of_a_variable_or_a_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let (reads, operates) = (make(&data, "eve", "read"), make(&data, "ada", "operate"));
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{operates}\n")).expect("a temporary file");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("ours");
    let serve = Serve::start(&data, &[]);
    let admin = serve.told("admin");

    let looks = [
        &["match", "ls", "--json"][..],
        &["node", "ls", "--json"],
        &["history", "ls", "--json"],
        &["history", "verify", "--all", "--json"],
    ];
    for place in [["--admin", admin], ["--data", arg(&data)]] {
        for look in looks {
            // A folder's journals are read from the folder itself.
            let needs_none = look[1] == "verify" && place[0] == "--data";
            let arguments = [look, &place].concat();
            let output = run(&arguments);
            if needs_none {
                assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
                continue;
            }
            is_refused(&output, &["MATCHKEEP_TOKEN", "--token-file", "token make"]);
            let output = matchkeep().args(&arguments).env("MATCHKEEP_TOKEN", &reads).output();
            let output = output.expect("the program starts");
            assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
            run_json(&[&arguments[..], &["--token-file", arg(&file)]].concat());
        }
    }
    let pause = ["match", "pause", "0123456789abc", "--admin", admin];
    let output = matchkeep().args(pause).env("MATCHKEEP_TOKEN", &reads).output();
    is_refused(&output.expect("the program starts"), &["`eve`", "right to read", "needs operate"]);
    // A file that is named stands above the variable.
    let with_file = [&pause[..], &["--token-file", arg(&file)]].concat();
    let output = matchkeep().args(&with_file).env("MATCHKEEP_TOKEN", &reads).output();
    is_refused(&output.expect("the program starts"), &["no running match"]);

    let nowhere = ["node", "ls", "--admin", admin, "--token-file", "/nowhere/token"];
    is_refused(&run(&nowhere), &["--token-file /nowhere/token"]);
    std::fs::write(&file, "two words").expect("a temporary file");
    is_refused(&run(&with_file), &["one word", arg(&file)]);
    assert_eq!(serve.stop(Signal::TERM), Some(0));
}

#[test]
fn tokens_are_listed_without_what_is_secret_and_bad_ones_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let named = ["--data", arg(&data)];
    let with = |arguments: &[&'static str]| -> Vec<String> {
        arguments.iter().chain(&named).map(|part| (*part).to_owned()).collect()
    };
    let run = |arguments: &[&'static str]| {
        let arguments = with(arguments);
        run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    // Nothing is made for a name that cannot be.
    is_refused(&run(&["token", "make", "a b", "--right", "read"]), &["`a b`", "letters"]);
    assert!(!data.exists());
    for verb in [&["token", "ls"][..], &["token", "revoke", "ada"]] {
        is_refused(&run(verb), &[arg(&data)]);
        assert!(!data.exists());
    }
    let made = run(&["token", "make", "ada", "--right", "operate", "--days", "2", "--json"]);
    let made: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    assert_eq!((&made["name"], &made["right"]), (&json!("ada"), &json!("operate")));
    let days = made["expires_unix_ms"].as_u64().zip(made["made_unix_ms"].as_u64());
    assert_eq!(days.map(|(expires, made)| expires - made), Some(2 * 24 * 60 * 60 * 1000));
    let secret = made["token"].as_str().expect("this once");
    let again = run(&["token", "make", "eve", "--right", "read"]);
    assert!(text(&again.stderr).contains("`eve` may read and does not expire"));
    assert!(!text(&again.stderr).contains(text(&again.stdout).trim()), "in one place alone");

    let list = text(&run(&["token", "ls"]).stdout);
    assert_eq!(list.lines().count(), 3, "{list}");
    for part in ["NAME", "ada", "operate", "eve", "read", "never"] {
        assert!(list.contains(part), "{part} in {list}");
    }
    let list = text(&run(&["token", "ls", "--json"]).stdout);
    assert!(!list.contains(secret) && !list.contains("hash"), "{list}");
    let list: Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!((&list[0]["name"], &list[0]["expired"]), (&json!("ada"), &json!(false)));

    is_refused(&run(&["token", "make", "ada", "--right", "read"]), &["`ada` already", "revoke"]);
    is_refused(&run(&["token", "make", "bob", "--right", "own"]), &["own", "read and operate"]);
    is_refused(&run(&["token", "make", "bob"]), &["--right"]);
    is_refused(&run(&["token", "make", "bob", "--right", "read", "--days", "0"]), &["1..=3650"]);
    is_refused(&run(&["token", "make", "loopback", "--right", "read"]), &["loopback"]);
    is_refused(&run(&["token", "revoke", "bob"]), &["no token `bob`", "`ada`, `eve`"]);
}

#[test]
fn who_changed_what_is_kept_and_what_was_refused_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let serve = Serve::start(&data, &[]);
    assert_eq!(run_ok(&["audit", "ls", "--data", arg(&data)]), "no changes\n");
    // Nobody needs a token yet.
    assert_eq!(status(&serve, "POST", PAUSE, None), 404);
    let (reads, operates) = (make(&data, "eve", "read"), make(&data, "ada", "operate"));
    wait_for("the tokens", || {
        let with = |token| status(&serve, "GET", "/v1/node", token);
        (with(None) == 401 && with(Some(&operates)) == 200).then_some(())
    });
    assert_eq!(status(&serve, "POST", PAUSE, None), 401);
    assert_eq!(status(&serve, "POST", PAUSE, Some(&reads)), 403);
    let bearer = bearer(&operates);
    let headers = [("Content-Type", "application/json"), ("Authorization", bearer.as_str())];
    let say = "/v1/matches/0123456789abc/say";
    assert_eq!(serve.ask("POST", say, &headers, "{\"text\": \"hello\"}").status, 404);
    assert_eq!(serve.ask("POST", say, &headers, "{\"text\": \"\"}").status, 400);
    assert_eq!(serve.ask("POST", say, &headers, "{").status, 400);
    run_ok(&["token", "revoke", "eve", "--data", arg(&data)]);

    let list = |more: &[&str]| -> Vec<Value> {
        let mut command = matchkeep();
        command.args(["audit", "ls", "--json", "--data", arg(&data)]).args(more);
        let output = command.env("MATCHKEEP_TOKEN", &operates).output();
        let output = output.expect("the program starts");
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let brief = |rows: &[Value]| -> Vec<String> {
        let word = |row: &Value, key: &str| row[key].as_str().unwrap_or("-").to_owned();
        let keys = ["who", "what", "match", "outcome"];
        rows.iter().map(|row| keys.map(|key| word(row, key)).join(" | ")).collect()
    };
    let expected = [
        "command line | token revoke | - | done",
        "ada | say | 0123456789abc | refused",
        "ada | say | 0123456789abc | refused",
        "ada | say | 0123456789abc | refused",
        "eve | pause | 0123456789abc | refused",
        "command line | token make | - | done",
        "command line | token make | - | done",
        "loopback | pause | 0123456789abc | refused",
    ];
    let rows = wait_for("the last outcome", || {
        let rows = list(&[]);
        (brief(&rows) == expected).then_some(rows)
    });
    assert_eq!(rows[3]["arguments"], json!({ "text": "hello" }));
    assert!(rows[3]["why"].as_str().is_some_and(|why| why.contains("no running match")));
    assert!(rows[2]["why"].as_str().is_some_and(|why| why.contains("400")));
    assert!(rows[4]["why"].as_str().is_some_and(|why| why.contains("needs operate")));
    assert_eq!((&rows[5]["arguments"]["name"], &rows[5]["why"]), (&json!("ada"), &Value::Null));
    assert!(rows.iter().all(|row| row["unix_ms"].as_u64() > Some(1_700_000_000_000)));
    assert!(!format!("{rows:?}").contains(&operates[4..]), "no row has a token");

    // In pages, over HTTP as well.
    let cursor = rows[2]["number"].to_string();
    assert_eq!(list(&["--limit", "3"]), rows[..3]);
    assert_eq!(list(&["--limit", "3", "--before", &cursor]), rows[3..6]);
    let page = ask(&serve, "GET", &format!("/v1/audit?limit=3&before={cursor}"), Some(&operates));
    let page: Vec<Value> = serde_json::from_str(&page.body).expect("JSON");
    assert_eq!(page, rows[3..6]);
    for bad in ["limit=0", "before=x", "colour=red"] {
        let answer = ask(&serve, "GET", &format!("/v1/audit?{bad}"), Some(&operates));
        assert_eq!(answer.status, 400, "{}", answer.body);
    }
    assert_eq!(serve.stop(Signal::TERM), Some(0));

    // Without a server too, and for a person.
    assert_eq!(list(&[]), rows);
    let told = run_ok(&["audit", "ls", "--data", arg(&data)]);
    for part in ["WHO", "eve", "token revoke", "hello", "needs operate"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    is_refused(&run(&["audit", "ls", "--limit", "0", "--data", arg(&data)]), &["--limit 0"]);
}
