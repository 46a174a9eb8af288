//! The flags of `load`, checked.

use clap::{Args, ValueEnum};
use matchkeep_shared::limits::{
    CONNECTIONS_PER_SHARD_MAX, PLAYERS_PER_MATCH_MAX, TICK_RATE_HZ_MAX, TICK_RATE_HZ_MIN,
};
use matchkeep_shared::time::TickRate;

use crate::program::{FlagError, within};

/// Players in a match without another word.
const PER_MATCH: usize = 10;
/// The longest window, in seconds.
const SECONDS_MAX: u64 = 600;
/// The most pairs.
const PAIRS_MAX: usize = 50;

/// What was asked for.
#[derive(Clone, Debug, Args)]
pub struct LoadArgs {
    /// Players in all; a multiple of --per-match
    #[arg(long, value_name = "N", default_value_t = 100)]
    players: usize,
    /// Players in each match [default: 10, or all where there are fewer]
    #[arg(long, value_name = "N")]
    per_match: Option<usize>,
    /// Ticks a second
    #[arg(long, value_name = "HZ", default_value_t = 60)]
    hz: u16,
    /// Length of each measured window; joining and warming up are extra
    #[arg(long, value_name = "S", default_value_t = 10)]
    seconds: u64,
    /// Pairs of a server's run and an echo's run; the median counts, of at least 3
    #[arg(long, value_name = "N", default_value_t = 5)]
    pairs: usize,
    /// Whether the server journals its matches; `compare` measures the journal instead: each pair is a run
    /// without and one with it
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Journal::Off)]
    journal: Journal,
    /// Measure a pair anew during which whoever runs this virtual machine gave more than this share of one
    /// of the two cores to others; in all at most four times as often as there are pairs [default: any
    /// share will do]
    #[arg(long, value_name = "PERCENT")]
    stolen_max: Option<u64>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What is measured of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Journal {
    /// There is none.
    Off,
    /// Every run has it.
    On,
    /// What it costs.
    Compare,
}

/// A measurement whose numbers make sense.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Players in all.
    pub players: usize,
    /// Players in each match.
    pub per_match: usize,
    /// Ticks a second.
    pub rate: TickRate,
    /// Length of each window, in seconds.
    pub seconds: u64,
    /// Runs of server and echo, each.
    pub pairs: usize,
    /// What is measured of the journal.
    pub journal: Journal,
    /// A pair that lost more than this share of a core, 0 to 1, does not count.
    pub stolen_max: f64,
    /// Whether a program reads the outcome.
    pub json: bool,
}

impl LoadArgs {
    /// Checks everything.
    ///
    /// # Errors
    /// [`FlagError`] names the flag, its value and what is allowed.
    pub fn plan(&self) -> Result<Plan, FlagError> {
        let players = self.players;
        let per_match = self.per_match.unwrap_or(PER_MATCH.min(players));
        within("players", players as u64, 1, CONNECTIONS_PER_SHARD_MAX as u64)?;
        within("per-match", per_match as u64, 1, PLAYERS_PER_MATCH_MAX as u64)?;
        within("hz", self.hz.into(), TICK_RATE_HZ_MIN.into(), TICK_RATE_HZ_MAX.into())?;
        within("seconds", self.seconds, 1, SECONDS_MAX)?;
        within("pairs", self.pairs as u64, 1, PAIRS_MAX as u64)?;
        within("stolen-max", self.stolen_max.unwrap_or(100), 0, 100)?;
        if !players.is_multiple_of(per_match) {
            let below = players / per_match * per_match;
            let near = match below {
                0 => format!("{per_match} is"),
                _ => format!("{below} and {} are", below + per_match),
            };
            let allowed = format!("must be a multiple of --per-match {per_match}; {near} near");
            return Err(FlagError { flag: "players", value: players as u64, allowed });
        }
        let rate = TickRate::try_from(self.hz).expect("the range was checked");
        let (seconds, pairs, json) = (self.seconds, self.pairs, self.json);
        let (journal, stolen_max) = (self.journal, self.stolen_max.unwrap_or(100) as f64 / 100.0);
        Ok(Plan { players, per_match, rate, seconds, pairs, journal, stolen_max, json })
    }
}

impl Plan {
    /// The number of matches.
    pub fn matches(&self) -> usize {
        self.players / self.per_match
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(players: usize, per_match: Option<usize>, hz: u16) -> Result<Plan, String> {
        let (journal, stolen_max) = (Journal::Off, None);
        let (seconds, pairs, json) = (10, 3, false);
        let args = LoadArgs { players, per_match, hz, seconds, pairs, journal, stolen_max, json };
        args.plan().map_err(|error| error.to_string())
    }

    #[test]
    fn few_players_play_one_match_and_many_play_matches_of_ten() {
        assert_eq!(plan(4, None, 60).expect("is sound").matches(), 1);
        assert_eq!(plan(500, None, 60).expect("is sound").matches(), 50);
        assert_eq!(plan(128, Some(64), 30).expect("is sound").matches(), 2);
    }

    #[test]
    fn what_cannot_be_is_refused_by_flag_value_and_what_is_allowed() {
        for (asked, expected) in [
            (plan(0, None, 60), "--players 0: allowed are 1 to 4096"),
            (plan(8, Some(0), 60), "--per-match 0: allowed are 1 to 128"),
            (plan(10, None, 1000), "--hz 1000: allowed are 20 to 128"),
            (
                plan(25, None, 60),
                "--players 25: must be a multiple of --per-match 10; 20 and 30 are near",
            ),
            (
                plan(3, Some(10), 60),
                "--players 3: must be a multiple of --per-match 10; 10 is near",
            ),
        ] {
            assert_eq!(asked.map(|_| ()), Err(expected.to_owned()));
        }
    }
}
