//! The lobby's certificate from files: where it cannot be used, and bots that know the lobby by its name.

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::json;

use crate::process::{Serve, arg, refused, run, run_json, run_ok, text};

/// A certificate for a name, which vouches for itself, and its key.
fn certify(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let (certificate, key) =
        (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    let certified = rcgen::generate_simple_self_signed(vec![name.to_owned()]).expect("made");
    std::fs::write(&certificate, certified.cert.pem()).expect("a temporary file");
    std::fs::write(&key, certified.signing_key.serialize_pem()).expect("a temporary file");
    (certificate, key)
}

#[test]
fn a_certificate_that_cannot_be_used_is_named_before_anything_is_made() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let (certificate, key) = certify(folder.path(), "localhost");
    let (_, other) = certify(folder.path(), "elsewhere");
    let with = |certificate: &Path, key: &Path, named: &[&str]| {
        let files = ["--lobby-certificate", arg(certificate), "--lobby-key", arg(key)];
        refused(&[&["serve", "--data", arg(&data)][..], &files].concat(), named);
        refused(&[&["config", "check"][..], &files].concat(), named);
    };
    let nowhere = Path::new("/nowhere.pem");
    with(nowhere, &key, &["lobby_certificate", "/nowhere.pem"]);
    with(&certificate, nowhere, &["lobby_key", "/nowhere.pem"]);
    with(&key, &key, &["lobby_certificate", "no certificate in PEM"]);
    with(&certificate, &other, &["do not go together", arg(&certificate), arg(&other)]);
    let alone = ["serve", "--data", arg(&data), "--lobby-certificate", arg(&certificate)];
    refused(&alone, &["lobby_key", "both or neither"]);
    assert!(!data.exists());
    run_ok(&[
        "config",
        "check",
        "--lobby-certificate",
        arg(&certificate),
        "--lobby-key",
        arg(&key),
    ]);
}

#[test]
fn bots_know_a_lobby_by_its_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (certificate, key) = certify(folder.path(), "localhost");
    let (stranger, _) = certify(folder.path(), "elsewhere");
    let files = ["--lobby-certificate", arg(&certificate), "--lobby-key", arg(&key)];
    let data = folder.path().join("data");
    let serve = Serve::start(&data, &files);
    let port = serve.told("lobby").rsplit(':').next().expect("a port").to_owned();
    let named = format!("localhost:{port}");
    let bots = ["bots", "--count", "2", "--kind", "idle", "--seconds", "1"];
    let by_name = ["--json", "--lobby", &named, "--lobby-ca", arg(&certificate)];
    let report = run_json(&[&bots[..], &by_name].concat());
    assert_eq!((&report["bots_joined"], &report["failures"]), (&json!(2), &json!([])));
    // With the folder they know what it shows, whatever its name is.
    let report = run_json(&[&bots[..], &["--json", "--data", arg(&data)]].concat());
    assert_eq!(report["bots_joined"], json!(2));
    for place in [
        &["--lobby", serve.told("lobby"), "--lobby-ca", arg(&certificate)][..],
        &["--lobby", &named, "--lobby-ca", arg(&stranger)],
        &["--lobby", &named],
    ] {
        let output = run(&[&bots[..], place].concat());
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{place:?}: {message}");
        assert!(message.contains("certificate"), "{place:?}: {message}");
    }
    assert_eq!(serve.stop(Signal::TERM), Some(0));
}
