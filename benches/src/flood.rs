//! `flood`: the real server with playing bots, attacked on loopback. Each attack takes turns with calm, so that only
//! what it adds is counted: ticks begun later, memory, bots lost, and bytes sent to addresses that proved nothing.
//!
//! This program plays all parts as child processes of itself: the [server](crate::load::server) as it is without
//! another word, [`bots`], and the [`attack`]er. The parent only waits, and judges. Everything is bounded: nothing is
//! sent but to addresses of this machine, at so many datagrams a second for so many seconds.

pub mod attack;
mod batch;
pub mod bots;
mod happened;
mod initial;
pub mod pace;
mod phases;
pub mod plan;
mod puppet;
pub mod report;
mod tamper;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::load::server;
use crate::machine;
use crate::program::{Failure, ended, print};
use plan::{FloodArgs, Plan};
use report::Report;

/// Attacks a server that plays, on loopback, and judges what its players notice.
#[derive(Debug, Parser)]
#[command(name = "flood", args_conflicts_with_subcommands = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    flood: FloodArgs,
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
    Attack(attack::AttackArgs),
}

/// The whole program. Exit codes: 0 every attack took place and every bound was held; 1 one was not, or something
/// failed on the way; 2 what was asked for cannot be.
pub fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => ended(Err(failure)),
    }
}

/// Whether every attack took place and all bounds were held.
fn run(cli: &Cli) -> Result<bool, Failure> {
    match &cli.part {
        None => return Ok(measure(&cli.flood.plan()?)?),
        Some(Part::Server(args)) => server::run(args)?,
        Some(Part::Bots(args)) => bots::run(args)?,
        Some(Part::Attack(args)) => attack::run(args)?,
    }
    Ok(true)
}

fn measure(plan: &Plan) -> anyhow::Result<bool> {
    let (measured, others) = machine::two_cores()?;
    eprintln!(
        "{} bots in matches of {}; server on core {measured}, bots and attacker on core {others}; for each \
         attack {} times {} s of calm and {} s of it",
        plan.bots, plan.per_match, plan.pairs, plan.seconds, plan.seconds,
    );
    let mut attacks = Vec::new();
    for attack in &plan.attacks {
        let measured = phases::measure(plan, *attack, measured, others)?;
        eprintln!("{}", measured.line());
        attacks.push(measured);
    }
    let report = Report::new(attacks);
    print(plan.json, &report, Report::table)?;
    for broken in report.broken() {
        eprintln!("not held: {broken}");
    }
    Ok(report.holds)
}
