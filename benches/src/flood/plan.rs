//! The flags of `flood`, checked.

use clap::Args;
use matchkeep_shared::limits::PLAYERS_PER_MATCH_MAX;

use super::attack::Attack;
use crate::program::{FlagError, within};

/// Bots in a match without another word.
const PER_MATCH: usize = 10;
/// The most bots.
const BOTS_MAX: u64 = 1000;
/// The longest phase, in seconds.
const SECONDS_MAX: u64 = 60;
/// The most pairs.
const PAIRS_MAX: u64 = 20;
/// The most datagrams that an attack sends a second.
const RATE_MAX: u64 = 100_000;

/// What was asked for.
#[derive(Clone, Debug, Args)]
pub struct FloodArgs {
    /// An attack; may be said several times [default: all]
    #[arg(long, value_enum, value_name = "NAME")]
    attack: Vec<Attack>,
    /// Bots that play; a multiple of 10, or all in one match
    #[arg(long, value_name = "N", default_value_t = 100)]
    bots: usize,
    /// Length of each phase, of calm and of attack
    #[arg(long, value_name = "S", default_value_t = 6)]
    seconds: u64,
    /// Pairs of calm and attack, for each attack; the median counts
    #[arg(long, value_name = "N", default_value_t = 5)]
    pairs: usize,
    /// No attack sends more datagrams a second than this
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    rate_max: u64,
    /// Measure a pair anew during which whoever runs this virtual machine gave more than this share of one
    /// of the two cores to others; at most four times as often as there are pairs [default: any share will do]
    #[arg(long, value_name = "PERCENT")]
    stolen_max: Option<u64>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A measurement whose numbers make sense.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is tried.
    pub attacks: Vec<Attack>,
    /// Bots that play.
    pub bots: usize,
    /// In each match.
    pub per_match: usize,
    /// Length of each phase, in seconds.
    pub seconds: u64,
    /// Phases of attack, and as many of calm.
    pub pairs: usize,
    /// Datagrams a second that no attack exceeds.
    pub rate_max: u64,
    /// A pair that lost more than this share of a core, 0 to 1, does not count.
    pub stolen_max: f64,
    /// Whether a program reads the outcome.
    pub json: bool,
}

impl FloodArgs {
    /// Checks everything.
    ///
    /// # Errors
    /// [`FlagError`] names the flag, its value and what is allowed.
    pub fn plan(&self) -> Result<Plan, FlagError> {
        let bots = self.bots;
        within("bots", bots as u64, 1, BOTS_MAX)?;
        within("seconds", self.seconds, 1, SECONDS_MAX)?;
        within("pairs", self.pairs as u64, 1, PAIRS_MAX)?;
        within("rate-max", self.rate_max, 1, RATE_MAX)?;
        within("stolen-max", self.stolen_max.unwrap_or(100), 0, 100)?;
        let per_match = if bots.is_multiple_of(PER_MATCH) { PER_MATCH } else { bots };
        if per_match > PLAYERS_PER_MATCH_MAX {
            let allowed =
                format!("allowed are multiples of {PER_MATCH}, or at most {PLAYERS_PER_MATCH_MAX}");
            return Err(FlagError { flag: "bots", value: bots as u64, allowed });
        }
        let attacks =
            if self.attack.is_empty() { Attack::ALL.to_vec() } else { self.attack.clone() };
        Ok(Plan {
            attacks,
            bots,
            per_match,
            seconds: self.seconds,
            pairs: self.pairs,
            rate_max: self.rate_max,
            stolen_max: self.stolen_max.unwrap_or(100) as f64 / 100.0,
            json: self.json,
        })
    }
}
