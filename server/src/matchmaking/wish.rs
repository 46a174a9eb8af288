//! What the matchmaker wants done.

use std::fmt;

use matchkeep_shared::ids::MatchId;

use super::ticket::QueueTicketId;

/// Names a wish until it is answered. Counts from 1 with each matchmaker.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ProposalId(pub u64);

impl fmt::Display for ProposalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Something to be written down, all of it or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A new match of these parties, the one that waited longest first.
    Form {
        /// To answer it by.
        proposal: ProposalId,
        /// Its mode.
        mode: String,
        /// Who plays, and for which team.
        tickets: Vec<Placed>,
    },
    /// One more party for a running match.
    Fill {
        /// To answer it by.
        proposal: ProposalId,
        /// The match.
        match_id: MatchId,
        /// Who comes, and into which team.
        ticket: Placed,
    },
    /// The party waited for as long as its mode allows. The matchmaker has forgotten it; where that cannot be
    /// written down, hand it in again.
    GiveUp {
        /// Which.
        ticket: QueueTicketId,
    },
}

/// A party's place in a match.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placed {
    /// The party.
    pub ticket: QueueTicketId,
    /// Its team, counting from 0, in a mode that has teams.
    pub team: Option<u8>,
}
