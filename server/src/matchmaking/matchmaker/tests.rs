//! The matchmaker by what it wishes.

use std::collections::{BTreeMap, BTreeSet};

use matchkeep_shared::ids::PlayerId;
use proptest::prelude::*;

use super::super::{Member, Rating};
use super::*;

mod looks;

const MODE: &str = "squad";

fn rated() -> ModeRules {
    ModeRules {
        places: 8,
        teams: 2,
        form_min: 6,
        fill_seconds: 30,
        is_rated: true,
        window_start: 2.0,
        window_per_second: 0.1,
        wait_seconds_max: 90,
    }
}

fn matchmaker(rules: ModeRules) -> Matchmaker {
    Matchmaker::new([(MODE.to_owned(), rules)]).expect("they can be")
}

/// A party whose members all have this rating.
fn ticket(id: u64, size: usize, mean: f64, queued_unix_ms: u64) -> QueueTicket {
    let member = |n| Member {
        player: PlayerId(id * 100 + n),
        name: format!("p{id}-{n}"),
        rating: Rating { mean, deviation: 1.0 },
    };
    let members = (0..size as u64).map(member).collect();
    QueueTicket { id: QueueTicketId(id), mode: MODE.to_owned(), members, queued_unix_ms }
}

fn wishes(matchmaker: &mut Matchmaker, now_unix_ms: u64) -> Vec<Wish> {
    matchmaker.handle_time(now_unix_ms);
    std::iter::from_fn(|| matchmaker.poll()).collect()
}

/// The tickets of the one wish there is, a new match.
fn formed(wishes: &[Wish]) -> (ProposalId, Vec<u64>) {
    match wishes {
        [Wish::Form { proposal, tickets, .. }] => {
            (*proposal, tickets.iter().map(|placed| placed.ticket.0).collect())
        }
        other => panic!("one new match is expected: {other:?}"),
    }
}

#[test]
fn with_immediate_rules_nobody_waits_and_matches_are_filled_first() {
    let mut matchmaker = matchmaker(ModeRules::immediate(3));
    assert_eq!(matchmaker.next_time_unix_ms(), None);
    matchmaker.handle_ticket(&ticket(1, 1, 25.0, 50)).expect("fits");
    assert_eq!(matchmaker.next_time_unix_ms(), Some(0), "at once");
    let (proposal, tickets) = formed(&wishes(&mut matchmaker, 50));
    assert_eq!(tickets, [1]);
    // Who comes while that is being written down waits for it, and does not begin another one.
    for id in 2..=4 {
        matchmaker.handle_ticket(&ticket(id, 1, 25.0, 51)).expect("fits");
    }
    assert_eq!(wishes(&mut matchmaker, 51), []);
    let open = OpenMatch {
        match_id: MatchId(9),
        mode: MODE.to_owned(),
        free: vec![2],
        mean: None,
        players: 1,
    };
    matchmaker.handle_open_match(&open);
    matchmaker.handle_accepted(proposal);
    let all = wishes(&mut matchmaker, 55);
    let [
        Wish::Fill { proposal: two, ticket: first, .. },
        Wish::Fill { ticket: second, .. },
        Wish::Form { tickets, .. },
    ] = &all[..]
    else {
        panic!("two fill the match, the third begins another: {all:?}")
    };
    assert_eq!((first.ticket.0, second.ticket.0, tickets[0].ticket.0), (2, 3, 4));
    assert_eq!(first.team, None);
    // A place that was not taken after all is free again.
    matchmaker.handle_refused(*two, &[QueueTicketId(2)]);
    matchmaker.handle_ticket(&ticket(5, 1, 25.0, 56)).expect("fits");
    let next = wishes(&mut matchmaker, 56);
    assert!(matches!(&next[..], [Wish::Fill { ticket, .. }] if ticket.ticket.0 == 5), "{next:?}");
}

