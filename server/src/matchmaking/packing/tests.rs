//! What fits, compared with every way there is; and what it costs to find out.

use matchkeep_shared::limits::PACKING_STEPS_MAX;
use matchkeep_shared::rng::Rng;
use proptest::prelude::*;

use super::*;

/// Takes in all of them that fit; how many, and the steps of the dearest.
fn fill(teams: usize, places: usize, sizes: impl Iterator<Item = usize>) -> (Packing, usize) {
    let (mut packing, mut dearest) = (Packing::new(teams, places), 0);
    for size in sizes {
        let mut steps = Steps::default();
        packing.add(size, &mut steps);
        dearest = dearest.max(steps.taken());
    }
    (packing, dearest)
}

fn fits(sizes: &[usize], teams: usize, places: usize) -> bool {
    let mut packing = Packing::new(teams, places);
    sizes.iter().all(|size| packing.add(*size, &mut Steps::default()))
}

/// Whether any way of all there are puts them in.
fn can_be_put(sizes: &[usize], teams: usize, places: usize) -> bool {
    let team = |way: usize, nth: usize| way / teams.pow(nth as u32) % teams;
    (0..teams.pow(sizes.len() as u32)).any(|way| {
        let mut rooms = vec![places; teams];
        sizes.iter().enumerate().all(|(nth, size)| {
            let room = &mut rooms[team(way, nth)];
            room.checked_sub(*size).map(|left| *room = left).is_some()
        })
    })
}

fn has_room(sizes: &[usize], chosen: &[usize], teams: usize, places: usize) -> bool {
    let mut players = vec![0; teams];
    for (size, team) in sizes.iter().zip(chosen) {
        players[*team] += size;
    }
    players.iter().all(|players| *players <= places)
}

proptest! {
    #[test]
    fn a_party_is_taken_in_where_any_way_has_room(
        sizes in prop::collection::vec(1..=6_usize, 1..=7),
        teams in 1..=3_usize,
        places in 3..=9_usize,
    ) {
        let mut packing = Packing::new(teams, places);
        let mut taken = Vec::new();
        for size in sizes {
            let with = [taken.as_slice(), &[size]].concat();
            let can_be = can_be_put(&with, teams, places);
            prop_assert_eq!(packing.add(size, &mut Steps::default()), can_be, "{:?}", with);
            let found = Search::run(&with, teams, places, &mut Steps::default());
            // It leaves single players to whatever room there is.
            prop_assert!(found.is_some() || !can_be, "{:?}", with);
            if let Some(chosen) = spread(&with, teams, places) {
                prop_assert!(can_be && has_room(&with, &chosen, teams, places));
            }
            if can_be {
                taken = with;
            }
            prop_assert!(has_room(&taken, &packing.teams(), teams, places), "{:?}", packing);
            prop_assert_eq!(packing.left(), teams * places - taken.iter().sum::<usize>());
        }
    }
}

#[test]
fn parties_that_stand_in_each_others_way_do_not_fit() {
    assert!(fits(&[3, 3, 1, 1], 2, 4));
    assert!(!fits(&[3, 3, 2], 2, 4));
    assert!(!fits(&[2, 2, 2], 3, 1));
    assert!(fits(&[2, 2, 2], 1, 6), "without teams the number alone counts");
    assert!(!fits(&[4, 4, 1], 2, 4), "nine in a match of eight");
    assert!(fits(&[1; 128], 8, 16));
    assert!(fits(&[128], 1, 128));
}

#[test]
fn that_one_trio_more_has_no_room_is_seen_at_once() {
    for (teams, places, most) in [(2, 32, 20), (8, 16, 40), (2, 4, 2), (4, 32, 40), (2, 64, 42)] {
        let (packing, dearest) = fill(teams, places, (0..most + 1).map(|_| 3));
        assert_eq!(packing.sizes.len(), most, "{teams} x {places}");
        assert!(dearest <= 64, "{teams} x {places}: {dearest} steps");
        let trios = vec![3; most + 1];
        assert_eq!(spread(&trios, teams, places), None);
    }
}

#[test]
fn mixed_parties_cost_few_steps_however_they_come() {
    let mut rng = Rng::new(1);
    let mut dearest = 0;
    for round in 0..2000 {
        let (teams, places) = [(8, 16), (2, 32), (4, 32), (2, 64), (5, 25), (8, 15)][round % 6];
        let (least, most) = (2 + rng.below(4), 6 + rng.below(4));
        let sizes = (0..200).map(|_| (least + rng.below(most - least + 1)) as usize);
        let sizes: Vec<usize> = sizes.collect();
        dearest = dearest.max(fill(teams, places, sizes.into_iter()).1);
    }
    assert!(dearest < PACKING_STEPS_MAX / 2, "{dearest}");
}
