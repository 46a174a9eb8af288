//! The directory in SQLite.
//!
//! Owns: the writes, and which of SQLite's errors mean what. Must not know: threads and queues, and
//! what the tables' definition is beyond their columns.

use std::path::Path;

use matchkeep_shared::ids::{MatchId, PlayerId};
use matchkeep_shared::ticket::is_player_name;
use rusqlite::{Connection, ErrorCode, OptionalExtension, ffi, params};

use super::audit::{self, AuditEntry, AuditKey, AuditOutcome};
use super::directory::{Directory, StoreError};
use super::query::{self, QueryError};
use super::queue::{Queue, tables};
use super::ratings;
use super::record::{
    FinishedMatch, ListFilter, MatchRecord, MatchState, MatchSummary, NewMatch, PlayerRecord,
};
use super::schema::{self, DATABASE_FILE, StoreOpenError};
use super::{players, private};
use crate::accounts::{Account, AccountKey};
use crate::matchmaking::{
    FormMatch, Formed, NewTicket, Promised, QueueEnd, QueueTicketId, Queued, Rating,
};
use crate::reservations::{PrivateMatch, Reserved};

/// Players, matches and results in `matches.db` (write-ahead log, `synchronous=FULL`).
pub struct SqliteDirectory {
    connection: Connection,
    database: String,
}

impl SqliteDirectory {
    /// Opens the database in a data folder; makes it or brings it up to date. The folder's lock is the
    /// caller's to hold.
    ///
    /// # Errors
    /// [`StoreOpenError`]. What is not ours, or a later version's, is left as it was.
    pub fn open(folder: &Path) -> Result<Self, StoreOpenError> {
        let connection = schema::open_for_writing(folder)?;
        let database = folder.join(DATABASE_FILE).to_string_lossy().into_owned();
        Ok(Self { connection, database })
    }

    fn query<T>(&self, result: Result<T, QueryError>) -> Result<T, StoreError> {
        result.map_err(|error| self.error(error))
    }

    fn error(&self, error: QueryError) -> StoreError {
        match error {
            QueryError::Store(error) => error,
            QueryError::Sqlite(error) => sqlite_error(&self.database, &error),
        }
    }

    fn execute(&self, sql: &str) -> Result<(), StoreError> {
        self.query(self.connection.execute_batch(sql).map_err(QueryError::from))
    }

    fn try_player(&self, name: &str, now_unix_ms: u64) -> Result<PlayerId, QueryError> {
        if !is_player_name(name) {
            let shown = name.chars().take(40).collect();
            return Err(StoreError::NameInvalid(shown).into());
        }
        let found: Option<i64> = self
            .connection
            .prepare("SELECT id FROM players WHERE name = ?")?
            .query_row([name], |row| row.get(0))
            .optional()?;
        let id = match found {
            Some(id) => id,
            None => self
                .connection
                .prepare("INSERT INTO players (name, created_unix_ms) VALUES (?, ?)")?
                .insert((name, integer("created_unix_ms", now_unix_ms)?))?,
        };
        let id = u64::try_from(id)
            .map_err(|_| StoreError::Damaged { what: "players.id", value: id.to_string() })?;
        Ok(PlayerId(id))
    }

