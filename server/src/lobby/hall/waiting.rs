//! A party that waits, and what is known of it beside the store.
//!
//! Owns: whether it is here, whether it waits on, and what about it has no answer yet. Must not know: other parties, who
//! decides what becomes of it.

use matchkeep_shared::ids::MatchId;

use crate::matchmaking::{ProposalId, QueueEnd, QueueTicket, Queued};

/// A party that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) ticket: QueueTicket,
    pub(super) presence: Presence,
    /// Somebody of it is here. A party of which nobody is may wait at another lobby on the same store.
    pub(super) some_here: bool,
    pub(super) standing: Standing,
    /// The wish for a match that it is in.
    pub(super) proposal: Option<ProposalId>,
    /// What was read of it while something that was asked about it had no answer.
    pub(super) news: Option<Queued>,
    /// Its players were told that it waits no longer.
    pub(super) is_told: bool,
}

/// Whether all of a party are here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Presence {
    Here,
    /// Since when, once that was looked at, in milliseconds of Unix time.
    Away(Option<u64>),
}

/// Whether a party waits on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    Waits,
    /// The store was asked to take it out.
    Leaves,
    /// It has to be taken out, and that could not be written; it is tried again then.
    Owed {
        end: QueueEnd,
        due_unix_ms: u64,
    },
    /// The store says that it waits no longer. What became of it is still to be heard.
    Ended,
    /// It was taken for a match that is over or gone or was not made, and is put back into the queue. Where that could not
    /// be written, it is tried again then.
    Returns {
        taken_for: MatchId,
        due_unix_ms: Option<u64>,
    },
}

impl Waiting {
    /// It is in the queue, and who of it is here is not known yet.
    pub(super) fn new(ticket: QueueTicket) -> Self {
        Self {
            ticket,
            presence: Presence::Away(None),
            some_here: false,
            standing: Standing::Waits,
            proposal: None,
            news: None,
            is_told: false,
        }
    }

    /// Whether what was asked about it has no answer yet.
    pub(super) fn is_busy(&self) -> bool {
        self.proposal.is_some()
            || matches!(self.standing, Standing::Leaves | Standing::Returns { .. })
    }

    /// Whether the matchmaker sees it.
    pub(super) fn is_offered(&self) -> bool {
        self.presence == Presence::Here && self.standing == Standing::Waits
    }
}
