//! The journal in SQLite: what only SQLite can do wrong. What every journal must do is tested in
//! `tests/it/journal`.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::time::Instant;

use matchkeep_shared::limits::JOURNAL_PENDING_BYTES_MAX;
use matchkeep_shared::time::Tick;

use super::*;
use crate::journal::{Entry, Handover, JournalItem, LoadFrom, Room, Writer, recover};

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
    let begun = Instant::now();
    let report = writer.flush(&mut journal);
    assert_eq!(report.claimed.len(), 1000);
    eprintln!("1,000 claims: {:?}", begun.elapsed());
    let mut times = Vec::new();
    for flush in 0..200_u64 {
        for id in 1..=1000_u64 {
            let (first, last) = (Tick(flush * 3 + 1), Tick(flush * 3 + 3));
            let bytes = vec![id as u8; 300];
            hand(&mut writer, &room, id, 1, Entry::Frames { first, last, bytes });
            if (flush + id).is_multiple_of(100) {
                let encode = Box::new(|out: &mut Vec<u8>| out.extend([7; 20_000]));
                hand(
                    &mut writer,
                    &room,
                    id,
                    1,
                    Entry::Checkpoint { tick: last, bytes_hint: 20_000, encode },
                );
            }
        }
        let begun = Instant::now();
        let report = writer.flush(&mut journal);
        times.push(begun.elapsed());
        assert_eq!(report.trouble, None);
        assert_eq!(report.durable.len(), 1000, "{:?}", report.refused);
    }
    times.sort();
    eprintln!("flush: p50 {:?}, p90 {:?}, max {:?}", times[100], times[180], times[199]);
    let size = |name: &str| std::fs::metadata(temporary.path().join(name)).expect("there").len();
    eprintln!("{} bytes, log {}", size("matches.db"), size("matches.db-wal"));
    for count in [1, 50, 1000] {
        let loads: Vec<_> = (1..=count)
            .map(|id| Load { match_id: MatchId(id), from: LoadFrom::Checkpoint(Tick(u64::MAX)) })
            .collect();
        let begun = Instant::now();
        let recovered = recover(&journal, &loads).expect("readable");
        eprintln!("recovery of {count}: {:?}", begun.elapsed());
        for recovered in recovered {
            let recovered = recovered.expect("good");
            assert_eq!((recovered.tick(), recovered.lost_records), (Tick(600), 0));
        }
    }
}
