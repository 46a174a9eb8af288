//! Seeds of the simulation: a node and its clients under virtual time, over a network and a disk that fail.
//! `target/release/sim` plays more of them.

use std::time::Duration;

use matchkeep_tests::sim::runner::{Run, play_all};

/// Seeds of one test run; each is worth about 70 virtual seconds.
const SEEDS: u64 = 240;
/// Seeds that are played twice.
const SEEDS_TWICE: u64 = 8;
/// On a machine that is busy fewer are played.
const WALL_MAX: Duration = Duration::from_secs(80);
/// With fewer than these a kind of fault may be missing by chance.
const SEEDS_FOR_EVERY_FAULT: u64 = 150;

fn plan(first: u64, seeds: u64, twice: bool) -> Run {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    Run { first, seeds, threads, twice, wall_max: Some(WALL_MAX), stops: false }
}

#[test]
fn whatever_fails_every_invariant_holds() {
    let report = play_all(plan(1, SEEDS, false), |outcome| {
        if let Some(violation) = &outcome.violation {
            eprintln!("seed {}: {violation}", outcome.seed);
        }
    });
    assert!(report.failing.is_empty(), "{:#?}", report.failing);
    assert!(report.seeds > 0, "not one seed in {WALL_MAX:?}");
    if report.seeds >= SEEDS_FOR_EVERY_FAULT {
        assert!(report.missing_faults.is_empty(), "never happened: {:?}", report.missing_faults);
    }
}

#[test]
fn a_seed_does_the_same_again() {
    let report = play_all(plan(1_000_000, SEEDS_TWICE, true), |_| {});
    assert!(report.failing.is_empty(), "{:#?}", report.failing);
}
