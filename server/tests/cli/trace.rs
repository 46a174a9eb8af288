//! `match trace` on a live server: what it writes is a trace that a viewer of Chrome traces takes.

use std::path::Path;

use serde_json::Value;

use crate::process::{arg, run, text};
use crate::steering::bed;

fn events(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("the file is there");
    let document: Value = serde_json::from_str(&text).expect("it is JSON");
    document["traceEvents"].as_array().expect("there are events").clone()
}

#[test]
fn two_seconds_of_a_match_are_its_ticks_in_order_with_their_phases_within() {
    let bed = bed();
    let file = bed.data.with_file_name("two.trace.json");
    let trace = ["match", "trace", &bed.id, "--seconds", "2", "--out", arg(&file)];
    let told = bed.json(&trace);
    let ticks = told["ticks"].as_u64().expect("a number");
    // 60 Hz, with room for a machine that is busy.
    assert!((60..=150).contains(&ticks), "{told}");
    assert_eq!(told["match"], bed.id.as_str());

    let events = events(&file);
    let number = |event: &Value, key: &str| event[key].as_f64().expect("a number");
    let slices: Vec<&Value> = events.iter().filter(|event| event["ph"] == "X").collect();
    let whole: Vec<&Value> =
        slices.iter().copied().filter(|event| event["name"] == "tick").collect();
    assert_eq!(whole.len() as u64, ticks);
    let numbers: Vec<u64> =
        whole.iter().map(|event| event["args"]["tick"].as_u64().expect("a tick")).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    assert!(whole.windows(2).all(|pair| number(pair[1], "ts") >= number(pair[0], "ts")));
    let (mut within, mut steps) = (None, 0);
    for event in &slices {
        let (from, to) = (number(event, "ts"), number(event, "ts") + number(event, "dur"));
        assert!(to >= from, "{event}");
        if event["name"] == "tick" {
            within = Some((from, to));
            continue;
        }
        let (begin, end) = within.expect("a phase stands behind its tick");
        // What the numbers' text loses.
        assert!(from >= begin - 0.01 && to <= end + 0.01, "{event} is not within {begin} to {end}");
        steps += u64::from(event["name"] == "step");
    }
    assert_eq!(steps, ticks, "each tick has one step");
    let deadlines = events.iter().filter(|event| event["name"] == "deadline").count();
    assert_eq!(deadlines as u64, ticks);

    let again = run(&[&trace[..], &["--data", arg(&bed.data)]].concat());
    assert_eq!(again.status.code(), Some(2));
    let why = text(&again.stderr);
    assert!(why.contains("--out") && why.contains("is there already"), "{why}");
}

#[test]
fn what_cannot_be_traced_is_refused_by_name() {
    let bed = bed();
    let out = bed.data.with_file_name("none.trace.json");
    bed.refused(
        &["match", "trace", &bed.id, "--seconds", "31", "--out", arg(&out)],
        &["--seconds", "31", "30"],
    );
    bed.refused(
        &["match", "trace", "0000000000001", "--seconds", "1", "--out", arg(&out)],
        &["0000000000001", "match ls"],
    );
    assert!(!out.exists(), "nothing was written");
}
