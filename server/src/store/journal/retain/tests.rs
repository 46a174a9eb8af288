//! Retention beside a directory that has not heard of the end yet.

use std::time::Duration;

use matchkeep_shared::game::Outcome;
use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::time::Tick;

use super::super::super::{Directory, FinishedMatch, NewMatch, SqliteDirectory, SqliteJournal};
use crate::journal::{
    Batch, Chain, Claim, Journal, JournalReader, JournalState, Kind, Retained, Retention,
};

fn seal(chain: &mut Chain, kind: Kind, batch: &mut Batch) {
    let ticks = (Tick(0), Tick(0));
    chain.seal(kind, Epoch(1), ticks, |_| {}, batch).expect("it can come next");
}

/// A match that is finished in its journal, at so many milliseconds of Unix time.
fn finished(journal: &mut SqliteJournal, id: u64, unix_ms: u64) {
    let (match_id, mut chain) = (MatchId(id), Chain::new(MatchId(id)));
    let mut records = Batch::default();
    seal(&mut chain, Kind::Header, &mut records);
    seal(&mut chain, Kind::Claim, &mut records);
    let claim = Claim { match_id, expected: None, cut: None, unix_ms: 1, records };
    assert_eq!(journal.claim(&[claim]), Ok(vec![Ok(Epoch(1))]));
    let mut batch = Batch::default();
    seal(&mut chain, Kind::Finish, &mut batch);
    batch.set_ended(unix_ms);
    assert_eq!(journal.append(&batch), Ok(vec![]));
}

#[test]
fn a_journal_whose_result_is_not_stored_stays_and_keeps_no_other() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut directory = SqliteDirectory::open(folder.path()).expect("made");
    let mut journal = SqliteJournal::open(folder.path()).expect("ours");
    directory.create(&NewMatch::sample(1)).expect("new");
    finished(&mut journal, 1, 100);
    finished(&mut journal, 2, 200);
    let state = |journal: &SqliteJournal, id| {
        journal.entry(MatchId(id)).expect("readable").expect("there").state
    };
    let all = Retention { now_unix_ms: 1_000_000, age_max: Duration::ZERO, bytes_max: 0 };
    assert_eq!(journal.retain(&all).expect("written").matches, 1);
    assert_eq!(journal.retain(&all), Ok(Retained::default()));
    assert_eq!(state(&journal, 1), JournalState::Finished);
    assert_eq!(state(&journal, 2), JournalState::Retired);
    let outcome = Outcome { reason: "frag limit".to_owned(), players: Vec::new() };
    let result = FinishedMatch { id: MatchId(1), outcome, ticks: Tick(0), ended_unix_ms: 100 };
    directory.finish(&result).expect("first");
    assert_eq!(journal.retain(&all).expect("written").matches, 1);
    assert_eq!(state(&journal, 1), JournalState::Retired);
}
