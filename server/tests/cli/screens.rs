//! Full-screen views on a real terminal, of a real server: they show what there is, obey keys, and leave the
//! terminal as it was.

use rustix::process::Signal;
use serde_json::Value;

use crate::process::{arg, matchkeep, run, run_json, run_ok, text, wait_for};
use crate::pty::{OnTerminal, hung_up};
use crate::steering::{Bed, bed};

const SIZE: (u16, u16) = (120, 40);

#[test]
fn a_node_is_watched_and_a_match_opened_and_left() {
    let bed = bed();
    let id = bed.id.as_str();
    let mut top = OnTerminal::start(&["top", "--admin", bed.serve.told("admin")], SIZE);
    let selected = format!("> {id}");
    top.shows(&["arena (rules", "1 matches", "by cost", "SHARD", "% OF TICK", &selected]);
    top.press("s");
    top.shows(&["by lateness"]);
    top.press("\u{1b}[B\u{1b}[A");
    top.press("\r");
    let seen = top.shows(&[&format!("match {id}"), "running", "PLAYER", "RTT MS", "tick cost"]);
    assert!(seen.contains("██"), "walls:\n{seen}");
    top.press("\u{1b}");
    top.shows(&[&selected, "by lateness"]);
    // Smaller, and with a server that went away meanwhile.
    let top = top.resized((60, 12));
    top.shows(&[&selected]);
    let admin = bed.serve.told("admin").to_owned();
    assert_eq!(bed.serve.stop(Signal::TERM), Some(0));
    let mut top = top;
    top.shows(&[&format!("no server answers at {admin}")]);
    top.press("q");
    assert_eq!(top.ended(), Some(0));
}

#[test]
fn a_running_match_is_watched_from_above() {
    let bed = bed();
    let id = bed.id.as_str();
    let (status, body) = bed.serve.get(&format!("/v1/matches/{id}/view"));
    let view: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, &view["match"]), (200, &Value::from(id)), "{body}");
    let marks = view["sketch"]["marks"].as_array().expect("a list");
    let players = marks.iter().filter(|mark| mark["kind"] == "player" || mark["kind"] == "down");
    assert_eq!(players.count(), 2, "{body}");
    assert_eq!(bed.serve.get("/v1/matches/0123456789abc/view").0, 404);
    assert_eq!(bed.serve.get("/v1/matches/x/view").0, 400);

    let shown = run_json(&["match", "show", id, "--json", "--data", arg(&bed.data)]);
    let name = shown["players_seen"][0]["name"].as_str().expect("a name").to_owned();
    let watch = ["match", "watch", id, "--data", arg(&bed.data)];
    let screen = OnTerminal::start(&watch, SIZE);
    let seen = screen.shows(&[id, "running", &name, "SCORE", "LOSS %", "MARGIN", "lateness"]);
    assert!(seen.contains("██"), "walls:\n{seen}");
    assert!(screen.written().contains("\u{1b}[38;5;"), "players are coloured");
    // The match goes on on the screen.
    let tick = |seen: &str| {
        let after = seen.split("tick ").nth(1).and_then(|rest| rest.split(' ').next());
        after.and_then(|tick| tick.parse::<u64>().ok())
    };
    let before = tick(&seen).expect("a tick");
    wait_for("a later tick", || tick(&screen.screen()).filter(|tick| *tick > before));
    run_ok(&["match", "end", id, "--data", arg(&bed.data)]);
    screen.shows(&[&format!("history show {id}")]);
    screen.signal(Signal::TERM);
    assert_eq!(screen.ended(), Some(0));

    // What cannot be watched is said where it is read.
    let output = run(&["match", "watch", id, "--data", arg(&bed.data)]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}

#[test]
fn a_finished_match_is_watched_again_with_a_server_and_without() {
    let Bed { serve, data, id, _bots, _folder } = bed();
    run_ok(&["match", "end", &id, "--reason", "lights out", "--data", arg(&data)]);
    wait_for("the result", || {
        let record = run_json(&["history", "show", &id, "--data", arg(&data), "--json"]);
        (record["reason"] == "lights out").then_some(())
    });
    let admin = serve.told("admin").to_owned();
    let check = |place: [&str; 2]| {
        let arguments = [&["history", "replay", id.as_str(), "--speed", "2"][..], &place].concat();
        let mut replay = OnTerminal::start(&arguments, SIZE);
        replay.shows(&[&id, "x2", "██"]);
        replay.press(" \u{1b}[H");
        replay.shows(&["paused", "tick 0 of"]);
        replay.press("\u{1b}[F");
        replay.shows(&["at the end", "ended: lights out", "bot", "PLAYER", "SCORE"]);
        replay.press("\u{1b}[H");
        replay.shows(&["paused", "tick 0 of"]);
        replay.press("...,");
        replay.shows(&["tick 2 of"]);
        replay.press("+-+");
        replay.shows(&["x4"]);
        replay.press("\u{3}");
        assert_eq!(replay.ended(), Some(0));
    };
    check(["--admin", &admin]);
    assert_eq!(serve.stop(Signal::TERM), Some(0));
    check(["--data", arg(&data)]);
}

#[test]
fn a_terminal_that_goes_away_takes_its_view_with_it() {
    let bed = bed();
    let place = ["--admin", bed.serve.told("admin")];
    for (verb, shown) in [(&["top"][..], "SHARD"), (&["match", "watch", &bed.id], "PLAYER")] {
        let status = hung_up(&[verb, &place].concat(), shown);
        assert!(status.code().is_some(), "{verb:?}: {status}");
    }
}

#[test]
fn who_wants_no_colours_gets_none() {
    let bed = bed();
    let mut command = matchkeep();
    command.args(["top", "--data", arg(&bed.data)]).env("NO_COLOR", "1");
    let mut top = OnTerminal::start_as(&mut command, (80, 24));
    top.shows(&["% OF TICK", &bed.id]);
    top.press("q");
    let written = top.written();
    assert_eq!(top.ended(), Some(0));
    for sequence in ["\u{1b}[1m", "\u{1b}[7m", "\u{1b}[38;", "\u{1b}[48;"] {
        assert!(!written.contains(sequence), "{sequence:?}");
    }
}

#[test]
fn where_there_is_no_terminal_programs_are_told_what_to_use() {
    let bed = bed();
    let place = ["--data", arg(&bed.data)];
    for (arguments, named) in [
        (&["top"][..], &["terminal", "top --json", "match ls"][..]),
        (&["history", "replay", bed.id.as_str()], &["terminal", "history export", bed.id.as_str()]),
        (&["history", "replay", bed.id.as_str(), "--json"], &["no --json", "history export"]),
        (&["history", "replay", bed.id.as_str(), "--speed", "0"], &["--speed", "0.05 to 64"]),
    ] {
        let output = run(&[arguments, &place].concat());
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(named.iter().all(|part| message.contains(part)), "{arguments:?}: {message}");
    }
    let sample = run_json(&[&["top", "--json"][..], &place].concat());
    assert_eq!(sample["node"]["matches"], 1, "{sample}");
    assert_eq!(sample["matches"][0]["id"], Value::from(bed.id.as_str()), "{sample}");
    assert!(sample["matches"][0]["tick_share"].as_f64() > Some(0.0), "{sample}");
}
