//! From what matches hand over to records: what waits is written together, in order, and is told when it
//! is durable; a disk in trouble costs time and not frames.

use matchkeep_server::journal::{
    Damage, Durable, Entry, Handover, JournalError, JournalItem, JournalReader, JournalReport,
    Kind, Load, LoadFrom, Refusal, Refused, Room, WhyRefused, Writer, recover,
};
use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::limits::JOURNAL_PAYLOAD_BYTES_MAX;
use matchkeep_shared::time::Tick;
use matchkeep_tests::journal_play::{check, checkpoint, frames, header};
use matchkeep_tests::memory_journal::{MemoryDisk, MemoryJournal};

struct Bench {
    disk: MemoryDisk,
    journal: MemoryJournal,
    writer: Writer,
    room: Room,
}

impl Bench {
    fn new() -> Self {
        let disk = MemoryDisk::new(1);
        let journal = MemoryJournal::open(&disk);
        Self { disk, journal, writer: Writer::new(), room: Room::new(16 * 1024 * 1024) }
    }

    fn hand(&mut self, id: u64, epoch: u32, entry: Entry) {
        let item = JournalItem { match_id: MatchId(id), epoch: Epoch(epoch), entry };
        self.writer.push(Handover::new(&self.room, item).expect("room"));
    }

    fn flush(&mut self) -> JournalReport {
        self.writer.flush(&mut self.journal)
    }

    fn kinds(&self, id: u64) -> Vec<(Kind, u64, u64)> {
        let mut kinds = Vec::new();
        let load = Load { match_id: MatchId(id), from: LoadFrom::Beginning };
        let mut each = |stored: &matchkeep_server::journal::Stored<'_>| {
            kinds.push((stored.label.kind, stored.label.first.0, stored.label.last.0));
        };
        self.journal.load(&[load], &mut each).expect("readable");
        kinds
    }
}

fn begin(id: u64) -> Entry {
    Entry::Begin { header: header(MatchId(id)), claim: Vec::new(), unix_ms: 1 }
}

fn ticks(id: u64, first: u64, last: u64) -> Entry {
    let bytes = frames(MatchId(id), first, last);
    Entry::Frames { first: Tick(first), last: Tick(last), bytes }
}

fn state(id: u64, tick: u64) -> Entry {
    let encode = Box::new(move |out: &mut Vec<u8>| out.extend(checkpoint(MatchId(id), tick)));
    Entry::Checkpoint { tick: Tick(tick), bytes_hint: 320, encode }
}

fn finish(tick: u64) -> Entry {
    Entry::Finish { tick: Tick(tick), bytes: b"won".to_vec(), unix_ms: 9 }
}

fn durable(id: u64, epoch: u32, tick: u64) -> Durable {
    let (match_id, epoch, tick) = (MatchId(id), Epoch(epoch), Tick(tick));
    Durable { match_id, epoch, tick, incidents: 0, is_finished: false, shard: None }
}

#[test]
fn what_waits_becomes_one_record_up_to_a_checkpoint() {
    let mut bench = Bench::new();
    bench.hand(1, 1, begin(1));
    for tick in 1..=5 {
        bench.hand(1, 1, ticks(1, tick, tick));
    }
    bench.hand(1, 1, state(1, 5));
    bench.hand(1, 1, ticks(1, 6, 8));
    let report = bench.flush();
    assert_eq!(report.claimed, [(MatchId(1), Epoch(1))]);
    assert_eq!(report.durable, [durable(1, 1, 8)]);
    let expected = [
        (Kind::Header, 0, 0),
        (Kind::Claim, 0, 0),
        (Kind::Frames, 1, 5),
        (Kind::Checkpoint, 5, 5),
        (Kind::Frames, 6, 8),
    ];
    assert_eq!(bench.kinds(1), expected);
    assert_eq!(bench.room.used_bytes(), 0);
    assert!(bench.flush().is_empty() && !bench.writer.has_pending());
}

