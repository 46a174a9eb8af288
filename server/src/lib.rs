//! x
pub mod replication;
