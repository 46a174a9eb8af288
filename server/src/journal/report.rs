//! What the writer tells about a flush.
//!
//! Owns: the shapes. Must not know: who listens.

use matchkeep_shared::ids::{Epoch, MatchId, ShardId};
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
    /// Takes out what shards are to hear, for each its own. What became durable of a match is left here where it
    /// is more than ticks, or by no shard.
    pub fn take_ticks(&mut self) -> Vec<(ShardId, DurableTicks)> {
        let mut told: Vec<(ShardId, DurableTicks)> = Vec::new();
        self.durable.retain(|durable| {
            let Some(shard) = durable.shard else { return true };
            let ticks = (durable.match_id, durable.epoch, durable.tick);
            match told.iter_mut().find(|(of, _)| *of == shard) {
                Some((_, of_shard)) => of_shard.push(ticks),
                None => told.push((shard, vec![ticks])),
            }
            durable.incidents > 0 || durable.is_finished
        });
        told
    }

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
    /// The shard it was handed over by, if by one.
    pub shard: Option<ShardId>,
}

/// What is on stable storage of some matches of a shard: all up to the tick.
pub type DurableTicks = Vec<(MatchId, Epoch, Tick)>;

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
