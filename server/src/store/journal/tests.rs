//! The journal in SQLite: what only SQLite can do wrong. What every journal must do is tested in
//! `tests/it/journal`.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::time::Instant;

use matchkeep_shared::limits::JOURNAL_PENDING_BYTES_MAX;
use matchkeep_shared::time::Tick;

use super::*;
use crate::journal::{Entry, Handover, JournalItem, Kind, LoadFrom, Room, Writer, recover};

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("the system has a temporary folder")
}

fn hand(writer: &mut Writer, room: &Room, id: u64, epoch: u32, entry: Entry) {
    let item = JournalItem { match_id: MatchId(id), epoch: Epoch(epoch), entry };
    writer.push(Handover::new(room, item).expect("room"));
}

#[test]
#[ignore = "measures"]
fn a_flush_of_a_thousand_matches() {
    let temporary = temporary();
    let mut journal = SqliteJournal::open(temporary.path()).expect("made");
    let (mut writer, room) = (Writer::new(), Room::new(JOURNAL_PENDING_BYTES_MAX));
    for id in 1..=1000 {
        let entry = Entry::Begin { header: vec![1; 200], claim: Vec::new(), unix_ms: 1 };
        hand(&mut writer, &room, id, 1, entry);
    }
    let mut tick = 0;
    let begun = Instant::now();
    let report = writer.flush(&mut journal);
    assert_eq!(report.claimed.len(), 1000);
    eprintln!("1,000 claims: {:?}", begun.elapsed());
    let size_of = |name: &str| {
        std::fs::metadata(temporary.path().join(name)).map_or(0, |metadata| metadata.len())
    };
    for with_checkpoints in [false, true, false, true] {
        let mut times = Vec::new();
        for _ in 0..100_u64 {
            for id in 1..=1000_u64 {
                let (first, last) = (Tick(tick + 1), Tick(tick + 3));
                let bytes = vec![id as u8; 300];
                hand(&mut writer, &room, id, 1, Entry::Frames { first, last, bytes });
                if with_checkpoints && (last.0 / 3 + id).is_multiple_of(100) {
                    let encode = Box::new(|out: &mut Vec<u8>| out.extend([7; 20_000]));
                    let entry = Entry::Checkpoint { tick: last, bytes_hint: 20_000, encode };
                    hand(&mut writer, &room, id, 1, entry);
                }
            }
            tick += 3;
            let begun = Instant::now();
            let report = writer.flush(&mut journal);
            times.push(begun.elapsed());
            assert_eq!(report.trouble, None);
            assert_eq!(report.durable.len(), 1000, "{:?}", report.refused);
        }
        times.sort();
        eprintln!(
            "flush, checkpoints {with_checkpoints}: p50 {:?}, p90 {:?}, max {:?}",
            times[50], times[90], times[99]
        );
    }
    {
        let mut chain = crate::journal::Chain::new(MatchId(1));
        let mut batch = Batch::default();
        let ticks = (Tick(0), Tick(0));
        chain.seal(Kind::Header, Epoch(1), ticks, |_| {}, &mut batch).expect("next");
        chain.seal(Kind::Claim, Epoch(1), ticks, |_| {}, &mut batch).expect("next");
        let begun = Instant::now();
        for tick in 1..=1000 {
            let ticks = (Tick(tick), Tick(tick));
            let payload = |out: &mut Vec<u8>| out.extend([7; 300]);
            chain.seal(Kind::Frames, Epoch(1), ticks, payload, &mut batch).expect("next");
        }
        eprintln!("sealing 1,000 records alone: {:?}", begun.elapsed());
    }
    eprintln!("{} bytes, log {}", size_of("matches.db"), size_of("matches.db-wal"));
    for count in [1, 50, 1000] {
        let loads: Vec<_> = (1..=count)
            .map(|id| Load { match_id: MatchId(id), from: LoadFrom::Checkpoint(Tick(u64::MAX)) })
            .collect();
        let begun = Instant::now();
        let recovered = recover(&journal, &loads).expect("readable");
        eprintln!("recovery of {count}: {:?}", begun.elapsed());
        for recovered in recovered {
            let recovered = recovered.expect("good");
            assert_eq!((recovered.tick(), recovered.lost_records), (Tick(tick), 0));
        }
    }
}
