//! What the writer tells about a flush.
//!
//! Owns: the shapes. Must not know: who listens.

use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::time::Tick;

use super::backend::{JournalError, Refusal};
use super::damage::Damage;

/// What came of one flush.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct JournalReport {
    /// Claims that are durable: the match is this node's, under this epoch.
    pub claimed: Vec<(MatchId, Epoch)>,
    /// What became durable of each match.
    pub durable: Vec<Durable>,
    /// Matches of which nothing more is taken under their epoch. Their owner stops at once.
    pub refused: Vec<Refused>,
    /// Checkpoints that were larger than a record may be, and were left out. The frames are there.
    pub checkpoints_too_large: Vec<(MatchId, Tick)>,
    /// Why the flush came to no end, if so; what else is told here stands. After an error that may pass
    /// the rest is still pending and is tried again.
    pub trouble: Option<JournalError>,
}

impl JournalReport {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is on stable storage of one match.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Durable {
    /// The match.
    pub match_id: MatchId,
    /// Under which epoch.
    pub epoch: Epoch,
    /// Everything up to this tick.
    pub tick: Tick,
    /// Its incidents that this flush wrote.
    pub incidents: u32,
    /// Whether the result is there too.
    pub is_finished: bool,
}

/// A match of which nothing more is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused {
    /// The match.
    pub match_id: MatchId,
    /// The epoch that was named.
    pub epoch: Epoch,
    /// Why.
    pub why: WhyRefused,
}

/// Why nothing more is taken of a match.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WhyRefused {
    /// By the journal.
    #[error("the journal refuses it: {0}")]
    Journal(Refusal),
    /// What was handed over cannot come next, or is too large: a defect of who did.
    #[error("what was handed over cannot be its next record: {0}")]
    Defect(Damage),
    /// It was never claimed here, was refused before, or under another epoch.
    #[error("it is not claimed here under this epoch")]
    NotClaimed,
}
