//! A disk that is full.

use matchkeep_server::journal::{Entry, Handover, JournalError, JournalItem, Room, Writer};
use matchkeep_server::store::{SqliteDirectory, SqliteJournal, Store, StoreError};
use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::time::Tick;
use matchkeep_tests::journal_play::{Acked, Told, check, frames, header};

use super::{Mount, may_mount, run, temporary};

struct Bench {
    writer: Writer,
    room: Room,
    journal: SqliteJournal,
    told: Told,
}

impl Bench {
    fn hand(&mut self, id: u64, entry: Entry) {
        let item = JournalItem { match_id: MatchId(id), epoch: Epoch(1), entry };
        self.writer.push(Handover::new(&self.room, item).expect("room"));
    }

    /// Why it failed, if it did.
    fn flush(&mut self) -> Option<JournalError> {
        let report = self.writer.flush(&mut self.journal);
        for (id, epoch) in report.claimed {
            self.told.insert(id, Acked { epoch: epoch.0, ..Acked::default() });
        }
        for durable in report.durable {
            let acked = self.told.entry(durable.match_id).or_default();
            acked.tick = durable.tick.0;
        }
        report.trouble
    }
}

#[test]
fn a_full_disk_is_said_and_nothing_is_lost_and_it_goes_on_when_there_is_space() {
    if !may_mount("a full disk") {
        return;
    }
    let folder = temporary();
    let size = |size: &str| format!("size={size}");
    let _mount = Mount::new(&["-t", "tmpfs", "-o", &size("2m"), "tmpfs"], folder.path());
    let journal = SqliteJournal::open(folder.path()).expect("it opens");
    let room = Room::new(usize::MAX / 2);
    let mut bench = Bench { writer: Writer::new(), room, journal, told: Told::new() };
    let begin = |id| Entry::Begin { header: header(MatchId(id)), claim: Vec::new(), unix_ms: 1 };
    for id in 1..=3 {
        bench.hand(id, begin(id));
    }
    let mut last = 0;
    let mut is_full = |bench: &mut Bench| loop {
        for id in 1..=3 {
            let bytes = frames(MatchId(id), last + 1, last + 400);
            bench.hand(id, Entry::Frames { first: Tick(last + 1), last: Tick(last + 400), bytes });
        }
        last += 400;
        match bench.flush() {
            None => assert!(last < 400_000, "it never fills"),
            Some(error) => break (error, last),
        }
    };
    let (error, ticks) = is_full(&mut bench);
    let names_it = |error: &JournalError| {
        let JournalError::Full { place } = error else { return false };
        place.contains(super::DATABASE)
    };
    assert!(names_it(&error), "{error}");
    assert!(bench.told.values().all(|acked| acked.tick == ticks - 400), "{:?}", bench.told);
    for _ in 0..3 {
        // Claims too.
        bench.hand(9, begin(9));
        let error = bench.flush().expect("it is still full");
        assert!(names_it(&error), "{error}");
    }
    assert!(!bench.told.contains_key(&MatchId(9)));

    run(
        "mount",
        &["-o", &format!("remount,{}", size("16m")), folder.path().to_str().expect("UTF-8")],
    );
    assert_eq!(bench.flush(), None);
    assert!((1..=3).all(|id| bench.told[&MatchId(id)].tick == ticks), "{:?}", bench.told);
    assert_eq!(bench.told[&MatchId(9)].epoch, 1);
    assert_eq!(bench.room.used_bytes(), 0);
    // Again, and this time the process ends while it is full.
    let (error, _) = is_full(&mut bench);
    assert!(names_it(&error), "{error}");
    let Bench { journal, told, .. } = bench;
    drop(journal);
    assert_eq!(check(&SqliteJournal::open(folder.path()).expect("it opens"), &told), 0);
}

#[test]
fn on_a_full_disk_the_store_keeps_journals_until_there_is_space() {
    if !may_mount("a store on a full disk") {
        return;
    }
    let folder = temporary();
    let _mount = Mount::new(&["-t", "tmpfs", "-o", "size=2m", "tmpfs"], folder.path());
    let (sender, reports) = crossbeam_channel::unbounded();
    let directory = SqliteDirectory::open(folder.path()).expect("it opens");
    let journal = SqliteJournal::open(folder.path()).expect("it opens");
    let on_report = Box::new(move |report| drop(sender.send(report)));
    let (store, _) = Store::open_with_journal(directory, journal, on_report).expect("started");
    let handle = store.journal().expect("it was opened with one").clone();
    let hand = |entry| {
        let item = JournalItem { match_id: MatchId(1), epoch: Epoch(1), entry };
        handle.try_hand_over(item).expect("room");
    };
    hand(Entry::Begin { header: header(MatchId(1)), claim: Vec::new(), unix_ms: 1 });
    let more = |first: u64| {
        let bytes = frames(MatchId(1), first, first + 49_999);
        hand(Entry::Frames { first: Tick(first), last: Tick(first + 49_999), bytes });
    };
    // 400 KB each.
    (0..10).for_each(|piece| more(1 + piece * 50_000));
    let within = std::time::Duration::from_secs(20);
    let next = || reports.recv_timeout(within).expect("a report comes");
    let full = |error: &JournalError| matches!(error, JournalError::Full { .. });
    while !next().trouble.as_ref().is_some_and(full) {}
    // The directory has the same disk.
    let refused =
        (0..10_000).find_map(|n| store.player(&format!("p{n}"), 0).expect("room").wait().err());
    assert!(matches!(refused, Some(StoreError::Full { .. })), "{refused:?}");
    run("mount", &["-o", "remount,size=32m", folder.path().to_str().expect("UTF-8")]);
    // By itself: nobody asks for it.
    let durable = loop {
        if let Some(durable) = next().durable.last() {
            break *durable;
        }
    };
    assert_eq!(durable.tick, Tick(500_000));
    store.player("Ada", 0).expect("room").wait().expect("there is space");
    store.close().expect("closed");
    assert_eq!(handle.pending_bytes(), 0);
}
