//! The admin interface over TLS: on which addresses a server starts, with which certificate it answers.

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::json;

use crate::process::{Serve, arg, matchkeep, refused, run_json, run_ok, wait_for};

/// A certificate for this machine and its key, in files.
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn make(folder: &Path, name: &str) -> Self {
        let made = Self {
            certificate: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
        };
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let certified = rcgen::generate_simple_self_signed(names).expect("a certificate");
        std::fs::write(&made.certificate, certified.cert.pem()).expect("a temporary file");
        std::fs::write(&made.key, certified.signing_key.serialize_pem()).expect("a temporary file");
        made
    }

    fn arguments(&self) -> [&str; 4] {
        ["--admin-certificate", arg(&self.certificate), "--admin-key", arg(&self.key)]
    }
}

#[test]
fn away_from_loopback_a_server_starts_with_tls_and_an_operator_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let (files, other) = (Files::make(folder.path(), "one"), Files::make(folder.path(), "other"));
    let ports = ["--lobby-port", "0", "--shard-port", "0", "--shards", "1", "--admin", "0.0.0.0:0"];
    let serve = [&["serve", "--data", arg(&data)][..], &ports].concat();
    refused(&serve, &["admin = 0.0.0.0:0", "admin_certificate", "loopback"]);
    let certificate = ["--admin-certificate", arg(&files.certificate)];
    refused(&[&serve[..], &certificate].concat(), &["admin_key", "both or neither"]);
    let key = ["--admin-key", arg(&other.key)];
    let mixed = [&serve[..], &certificate, &key].concat();
    refused(&mixed, &["do not go together", arg(&files.certificate), arg(&other.key)]);
    let nowhere = ["--admin-certificate", "/nowhere.pem", "--admin-key", arg(&files.key)];
    refused(&[&serve[..], &nowhere].concat(), &["admin_certificate", "/nowhere.pem"]);
    refused(&[&["config", "check"][..], &nowhere].concat(), &["/nowhere.pem"]);
    run_ok(&[&["config", "check"][..], &files.arguments()].concat());
    let swapped = ["--admin-certificate", arg(&files.key), "--admin-key", arg(&files.key)];
    refused(&[&serve[..], &swapped].concat(), &["admin_certificate", "no certificate in PEM"]);

    let with_tls = [&serve[..], &files.arguments()].concat();
    refused(&with_tls, &["0.0.0.0:0", "token make", "operate", arg(&data)]);
    run_ok(&["token", "make", "eve", "--right", "read", "--data", arg(&data)]);
    refused(&with_tls, &["token make", "operate"]);

    let token = folder.path().join("token");
    let made = run_ok(&["token", "make", "ada", "--right", "operate", "--data", arg(&data)]);
    std::fs::write(&token, made).expect("a temporary file");
    let more = [&["--admin", "0.0.0.0:0"][..], &files.arguments()].concat();
    let serve = Serve::start(&data, &more);
    let port = serve.told("admin").rsplit(':').next().expect("a port").to_owned();
    let url = format!("https://127.0.0.1:{port}");
    let named = format!("https://localhost:{port}");
    let plain = format!("127.0.0.1:{port}");
    let shown = ["--token-file", arg(&token), "--admin-ca", arg(&files.certificate)];
    for place in
        [["--admin", &url], ["--admin", &named], ["--admin", &plain], ["--data", arg(&data)]]
    {
        let node = run_json(&[&["node", "show", "--json"][..], &place, &shown].concat());
        assert_eq!(node["admin_tls"], json!(true), "{place:?}");
        let pause = [&["match", "pause", "0123456789abc"][..], &place, &shown].concat();
        refused(&pause, &["no running match"]);
    }
    // Without a token, without TLS, and where the server is not known.
    let ca = ["--admin-ca", arg(&files.certificate)];
    refused(&[&["node", "ls", "--admin", &url][..], &ca].concat(), &["MATCHKEEP_TOKEN"]);
    refused(&["node", "ls", "--admin", &plain], &["no server answers", &plain]);
    let stranger = ["--token-file", arg(&token), "--admin-ca", arg(&other.certificate)];
    refused(
        &[&["node", "ls", "--admin", &url][..], &stranger].concat(),
        &["no server answers", &url, "certificate"],
    );
    refused(&["node", "ls", "--admin", &url, "--admin-ca", "/nowhere"], &["--admin-ca /nowhere"]);
    refused(&["node", "ls", "--admin", "nowhere"], &["--admin", "https://HOST:PORT"]);
    assert_eq!(serve.stop(Signal::TERM), Some(0));
}

#[test]
fn a_new_certificate_is_taken_while_the_server_runs_and_a_bad_one_is_not() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, log) = (folder.path().join("data"), folder.path().join("log"));
    let (files, next) = (Files::make(folder.path(), "one"), Files::make(folder.path(), "next"));
    let first = folder.path().join("first.pem");
    std::fs::copy(&files.certificate, &first).expect("a temporary file");
    let serve = Serve::start_logged(&data, &log, &files.arguments());
    let url = format!("https://{}", serve.told("admin"));
    let is_known_by = |ca: &Path| {
        let look = ["node", "ls", "--admin", &url, "--admin-ca", arg(ca)];
        matchkeep().args(look).output().expect("the program starts").status.success()
    };
    assert!(is_known_by(&first) && !is_known_by(&next.certificate));

    let logged = |part: &str| {
        wait_for(part, || {
            std::fs::read_to_string(&log).expect("a log").contains(part).then_some(())
        });
    };
    std::fs::write(&files.certificate, "rubbish").expect("a temporary file");
    logged("what was there before stays in force");
    assert!(is_known_by(&first), "the one before stays");

    std::fs::copy(&next.key, &files.key).expect("a temporary file");
    std::fs::copy(&next.certificate, &files.certificate).expect("a temporary file");
    logged("the admin interface's certificate changed");
    assert!(is_known_by(&next.certificate) && !is_known_by(&first));
    assert_eq!(serve.stop(Signal::TERM), Some(0));
}
