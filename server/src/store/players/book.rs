//! Bans, revocations, and their end.
//!
//! Owns: changing them in a short transaction beside a server that may have the database open, with a row of the audit
//! log. Must not know: who asks.

use std::path::Path;

use matchkeep_shared::ids::PlayerId;
use matchkeep_shared::limits::BAN_REASON_BYTES_MAX;
use rusqlite::{Connection, TransactionBehavior};
use serde_json::json;

use super::super::audit;
use super::super::directory::StoreError;
use super::super::query::QueryError;
use super::super::schema::{self, DATABASE_FILE, StoreOpenError};
use super::super::sqlite::{integer, sqlite_error};
use super::{PlayerError, PlayerRow, find};
use crate::accounts::Ban;

/// A folder's players, to be judged.
pub struct PlayerBook {
    connection: Connection,
    database: String,
}

impl PlayerBook {
    /// Of a database that is there and of this version, beside a server or without one.
    ///
    /// # Errors
    /// [`StoreOpenError`].
    pub fn beside(folder: &Path) -> Result<Self, StoreOpenError> {
        let connection = schema::open_beside(folder)?;
        let database = folder.join(DATABASE_FILE).to_string_lossy().into_owned();
        Ok(Self { connection, database })
    }

    /// Bans a player, for good or until a moment: with the ban's end, what the player may do is as before. Another ban
    /// takes the place of the one in force. It is durable when this returns; so are the others.
    ///
    /// # Errors
    /// [`PlayerError`].
    pub fn ban(
        &mut self,
        name: &str,
        ban: &Ban,
        now_unix_ms: u64,
    ) -> Result<PlayerRow, PlayerError> {
        if ban.reason.is_empty() || ban.reason.len() > BAN_REASON_BYTES_MAX {
            return Err(PlayerError::Reason(ban.reason.len()));
        }
        self.change(name, now_unix_ms, |connection, id| {
            let now = integer("now_unix_ms", now_unix_ms)?;
            lift(connection, id, now)?;
            let until = ban.until_unix_ms.map(|until| integer("until_unix_ms", until)).transpose()?;
            connection.execute(
                "INSERT INTO bans (player, reason, made_unix_ms, until_unix_ms) VALUES (?, ?, ?, ?)",
                (integer("player", id.0)?, &ban.reason, now, until),
            )?;
            let arguments =
                json!({ "player": id.0, "reason": ban.reason, "until_unix_ms": ban.until_unix_ms });
            Ok(audit::note(connection, "player ban", arguments, now_unix_ms)?)
        })
    }

    /// Lifts a ban.
    ///
    /// # Errors
    /// [`PlayerError`].
    pub fn unban(&mut self, name: &str, now_unix_ms: u64) -> Result<PlayerRow, PlayerError> {
        self.change(name, now_unix_ms, |connection, id| {
            if lift(connection, id, integer("now_unix_ms", now_unix_ms)?)? == 0 {
                return Err(PlayerError::NotBanned(id).into());
            }
            Ok(audit::note(connection, "player unban", json!({ "player": id.0 }), now_unix_ms)?)
        })
    }

    /// Revokes what a player showed, and was given, until now.
    ///
    /// # Errors
    /// [`PlayerError`].
    pub fn revoke(&mut self, name: &str, now_unix_ms: u64) -> Result<PlayerRow, PlayerError> {
        self.change(name, now_unix_ms, |connection, id| {
            connection.execute(
                "INSERT INTO revocations (player, unix_ms) VALUES (?1, ?2)
                 ON CONFLICT (player) DO UPDATE SET unix_ms = ?2",
                (integer("player", id.0)?, integer("now_unix_ms", now_unix_ms)?),
            )?;
            Ok(audit::note(connection, "player revoke", json!({ "player": id.0 }), now_unix_ms)?)
        })
    }

    fn change(
        &mut self,
        name: &str,
        now_unix_ms: u64,
        change: impl FnOnce(&Connection, PlayerId) -> Result<(), Fault>,
    ) -> Result<PlayerRow, PlayerError> {
        let change_all = || {
            let transaction =
                self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let id = PlayerId(find(&transaction, name, now_unix_ms)??.player);
            change(&transaction, id)?;
            let row = find(&transaction, &id.0.to_string(), now_unix_ms)??;
            transaction.commit()?;
            Ok(row)
        };
        change_all().map_err(|fault: Fault| match fault {
            Fault::Player(error) => error,
            Fault::Query(QueryError::Store(error)) => error.into(),
            Fault::Query(QueryError::Sqlite(error)) => sqlite_error(&self.database, &error).into(),
        })
    }
}

/// Lifts the bans of a player; says how many there were.
fn lift(connection: &Connection, id: PlayerId, now: i64) -> Result<usize, Fault> {
    Ok(connection.execute(
        "UPDATE bans SET lifted_unix_ms = ?2
         WHERE player = ?1 AND lifted_unix_ms IS NULL AND (until_unix_ms IS NULL OR until_unix_ms > ?2)",
        (integer("player", id.0)?, now),
    )?)
}

/// What goes wrong within a transaction.
enum Fault {
    Player(PlayerError),
    Query(QueryError),
}

impl From<PlayerError> for Fault {
    fn from(error: PlayerError) -> Self {
        Self::Player(error)
    }
}

impl From<QueryError> for Fault {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Query(error.into())
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Query(error.into())
    }
}