    fn try_create(&self, new: &NewMatch) -> Result<(), QueryError> {
        match query::show(&self.connection, new.id) {
            Err(QueryError::Store(StoreError::UnknownMatch(_))) => {}
            Err(error) => return Err(error),
            Ok(found)
                if is_same_match(&found.summary, new) && self.ladder(new.id)? == new.ladder =>
            {
                return Ok(());
            }
            Ok(_) => return Err(StoreError::MatchDiffers(new.id).into()),
        }
        let mut insert = self.connection.prepare(
            "INSERT INTO matches (id, mode, game, rules_version, map, shard, tick_rate_hz,
                created_unix_ms, ladder, state)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'running')",
        )?;
        insert.execute(params![
            new.id.to_string(),
            new.mode,
            new.game,
            new.rules_version,
            new.map,
            new.shard.0,
            u16::from(new.tick_rate),
            integer("created_unix_ms", new.created_unix_ms)?,
            new.ladder,
        ])?;
        Ok(())
    }

    /// The ladder that a match counts for.
    fn ladder(&self, id: MatchId) -> Result<Option<String>, QueryError> {
        let mut statement = self.connection.prepare("SELECT ladder FROM matches WHERE id = ?")?;
        Ok(statement.query_row([id.to_string()], |row| row.get(0))?)
    }

    fn try_finish(&self, finished: &FinishedMatch) -> Result<(), QueryError> {
        let id = finished.id;
        let found = query::show(&self.connection, id)?;
        if found.summary.state == MatchState::Finished {
            let same = found.summary.ticks == Some(finished.ticks.0)
                && found.summary.reason.as_deref() == Some(&finished.outcome.reason)
                && found.players == PlayerRecord::list(&finished.outcome);
            return if same { Ok(()) } else { Err(StoreError::ResultDiffers(id).into()) };
        }

        // Everything that can be the caller's mistake comes before the first write.
        let ended = integer("ended_unix_ms", finished.ended_unix_ms)?;
        let ticks = integer("ticks", finished.ticks.0)?;
        let mut account = self.connection.prepare("SELECT 1 FROM players WHERE id = ?")?;
        for result in &finished.outcome.players {
            let unknown = StoreError::UnknownPlayer { match_id: id, player: result.player };
            let Ok(player) = integer("player", result.player.0) else { return Err(unknown.into()) };
            if !account.exists([player])? {
                return Err(unknown.into());
            }
        }

        let ladder = self.ladder(id)?;
        let rated = match &ladder {
            Some(ladder) => ratings::after(&self.connection, ladder, &finished.outcome)?,
            None => Vec::new(),
        };

        let match_text = id.to_string();
        self.connection
            .prepare(
                "UPDATE matches SET state = 'finished', ended_unix_ms = ?, ticks = ?, reason = ?
                 WHERE id = ?",
            )?
            .execute((ended, ticks, &finished.outcome.reason, &match_text))?;
        let mut insert_player = self.connection.prepare(
            "INSERT INTO match_players (match, position, player, name, team, place, score)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )?;
        let mut insert_stat = self.connection.prepare(
            "INSERT INTO player_stats (match, position, player, nth, name, value)
             VALUES (?, ?, ?, ?, ?, ?)",
        )?;
        for (position, result) in finished.outcome.players.iter().enumerate() {
            let position = position as i64;
            let player = integer("player", result.player.0)?;
            insert_player.execute(params![
                match_text,
                position,
                player,
                result.name,
                result.team,
                result.place,
                result.score,
            ])?;
            for (nth, (name, value)) in result.stats.iter().enumerate() {
                insert_stat
                    .execute(params![match_text, position, player, nth as i64, name, value])?;
            }
        }
        if let Some(ladder) = &ladder {
            ratings::write(&self.connection, ladder, &rated, ended)?;
        }
        Ok(())
    }

    fn try_interrupt_running(&self) -> Result<u64, QueryError> {
        let changed = self.connection.execute(
            "UPDATE matches SET state = 'interrupted', reason = 'the server stopped'
             WHERE state = 'running'
                AND NOT EXISTS (SELECT 1 FROM journals WHERE journals.match = matches.id)",
            (),
        )?;
        Ok(changed as u64)
    }

    fn try_quarantine(&self, id: MatchId, why: &str) -> Result<(), QueryError> {
        let state = query::show(&self.connection, id)?.summary.state;
        if matches!(state, MatchState::Running | MatchState::Interrupted) {
            self.connection
                .prepare("UPDATE matches SET state = 'quarantined', reason = ? WHERE id = ?")?
                .execute((why, id.to_string()))?;
        }
        Ok(())
    }
}

impl Directory for SqliteDirectory {
    fn begin(&mut self) -> Result<(), StoreError> {
        // Immediate: whoever else holds the database is met here and not in the middle.
        self.execute("BEGIN IMMEDIATE")
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.execute("COMMIT")
    }

    fn roll_back(&mut self) -> Result<(), StoreError> {
        // SQLite has rolled back by itself after some errors.
        if self.connection.is_autocommit() { Ok(()) } else { self.execute("ROLLBACK") }
    }

    fn player(&mut self, name: &str, now_unix_ms: u64) -> Result<PlayerId, StoreError> {
        self.query(self.try_player(name, now_unix_ms))
    }

    fn account(&mut self, key: &AccountKey, now_unix_ms: u64) -> Result<Account, StoreError> {
        let player = match key {
            AccountKey::Name(name) => self.try_player(name, now_unix_ms),
            AccountKey::Identity { issuer, subject, name } => {
                players::identified(&self.connection, issuer, subject, name, now_unix_ms)
            }
        };
        let account = player.and_then(|id| players::account(&self.connection, id, now_unix_ms));
        self.query(account)
    }