#[test]
fn a_place_is_asked_for_once_until_it_is_answered() {
    let mut matchmaker = matchmaker(ModeRules::immediate(4));
    let open = |match_id, free, players| OpenMatch {
        match_id: MatchId(match_id),
        mode: MODE.to_owned(),
        free: vec![free],
        mean: None,
        players,
    };
    matchmaker.handle_open_match(&open(1, 3, 1));
    matchmaker.handle_open_match(&open(2, 1, 3));
    for (id, size) in [(1, 1), (2, 2), (3, 1), (4, 2)] {
        matchmaker.handle_ticket(&ticket(id, size, 25.0, 1)).expect("fits");
    }
    let all = wishes(&mut matchmaker, 1);
    let place = |wish: &Wish| match wish {
        Wish::Fill { match_id, ticket, .. } => (match_id.0, ticket.ticket.0),
        Wish::Form { tickets, .. } => (0, tickets[0].ticket.0),
        Wish::GiveUp { ticket } => panic!("{ticket} is given up"),
    };
    // The fullest first; the party of two that nobody has room for begins a match.
    assert_eq!(all.iter().map(place).collect::<Vec<_>>(), [(2, 1), (1, 2), (1, 3), (0, 4)]);
    // News of the match do not make a place free that is spoken for.
    matchmaker.handle_open_match(&open(2, 1, 3));
    matchmaker.handle_closed_match(MatchId(1));
    matchmaker.handle_ticket(&ticket(5, 1, 25.0, 2)).expect("fits");
    assert_eq!(wishes(&mut matchmaker, 2), []);
}

#[test]
fn a_full_match_begins_at_once_and_another_when_it_was_waited_for() {
    let mut matchmaker = matchmaker(rated());
    for id in 1..=7 {
        matchmaker.handle_ticket(&ticket(id, 1, 25.0, 1000)).expect("fits");
    }
    assert_eq!(wishes(&mut matchmaker, 1000), []);
    assert_eq!(matchmaker.next_time_unix_ms(), Some(1500));
    matchmaker.handle_ticket(&ticket(8, 1, 25.0, 1200)).expect("fits");
    assert_eq!(wishes(&mut matchmaker, 1200), [], "the next round is soon enough");
    let all = wishes(&mut matchmaker, 1500);
    let (proposal, tickets) = formed(&all);
    assert_eq!(tickets, [1, 2, 3, 4, 5, 6, 7, 8]);
    let Wish::Form { tickets, .. } = &all[0] else { unreachable!("it is a new match") };
    let team = |wanted| tickets.iter().filter(|placed| placed.team == Some(wanted)).count();
    assert_eq!((team(0), team(1)), (4, 4));
    // One was cancelled meanwhile: the others wait on, with the time they have waited.
    matchmaker.handle_refused(proposal, &[QueueTicketId(3)]);
    assert_eq!(matchmaker.waiting(), 7);
    assert_eq!(wishes(&mut matchmaker, 30_999), []);
    let (proposal, tickets) = formed(&wishes(&mut matchmaker, 31_500));
    assert_eq!(tickets, [1, 2, 4, 5, 6, 7, 8]);
    matchmaker.handle_accepted(proposal);
    assert_eq!(matchmaker.waiting(), 0);
}

#[test]
fn the_window_widens_until_they_meet() {
    let mut matchmaker = matchmaker(rated());
    for id in 1..=4 {
        matchmaker.handle_ticket(&ticket(id, 1, 20.0, 0)).expect("fits");
        matchmaker.handle_ticket(&ticket(id + 4, 1, 26.0, 5000)).expect("fits");
    }
    // 6 apart: 2 at first, and a tenth more each second of the oldest one's waiting.
    for seconds in 5..40 {
        assert_eq!(wishes(&mut matchmaker, seconds * 1000), [], "after {seconds} s");
    }
    let (_, tickets) = formed(&wishes(&mut matchmaker, 40_000));
    assert_eq!(tickets.len(), 8);
}

#[test]
fn who_waited_for_too_long_is_given_up_once() {
    let mut matchmaker = matchmaker(rated());
    matchmaker.handle_ticket(&ticket(1, 4, 25.0, 0)).expect("fits");
    assert_eq!(wishes(&mut matchmaker, 89_999), []);
    assert_eq!(wishes(&mut matchmaker, 90_499), [Wish::GiveUp { ticket: QueueTicketId(1) }]);
    assert_eq!((matchmaker.waiting(), matchmaker.next_time_unix_ms()), (0, None));
    // Handed in again, because that could not be written down.
    matchmaker.handle_ticket(&ticket(1, 4, 25.0, 0)).expect("fits");
    assert_eq!(wishes(&mut matchmaker, 90_600), [Wish::GiveUp { ticket: QueueTicketId(1) }]);
}

