//! The journal in SQLite: the same `matches.db` as the directory, by a connection of its own.
//!
//! Owns: the transactions, the check of epochs in them, and which of SQLite's errors mean what for a
//! journal. Must not know: what records carry, chains, threads.
//!
//! Records lie in the order of their append, never clustered by match; `docs/JOURNAL.md` has the figures.

mod claim;
mod read;
mod retain;

use std::collections::HashMap;
use std::path::Path;

use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::limits::JOURNAL_REASON_BYTES_MAX;
use rusqlite::{Connection, OptionalExtension};

use super::directory::StoreError;
use super::schema::{self, DATABASE_FILE, StoreOpenError};
use super::sqlite::sqlite_error;
use crate::journal::{
    Batch, Claim, Journal, JournalEntry, JournalError, JournalReader, JournalState, Kind, Load,
    Position, Refusal, Retained, Retention, Sealed, Stored,
};

/// Journals in `matches.db` (write-ahead log, `synchronous=FULL`).
pub struct SqliteJournal {
    connection: Connection,
    database: String,
    /// `journals.number` of matches that were written here; it never changes.
    numbers: HashMap<MatchId, i64>,
    broken: Option<JournalError>,
}

/// Journals of a data folder, read-only: beside a server or without one.
pub struct SqliteJournalReader {
    connection: Connection,
    database: String,
}

/// What ends a transaction: SQLite's error, or a value that cannot be.
#[derive(Debug)]
enum Failure {
    Sqlite(rusqlite::Error),
    Damaged { what: &'static str, value: String },
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Failure {
    fn damaged(what: &'static str, value: impl ToString) -> Self {
        Self::Damaged { what, value: value.to_string() }
    }

    fn into_error(self, database: &str) -> JournalError {
        match self {
            Self::Damaged { what, value } => {
                JournalError::Broken { cause: format!("{database}: {what} = `{value}` cannot be") }
            }
            Self::Sqlite(error) => match sqlite_error(database, &error) {
                StoreError::Full { database } => JournalError::Full { place: database },
                StoreError::Busy { database } => JournalError::Busy { place: database },
                StoreError::Broken { cause } => JournalError::Broken { cause },
                other => JournalError::Broken { cause: other.to_string() },
            },
        }
    }
}

impl SqliteJournal {
    /// Opens the database in a data folder; makes it or brings it up to date. The folder's lock is the
    /// caller's to hold.
    ///
    /// # Errors
    /// [`StoreOpenError`]. What is not ours, or a later version's, is left as it was.
    pub fn open(folder: &Path) -> Result<Self, StoreOpenError> {
        let connection = schema::open_for_writing(folder)?;
        let database = folder.join(DATABASE_FILE).to_string_lossy().into_owned();
        Ok(Self { connection, database, numbers: HashMap::new(), broken: None })
    }

    /// Runs `work` in a transaction that is durable when this returns `Ok`.
    fn write<T>(
        &mut self,
        work: impl FnOnce(&Connection, &mut HashMap<MatchId, i64>) -> Result<T, Failure>,
    ) -> Result<T, JournalError> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        let Self { connection, numbers, .. } = self;
        let run = || {
            // Immediate: whoever else holds the database is met here and not in the middle.
            connection.prepare_cached("BEGIN IMMEDIATE")?.execute(())?;
            let value = work(connection, numbers)?;
            connection.prepare_cached("COMMIT")?.execute(())?;
            Ok(value)
        };
        let mut result = run().map_err(|failure: Failure| failure.into_error(&self.database));
        if let Err(error) = &result {
            // Numbers of rows that are no longer there.
            self.numbers.clear();
            // SQLite has rolled back by itself after some errors.
            let is_open = !self.connection.is_autocommit();
            if is_open && let Err(worse) = self.connection.execute_batch("ROLLBACK") {
                let cause = format!("{}: rolling back: {worse}", self.database);
                result = Err(JournalError::Broken { cause });
            } else if error.may_pass() {
                return result;
            }
        }
        self.broken = result.as_ref().err().cloned();
        result
    }

    fn reader(&self) -> Result<read::Reader<'_>, JournalError> {
        match &self.broken {
            Some(broken) => Err(broken.clone()),
            None => Ok(read::Reader { connection: &self.connection, database: &self.database }),
        }
    }
}

