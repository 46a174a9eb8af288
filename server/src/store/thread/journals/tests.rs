//! Journals through the store's thread, on real SQLite.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use matchkeep_shared::ids::{Epoch, ShardId};
use matchkeep_shared::time::Tick;

use super::super::super::{
    JournalHandle, ListFilter, MatchState, NewMatch, NotTaken, SqliteDirectory, SqliteJournal,
    Store,
};
use super::*;
use crate::journal::{
    Batch, Claim, Entry, JournalItem, JournalReader, Kind, LoadFrom, Refusal, Stored,
};

fn open(folder: &std::path::Path) -> (Store, Receiver<JournalReport>) {
    let (sender, reports) = unbounded();
    let directory = SqliteDirectory::open(folder).expect("ours");
    let journal = SqliteJournal::open(folder).expect("ours");
    let on_report = Box::new(move |report| {
        let _ = sender.send(report);
    });
    let (store, _) = Store::open_with_journal(directory, journal, on_report).expect("started");
    (store, reports)
}

fn hand(handle: &JournalHandle, id: u64, epoch: u32, entry: Entry) {
    let item = JournalItem { match_id: MatchId(id), epoch: Epoch(epoch), entry };
    handle.try_hand_over(item).expect("room");
}

fn begin() -> Entry {
    Entry::Begin { header: b"arena".to_vec(), claim: Vec::new(), unix_ms: 1 }
}

fn frames(first: u64, last: u64) -> Entry {
    let bytes = (first..=last).map(|tick| tick as u8).collect();
    Entry::Frames { first: Tick(first), last: Tick(last), bytes }
}

fn finish(tick: u64) -> Entry {
    Entry::Finish { tick: Tick(tick), bytes: b"won".to_vec(), unix_ms: 2 }
}

fn newest(id: u64) -> Vec<Load> {
    vec![Load { match_id: MatchId(id), from: LoadFrom::Checkpoint(Tick(u64::MAX)) }]
}

/// A store in which these matches have begun, and control's handle.
fn open_with_matches(
    folder: &std::path::Path,
    matches: &[u64],
) -> (Store, Receiver<JournalReport>, JournalHandle) {
    let (store, reports) = open(folder);
    let control = store.journal().expect("it was opened with one").clone();
    for id in matches {
        hand(&control, *id, 1, begin());
        assert_eq!(next(&reports).claimed, [(MatchId(*id), Epoch(1))]);
    }
    (store, reports, control)
}

/// The next report; there is one within any time that makes sense.
fn next(reports: &Receiver<JournalReport>) -> JournalReport {
    reports.recv_timeout(Duration::from_secs(20)).expect("a report comes")
}

#[test]
fn a_match_is_claimed_written_and_read_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (store, reports) = open(folder.path());
    let handle = store.journal().expect("it was opened with one").clone();
    hand(&handle, 1, 1, begin());
    assert_eq!(next(&reports).claimed, [(MatchId(1), Epoch(1))]);
    let (shard, told) = handle.of_shard(ShardId(0));
    hand(&shard, 1, 1, frames(1, 3));
    hand(&shard, 1, 1, frames(4, 6));
    shard.complete(false);
    let durable = told.recv_timeout(Duration::from_secs(20));
    assert_eq!(durable, Ok(vec![(MatchId(1), Epoch(1), Tick(6))]), "both at once");
    assert_eq!(handle.pending_bytes(), 0);
    hand(&handle, 1, 1, frames(7, 7));
    // Asking writes what was handed over before.
    let recovered = store.recover(newest(1)).expect("room").wait().expect("readable").remove(0);
    let recovered = recovered.expect("good");
    assert_eq!((recovered.tick(), &*recovered.header), (Tick(7), &b"arena"[..]));
    let bytes: Vec<u8> = recovered.frames().flat_map(|piece| piece.payload.clone()).collect();
    assert_eq!(bytes, [1, 2, 3, 4, 5, 6, 7]);
    hand(&handle, 1, 1, finish(7));
    store.close().expect("closed");
    let ended: Vec<_> = reports.iter().flat_map(|report| report.durable).collect();
    assert!(ended.last().expect("told").is_finished);
    let item = JournalItem { match_id: MatchId(1), epoch: Epoch(1), entry: frames(8, 8) };
    assert!(matches!(handle.try_hand_over(item), Err(NotTaken::Closed(_))));
}

