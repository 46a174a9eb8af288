//! Looks over a full queue: what they may cost, and that nobody is left out for it.

use super::*;

/// So many groups of seven single players, each far from the others: nobody can have a match.
fn sevens(matchmaker: &mut Matchmaker, groups: u64) {
    for id in 0..groups * 7 {
        let mean = 100.0 * (id % groups) as f64;
        matchmaker.handle_ticket(&ticket(id + 1, 1, mean, 1000)).expect("fits");
    }
}

/// Looks until there is a wish; which look had it, and when that was.
fn look_for_a_wish(matchmaker: &mut Matchmaker, mut now: u64) -> (usize, u64, Vec<Wish>) {
    for look in 1..=100 {
        let heard = wishes(matchmaker, now);
        let rest_ms = matchmaker.modes[0].rests_until_unix_ms - now;
        assert!(rest_ms <= PAUSE_MS + PAUSE_MS / 2, "look {look} took too much: {rest_ms} ms");
        if !heard.is_empty() {
            return (look, now, heard);
        }
        now = matchmaker.next_time_unix_ms().expect("they wait");
    }
    panic!("nobody had a match");
}

#[test]
fn a_look_over_a_full_queue_stops_and_the_next_goes_on_there() {
    let mut matchmaker = matchmaker(rated());
    sevens(&mut matchmaker, 5000);
    for id in 0..8 {
        matchmaker.handle_ticket(&ticket(100_000 + id, 1, -500.0, 2000)).expect("fits");
    }
    let (look, now, heard) = look_for_a_wish(&mut matchmaker, 2000);
    let (proposal, tickets) = formed(&heard);
    assert_eq!(tickets, (100_000..100_008).collect::<Vec<_>>());
    assert!((3..=10).contains(&look), "in look {look}");
    assert!(now - 2000 <= look as u64 * PAUSE_MS * 3 / 2, "after {} ms", now - 2000);
    // That look came to the end of the queue: the next begins anew, when it is time again.
    assert_eq!(matchmaker.next_time_unix_ms(), Some(now + EVERY_MS));
    // What would be looked at at once waits until the last look is rested from.
    matchmaker.handle_accepted(proposal);
    let rested = matchmaker.modes[0].rests_until_unix_ms;
    assert_eq!(matchmaker.next_time_unix_ms(), Some(rested));
    assert!(rested > now);
}

#[test]
fn many_matches_with_places_that_nobody_may_have_hold_up_no_look() {
    let mut matchmaker = matchmaker(rated());
    let open = |match_id, mean| OpenMatch {
        match_id: MatchId(match_id),
        mode: MODE.to_owned(),
        free: vec![1, 1],
        mean: Some(mean),
        players: 6,
    };
    for id in 1..=1000 {
        matchmaker.handle_open_match(&open(id, -1000.0));
    }
    matchmaker.handle_open_match(&open(1001, -2000.0));
    for id in 1..=2000 {
        matchmaker.handle_ticket(&ticket(id, 1, 100.0 * id as f64, 1000)).expect("fits");
    }
    matchmaker.handle_ticket(&ticket(5000, 1, -2000.0, 2000)).expect("fits");
    let (look, _, heard) = look_for_a_wish(&mut matchmaker, 2000);
    let [Wish::Fill { match_id, ticket, .. }] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!((match_id.0, ticket.ticket.0), (1001, 5000));
    assert!((5..=20).contains(&look), "in look {look}");
}

#[test]
fn who_waited_for_too_long_is_given_up_though_a_look_is_not_through() {
    let mut matchmaker = matchmaker(ModeRules { form_min: 8, ..rated() });
    sevens(&mut matchmaker, 5000);
    let heard = wishes(&mut matchmaker, 1000 + 90_000);
    assert_eq!(heard.len(), 35_000);
    assert!(heard.iter().all(|wish| matches!(wish, Wish::GiveUp { .. })));
    assert_eq!(matchmaker.waiting(), 0);
}

#[test]
fn a_crowd_that_comes_at_once_has_its_matches_in_some_looks() {
    let rules = ModeRules { places: 64, form_min: 64, ..rated() };
    let mut matchmaker = matchmaker(rules);
    for id in 0..20_000 {
        let (size, mean) = (1 + id as usize % 3, 20.0 + (id % 11) as f64);
        matchmaker.handle_ticket(&ticket(id + 1, size, mean, 1000)).expect("fits");
    }
    let (mut now, mut matched) = (1000, 0);
    for _ in 0..1000 {
        for wish in wishes(&mut matchmaker, now) {
            let Wish::Form { proposal, tickets, .. } = wish else { panic!("{wish:?}") };
            matched += tickets.len();
            matchmaker.handle_accepted(proposal);
        }
        let rest_ms = matchmaker.modes[0].rests_until_unix_ms - now;
        assert!(rest_ms <= 2 * PAUSE_MS, "a look took too much: {rest_ms} ms");
        if matchmaker.waiting() < 100 {
            break;
        }
        now = matchmaker.next_time_unix_ms().expect("they wait");
    }
    assert!(matched > 19_900, "{matched} parties");
    assert!(now - 1000 < 30_000, "after {} ms", now - 1000);
}
