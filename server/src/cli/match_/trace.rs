//! `matchkeep match trace`: some seconds of a running match as a file that Perfetto opens.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::TIMELINE_SECONDS_MAX;
use serde_json::{Value, json};

use crate::cli::place::Place;
use crate::cli::running::Running;
use crate::cli::{CliError, emit, print_json};
use crate::shard::timeline::{TickSpans, Timeline};

#[derive(Debug, Args)]
pub(super) struct TraceArgs {
    /// The match's ID
    id: MatchId,
    /// For how long from now on: 1 to 30
    #[arg(
        long,
        value_name = "N",
        default_value_t = 5,
        value_parser = clap::value_parser!(u64).range(1..=TIMELINE_SECONDS_MAX)
    )]
    seconds: u64,
    /// Where to write it; a file that is there already is left alone [default: ID.trace.json]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &TraceArgs, place: &Place) -> Result<(), CliError> {
    let server = Running::find(place)?;
    let path = args.out.clone().unwrap_or_else(|| format!("{}.trace.json", args.id).into());
    // Before the seconds pass, not after them.
    if path.exists() {
        return Err(occupied(&path));
    }
    let timeline = server.timeline(args.id, args.seconds)?;
    write(&path, &events(&timeline))?;
    let ticks = timeline.ticks.len();
    if place.json {
        return print_json(&json!({ "file": path, "match": args.id.to_string(), "ticks": ticks }));
    }
    let path = path.display();
    emit(&format!(
        "{ticks} ticks in `{path}`: open it at ui.perfetto.dev, or with any viewer of Chrome traces\n"
    ))
}

fn occupied(path: &Path) -> CliError {
    let why = "is there already: name another file, or remove it";
    CliError::flag("out", path.display(), why)
}

fn write(path: &Path, document: &Value) -> Result<(), CliError> {
    let file = File::create_new(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => occupied(path),
        _ => CliError::flag("out", path.display(), error),
    })?;
    let mut file = BufWriter::new(file);
    let written = serde_json::to_writer(&mut file, document).map_err(std::io::Error::from);
    written.and_then(|()| file.flush()).map_err(CliError::failed)
}

/// Chrome's trace events: a slice for each tick with its phases within, the deadlines, and how late each
/// tick began. A process is a shard, a thread a match.
fn events(timeline: &Timeline) -> Value {
    let (process, thread) = (timeline.shard.0, 1);
    let name = |kind: &str, name: String| json!({ "ph": "M", "name": kind, "pid": process, "tid": thread, "args": { "name": name } });
    let mut events = vec![
        name("process_name", format!("shard {}", timeline.shard.0)),
        name("thread_name", format!("match {}", timeline.id)),
    ];
    for tick in &timeline.ticks {
        let (Some(first), Some(last)) = (tick.spans.first(), tick.spans.last()) else { continue };
        let slice = |name: &str, from: f64, to: f64, arguments: Value| {
            json!({
                "ph": "X", "name": name, "cat": "tick", "pid": process, "tid": thread,
                "ts": from, "dur": to - from, "args": arguments,
            })
        };
        let late_us = late(tick);
        events.push(json!({
            "ph": "i", "s": "t", "name": "deadline", "cat": "tick", "pid": process, "tid": thread,
            "ts": tick.deadline_us, "args": { "tick": tick.tick },
        }));
        events.push(json!({
            "ph": "C", "name": "late", "pid": process, "ts": first.from_us, "args": { "us": late_us },
        }));
        let arguments =
            json!({ "tick": tick.tick, "late_us": late_us, "catches_up": tick.catches_up });
        events.push(slice("tick", first.from_us, last.to_us, arguments));
        for span in &tick.spans {
            events.push(slice(&span.phase, span.from_us, span.to_us, json!({})));
        }
    }
    json!({ "displayTimeUnit": "ms", "traceEvents": events })
}

/// From a tick's deadline to its beginning, in microseconds.
fn late(tick: &TickSpans) -> f64 {
    tick.spans.first().map_or(0.0, |first| first.from_us - tick.deadline_us)
}