#[test]
fn closing_writes_what_waits_and_a_match_goes_on_after_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (store, _reports) = open(folder.path());
    store.create(NewMatch::sample(5)).expect("room").wait().expect("new");
    store.create(NewMatch::sample(6)).expect("room").wait().expect("new");
    let handle = store.journal().expect("it was opened with one").clone();
    hand(&handle, 5, 1, begin());
    for tick in 1..=100 {
        hand(&handle, 5, 1, frames(tick, tick));
    }
    store.close().expect("closed");

    let (store, reports) = open(folder.path());
    let open_ones =
        store.journals(Some(JournalState::Open)).expect("room").wait().expect("readable");
    assert_eq!(open_ones.len(), 1);
    assert_eq!((open_ones[0].epoch, open_ones[0].tick), (Epoch(1), Tick(100)));
    let recovered = store.recover(newest(5)).expect("room").wait().expect("readable").remove(0);
    let recovered = Box::new(recovered.expect("good"));
    assert_eq!((recovered.tick(), recovered.lost_records), (Tick(100), 0));
    let handle = store.journal().expect("it was opened with one").clone();
    hand(&handle, 5, 2, Entry::Resume { recovered, claim: Vec::new(), unix_ms: 3 });
    hand(&handle, 5, 2, frames(101, 101));
    let mut durable = Vec::new();
    while durable.is_empty() {
        durable = next(&reports).durable;
    }
    assert_eq!((durable[0].epoch, durable[0].tick), (Epoch(2), Tick(101)));
    // A match with a journal goes on; one without was interrupted.
    store.close().expect("closed");
    let directory = SqliteDirectory::open(folder.path()).expect("ours");
    use super::super::super::Directory;
    let list = directory.list(&ListFilter::default()).expect("readable");
    let state = |id| list.iter().find(|found| found.id == MatchId(id)).expect("there").state;
    assert_eq!((state(5), state(6)), (MatchState::Running, MatchState::Interrupted));
}

#[test]
fn a_match_set_aside_is_so_in_the_journal_and_in_the_directory() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (store, reports) = open(folder.path());
    store.create(NewMatch::sample(7)).expect("room").wait().expect("new");
    let handle = store.journal().expect("it was opened with one").clone();
    hand(&handle, 7, 1, begin());
    hand(&handle, 7, 1, frames(1, 9));
    store.quarantine(MatchId(7), "it died three times").expect("room").wait().expect("there");
    let unknown = store.quarantine(MatchId(8), "-").expect("room").wait();
    assert_eq!(unknown, Err(StoreError::UnknownMatch(MatchId(8))));
    hand(&handle, 7, 1, frames(10, 10));
    let refused = loop {
        let report = next(&reports);
        if let Some(refused) = report.refused.first() {
            break *refused;
        }
    };
    assert_eq!((refused.match_id, refused.epoch), (MatchId(7), Epoch(1)));
    let entries = store.journals(None).expect("room").wait().expect("readable");
    assert_eq!(entries[0].state, JournalState::Quarantined);
    assert_eq!(entries[0].why.as_deref(), Some("it died three times"));
    let recovered = store.recover(newest(7)).expect("room").wait().expect("readable").remove(0);
    assert_eq!(recovered.expect("all its data is there").tick(), Tick(9));
    store.close().expect("closed");
    let history = super::super::super::History::open(folder.path()).expect("there");
    let shown = history.show(MatchId(7)).expect("there").summary;
    assert_eq!(shown.state, MatchState::Quarantined);
    assert_eq!(shown.reason.as_deref(), Some("it died three times"));
}

/// A journal whose disk may be full or slow for records, and has room for a row that is changed.
struct Faulty<F> {
    journal: SqliteJournal,
    /// What comes before records are appended.
    before: F,
}