    fn reserve(&mut self, wanted: &PrivateMatch, now_unix_ms: u64) -> Result<Reserved, StoreError> {
        self.query(private::reserve(&self.connection, wanted, now_unix_ms))
    }

    fn private(&self, id: MatchId) -> Result<Option<PrivateMatch>, StoreError> {
        self.query(private::find(&self.connection, id))
    }

    fn create(&mut self, new: &NewMatch) -> Result<(), StoreError> {
        self.query(self.try_create(new))
    }

    fn finish(&mut self, finished: &FinishedMatch) -> Result<(), StoreError> {
        self.query(self.try_finish(finished))
    }

    fn interrupt_running(&mut self) -> Result<u64, StoreError> {
        self.query(self.try_interrupt_running())
    }

    fn quarantine(&mut self, id: MatchId, why: &str) -> Result<(), StoreError> {
        self.query(self.try_quarantine(id, why))
    }

    fn audit(&mut self, key: AuditKey, entry: &AuditEntry) -> Result<(), StoreError> {
        self.query(audit::add(&self.connection, key, entry))
    }

    fn settle_audit(
        &mut self,
        key: AuditKey,
        outcome: AuditOutcome,
        why: Option<&str>,
    ) -> Result<(), StoreError> {
        self.query(audit::settle(&self.connection, key, outcome, why))
    }

    fn list(&self, filter: &ListFilter) -> Result<Vec<MatchSummary>, StoreError> {
        self.query(query::list(&self.connection, filter))
    }

    fn show(&self, id: MatchId) -> Result<MatchRecord, StoreError> {
        self.query(query::show(&self.connection, id))
    }
}

impl Queue for SqliteDirectory {
    fn enqueue(&mut self, new: &NewTicket) -> Result<Queued, StoreError> {
        self.query(tables::enqueue(&self.connection, new))
    }

    fn cancel_queued(
        &mut self,
        id: QueueTicketId,
        end: QueueEnd,
        now_unix_ms: u64,
    ) -> Result<bool, StoreError> {
        self.query(tables::cancel(&self.connection, id, end, now_unix_ms))
    }

    fn form(&mut self, form: &FormMatch) -> Result<Formed, StoreError> {
        self.query(tables::form(&self.connection, form))
    }

    fn queue_changes(&self, after: u64, limit: usize) -> Result<Vec<Queued>, StoreError> {
        self.query(tables::changes(&self.connection, after, limit))
    }

    fn queue_of(&self, player: PlayerId) -> Result<Option<Queued>, StoreError> {
        self.query(tables::of_player(&self.connection, player))
    }

    fn promised_after(&self, after: Option<MatchId>) -> Result<Vec<Promised>, StoreError> {
        self.query(tables::promised(&self.connection, after))
    }

    fn forget_queued(&mut self, before_unix_ms: u64) -> Result<u64, StoreError> {
        self.query(tables::forget(&self.connection, before_unix_ms))
    }

    fn ratings(&self, ladder: &str, players: &[PlayerId]) -> Result<Vec<Rating>, StoreError> {
        let read = |player: &PlayerId| ratings::read(&self.connection, ladder, *player);
        self.query(players.iter().map(read).collect())
    }
}

fn is_same_match(found: &MatchSummary, new: &NewMatch) -> bool {
    found.mode == new.mode
        && found.game == new.game
        && found.rules_version == new.rules_version
        && found.map == new.map
        && found.shard == new.shard
        && found.tick_rate_hz == u16::from(new.tick_rate)
        && found.created_unix_ms == new.created_unix_ms
}

/// SQLite's integers are signed.
pub(super) fn integer(what: &'static str, value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::TooLarge { what, value })
}

/// Two errors pass; after any other nothing is trusted.
pub(super) fn sqlite_error(database: &str, error: &rusqlite::Error) -> StoreError {
    let database = database.to_owned();
    match error.sqlite_error() {
        // The log's index lives in a file of its own, and growing that reports a full disk so. It holds
        // nothing that must last.
        Some(e) if e.extended_code == ffi::SQLITE_IOERR_SHMSIZE => StoreError::Full { database },
        Some(e) if e.code == ErrorCode::DiskFull => StoreError::Full { database },
        Some(e) if matches!(e.code, ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            StoreError::Busy { database }
        }
        _ => StoreError::Broken { cause: format!("{database}: {error}") },
    }
}

#[cfg(test)]
mod tests;
