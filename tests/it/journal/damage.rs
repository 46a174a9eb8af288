//! Damaged records: every one is found and named, recovery stops at the last good one and says what was
//! lost.

use std::collections::BTreeSet;

use matchkeep_server::journal::{
    Batch, Damage, Head, Journal, JournalReader, Kind, Label, Load, LoadFrom, Lost, Record,
    RecordHash, Recovered, Unrecoverable, Verifier, recover,
};
use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::limits::JOURNAL_PAYLOAD_BYTES_MAX;
use matchkeep_shared::time::Tick;
use matchkeep_tests::journal_play::Scribe;
use matchkeep_tests::memory_journal::{MemoryDisk, MemoryJournal};
use proptest::prelude::*;

const MATCH: MatchId = MatchId(7);

/// A match of 12 records: header, claim, then frames of 5 ticks with checkpoints at ticks 10, 20 and 30,
/// and an incident.
fn written() -> (MemoryDisk, Scribe) {
    let disk = MemoryDisk::new(1);
    let mut journal = MemoryJournal::open(&disk);
    let mut scribe = Scribe::new(MATCH.0);
    journal.claim(&[scribe.begin()]).expect("written")[0].expect("new");
    let mut batch = Batch::default();
    for _ in 0..3 {
        scribe.frames(5, &mut batch);
        scribe.frames(5, &mut batch);
        scribe.record(Kind::Checkpoint, &mut batch);
    }
    scribe.record(Kind::Incident, &mut batch);
    assert_eq!(journal.append(&batch), Ok(vec![]));
    (disk, scribe)
}

fn newest(disk: &MemoryDisk) -> Result<Recovered, Unrecoverable> {
    let journal = MemoryJournal::open(disk);
    let load = Load { match_id: MATCH, from: LoadFrom::Checkpoint(Tick(u64::MAX)) };
    recover(&journal, &[load]).expect("readable").remove(0)
}

/// Every record, checked from the beginning.
fn full_check(disk: &MemoryDisk) -> Verifier {
    let journal = MemoryJournal::open(disk);
    let mut verifier = Verifier::new(MATCH);
    let load = Load { match_id: MATCH, from: LoadFrom::Beginning };
    journal
        .load(&[load], &mut |stored| {
            verifier.push(stored);
        })
        .expect("readable");
    let entry = journal.entry(MATCH).expect("readable").expect("there");
    verifier.end(entry.records, entry.tick);
    verifier
}

fn damage(disk: &MemoryDisk, number: usize, mut with: impl FnMut(&mut Label, &mut Vec<u8>)) {
    disk.damage(MATCH, |i, label, bytes| {
        if i == number {
            with(label, bytes);
        }
    });
}

fn bytes_of(disk: &MemoryDisk, number: usize) -> Vec<u8> {
    let mut found = Vec::new();
    damage(disk, number, |_, bytes| found.clone_from(bytes));
    found
}

#[test]
fn a_record_cut_at_any_byte_is_torn() {
    let (disk, _) = written();
    for number in 0..12 {
        let whole = bytes_of(&disk, number);
        assert!(Record::decode(&whole).is_ok());
        for length in 0..whole.len() {
            let found = Record::decode(&whole[..length]).expect_err("it is cut");
            assert!(matches!(found, Damage::Torn { bytes, .. } if bytes == length), "{found}");
            damage(&disk, number, |_, bytes| bytes.truncate(length));
            let verifier = full_check(&disk);
            let lost = verifier.lost();
            assert_eq!(lost[0].label.number, number as u64);
            assert_eq!((lost[0].why, verifier.lost_records()), (found, 12 - number as u64));
            assert!(lost[1..].iter().all(|lost| lost.why == Damage::Behind));
            damage(&disk, number, |_, bytes| bytes.clone_from(&whole));
        }
        let longer = [&*whole, &[0]].concat();
        assert_eq!(Record::decode(&longer), Err(Damage::Trailing { bytes: 1 }));
    }
}

