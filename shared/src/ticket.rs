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
    /// SHA-256 of a secret of whom it was given to.
    pub binding: [u8; BINDING_BYTES],
    /// When what the player showed to the lobby is good.
    pub identity: Validity,
    /// The team it is for, counting from 0, where matchmaking chose one.
    pub team: Option<u8>,
}

/// When what a player showed to be let in was made, and when it ends, in milliseconds of Unix time. Whatever the player is
/// given on the strength of it says so: a revocation voids what was shown before it, and all that came of that, whenever
/// it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validity {
    /// When it was made, by the clock of who made it.
    pub issued_unix_ms: u64,
    /// When it ends, by the server's clock; [`NEVER`] for a name.
    pub until_unix_ms: u64,
}

/// The end of what does not end.
pub const NEVER: u64 = u64::MAX;
/// Bytes of a client's secret, which it shows with its ticket.
pub const SECRET_BYTES: usize = 32;
/// Bytes of what the lobby is told of it (SHA-256).
pub const BINDING_BYTES: usize = 32;
/// Bytes of the name of the key that signed, with which tickets and tokens begin.
pub const KEY_ID_BYTES: usize = 4;
/// Bytes of the signature (Ed25519) that ends a ticket.
pub const SIGNATURE_BYTES: usize = 64;
/// The most bytes a ticket can have.
pub const TICKET_BYTES_MAX: usize = KEY_ID_BYTES
    + (16 + 9 + 9 + 9 + 9 + PLAYER_NAME_BYTES_MAX + BINDING_BYTES + 9 + 9 + 2)
    + SIGNATURE_BYTES;
/// The most bytes a ticket can have as it is shown: the secret is behind it.
pub const SHOWN_TICKET_BYTES_MAX: usize = TICKET_BYTES_MAX + SECRET_BYTES;
/// What is signed begins with this, so that a signature for one purpose serves no other.
pub const SIGNING_CONTEXT: &[u8] = b"matchkeep ticket 3\0";

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
    /// When what the player showed last is good.
    pub identity: Validity,
}

/// The most bytes a token can have.
pub const TOKEN_BYTES_MAX: usize = KEY_ID_BYTES + (9 + 9 + 1 + 9 + 9 + 9 + 9) + SIGNATURE_BYTES;
/// What is signed of a token begins with this.
pub const TOKEN_SIGNING_CONTEXT: &[u8] = b"matchkeep token 3\0";

/// A name as it may be shown: 1 to 24 bytes, no control characters, no space at either end.
pub fn is_player_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= PLAYER_NAME_BYTES_MAX
        && name.trim() == name
        && !name.chars().any(char::is_control)
}
