//! The server, as a library for studios and behind the binary `matchkeep`.
pub mod admin;
mod cli;
pub mod control;
pub mod data_dir;
pub mod identity;
pub mod lobby;
pub mod matches;
pub mod node;
pub mod replication;
pub mod settings;
pub mod shard;
pub mod store;
pub mod tickets;
mod wall;
pub use cli::run;
