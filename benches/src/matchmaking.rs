//! `matchmaking`: parties that come, wait, play and come again, under virtual time, on a real store.
//!
//! Each player has a connection to a lobby, which is the one that ships (`lobby::core`), and each lobby shards and a
//! connection to the store of its own. Requests, answers and what shards say take time, and pass each other. Of two
//! lobbies on one store one dies at random moments: what it had not committed is undone, what it committed and told
//! nobody stays so, and it comes back with nothing but the store and its matches. Nobody may be lost by that, have two
//! matches, or be torn from their party. Who judges that (`judge`) sees what players are told and what shards saw.

mod client;
pub mod judge;
mod node;
mod people;
pub mod plan;
pub mod plot;
pub mod report;
mod season;
mod shards;
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
    for fault in &observed.faults.told {
        eprintln!("{fault}");
    }
    if let Some(path) = &cli.matchmaking.plot {
        plot::write(path, &plan, &observed)?;
    }
    let report = report::Report::new(&plan, &observed);
    print(cli.matchmaking.json, &report, report::Report::table)?;
    Ok(())
}