#[test]
fn a_match_that_restarts_goes_on_in_the_same_flush() {
    let mut bench = Bench::new();
    bench.hand(1, 1, begin(1));
    bench.hand(1, 1, ticks(1, 1, 4));
    let incident = Entry::Incident { tick: Tick(5), bytes: b"panicked".to_vec() };
    bench.hand(1, 1, incident);
    bench.hand(1, 2, Entry::Restart { claim: Vec::new(), unix_ms: 2 });
    bench.hand(1, 2, ticks(1, 5, 6));
    // From the epoch before, late.
    bench.hand(1, 1, ticks(1, 5, 5));
    bench.hand(1, 2, finish(6));
    let report = bench.flush();
    assert_eq!(report.claimed, [(MatchId(1), Epoch(1)), (MatchId(1), Epoch(2))]);
    let expected = [
        Durable { incidents: 1, ..durable(1, 1, 4) },
        Durable { is_finished: true, ..durable(1, 2, 6) },
    ];
    assert_eq!(report.durable, expected);
    let late = Refused { match_id: MatchId(1), epoch: Epoch(1), why: WhyRefused::NotClaimed };
    assert_eq!(report.refused, [late]);
    let kinds: Vec<_> = bench.kinds(1).iter().map(|found| found.0).collect();
    let expected = [
        Kind::Header,
        Kind::Claim,
        Kind::Frames,
        Kind::Incident,
        Kind::Claim,
        Kind::Frames,
        Kind::Finish,
    ];
    assert_eq!(kinds, expected);
    // It is over: nothing is taken any more.
    bench.hand(1, 2, ticks(1, 7, 7));
    assert_eq!(bench.flush().refused[0].why, WhyRefused::NotClaimed);
}

#[test]
fn a_full_disk_keeps_everything_pending_and_goes_on_when_there_is_space() {
    let mut bench = Bench::new();
    bench.hand(1, 1, begin(1));
    bench.hand(1, 1, ticks(1, 1, 2));
    assert_eq!(bench.flush().durable, [durable(1, 1, 2)]);
    bench.disk.set_room(Some(bench.disk.bytes()));
    bench.hand(1, 1, ticks(1, 3, 5));
    bench.hand(1, 1, state(1, 5));
    for _ in 0..3 {
        let report = bench.flush();
        let full = JournalError::Full { place: "memory".to_owned() };
        assert_eq!(report, JournalReport { trouble: Some(full), ..JournalReport::default() });
        // Matches go on as long as there is room in memory.
        assert!(bench.writer.has_pending() && bench.room.used_bytes() > 0);
    }
    bench.hand(1, 1, ticks(1, 6, 7));
    bench.hand(2, 1, begin(2));
    assert!(bench.flush().trouble.is_some());
    let unwritten = bench.writer.unwritten_frames(MatchId(1));
    let expected = [(Tick(3), Tick(5)), (Tick(6), Tick(7))];
    assert_eq!(unwritten.iter().map(|found| (found.0, found.1)).collect::<Vec<_>>(), expected);
    assert_eq!(unwritten[0].2, frames(MatchId(1), 3, 5));

    bench.disk.set_room(None);
    let report = bench.flush();
    assert_eq!(report.durable.last(), Some(&durable(1, 1, 7)));
    assert_eq!(report.claimed, [(MatchId(2), Epoch(1))]);
    assert_eq!(bench.room.used_bytes(), 0);
    let told = [(
        MatchId(1),
        matchkeep_tests::journal_play::Acked { epoch: 1, tick: 7, is_finished: false },
    )];
    assert_eq!(check(&bench.journal, &told.into()), 0);
}

#[test]
fn a_busy_disk_is_tried_again() {
    let mut bench = Bench::new();
    bench.disk.stall(2);
    bench.hand(1, 1, begin(1));
    bench.hand(1, 1, ticks(1, 1, 2));
    for _ in 0..2 {
        assert!(matches!(bench.flush().trouble, Some(JournalError::Busy { .. })));
    }
    assert_eq!(bench.flush().durable, [durable(1, 1, 2)]);
}

