//! Parties that look for matches with two lobbies on one real store, of which one dies again and again.
//! `target/release/matchmaking` plays more of them.

use matchkeep_benches::matchmaking::plan::Plan;
use matchkeep_benches::matchmaking::world::{Observed, play};

/// Players of each seed.
const PLAYERS: usize = 300;
/// Seeds with two lobbies.
const SEEDS: u64 = 6;

/// What must never be, whatever dies.
fn faults(seen: &Observed) -> [u64; 5] {
    [seen.lost, seen.matched_twice, seen.parties_split, seen.teams_overfull, seen.promises_broken]
}

#[test]
fn nobody_is_lost_matched_twice_or_split_when_a_lobby_dies() {
    let (mut deaths, mut refused, mut filled) = (0, 0, 0);
    for seed in 1..=SEEDS {
        let seen = play(&Plan::new(PLAYERS, seed, 2), |_| {}).expect("the store works");
        assert_eq!(faults(&seen), [0; 5], "seed {seed}: {seen:?}");
        assert!(seen.matches > 20, "seed {seed}: {} matches", seen.matches);
        deaths += seen.lobby_deaths;
        refused += seen.refused;
        filled += seen.filled;
    }
    // What is to be survived has happened.
    assert!(deaths >= SEEDS && refused > 0 && filled > 0, "{deaths} {refused} {filled}");
}

#[test]
fn one_lobby_alone_does_the_same_for_a_seed() {
    let seen: Vec<Observed> =
        (0..2).map(|_| play(&Plan::new(PLAYERS, 9, 1), |_| {}).expect("the store works")).collect();
    assert_eq!(faults(&seen[0]), [0; 5]);
    assert_eq!(seen[0].wait_seconds, seen[1].wait_seconds);
    assert_eq!(seen[0].rating_difference, seen[1].rating_difference);
    let most = seen[0].wait_seconds.iter().copied().fold(0.0, f64::max);
    assert!(most <= 121.0, "{most} s, and the mode allows 120");
}
