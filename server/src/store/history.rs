//! Reading what a data folder holds, for the admin interface and the command line.
//!
//! Owns: a read-only connection of its own, so that a long list never delays a write. Must not know:
//! whether a server runs.

use std::path::Path;

use matchkeep_shared::ids::{MatchId, PlayerId};
use rusqlite::Connection;

use super::audit::{self, AuditFilter, AuditRow};
use super::directory::StoreError;
use super::players::{self, PlayerError, PlayerRow};
use super::query::{self, QueryError};
use super::queue;
use super::record::{ListFilter, MatchRecord, MatchSummary};
use super::schema::{self, DATABASE_FILE, StoreOpenError};
use super::sqlite::sqlite_error;
use super::tokens::{self, Tokens};
use crate::accounts::Barred;
use crate::matchmaking::Queued;

/// The matches of a data folder, read-only. Its calls read from disk: not for an async task's thread.
pub struct History {
    connection: Connection,
    database: String,
}

impl History {
    /// Opens the database in a data folder, with a server at work on it or without.
    ///
    /// # Errors
    /// [`StoreOpenError`]; [`StoreOpenError::Missing`] where there is none, and none is made.
    pub fn open(folder: &Path) -> Result<Self, StoreOpenError> {
        let connection = schema::open_for_reading(folder)?;
        let database = folder.join(DATABASE_FILE).to_string_lossy().into_owned();
        Ok(Self { connection, database })
    }

    /// Matches, newest first.
    ///
    /// # Errors
    /// [`StoreError::UnknownMatch`] where the filter names one; [`StoreError::Busy`],
    /// [`StoreError::Broken`] and [`StoreError::Damaged`] where the file cannot be read.
    pub fn list(&self, filter: &ListFilter) -> Result<Vec<MatchSummary>, StoreError> {
        self.consistent(|connection| query::list(connection, filter))
    }

    /// One match with its players.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn show(&self, id: MatchId) -> Result<MatchRecord, StoreError> {
        self.consistent(|connection| query::show(connection, id))
    }

    /// The names of accounts, in the order asked; `None` where there is no such one.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn names(&self, players: &[PlayerId]) -> Result<Vec<Option<String>>, StoreError> {
        self.consistent(|connection| query::names(connection, players))
    }

    /// The tokens that are not revoked, and whether there ever was one.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn tokens(&self) -> Result<Tokens, StoreError> {
        self.consistent(tokens::read)
    }

    /// Players, the newest first: those before `before`, up to `limit`, only the banned ones where these are wanted.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn players(
        &self,
        before: Option<u64>,
        limit: usize,
        banned: bool,
        now_unix_ms: u64,
    ) -> Result<Vec<PlayerRow>, StoreError> {
        self.consistent(|connection| players::list(connection, before, limit, banned, now_unix_ms))
    }

    /// The player whom somebody means, by number, name, or what an identity provider says.
    ///
    /// # Errors
    /// [`PlayerError::Unknown`] and [`PlayerError::Ambiguous`]; else as [`list`](Self::list).
    pub fn player(&self, name: &str, now_unix_ms: u64) -> Result<PlayerRow, PlayerError> {
        self.consistent(|connection| players::find(connection, name, now_unix_ms))?
    }

    /// Parties that wait for a match, the one that waited longest first; with `all` also those that waited until a
    /// little while ago. Of one mode, where one is given.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn queue(
        &self,
        mode: Option<&str>,
        all: bool,
        limit: usize,
    ) -> Result<Vec<Queued>, StoreError> {
        self.consistent(|connection| queue::tables::list(connection, mode, all, limit))
    }

    /// Who was banned or revoked since a moment of Unix time.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn barred(&self, since_unix_ms: u64, now_unix_ms: u64) -> Result<Barred, StoreError> {
        self.consistent(|connection| players::barred(connection, since_unix_ms, now_unix_ms))
    }

    /// Rows of the audit log, newest first.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditRow>, StoreError> {
        self.consistent(|connection| audit::list(connection, filter))
    }

    /// Reads in one transaction: a result that comes meanwhile is seen whole or not at all.
    fn consistent<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, QueryError>,
    ) -> Result<T, StoreError> {
        let read_all = || {
            let transaction = self.connection.unchecked_transaction()?;
            read(&transaction)
        };
        read_all().map_err(|error| match error {
            QueryError::Store(error) => error,
            QueryError::Sqlite(error) => sqlite_error(&self.database, &error),
        })
    }
}
