//! Changes of a folder that are kept elsewhere than in its database, with their rows of the audit log.
//!
//! Owns: that such a change and its row are one transaction beside a server that may have the database open, so that no
//! two are made at a time. Must not know: what is changed, and who asks.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};
use serde_json::Value;

use super::audit;
use super::directory::StoreError;
use super::query::QueryError;
use super::schema::{self, DATABASE_FILE, StoreOpenError};
use super::sqlite::sqlite_error;

/// A folder's audit log, to be written to.
pub struct AuditBook {
    connection: Connection,
    database: String,
}

impl AuditBook {
    /// Of a database that is there and of this version, beside a server or without one.
    ///
    /// # Errors
    /// [`StoreOpenError`].
    pub fn beside(folder: &Path) -> Result<Self, StoreOpenError> {
        let connection = schema::open_beside(folder)?;
        let database = folder.join(DATABASE_FILE).to_string_lossy().into_owned();
        Ok(Self { connection, database })
    }

    /// Makes a change and notes it, with the arguments that it gives. What was not changed is not noted. Both are
    /// durable when this returns.
    ///
    /// # Errors
    /// What the change says, or the database; where this fails at the last, the change was made and has no row.
    pub fn noting<T, E: From<StoreError>>(
        &mut self,
        what: &str,
        now_unix_ms: u64,
        change: impl FnOnce() -> Result<(T, Value), E>,
    ) -> Result<T, E> {
        let database = &self.database;
        let fault = |error: &rusqlite::Error| E::from(sqlite_error(database, error));
        let begun = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = begun.map_err(|error| fault(&error))?;
        let (changed, arguments) = change()?;
        let noted = audit::note(&transaction, what, arguments, now_unix_ms);
        noted.map_err(|error| match error {
            QueryError::Store(error) => error.into(),
            QueryError::Sqlite(error) => fault(&error),
        })?;
        transaction.commit().map_err(|error| fault(&error))?;
        Ok(changed)
    }
}
