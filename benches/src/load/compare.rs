//! What the journal costs: runs without and with it, one after the other, and the other way round in every second pair.

use serde::Serialize;

use super::pair::{ServerRun, run_server};
use super::plan::Plan;
use super::repeats::Repeats;
use super::report::{median, summary};
use super::server::Window;
use crate::program::print;

/// The outcome: the median of the pairs counts.
#[derive(Clone, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the names say it; units are in them")]
pub struct Comparison {
    /// CPU with the journal, as a multiple of that without.
    pub cpu_ratio: f64,
    pub cpu_ratios: Vec<f64>,
    /// p99 of the lateness with the journal less that without.
    pub tick_lateness_p99_difference_us: f64,
    pub tick_lateness_p99_differences_us: Vec<f64>,
    pub cpu_us_per_player_tick_without: Vec<f64>,
    pub cpu_us_per_player_tick_with: Vec<f64>,
    pub tick_lateness_p99_us_without: Vec<u64>,
    pub tick_lateness_p99_us_with: Vec<u64>,
    pub ticks_skipped_with: u64,
    pub inputs_delivered_share_with: Vec<f64>,
    /// How much of a core was given to others, 0 to 1, where it was most.
    pub stolen_share_of_pairs: Vec<f64>,
    /// Pairs that were measured anew because too much was.
    pub pairs_repeated: usize,
}

/// Runs the pairs and prints what they come to.
///
/// # Errors
/// Where a run fails.
pub fn measure(plan: &Plan, measured: usize, others: usize) -> anyhow::Result<()> {
    let mut outcome = Comparison::default();
    let mut repeats = Repeats::new(plan.stolen_max, plan.pairs);
    for number in 1..=plan.pairs {
        // Whoever comes second finds the machine otherwise than the first did.
        let both = || {
            let is_first = number.is_multiple_of(2);
            let first = run_server(plan, is_first, measured, others)?;
            let second = run_server(plan, !is_first, measured, others)?;
            Ok(if is_first { [second, first] } else { [first, second] })
        };
        let stolen_share = |[a, b]: &[ServerRun; 2]| a.stolen_share.max(b.stolen_share);
        let pair = repeats.until_quiet(number, both, stolen_share)?;
        outcome.stolen_share_of_pairs.push(stolen_share(&pair));
        let [without, with] = pair.map(|run| run.window);
        let cpu = |w: &Window| w.cpu_us / w.player_ticks.max(1) as f64;
        let late = |w: &Window| summary(w.tick_lateness_us.iter()).p99;
        let (ratio, difference) =
            (cpu(&with) / cpu(&without), late(&with) as f64 - late(&without) as f64);
        eprintln!(
            "pair {number}: {:.2} us of CPU for each player and tick without the journal, {:.2} us with: \
             {ratio:.3}; tick lateness p99 {} us and {} us",
            cpu(&without),
            cpu(&with),
            late(&without),
            late(&with),
        );
        outcome.cpu_ratios.push(ratio);
        outcome.tick_lateness_p99_differences_us.push(difference);
        outcome.cpu_us_per_player_tick_without.push(cpu(&without));
        outcome.cpu_us_per_player_tick_with.push(cpu(&with));
        outcome.tick_lateness_p99_us_without.push(late(&without));
        outcome.tick_lateness_p99_us_with.push(late(&with));
        outcome.ticks_skipped_with += with.ticks_skipped;
        let delivered = with.inputs_applied as f64 / with.player_ticks.max(1) as f64;
        outcome.inputs_delivered_share_with.push(delivered);
    }
    outcome.cpu_ratio = median(&outcome.cpu_ratios);
    outcome.tick_lateness_p99_difference_us = median(&outcome.tick_lateness_p99_differences_us);
    outcome.pairs_repeated = repeats.made();
    print(plan.json, &outcome, Comparison::table)
}

impl Comparison {
    /// The outcome as a person reads it.
    fn table(&self) -> String {
        format!(
            "CPU with the journal       {:.3} times that without, the median of {:.3?}\n\
             tick lateness p99          {:+.0} us, the median of {:?}\n",
            self.cpu_ratio,
            self.cpu_ratios,
            self.tick_lateness_p99_difference_us,
            self.tick_lateness_p99_differences_us
        )
    }
}
