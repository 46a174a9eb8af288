//! Folders, files and ports that are somebody else's: refused with exit code 2, and left as they were.

use std::net::{TcpListener, UdpSocket};

use rustix::process::Signal;

use crate::process::{Serve, arg, contents, run, run_json, text};

/// Every verb that would write, with this folder; none may.
fn assert_untouched(data: &std::path::Path, named: &[&str]) {
    let parent = data.parent().expect("it lies in a temporary folder");
    let before = contents(parent);
    let any_ports = ["--lobby-port", "0", "--shard-port", "0", "--admin", "127.0.0.1:0"];
    let serve = [&["serve", "--data", arg(data)][..], &any_ports].concat();
    let demo = ["demo", "--bots", "2", "--seconds", "1", "--data", arg(data)];
    let history = ["history", "ls", "--data", arg(data)];
    let bots = ["bots", "--count", "1", "--data", arg(data)];
    for arguments in [&serve[..], &demo, &history, &bots] {
        let output = run(arguments);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        for part in named.iter().chain(&[arg(data)]) {
            assert!(message.contains(part), "{arguments:?}: `{part}` in: {message}");
        }
    }
    assert_eq!(contents(parent), before, "something was touched");
}

#[test]
fn a_folder_with_other_things_in_it_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("letters");
    std::fs::create_dir_all(data.join("2019")).expect("a temporary folder");
    std::fs::write(data.join("matches.db"), b"a letter about matches").expect("a temporary file");
    assert_untouched(&data, &["no Matchkeep data folder"]);
}

#[test]
fn a_file_is_no_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("file");
    std::fs::write(&data, b"not yours").expect("a temporary file");
    assert_untouched(&data, &["not a folder"]);
}

#[test]
fn a_folder_of_a_later_version_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    std::fs::create_dir(&data).expect("a temporary folder");
    std::fs::write(data.join("MATCHKEEP"), "matchkeep data folder, format 99\n").expect("a file");
    assert_untouched(&data, &["format 99"]);
}

#[test]
fn a_place_where_nothing_can_be_written_is_refused() {
    // Not even root makes folders there, so that this says the same to everybody.
    let data = "/proc/matchkeep-data";
    let any_ports = ["--lobby-port", "0", "--shard-port", "0", "--admin", "127.0.0.1:0"];
    let output = run(&[&["serve", "--data", data][..], &any_ports].concat());
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains(data), "{}", text(&output.stderr));
}

#[test]
fn a_folder_in_use_is_refused_and_its_server_does_not_notice() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let serve = Serve::start(&data, &[]);
    let files = || -> Vec<_> {
        // The database's own files move while a server runs; the others must not.
        let all = contents(&data).into_iter();
        all.filter(|(path, _)| !path.to_string_lossy().contains("matches.db")).collect()
    };
    let before = files();
    let any_ports = ["--lobby-port", "0", "--shard-port", "0", "--admin", "127.0.0.1:0"];
    let second = [&["serve", "--data", arg(&data)][..], &any_ports].concat();
    for arguments in [&second[..], &["demo", "--bots", "2", "--data", arg(&data)]] {
        let output = run(arguments);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        for part in [arg(&data), "in use"] {
            assert!(message.contains(part), "{arguments:?}: `{part}` in: {message}");
        }
    }
    assert_eq!(files(), before);
    assert_eq!(serve.get("/readyz").0, 200);
    assert_eq!(run_json(&["history", "ls", "--data", arg(&data), "--json"]), serde_json::json!([]));
    assert_eq!(serve.stop(Signal::TERM), Some(0));
}

#[test]
fn a_port_in_use_is_named_with_the_flag_that_changes_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let udp = udp.local_addr().map(|address| (udp, address.port().to_string()));
    let (_udp, udp_port) = udp.expect("it is bound");
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let tcp_address = tcp.local_addr().expect("it is bound").to_string();
    for (lobby, shard, admin, flag, taken) in [
        (&*udp_port, "0", "127.0.0.1:0", "--lobby-port", &udp_port),
        ("0", &udp_port, "127.0.0.1:0", "--shard-port", &udp_port),
        ("0", "0", &tcp_address, "--admin", &tcp_address),
    ] {
        let output = run(&[
            "serve",
            "--data",
            arg(&data),
            "--shards",
            "1",
            "--lobby-port",
            lobby,
            "--shard-port",
            shard,
            "--admin",
            admin,
        ]);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{flag}: {message}");
        assert!(message.contains(flag) && message.contains(taken.as_str()), "{flag}: {message}");
        assert!(!data.exists(), "{flag}: a data folder was made");
    }
}
