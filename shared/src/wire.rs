//! What crosses the network, bit by bit. `docs/PROTOCOL.md` draws it.
//!
//! Datagrams are bit-packed and decode by themselves ([`client`], [`snapshot`]); what must arrive
//! travels in framed messages on one stream ([`message`]). Everything here decodes bytes of strangers:
//! bounded cost, no panic, strict (nothing may follow a message).

pub mod bits;
pub mod client;
pub mod codec;
pub mod frame;
pub mod lobby;
pub mod message;
pub mod plain;
pub mod snapshot;

/// Names protocol and version of a lobby connection (ALPN).
pub const ALPN_LOBBY: &[u8] = b"matchkeep-lobby/1";
/// Names protocol and version of a match connection (ALPN).
pub const ALPN_MATCH: &[u8] = b"matchkeep-match/1";

/// Bits that are none of the protocol, and which part of it they were taken for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("malformed {0}")]
pub struct Malformed(pub &'static str);
