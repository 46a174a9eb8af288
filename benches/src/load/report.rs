//! What all pairs come to, for programs and for people.

use std::time::Duration;

use matchkeep_server::shard::stats::{Distribution, Summary};
use serde::Serialize;

use super::pair::Pair;
use super::server::Window;

/// The outcome of a measurement. Times of ticks are of all the server's runs together; single figures are
/// medians of the runs.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names say it; units are in them")]
pub struct Report {
    /// User plus system time of the whole process.
    pub server_cpu_us_per_player_tick: f64,
    pub raw_udp_cpu_us_per_player_tick: f64,
    /// The median of the pairs' ratios.
    pub ratio: f64,
    pub ratios: Vec<f64>,
    /// From a tick's deadline to the start of its step.
    pub tick_lateness_us: Summary,
    /// From a tick's deadline to its last datagram handed to the kernel.
    pub tick_sent_us: Summary,
    /// From the start of a step to its last datagram handed to the kernel.
    pub tick_work_us: Summary,
    pub ticks_skipped: u64,
    /// Inputs applied at their own tick, of one for each player and tick.
    pub inputs_delivered_share: f64,
    /// Heap of the server for each player beside the match.
    pub connection_bytes: u64,
    /// Heap of one match with its players' replication.
    pub match_bytes: u64,
    /// UDP payload.
    pub bytes_out_per_player_second: f64,
    pub allocations_per_player_tick: f64,
    /// Of each pair, in the order they ran.
    pub server_cpu_us_per_player_tick_of_pairs: Vec<f64>,
    pub raw_udp_cpu_us_per_player_tick_of_pairs: Vec<f64>,
    pub inputs_delivered_share_of_pairs: Vec<f64>,
    /// How much of a core was given to others meanwhile, 0 to 1, where it was most.
    pub stolen_share_of_pairs: Vec<f64>,
    /// Pairs that were measured anew because too much was.
    pub pairs_repeated: usize,
    pub udp_dropped: u64,
}

impl Report {
    /// What these pairs come to.
    ///
    /// # Panics
    /// Where there are none.
    pub fn new(pairs: &[Pair], pairs_repeated: usize) -> Self {
        let of = |value: fn(&Pair) -> f64| pairs.iter().map(value).collect::<Vec<f64>>();
        let sum = |value: fn(&Window) -> u64| pairs.iter().map(|p| value(&p.server)).sum::<u64>();
        let times = |times: fn(&Window) -> &[(u64, u64)]| {
            summary(pairs.iter().flat_map(|pair| times(&pair.server)))
        };
        let (servers, echoes) = (of(Pair::server_us), of(Pair::echo_us));
        let ratios = of(Pair::ratio);
        let player_ticks = sum(|w| w.player_ticks).max(1) as f64;
        Self {
            server_cpu_us_per_player_tick: median(&servers),
            raw_udp_cpu_us_per_player_tick: median(&echoes),
            ratio: median(&ratios),
            ratios,
            tick_lateness_us: times(|w| &w.tick_lateness_us),
            tick_sent_us: times(|w| &w.tick_sent_us),
            tick_work_us: times(|w| &w.tick_work_us),
            ticks_skipped: sum(|w| w.ticks_skipped),
            inputs_delivered_share: sum(|w| w.inputs_applied) as f64 / player_ticks,
            connection_bytes: median(&of(|p| p.server.connection_bytes as f64)) as u64,
            match_bytes: median(&of(|p| p.server.match_bytes as f64)) as u64,
            bytes_out_per_player_second: median(&of(|p| {
                let players = p.server.players.max(1) as f64;
                p.server.udp_sent_bytes as f64 / p.server.seconds / players
            })),
            allocations_per_player_tick: sum(|w| w.allocations) as f64 / player_ticks,
            server_cpu_us_per_player_tick_of_pairs: servers,
            raw_udp_cpu_us_per_player_tick_of_pairs: echoes,
            inputs_delivered_share_of_pairs: of(Pair::delivered_share),
            stolen_share_of_pairs: of(|p| p.stolen_share),
            pairs_repeated,
            udp_dropped: sum(|w| w.udp_dropped),
        }
    }

    /// The report as a person reads it.
    pub fn table(&self) -> String {
        let ratios: Vec<String> = self.ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
        let times = |s: &Summary| {
            format!("p50 {}, p99 {}, p99.9 {}, at most {} us", s.p50, s.p99, s.p999, s.max)
        };
        let rows = [
            (
                "CPU per player and tick",
                format!(
                    "{:.2} us, raw UDP {:.2} us",
                    self.server_cpu_us_per_player_tick, self.raw_udp_cpu_us_per_player_tick
                ),
            ),
            ("ratio", format!("{:.2}, the median of {}", self.ratio, ratios.join(" "))),
            ("inputs in time", format!("{:.2}%", self.inputs_delivered_share * 100.0)),
            ("tick lateness", times(&self.tick_lateness_us)),
            ("tick sent", times(&self.tick_sent_us)),
            ("tick work", times(&self.tick_work_us)),
            ("ticks skipped", self.ticks_skipped.to_string()),
            ("heap of a connection", format!("{:.1} KiB", self.connection_bytes as f64 / 1024.0)),
            ("heap of a match", format!("{:.1} KiB", self.match_bytes as f64 / 1024.0)),
            (
                "out to each player",
                format!("{:.0} bytes a second", self.bytes_out_per_player_second),
            ),
            (
                "stolen",
                format!(
                    "{:.1}% of a core at the median, {} pairs repeated",
                    median(&self.stolen_share_of_pairs) * 100.0,
                    self.pairs_repeated
                ),
            ),
            (
                "allocations",
                format!("{:.2} for each player and tick", self.allocations_per_player_tick),
            ),
        ];
        rows.iter().map(|(what, value)| format!("{what:<25}{value}\n")).collect()
    }
}

/// Times in microseconds, each with how often, in a few numbers.
pub fn summary<'a>(times: impl Iterator<Item = &'a (u64, u64)>) -> Summary {
    let mut all = Distribution::default();
    for (us, count) in times {
        for _ in 0..*count {
            all.record(Duration::from_micros(*us));
        }
    }
    all.summary()
}

/// The value in the middle; the mean of the two where there is none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_value_in_the_middle() {
        assert_eq!(median(&[9.0, 1.0, 5.0]), 5.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), 3.0);
    }

    #[test]
    fn distributions_of_several_runs_are_added_up() {
        let (one, two) = ([(10, 98), (70, 1)], [(20, 1)]);
        let summary = summary(one.iter().chain(&two));
        assert_eq!((summary.count, summary.p50, summary.p99, summary.max), (100, 10, 20, 70));
    }
}
