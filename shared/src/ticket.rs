//! Tickets: a signed, short-lived, single-use permission for one player to join one match. And tokens:
//! what a match gives its players to come back with.
//!
//! This file owns the bytes; keys and signatures belong to the server. A client carries tickets and tokens
//! without looking into them.

use serde::{Deserialize, Serialize};

use crate::ids::{MatchId, PlayerId, Slot};
use crate::limits::PLAYER_NAME_BYTES_MAX;

/// What a ticket says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketClaims {
    /// Unique for ever; what "single use" counts by.
    pub id: [u8; 16],
    /// The only match the ticket opens.
    pub match_id: MatchId,
    /// The only player it opens it for.
    pub player: PlayerId,
    /// The name the player is shown under.
    pub name: String,
    /// When it ends, in milliseconds of Unix time.
    pub expires_unix_ms: u64,
}

/// Bytes of the signature (Ed25519) that ends a ticket.
pub const SIGNATURE_BYTES: usize = 64;
/// The most bytes a ticket can have.
pub const TICKET_BYTES_MAX: usize = 16 + 9 + 9 + 9 + 9 + PLAYER_NAME_BYTES_MAX + SIGNATURE_BYTES;
/// What is signed begins with this, so that a signature for one purpose serves no other.
pub const SIGNING_CONTEXT: &[u8] = b"matchkeep ticket 1\0";

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenClaims {
    /// The only match the token opens.
    pub match_id: MatchId,
    /// The only player it opens it for.
    pub player: PlayerId,
    /// The only place it leads back to.
    pub slot: Slot,
    /// Counts the periods in which tokens are issued, in the match's ticks; the current one's and the one
    /// before are good.
    pub period: u64,
    /// When it ends in any case, in milliseconds of Unix time.
    pub expires_unix_ms: u64,
}

/// The most bytes a token can have.
pub const TOKEN_BYTES_MAX: usize = 9 + 9 + 1 + 9 + 9 + SIGNATURE_BYTES;
/// What is signed of a token begins with this.
pub const TOKEN_SIGNING_CONTEXT: &[u8] = b"matchkeep token 1\0";

/// A name as it may be shown: 1 to 24 bytes, no control characters, no space at either end.
pub fn is_player_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= PLAYER_NAME_BYTES_MAX
        && name.trim() == name
        && !name.chars().any(char::is_control)
}
