//! Many seeds on all cores: what they found, as one report.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use super::Options;
use super::tally::Tally;
use super::witness::{Invariant, Violation};
use super::world::{Outcome, run};

/// What many seeds found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Seeds that were played.
    pub seeds: u64,
    /// Those in which an invariant did not hold, and one more for each kind of fault that never happened.
    pub violations: u64,
    /// Time that passed in them.
    pub virtual_seconds: f64,
    /// Time that passed here.
    pub wall_seconds: f64,
    /// How often each kind of fault happened.
    pub faults: BTreeMap<&'static str, u64>,
    /// The seeds that failed.
    pub failing: Vec<Failing>,
    /// Kinds of faults that never happened.
    pub missing_faults: Vec<&'static str>,
}

/// A seed that failed.
#[derive(Clone, Debug, Serialize)]
pub struct Failing {
    /// Which.
    pub seed: u64,
    /// What did not hold.
    pub invariant: &'static str,
    /// What was seen, and when.
    pub text: String,
    /// Plays it again, with all that happens.
    pub command: String,
}

/// What to play.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The first seed.
    pub first: u64,
    /// How many.
    pub seeds: u64,
    /// Threads to play them on.
    pub threads: usize,
    /// Each seed twice, and the traces compared.
    pub twice: bool,
    /// Stop after so much time of the wall, whatever is left.
    pub wall_max: Option<Duration>,
    /// Stop at the first seed that fails.
    pub stops: bool,
}

/// Plays one seed, twice where that is asked for.
pub fn play(seed: u64, twice: bool) -> Outcome {
    let mut outcome = run(&Options::new(seed));
    if twice {
        let again = run(&Options::new(seed));
        if outcome.trace_hash != again.trace_hash {
            let text = format!(
                "{:016x} in {} lines, then {:016x} in {} lines",
                outcome.trace_hash, outcome.trace_lines, again.trace_hash, again.trace_lines
            );
            let violation =
                Violation { invariant: Invariant::Deterministic, at: outcome.played, text };
            outcome.violation.get_or_insert(violation);
        }
    }
    outcome
}

/// Plays many seeds; `each` hears of every one, from whichever thread.
///
/// # Panics
/// Where the system has no threads to give.
pub fn play_all(plan: Run, each: impl Fn(&Outcome) + Sync) -> Report {
    let begun = std::time::Instant::now();
    let next = AtomicU64::new(0);
    let stopped = AtomicBool::new(false);
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..plan.threads {
            scope.spawn(|| {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    let is_late = plan.wall_max.is_some_and(|most| begun.elapsed() >= most);
                    if nth >= plan.seeds || is_late || stopped.load(Ordering::Relaxed) {
                        return;
                    }
                    let outcome = play(plan.first + nth, plan.twice);
                    if outcome.violation.is_some() && plan.stops {
                        stopped.store(true, Ordering::Relaxed);
                    }
                    each(&outcome);
                    outcomes.lock().expect("nobody panics with it").push(outcome);
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().expect("nobody panicked with it");
    outcomes.sort_by_key(|outcome| outcome.seed);
    report(&outcomes, begun.elapsed())
}

fn report(outcomes: &[Outcome], wall: Duration) -> Report {
    let mut tally = Tally::default();
    let mut report = Report { wall_seconds: wall.as_secs_f64(), ..Report::default() };
    for outcome in outcomes {
        tally.merge(&outcome.tally);
        report.seeds += 1;
        report.virtual_seconds += outcome.played.as_secs_f64();
        if let Some(violation) = &outcome.violation {
            report.failing.push(Failing {
                seed: outcome.seed,
                invariant: violation.invariant.label(),
                text: violation.to_string(),
                command: format!("target/release/sim --seeds 1 --seed {} --trace", outcome.seed),
            });
        }
    }
    report.faults = tally.iter().collect();
    report.missing_faults = tally.missing();
    report.violations = report.failing.len() as u64 + report.missing_faults.len() as u64;
    report
}