#[test]
fn large_parties_in_each_others_way_are_passed_over() {
    let mut matchmaker = matchmaker(rated());
    for id in 1..=3 {
        matchmaker.handle_ticket(&ticket(id, 3, 25.0, id)).expect("fits");
    }
    matchmaker.handle_ticket(&ticket(4, 2, 25.0, 4)).expect("fits");
    assert_eq!(wishes(&mut matchmaker, 5), []);
    matchmaker.handle_ticket(&ticket(5, 1, 26.0, 5)).expect("fits");
    // Two parties of three are nearest, but with one player alone only the one of two fills the other team.
    matchmaker.handle_ticket(&ticket(6, 2, 26.0, 5)).expect("fits");
    let (_, tickets) = formed(&wishes(&mut matchmaker, 600));
    assert_eq!(tickets, [1, 4, 5, 6]);
}

#[test]
fn parties_that_can_never_play_are_refused_at_the_door() {
    let mut matchmaker = matchmaker(rated());
    let error = matchmaker.handle_ticket(&ticket(1, 5, 25.0, 0));
    assert_eq!(error, Err(TicketError::TooLarge { members: 5, most: 4 }));
    assert_eq!(matchmaker.handle_ticket(&ticket(1, 0, 25.0, 0)), Err(TicketError::Empty));
    let other = QueueTicket { mode: "chess".to_owned(), ..ticket(1, 1, 25.0, 0) };
    let error = matchmaker.handle_ticket(&other).expect_err("there is no such mode");
    assert_eq!(error, TicketError::UnknownMode("chess".to_owned()));
    assert_eq!(matchmaker.waiting(), 0);
}

#[test]
fn rules_that_cannot_be_are_named() {
    let faults: [(&str, ModeRules); 9] = [
        ("places", ModeRules { places: 0, ..rated() }),
        ("places", ModeRules { places: 129, ..rated() }),
        ("teams", ModeRules { teams: 1, ..rated() }),
        ("teams", ModeRules { teams: 3, ..rated() }),
        ("teams", ModeRules { teams: 16, places: 16, ..rated() }),
        ("form_min", ModeRules { form_min: 9, ..rated() }),
        ("wait_seconds_max", ModeRules { wait_seconds_max: 0, ..rated() }),
        ("fill_seconds", ModeRules { fill_seconds: 91, ..rated() }),
        ("window_per_second", ModeRules { window_per_second: f64::NAN, ..rated() }),
    ];
    for (key, rules) in faults {
        let error = rules.check().expect_err(key);
        assert_eq!(error.key, key, "{error}");
        assert!(Matchmaker::new([(MODE.to_owned(), rules)]).is_err());
    }
    assert_eq!(rated().check(), Ok(()));
    assert_eq!(ModeRules::immediate(8).check(), Ok(()));
}

/// What may happen to a matchmaker.
#[derive(Clone, Debug)]
enum Event {
    Comes { size: usize, mean: f64 },
    Leaves(prop::sample::Index),
    Passes { ms: u64 },
    Accepts(prop::sample::Index),
    Refuses { proposal: prop::sample::Index, gone: prop::sample::Index },
    Pauses(prop::sample::Index),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let index = any::<prop::sample::Index>;
    let event = prop_oneof![
        6 => (1..=4_usize, 10.0..40.0_f64).prop_map(|(size, mean)| Event::Comes { size, mean }),
        1 => index().prop_map(Event::Leaves),
        4 => (0..20_000_u64).prop_map(|ms| Event::Passes { ms }),
        2 => index().prop_map(Event::Accepts),
        1 => (index(), index()).prop_map(|(proposal, gone)| Event::Refuses { proposal, gone }),
        1 => index().prop_map(Event::Pauses),
    ];
    prop::collection::vec(event, 1..120)
}

/// What a test knows of a matchmaker.
struct Witness {
    rules: ModeRules,
    waiting: BTreeMap<QueueTicketId, QueueTicket>,
    wished: BTreeMap<ProposalId, Vec<QueueTicketId>>,
    open: BTreeMap<MatchId, Vec<usize>>,
    now_unix_ms: u64,
}