#[test]
fn every_flipped_bit_of_a_journal_is_found() {
    let (disk, _) = written();
    let (mut flips, mut seen) = (0, BTreeSet::new());
    for number in 0..12 {
        for bit in 0..bytes_of(&disk, number).len() * 8 {
            let flip = |_: &mut Label, bytes: &mut Vec<u8>| bytes[bit / 8] ^= 1 << (bit % 8);
            damage(&disk, number, flip);
            let verifier = full_check(&disk);
            assert_eq!(verifier.lost()[0].label.number, number as u64, "bit {bit}");
            assert_eq!(verifier.chain().records(), number as u64);
            seen.insert(verifier.lost()[0].why.to_string());
            damage(&disk, number, flip);
            flips += 1;
        }
    }
    assert!(flips > 15_000, "{flips}");
    assert!(
        seen.contains("checksum") && seen.contains("foreign: not a journal record"),
        "{seen:?}"
    );
    assert_eq!(full_check(&disk).lost_records(), 0, "as it was");
}

#[test]
fn a_damaged_checkpoint_gives_way_to_the_one_before_whatever_bit_it_is() {
    let (disk, _) = written();
    assert_eq!(newest(&disk).expect("good").checkpoint().map(|found| found.0), Some(Tick(30)));
    let length = bytes_of(&disk, 10).len() * 8;
    for bit in 0..length {
        let flip = |_: &mut Label, bytes: &mut Vec<u8>| bytes[bit / 8] ^= 1 << (bit % 8);
        damage(&disk, 10, flip);
        let recovered = newest(&disk).expect("the one before is good");
        assert_eq!(recovered.checkpoint().map(|found| found.0), Some(Tick(20)));
        assert_eq!((recovered.tick(), recovered.lost_records), (Tick(30), 2));
        damage(&disk, 10, flip);
    }
    // All three: from tick 1, up to the first of them.
    for number in [4, 7, 10] {
        damage(&disk, number, |_, bytes| bytes[70] ^= 1);
    }
    let recovered = newest(&disk).expect("the frames are good");
    assert_eq!((recovered.checkpoint(), recovered.tick()), (None, Tick(10)));
}

#[test]
fn what_is_lost_is_named_with_records_ticks_and_reason() {
    let (disk, _) = written();
    damage(&disk, 8, |_, bytes| bytes[80] ^= 4);
    let verifier = full_check(&disk);
    assert_eq!(
        Lost::lines(verifier.lost()),
        [
            "record 8, ticks 21-25: checksum",
            "records 9-11, ticks 26-30: whole, but behind what is damaged"
        ]
    );
    // From the newest checkpoint on nothing is damaged.
    assert_eq!(newest(&disk).expect("good").lost_records, 0);
}

#[test]
fn records_that_are_good_somewhere_else_are_named() {
    let (disk, _) = written();
    let other_disk = MemoryDisk::new(2);
    let mut other = MemoryJournal::open(&other_disk);
    let mut stranger = Scribe::new(8);
    other.claim(&[stranger.begin()]).expect("written")[0].expect("new");
    let mut foreign = Batch::default();
    stranger.frames(5, &mut foreign);
    let foreign = foreign.iter().next().expect("one record").bytes.to_vec();
    let original: Vec<Vec<u8>> = (0..12).map(|number| bytes_of(&disk, number)).collect();
    let relabel = |label: &mut Label, bytes: &mut Vec<u8>, with: &[u8]| {
        *label = Label::from(&Record::decode(with).expect("whole").head);
        *bytes = with.to_vec();
    };
    let first_lost = |disk: &MemoryDisk| full_check(disk).lost()[0];
    let restore = |number: usize| {
        damage(&disk, number, |label, bytes| relabel(label, bytes, &original[number]));
    };

    // Another match's record in the place of one.
    damage(&disk, 5, |_, bytes| bytes.clone_from(&foreign));
    assert_eq!(first_lost(&disk).why, Damage::WrongMatch(MatchId(8)));
    damage(&disk, 5, |label, bytes| relabel(label, bytes, &foreign));
    assert_eq!(first_lost(&disk).why, Damage::WrongMatch(MatchId(8)));
    restore(5);
    // An older one in its place, with and without the journal's note.
    damage(&disk, 5, |_, bytes| bytes.clone_from(&original[3]));
    assert_eq!(first_lost(&disk).why, Damage::Mislabelled);
    damage(&disk, 5, |label, bytes| relabel(label, bytes, &original[3]));
    assert_eq!(first_lost(&disk).why, Damage::Repeated { expected: 5, found: 3 });
    // The same one twice.
    damage(&disk, 5, |label, bytes| relabel(label, bytes, &original[4]));
    assert_eq!(first_lost(&disk).why, Damage::Repeated { expected: 5, found: 4 });
    restore(5);
    // Two that changed places.
    damage(&disk, 5, |label, bytes| relabel(label, bytes, &original[6]));
    damage(&disk, 6, |label, bytes| relabel(label, bytes, &original[5]));
    assert_eq!(first_lost(&disk).why, Damage::Missing { expected: 5, found: 6 });
    restore(5);
    restore(6);
    // An older checkpoint in the place of the newest.
    damage(&disk, 10, |_, bytes| bytes.clone_from(&original[7]));
    let recovered = newest(&disk).expect("the one before is good");
    assert_eq!(recovered.checkpoint().map(|found| found.0), Some(Tick(20)));
    assert_eq!(recovered.lost[0].why, Damage::Mislabelled);
    restore(10);
    assert_eq!(full_check(&disk).lost_records(), 0, "as it was");
}

