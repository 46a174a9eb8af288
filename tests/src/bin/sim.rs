//! `sim`: many seeds of the simulation; see `docs/TESTING.md`.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use matchkeep_tests::sim::runner::{Report, Run, play_all};
use matchkeep_tests::sim::{Options, run};

/// In a log a line comes after so many seeds.
const SEEDS_PER_LINE: u64 = 100;

/// Plays whole nodes and their clients under virtual time, over a network and a disk that fail by seed.
#[derive(Debug, Parser)]
#[command(name = "sim", max_term_width = 100)]
struct Cli {
    /// How many seeds.
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads to play them on; all cores, unless set.
    #[arg(long)]
    threads: Option<usize>,
    /// Play each seed twice and compare what happened.
    #[arg(long)]
    twice: bool,
    /// Stop at the first seed that fails.
    #[arg(long)]
    stop: bool,
    /// Print all that happens in the first seed, and play no other.
    #[arg(long)]
    trace: bool,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

/// Exit codes: 0 it measured, whatever it found; 1 it could not.
fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.trace {
        let outcome = run(&Options { prints: true, ..Options::new(cli.seed) });
        match outcome.violation {
            Some(violation) => println!("seed {}: {violation}", cli.seed),
            None => println!("seed {}: everything holds", cli.seed),
        }
        return ExitCode::SUCCESS;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let plan = Run {
        first: cli.seed,
        seeds: cli.seeds,
        threads: cli.threads.unwrap_or(cores),
        twice: cli.twice,
        wall_max: None,
        stops: cli.stop,
    };
    let report = play_with_progress(plan);
    if cli.json {
        match serde_json::to_string(&report) {
            Ok(json) => println!("{json}"),
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::FAILURE;
            }
        }
    } else {
        show(&report);
    }
    ExitCode::SUCCESS
}

fn play_with_progress(plan: Run) -> Report {
    let bar = if std::io::stderr().is_terminal() {
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {eta} left, {msg}");
        ProgressBar::new(plan.seeds).with_style(style.unwrap_or(ProgressStyle::default_bar()))
    } else {
        ProgressBar::hidden()
    };
    let (done, failed) = (AtomicU64::new(0), AtomicU64::new(0));
    let report = play_all(plan, |outcome| {
        if let Some(violation) = &outcome.violation {
            let failed = failed.fetch_add(1, Ordering::Relaxed) + 1;
            bar.set_message(format!("{failed} failed"));
            let line = format!("seed {}: {violation}", outcome.seed);
            bar.suspend(|| eprintln!("{line}"));
        }
        bar.inc(1);
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if bar.is_hidden() && done.is_multiple_of(SEEDS_PER_LINE) {
            eprintln!("{done} of {} seeds, {} failed", plan.seeds, failed.load(Ordering::Relaxed));
        }
    });
    bar.finish_and_clear();
    report
}

fn show(report: &Report) {
    let speed = report.seeds as f64 / report.wall_seconds.max(f64::EPSILON);
    println!(
        "{} seeds, {:.0} virtual seconds in {:.1} s ({speed:.1} seeds a second), {} violations",
        report.seeds, report.virtual_seconds, report.wall_seconds, report.violations
    );
    for (kind, count) in &report.faults {
        println!("  {kind:24} {count}");
    }
    for kind in &report.missing_faults {
        println!("no {kind} ever happened");
    }
    for failing in &report.failing {
        println!("seed {}: {}\n  {}", failing.seed, failing.text, failing.command);
    }
}
