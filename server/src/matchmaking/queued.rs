//! The queue as plain values: parties that want to wait, that wait, and what became of them.
//!
//! Owns: the shapes, for who matches parties and who keeps them. Must not know: how they are kept.

use matchkeep_shared::ids::{MatchId, PlayerId};

use super::rating::Rating;
use super::ticket::{QueueTicket, QueueTicketId};
use super::wish::{Placed, ProposalId};

/// Names a lobby that works on the store, for as long as it keeps the name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LobbyId(pub u64);

/// A party that wants to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTicket {
    /// The mode; also the ladder whose ratings count.
    pub mode: String,
    /// Its leader first.
    pub members: Vec<PlayerId>,
    /// Since when, in milliseconds of Unix time.
    pub queued_unix_ms: u64,
    /// The match they had last, which is over for them as far as whoever writes this knows.
    pub done_with: Option<MatchId>,
}

/// A party in the queue, or that was there a little while ago.
#[derive(Clone, Debug, PartialEq)]
pub struct Queued {
    /// The party, with the ratings it has now.
    pub ticket: QueueTicket,
    /// What became of it.
    pub state: QueueState,
    /// Which change of the queue made it so; a later one has a higher number.
    pub change: u64,
}

/// What became of a party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueState {
    /// It waits.
    Waiting,
    /// It has a match.
    Taken(Taken),
    /// It wanted no longer.
    Cancelled,
    /// It waited for too long.
    GivenUp,
}

/// A match that a party was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The match. It may not be there yet.
    pub match_id: MatchId,
    /// The party's team, counting from 0, in a mode that has teams.
    pub team: Option<u8>,
    /// Who took it, and has to make the match.
    pub lobby: LobbyId,
    /// When, in milliseconds of Unix time.
    pub unix_ms: u64,
}

/// Why a party leaves the queue without a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueEnd {
    /// It wants no longer.
    Cancelled,
    /// It waited for too long.
    GivenUp,
}

/// The one write that takes parties for a match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormMatch {
    /// The match: a new one, or one that runs.
    pub match_id: MatchId,
    /// Those who go there.
    pub tickets: Vec<Placed>,
    /// Who takes them.
    pub lobby: LobbyId,
    /// When, in milliseconds of Unix time.
    pub now_unix_ms: u64,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Formed {
    /// All parties are the match's.
    Taken,
    /// None is: these wait no longer.
    Refused {
        /// Which.
        gone: Vec<QueueTicketId>,
    },
}

/// A match that parties were taken for and that the store does not know yet: who promised it died on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Promised {
    /// The match.
    pub match_id: MatchId,
    /// Who promised it.
    pub lobby: LobbyId,
    /// When, in milliseconds of Unix time.
    pub unix_ms: u64,
    /// Its parties, each with its team.
    pub tickets: Vec<(QueueTicket, Option<u8>)>,
}

/// What is asked of who keeps the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueAsk {
    /// A party wants to wait.
    Enqueue(NewTicket),
    /// A party waits no longer.
    End {
        /// Which.
        ticket: QueueTicketId,
        /// Why.
        end: QueueEnd,
        /// When, in milliseconds of Unix time.
        now_unix_ms: u64,
    },
    /// Parties are to be taken for a match, all of them or none.
    Form {
        /// The wish that this is the answer to; to the store it says nothing.
        proposal: ProposalId,
        /// Whether the match runs already; that is for whoever asked, too.
        fills: bool,
        /// The match.
        form: FormMatch,
    },
    /// What changed after this change.
    Changes {
        /// Its number.
        after: u64,
    },
    /// Which matches were promised and not made.
    Promised {
        /// Those behind this one, in the order of their IDs; `None` from the first one on.
        after: Option<MatchId>,
    },
    /// How good the players of a match are.
    Ratings {
        /// The match; it is for whoever asked.
        match_id: MatchId,
        /// The ladder whose ratings count.
        ladder: String,
        /// The players.
        players: Vec<PlayerId>,
    },
    /// What is older than this can go.
    Forget {
        /// In milliseconds of Unix time.
        before_unix_ms: u64,
    },
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum QueueSaid {
    /// The party in the queue, or what it has already.
    Enqueued(Queued),
    /// Whether it waited.
    Ended(bool),
    /// Whether the match has them.
    Formed(Formed),
    /// In the order in which they happened.
    Changes(Vec<Queued>),
    /// In the order of their IDs, each with all its parties.
    Promised(Vec<Promised>),
    /// In the order of the question.
    Ratings(Vec<Rating>),
    /// How many parties were let go of.
    Forgotten(u64),
}