/// A chain that goes the same way up to some record and then another one.
#[test]
fn a_record_of_another_course_of_the_same_match_breaks_the_chain() {
    let (disk, scribe) = written();
    let mut one_course = scribe.clone();
    let mut other_course = scribe;
    let (mut one, mut other) = (Batch::default(), Batch::default());
    one_course.frames(5, &mut one);
    other_course.record(Kind::Incident, &mut other);
    one_course.frames(5, &mut one);
    other_course.frames(5, &mut other);
    let mut verifier = Verifier::new(MATCH);
    let load = Load { match_id: MATCH, from: LoadFrom::Beginning };
    let journal = MemoryJournal::open(&disk);
    journal
        .load(&[load], &mut |stored| {
            verifier.push(stored);
        })
        .expect("readable");
    let mut chain = *verifier.chain();
    chain
        .accept(&Record::decode(one.iter().next().expect("two").bytes).expect("whole"))
        .expect("next");
    let other = other.iter().nth(1).expect("two");
    let found = chain.accept(&Record::decode(other.bytes).expect("whole"));
    assert_eq!(found, Err(Damage::BrokenChain));
}

#[test]
fn records_that_are_gone_are_missed() {
    // A store that lost its newest rows and still counts them.
    let (disk, _) = written();
    let journal = MemoryJournal::open(&disk);
    let entry = journal.entry(MATCH).expect("readable").expect("there");
    let mut verifier = Verifier::new(MATCH);
    let load = Load { match_id: MATCH, from: LoadFrom::Beginning };
    let mut given = 0;
    let mut first_nine = |stored: &matchkeep_server::journal::Stored<'_>| {
        given += 1;
        if given <= 9 {
            verifier.push(stored);
        }
    };
    journal.load(&[load], &mut first_nine).expect("readable");
    verifier.end(entry.records, entry.tick);
    assert_eq!(Lost::lines(verifier.lost()), ["record 9, ticks 26-30: gone from the store"]);
}

#[test]
fn without_a_header_or_a_claim_nothing_is_recovered() {
    let (disk, _) = written();
    damage(&disk, 0, |_, bytes| bytes[80] ^= 1);
    assert_eq!(newest(&disk), Err(Unrecoverable::Header(Damage::Checksum)));
    damage(&disk, 0, |_, bytes| bytes[80] ^= 1);
    for number in [1, 4, 7, 10] {
        damage(&disk, number, |_, bytes| bytes.truncate(9));
    }
    assert!(matches!(newest(&disk), Err(Unrecoverable::Claim(Damage::Torn { bytes: 9, .. }))));
    let journal = MemoryJournal::open(&disk);
    let nobody = Load { match_id: MatchId(99), from: LoadFrom::Beginning };
    assert_eq!(recover(&journal, &[nobody]), Ok(vec![Err(Unrecoverable::Unknown)]));
}

