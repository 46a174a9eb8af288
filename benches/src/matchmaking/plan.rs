//! The flags of `matchmaking`, checked, and the mode that is played.

use std::path::PathBuf;

use clap::Args;
use matchkeep_server::matchmaking::ModeRules;

use crate::program::{FlagError, within};

/// The mode, and the ladder of its ratings.
pub const MODE: &str = "squad";
/// The most players.
const PLAYERS_MAX: u64 = 100_000;

/// What was asked for.
#[derive(Clone, Debug, Args)]
pub struct MatchmakingArgs {
    /// Players who look for matches
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    players: usize,
    /// Seed of who comes when, plays how well, and of when a lobby dies
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Lobbies on the one store, each with shards of its own
    #[arg(long, value_name = "N", default_value_t = 1)]
    lobbies: usize,
    /// How many of them die again and again, with their shards; all but one where it is not given
    #[arg(long, value_name = "N")]
    dying: Option<usize>,
    /// Draw waiting times and rating differences into this SVG file
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// A measurement whose numbers make sense.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Players.
    pub players: usize,
    /// Seed of everything.
    pub seed: u64,
    /// Lobbies.
    pub lobbies: usize,
    /// How many of them die.
    pub dying: usize,
    /// How matches are formed.
    pub rules: ModeRules,
}

impl Plan {
    /// So many players in teams of four, and so many lobbies, of which some die.
    pub fn new(players: usize, seed: u64, lobbies: usize, dying: usize) -> Self {
        let rules = ModeRules {
            places: 8,
            teams: 2,
            form_min: 6,
            fill_seconds: 60,
            is_rated: true,
            window_start: 2.0,
            window_per_second: 0.15,
            wait_seconds_max: 120,
        };
        Self { players, seed, lobbies, dying, rules }
    }
}

impl MatchmakingArgs {
    /// Checks everything.
    ///
    /// # Errors
    /// [`FlagError`] names the flag, its value and what is allowed.
    pub fn plan(&self) -> Result<Plan, FlagError> {
        within("players", self.players as u64, 8, PLAYERS_MAX)?;
        within("lobbies", self.lobbies as u64, 1, 2)?;
        let dying = self.dying.unwrap_or(self.lobbies - 1);
        within("dying", dying as u64, 0, self.lobbies as u64)?;
        Ok(Plan::new(self.players, self.seed, self.lobbies, dying))
    }
}