impl SqliteJournalReader {
    /// Opens the database in a data folder, with a server at work on it or without.
    ///
    /// # Errors
    /// [`StoreOpenError`]; [`StoreOpenError::Missing`] where there is none, and none is made.
    pub fn open(folder: &Path) -> Result<Self, StoreOpenError> {
        let connection = schema::open_for_reading(folder)?;
        let database = folder.join(DATABASE_FILE).to_string_lossy().into_owned();
        Ok(Self { connection, database })
    }

    fn reader(&self) -> read::Reader<'_> {
        read::Reader { connection: &self.connection, database: &self.database }
    }
}

impl JournalReader for SqliteJournalReader {
    fn load(&self, wanted: &[Load], each: &mut dyn FnMut(&Stored<'_>)) -> Result<(), JournalError> {
        self.reader().load(wanted, each)
    }

    fn list(
        &self,
        state: Option<JournalState>,
        each: &mut dyn FnMut(JournalEntry),
    ) -> Result<(), JournalError> {
        self.reader().list(state, each)
    }

    fn entry(&self, match_id: MatchId) -> Result<Option<JournalEntry>, JournalError> {
        self.reader().entry(match_id)
    }
}

impl JournalReader for SqliteJournal {
    fn load(&self, wanted: &[Load], each: &mut dyn FnMut(&Stored<'_>)) -> Result<(), JournalError> {
        self.reader()?.load(wanted, each)
    }

    fn list(
        &self,
        state: Option<JournalState>,
        each: &mut dyn FnMut(JournalEntry),
    ) -> Result<(), JournalError> {
        self.reader()?.list(state, each)
    }

    fn entry(&self, match_id: MatchId) -> Result<Option<JournalEntry>, JournalError> {
        self.reader()?.entry(match_id)
    }
}

impl Journal for SqliteJournal {
    fn claim(&mut self, claims: &[Claim]) -> Result<Vec<Result<Epoch, Refusal>>, JournalError> {
        self.write(|connection, _| {
            claims.iter().map(|claim| claim::claim(connection, claim)).collect()
        })
    }

    fn append(&mut self, batch: &Batch) -> Result<Vec<(MatchId, Refusal)>, JournalError> {
        self.write(|connection, numbers| {
            let mut appender = Appender::new(connection)?;
            let mut refused: Vec<(MatchId, Refusal)> = Vec::new();
            for sealed in batch.iter() {
                let match_id = sealed.head.match_id;
                if refused.iter().any(|(refused, _)| *refused == match_id) {
                    continue;
                }
                if !appender.append(numbers, &sealed)? {
                    // The first record of a match in a batch decides for all of them: within the
                    // transaction nobody else changes its epoch, and a chain ends with its finish.
                    refused.push((match_id, why_refused(connection, match_id, sealed.head.epoch)?));
                }
            }
            Ok(refused)
        })
    }

    fn quarantine(
        &mut self,
        match_id: MatchId,
        why: &str,
    ) -> Result<Result<(), Refusal>, JournalError> {
        let why = &why[..why.floor_char_boundary(JOURNAL_REASON_BYTES_MAX)];
        self.write(|connection, _| {
            let changed = connection
                .prepare_cached(
                    "UPDATE journals SET state = 'quarantined', why = ?
                     WHERE match = ? AND state IN ('open', 'finished')",
                )?
                .execute((why, match_id.to_string()))?;
            if changed == 1 {
                return Ok(Ok(()));
            }
            Ok(match state(connection, match_id)? {
                None => Err(Refusal::Unknown),
                // Without records there is nothing left to set aside.
                Some(_) => Ok(()),
            })
        })
    }

