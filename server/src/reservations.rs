//! What is written down of a private match before there is one. Plain values, for who wants them and who keeps them.

use matchkeep_shared::ids::{MatchId, PlayerId};

/// A private match that a player wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateMatch {
    /// Who wants it.
    pub owner: PlayerId,
    /// The player's own number for the request: the same one again leads to the same match.
    pub request: u64,
    /// The match to be made, where the request is new.
    pub match_id: MatchId,
    /// What it is joined with.
    pub code: String,
}

/// What a request led to, now or when it came first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// The match.
    pub match_id: MatchId,
    /// What it is joined with.
    pub code: String,
    /// Whether there is a record of the match: it was made, and may be over.
    pub was_made: bool,
}