impl<F> JournalReader for Faulty<F> {
    fn load_while(
        &self,
        wanted: &[Load],
        each: &mut dyn FnMut(&Stored<'_>) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.journal.load_while(wanted, each)
    }

    fn list(
        &self,
        state: Option<JournalState>,
        each: &mut dyn FnMut(JournalEntry),
    ) -> Result<(), JournalError> {
        self.journal.list(state, each)
    }

    fn entry(&self, match_id: MatchId) -> Result<Option<JournalEntry>, JournalError> {
        self.journal.entry(match_id)
    }
}

impl<F: FnMut() -> Result<(), JournalError> + Send> Journal for Faulty<F> {
    fn claim(&mut self, claims: &[Claim]) -> Result<Vec<Result<Epoch, Refusal>>, JournalError> {
        self.journal.claim(claims)
    }

    fn append(&mut self, batch: &Batch) -> Result<Vec<(MatchId, Refusal)>, JournalError> {
        (self.before)()?;
        self.journal.append(batch)
    }

    fn quarantine(
        &mut self,
        match_id: MatchId,
        why: &str,
    ) -> Result<Result<(), Refusal>, JournalError> {
        self.journal.quarantine(match_id, why)
    }

    fn retain(&mut self, limits: &Retention) -> Result<Retained, JournalError> {
        self.journal.retain(limits)
    }
}

#[test]
fn a_match_is_set_aside_behind_its_evidence_however_full_the_disk_was() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = SqliteDirectory::open(folder.path()).expect("ours");
    let is_full = Arc::new(AtomicBool::new(false));
    let fills = Arc::clone(&is_full);
    let before = move || match fills.load(Ordering::Relaxed) {
        true => Err(JournalError::Full { place: "matches.db".to_owned() }),
        false => Ok(()),
    };
    let journal = Faulty { journal: SqliteJournal::open(folder.path()).expect("ours"), before };
    let (sender, reports) = unbounded();
    let on_report = Box::new(move |report| {
        let _ = sender.send(report);
    });
    let (store, _) = Store::open_with_journal(directory, journal, on_report).expect("started");
    store.create(NewMatch::sample(7)).expect("room").wait().expect("new");
    let handle = store.journal().expect("it was opened with one").clone();
    hand(&handle, 7, 1, begin());
    assert_eq!(next(&reports).claimed, [(MatchId(7), Epoch(1))]);
    is_full.store(true, Ordering::Relaxed);
    hand(&handle, 7, 1, frames(1, 9));
    hand(&handle, 7, 1, Entry::Incident { tick: Tick(10), bytes: b"evidence".to_vec() });
    let set_aside = || store.quarantine(MatchId(7), "it died three times").expect("room").wait();
    let full = Err(StoreError::Full { database: "matches.db".to_owned() });
    assert_eq!(set_aside(), full);
    assert_eq!(set_aside(), full, "as long as that is so");
    is_full.store(false, Ordering::Relaxed);
    while next(&reports).durable.is_empty() {}
    assert_eq!(set_aside(), Ok(()));
    let recovered = store.recover(newest(7)).expect("room").wait().expect("readable").remove(0);
    let kinds: Vec<_> =
        recovered.expect("it is all there").pieces.iter().map(|piece| piece.kind).collect();
    assert_eq!(kinds, [Kind::Claim, Kind::Frames, Kind::Incident]);
    let entries = store.journals(None).expect("room").wait().expect("readable");
    assert_eq!(entries[0].state, JournalState::Quarantined);
    store.close().expect("closed");
}

