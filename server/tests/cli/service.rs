//! A server under a service manager: it says when it is ready, that it lives, and that it stops.

use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;

use crate::process::{Serve, matchkeep, wait_for};

/// The service manager's end of the socket.
struct Manager(UnixDatagram);

impl Manager {
    /// The next piece of news, if it comes soon.
    fn hear(&self, within: Duration) -> Option<String> {
        self.0.set_read_timeout(Some(within)).expect("a socket");
        let mut buffer = [0; 1024];
        let length = self.0.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    /// All that was told and not heard yet.
    fn waiting(&self) -> Vec<String> {
        std::iter::from_fn(|| self.hear(Duration::from_millis(1))).collect()
    }
}

#[test]
fn a_service_manager_hears_when_it_is_ready_that_it_lives_and_that_it_stops() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("notify");
    let manager = Manager(UnixDatagram::bind(&path).expect("a socket"));
    let mut command = matchkeep();
    // It lives for 400 ms after it was heard of.
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "400000");
    let serve = Serve::start_as(command, &folder.path().join("data"), Stdio::null(), &[]);
    let mut before = Vec::new();
    let ready = wait_for("READY=1", || {
        let news = manager.hear(Duration::from_millis(100))?;
        let is_ready = news.lines().any(|line| line == "READY=1");
        if !is_ready {
            before.push(news.clone());
        }
        is_ready.then_some(news)
    });
    assert_eq!(serve.get("/readyz"), (200, "ready\n".to_owned()), "{ready}");
    assert!(before.iter().all(|news| !news.contains("WATCHDOG=1")), "not before: {before:?}");
    assert!(before.iter().any(|news| news.contains("EXTEND_TIMEOUT_USEC=")), "{before:?}");

    for _ in 0..3 {
        let news = manager.hear(Duration::from_secs(10)).expect("it lives");
        assert_eq!(news, "WATCHDOG=1\nSTATUS=0 matches, 0 players");
    }
    // A node that is stuck says nothing, and goes on when it does.
    serve.signal(Signal::STOP);
    manager.waiting();
    // One that was on its way.
    manager.hear(Duration::from_millis(300));
    assert_eq!(manager.hear(Duration::from_secs(1)), None);
    serve.signal(Signal::CONT);
    let news = manager.hear(Duration::from_secs(10)).expect("it lives");
    assert!(news.starts_with("WATCHDOG=1"), "{news}");

    manager.waiting();
    assert_eq!(serve.stop(Signal::TERM), Some(0));
    let last = manager.waiting();
    assert!(last.iter().any(|news| news.lines().any(|line| line == "STOPPING=1")), "{last:?}");
}

#[test]
fn a_server_that_finds_its_folder_in_use_is_never_said_to_be_ready() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, path) = (folder.path().join("data"), folder.path().join("notify"));
    let first = Serve::start(&data, &[]);
    let manager = Manager(UnixDatagram::bind(&path).expect("a socket"));
    let output = matchkeep()
        .args(["serve", "--lobby-port", "0", "--shard-port", "0", "--admin", "127.0.0.1:0"])
        .env("MATCHKEEP_SERVER_DATA", &data)
        .env("NOTIFY_SOCKET", &path)
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(2));
    let news = manager.waiting();
    assert!(news.iter().all(|news| !news.contains("READY=1")), "{news:?}");
    assert_eq!(first.stop(Signal::TERM), Some(0));
}

#[test]
fn a_service_manager_that_is_not_there_stops_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = matchkeep();
    command.env("NOTIFY_SOCKET", folder.path().join("nowhere"));
    let serve = Serve::start_as(command, &folder.path().join("data"), Stdio::null(), &[]);
    assert_eq!(serve.get("/readyz").0, 200);
    assert_eq!(serve.stop(Signal::TERM), Some(0));
}
