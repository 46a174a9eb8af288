//! What is durable beside the journal: players, matches and their results, in `matches.db`.
//!
//! Owns: the [`Directory`] seam, its SQLite form, the one thread that writes, and how operators read.
//! Must not know: shards, sessions, what a game's state is, and what time it is; time is an argument.
//!
//! * [`Store`] is what the server holds: a handle that queues writes and answers when they are durable.
//! * [`SqliteDirectory`] is what the thread behind it writes to.
//! * [`History`] reads a data folder, with or without a server that has it open.

mod directory;
mod history;
mod query;
mod record;
mod schema;
mod sqlite;
mod thread;

pub use directory::{Directory, StoreError};
pub use history::History;
pub use record::{
    FinishedMatch, ListFilter, MatchRecord, MatchState, MatchSummary, NewMatch, PlayerRecord, Stat,
};
pub use schema::{DATABASE_FILE, StoreOpenError};
pub use sqlite::SqliteDirectory;
pub use thread::{Pending, Store};
