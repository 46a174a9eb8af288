//! `matchkeep history bisect`: two builds play one match again, side by side, until they disagree.
//!
//! The other build runs as a child process and prints the hash of each tick (`history hashes`). Both go from
//! the first tick on: a checkpoint holds what one of them came to.
//!
//! Exit codes, as of `cmp`: 0 they agree; 1 they do not, or it failed; 2 it cannot be asked.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Lines, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use clap::Args;
use matchkeep_shared::Game;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::time::Tick;
use serde_json::{Value, json};

use super::hashes::HashLine;
use crate::cli::journals::Journals;
use crate::cli::place::{Named, Place};
use crate::cli::progress::Progress;
use crate::cli::{CliError, print_json};
use crate::travel::{Change, Playback, Rules, diff, play, span, view};

#[derive(Debug, Args)]
pub(super) struct BisectArgs {
    /// The match's ID
    id: MatchId,
    /// The other build's program
    #[arg(long, value_name = "PATH")]
    other: PathBuf,
}

/// Where two builds part.
struct Parting {
    tick: Tick,
    /// The match as this build has it after that tick.
    here: Value,
}

pub(super) fn run<G: Game>(args: BisectArgs, place: Place) -> Result<(), CliError> {
    let journals = Journals::open(&place)?;
    let to = span(journals.reader(), args.id)?.newest;
    let flags = flags(&place)?;
    let mut other = Other::start(&args.other, args.id, to, &flags)?;
    let mut progress = Progress::new(args.id, to.0);
    let mut parting = None;
    let mut stop: Option<CliError> = None;
    let mut each = |playback: &mut Playback<G>| {
        let tick = playback.tick();
        progress.step();
        let here = HashLine { tick: tick.0, hash: format!("{:016x}", playback.hash()) };
        match other.next() {
            Ok(there) if there == here => {}
            Ok(_) => match view(playback) {
                Ok(here) => parting = Some(Parting { tick, here }),
                Err(error) => stop = Some(error.into()),
            },
            Err(error) => stop = Some(error),
        }
        let is_done = parting.is_some() || stop.is_some() || tick >= to;
        if is_done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let played = play::<G>(journals.reader(), args.id, Rules::Any, &mut each);
    drop(progress);
    drop(other);
    if let Some(error) = stop {
        return Err(error);
    }
    let ticks = played?.tick();
    let Some(Parting { tick, here }) = parting else {
        if place.json {
            return print_json(
                &json!({ "match": args.id.to_string(), "agree": true, "ticks": ticks }),
            );
        }
        println!("the two builds agree at all {ticks} ticks of match {}", args.id);
        return Ok(());
    };
    let there = state_of(&args.other, args.id, tick, &flags)?;
    let part =
        |document: &Value| json!({ "state": document["state"], "entities": document["entities"] });
    let changes = diff(&part(&here), &part(&there));
    report(args.id, tick, &changes, place.json)?;
    Err(CliError::Failed(format!("the two builds disagree from tick {tick} on")))
}

fn report(id: MatchId, tick: Tick, changes: &[Change], json: bool) -> Result<(), CliError> {
    if json {
        return print_json(&json!({
            "match": id.to_string(), "agree": false, "tick": tick, "changes": changes,
        }));
    }
    println!("match {id}: the two builds disagree at tick {tick}; this build -> the other one:\n");
    for change in changes {
        println!("{change}");
    }
    if changes.is_empty() {
        println!("the states' bytes differ, and no field of them does");
    }
    Ok(())
}

/// The other build at work.
struct Other {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Other {
    fn start(program: &Path, id: MatchId, to: Tick, place: &[OsString]) -> Result<Self, CliError> {
        let mut command = Command::new(program);
        command.args(["history", "hashes", &id.to_string(), "--to", &to.to_string()]);
        command.args(["--any-rules", "--json"]).args(place);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| unusable(program, &error))?;
        let stdout = child.stdout.take().expect("it is piped");
        Ok(Self { child, lines: BufReader::new(stdout).lines() })
    }

    fn next(&mut self) -> Result<HashLine, CliError> {
        match self.lines.next() {
            Some(Ok(line)) => serde_json::from_str(&line).map_err(|_| {
                CliError::Usage(format!(
                    "the other build prints `{line}`: is it a Matchkeep server?"
                ))
            }),
            Some(Err(error)) => Err(CliError::failed(error)),
            None => Err(self.ended()),
        }
    }

    /// Why it ended before it had said everything.
    fn ended(&mut self) -> CliError {
        let mut said = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            // What cannot be read cannot be shown.
            let _ = stderr.read_to_string(&mut said);
        }
        let text = said.trim().trim_start_matches("error: ");
        let message = format!("the other build cannot play the match: {text}");
        match self.child.wait().ok().and_then(|status| status.code()) {
            Some(2) => CliError::Usage(message),
            _ => CliError::Failed(message),
        }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // Has no effect on one that ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The match after a tick as the other build has it.
fn state_of(
    program: &Path,
    id: MatchId,
    tick: Tick,
    place: &[OsString],
) -> Result<Value, CliError> {
    let mut command = Command::new(program);
    command.args(["match", "state", &id.to_string(), "--at", &tick.to_string()]);
    command.args(["--any-rules", "--json"]).args(place);
    let output = command.stdin(Stdio::null()).output().map_err(|e| unusable(program, &e))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().trim_start_matches("error: ");
        return Err(CliError::Failed(format!("the other build at tick {tick}: {said}")));
    }
    serde_json::from_slice(&output.stdout).map_err(CliError::failed)
}

/// The same place, as arguments of the other build.
fn flags(place: &Place) -> Result<[OsString; 2], CliError> {
    Ok(match place.named()? {
        Named::Server(admin) => ["--admin".into(), admin.to_string().into()],
        Named::Folder(data) => ["--data".into(), data.into()],
    })
}

fn unusable(program: &Path, error: &std::io::Error) -> CliError {
    CliError::flag("other", program.display(), format!("cannot be run: {error}"))
}
