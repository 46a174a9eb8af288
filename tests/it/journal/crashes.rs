//! The power is cut at every write step: nothing that was told to be durable is missing, and what is there
//! goes on.

use matchkeep_server::journal::Journal;
use matchkeep_shared::rng::Rng;
use matchkeep_tests::journal_play::{Acked, Play, Told, check};
use matchkeep_tests::memory_journal::{MemoryDisk, MemoryJournal};

const ROUNDS: usize = 12;

fn merge(told: &mut Told, newer: &Told) {
    for (id, acked) in newer {
        let all = told.entry(*id).or_default();
        *all = Acked {
            epoch: all.epoch.max(acked.epoch),
            tick: all.tick.max(acked.tick),
            is_finished: all.is_finished || acked.is_finished,
        };
    }
}

/// Plays until the power is cut, or all rounds are over; says whether it was cut.
fn play(disk: &MemoryDisk, seed: u64, process: u64, told: &mut Told) -> bool {
    let mut journal = MemoryJournal::open(disk);
    let mut play = Play::new(seed, process);
    let resumed = play.resume(&mut journal);
    assert!(resumed.is_ok() || disk.is_off(), "reading does not fail");
    for _ in 0..ROUNDS {
        let report = play.round(&mut journal as &mut dyn Journal);
        merge(told, &play.told);
        if disk.is_off() {
            assert!(report.trouble.is_some_and(|trouble| !trouble.may_pass()));
            return true;
        }
        assert_eq!(report.trouble, None);
    }
    false
}

/// As many records as were lost to tearing.
fn cut_at_every_step(seed: u64, tears: bool) -> u64 {
    let mut lost = 0;
    let mut steps = 1;
    loop {
        let disk = MemoryDisk::new(seed.wrapping_add(steps));
        disk.set_tears(tears);
        let mut told = Told::new();
        disk.cut_after(steps);
        let was_cut = play(&disk, seed, 0, &mut told);
        lost += check(&MemoryJournal::open(&disk), &told);
        disk.cut_after(u64::MAX / 2);
        // The next process goes on with what is there, and nothing is lost a second time.
        assert!(!play(&disk, seed + 1, 1, &mut told));
        assert_eq!(check(&MemoryJournal::open(&disk), &told), 0);
        if !was_cut {
            return lost;
        }
        steps += 1;
    }
}

#[test]
fn no_acknowledged_record_is_lost_at_any_step() {
    for seed in 1..=3 {
        assert_eq!(cut_at_every_step(seed, false), 0, "seed {seed}");
    }
}

#[test]
fn what_a_torn_write_leaves_is_found_and_set_aside() {
    let lost: u64 = (1..=3).map(|seed| cut_at_every_step(seed, true)).sum();
    assert!(lost > 50, "{lost} torn records: is anything torn?");
}

#[test]
fn cut_again_and_again_a_match_goes_on() {
    let mut rng = Rng::new(4);
    let disk = MemoryDisk::new(5);
    disk.set_tears(true);
    let mut told = Told::new();
    let mut cuts = 0;
    for process in 0..60 {
        let mut journal = MemoryJournal::open(&disk);
        check(&journal, &told);
        disk.cut_after(u64::from(rng.below(60)) + 5);
        let mut play = Play::new(process, process);
        let _ = play.resume(&mut journal);
        for _ in 0..ROUNDS {
            play.round(&mut journal);
            merge(&mut told, &play.told);
        }
        cuts += u32::from(disk.is_off());
    }
    assert!(cuts > 40, "{cuts} cuts");
    assert!(told.values().any(|acked| acked.epoch > 3), "matches outlive processes");
}

/// The bug planted: a disk that answers a sync and does not do it. The checks above must see it.
#[test]
fn a_disk_that_lies_is_caught() {
    let caught = std::panic::catch_unwind(|| {
        let disk = MemoryDisk::new(1);
        let mut told = Told::new();
        assert!(!play(&disk, 1, 0, &mut told));
        disk.set_lies(true);
        assert!(!play(&disk, 2, 1, &mut told));
        disk.cut();
        check(&MemoryJournal::open(&disk), &told);
    });
    assert!(caught.is_err(), "acknowledged records are gone, and nobody noticed");
}
