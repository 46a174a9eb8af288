//! What a match is made of, and what it is told when it begins or goes on.

use std::sync::Arc;

use matchkeep_shared::ids::MatchId;
use matchkeep_shared::time::TickRate;
use serde::{Deserialize, Serialize};

use super::heartbeat::Heartbeat;

/// What a match is made of, fixed when it is created.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MatchSpec<C> {
    /// Its ID.
    pub id: MatchId,
    /// The mode it was made for.
    pub mode: String,
    /// Its places.
    pub places: usize,
    /// Its tick rate.
    pub rate: TickRate,
    /// How many ticks a place is held for a player who lost the connection.
    pub hold_ticks: u64,
    /// The game's configuration.
    pub config: C,
    /// The seed of the game's random numbers.
    pub seed: u64,
}

impl<C> MatchSpec<C> {
    /// How long a place is held, in milliseconds.
    pub fn hold_ms(&self) -> u32 {
        let hold = self.rate.elapsed(self.hold_ticks).as_millis();
        u32::try_from(hold).unwrap_or(u32::MAX)
    }
}

/// What a match is told when it begins or goes on.
#[derive(Clone, Debug, Default)]
pub struct MatchOptions {
    /// Whether frames are recorded for a journal.
    pub journaled: bool,
    /// How often the state is hashed.
    pub hashes: Hashes,
    /// Told of everything that runs the game's code.
    pub heartbeat: Arc<Heartbeat>,
}

/// How often the state is hashed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Hashes {
    /// Once a second, for the journal.
    #[default]
    EverySecond,
    /// At every tick, and clients are told: for tests of recovery.
    EveryTick,
}
