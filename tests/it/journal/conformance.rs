//! What every store of journals must do, in memory and in SQLite alike.

use std::time::Duration;

use matchkeep_server::journal::{
    Batch, Claim, Cut, Journal, JournalEntry, JournalReader, JournalState, Kind, Label, Load,
    LoadFrom, Position, Refusal, Retained, Retention,
};
use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::limits::JOURNAL_RETAIN_RECORDS_MAX;
use matchkeep_shared::time::Tick;
use matchkeep_tests::journal_play::Scribe;

use super::beds::{Bed, Memory, Sqlite};

macro_rules! on_every_bed {
    ($($name:ident)*) => {
        mod memory {
            $(#[test] fn $name() { super::$name(&super::Memory::new()); })*
        }
        mod sqlite {
            $(#[test] fn $name() { super::$name(&super::Sqlite::new()); })*
        }
    };
}

on_every_bed! {
    a_claim_is_a_compare_and_set_of_the_epoch
    claims_of_many_matches_are_answered_one_by_one
    a_stale_epoch_refuses_its_match_and_no_other
    a_record_that_is_not_the_next_is_refused
    a_batch_is_read_back_in_its_order_after_reopening
    a_match_is_read_from_the_newest_checkpoint_at_or_before_a_tick
    many_matches_are_read_in_one_pass_each_as_alone
    a_finish_closes_the_journal
    a_match_set_aside_keeps_its_data_and_takes_nothing
    a_claim_sets_aside_what_lies_behind_the_last_good_record
    a_claim_of_what_grew_since_it_was_read_is_refused
    lists_are_in_the_order_of_the_first_claims
    retention_by_age_deletes_finished_matches_in_bounded_steps
    retention_by_size_takes_the_match_first_that_finished_first
}

fn granted(journal: &mut dyn Journal, claim: Claim) {
    let expected = claim.epoch();
    assert_eq!(journal.claim(&[claim]).expect("written"), [Ok(expected)]);
}

/// A match that began.
fn begun(journal: &mut dyn Journal, id: u64) -> Scribe {
    let mut scribe = Scribe::new(id);
    granted(journal, scribe.begin());
    scribe
}

fn append(journal: &mut dyn Journal, write: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::default();
    write(&mut batch);
    assert_eq!(journal.append(&batch).expect("written"), [], "nothing is refused");
}

type Found = (MatchId, Position, Label, Vec<u8>);

fn load(journal: &dyn JournalReader, wanted: &[Load]) -> Vec<Found> {
    let mut all = Vec::new();
    let mut each = |stored: &matchkeep_server::journal::Stored<'_>| {
        all.push((stored.match_id, stored.position, stored.label, stored.bytes.to_vec()));
    };
    journal.load(wanted, &mut each).expect("readable");
    all
}

fn from(id: u64, tick: u64) -> Load {
    Load { match_id: MatchId(id), from: LoadFrom::Checkpoint(Tick(tick)) }
}

fn whole(journal: &dyn JournalReader, id: u64) -> Vec<Found> {
    load(journal, &[Load { match_id: MatchId(id), from: LoadFrom::Beginning }])
}

fn entry(journal: &dyn JournalReader, id: u64) -> JournalEntry {
    journal.entry(MatchId(id)).expect("readable").expect("there")
}

fn entries(journal: &dyn JournalReader, state: Option<JournalState>) -> Vec<JournalEntry> {
    let mut all = Vec::new();
    journal.list(state, &mut |entry| all.push(entry)).expect("readable");
    all
}

/// Everything there is.
fn dump(journal: &dyn JournalReader) -> Vec<(JournalEntry, Vec<Found>)> {
    let with_records = |entry: JournalEntry| {
        let records = whole(journal, entry.match_id.0);
        (entry, records)
    };
    entries(journal, None).into_iter().map(with_records).collect()
}

fn a_claim_is_a_compare_and_set_of_the_epoch(bed: &dyn Bed) {
    let mut journal = bed.open();
    assert_eq!(journal.entry(MatchId(1)), Ok(None));
    let nobody = Claim { expected: Some(Epoch(1)), ..Scribe::new(1).begin() };
    assert_eq!(journal.claim(&[nobody]), Ok(vec![Err(Refusal::Unknown)]));

    let mut owner = begun(&mut *journal, 1);
    let rival = owner.clone();
    let again = Scribe::new(1).begin();
    let stale = Refusal::Stale { current: Epoch(1) };
    assert_eq!(journal.claim(&[again]), Ok(vec![Err(stale)]), "a match begins once");
    granted(&mut *journal, owner.claim(None));
    let stale = Refusal::Stale { current: Epoch(2) };
    assert_eq!(journal.claim(&[rival.clone().claim(None)]), Ok(vec![Err(stale)]), "one of two");
    assert_eq!(entry(&*journal, 1).epoch, Epoch(2));
    // The claim's record is there with it, and nothing of the one that was refused.
    let kinds: Vec<_> = whole(&*journal, 1).iter().map(|found| found.2.kind).collect();
    assert_eq!(kinds, [Kind::Header, Kind::Claim, Kind::Claim]);
    drop(journal);
    let mut journal = bed.open();
    let late = rival.clone().claim(None);
    assert_eq!(journal.claim(&[late]), Ok(vec![Err(stale)]), "after reopening too");
    granted(&mut *journal, owner.claim(None));
}

fn claims_of_many_matches_are_answered_one_by_one(bed: &dyn Bed) {
    let mut journal = bed.open();
    let mut first = begun(&mut *journal, 1);
    let mut stale = first.clone();
    granted(&mut *journal, first.claim(None));
    let mut third = begun(&mut *journal, 3);
    let claims = [Scribe::new(2).begin(), stale.claim(None), third.claim(None), first.claim(None)];
    let answers = journal.claim(&claims).expect("written");
    let refused = Err(Refusal::Stale { current: Epoch(2) });
    assert_eq!(answers, [Ok(Epoch(1)), refused, Ok(Epoch(2)), Ok(Epoch(3))]);
    assert_eq!(journal.claim(&[]).expect("nothing to do"), []);
}

fn a_stale_epoch_refuses_its_match_and_no_other(bed: &dyn Bed) {
    let mut journal = bed.open();
    let (mut one, mut two) = (begun(&mut *journal, 1), begun(&mut *journal, 2));
    let mut old = one.clone();
    granted(&mut *journal, one.claim(None));
    let before = whole(&*journal, 1);

    let mut batch = Batch::default();
    old.frames(3, &mut batch);
    two.frames(3, &mut batch);
    old.record(Kind::Checkpoint, &mut batch);
    two.record(Kind::Checkpoint, &mut batch);
    let unknown = &mut Scribe::new(9);
    unknown.begin();
    unknown.frames(1, &mut batch);
    let refused = journal.append(&batch).expect("written");
    let stale = Refusal::Stale { current: Epoch(2) };
    assert_eq!(refused, [(MatchId(1), stale), (MatchId(9), Refusal::Unknown)]);
    assert_eq!(whole(&*journal, 1), before, "nothing of it is there");
    assert_eq!((entry(&*journal, 2).tick, entry(&*journal, 2).records), (Tick(3), 4));
    assert_eq!(entry(&*journal, 1).checkpoint, None);
    // The owner goes on as if nothing had been.
    append(&mut *journal, |batch| one.frames(2, batch));
    assert_eq!(entry(&*journal, 1).tick, Tick(2));
}

/// Two that write under one epoch, or one that writes twice: a defect, which must not become a journal
/// that cannot be read.
fn a_record_that_is_not_the_next_is_refused(bed: &dyn Bed) {
    let mut journal = bed.open();
    let mut owner = begun(&mut *journal, 1);
    let mut double = owner.clone();
    append(&mut *journal, |batch| owner.frames(3, batch));
    let before = whole(&*journal, 1);
    let mut batch = Batch::default();
    double.frames(3, &mut batch);
    assert_eq!(journal.append(&batch), Ok(vec![(MatchId(1), Refusal::Moved)]));
    double.frames(1, &mut Batch::default());
    let mut ahead = Batch::default();
    double.frames(1, &mut ahead);
    assert_eq!(journal.append(&ahead), Ok(vec![(MatchId(1), Refusal::Moved)]));
    assert_eq!(whole(&*journal, 1), before);
    append(&mut *journal, |batch| owner.frames(1, batch));
}

fn a_batch_is_read_back_in_its_order_after_reopening(bed: &dyn Bed) {
    let mut journal = bed.open();
    let mut scribes = [begun(&mut *journal, u64::MAX), begun(&mut *journal, 0)];
    let mut expected: Vec<Vec<Vec<u8>>> = vec![Vec::new(); 2];
    for round in 0..10 {
        let mut batch = Batch::default();
        for scribe in &mut scribes {
            scribe.frames(round + 1, &mut batch);
            scribe.record(Kind::Incident, &mut batch);
        }
        for sealed in batch.iter() {
            let i = usize::from(sealed.head.match_id == MatchId(0));
            expected[i].push(sealed.bytes.to_vec());
        }
        assert_eq!(journal.append(&batch), Ok(vec![]));
    }
    let before = dump(&*journal);
    drop(journal);
    let journal = bed.open();
    assert_eq!(dump(&*journal), before);
    for (id, expected) in [u64::MAX, 0].into_iter().zip(expected) {
        let found = whole(&*journal, id);
        let bytes: Vec<_> = found.iter().skip(2).map(|found| found.3.clone()).collect();
        assert_eq!(bytes, expected);
        assert!(found.is_sorted_by(|a, b| a.1 < b.1), "positions rise");
        let numbers: Vec<_> = found.iter().map(|found| found.2.number).collect();
        assert_eq!(numbers, (0..22).collect::<Vec<_>>());
        let entry = entry(&*journal, id);
        assert_eq!((entry.tick, entry.records, entry.incidents), (Tick(55), 22, 10));
        assert_eq!(entry.end, found.last().map(|found| found.1));
        assert_eq!(entry.bytes, found.iter().map(|found| found.3.len() as u64).sum::<u64>());
    }
}

fn a_match_is_read_from_the_newest_checkpoint_at_or_before_a_tick(bed: &dyn Bed) {
    let mut journal = bed.open();
    let mut scribe = begun(&mut *journal, 1);
    // Checkpoints at 10, 20, 30; the last tick is 35.
    for _ in 0..3 {
        append(&mut *journal, |batch| {
            scribe.frames(10, batch);
            scribe.record(Kind::Checkpoint, batch);
        });
    }
    append(&mut *journal, |batch| scribe.frames(5, batch));
    let all = whole(&*journal, 1);
    assert_eq!(all.len(), 9);
    for (tick, begins) in [(9, 1), (10, 3), (19, 3), (20, 5), (34, 7), (u64::MAX, 7)] {
        let found = load(&*journal, &[from(1, tick)]);
        assert_eq!(found[0], all[0], "the header always");
        assert_eq!(found[1..], all[begins..], "from tick {tick}");
    }
    assert_eq!(entry(&*journal, 1).checkpoint, Some(Tick(30)));
    assert_eq!(load(&*journal, &[from(2, 5)]), [], "a match that is not there");
}

fn many_matches_are_read_in_one_pass_each_as_alone(bed: &dyn Bed) {
    let mut journal = bed.open();
    let mut scribes: Vec<_> = (1..=20).map(|id| begun(&mut *journal, id)).collect();
    for round in 0..12 {
        append(&mut *journal, |batch| {
            for scribe in &mut scribes {
                let id = scribe.chain.match_id().0;
                // Some stop early, some never have a checkpoint: the rows to read lie apart.
                if round < id {
                    scribe.frames(2, batch);
                }
                if (round + id).is_multiple_of(5) && !id.is_multiple_of(4) {
                    scribe.record(Kind::Checkpoint, batch);
                }
            }
        });
    }
    let wanted: Vec<_> = (1..=20).filter(|id| id % 3 > 0).map(|id| from(id, 1000)).collect();
    let together = load(&*journal, &wanted);
    for load_of in &wanted {
        let of_match = |found: &&Found| found.0 == load_of.match_id;
        let mine: Vec<_> = together.iter().filter(of_match).cloned().collect();
        assert_eq!(mine, load(&*journal, &[*load_of]));
    }
    let wanted_ids: Vec<_> = wanted.iter().map(|load| load.match_id).collect();
    assert!(together.iter().all(|found| wanted_ids.contains(&found.0)));
}

fn a_finish_closes_the_journal(bed: &dyn Bed) {
    let mut journal = bed.open();
    let mut scribe = begun(&mut *journal, 1);
    let mut before_finish = scribe.clone();
    append(&mut *journal, |batch| {
        scribe.frames(3, batch);
        scribe.record(Kind::Finish, batch);
    });
    let found = entry(&*journal, 1);
    assert_eq!((found.state, found.ended_unix_ms), (JournalState::Finished, Some(1001)));
    let all = whole(&*journal, 1);
    let mut batch = Batch::default();
    before_finish.frames(9, &mut batch);
    let refused = journal.append(&batch).expect("nothing was to be written");
    assert_eq!(refused, [(MatchId(1), Refusal::Finished)]);
    assert_eq!(journal.claim(&[before_finish.claim(None)]), Ok(vec![Err(Refusal::Finished)]));
    assert_eq!(journal.claim(&[Scribe::new(1).begin()]), Ok(vec![Err(Refusal::Finished)]));
    assert_eq!(whole(&*journal, 1), all);
}

fn a_match_set_aside_keeps_its_data_and_takes_nothing(bed: &dyn Bed) {
    let mut journal = bed.open();
    let (mut one, mut two) = (begun(&mut *journal, 1), begun(&mut *journal, 2));
    append(&mut *journal, |batch| {
        one.frames(3, batch);
        two.frames(3, batch);
        two.record(Kind::Finish, batch);
    });
    let all = whole(&*journal, 1);
    assert_eq!(journal.quarantine(MatchId(9), "-"), Ok(Err(Refusal::Unknown)));
    for why in ["it died three times", "again"] {
        assert_eq!(journal.quarantine(MatchId(1), why), Ok(Ok(())));
    }
    assert_eq!(journal.quarantine(MatchId(2), &"long ".repeat(9999)), Ok(Ok(())), "finished");
    let mut batch = Batch::default();
    one.frames(1, &mut batch);
    assert_eq!(journal.append(&batch), Ok(vec![(MatchId(1), Refusal::Quarantined)]));
    assert_eq!(journal.claim(&[one.claim(None)]), Ok(vec![Err(Refusal::Quarantined)]));
    drop(journal);
    let mut journal = bed.open();
    assert_eq!(whole(&*journal, 1), all);
    let found = entry(&*journal, 1);
    assert_eq!(found.state, JournalState::Quarantined);
    assert_eq!(found.why.as_deref(), Some("it died three times"), "the first reason stays");
    let everything = Retention { now_unix_ms: u64::MAX, age_max: Duration::ZERO, bytes_max: 0 };
    assert_eq!(journal.retain(&everything), Ok(Retained::default()), "kept for ever");
}

fn a_claim_sets_aside_what_lies_behind_the_last_good_record(bed: &dyn Bed) {
    let mut journal = bed.open();
    let (mut one, mut two) = (begun(&mut *journal, 1), begun(&mut *journal, 2));
    append(&mut *journal, |batch| one.frames(3, batch));
    let mut good = one.clone();
    append(&mut *journal, |batch| {
        one.frames(4, batch);
        two.frames(5, batch);
        one.record(Kind::Checkpoint, batch);
        one.record(Kind::Incident, batch);
    });
    let (all, of_two) = (whole(&*journal, 1), whole(&*journal, 2));
    let (keep, seen) = (all[2].1, all[5].1);
    granted(&mut *journal, good.claim(Some(Cut { keep, seen })));
    append(&mut *journal, |batch| good.frames(1, batch));

    let now = whole(&*journal, 1);
    assert_eq!(now[..3], all[..3]);
    let kinds: Vec<_> = now[3..].iter().map(|found| found.2.kind).collect();
    assert_eq!(kinds, [Kind::Claim, Kind::Frames]);
    let found = entry(&*journal, 1);
    assert_eq!((found.tick, found.records, found.set_aside), (Tick(4), 5, 3));
    assert_eq!((found.checkpoint, found.incidents), (None, 0));
    assert_eq!(found.bytes, now.iter().map(|found| found.3.len() as u64).sum::<u64>());
    assert_eq!(whole(&*journal, 2), of_two, "another's records stay where they are");
    assert_eq!(load(&*journal, &[from(1, 1000)]), now, "there is no such checkpoint any more");

    // A cut behind the last record takes nothing.
    let end = found.end.expect("there are records");
    granted(&mut *journal, good.claim(Some(Cut { keep: end, seen: end })));
    assert_eq!(entry(&*journal, 1).set_aside, 3);
}

fn a_claim_of_what_grew_since_it_was_read_is_refused(bed: &dyn Bed) {
    let mut journal = bed.open();
    let mut owner = begun(&mut *journal, 1);
    append(&mut *journal, |batch| owner.frames(3, batch));
    let mut reader = owner.clone();
    let end = entry(&*journal, 1).end.expect("there are records");
    append(&mut *journal, |batch| owner.frames(1, batch));
    let cut = Cut { keep: end, seen: end };
    assert_eq!(journal.claim(&[reader.claim(Some(cut))]), Ok(vec![Err(Refusal::Moved)]));
    append(&mut *journal, |batch| owner.frames(1, batch));
    assert_eq!(entry(&*journal, 1).tick, Tick(5), "nothing was lost");

    // Nor is one granted that would keep a record which is not the match's.
    begun(&mut *journal, 2);
    let seen = entry(&*journal, 1).end.expect("there are records");
    for keep in [Position(0), Position(u64::MAX), entry(&*journal, 2).end.expect("two")] {
        let claim = owner.clone().claim(Some(Cut { keep, seen }));
        assert_eq!(journal.claim(&[claim]), Ok(vec![Err(Refusal::Moved)]), "{keep:?}");
    }
    assert_eq!(entry(&*journal, 1).epoch, Epoch(1));
}

fn lists_are_in_the_order_of_the_first_claims(bed: &dyn Bed) {
    let mut journal = bed.open();
    for id in [5, 2, 9] {
        let mut scribe = begun(&mut *journal, id);
        if id == 2 {
            append(&mut *journal, |batch| scribe.record(Kind::Finish, batch));
        }
    }
    let ids = |state| -> Vec<u64> {
        entries(&*journal, state).iter().map(|entry| entry.match_id.0).collect()
    };
    assert_eq!(ids(None), [5, 2, 9]);
    assert_eq!(ids(Some(JournalState::Open)), [5, 9]);
    assert_eq!(ids(Some(JournalState::Finished)), [2]);
    assert!(ids(Some(JournalState::Quarantined)).is_empty());
}

fn retention_by_age_deletes_finished_matches_in_bounded_steps(bed: &dyn Bed) {
    let mut journal = bed.open();
    let (mut long, mut open) = (begun(&mut *journal, 1), begun(&mut *journal, 2));
    let mut young = begun(&mut *journal, 3000);
    let rounds = JOURNAL_RETAIN_RECORDS_MAX as u64;
    append(&mut *journal, |batch| {
        for _ in 0..rounds {
            long.frames(1, batch);
            open.frames(1, batch);
        }
        long.record(Kind::Checkpoint, batch);
        long.record(Kind::Finish, batch);
        young.record(Kind::Finish, batch);
    });
    let (of_open, of_young) = (whole(&*journal, 2), whole(&*journal, 3000));
    let size = entry(&*journal, 1).bytes;
    // Finished at 1001 and at 4000.
    let by_age = |now_unix_ms| Retention {
        now_unix_ms,
        age_max: Duration::from_millis(500),
        bytes_max: u64::MAX,
    };
    assert_eq!(journal.retain(&by_age(1501)), Ok(Retained::default()), "not old enough");
    let mut sum = Retained::default();
    let mut steps = 0;
    loop {
        let step = journal.retain(&by_age(1502)).expect("written");
        if step == Retained::default() {
            break;
        }
        assert!(step.records <= JOURNAL_RETAIN_RECORDS_MAX as u64 && step.more);
        sum.matches += step.matches;
        sum.records += step.records;
        sum.bytes += step.bytes;
        steps += 1;
    }
    assert!(steps > 1, "in steps");
    assert_eq!((sum.matches, sum.records, sum.bytes), (1, rounds + 4, size));
    let found = entry(&*journal, 1);
    assert_eq!((found.state, found.records, found.bytes), (JournalState::Retired, 0, 0));
    assert_eq!((found.end, found.checkpoint), (None, None));
    assert_eq!(whole(&*journal, 1), []);
    assert_eq!(whole(&*journal, 2), of_open, "an open match stays");
    assert_eq!(whole(&*journal, 3000), of_young, "a young one too");
    assert_eq!(journal.claim(&[Scribe::new(1).begin()]), Ok(vec![Err(Refusal::Finished)]));
}

fn retention_by_size_takes_the_match_first_that_finished_first(bed: &dyn Bed) {
    let mut journal = bed.open();
    let mut scribes: Vec<_> = [7, 3, 5].map(|id| begun(&mut *journal, id)).into();
    append(&mut *journal, |batch| {
        for scribe in &mut scribes {
            scribe.frames(100, batch);
            // 7 finishes first in the journal, 3 by its time.
            scribe.record(Kind::Finish, batch);
        }
    });
    let sizes: u64 = entries(&*journal, None).iter().map(|entry| entry.bytes).sum();
    let bytes_max = sizes - 1;
    let limits = Retention { now_unix_ms: 0, age_max: Duration::MAX, bytes_max };
    while journal.retain(&limits).expect("written").more {}
    let kept: Vec<_> = entries(&*journal, Some(JournalState::Finished));
    let kept: Vec<_> = kept.iter().map(|entry| entry.match_id.0).collect();
    assert_eq!(kept, [7, 5]);
}
