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

/// The whole program. Exit codes: 0 it measured; 1 it failed on the way; 2 what was asked for cannot be.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.part {
        None => match cli.recovery.plan() {
            Ok(plan) => kills::measure(&plan).and_then(|report| {
                if plan.json {
                    println!("{}", serde_json::to_string(&report)?);
                } else {
                    print!("{}", report.table());
                }
                Ok(())
            }),
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::from(2);
            }
        },
        Some(Part::Server(args)) => server::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
