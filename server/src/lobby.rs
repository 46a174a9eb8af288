//! The lobby: authenticates players, finds them a match, and knows where every match is.
//!
//! [`core`] is sans-IO: requests, shard events and time go in, actions come out. [`endpoint`] puts QUIC
//! around it, behind a [`door`] for so many at a time. Stateless towards the disk: what it knows, the shards know.

pub(crate) mod certificate;
pub mod core;
pub mod door;
pub mod endpoint;
mod hall;
mod parties;
mod placement;
mod reader;
