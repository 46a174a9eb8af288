//! The database file: whose it is, which version, and its tables.
//!
//! Owns: opening, `application_id`, `user_version`, migrations and pragmas. Must not know: what is
//! written into the tables.
//!
//! Whose a file is gets read from its first 100 bytes, before SQLite sees it: SQLite may write to a
//! file by opening it (it recovers its own log), and a stranger's must stay as it is.

use std::ffi::c_int;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::hooks::Wal;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

/// The database's name in a data folder.
pub const DATABASE_FILE: &str = "matches.db";

/// `MKPR`, in the file's header; `file` and SQLite show it.
const APPLICATION_ID: i32 = 0x4d4b_5052;
/// How long another program's transaction is waited for. Only the store's thread waits.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// The write-ahead log is emptied into the database from this many pages on.
const LOG_PAGES: c_int = 2_000;
/// What is kept of the log's file once it is empty, in bytes: a reader may have let it grow.
const LOG_KEPT_BYTES: i64 = 64 * 1024 * 1024;
/// Statements kept prepared.
const STATEMENTS_MAX: usize = 64;

/// Entry N makes version N + 1 of version N. Never changed once released, only added to.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE players (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        created_unix_ms INTEGER NOT NULL
    ) STRICT;

    -- `number` counts in the order of creation: the order of lists.
    CREATE TABLE matches (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        mode TEXT NOT NULL,
        game TEXT NOT NULL,
        rules_version INTEGER NOT NULL,
        map TEXT,
        shard INTEGER NOT NULL,
        tick_rate_hz INTEGER NOT NULL,
        created_unix_ms INTEGER NOT NULL,
        ended_unix_ms INTEGER,
        ticks INTEGER,
        state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'interrupted')),
        reason TEXT
    ) STRICT;
    CREATE INDEX matches_by_mode ON matches (mode, number);
    CREATE INDEX matches_by_state ON matches (state, number);

    -- `position` is the place in the game's own list, from 0: an account can be in it twice, because
    -- it left and came back.
    CREATE TABLE match_players (
        match TEXT NOT NULL REFERENCES matches (id),
        position INTEGER NOT NULL,
        player INTEGER NOT NULL REFERENCES players (id),
        name TEXT NOT NULL,
        team INTEGER,
        place INTEGER NOT NULL,
        score INTEGER NOT NULL,
        UNIQUE (match, position)
    ) STRICT;
    CREATE INDEX match_players_by_player ON match_players (player);

    CREATE TABLE player_stats (
        match TEXT NOT NULL REFERENCES matches (id),
        position INTEGER NOT NULL,
        player INTEGER NOT NULL REFERENCES players (id),
        nth INTEGER NOT NULL,
        name TEXT NOT NULL,
        value INTEGER NOT NULL,
        UNIQUE (match, position, nth)
    ) STRICT;
    CREATE INDEX player_stats_by_player ON player_stats (player, name);
",
    "
    -- One row for each match that ever had a journal; it stays, so that an owner who comes late is refused.
    -- `number` is the match in the tables below. `state` is open, finished, quarantined, or retired:
    -- finished, and its records deleted by age or size.
    CREATE TABLE journals (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        match TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL
            CHECK (state IN ('open', 'finished', 'quarantined', 'retired')),
        epoch INTEGER NOT NULL,
        last_tick INTEGER NOT NULL,
        first_row INTEGER NOT NULL,
        last_row INTEGER NOT NULL,
        records INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        incidents INTEGER NOT NULL,
        set_aside INTEGER NOT NULL,
        claimed_unix_ms INTEGER NOT NULL,
        ended_unix_ms INTEGER,
        why TEXT
    ) STRICT;
    CREATE INDEX journals_by_state ON journals (state, number);
    -- In the order in which retention takes them.
    CREATE INDEX journals_finished ON journals (ended_unix_ms, number) WHERE state = 'finished';

    -- All matches' records in the order of their append. No index by match: it would cost a page for each
    -- match and flush. A match's records lie between its `first_row` and its `last_row`.
    CREATE TABLE journal_records (
        row INTEGER PRIMARY KEY,
        journal INTEGER NOT NULL,
        number INTEGER NOT NULL,
        kind TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        first_tick INTEGER NOT NULL,
        last_tick INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        record BLOB NOT NULL
    ) STRICT;

    -- Where a match's checkpoints lie: recovery reads from the newest one on.
    CREATE TABLE journal_checkpoints (
        journal INTEGER NOT NULL,
        tick INTEGER NOT NULL,
        row INTEGER NOT NULL,
        PRIMARY KEY (journal, tick, row)
    ) STRICT, WITHOUT ROWID;

    -- Records behind the last good one when an epoch was claimed: evidence, never deleted.
    CREATE TABLE journal_set_aside (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        by_epoch INTEGER NOT NULL,
        row INTEGER NOT NULL,
        journal INTEGER NOT NULL,
        number INTEGER NOT NULL,
        kind TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        first_tick INTEGER NOT NULL,
        last_tick INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        record BLOB NOT NULL
    ) STRICT;

    -- A match may now be set aside for good. SQLite changes no CHECK: the table is made anew.
    CREATE TABLE matches_new (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        mode TEXT NOT NULL,
        game TEXT NOT NULL,
        rules_version INTEGER NOT NULL,
        map TEXT,
        shard INTEGER NOT NULL,
        tick_rate_hz INTEGER NOT NULL,
        created_unix_ms INTEGER NOT NULL,
        ended_unix_ms INTEGER,
        ticks INTEGER,
        state TEXT NOT NULL
            CHECK (state IN ('running', 'finished', 'interrupted', 'quarantined')),
        reason TEXT
    ) STRICT;
    INSERT INTO matches_new SELECT * FROM matches;
    DROP TABLE matches;
    ALTER TABLE matches_new RENAME TO matches;
    CREATE INDEX matches_by_mode ON matches (mode, number);
    CREATE INDEX matches_by_state ON matches (state, number);
