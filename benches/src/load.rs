//! `load`: the real server on one core, `fight` bots on the other, interleaved with a raw UDP echo.
//!
//! One run of the server and one of the echo make a pair; their ratio says how much a player costs beyond
//! the system calls that no server can avoid. Figures drift on a shared machine, so that only values of
//! one pair are compared, and the median of the pairs is what counts.
//!
//! This program plays all parts as child processes of itself: [`server`], [`bots`], and both sides of the
//! [`echo`]. The parent only waits.

pub mod bots;
pub mod child;
pub mod compare;
pub mod echo;
pub mod pair;
pub mod plan;
pub(crate) mod repeats;
pub mod report;
pub mod server;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::machine;
use crate::program::{Failure, ended, print};
use plan::{Journal, LoadArgs, Plan};
use repeats::Repeats;

/// Measures what a player costs the server, beside what raw UDP alone would cost.
#[derive(Debug, Parser)]
#[command(name = "load", args_conflicts_with_subcommands = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    load: LoadArgs,
    #[command(subcommand)]
    part: Option<Part>,
}

/// The parts this program plays for itself.
#[derive(Debug, Subcommand)]
enum Part {
    #[command(hide = true)]
    Server(server::ServerArgs),
    #[command(hide = true)]
    Bots(bots::BotsArgs),
    #[command(hide = true)]
    Echo(echo::EchoArgs),
    #[command(hide = true)]
    EchoClients(echo::EchoClientsArgs),
}

/// The whole program.
pub fn main() -> ExitCode {
    ended(run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<(), Failure> {
    match &cli.part {
        None => measure(&cli.load.plan()?)?,
        Some(Part::Server(args)) => server::run(args)?,
        Some(Part::Bots(args)) => bots::run(args)?,
        Some(Part::Echo(args)) => echo::run(args)?,
        Some(Part::EchoClients(args)) => echo::run_clients(args)?,
    }
    Ok(())
}

fn measure(plan: &Plan) -> anyhow::Result<()> {
    let (measured, others) = machine::two_cores()?;
    eprintln!(
        "{} players in {} matches of {} at {} Hz; server and echo on core {measured}, bots and the \
         echo's clients on core {others}; {} pairs of {} s",
        plan.players,
        plan.matches(),
        plan.per_match,
        u16::from(plan.rate),
        plan.pairs,
        plan.seconds,
    );
    if plan.journal == Journal::Compare {
        return compare::measure(plan, measured, others);
    }
    let mut pairs = Vec::new();
    let mut repeats = Repeats::new(plan.stolen_max, plan.pairs);
    for number in 1..=plan.pairs {
        let measure = || {
            let pair = pair::run(plan, measured, others)?;
            eprintln!("pair {number}: {}", pair.line());
            Ok(pair)
        };
        pairs.push(repeats.until_quiet(number, measure, |pair| pair.stolen_share)?);
    }
    let report = report::Report::new(&pairs, repeats.made());
    print(plan.json, &report, report::Report::table)
}
