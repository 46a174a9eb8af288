//! What looking for matches costs, in steps: the parties of a full queue one after the other.

use matchkeep_shared::ids::PlayerId;
use matchkeep_shared::limits::LOOK_STEPS_MAX;
use matchkeep_shared::rng::Rng;
use proptest::prelude::*;

use super::super::{Member, QueueTicket, QueueTicketId, Rating};
use super::*;

fn rules(teams: u8, side_places: usize) -> ModeRules {
    let places = side_places * usize::from(teams).max(1);
    ModeRules { teams, form_min: places, ..ModeRules::immediate(places) }
}

fn pool(parties: impl IntoIterator<Item = (usize, f64)>, is_rated: bool) -> Pool {
    let mut pool = Pool::default();
    for (nth, (size, mean)) in parties.into_iter().enumerate() {
        let id = nth as u64 + 1;
        let member = |n: usize| Member {
            player: PlayerId(id * 1000 + n as u64),
            name: String::new(),
            rating: Rating { mean, deviation: 1.0 },
        };
        let members = (0..size).map(member).collect();
        let ticket =
            QueueTicket { id: QueueTicketId(id), mode: String::new(), members, queued_unix_ms: id };
        pool.add(&ticket, is_rated);
    }
    pool
}

/// What a round through everybody finds.
#[derive(Debug, Default)]
struct Round {
    matches: usize,
    tried: usize,
    steps: usize,
    /// Of the dearest try.
    dearest: usize,
}

fn round(pool: &mut Pool, rules: ModeRules) -> Round {
    let mut steps = Steps::default();
    let mut forming = Forming::new(rules, &mut steps);
    let (mut round, mut after) = (Round::default(), None);
    while let Some(anchor) = pool.oldest_after(after) {
        after = Some(anchor.age());
        round.tried += 1;
        let group = forming.form(pool, &anchor, 1_000_000, true);
        let taken = forming.steps().taken();
        round.dearest = round.dearest.max(taken - round.steps);
        round.steps = taken;
        if let Some(group) = group {
            round.matches += 1;
            check(&group, &rules);
            for (ticket, _) in group.tickets {
                pool.hold(ticket.id);
            }
        }
    }
    round
}

fn check(group: &Group, rules: &ModeRules) {
    let mut teams = vec![0; usize::from(rules.teams).max(1)];
    for (ticket, team) in &group.tickets {
        teams[*team] += ticket.size;
    }
    assert_eq!(teams.iter().sum::<usize>(), group.players);
    assert!(teams.iter().all(|players| *players <= rules.party_max()), "{teams:?}");
    assert!(group.players >= rules.form_min, "{teams:?}");
}

#[test]
fn trios_that_fill_no_team_cost_some_steps_each_however_many_wait() {
    for (teams, side_places) in [(2, 32), (8, 16), (2, 4), (4, 32)] {
        for rated in [false, true] {
            let rules =
                ModeRules { is_rated: rated, window_start: 50.0, ..rules(teams, side_places) };
            let mut pool = pool((0..10_000).map(|nth| (3, f64::from(nth % 50))), rated);
            let round = round(&mut pool, rules);
            assert_eq!((round.matches, round.tried), (0, 10_000), "{teams} x {side_places}");
            assert!(round.steps <= LOOK_STEPS_MAX, "{teams} x {side_places}: {round:?}");
        }
    }
}

#[test]
fn trios_are_matched_where_some_may_be_missing() {
    for (teams, side_places, tickets) in [(2, 32, 20), (8, 16, 40)] {
        let whole = rules(teams, side_places);
        let rules = ModeRules { form_min: whole.places - 8, ..whole };
        let mut pool = pool((0..4000).map(|_| (3, 25.0)), false);
        let round = round(&mut pool, rules);
        assert_eq!(round.matches, 4000 / tickets, "{teams} x {side_places}: {round:?}");
        assert!(round.dearest < LOOK_STEPS_MAX / 2, "{round:?}");
    }
}

#[test]
fn one_try_is_bounded_whatever_the_sizes_of_those_who_wait() {
    let mut rng = Rng::new(3);
    let mut dearest = 0;
    for nth in 0..120 {
        let (teams, side_places) = [(2, 32), (8, 16), (4, 32), (2, 64)][nth % 4];
        let (least, most) = (1 + rng.below(4), 4 + rng.below(12));
        let party = |_| (least + rng.below(most - least + 1)) as usize;
        let sizes: Vec<usize> = (0..3000).map(party).map(|size| size.min(side_places)).collect();
        let means = sizes.iter().map(|size| (*size, 10.0 + (size * 7 % 30) as f64));
        let is_rated = nth % 3 == 0;
        let rules = ModeRules { is_rated, window_start: 8.0, ..rules(teams, side_places) };
        let round = round(&mut pool(means, is_rated), rules);
        assert!(round.matches > 0 || is_rated || least > 1, "{least} to {most}: {round:?}");
        dearest = dearest.max(round.dearest);
    }
    assert!(dearest < LOOK_STEPS_MAX / 2, "{dearest} steps");
}

/// Whether some of them, the first among them, fill all teams: every choice and every way.
fn can_be_full(sizes: &[usize], teams: usize, places: usize) -> bool {
    let options = teams + 1;
    (0..options.pow(sizes.len() as u32)).any(|way| {
        let team = |nth: usize| way / options.pow(nth as u32) % options;
        let mut rooms = vec![places; teams];
        let do_fit = sizes.iter().enumerate().all(|(nth, size)| match rooms.get_mut(team(nth)) {
            Some(room) => room.checked_sub(*size).map(|left| *room = left).is_some(),
            None => nth > 0,
        });
        do_fit && rooms.iter().all(|room| *room == 0)
    })
}

proptest! {
    #[test]
    fn nobody_is_left_out_for_sizes_that_could_have_a_match(
        sizes in prop::collection::vec(1..=4_usize, 1..=7),
        teams in 2..=3_u8,
    ) {
        let rules = rules(teams, 4);
        let pool = pool(sizes.iter().map(|size| (*size, 25.0)), false);
        let mut steps = Steps::default();
        let mut forming = Forming::new(rules, &mut steps);
        if can_be_full(&sizes, teams.into(), 4) {
            prop_assert_eq!(forming.ceiling(&pool, sizes[0]), rules.places);
        }
        let anchor = pool.oldest_after(None).expect("somebody waits");
        if let Some(group) = forming.form(&pool, &anchor, 10, false) {
            check(&group, &rules);
            prop_assert!(can_be_full(&sizes, teams.into(), 4));
        }
    }
}
