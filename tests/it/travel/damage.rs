//! What was changed afterwards is found, and what lies before it can still be looked at.

use std::path::Path;

use matchkeep_server::journal::JournalReader;
use matchkeep_server::store::SqliteJournalReader;
use matchkeep_server::travel::{Rules, TravelError, Verdict, at, verify};
use matchkeep_shared::arena::Arena;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::time::Tick;
use matchkeep_tests::recorded::{Recorded, record};
use rusqlite::Connection;

const TICKS: u64 = 1000;

fn recorded() -> (tempfile::TempDir, Recorded) {
    let folder = tempfile::tempdir().expect("a folder");
    let recorded = record(folder.path(), 2, TICKS, |_| {});
    (folder, recorded)
}

/// Flips one bit in the middle of a record.
fn flip(folder: &Path, which: &str) {
    let database = Connection::open(folder.join("matches.db")).expect("it opens");
    let sql = format!("SELECT row, record FROM journal_records WHERE {which} ORDER BY row LIMIT 1");
    let (row, mut record): (i64, Vec<u8>) = database
        .query_row(&sql, (), |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap_or_else(|error| panic!("{which}: {error}"));
    let middle = record.len() / 2;
    record[middle] ^= 4;
    let changed = database
        .execute("UPDATE journal_records SET record = ? WHERE row = ?", (record, row))
        .expect("written");
    assert_eq!(changed, 1);
}

fn verdict(folder: &Path, match_id: MatchId) -> Verdict {
    let journal = SqliteJournalReader::open(folder).expect("readable");
    let entry = journal.entry(match_id).expect("readable").expect("it is there");
    verify::<Arena>(&journal, &[entry], &mut || {}).pop().expect("one")
}

fn hash_at(folder: &Path, match_id: MatchId, tick: u64) -> Result<u64, TravelError> {
    let journal = SqliteJournalReader::open(folder).expect("readable");
    Ok(at::<Arena>(&journal, match_id, Tick(tick), Rules::Own)?.hash())
}

#[test]
fn one_flipped_bit_is_found_and_its_tick_named() {
    let (folder, recorded) = recorded();
    let id = recorded.match_id;
    assert!(verdict(folder.path(), id).problem.is_none());
    flip(folder.path(), "kind = 'frames' AND first_tick <= 500 AND last_tick >= 500");
    let verdict = verdict(folder.path(), id);
    let problem = verdict.problem.expect("it is found");
    assert!(matches!(problem.error, TravelError::Damaged(_)), "{}", problem.error);
    let first = problem.tick.expect("it names the tick").0;
    assert!((498..=500).contains(&first), "{first}");
    assert_eq!((verdict.tick.0 + 1, problem.agreed), (first, Tick(480)));
    assert!(problem.lost[0].contains("checksum"), "{:?}", problem.lost);
    assert!(problem.lost.len() == 2, "all behind it is named too: {:?}", problem.lost);
    // Before it, and from the checkpoints behind it, the match is as it was.
    for tick in [0, 1, 450, first - 1, 700, TICKS] {
        let found = hash_at(folder.path(), id, tick).unwrap_or_else(|e| panic!("{tick}: {e}"));
        assert_eq!(found, recorded.hashes[tick as usize], "tick {tick}");
    }
    let error = hash_at(folder.path(), id, 520).expect_err("what leads there is damaged");
    assert!(matches!(error, TravelError::Damaged(_)), "{error}");
}

#[test]
fn a_damaged_checkpoint_is_gone_around() {
    let (folder, recorded) = recorded();
    flip(folder.path(), "kind = 'checkpoint' AND last_tick > 500");
    let database = Connection::open(folder.path().join("matches.db")).expect("it opens");
    let damaged =
        "SELECT min(last_tick) FROM journal_records WHERE kind = 'checkpoint' AND last_tick > 500";
    let damaged: i64 = database.query_row(damaged, (), |row| row.get(0)).expect("there is one");
    let damaged = damaged as u64;
    for tick in [damaged - 1, damaged, TICKS] {
        let found = hash_at(folder.path(), recorded.match_id, tick);
        let found = found.unwrap_or_else(|error| panic!("tick {tick}: {error}"));
        assert_eq!(found, recorded.hashes[tick as usize], "tick {tick}");
    }
    // What hangs on the damaged record, up to the next checkpoint, is not trusted.
    let error = hash_at(folder.path(), recorded.match_id, damaged + 6).expect_err("it hangs on it");
    assert!(matches!(error, TravelError::Damaged(_)), "{error}");
}

#[test]
fn other_rules_are_refused_by_name_unless_they_are_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let recorded = record(folder.path(), 2, 400, |header| header.rules_version += 41);
    let error = hash_at(folder.path(), recorded.match_id, 350).expect_err("other rules");
    assert!(error.is_misplaced(), "{error}");
    let said = error.to_string();
    assert!(said.contains("rules version 42") && said.contains("rules version 1"), "{said}");
    let problem = verdict(folder.path(), recorded.match_id).problem.expect("refused");
    assert!(problem.error.is_misplaced(), "{}", problem.error);
    // They are the same but for their name, so they come to the same.
    let journal = SqliteJournalReader::open(folder.path()).expect("readable");
    let found = at::<Arena>(&journal, recorded.match_id, Tick(350), Rules::Any);
    assert_eq!(found.expect("as asked for").hash(), recorded.hashes[350]);
}

#[test]
fn a_tick_that_is_not_there_yet_names_the_newest_that_is() {
    let (folder, recorded) = recorded();
    let error = hash_at(folder.path(), recorded.match_id, TICKS + 1).expect_err("not there");
    assert!(error.is_misplaced(), "{error}");
    let said = error.to_string();
    assert!(said.contains("1001") && said.contains("is 1000"), "{said}");
    let error = hash_at(folder.path(), MatchId(8), 1).expect_err("nobody's");
    assert!(matches!(error, TravelError::Unknown(MatchId(8))), "{error}");
}
