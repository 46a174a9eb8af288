//! The journal in SQLite: the same `matches.db` as the directory, by a connection of its own.
//!
//! Owns: the transactions, the check of epochs in them, and which of SQLite's errors mean what for a
//! journal. Must not know: what records carry, chains, threads.
//!
//! Records lie in the order of their append, never clustered by match; `docs/JOURNAL.md` has the figures.

mod append;
mod claim;
mod read;
mod retain;

use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::limits::JOURNAL_REASON_BYTES_MAX;
use rusqlite::{Connection, OptionalExtension};

use super::directory::StoreError;
use super::schema::{self, DATABASE_FILE, StoreOpenError};
use super::sqlite::sqlite_error;
use crate::journal::{
    Batch, Claim, Journal, JournalEntry, JournalError, JournalReader, JournalState, Load, Position,
    Refusal, Retained, Retention, Stored,
};

/// Journals in `matches.db` (write-ahead log, `synchronous=FULL`).
pub struct SqliteJournal {
    connection: Connection,
    folder: PathBuf,
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
        let (folder, numbers) = (folder.to_owned(), HashMap::new());
        Ok(Self { connection, folder, database, numbers, broken: None })
    }

    /// Gives the write-ahead log its full length at once: flushes wait for the disk once less than while it grows.
    ///
    /// # Errors
    /// Where there is no room, or another program writes; then it grows as it is used.
    pub fn lengthen_log(&self) -> io::Result<()> {
        schema::log::lengthen(&self.connection, &self.folder)
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

    /// Gives the records of a match that lie behind `after` to `each`, until it has enough: how a long
    /// journal is read in pages.
    ///
    /// # Errors
    /// As [`JournalReader::load`].
    pub fn load_after(
        &self,
        match_id: MatchId,
        after: Position,
        each: &mut dyn FnMut(&Stored<'_>) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.reader().load_after(match_id, after, each)
    }

    /// Gives up to `limit` matches to `each`, the first claimed first, behind `after`; none where there is no
    /// such match.
    ///
    /// # Errors
    /// As [`JournalReader::list`].
    pub fn list_after(
        &self,
        after: Option<MatchId>,
        limit: usize,
        each: &mut dyn FnMut(JournalEntry),
    ) -> Result<(), JournalError> {
        self.reader().list_after(after, limit, each)
    }

    fn reader(&self) -> read::Reader<'_> {
        read::Reader { connection: &self.connection, database: &self.database }
    }
}

impl JournalReader for SqliteJournalReader {
    fn load_while(
        &self,
        wanted: &[Load],
        each: &mut dyn FnMut(&Stored<'_>) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
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
    fn load_while(
        &self,
        wanted: &[Load],
        each: &mut dyn FnMut(&Stored<'_>) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
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
        self.write(|connection, numbers| append::append(connection, numbers, batch))
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

/// For people and for retention: a time beyond what the column holds is the last that it does.
fn unix_ms(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// No number that was written is negative.
fn number(what: &'static str, value: i64) -> Result<u64, Failure> {
    u64::try_from(value).map_err(|_| Failure::damaged(what, value))
}

fn position(row: i64) -> Result<Position, Failure> {
    number("row", row).map(Position)
}