#[test]
fn a_label_that_lies_about_its_tick_does_not_lead_in_circles() {
    for tick in [0, 1, 29, 31, u64::MAX] {
        let (disk, _) = written();
        damage(&disk, 10, |label, _| label.last = Tick(tick));
        let recovered = newest(&disk).expect("others are good");
        assert!(recovered.tick() >= Tick(20), "{tick}: {}", recovered.tick());
        assert!(recovered.lost_records > 0);
    }
}

#[test]
fn what_does_not_read_is_cut_off_by_whoever_knows() {
    let (disk, _) = written();
    damage(&disk, 10, |_, bytes| bytes[70] ^= 1);
    let mut recovered = newest(&disk).expect("the one before is good");
    let index = recovered.pieces.iter().position(|piece| piece.last == Tick(30)).expect("there");
    recovered.cut(index);
    assert_eq!(recovered.tick(), Tick(25));
    let why: Vec<_> = recovered.lost.iter().map(|lost| lost.why).collect();
    assert_eq!(why, [Damage::Content, Damage::Checksum, Damage::Behind]);
    assert_eq!(recovered.lost_records, 3);
}

#[test]
fn a_claimed_length_is_checked_before_anything_is_done_with_it() {
    let (disk, _) = written();
    let whole = bytes_of(&disk, 3);
    let most = JOURNAL_PAYLOAD_BYTES_MAX as u32;
    for claim in [0, 1, 39, 41, 1000, most, most + 1, u32::MAX / 2, u32::MAX - 68, u32::MAX] {
        let mut bytes = whole.clone();
        bytes[28..32].copy_from_slice(&claim.to_le_bytes());
        let found = Record::decode(&bytes).expect_err("it is 40");
        let expected = match claim {
            0 | 1 | 39 => matches!(found, Damage::Trailing { .. }),
            claim if claim > most => found == Damage::TooLarge(claim),
            _ => matches!(found, Damage::Torn { .. }),
        };
        assert!(expected, "{claim}: {found}");
    }
    // Numbers at their ends, under a checksum that is right.
    for at in [8, 16, 24, 32, 40] {
        for value in [[0xff; 8], [0; 8]] {
            let mut bytes = whole.clone();
            let width = if at == 24 { 4 } else { 8 };
            bytes[at..at + width].copy_from_slice(&value[..width]);
            damage(&disk, 3, |_, stored| stored.clone_from(&sealed(bytes.clone())));
            assert_eq!(full_check(&disk).lost()[0].label.number, 3, "at {at}");
        }
    }
    damage(&disk, 3, |label, stored| {
        let mut bytes = whole.clone();
        bytes[24..28].copy_from_slice(&[0xff; 4]);
        stored.clone_from(&sealed(bytes));
        label.epoch = Epoch(u32::MAX);
    });
    let found = full_check(&disk).lost()[0].why;
    assert_eq!(found, Damage::EpochUnclaimed { from: Epoch(1), to: Epoch(u32::MAX) });
}

/// The same bytes with the checksum they should have.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.len() - 4;
    let checksum = matchkeep_tests::decoders::checksum(&bytes[..end]);
    bytes[end..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn records_read_back_as_they_were_written(
        kind in prop::sample::select(Kind::ALL.to_vec()),
        numbers in any::<(u64, u64, u32, u64, u64)>(),
        before in any::<[u8; 16]>(),
        payload in prop::collection::vec(any::<u8>(), 0..2000),
        flip in any::<prop::sample::Index>(),
    ) {
        let (match_id, number, epoch, a, b) = numbers;
        let first = a.min(b).max(1);
        let last = if kind == Kind::Frames { a.max(b).max(1) } else { first };
        let head = Head {
            kind,
            match_id: MatchId(match_id),
            number,
            epoch: Epoch(epoch),
            first: Tick(first),
            last: Tick(last),
            before: RecordHash(before),
        };
        let mut bytes = b"before".to_vec();
        let hash = head.encode(|out| out.extend_from_slice(&payload), &mut bytes);
        let record = Record::decode(&bytes[6..]).expect("whole");
        prop_assert_eq!((record.head, record.payload), (head, &*payload));
        prop_assert_eq!(Ok(record.hash()), hash);
        let bit = flip.index((bytes.len() - 6) * 8);
        bytes[6 + bit / 8] ^= 1 << (bit % 8);
        prop_assert!(Record::decode(&bytes[6..]).is_err());
    }
}