impl Witness {
    /// No party is in two wishes, and each is where it may be.
    fn hear(&mut self, wish: Wish) {
        let now = self.now_unix_ms;
        let busy: BTreeSet<QueueTicketId> = self.wished.values().flatten().copied().collect();
        let (proposal, tickets) = match wish {
            Wish::GiveUp { ticket } => {
                assert!(!busy.contains(&ticket));
                let given_up = self.waiting.remove(&ticket).expect("it waited");
                let waited_ms = now - given_up.queued_unix_ms;
                assert!(waited_ms >= self.rules.wait_seconds_max * 1000, "after {waited_ms} ms");
                return;
            }
            Wish::Fill { proposal, match_id, ticket } => {
                let party = &self.waiting[&ticket.ticket];
                let team = usize::from(ticket.team.expect("the mode has teams"));
                let free = &mut self.open.get_mut(&match_id).expect("it is open")[team];
                *free = free.checked_sub(party.members.len()).expect("there is room");
                (proposal, vec![ticket.ticket])
            }
            Wish::Form { proposal, mode, tickets } => {
                assert_eq!(mode, MODE);
                let parties: Vec<(&QueueTicket, usize)> = tickets
                    .iter()
                    .map(|placed| {
                        let team = usize::from(placed.team.expect("the mode has teams"));
                        (&self.waiting[&placed.ticket], team)
                    })
                    .collect();
                let mut teams = [0; 2];
                for (party, team) in &parties {
                    teams[*team] += party.members.len();
                }
                let players = teams[0] + teams[1];
                let anchor = parties[0].0;
                let waited_ms = now - anchor.queued_unix_ms;
                let is_full = players == self.rules.places;
                assert!(teams.iter().all(|team| *team <= 4), "{teams:?}");
                assert!(is_full || players >= self.rules.form_min && waited_ms >= 30_000);
                assert!(teams.iter().all(|team| *team >= 3), "{teams:?}");
                let window = self.rules.window(waited_ms);
                for (party, _) in &parties {
                    assert!((party.mean() - anchor.mean()).abs() <= window + 1e-9);
                }
                (proposal, tickets.iter().map(|placed| placed.ticket).collect())
            }
        };
        for ticket in &tickets {
            assert!(!busy.contains(ticket), "{ticket} is in two wishes");
        }
        assert_eq!(tickets.iter().collect::<BTreeSet<_>>().len(), tickets.len());
        self.wished.insert(proposal, tickets);
    }