    fn retain(&mut self, limits: &Retention) -> Result<Retained, JournalError> {
        let limits = *limits;
        self.write(move |connection, _| retain::step(connection, &limits))
    }
}

/// The statements of an append.
struct Appender<'a> {
    connection: &'a Connection,
    next_row: i64,
    /// The check of the epoch: changes nothing where it is another, or the match is closed.
    advance: rusqlite::CachedStatement<'a>,
    insert: rusqlite::CachedStatement<'a>,
    checkpoint: rusqlite::CachedStatement<'a>,
}

impl<'a> Appender<'a> {
    fn new(connection: &'a Connection) -> Result<Self, Failure> {
        let next_row = connection
            .prepare_cached("SELECT coalesce(max(row), 0) + 1 FROM journal_records")?
            .query_row((), |row| row.get(0))?;
        Ok(Self {
            connection,
            next_row,
            advance: connection.prepare_cached(
                "UPDATE journals SET last_row = ?3, last_tick = max(last_tick, ?4),
                    records = records + 1, bytes = bytes + ?5, incidents = incidents + ?6
                 WHERE number = ?1 AND epoch = ?2 AND state = 'open'",
            )?,
            insert: connection.prepare_cached(
                "INSERT INTO journal_records
                    (row, journal, number, kind, epoch, first_tick, last_tick, bytes, record)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?,
            checkpoint: connection.prepare_cached(
                "INSERT INTO journal_checkpoints (journal, tick, row) VALUES (?, ?, ?)",
            )?,
        })
    }

    /// Appends a record if its epoch is its match's; says whether it was.
    fn append(
        &mut self,
        numbers: &mut HashMap<MatchId, i64>,
        sealed: &Sealed<'_>,
    ) -> Result<bool, Failure> {
        let head = sealed.head;
        let number = match numbers.get(&head.match_id) {
            Some(number) => *number,
            None => {
                let Some(number) = number_of(self.connection, head.match_id)? else {
                    return Ok(false);
                };
                numbers.insert(head.match_id, number);
                number
            }
        };
        let last_tick = match head.kind {
            Kind::Incident => 0,
            _ => integer("last_tick", head.last.0)?,
        };
        let is_incident = i64::from(head.kind == Kind::Incident);
        let (row, bytes) = (self.next_row, sealed.bytes.len() as i64);
        let advanced =
            self.advance.execute((number, head.epoch.0, row, last_tick, bytes, is_incident))?;
        if advanced == 0 {
            return Ok(false);
        }
        self.insert(number, sealed)?;
        if head.kind == Kind::Finish {
            let ended = integer("ended_unix_ms", sealed.ended_unix_ms.unwrap_or(0))?;
            self.connection
                .prepare_cached(
                    "UPDATE journals SET state = 'finished', ended_unix_ms = ? WHERE number = ?",
                )?
                .execute((ended, number))?;
            numbers.remove(&head.match_id);
        }
        Ok(true)
    }

    /// Inserts the row alone.
    fn insert(&mut self, number: i64, sealed: &Sealed<'_>) -> Result<(), Failure> {
        let head = sealed.head;
        let row = self.next_row;
        self.insert.execute((
            row,
            number,
            integer("number", head.number)?,
            head.kind.label(),
            head.epoch.0,
            integer("first_tick", head.first.0)?,
            integer("last_tick", head.last.0)?,
            sealed.bytes.len() as i64,
            sealed.bytes,
        ))?;
        if head.kind == Kind::Checkpoint {
            self.checkpoint.execute((number, integer("tick", head.last.0)?, row))?;
        }
        self.next_row += 1;
        Ok(())
    }
}

fn number_of(connection: &Connection, match_id: MatchId) -> Result<Option<i64>, Failure> {
    let number = connection
        .prepare_cached("SELECT number FROM journals WHERE match = ?")?
        .query_row([match_id.to_string()], |row| row.get(0))
        .optional()?;
    Ok(number)
}

fn state(
    connection: &Connection,
    match_id: MatchId,
) -> Result<Option<(JournalState, Epoch)>, Failure> {
    let found: Option<(String, u32)> = connection
        .prepare_cached("SELECT state, epoch FROM journals WHERE match = ?")?
        .query_row([match_id.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((label, epoch)) = found else { return Ok(None) };
    let state = JournalState::from_label(&label)
        .ok_or_else(|| Failure::damaged("journals.state", label))?;
    Ok(Some((state, Epoch(epoch))))
}

/// Why a match took nothing under this epoch.
fn why_refused(
    connection: &Connection,
    match_id: MatchId,
    epoch: Epoch,
) -> Result<Refusal, Failure> {
    Ok(match state(connection, match_id)? {
        None => Refusal::Unknown,
        Some((JournalState::Finished | JournalState::Retired, _)) => Refusal::Finished,
        Some((JournalState::Quarantined, _)) => Refusal::Quarantined,
        Some((JournalState::Open, current)) if current == epoch => Refusal::Moved,
        Some((JournalState::Open, current)) => Refusal::Stale { current },
    })
}

/// SQLite's integers are signed.
fn integer(what: &'static str, value: u64) -> Result<i64, Failure> {
    i64::try_from(value).map_err(|_| Failure::damaged(what, value))
}

/// No number that was written is negative.
fn number(what: &'static str, value: i64) -> Result<u64, Failure> {
    u64::try_from(value).map_err(|_| Failure::damaged(what, value))
}

fn position(row: i64) -> Result<Position, Failure> {
    number("row", row).map(Position)
}

#[cfg(test)]
mod tests;
