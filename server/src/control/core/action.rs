//! What control wants done, by shards, store, journal and its shell, and what the store answers.

use matchkeep_shared::Game;
use matchkeep_shared::ids::{MatchId, PlayerId, ShardId};

use crate::accounts::{Account, AccountKey};
use crate::control::LobbySaid;
use crate::journal::JournalItem;
use crate::lobby::core::{ConnectionKey, Newer};
use crate::matchmaking::{QueueAsk, QueueSaid};
use crate::reservations::{PrivateMatch, Reserved};
use crate::shard::message::Command;
use crate::store::{FinishedMatch, NewMatch, StoreError};

/// What control wants done.
#[derive(Debug)]
pub enum ControlAction<G: Game> {
    /// Say something over a lobby connection, or end it.
    Say {
        /// Which.
        to: ConnectionKey,
        /// What.
        said: LobbySaid,
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
    /// Nothing is to be done: it was decided to make a match, of which its shard will say what came of it.
    Making {
        /// The match.
        match_id: MatchId,
        /// Its mode.
        mode: String,
        /// Where.
        shard: ShardId,
    },
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
    /// The account of a player.
    Account {
        /// For whom.
        to: ConnectionKey,
        /// By what it is known.
        key: AccountKey,
    },
    /// The account that a newer token of somebody who plays is about.
    Vouch {
        /// Who shows it, and where.
        showing: Showing,
        /// What it says.
        newer: Newer,
    },
    /// A private match that a player wants.
    Reserve {
        /// For whom.
        to: ConnectionKey,
        /// Index of its mode.
        mode: usize,
        /// The match.
        wanted: PrivateMatch,
    },
    /// Something of the queue.
    Queue {
        /// Who waits for it, where somebody does.
        to: Option<ConnectionKey>,
        /// What.
        ask: QueueAsk,
    },
    /// Something that must be written down sooner or later.
    Note(Note),
}

/// Somebody who plays shows a newer token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Showing {
    /// The shard.
    pub shard: ShardId,
    /// The match.
    pub match_id: MatchId,
    /// The player.
    pub player: PlayerId,
}

/// What control does not let go before it is durable, or can never be.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
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
        result: Result<Account, StoreError>,
    },
    /// To a newer token.
    Vouched {
        /// Who showed it, and where.
        showing: Showing,
        /// What it says.
        newer: Newer,
        /// The account that it is about.
        result: Result<Account, StoreError>,
    },
    /// To a wish for a private match.
    Reserved {
        /// For whom.
        to: ConnectionKey,
        /// Index of its mode.
        mode: usize,
        /// What is written down.
        result: Result<Reserved, StoreError>,
    },
    /// To what was asked of the queue.
    Queue {
        /// Who waits for it, where somebody does.
        to: Option<ConnectionKey>,
        /// What was asked.
        ask: QueueAsk,
        /// What came of it.
        result: Result<QueueSaid, StoreError>,
    },
    /// To a note.
    Noted {
        /// The note.
        note: Note,
        /// How it went.
        result: Result<(), StoreError>,
    },
}

impl StoreAnswer {
    /// What went wrong.
    pub fn error(&self) -> Option<&StoreError> {
        match self {
            Self::Account { result, .. } | Self::Vouched { result, .. } => result.as_ref().err(),
            Self::Reserved { result, .. } => result.as_ref().err(),
            Self::Queue { result, .. } => result.as_ref().err(),
            Self::Noted { result, .. } => result.as_ref().err(),
        }
    }
}
