//! The write-ahead log's file: how long it is, and when it is emptied.
//!
//! Owns: both. Must not know: what is written into it, who writes.

use std::ffi::c_int;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use rusqlite::hooks::Wal;
use rusqlite::{Connection, ErrorCode};

use super::DATABASE_FILE;

/// The log is emptied into the database from this many pages on.
const PAGES: c_int = 2_000;
/// What one commit may go beyond that, in pages, before the file grows.
const PAGES_BEYOND: c_int = 100;
/// A page of the database with what the log puts before it, in bytes.
const PAGE_BYTES: u64 = 4_096 + 24;
/// What the log begins with, in bytes.
const HEADER_BYTES: u64 = 32;
/// How much is written at once, in bytes.
const PIECE_BYTES: u64 = 256 * 1024;
/// What is kept of the log's file once it is empty, in bytes: a reader may have let it grow.
pub(super) const KEPT_BYTES: i64 = 64 * 1024 * 1024;

/// Moves what is committed from the log into the database, when there is enough of it. SQLite would do it by
/// itself, but not tell of a failed fsync.
pub(super) fn empty(log: &mut Wal, pages: c_int) -> rusqlite::Result<()> {
    if pages < PAGES {
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

/// Gives the log's file the length that it comes to have. While it grows, each sync writes the file's length as
/// well: one more wait for the disk.
///
/// # Errors
/// Where the file cannot be written or the database is held by another program; the file is as long as it was.
pub(in crate::store) fn lengthen(connection: &Connection, folder: &Path) -> io::Result<()> {
    // Nobody else makes the log longer meanwhile, what is behind its end is nobody's.
    connection.execute_batch("BEGIN IMMEDIATE").map_err(io::Error::other)?;
    let path = folder.join(format!("{DATABASE_FILE}-wal"));
    let lengthened = OpenOptions::new().write(true).open(path).and_then(|file| fill(&file));
    connection.execute_batch("ROLLBACK").map_err(io::Error::other)?;
    lengthened
}

/// Appends zeros. SQLite takes no frame of them for one of the log: no page has the number 0.
fn fill(mut file: &File) -> io::Result<()> {
    let full = HEADER_BYTES + (PAGES + PAGES_BEYOND) as u64 * PAGE_BYTES;
    let length = file.seek(SeekFrom::End(0))?;
    let zeros = vec![0; PIECE_BYTES as usize];
    let mut write_all = || {
        let mut missing = full.saturating_sub(length);
        while missing > 0 {
            let piece = missing.min(PIECE_BYTES);
            file.write_all(&zeros[..piece as usize])?;
            missing -= piece;
        }
        file.sync_all()
    };
    write_all().or_else(|error| {
        // What is left of the disk is needed for more than this.
        file.set_len(length)?;
        Err(error)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::{open_for_reading, open_for_writing};
    use super::*;

    fn count(connection: &Connection) -> i64 {
        let sql = "SELECT count(*) FROM players";
        connection.query_row(sql, (), |row| row.get(0)).expect("there")
    }

    fn insert(connection: &Connection, name: &str) {
        let sql = "INSERT INTO players (name, created_unix_ms) VALUES (?, 1)";
        assert_eq!(connection.execute(sql, [name]), Ok(1));
    }

    #[test]
    fn a_log_of_full_length_keeps_what_is_in_it_and_grows_no_more() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = || fs::read(folder.path().join("matches.db-wal")).expect("there");
        let connection = open_for_writing(folder.path()).expect("made");
        insert(&connection, "before");
        let before = log();
        lengthen(&connection, folder.path()).expect("room");
        let full = log();
        assert_eq!(full.len() as u64, HEADER_BYTES + 2_100 * PAGE_BYTES);
        assert!(full.starts_with(&before) && full[before.len()..].iter().all(|byte| *byte == 0));
        for i in 0..500 {
            insert(&connection, &format!("player {i}"));
        }
        lengthen(&connection, folder.path()).expect("nothing to do");
        assert_eq!(log().len(), full.len());
        // As after a kill: what is in the log is read back by whoever opens it next.
        let copy = tempfile::tempdir().expect("a temporary folder");
        for file in ["matches.db", "matches.db-wal"] {
            fs::copy(folder.path().join(file), copy.path().join(file)).expect("copied");
        }
        assert_eq!(count(&open_for_reading(copy.path()).expect("ours")), 501);
        assert_eq!(count(&open_for_writing(copy.path()).expect("ours")), 501);
    }

    #[test]
    fn a_database_that_somebody_writes_is_left_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let writer = open_for_writing(folder.path()).expect("made");
        let other = open_for_writing(folder.path()).expect("ours");
        other.busy_timeout(std::time::Duration::ZERO).expect("set");
        writer.execute_batch("BEGIN IMMEDIATE").expect("nobody writes");
        let length = || fs::metadata(folder.path().join("matches.db-wal")).expect("there").len();
        let before = length();
        lengthen(&other, folder.path()).expect_err("held");
        assert_eq!(length(), before);
        writer.execute_batch("ROLLBACK").expect("begun");
        lengthen(&other, folder.path()).expect("nobody writes");
        assert!(length() > before);
    }
}
