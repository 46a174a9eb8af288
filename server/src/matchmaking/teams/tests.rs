//! Splits into teams, compared with all there are.

use matchkeep_shared::rng::Rng;
use proptest::prelude::*;

use super::*;

/// The same as the matchmaker does it: each party finds room, and then they are split.
fn split(
    parties: &[(usize, f64)],
    teams: usize,
    places: usize,
    least: usize,
) -> Option<Vec<usize>> {
    let (mut packing, mut steps) = (Packing::new(teams, places), Steps::default());
    let do_fit = parties.iter().all(|(size, _)| packing.add(*size, &mut steps));
    let wanted = Split { teams, places, least };
    do_fit.then(|| super::split(parties, &wanted, &packing, &mut steps)).flatten()
}

fn has_room(parties: &[(usize, f64)], chosen: &[usize], teams: usize, places: usize) -> bool {
    sums(parties, chosen, teams).iter().all(|sum| sum.0 <= places)
}

/// The least uneven of all splits, found by trying every one.
fn best_of_all(parties: &[(usize, f64)], teams: usize, places: usize) -> Option<Unevenness> {
    let ways = teams.pow(parties.len() as u32);
    let splits = (0..ways).map(|way| {
        let team = |nth: usize| way / teams.pow(nth as u32) % teams;
        (0..parties.len()).map(team).collect::<Vec<_>>()
    });
    let allowed = splits.filter(|chosen| has_room(parties, chosen, teams, places));
    let all = allowed.map(|chosen| unevenness(parties, &chosen, teams));
    all.min_by(|a, b| a.partial_cmp(b).expect("numbers"))
}

fn parties(most: usize) -> impl Strategy<Value = Vec<(usize, f64)>> {
    let party = (1..=4_usize, 0.0..50.0_f64).prop_map(|(size, mean)| (size, mean * size as f64));
    prop::collection::vec(party, 1..=most)
}

proptest! {
    #[test]
    fn a_small_group_gets_the_most_even_split_there_is(
        parties in parties(7),
        teams in 2..=3_usize,
        places in 4..=7_usize,
    ) {
        let best = best_of_all(&parties, teams, places);
        let chosen = split(&parties, teams, places, 0);
        prop_assert_eq!(chosen.is_some(), best.is_some());
        if let (Some(chosen), Some(best)) = (chosen, best) {
            prop_assert!(has_room(&parties, &chosen, teams, places));
            let found = unevenness(&parties, &chosen, teams);
            prop_assert_eq!(found.players, best.players);
            prop_assert!((found.strength - best.strength).abs() < 1e-9, "{:?} {:?}", found, best);
        }
    }

    #[test]
    fn a_large_group_is_split_by_swaps_that_only_make_it_better(
        parties in parties(40),
        teams in 2..=8_usize,
    ) {
        let players: usize = parties.iter().map(|party| party.0).sum();
        let places = players.div_ceil(teams) + 3;
        let sizes: Vec<usize> = parties.iter().map(|party| party.0).collect();
        let mut steps = Steps::default();
        let packed = spread(&sizes, teams, places).expect("there is room to spare");
        let before = unevenness(&parties, &packed, teams);
        let chosen = improve(&parties, packed, &Split { teams, places, least: 0 }, &mut steps);
        prop_assert!(has_room(&parties, &chosen, teams, places));
        let after = unevenness(&parties, &chosen, teams);
        prop_assert!(after <= before, "{:?} {:?}", after, before);
    }

    #[test]
    fn for_many_single_players_swaps_end_near_the_best(
        means in prop::collection::vec(0.0..50.0_f64, 16..=64),
    ) {
        let parties: Vec<(usize, f64)> = means[..means.len() & !1].iter().map(|m| (1, *m)).collect();
        let chosen = split(&parties, 2, parties.len() / 2, parties.len() / 2).expect("they fit");
        let found = unevenness(&parties, &chosen, 2);
        prop_assert_eq!(found.players, 0);
        prop_assert!(found.strength < 5.0, "{:?}", found);
    }
}

#[test]
fn large_groups_end_by_themselves_and_not_at_the_bound() {
    let mut rng = Rng::new(7);
    for (teams, places) in [(2, 64), (8, 16), (4, 32), (2, 32)] {
        let mean = |rng: &mut Rng| f64::from(rng.below(5000)) / 100.0;
        let parties: Vec<_> = (0..teams * places).map(|_| (1, mean(&mut rng))).collect();
        let (mut packing, mut steps) = (Packing::new(teams, places), Steps::default());
        assert!(parties.iter().all(|(size, _)| packing.add(*size, &mut steps)));
        let wanted = Split { teams, places, least: places };
        let chosen = super::split(&parties, &wanted, &packing, &mut steps).expect("they fit");
        let found = unevenness(&parties, &chosen, teams);
        assert!(found.players == 0 && found.strength < 5.0, "{teams} x {places}: {found:?}");
        assert!(steps.taken() < TEAM_CHANGES_MAX, "{teams} x {places}: {} steps", steps.taken());
    }
}

#[test]
fn a_team_below_the_least_is_no_split() {
    assert_eq!(split(&[(3, 75.0), (1, 25.0)], 2, 4, 2), None);
    assert_eq!(split(&[(3, 75.0), (1, 25.0)], 2, 4, 1), Some(vec![0, 1]));
    assert_eq!(split(&[(1, 25.0)], 1, 8, 1), Some(vec![0]));
    assert_eq!(split(&[(1, 25.0)], 1, 8, 2), None);
}
