//! The server.
pub mod matches;
pub mod replication;
pub mod shard;
pub mod tickets;
