//! `matchmaking`: parties that come, wait, play and come again, under virtual time, on a real store.
//!
//! One or two lobbies, each a matchmaker with a connection of its own to the same database, serve them. With
//! two, one dies at random moments: what it had not committed is undone, what it committed and told nobody
//! stays so, and it comes back with nothing but the store. Nobody may be lost by that, have two matches, or be
//! torn from their party.

mod lobby;
mod people;
pub mod plan;
pub mod plot;
pub mod report;
mod season;
pub mod world;

use std::process::ExitCode;

use clap::Parser;

use crate::program::{Failure, ended, print};
use plan::MatchmakingArgs;

/// Has players find matches and measures how long they wait and how even the matches are.
#[derive(Debug, Parser)]
#[command(name = "matchmaking", max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    matchmaking: MatchmakingArgs,
}

/// The whole program.
pub fn main() -> ExitCode {
    ended(run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<(), Failure> {
    let plan = cli.matchmaking.plan()?;
    let observed = world::play(&plan, |line| eprintln!("{line}"))?;
    if let Some(path) = &cli.matchmaking.plot {
        plot::write(path, &plan, &observed)?;
    }
    let report = report::Report::new(&plan, &observed);
    print(cli.matchmaking.json, &report, report::Report::table)?;
    Ok(())
}
