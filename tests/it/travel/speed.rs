//! Any tick, quickly.

use std::time::{Duration, Instant};

use matchkeep_server::journal::JournalReader;
use matchkeep_server::store::SqliteJournalReader;
use matchkeep_server::travel::{Rules, at, verify, view};
use matchkeep_shared::arena::Arena;
use matchkeep_shared::rng::Rng;
use matchkeep_shared::time::Tick;
use matchkeep_tests::recorded::record;
use rustix::time::{ClockId, clock_gettime};

/// Ten minutes at 60 Hz.
const TICKS: u64 = 36_000;
const PLAYERS: usize = 10;
/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_millis(200);

/// What this thread has worked so far: others on the machine do not count.
fn worked() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn any_tick_of_ten_minutes_with_ten_players_is_the_one_played_and_there_within_200_ms() {
    let folder = tempfile::tempdir().expect("a folder");
    let recorded = record(folder.path(), PLAYERS, TICKS, |_| {});
    let mut rng = Rng::new(11);
    let mut ticks: Vec<u64> = (0..1000).map(|_| u64::from(rng.below(TICKS as u32 + 1))).collect();
    ticks.extend([0, 1, 299, 300, 301, TICKS - 1, TICKS]);
    let mut took = Vec::new();
    for tick in ticks {
        let (work, begun) = (worked(), Instant::now());
        let journal = SqliteJournalReader::open(folder.path()).expect("it is readable");
        let found = at::<Arena>(&journal, recorded.match_id, Tick(tick), Rules::Own);
        let mut found = found.unwrap_or_else(|error| panic!("tick {tick}: {error}"));
        let document = view(&mut found).expect("it has a form in JSON").to_string();
        took.push((worked() - work, begun.elapsed(), tick));
        assert_eq!((found.tick(), found.hash()), (Tick(tick), recorded.hashes[tick as usize]));
        assert!(document.contains("\"players\""), "{document}");
    }
    took.sort();
    let (slowest, _, tick) = *took.last().expect("some were asked");
    let median = took[took.len() / 2].0;
    println!("tick {tick}: {slowest:?} of work, the median {median:?}");
    assert!(slowest < ANSWER_MAX, "tick {tick} took {slowest:?} of work, the median {median:?}");
    took.sort_by_key(|(_, wall, _)| *wall);
    let (_, wall, tick) = took[took.len() / 2];
    assert!(wall < ANSWER_MAX, "half of the ticks took more than {wall:?}: tick {tick}");

    // And all of it is as it was stored.
    let journal = SqliteJournalReader::open(folder.path()).expect("it is readable");
    let entry = journal.entry(recorded.match_id).expect("readable").expect("it is there");
    let mut seen = 0;
    let verdict = verify::<Arena>(&journal, &[entry], &mut || seen += 1).pop().expect("one");
    assert!(verdict.problem.is_none(), "{verdict:?}");
    assert_eq!((verdict.tick, seen), (Tick(TICKS), TICKS + 1), "tick 0 is one of them");
    let checked = verdict.checked;
    assert_eq!((checked.hashes, checked.checkpoints), (TICKS / 60, TICKS / 300), "{checked:?}");
}
