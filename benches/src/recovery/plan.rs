//! The flags of `recovery`, checked.

use clap::Args;
use matchkeep_shared::limits::{PLAYERS_PER_MATCH_MAX, TICK_RATE_HZ_MAX, TICK_RATE_HZ_MIN};
use matchkeep_shared::time::TickRate;

use crate::program::{FlagError, within};

/// The most matches.
const MATCHES_MAX: u64 = 1000;
/// The most kills.
const KILLS_MAX: u64 = 1000;
/// The most shards.
const SHARDS_MAX: u64 = 64;

/// What was asked for.
#[derive(Clone, Debug, Args)]
pub struct RecoveryArgs {
    /// Matches that are played
    #[arg(long, value_name = "N", default_value_t = 10)]
    matches: usize,
    /// Players in each match
    #[arg(long, value_name = "N", default_value_t = 8)]
    per_match: usize,
    /// Ticks a second
    #[arg(long, value_name = "HZ", default_value_t = 60)]
    hz: u16,
    /// How often the server is killed
    #[arg(long, value_name = "N", default_value_t = 5)]
    kills: usize,
    /// Shards of the server
    #[arg(long, value_name = "N", default_value_t = 2)]
    shards: usize,
    /// Seed of the moments at which the server is killed
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Keep the data folder, and say where it is
    #[arg(long)]
    keep: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A measurement whose numbers make sense.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Matches.
    pub matches: usize,
    /// Players in each.
    pub per_match: usize,
    /// Ticks a second.
    pub rate: TickRate,
    /// Kills.
    pub kills: usize,
    /// Shards of the server.
    pub shards: usize,
    /// Seed of the moments of the kills.
    pub seed: u64,
    /// Whether the data folder stays.
    pub keep: bool,
    /// Whether a program reads the outcome.
    pub json: bool,
}

impl RecoveryArgs {
    /// Checks everything.
    ///
    /// # Errors
    /// [`FlagError`] names the flag, its value and what is allowed.
    pub fn plan(&self) -> Result<Plan, FlagError> {
        within("matches", self.matches as u64, 1, MATCHES_MAX)?;
        within("per-match", self.per_match as u64, 1, PLAYERS_PER_MATCH_MAX as u64)?;
        within("hz", self.hz.into(), TICK_RATE_HZ_MIN.into(), TICK_RATE_HZ_MAX.into())?;
        within("kills", self.kills as u64, 1, KILLS_MAX)?;
        within("shards", self.shards as u64, 1, SHARDS_MAX)?;
        Ok(Plan {
            matches: self.matches,
            per_match: self.per_match,
            rate: TickRate::try_from(self.hz).expect("it is within"),
            kills: self.kills,
            shards: self.shards,
            seed: self.seed,
            keep: self.keep,
            json: self.json,
        })
    }
}
