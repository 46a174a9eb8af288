//! `recovery`: a real server with `fight` bots, killed again and again, also while it recovers. What was sent
//! before each kill, what went on after it, and a replay of every match from its first tick must be the same.
//!
//! The server is this program again, as a child process that is really killed. The bots are in the parent and
//! come back by themselves; what each of them was shown is kept and compared at the end with the journal.

pub mod kills;
pub mod plan;
pub mod report;
pub mod server;
pub mod verify;
pub mod witness;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::program::{Failure, ended, print};
use plan::RecoveryArgs;

/// Kills a server that plays and measures how its matches come back.
#[derive(Debug, Parser)]
#[command(name = "recovery", args_conflicts_with_subcommands = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    recovery: RecoveryArgs,
    #[command(subcommand)]
    part: Option<Part>,
}

/// The parts this program plays for itself.
#[derive(Debug, Subcommand)]
enum Part {
    #[command(hide = true)]
    Server(server::ServerArgs),
}

/// The whole program.
pub fn main() -> ExitCode {
    ended(run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<(), Failure> {
    match &cli.part {
        None => {
            let plan = cli.recovery.plan()?;
            print(plan.json, &kills::measure(&plan)?, report::Report::table)?;
        }
        Some(Part::Server(args)) => server::run(args)?,
    }
    Ok(())
}
