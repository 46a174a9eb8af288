//! The queue: parties that wait for a match, and what became of them.
//!
//! Owns: the shapes, and the [`Queue`] seam, a part of [`Directory`](super::Directory). Must not know: who
//! plays with whom, SQL (that is in `tables`).
//!
//! A player waits once. Whoever asks again for the same goes on waiting: an answer that was lost, or a lobby
//! that died, costs nobody their place. Parties are taken out of the queue by one conditional write,
//! [`Queue::form`], all of them or none, so that any number of lobbies may work on one store.

pub(super) mod tables;

use matchkeep_shared::ids::{MatchId, PlayerId};

use super::directory::StoreError;
use crate::matchmaking::{Placed, QueueTicket, QueueTicketId, Rating};

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

/// The part of the directory that keeps the queue and ratings. What is said of writes there is so here.
pub trait Queue {
    /// Has a party wait. One of the same players, with the same leader and for the same mode, that waits
    /// already is the answer, with the time since when it waits. So is one that was taken for a match that goes
    /// on, unless they are done with that: whoever asks again because an answer was lost has a match already.
    ///
    /// # Errors
    /// [`StoreError::WaitsElsewhere`] where one of them waits in another party or for another mode,
    /// [`StoreError::QueueCrowded`], [`StoreError::PartyInvalid`] or storage's own.
    fn enqueue(&mut self, new: &NewTicket) -> Result<Queued, StoreError>;

    /// Takes a party out of the queue, and says whether it waited. One that does not, or that nobody knows, is
    /// left as it is.
    ///
    /// # Errors
    /// Storage's own.
    fn cancel_queued(
        &mut self,
        id: QueueTicketId,
        end: QueueEnd,
        now_unix_ms: u64,
    ) -> Result<bool, StoreError>;

    /// Takes parties for a match, all of them or none. The same again is the same answer.
    ///
    /// # Errors
    /// Storage's own.
    fn form(&mut self, form: &FormMatch) -> Result<Formed, StoreError>;

    /// What changed in the queue after change number `after`, each party once as it now is, in the order of the
    /// changes: at most `limit`, and never more than
    /// [`QUEUE_CHANGES_MAX`](matchkeep_shared::limits::QUEUE_CHANGES_MAX). From 0 on it is all there is.
    ///
    /// # Errors
    /// Storage's own.
    fn queue_changes(&self, after: u64, limit: usize) -> Result<Vec<Queued>, StoreError>;

    /// Where a player waits; else what became of the last time.
    ///
    /// # Errors
    /// Storage's own.
    fn queue_of(&self, player: PlayerId) -> Result<Option<Queued>, StoreError>;

    /// Matches that were promised and are not made, the oldest first: at most
    /// [`QUEUE_CHANGES_MAX`](matchkeep_shared::limits::QUEUE_CHANGES_MAX).
    ///
    /// # Errors
    /// Storage's own.
    fn promised(&self) -> Result<Vec<Promised>, StoreError>;

    /// Lets go of parties that left the queue before this time, at most
    /// [`QUEUE_FORGOTTEN_MAX`](matchkeep_shared::limits::QUEUE_FORGOTTEN_MAX), and says how many.
    ///
    /// # Errors
    /// Storage's own.
    fn forget_queued(&mut self, before_unix_ms: u64) -> Result<u64, StoreError>;

    /// Players' ratings on a ladder, in the order asked; a newcomer's where there is none yet.
    ///
    /// # Errors
    /// Storage's own.
    fn ratings(&self, ladder: &str, players: &[PlayerId]) -> Result<Vec<Rating>, StoreError>;
}

#[cfg(test)]
mod tests;
