//! A party that waits for a match.

use std::fmt;

use matchkeep_shared::ids::PlayerId;
use serde::{Deserialize, Serialize};

use super::rating::Rating;

/// Names one party's waiting for ever. Given out by the store, counting from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct QueueTicketId(pub u64);

impl fmt::Display for QueueTicketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One to some players who go into a match, and into a team, together or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueTicket {
    /// Its name.
    pub id: QueueTicketId,
    /// The mode they want.
    pub mode: String,
    /// The party, its leader first.
    pub members: Vec<Member>,
    /// Since when they wait, in milliseconds of Unix time.
    pub queued_unix_ms: u64,
}

/// A player of a party.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The account.
    pub player: PlayerId,
    /// Its name.
    pub name: String,
    /// How good the player is in this mode.
    pub rating: Rating,
}

impl QueueTicket {
    /// The party's strength: the sum of its players' means, as the rating system adds teams up.
    pub fn strength(&self) -> f64 {
        self.members.iter().map(|member| member.rating.mean).sum()
    }

    /// The mean of its players' ratings.
    pub fn mean(&self) -> f64 {
        self.strength() / self.members.len().max(1) as f64
    }
}

/// Why a party cannot wait for a match of a mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// There is no such mode.
    #[error("there is no mode `{0}`: check its name")]
    UnknownMode(String),
    /// Nobody would play.
    #[error("a party has 1 player or more: this one has none")]
    Empty,
    /// They cannot all be in one team.
    #[error("a party of {members} cannot play together: this mode has room for {most} in a team")]
    TooLarge {
        /// How many they are.
        members: usize,
        /// How many they may be.
        most: usize,
    },
}
