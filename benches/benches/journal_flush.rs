//! The journal in SQLite, with a thousand matches on one disk: their claims, a flush of what each did in three
//! ticks, the sealing of as many records alone, and recovery.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use matchkeep_server::journal::{
    Batch, Chain, Entry, Handover, JournalItem, Kind, Load, LoadFrom, Room, Writer, recover,
};
use matchkeep_server::store::SqliteJournal;
use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::limits::JOURNAL_PENDING_BYTES_MAX;
use matchkeep_shared::time::Tick;

const MATCHES: u64 = 1000;
/// What a match of ten players hands over at 60 Hz between two flushes.
const TICKS_PER_FLUSH: u64 = 3;
const FRAMES_BYTES: usize = 300;
/// Every match takes one in so many flushes: five seconds.
const FLUSHES_PER_CHECKPOINT: u64 = 100;
const CHECKPOINT_BYTES: usize = 20_000;

/// A journal in a folder of its own, and a writer before it.
struct Disk {
    journal: SqliteJournal,
    writer: Writer,
    room: Room,
    tick: u64,
    /// Goes last.
    _folder: tempfile::TempDir,
}

impl Disk {
    /// No match has begun.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("the system has a temporary folder");
        let journal = SqliteJournal::open(folder.path()).expect("made");
        let room = Room::new(JOURNAL_PENDING_BYTES_MAX);
        Self { journal, writer: Writer::new(), room, tick: 0, _folder: folder }
    }

    /// All matches have begun.
    fn begun() -> Self {
        let mut disk = Self::new();
        disk.begin();
        disk.claim();
        disk
    }

    fn hand(&mut self, id: u64, entry: Entry) {
        let item = JournalItem { match_id: MatchId(id), epoch: Epoch(1), entry };
        self.writer.push(Handover::new(&self.room, item).expect("room"));
    }

    fn begin(&mut self) {
        for id in 1..=MATCHES {
            let header = vec![1; 200];
            self.hand(id, Entry::Begin { header, claim: Vec::new(), unix_ms: 1 });
        }
    }

    fn claim(&mut self) {
        let report = self.writer.flush(&mut self.journal);
        assert_eq!(report.claimed.len() as u64, MATCHES, "{:?}", report.refused);
    }

    fn play(&mut self, with_checkpoints: bool) {
        let (first, last) = (Tick(self.tick + 1), Tick(self.tick + TICKS_PER_FLUSH));
        self.tick = last.0;
        let nth = last.0 / TICKS_PER_FLUSH;
        for id in 1..=MATCHES {
            let bytes = vec![id as u8; FRAMES_BYTES];
            self.hand(id, Entry::Frames { first, last, bytes });
            if with_checkpoints && (nth + id).is_multiple_of(FLUSHES_PER_CHECKPOINT) {
                let encode = Box::new(|out: &mut Vec<u8>| out.extend([7; CHECKPOINT_BYTES]));
                let bytes_hint = CHECKPOINT_BYTES;
                self.hand(id, Entry::Checkpoint { tick: last, bytes_hint, encode });
            }
        }
    }

    fn flush(&mut self) {
        let report = self.writer.flush(&mut self.journal);
        assert_eq!(report.trouble, None);
        assert_eq!(report.durable.len() as u64, MATCHES, "{:?}", report.refused);
    }

    fn recover(&self, matches: u64) {
        let from = LoadFrom::Checkpoint(Tick(u64::MAX));
        let loads: Vec<_> = (1..=matches).map(|id| Load { match_id: MatchId(id), from }).collect();
        for recovered in recover(&self.journal, &loads).expect("readable") {
            let recovered = recovered.expect("good");
            assert_eq!((recovered.tick(), recovered.lost_records), (Tick(self.tick), 0));
        }
    }
}

fn claim(c: &mut Criterion) {
    let mut group = c.benchmark_group("journal_claim");
    group.throughput(Throughput::Elements(MATCHES));
    group.bench_function(format!("{MATCHES}_matches"), |b| {
        b.iter_custom(|iterations| {
            let mut time = Duration::ZERO;
            for _ in 0..iterations {
                let mut disk = Disk::new();
                disk.begin();
                let start = Instant::now();
                disk.claim();
                time += start.elapsed();
            }
            time
        });
    });
    group.finish();
}

fn flush(c: &mut Criterion) {
    let mut group = c.benchmark_group("journal_flush");
    group.throughput(Throughput::Elements(MATCHES));
    for (name, with_checkpoints) in [("frames", false), ("frames_and_checkpoints", true)] {
        let mut disk = Disk::begun();
        group.bench_function(format!("{MATCHES}_matches_{name}"), |b| {
            b.iter_custom(|iterations| {
                let mut time = Duration::ZERO;
                for _ in 0..iterations {
                    disk.play(with_checkpoints);
                    let start = Instant::now();
                    disk.flush();
                    time += start.elapsed();
                }
                time
            });
        });
        disk.recover(MATCHES);
    }
    group.finish();
}

fn seal(c: &mut Criterion) {
    let mut group = c.benchmark_group("journal_seal");
    group.throughput(Throughput::Elements(MATCHES));
    group.bench_function(format!("{MATCHES}_records"), |b| {
        b.iter(|| {
            let (mut chain, mut batch) = (Chain::new(MatchId(1)), Batch::default());
            let mut seal = |kind, tick, bytes: usize| {
                let payload = |out: &mut Vec<u8>| out.resize(out.len() + bytes, 7);
                let ticks = (Tick(tick), Tick(tick));
                chain.seal(kind, Epoch(1), ticks, payload, &mut batch).expect("it is next");
            };
            seal(Kind::Header, 0, 0);
            seal(Kind::Claim, 0, 0);
            (1..=MATCHES).for_each(|tick| seal(Kind::Frames, tick, FRAMES_BYTES));
            assert_eq!(chain.tick(), Tick(MATCHES));
            batch
        });
    });
    group.finish();
}

fn recovery(c: &mut Criterion) {
    let mut disk = Disk::begun();
    for _ in 0..FLUSHES_PER_CHECKPOINT {
        disk.play(true);
        disk.flush();
    }
    let mut group = c.benchmark_group("journal_recover");
    for matches in [1, 50, MATCHES] {
        group.throughput(Throughput::Elements(matches));
        group.bench_function(format!("{matches}_of_{MATCHES}_matches"), |b| {
            b.iter(|| disk.recover(matches));
        });
    }
    group.finish();
}

fn settings() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = settings(); targets = claim, flush, seal, recovery }
criterion_main!(benches);
