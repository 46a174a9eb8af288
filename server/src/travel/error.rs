//! Why a tick cannot be shown.
//!
//! Owns: the list, and which of them are the asker's to mend. Must not know: who asks.

use matchkeep_shared::ids::MatchId;
use matchkeep_shared::time::Tick;

use crate::journal::JournalError;
use crate::matches::header::HeaderError;
use crate::matches::replay::ReplayError;

/// Why a tick cannot be shown, or is not what was stored of it.
#[derive(Debug, thiserror::Error)]
pub enum TravelError {
    /// Nothing is known of the match.
    #[error("there is no journal of match {0}: `history ls` lists the matches there are")]
    Unknown(MatchId),
    /// Retention deleted its records.
    #[error(
        "the journal of match {0} was deleted by retention (`journal_keep_days`, \
         `journal_keep_gib`); its result is kept"
    )]
    Retired(MatchId),
    /// The match has not come so far, or not durably.
    #[error("tick {tick} is not durable: the newest durable tick of match {match_id} is {newest}")]
    NotYet {
        /// The match.
        match_id: MatchId,
        /// What was asked for.
        tick: Tick,
        /// What there is.
        newest: Tick,
    },
    /// The match ended before.
    #[error("there is no tick {tick}: match {match_id} ended after tick {newest}")]
    Over {
        /// The match.
        match_id: MatchId,
        /// What was asked for.
        tick: Tick,
        /// The last tick.
        newest: Tick,
    },
    /// It is another game's, or was played by other rules.
    #[error("the match cannot be played again here: {0}")]
    Header(#[from] HeaderError),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record is not what was written.
    #[error("the journal is damaged: {0}")]
    Damaged(String),
    /// The match does not do again what it did.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A checkpoint is not the state that the match comes to.
    #[error("the checkpoint of tick {tick} is not the state that the match comes to")]
    CheckpointDiffers {
        /// Its tick.
        tick: Tick,
    },
    /// The match ends at another tick than it did.
    #[error("the match ends with tick {ended}, and the journal goes on to tick {recorded}")]
    EndsBefore {
        /// Where it ends now.
        ended: Tick,
        /// How far the journal goes.
        recorded: Tick,
    },
    /// A record holds more or fewer frames than it has ticks.
    #[error("a record ends with tick {recorded}, and its frames lead to tick {found}")]
    FramesMiscounted {
        /// Where the frames lead.
        found: Tick,
        /// Where the record ends.
        recorded: Tick,
    },
    /// The result in the journal is not the one that the match comes to.
    #[error("the journal's result of tick {tick} is not the one that the match comes to")]
    ResultDiffers {
        /// The last tick.
        tick: Tick,
    },
    /// What is stored as the result is not what the match comes to.
    #[error("the stored result is not the one that the match comes to")]
    StoredResultDiffers,
    /// The game died of a tick that it survived.
    #[error("the game panicked in tick {tick}: {text}")]
    Panicked {
        /// The tick.
        tick: Tick,
        /// What it said.
        text: String,
    },
    /// The state has something in it that JSON has no form for.
    #[error("the state of tick {tick} has no form in JSON: {cause}")]
    NoJson {
        /// The tick.
        tick: Tick,
        /// What is in the way.
        cause: String,
    },
}

impl TravelError {
    /// Whether it is nobody's fault but the asker's: there is no such thing to show.
    pub fn is_misplaced(&self) -> bool {
        matches!(
            self,
            Self::Unknown(_)
                | Self::Retired(_)
                | Self::NotYet { .. }
                | Self::Over { .. }
                | Self::Header(HeaderError::Foreign { .. })
        )
    }

    /// The tick at which it was found, where it is about one.
    pub fn tick(&self) -> Option<Tick> {
        match self {
            Self::Replay(
                ReplayError::Checkpoint { tick, .. }
                | ReplayError::Frame { tick, .. }
                | ReplayError::Diverged { tick, .. },
            )
            | Self::CheckpointDiffers { tick }
            | Self::ResultDiffers { tick }
            | Self::Panicked { tick, .. } => Some(*tick),
            Self::EndsBefore { ended, .. } => Some(*ended + 1),
            Self::FramesMiscounted { recorded, .. } => Some(*recorded),
            _ => None,
        }
    }
}