",
];

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
    connection.pragma_update(None, "journal_size_limit", LOG_KEPT_BYTES).map_err(error)?;
    connection.wal_hook(Some(empty_log)).map_err(error)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(connection)
}

/// Moves what is committed from the write-ahead log into the database, when there is enough of it. SQLite
/// would do it by itself, but not tell of a failed fsync.
fn empty_log(log: &mut Wal, pages: c_int) -> rusqlite::Result<()> {
    if pages < LOG_PAGES {
        return Ok(());
    }
    match log.checkpoint() {
        // The commit stands, and the log just grows until this passes.
        Err(error) if may_pass(&error) => Ok(()),
        result => result,
    }
}

fn may_pass(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
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
    match user_version(&connection).map_err(error)? {
        VERSION => Ok(connection),
        found if found > VERSION => Err(StoreOpenError::NewerVersion { path, found }),
        found => Err(StoreOpenError::OlderVersion { path, found }),
    }
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
    /// No file, or one that is still empty.
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
    if header.is_empty() {
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
mod tests {
    use std::fs;

    use super::*;

    fn temporary() -> tempfile::TempDir {
        tempfile::tempdir().expect("the system has a temporary folder")
    }

    fn refused(folder: &Path) -> Vec<StoreOpenError> {
        let before = fs::read(folder.join(DATABASE_FILE)).expect("there");
        let errors = vec![
            open_for_writing(folder).expect_err("not usable"),
            open_for_reading(folder).expect_err("not usable"),
        ];
        assert_eq!(fs::read(folder.join(DATABASE_FILE)).expect("there"), before, "untouched");
        let files = fs::read_dir(folder).expect("readable").count();
        assert_eq!(files, 1, "nothing was put beside it");
        errors
    }

    #[test]
    fn a_new_database_is_ours_durable_and_opens_again() {
        let temporary = temporary();
        for _ in 0..2 {
            let connection = open_for_writing(temporary.path()).expect("ours");
            let pragma = |name| -> i64 {
                connection.pragma_query_value(None, name, |row| row.get(0)).expect("known")
            };
            assert_eq!(pragma("application_id"), i64::from(APPLICATION_ID));
            assert_eq!(pragma("user_version"), i64::from(VERSION));
            assert_eq!(pragma("synchronous"), 2, "FULL");
            assert_eq!(pragma("foreign_keys"), 1);
        }
    }

    #[test]
    fn an_empty_file_becomes_a_database() {
        let temporary = temporary();
        fs::write(temporary.path().join(DATABASE_FILE), "").expect("written");
        open_for_writing(temporary.path()).expect("what a crash at the first moment leaves");
    }

    #[test]
    fn a_foreign_sqlite_file_is_refused_untouched() {
        for id in [0, 7] {
            let temporary = temporary();
            let path = temporary.path().join(DATABASE_FILE);
            let connection = Connection::open(&path).expect("made");
            connection.execute_batch("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)").ok();
            connection.pragma_update(None, "application_id", id).expect("set");
            drop(connection);
            for error in refused(temporary.path()) {
                assert!(matches!(error, StoreOpenError::Foreign { .. }), "{error}");
            }
        }
    }

    #[test]
    fn a_file_that_is_no_database_is_refused_untouched() {
        for bytes in [&b"SQLite format 3\0 and no more"[..], b"a letter", &[0; 4096]] {
            let temporary = temporary();
            fs::write(temporary.path().join(DATABASE_FILE), bytes).expect("written");
            for error in refused(temporary.path()) {
                assert!(matches!(error, StoreOpenError::Foreign { .. }), "{error}");
            }
        }
    }

    #[test]
    fn a_newer_version_is_refused_untouched_in_the_file_and_in_its_log() {
        let temporary = temporary();
        let newer = open_for_writing(temporary.path()).expect("made");
        newer.pragma_update(None, "user_version", VERSION + 1).expect("set");
        // The version is in the log alone, as after a kill.
        let error = open_for_writing(temporary.path()).expect_err("newer");
        assert!(matches!(error, StoreOpenError::NewerVersion { found: 3, .. }), "{error}");
        let error = open_for_reading(temporary.path()).expect_err("newer");
        assert!(matches!(error, StoreOpenError::NewerVersion { found: 3, .. }), "{error}");
        drop(newer);
        for error in refused(temporary.path()) {
            assert!(matches!(error, StoreOpenError::NewerVersion { found: 3, .. }), "{error}");
        }
    }

    #[test]
    fn reading_makes_no_database() {
        let temporary = temporary();
        let error = open_for_reading(temporary.path()).expect_err("there is none");
        assert!(matches!(&error, StoreOpenError::Missing { .. }));
        assert!(error.to_string().contains(DATABASE_FILE), "{error}");
        assert_eq!(fs::read_dir(temporary.path()).expect("readable").count(), 0);
    }
}
