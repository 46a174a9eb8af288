//! The database file: whose it is, which version, and its tables.
//!
//! Owns: opening, `application_id`, `user_version`, migrations and pragmas. Must not know: what is
//! written into the tables, when the log is emptied.
//!
//! Whose a file is gets read from its first 100 bytes, before SQLite sees it: SQLite may write to a
//! file by opening it (it recovers its own log), and a stranger's must stay as it is.

pub(super) mod log;
mod migrations;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use migrations::MIGRATIONS;

/// The database's name in a data folder.
pub const DATABASE_FILE: &str = "matches.db";

/// `MKPR`, in the file's header; `file` and SQLite show it.
const APPLICATION_ID: i32 = 0x4d4b_5052;
/// How long another program's transaction is waited for. Only the store's thread waits.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Statements kept prepared.
const STATEMENTS_MAX: usize = 64;

const VERSION: i32 = MIGRATIONS.len() as i32;

/// Why the database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreOpenError {
    /// There is none to read.
    #[error("there is no `{path}`: check the path, or start a server on that folder")]
    Missing {
        /// The database's path.
        path: PathBuf,
    },
    /// The file is something else.
    #[error(
        "`{path}` is {what}, not a Matchkeep database: move it away or name another data folder"
    )]
    Foreign {
        /// The database's path.
        path: PathBuf,
        /// What it is instead.
        what: &'static str,
    },
    /// A later program wrote it.
    #[error(
        "`{path}` has version {found}, this program knows up to {VERSION}: use the newer Matchkeep \
         that wrote it"
    )]
    NewerVersion {
        /// The database's path.
        path: PathBuf,
        /// The version in it.
        found: i32,
    },
    /// An earlier program wrote it, and a reader changes nothing.
    #[error("`{path}` has version {found}, older than {VERSION}: start a server on it once")]
    OlderVersion {
        /// The database's path.
        path: PathBuf,
        /// The version in it.
        found: i32,
    },
    /// The file cannot be read.
    #[error("`{path}` cannot be read ({source}): check its owner and its mode")]
    Unreadable {
        /// The database's path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// SQLite failed.
    #[error("`{path}` cannot be opened ({source}): check its owner, its mode and the free space")]
    Sqlite {
        /// The database's path.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file system cannot do what durability needs.
    #[error("`{path}` cannot use a write-ahead log (it got `{got}`): use a local file system")]
    NoWriteAheadLog {
        /// The database's path.
        path: PathBuf,
        /// The journal mode that SQLite chose.
        got: String,
    },
}

/// Opens the database in `folder` for the one writer; makes or migrates it.
pub(super) fn open_for_writing(folder: &Path) -> Result<Connection, StoreOpenError> {
    let path = folder.join(DATABASE_FILE);
    check_header(&path)?;
    let error = |source| StoreOpenError::Sqlite { path: path.clone(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(&path, flags).map_err(error)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(error)?;
    // In the write-ahead log may be a later version than in the header that was read.
    let found = user_version(&connection).map_err(error)?;
    if found > VERSION {
        return Err(StoreOpenError::NewerVersion { path, found });
    }
    connection.pragma_update(None, "synchronous", "FULL").map_err(error)?;
    // A migration may make anew a table that others refer to.
    connection.pragma_update(None, "foreign_keys", "OFF").map_err(error)?;
    // Before WAL is switched on: so a new file is never ours in its log and a stranger's in its header.
    migrate(&mut connection).map_err(error)?;
    connection.pragma_update(None, "foreign_keys", "ON").map_err(error)?;
    let got: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(error)?;
    if got != "wal" {
        return Err(StoreOpenError::NoWriteAheadLog { path, got });
    }
    connection.pragma_update(None, "journal_size_limit", log::KEPT_BYTES).map_err(error)?;
    connection.wal_hook(Some(log::empty)).map_err(error)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(connection)
}

/// Opens the database in `folder` for a short write, beside a server or without one. It is there, and of this
/// version: bringing it up to date is for who holds the folder's lock.
pub(super) fn open_beside(folder: &Path) -> Result<Connection, StoreOpenError> {
    let path = folder.join(DATABASE_FILE);
    if check_header(&path)? == Header::None {
        return Err(StoreOpenError::Missing { path });
    }
    let error = |source| StoreOpenError::Sqlite { path: path.clone(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(error)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(error)?;
    let mut connection = of_this_version(connection, path.clone())?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(error)?;
    connection.pragma_update(None, "foreign_keys", "ON").map_err(error)?;
    connection.wal_hook(Some(log::empty)).map_err(error)?;
    Ok(connection)
}

fn of_this_version(connection: Connection, path: PathBuf) -> Result<Connection, StoreOpenError> {
    match user_version(&connection) {
        Ok(VERSION) => Ok(connection),
        Ok(found) if found > VERSION => Err(StoreOpenError::NewerVersion { path, found }),
        Ok(found) => Err(StoreOpenError::OlderVersion { path, found }),
        Err(source) => Err(StoreOpenError::Sqlite { path, source }),
    }
}

/// Opens the database in `folder` for reading, beside a server or without one.
pub(super) fn open_for_reading(folder: &Path) -> Result<Connection, StoreOpenError> {
    let path = folder.join(DATABASE_FILE);
    if check_header(&path)? == Header::None {
        return Err(StoreOpenError::Missing { path });
    }
    let error = |source| StoreOpenError::Sqlite { path: path.clone(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(error)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(error)?;
    of_this_version(connection, path.clone())
}

fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let from = usize::try_from(user_version(&transaction)?).unwrap_or(0);
    let missing = MIGRATIONS.get(from..).unwrap_or_default();
    if missing.is_empty() {
        return Ok(());
    }
    for migration in missing {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

fn user_version(connection: &Connection) -> rusqlite::Result<i32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

#[derive(PartialEq, Eq)]
enum Header {
    /// No file, or one that is still empty or was never made to its end.
    None,
    Ours,
}

/// Whose the file is, by its header; <https://www.sqlite.org/fileformat.html#the_database_header>.
fn check_header(path: &Path) -> Result<Header, StoreOpenError> {
    let unreadable = |source| StoreOpenError::Unreadable { path: path.into(), source };
    let foreign = |what| Err(StoreOpenError::Foreign { path: path.into(), what });
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Header::None),
        Err(source) => return Err(unreadable(source)),
    };
    if !file.metadata().map_err(unreadable)?.is_file() {
        return foreign("not a file");
    }
    let mut header = Vec::new();
    file.take(100).read_to_end(&mut header).map_err(unreadable)?;
    // Cut off while it was made for the first time, its first page may be missing and later ones be there;
    // SQLite's own note beside it makes it empty again.
    let was_being_made = || path.with_extension("db-journal").is_file();
    if header.is_empty() || (header.iter().all(|byte| *byte == 0) && was_being_made()) {
        return Ok(Header::None);
    }
    let number = |at: usize| {
        let bytes = header.get(at..at + 4)?;
        Some(i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    };
    if !header.starts_with(b"SQLite format 3\0") {
        return foreign("no SQLite file");
    }
    match (number(60), number(68)) {
        (Some(found), Some(APPLICATION_ID)) if found > VERSION => {
            Err(StoreOpenError::NewerVersion { path: path.into(), found })
        }
        (Some(_), Some(APPLICATION_ID)) => Ok(Header::Ours),
        (Some(_), Some(_)) => foreign("another program's SQLite database"),
        _ => foreign("the beginning of an SQLite file"),
    }
}

#[cfg(test)]
mod tests;