#[test]
fn after_a_failed_sync_nothing_is_told_and_nothing_is_tried() {
    let mut bench = Bench::new();
    bench.hand(1, 1, begin(1));
    bench.hand(1, 1, ticks(1, 1, 2));
    assert_eq!(bench.flush().trouble, None);
    bench.disk.fail_next_sync();
    bench.hand(1, 1, ticks(1, 3, 4));
    let steps = bench.disk.steps();
    let report = bench.flush();
    assert!(matches!(report.trouble, Some(JournalError::Broken { .. })));
    assert!(report.durable.is_empty());
    assert!(bench.disk.steps() > steps);
    let steps = bench.disk.steps();
    bench.hand(1, 1, ticks(1, 5, 6));
    let report = bench.flush();
    assert!(
        matches!(report.trouble, Some(JournalError::Broken { .. })) && report.durable.is_empty()
    );
    assert_eq!(bench.disk.steps(), steps, "the disk was not touched again");
    // What was told before is there.
    let told = [(
        MatchId(1),
        matchkeep_tests::journal_play::Acked { epoch: 1, tick: 2, is_finished: false },
    )];
    check(&MemoryJournal::open(&bench.disk), &told.into());
}

#[test]
fn another_owner_stops_this_one_and_not_its_other_matches() {
    let mut bench = Bench::new();
    for id in 1..=2 {
        bench.hand(id, 1, begin(id));
        bench.hand(id, 1, ticks(id, 1, 2));
    }
    bench.flush();
    let load = Load { match_id: MatchId(1), from: LoadFrom::Checkpoint(Tick(u64::MAX)) };
    let recovered = recover(&bench.journal, &[load]).expect("readable").remove(0).expect("good");
    let mut other = Writer::new();
    let entry = Entry::Resume { recovered: Box::new(recovered), claim: Vec::new(), unix_ms: 3 };
    let item = JournalItem { match_id: MatchId(1), epoch: Epoch(2), entry };
    other.push(Handover::new(&bench.room, item).expect("room"));
    assert_eq!(other.flush(&mut bench.journal).claimed, [(MatchId(1), Epoch(2))]);

    bench.hand(1, 1, ticks(1, 3, 3));
    bench.hand(2, 1, ticks(2, 3, 3));
    let report = bench.flush();
    let why = WhyRefused::Journal(Refusal::Stale { current: Epoch(2) });
    assert_eq!(report.refused, [Refused { match_id: MatchId(1), epoch: Epoch(1), why }]);
    assert_eq!(report.durable, [durable(2, 1, 3)]);
    assert_eq!(bench.writer.matches().collect::<Vec<_>>(), [MatchId(2)]);
    // And it cannot claim it back by what it knows.
    bench.hand(1, 2, Entry::Restart { claim: Vec::new(), unix_ms: 4 });
    assert_eq!(bench.flush().refused[0].why, WhyRefused::NotClaimed);
}

#[test]
fn what_cannot_come_next_ends_the_match_here_and_is_never_a_gap() {
    type Why = fn(Damage) -> bool;
    let wrong: [(Entry, Why); 6] = [
        (ticks(1, 4, 4), |why| matches!(why, Damage::TickGap { .. })),
        (ticks(1, 2, 3), |why| matches!(why, Damage::TickGap { .. })),
        (state(1, 1), |why| matches!(why, Damage::TickGap { .. })),
        (finish(1), |why| matches!(why, Damage::TickGap { .. })),
        (Entry::Frames { first: Tick(3), last: Tick(2), bytes: Vec::new() }, |why| {
            matches!(why, Damage::Ticks { .. })
        }),
        (Entry::Incident { tick: Tick(3), bytes: vec![0; JOURNAL_PAYLOAD_BYTES_MAX + 1] }, |why| {
            matches!(why, Damage::TooLarge(_))
        }),
    ];
    for (entry, is_why) in wrong {
        let mut bench = Bench::new();
        bench.hand(1, 1, begin(1));
        bench.hand(1, 1, ticks(1, 1, 2));
        let shown = format!("{entry:?}");
        bench.hand(1, 1, entry);
        bench.hand(1, 1, ticks(1, 3, 3));
        let report = bench.flush();
        assert_eq!(report.durable, [durable(1, 1, 2)], "{shown}: what came before is good");
        let [Refused { why: WhyRefused::Defect(why), .. }] = report.refused[..] else {
            panic!("{shown}: {report:?}")
        };
        assert!(is_why(why), "{shown}: {why}");
        assert_eq!(bench.room.used_bytes(), 0);
        assert!(bench.writer.matches().next().is_none());
    }
}

