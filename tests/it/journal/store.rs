//! Journals through the store's thread, on a disk in memory that fails.

use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use matchkeep_server::journal::{Entry, JournalError, JournalItem, JournalReport};
use matchkeep_server::store::{JournalHandle, NotTaken, SqliteDirectory, Store, StoreError};
use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::limits::JOURNAL_PENDING_BYTES_MAX;
use matchkeep_shared::time::Tick;
use matchkeep_tests::journal_play::header;
use matchkeep_tests::memory_journal::{MemoryDisk, MemoryJournal};

struct Bench {
    disk: MemoryDisk,
    store: Store,
    handle: JournalHandle,
    reports: Receiver<JournalReport>,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let disk = MemoryDisk::new(1);
        let directory = SqliteDirectory::open(folder.path()).expect("it opens");
        let (sender, reports) = unbounded();
        let on_report = Box::new(move |report| {
            let _ = sender.send(report);
        });
        let journal = MemoryJournal::open(&disk);
        let (store, _) = Store::open_with_journal(directory, journal, on_report).expect("started");
        let handle = store.journal().expect("it was opened with one").clone();
        Self { disk, store, handle, reports, _folder: folder }
    }

    fn hand(&self, entry: Entry) -> Result<(), NotTaken> {
        self.handle.try_hand_over(JournalItem { match_id: MatchId(1), epoch: Epoch(1), entry })
    }

    fn next(&self) -> JournalReport {
        self.reports.recv_timeout(Duration::from_secs(20)).expect("a report comes")
    }
}

fn begin() -> Entry {
    Entry::Begin { header: header(MatchId(1)), claim: Vec::new(), unix_ms: 1 }
}

fn ticks(tick: u64, bytes: usize) -> Entry {
    Entry::Frames { first: Tick(tick), last: Tick(tick), bytes: vec![7; bytes] }
}

#[test]
fn a_journal_that_broke_breaks_the_whole_store() {
    let bench = Bench::new();
    bench.hand(begin()).expect("room");
    assert_eq!(bench.next().claimed.len(), 1);
    bench.store.player("Ada", 1).expect("room").wait().expect("it works");
    bench.disk.fail_next_sync();
    bench.hand(ticks(1, 10)).expect("room");
    assert!(matches!(bench.next().trouble, Some(JournalError::Broken { .. })));
    // Results are on the same disk: none is taken for durable any more.
    let refused = bench.store.player("Ben", 1).expect("room").wait();
    assert!(matches!(refused, Err(StoreError::Broken { .. })), "{refused:?}");
    let refused = bench.store.journals(None).expect("room").wait();
    assert!(matches!(refused, Err(StoreError::Broken { .. })), "{refused:?}");
    assert!(matches!(bench.store.close(), Err(StoreError::Broken { .. })));
}

#[test]
fn what_a_full_disk_holds_up_is_bounded_and_comes_back_to_whoever_hands_over() {
    const MIB: usize = 1024 * 1024;
    let bench = Bench::new();
    bench.hand(begin()).expect("room");
    assert_eq!(bench.next().claimed.len(), 1);
    bench.disk.set_room(Some(bench.disk.bytes()));
    let mut tick = 1;
    let kept = loop {
        match bench.hand(ticks(tick, MIB)) {
            Ok(()) => tick += 1,
            Err(NotTaken::NoRoom(item)) => break item,
            Err(NotTaken::Closed(item)) => panic!("{item:?}"),
        }
    };
    assert!(tick as usize > JOURNAL_PENDING_BYTES_MAX / MIB - 2, "{tick} MiB");
    assert!(bench.handle.pending_bytes() <= JOURNAL_PENDING_BYTES_MAX);
    assert!(matches!(bench.next().trouble, Some(JournalError::Full { .. })));
    bench.disk.set_room(None);
    let durable = loop {
        if let Some(durable) = bench.next().durable.last() {
            break *durable;
        }
    };
    assert_eq!(durable.tick, Tick(tick - 1), "all that was taken");
    bench.handle.try_hand_over(kept).expect("room again");
    bench.store.close().expect("closed");
    let last = bench.reports.iter().filter_map(|report| report.durable.last().copied()).last();
    assert_eq!(last.map(|durable| durable.tick), Some(Tick(tick)));
    assert_eq!(bench.handle.pending_bytes(), 0);
}

#[test]
fn a_store_that_closes_while_the_disk_is_full_says_what_it_could_not_write() {
    let bench = Bench::new();
    bench.hand(begin()).expect("room");
    assert_eq!(bench.next().claimed.len(), 1);
    bench.disk.set_room(Some(bench.disk.bytes()));
    bench.hand(ticks(1, 10)).expect("room");
    let Err(StoreError::Broken { cause }) = bench.store.close() else {
        panic!("it is not written")
    };
    assert!(cause.contains("not all written"), "{cause}");
}
