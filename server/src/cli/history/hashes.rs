//! `matchkeep history hashes`: the hash of a match's state at every tick, as this build plays it. What
//! `history bisect` asks of another build.

use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;

use clap::Args;
use matchkeep_shared::Game;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::time::Tick;
use serde::{Deserialize, Serialize};

use crate::cli::CliError;
use crate::cli::journals::Journals;
use crate::cli::place::Place;
use crate::travel::{Playback, Rules, play, span};

#[derive(Debug, Args)]
pub(super) struct HashesArgs {
    /// The match's ID
    id: MatchId,
    /// The first tick to print; 0 is before the first step
    #[arg(long, value_name = "TICK", default_value_t = 0)]
    from: u64,
    /// The last one [default: the newest there is]
    #[arg(long, value_name = "TICK")]
    to: Option<u64>,
    /// Play by this build's rules, whatever rules the match was played by, and compare nothing
    #[arg(long)]
    any_rules: bool,
}

/// A line of the output with `--json`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct HashLine {
    pub(super) tick: u64,
    pub(super) hash: String,
}

pub(super) fn run<G: Game>(args: HashesArgs, place: Place) -> Result<(), CliError> {
    let journals = Journals::open(&place)?;
    let span = span(journals.reader(), args.id)?;
    let to = args.to.unwrap_or(span.newest.0);
    span.check(Tick(to))?;
    if args.from > to {
        return Err(CliError::flag("from", args.from, format!("allowed are 0 to {to}, the last")));
    }
    let rules = if args.any_rules { Rules::Any } else { Rules::Own };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut written = Ok(());
    let mut each = |playback: &mut Playback<G>| {
        let tick = playback.tick().0;
        if tick >= args.from {
            let line = HashLine { tick, hash: format!("{:016x}", playback.hash()) };
            written = write_line(&mut out, &line, place.json);
        }
        let is_done = tick >= to || written.is_err();
        if is_done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    play::<G>(journals.reader(), args.id, rules, &mut each)?;
    match written.and_then(|()| out.flush()) {
        // Whoever reads has enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(CliError::failed),
    }
}

fn write_line(out: &mut impl Write, line: &HashLine, json: bool) -> io::Result<()> {
    if json {
        serde_json::to_writer(&mut *out, line)?;
        return out.write_all(b"\n");
    }
    writeln!(out, "{:>8}  {}", line.tick, line.hash)
}
