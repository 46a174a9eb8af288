//! Syncs that fail, stall and lie, and the power cut between any two writes.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use matchkeep_server::store::SqliteJournal;
use matchkeep_shared::rng::Rng;
use matchkeep_tests::journal_play::{Told, check};

use super::child::{giver, player};
use super::{DATABASE, compile, temporary, told};

const ROUNDS: u64 = 15;
/// How many times the power is cut.
const CUTS: u32 = 100;

/// The library that fails; see `faults.c`.
pub(super) fn faults() -> &'static Path {
    static LIBRARY: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, library) = LIBRARY.get_or_init(|| {
        let folder = temporary();
        let library = compile("faults.c", folder.path(), &["-shared", "-fPIC"]);
        (folder, library)
    });
    library
}

/// What a child with a fault under it said, and whether it ended by itself.
fn with_fault(mut child: std::process::Command, fault: &str, left: &Path) -> (String, bool) {
    let output = child
        .env("LD_PRELOAD", faults())
        .env("FAULT_FILES", DATABASE)
        .env("FAULT", fault)
        .env("FAULT_FOLDER", left)
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let was_cut = output.status.code() == Some(99);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(was_cut || output.status.success(), "{fault}: {said}{complaint}");
    assert!(said.contains("begun") || said.contains("told"), "{fault}: it did nothing: {said}");
    (said, !was_cut)
}

/// How many write steps a child takes.
fn steps_of(seed: u64) -> u32 {
    let (folder, left) = (temporary(), temporary());
    let (said, _) = with_fault(player(folder.path(), seed, 0, ROUNDS), "count", left.path());
    assert!(said.contains("ended"), "{said}");
    let steps = std::fs::read_to_string(left.path().join("steps")).expect("counted");
    steps.parse().expect("a number")
}

fn check_folder(folder: &Path, told: &Told) -> u64 {
    check(&SqliteJournal::open(folder).expect("it opens"), told)
}

/// Cuts the power at a step and opens what the disk has then.
fn cut_at(step: u32, seed: u64, fault: &str, mode: u32) -> (tempfile::TempDir, Told) {
    let (folder, left) = (temporary(), temporary());
    let fault = format!("{fault} {step} {seed} {mode}");
    let (said, ended) = with_fault(player(folder.path(), 1, 0, ROUNDS), &fault, left.path());
    assert!(!ended, "{fault}: the step never came");
    (left, told(&said))
}

#[test]
fn a_power_cut_between_any_two_writes_loses_nothing_that_was_told() {
    let steps = steps_of(1);
    assert!(steps > 100, "{steps} write steps: is the library loaded?");
    let mut rng = Rng::new(2);
    let mut with_something_told = 0;
    for cut in 0..CUTS {
        // All over the run, and not only at its multiples.
        let step = 1 + (cut * (steps - 1) + rng.below(steps)) / CUTS;
        let step = step.clamp(1, steps);
        let (left, told) = cut_at(step, u64::from(cut), "cut", cut % 3);
        let seen = std::panic::catch_unwind(|| check_folder(left.path(), &told));
        assert_eq!(seen.ok(), Some(0), "cut {cut} at step {step}: {told:?}");
        with_something_told += u32::from(!told.is_empty());
        // What is there goes on.
        if cut % 10 == 0 {
            let output = player(left.path(), 3, 1, 3).output().expect("it starts");
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(said.contains("ended"), "cut {cut}: {said}");
        }
    }
    assert!(with_something_told > CUTS / 2, "{with_something_told}");
}

/// The bug planted: syncs that do nothing. The test above must see it.
#[test]
fn a_sync_that_does_nothing_is_caught() {
    let steps = steps_of(1);
    let (left, told) = cut_at(steps - 5, 1, "lie", 0);
    let seen = std::panic::catch_unwind(|| check_folder(left.path(), &told));
    assert!(seen.is_err(), "everything that was told is gone, and nobody noticed");
}

#[test]
fn after_a_failed_sync_the_journal_is_broken_and_what_was_told_is_there() {
    // The first sync that fails is one at the start, in the middle, and late.
    for at in [1, 4, 12, 20] {
        let (folder, left) = (temporary(), temporary());
        let fault = format!("eio {at}");
        let (said, _) = with_fault(player(folder.path(), 4, 0, ROUNDS), &fault, left.path());
        assert!(said.contains("broken: ") || said.contains("trouble: "), "{fault}: {said}");
        assert!(!said.contains("ended"), "{fault}: {said}");
        let told = told(&said);
        assert!(at < 12 || !told.is_empty(), "{fault}: {said}");
        check_folder(folder.path(), &told);
    }
}

#[test]
fn a_stalled_sync_delays_what_is_durable_and_nobody_who_hands_over() {
    let (folder, left) = (temporary(), temporary());
    let (said, _) = with_fault(giver(folder.path()), "stall 12 500", left.path());
    let number = |name: &str| -> u64 {
        let line = said.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|text| text.trim().parse().ok()).unwrap_or_else(|| panic!("{name}: {said}"))
    };
    assert!(number("longest_ms") >= 500, "the sync stalled: {said}");
    // A busy machine may hold a thread up; 500 ms would be the disk.
    assert!(number("slowest_us") < 250_000, "handing over waited for the disk: {said}");
    let told = told(&said);
    assert!(told.values().all(|acked| acked.tick == 400), "all is there at the end: {said}");
    // 1.6 s of ticks less the stall, flushed every 50 ms.
    assert!((8..60).contains(&number("flushes")), "{said}");
    check_folder(folder.path(), &told);
}