#[test]
fn however_slow_the_disk_a_write_waits_for_the_flush_under_way_and_no_other() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = SqliteDirectory::open(folder.path()).expect("ours");
    let (entered, is_writing) = unbounded();
    let (goes_on, may_go_on) = unbounded::<()>();
    let before = move || {
        // A flush that nobody lets go on is one too many: this thread ends, and the write fails.
        entered.send(()).expect("the test lives");
        may_go_on.recv_timeout(Duration::from_secs(5)).expect("the test lets it go on");
        Ok(())
    };
    let journal = Faulty { journal: SqliteJournal::open(folder.path()).expect("ours"), before };
    let (store, _) = Store::open_with_journal(directory, journal, Box::new(drop)).expect("started");
    let control = store.journal().expect("it was opened with one").clone();
    let (shard, told) = control.of_shard(ShardId(0));
    hand(&control, 1, 1, begin());
    hand(&shard, 1, 1, frames(1, 1));
    shard.complete(false);
    for tick in 2..30 {
        is_writing.recv_timeout(Duration::from_secs(20)).expect("a flush");
        // Meanwhile the next one comes to be due, and somebody wants something written.
        hand(&shard, 1, 1, frames(tick, tick));
        shard.complete(false);
        let written = store.player(&format!("player {tick}"), 1).expect("room");
        goes_on.send(()).expect("it waits");
        written.wait().expect("its turn is before that of the next flush");
        let durable = told.recv_timeout(Duration::from_secs(20)).expect("it is written");
        assert_eq!(durable, [(MatchId(1), Epoch(1), Tick(tick - 1))]);
    }
    goes_on.send(()).expect("it waits");
    store.close().expect("closed");
}

#[test]
fn without_journals_asking_for_one_is_answered() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = SqliteDirectory::open(folder.path()).expect("ours");
    let (store, _) = Store::open(directory).expect("started");
    assert!(store.journal().is_none());
    assert_eq!(store.recover(newest(1)).expect("room").wait().err(), Some(StoreError::Closed));
    store.close().expect("closed");
}

#[test]
fn shards_are_written_together_and_each_hears_of_its_own_matches_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (store, reports, control) = open_with_matches(folder.path(), &[1, 2]);
    let (mut one, told_one) = control.of_shard(ShardId(0));
    let (mut two, told_two) = control.of_shard(ShardId(1));
    assert!(!one.is_called() && !two.is_called(), "there is nothing to join");
    hand(&one, 1, 1, frames(1, 3));
    let hears = Duration::from_secs(20);
    assert!(told_one.recv_timeout(Duration::from_millis(50)).is_err(), "there may be more");
    one.complete(false);
    let mut newest = 3;
    while !two.is_called() {
        // A busy machine may hold this thread up for longer than others are waited for: then there is another flush.
        if told_one.try_recv().is_ok() {
            newest += 1;
            hand(&one, 1, 1, frames(newest, newest));
            one.complete(false);
        }
        std::thread::yield_now();
    }
    assert!(!two.is_called(), "once");
    hand(&two, 2, 1, frames(1, 2));
    two.complete(false);
    assert_eq!(told_one.recv_timeout(hears), Ok(vec![(MatchId(1), Epoch(1), Tick(newest))]));
    assert_eq!(told_two.recv_timeout(hears), Ok(vec![(MatchId(2), Epoch(1), Tick(2))]));
    // Control hears of what is more than ticks.
    hand(&two, 2, 1, finish(2));
    two.complete(true);
    let report = next(&reports);
    assert!(report.durable[0].is_finished, "and of nothing before: {report:?}");
    assert_eq!(told_two.recv_timeout(hears), Ok(vec![(MatchId(2), Epoch(1), Tick(2))]));
    store.close().expect("closed");
}

#[test]
fn control_hears_that_a_disk_has_room_again_though_only_ticks_were_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (store, reports, control) = open_with_matches(folder.path(), &[1]);
    let (shard, told) = control.of_shard(ShardId(0));
    let other = rusqlite::Connection::open(folder.path().join("matches.db")).expect("it opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("free");
    hand(&shard, 1, 1, frames(1, 3));
    shard.complete(false);
    assert!(matches!(next(&reports).trouble, Some(JournalError::Busy { .. })));
    other.execute_batch("ROLLBACK").expect("held");
    let hears = Duration::from_secs(20);
    assert_eq!(told.recv_timeout(hears), Ok(vec![(MatchId(1), Epoch(1), Tick(3))]));
    // As often as it was tried in vain, and once more.
    let mut report = next(&reports);
    while report.trouble.is_some() {
        report = next(&reports);
    }
    assert_eq!(report, JournalReport::default(), "there is no trouble any more");
    store.close().expect("closed");
}
