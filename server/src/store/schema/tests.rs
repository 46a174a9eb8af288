//! Opening and migrating.

use std::fs;

use super::migrations::MIGRATIONS;
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

fn is_newer(error: &StoreOpenError) -> bool {
    matches!(error, StoreOpenError::NewerVersion { found, .. } if *found == VERSION + 1)
}

#[test]
fn a_newer_version_is_refused_untouched_in_the_file_and_in_its_log() {
    let temporary = temporary();
    let newer = open_for_writing(temporary.path()).expect("made");
    newer.pragma_update(None, "user_version", VERSION + 1).expect("set");
    // The version is in the log alone, as after a kill.
    let error = open_for_writing(temporary.path()).expect_err("newer");
    assert!(is_newer(&error), "{error}");
    let error = open_for_reading(temporary.path()).expect_err("newer");
    assert!(is_newer(&error), "{error}");
    drop(newer);
    for error in refused(temporary.path()) {
        assert!(is_newer(&error), "{error}");
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

/// A database as version 1 made it, with a match that has players and one that has none.
fn version_1(folder: &Path) {
    let connection = Connection::open(folder.join(DATABASE_FILE)).expect("made");
    connection.execute_batch(MIGRATIONS[0]).expect("as it was");
    connection.pragma_update(None, "application_id", APPLICATION_ID).expect("set");
    connection.pragma_update(None, "user_version", 1).expect("set");
    let rows = "
        INSERT INTO players (name, created_unix_ms) VALUES ('Ada', 1);
        INSERT INTO matches (id, mode, game, rules_version, shard, tick_rate_hz, created_unix_ms, state)
            VALUES ('0000000000001', 'duel', 'arena', 1, 0, 60, 5, 'finished'),
                ('0000000000002', 'duel', 'arena', 1, 0, 60, 6, 'interrupted');
        INSERT INTO match_players VALUES ('0000000000001', 0, 1, 'Ada', NULL, 1, 9);
        INSERT INTO player_stats VALUES ('0000000000001', 0, 1, 0, 'frags', 9);
        DELETE FROM matches WHERE number = 2;
        PRAGMA journal_mode = WAL";
    connection.execute_batch(rows).expect("as it was");
}

#[test]
fn an_older_version_is_brought_up_to_date_with_all_that_is_in_it() {
    let temporary = temporary();
    version_1(temporary.path());
    let error = open_for_reading(temporary.path()).expect_err("a reader changes nothing");
    assert!(matches!(error, StoreOpenError::OlderVersion { found: 1, .. }), "{error}");
    for _ in 0..2 {
        let connection = open_for_writing(temporary.path()).expect("brought up to date");
        let number = |sql: &str| -> i64 {
            connection.query_row(sql, (), |row| row.get(0)).expect("readable")
        };
        assert_eq!(number("PRAGMA user_version"), i64::from(VERSION));
        assert_eq!(number("PRAGMA foreign_keys"), 1);
        assert_eq!(number("SELECT count(*) FROM pragma_foreign_key_check"), 0);
        let whole = "SELECT count(*) FROM matches JOIN match_players ON match = id
            JOIN player_stats USING (match, position) WHERE value = 9 AND name = 'Ada'";
        let whole = whole.replace("name =", "match_players.name =");
        assert_eq!(number(&whole), 1);
        assert_eq!(number("SELECT count(*) FROM journals"), 0);
        assert_eq!(number("SELECT count(*) FROM queue WHERE change = 0 AND waiting = 0"), 1);
        assert_eq!(number("SELECT count(*) FROM queue_tickets"), 0);
        assert_eq!(number("SELECT count(*) FROM matches WHERE ladder IS NOT NULL"), 0);
    }
    // The children still refer to the table of that name, and what a match may be is wider.
    let connection = open_for_writing(temporary.path()).expect("ours");
    let orphan = "INSERT INTO match_players VALUES ('0000000000009', 0, 1, 'Ada', NULL, 1, 9)";
    connection.execute(orphan, ()).expect_err("there is no such match");
    let wider = "UPDATE matches SET state = 'quarantined'";
    assert_eq!(connection.execute(wider, ()).expect("allowed now"), 1);
    connection.execute("UPDATE matches SET state = 'odd'", ()).expect_err("not allowed");
}

#[test]
fn a_file_cut_off_while_it_was_made_is_made_anew() {
    let temporary = temporary();
    let path = temporary.path().join(DATABASE_FILE);
    // The power went before the first page was on the disk, and the second was; what SQLite notes before
    // it writes is there. (Its own bytes: a header for a database of no pages.)
    let mut zeros = vec![0; 8192];
    zeros[5000] = 1;
    fs::write(&path, &zeros).expect("written");
    let mut note = vec![0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    note.extend([0; 4]);
    note.extend([1, 2, 3, 4]);
    note.extend([0; 4]);
    note.extend(512_u32.to_be_bytes());
    note.extend(4096_u32.to_be_bytes());
    note.resize(512, 0);
    let note_path = path.with_extension("db-journal");
    fs::write(&note_path, &note).expect("written");
    let error = open_for_reading(temporary.path()).expect_err("nothing is there to read");
    assert!(matches!(error, StoreOpenError::Missing { .. }), "{error}");
    drop(open_for_writing(temporary.path()).expect("made anew"));
    assert!(!note_path.exists());
    // Without the note such a file is somebody else's.
    fs::write(&path, &zeros).expect("written");
    assert!(matches!(refused(temporary.path())[0], StoreOpenError::Foreign { .. }));
}
