//! What control writes down of one match: where it is played, in which epoch, what it died of, how far it is.

use matchkeep_shared::Game;
use matchkeep_shared::ids::{Epoch, ShardId};

use crate::matches::Deaths;
use crate::shard::message::{NewHost, Resumption};
use crate::store::{FinishedMatch, NewMatch};

/// A match as control knows it.
#[derive(Debug)]
pub(super) struct Ledger<G: Game> {
    pub(super) shard: ShardId,
    pub(super) epoch: Epoch,
    /// How often it died without getting on.
    pub(super) deaths: Deaths,
    /// Its journal has its end, durably.
    pub(super) is_closed: bool,
    pub(super) stage: Stage<G>,
}

#[derive(Debug)]
pub(super) enum Stage<G: Game> {
    /// Its beginning is on the way to stable storage; then its record is written, and its shard makes it.
    Beginning(Option<(Box<NewHost<G>>, Box<NewMatch>)>),
    /// Its epoch is being claimed, then it is replayed.
    Resuming(Option<Box<Resumption<G>>>),
    Running,
    /// It died; its next epoch is being claimed.
    Restarting,
    /// It ended; its result is being written.
    Ending(Option<Box<FinishedMatch>>),
    /// It is being set aside.
    Leaving,
}

impl<G: Game> Stage<G> {
    /// What becomes of a match in this stage, while its shard does not have it.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Beginning(_) | Self::Running => "being made",
            Self::Resuming(_) | Self::Restarting => "on its way back",
            Self::Ending(_) => "over",
            Self::Leaving => "being set aside",
        }
    }
}