#[test]
fn a_checkpoint_that_is_too_large_is_left_out_and_told() {
    let mut bench = Bench::new();
    bench.hand(1, 1, begin(1));
    bench.hand(1, 1, ticks(1, 1, 2));
    let encode =
        Box::new(|out: &mut Vec<u8>| out.resize(out.len() + JOURNAL_PAYLOAD_BYTES_MAX + 1, 0));
    bench.hand(1, 1, Entry::Checkpoint { tick: Tick(2), bytes_hint: 10, encode });
    bench.hand(1, 1, ticks(1, 3, 3));
    let report = bench.flush();
    assert_eq!(report.checkpoints_too_large, [(MatchId(1), Tick(2))]);
    assert_eq!((report.durable, report.refused), (vec![durable(1, 1, 3)], vec![]));
}

#[test]
fn frames_that_are_too_many_for_one_record_become_two() {
    let mut bench = Bench::new();
    bench.hand(1, 1, begin(1));
    for tick in 1..=3 {
        let bytes = vec![7; JOURNAL_PAYLOAD_BYTES_MAX / 2];
        bench.hand(1, 1, Entry::Frames { first: Tick(tick), last: Tick(tick), bytes });
    }
    assert_eq!(bench.flush().durable, [durable(1, 1, 3)]);
    assert_eq!(bench.kinds(1)[2..], [(Kind::Frames, 1, 2), (Kind::Frames, 3, 3)]);
}

#[test]
fn without_room_a_piece_comes_back_as_it_was() {
    let room = Room::new(1000);
    let mut writer = Writer::new();
    let item = |entry| JournalItem { match_id: MatchId(1), epoch: Epoch(1), entry };
    writer.push(Handover::new(&room, item(begin(1))).expect("room"));
    let kept = Handover::new(&room, item(ticks(1, 1, 90))).expect_err("720 bytes more");
    let Entry::Frames { bytes, .. } = &kept.entry else { panic!("{kept:?}") };
    assert_eq!(*bytes, frames(MatchId(1), 1, 90));
    let disk = MemoryDisk::new(1);
    let mut journal = MemoryJournal::open(&disk);
    assert_eq!(writer.flush(&mut journal).claimed.len(), 1);
    // What is durable gives its room back.
    writer.push(Handover::new(&room, kept).expect("room again"));
    assert_eq!(writer.flush(&mut journal).durable, [durable(1, 1, 90)]);
}

#[test]
fn a_match_that_is_released_is_written_and_forgotten() {
    let mut bench = Bench::new();
    bench.hand(1, 1, begin(1));
    bench.hand(1, 1, ticks(1, 1, 2));
    bench.hand(1, 1, Entry::Release);
    // It said itself that this is not its to write any more.
    bench.hand(1, 1, ticks(1, 3, 3));
    assert_eq!(bench.flush().durable, [durable(1, 1, 2)]);
    assert!(bench.writer.matches().next().is_none());
    let load = Load { match_id: MatchId(1), from: LoadFrom::Checkpoint(Tick(u64::MAX)) };
    let recovered = recover(&bench.journal, &[load]).expect("readable").remove(0).expect("good");
    let entry = Entry::Resume { recovered: Box::new(recovered), claim: Vec::new(), unix_ms: 3 };
    bench.hand(1, 2, entry);
    bench.hand(1, 2, ticks(1, 3, 4));
    assert_eq!(bench.flush().durable, [durable(1, 2, 4)]);
}
