//! `matchkeep history export`: a match as lines of JSON, for other programs.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use matchkeep_shared::Game;
use matchkeep_shared::ids::MatchId;
use serde_json::json;

use crate::cli::CliError;
use crate::cli::journals::Journals;
use crate::cli::place::Place;
use crate::cli::progress::Progress;
use crate::travel::{Playback, Rules, Story, TravelError, play, span};

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The match's ID
    id: MatchId,
    /// A new file for the lines; without it they go to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Why a match is not written to its end.
enum Stop {
    Game(TravelError),
    Output(io::Error),
}

pub(super) fn run<G: Game>(args: ExportArgs, place: Place) -> Result<(), CliError> {
    let journals = Journals::open(&place)?;
    let span = span(journals.reader(), args.id)?;
    let out: Box<dyn Write> = match &args.out {
        None => Box::new(io::stdout().lock()),
        Some(path) => {
            // What is there already may be somebody's.
            let file = OpenOptions::new().write(true).create_new(true).open(path);
            Box::new(file.map_err(|error| CliError::flag("out", path.display(), error))?)
        }
    };
    let mut out = BufWriter::new(out);
    let mut progress = Progress::new(args.id, span.newest.0);
    let mut story = Story::default();
    let mut lines = Vec::new();
    let mut stop = None;
    let mut each = |playback: &mut Playback<G>| {
        lines.clear();
        let told = story.tell(playback, &mut lines).map_err(Stop::Game);
        let told = told.and_then(|()| out.write_all(&lines).map_err(Stop::Output));
        stop = told.err();
        progress.step();
        // More may be durable by now than when this began; and a finished match is played to its result.
        let is_done = span.is_open && playback.tick() >= span.newest;
        if stop.is_some() || is_done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let played = play::<G>(journals.reader(), args.id, Rules::Own, &mut each);
    drop(progress);
    match stop {
        Some(Stop::Game(error)) => return Err(error.into()),
        Some(Stop::Output(error)) => return output_ended(&error),
        None => {}
    }
    let playback = played?;
    lines.clear();
    story.end(&playback, &mut lines);
    if let Err(error) = out.write_all(&lines).and_then(|()| out.flush()) {
        return output_ended(&error);
    }
    let counts = story.counts();
    let told = if place.json {
        json!({ "match": args.id.to_string(), "counts": counts }).to_string()
    } else {
        let (ticks, entries) = (counts.ticks, counts.entries);
        let (events, positions) = (counts.events, counts.positions);
        format!(
            "match {}: {ticks} ticks, {entries} entries, {events} events, {positions} positions",
            args.id
        )
    };
    // The lines alone are on standard output where they go there.
    if args.out.is_some() {
        println!("{told}")
    } else {
        eprintln!("{told}")
    }
    Ok(())
}

/// Whoever reads may have enough before the end.
fn output_ended(error: &io::Error) -> Result<(), CliError> {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(CliError::Failed(format!("the lines cannot be written: {error}"))),
    }
}