    fn proposal(&self, index: prop::sample::Index) -> Option<ProposalId> {
        let known: Vec<ProposalId> = self.wished.keys().copied().collect();
        (!known.is_empty()).then(|| *index.get(&known))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_every_wish_can_be_carried_out(events in events()) {
        let rules = rated();
        let mut matchmaker = matchmaker(rules);
        let mut again = Matchmaker::new([(MODE.to_owned(), rules)]).expect("they can be");
        let mut next_ticket = 1;
        let mut witness = Witness {
            rules,
            waiting: BTreeMap::new(),
            wished: BTreeMap::new(),
            open: BTreeMap::new(),
            now_unix_ms: 1_000_000,
        };
        let open = OpenMatch {
            match_id: MatchId(1),
            mode: MODE.to_owned(),
            free: vec![3, 2],
            mean: Some(25.0),
            players: 3,
        };
        witness.open.insert(open.match_id, open.free.clone());
        for both in [&mut matchmaker, &mut again] {
            both.handle_open_match(&open);
        }
        for event in events {
            let now = witness.now_unix_ms;
            let mut same = |act: &dyn Fn(&mut Matchmaker)| {
                act(&mut matchmaker);
                act(&mut again);
            };
            match event {
                Event::Comes { size, mean } => {
                    let party = ticket(next_ticket, size, mean, now);
                    next_ticket += 1;
                    same(&|m| m.handle_ticket(&party).expect("it fits"));
                    witness.waiting.insert(party.id, party);
                }
                Event::Leaves(index) => {
                    let known: Vec<QueueTicketId> = witness.waiting.keys().copied().collect();
                    if !known.is_empty() {
                        let id = *index.get(&known);
                        same(&|m| m.handle_gone(id));
                        witness.waiting.remove(&id);
                        for tickets in witness.wished.values_mut() {
                            tickets.retain(|ticket| *ticket != id);
                        }
                    }
                }
                Event::Passes { ms } => witness.now_unix_ms += ms,
                Event::Accepts(index) => {
                    if let Some(proposal) = witness.proposal(index) {
                        same(&|m| m.handle_accepted(proposal));
                        for ticket in witness.wished.remove(&proposal).expect("it is out") {
                            witness.waiting.remove(&ticket);
                        }
                    }
                }
                Event::Refuses { proposal, gone } => {
                    if let Some(proposal) = witness.proposal(proposal) {
                        let tickets = witness.wished.remove(&proposal).expect("it is out");
                        let gone: Vec<QueueTicketId> =
                            if tickets.is_empty() { Vec::new() } else { vec![*gone.get(&tickets)] };
                        same(&|m| m.handle_refused(proposal, &gone));
                        for ticket in gone {
                            witness.waiting.remove(&ticket);
                        }
                    }
                }
                Event::Pauses(index) => {
                    if let Some(proposal) = witness.proposal(index) {
                        same(&|m| m.handle_refused(proposal, &[]));
                        witness.wished.remove(&proposal);
                    }
                }
            }
            let heard = wishes(&mut matchmaker, witness.now_unix_ms);
            prop_assert_eq!(&heard, &wishes(&mut again, witness.now_unix_ms), "the same again");
            let mut is_filling = false;
            for wish in heard {
                is_filling |= matches!(wish, Wish::Fill { .. });
                witness.hear(wish);
            }
            if is_filling {
                // Which places a refused wish gives back is not followed here: the match is closed.
                matchmaker.handle_closed_match(MatchId(1));
                again.handle_closed_match(MatchId(1));
                witness.open.clear();
            }
            prop_assert_eq!(matchmaker.waiting(), witness.waiting.len());
        }
        // Nobody is forgotten: in the end everybody has a wish answered or is given up.
        for proposal in witness.wished.keys().copied().collect::<Vec<_>>() {
            matchmaker.handle_accepted(proposal);
        }
        matchmaker.handle_closed_match(MatchId(1));
        for round in 1..=200 {
            for wish in wishes(&mut matchmaker, witness.now_unix_ms + round * 1000) {
                if let Wish::Form { proposal, .. } = wish {
                    matchmaker.handle_accepted(proposal);
                }
            }
        }
        prop_assert_eq!(matchmaker.waiting(), 0);
    }
}

#[test]
fn a_party_that_goes_and_comes_back_while_a_wish_is_out_is_in_no_second_one() {
    let mut matchmaker = matchmaker(ModeRules { form_min: 1, ..ModeRules::immediate(3) });
    let party = ticket(1, 1, 25.0, 0);
    matchmaker.handle_ticket(&party).expect("fits");
    let (proposal, _) = formed(&wishes(&mut matchmaker, 0));
    matchmaker.handle_gone(party.id);
    matchmaker.handle_ticket(&party).expect("fits");
    assert_eq!(wishes(&mut matchmaker, 1000), []);
    matchmaker.handle_refused(proposal, &[]);
    let (_, again) = formed(&wishes(&mut matchmaker, 2000));
    assert_eq!(again, [1]);
}

#[test]
fn a_wish_whose_parties_are_all_gone_holds_its_mode_up_until_it_is_answered_and_no_longer() {
    let mut matchmaker = matchmaker(ModeRules { form_min: 2, ..ModeRules::immediate(4) });
    for id in 1..=2 {
        matchmaker.handle_ticket(&ticket(id, 1, 25.0, 0)).expect("fits");
    }
    let (proposal, _) = formed(&wishes(&mut matchmaker, 0));
    let gone = [QueueTicketId(1), QueueTicketId(2)];
    gone.iter().for_each(|id| matchmaker.handle_gone(*id));
    for id in 3..=4 {
        matchmaker.handle_ticket(&ticket(id, 1, 25.0, 1)).expect("fits");
    }
    assert_eq!(wishes(&mut matchmaker, 1000), []);
    matchmaker.handle_refused(proposal, &gone);
    let (_, next) = formed(&wishes(&mut matchmaker, 1000));
    assert_eq!(next, [3, 4]);
}
