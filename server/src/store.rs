//! What is durable: players, matches, their results and their journals, who waits for a match and how good they
//! are, in `matches.db`.
//!
//! Owns: the [`Directory`] seam, its SQLite form and the journal's, the one thread that writes, and how
//! operators read.
//! Must not know: shards, sessions, what a game's state is, and what time it is; time is an argument.
//!
//! * [`Store`] is what the server holds: a handle that queues writes and answers when they are durable.
//! * [`SqliteDirectory`] and [`SqliteJournal`] are what the thread behind it writes to.
//! * [`JournalHandle`] hands over pieces of journals, from shards too.
//! * [`History`] reads a data folder, with or without a server that has it open.
//! * [`AuditBook`] notes changes that are kept elsewhere in the folder, beside a server too.
//! * [`PlayerBook`] bans players and revokes what they showed, beside a server too.
//! * [`TokenBook`] makes and revokes tokens of the admin interface, beside a server too.

mod audit;
mod audit_book;
mod directory;
mod handle;
mod history;
mod journal;
mod pending;
mod players;
mod private;
mod query;
mod queue;
mod ratings;
mod record;
mod schema;
mod sqlite;
mod thread;
mod tokens;

pub use audit::{AuditEntry, AuditFilter, AuditKey, AuditOutcome, AuditRow};
pub use audit_book::AuditBook;
pub use directory::{Directory, StoreError};
pub use handle::{JournalHandle, NotTaken};
pub use history::History;
pub use journal::{SqliteJournal, SqliteJournalReader};
pub use pending::Pending;
pub use players::{PlayerBook, PlayerError, PlayerRow};
pub use queue::Queue;
pub use record::{
    FinishedMatch, ListFilter, MatchRecord, MatchState, MatchSummary, NewMatch, PlayerRecord, Stat,
};
pub use schema::{DATABASE_FILE, StoreOpenError};
pub use sqlite::SqliteDirectory;
pub use thread::{OnReport, Store};
pub use tokens::{TokenBook, TokenError, Tokens};
