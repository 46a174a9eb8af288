//! Live views of the admin interface, as a program reads them from the socket.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::process::{Serve, arg, run_ok, wait_for};
use crate::steering::bed;

/// A stream of events; a silent one is given up.
struct Events(BufReader<TcpStream>);

impl Events {
    fn open(admin: &str, path: &str, token: Option<&str>) -> Self {
        let mut socket = TcpStream::connect(admin).expect("it listens");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        let shown =
            token.map_or(String::new(), |token| format!("Authorization: Bearer {token}\r\n"));
        write!(socket, "GET {path} HTTP/1.1\r\nHost: {admin}\r\n{shown}\r\n").expect("sent");
        let mut events = Self(BufReader::new(socket));
        assert_eq!(events.line(), "HTTP/1.1 200 OK");
        let mut kind = None;
        loop {
            let line = events.line().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            kind = line.strip_prefix("content-type: ").map(str::to_owned).or(kind);
        }
        assert_eq!(kind.as_deref(), Some("text/event-stream"));
        events
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("it goes on");
        line.trim_end().to_owned()
    }

    /// The next event's name and document.
    fn next(&mut self) -> (String, Value) {
        let name = loop {
            if let Some(name) = self.line().strip_prefix("event: ") {
                break name.to_owned();
            }
        };
        let line = self.line();
        let data = line.strip_prefix("data: ").expect("data follows the name");
        (name, serde_json::from_str(data).expect("JSON"))
    }
}

#[test]
fn a_match_is_told_of_until_it_is_over() {
    let bed = bed();
    let admin = bed.serve.told("admin");
    let mut node = Events::open(admin, "/v1/node/live?every_ms=100", None);
    let path = format!("/v1/matches/{}/live?every_ms=100", bed.id);
    let mut events = Events::open(admin, &path, None);
    let mut ticks = Vec::new();
    for _ in 0..5 {
        let (name, seen) = events.next();
        assert_eq!((name.as_str(), seen["id"].as_str()), ("match", Some(bed.id.as_str())));
        assert_eq!(seen["players_seen"].as_array().map(Vec::len), Some(2));
        ticks.push(seen["tick"].as_u64().expect("a tick"));
    }
    assert!(ticks.windows(2).all(|pair| pair[0] < pair[1]), "{ticks:?}");
    let (name, seen) = node.next();
    assert_eq!((name.as_str(), seen["matches"].as_u64()), ("node", Some(1)));

    bed.json(&["match", "end", &bed.id]);
    let (last, why) = loop {
        match events.next() {
            (name, _) if name == "match" || name == "late" => {}
            last => break last,
        }
    };
    assert_eq!(last, "gone");
    assert!(why["error"].as_str().is_some_and(|why| why.contains(&bed.id)), "{why}");
    assert_eq!(node.next().0, "node", "the server goes on");
}

#[test]
fn a_view_ends_with_the_token_that_opened_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let token = run_ok(&["token", "make", "eve", "--right", "read", "--data", arg(&data)]);
    let serve = Serve::start(&data, &[]);
    let path = "/v1/node/live?every_ms=100";
    let mut events = Events::open(serve.told("admin"), path, Some(token.trim()));
    assert_eq!(events.next().0, "node");
    run_ok(&["token", "revoke", "eve", "--data", arg(&data)]);
    let (last, why) = loop {
        match events.next() {
            (name, _) if name == "node" => {}
            last => break last,
        }
    };
    assert_eq!(last, "gone");
    assert!(why["error"].as_str().is_some_and(|why| why.contains("revoked")), "{why}");
    assert_eq!(serve.stop(Signal::TERM), Some(0));
}

#[test]
fn what_cannot_be_looked_at_is_a_status() {
    let bed = bed();
    for (path, status, named) in [
        ("/v1/node/live?every_ms=99".to_owned(), 400, "100 to 60000"),
        ("/v1/matches/0123456789abc/live".to_owned(), 404, "0123456789abc"),
        (format!("/v1/matches/{}/live?every=1", bed.id), 400, "every"),
        ("/v1/nothing".to_owned(), 404, "/v1/openapi.json"),
    ] {
        let answer = bed.serve.ask("GET", &path, &[], "");
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(answer.body.contains(named), "{path}: {}", answer.body);
    }
    let document = bed.serve.ask("GET", "/v1/openapi.json", &[], "");
    let document: Value = serde_json::from_str(&document.body).expect("JSON");
    assert!(document["paths"]["/v1/matches/{id}/live"]["get"].is_object(), "{document}");
}

#[test]
fn there_are_so_many_live_views_and_no_more() {
    let bed = bed();
    let admin = bed.serve.told("admin");
    let path = "/v1/node/live?every_ms=60000";
    let open: Vec<Events> = (0..64).map(|_| Events::open(admin, path, None)).collect();
    let answer = bed.serve.ask("GET", path, &[], "");
    assert_eq!(answer.status, 429, "{}", answer.body);
    drop(open);
    wait_for("room again", || {
        // One that is let in is a stream, and is left at once.
        let mut socket = TcpStream::connect(admin).expect("it listens");
        write!(socket, "GET {path} HTTP/1.1\r\nHost: {admin}\r\n\r\n").expect("sent");
        let mut line = String::new();
        BufReader::new(socket).read_line(&mut line).expect("an answer");
        line.contains(" 200 ").then_some(())
    });
}
