//! What control wants done, by shards, store, journal and its shell, and what the store answers.

use matchkeep_shared::Game;
use matchkeep_shared::ids::{MatchId, PlayerId, ShardId};

use crate::control::LobbyAnswer;
use crate::journal::JournalItem;
use crate::lobby::core::ConnectionKey;
use crate::shard::message::Command;
use crate::store::{FinishedMatch, NewMatch, StoreError};

/// What control wants done.
#[derive(Debug)]
pub enum ControlAction<G: Game> {
    /// Answer a lobby request.
    Answer {
        /// Whose.
        to: ConnectionKey,
        /// The answer.
        answer: LobbyAnswer,
    },
    /// Tell a shard.
    ToShard {
        /// Which.
        shard: ShardId,
        /// What.
        command: Command<G>,
    },
    /// Ask the store.
    ToStore(StoreRequest),
    /// Hand this over for the journal.
    ToJournal(JournalItem),
    /// The journal has what the watchdog of the process before noted: the note has served.
    ForgetNote,
    /// Every match of the process before is back, or was given up: players may come.
    Ready,
}

/// What control wants of the store.
#[derive(Clone, Debug, PartialEq)]
pub enum StoreRequest {
    /// The account of a name.
    Account {
        /// For whom.
        to: ConnectionKey,
        /// The name.
        name: String,
    },
    /// The record of a match that begins.
    Create(Box<NewMatch>),
    /// A match is set aside with all its data.
    Quarantine {
        /// The match.
        match_id: MatchId,
        /// Why.
        why: String,
    },
    /// A match's result.
    Result(Box<FinishedMatch>),
}

/// What the store answers.
#[derive(Debug)]
pub enum StoreAnswer {
    /// To an account's request.
    Account {
        /// For whom.
        to: ConnectionKey,
        /// The account.
        result: Result<PlayerId, StoreError>,
    },
    /// To any other.
    Done {
        /// What was asked.
        request: StoreRequest,
        /// How it went.
        result: Result<(), StoreError>,
    },
}

impl StoreAnswer {
    /// What went wrong.
    pub fn error(&self) -> Option<&StoreError> {
        match self {
            Self::Account { result, .. } => result.as_ref().err(),
            Self::Done { result, .. } => result.as_ref().err(),
        }
    }
}
