//! The lobby without a network: what it answers, and what it asks of shards and store.

mod grouping;
mod harness;
mod orders;
mod queueing;
mod refusals;
mod table;
mod taking;

use super::*;
use harness::{Asked, Harness, Making, NOW, enter, game};
use matchkeep_shared::game::Outcome;
use matchkeep_shared::ids::Epoch;
use matchkeep_shared::limits::PRIVATE_MATCHES_PER_PLAYER_MAX;
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::lobby::Assignment;

#[test]
fn running_matches_are_filled_before_new_ones_are_made() {
    let mut h = Harness::new();
    let ids: Vec<MatchId> = (1..=5)
        .map(|c| {
            h.log_in(c);
            h.find(c, "duel").match_id
        })
        .collect();
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ids[2], ids[3]);
    assert_ne!(ids[1], ids[2]);
    assert_ne!(ids[3], ids[4]);
    assert_eq!(h.created.len(), 3);
    assert_ne!(h.created[0].1, h.created[1].1, "the second goes to the emptier shard");
}

#[test]
fn asking_again_leads_to_the_same_place() {
    let mut h = Harness::new();
    h.log_in(1);
    let first = h.find(1, "duel");
    let again = h.find(1, "duel");
    assert_eq!(first.match_id, again.match_id);
    assert_ne!(first.ticket, again.ticket, "each ticket is its own");
    h.log_in(2);
    assert_eq!(h.find(2, "duel").match_id, first.match_id, "one place was taken, not two");
}

#[test]
fn a_promise_that_is_not_used_frees_the_place_when_its_ticket_ends() {
    let mut h = Harness::new();
    for c in 1..=3 {
        h.log_in(c);
    }
    let (a, b) = (h.find(1, "duel"), h.find(2, "duel"));
    assert_eq!(a.match_id, b.match_id);
    h.event(ShardEvent::Joined { match_id: a.match_id, player: PlayerId(1) });
    assert_eq!(
        h.ask(3, LobbyRequest::Locate { match_id: a.match_id }),
        Ok(LobbyReply::Refused { reason: DisconnectReason::MatchFull })
    );
    h.now += RESERVATION_MS + 1;
    let now = h.now;
    h.lobby.handle_time(now);
    let located = h.ask(3, LobbyRequest::Locate { match_id: a.match_id });
    assert!(matches!(located, Ok(LobbyReply::Assigned(_))), "{located:?}");
    assert!(
        matches!(h.find(1, "duel").match_id, id if id == a.match_id),
        "the one who sits, stays"
    );
}

const RESERVATION_MS: u64 = matchkeep_shared::limits::RESERVATION.as_millis() as u64;

#[test]
fn who_sits_in_a_match_that_ended_hears_of_it_there() {
    let mut h = Harness::new();
    h.log_in(1);
    let match_id = h.find(1, "ffa").match_id;
    h.event(ShardEvent::Joined { match_id, player: PlayerId(1) });
    let outcome = Outcome { reason: "time limit".into(), players: vec![] };
    h.event(ShardEvent::Ended { match_id, tick: Tick(9), outcome });
    // Its result may not be durable yet, and without that it is not over for good.
    let located = h.ask(1, LobbyRequest::Locate { match_id });
    assert!(matches!(located, Ok(LobbyReply::Assigned(_))), "{located:?}");
}

#[test]
fn nobody_is_sent_to_a_match_that_is_over() {
    let mut h = Harness::new();
    h.log_in(1);
    h.log_in(2);
    let match_id = h.find(1, "ffa").match_id;
    let outcome = Outcome { reason: "time limit".into(), players: vec![] };
    h.event(ShardEvent::Ended { match_id, tick: Tick(9), outcome });
    let refused = |reason| Ok(LobbyReply::Refused { reason });
    let locate = LobbyRequest::Locate { match_id };
    assert_eq!(h.ask(1, locate.clone()), refused(DisconnectReason::MatchOver));
    assert_ne!(h.find(2, "ffa").match_id, match_id);
    h.event(ShardEvent::Closed { match_id });
    assert_eq!(h.ask(1, locate), refused(DisconnectReason::MatchUnknown));
}

#[test]
fn what_is_asked_out_of_turn_ends_the_connection() {
    let mut h = Harness::new();
    let find = LobbyRequest::FindMatch { mode: String::new() };
    assert_eq!(h.ask(1, find), Err(DisconnectReason::UnexpectedMessage));
    let other = GameVersion { rules: 9, ..game() };
    let request = enter(other, "p");
    assert_eq!(h.ask(2, request), Err(DisconnectReason::GameMismatch));
    let request = enter(game(), " ");
    assert_eq!(h.ask(3, request), Err(DisconnectReason::NameInvalid));
    h.log_in(4);
    let mode = "chess".to_owned();
    assert_eq!(
        h.ask(4, LobbyRequest::FindMatch { mode }),
        Ok(LobbyReply::Refused { reason: DisconnectReason::ModeUnknown })
    );
}

#[test]
fn a_shard_without_room_is_no_silence() {
    let mut h = Harness::new();
    h.log_in(1);
    let request = LobbyRequest::FindMatch { mode: "duel".into() };
    h.lobby.handle_request(NOW, ConnectionKey(1), request);
    let Some(Action::Create { match_id, .. }) = h.lobby.poll_action() else { panic!("no match") };
    h.event(ShardEvent::CreateRefused { match_id });
    let refused = LobbyReply::Refused { reason: DisconnectReason::ServerFull };
    let message = LobbyMessage::Answer(refused);
    assert_eq!(h.lobby.poll_action(), Some(Action::Say { to: ConnectionKey(1), message }));
}

#[test]
fn on_a_full_disk_nobody_new_gets_a_place_and_who_has_one_comes_back() {
    let mut harness = Harness::new();
    (1..=3).for_each(|connection| harness.log_in(connection));
    let Assignment { match_id, .. } = harness.find(1, "ffa");
    let player = PlayerId(1);
    harness.lobby.handle_shard_event(NOW, &ShardEvent::Joined { match_id, player });
    // On the way, and not there yet: as new as anybody.
    harness.find(2, "ffa");
    harness.lobby.set_storage_full(true);
    let full = Ok(LobbyReply::Refused { reason: DisconnectReason::StorageFull });
    for newcomer in [2, 3] {
        assert_eq!(harness.ask(newcomer, LobbyRequest::FindMatch { mode: "ffa".into() }), full);
        assert_eq!(harness.ask(newcomer, LobbyRequest::Locate { match_id }), full);
    }
    assert_eq!(harness.find(1, "ffa").match_id, match_id);
    let unknown = LobbyRequest::Locate { match_id: MatchId(u64::MAX) };
    let reason = DisconnectReason::MatchUnknown;
    assert_eq!(harness.ask(3, unknown), Ok(LobbyReply::Refused { reason }));
    harness.lobby.set_storage_full(false);
    assert_eq!(harness.find(3, "ffa").match_id, match_id);
}

fn assigned(answer: Result<LobbyReply, DisconnectReason>) -> Assignment {
    match answer {
        Ok(LobbyReply::Assigned(assignment)) => assignment,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_private_match_is_made_once_and_found_by_its_code_or_id_alone() {
    let mut h = Harness::new();
    for connection in 1..=4 {
        h.log_in(connection);
    }
    let create = || LobbyRequest::CreatePrivate { request: 9, mode: "duel".into() };
    let own = assigned(h.ask(1, create()));
    let code = own.code.clone().expect("it is private");
    let again = assigned(h.ask(1, create()));
    assert_eq!((again.match_id, again.code.as_ref()), (own.match_id, Some(&code)));
    assert_eq!(h.created.len(), 1, "the answer was lost, the match is not made twice");

    assert_ne!(h.find(2, "duel").match_id, own.match_id, "nobody is sent there");
    let other = assigned(h.ask(3, create()));
    assert_ne!(other.match_id, own.match_id, "somebody else's request of the same number");
    let lower = code.to_lowercase();
    let guest = assigned(h.ask(3, LobbyRequest::JoinPrivate { code: lower }));
    assert_eq!(guest.match_id, own.match_id);
    let refused = |reason| Ok(LobbyReply::Refused { reason });
    let join = LobbyRequest::JoinPrivate { code };
    assert_eq!(h.ask(4, join.clone()), refused(DisconnectReason::MatchFull));
    let unknown = LobbyRequest::JoinPrivate { code: "22222222".into() };
    assert_eq!(h.ask(4, unknown), refused(DisconnectReason::CodeUnknown));

    h.event(ShardEvent::Closed { match_id: own.match_id });
    assert_eq!(h.ask(4, join), refused(DisconnectReason::CodeUnknown));
    assert_eq!(h.ask(1, create()), refused(DisconnectReason::MatchOver));
}

#[test]
fn a_private_match_outlives_its_lobby() {
    let mut h = Harness::new();
    h.log_in(1);
    let create = LobbyRequest::CreatePrivate { request: 9, mode: "duel".into() };
    let own = assigned(h.ask(1, create.clone()));

    // Once it was played, and once the process ended before it was made.
    for was_made in [true, false] {
        let mut next = Harness::new();
        next.reserved = h.reserved.clone();
        if was_made {
            next.created = h.created.clone();
            let private = next.reserved[0].clone();
            next.lobby.expect_match(own.match_id, Some(0), ShardId(0), 2, Some(private));
            let (epoch, tick, players) = (Epoch(2), Tick(10), vec![(PlayerId(1), None)]);
            let match_id = own.match_id;
            next.event(ShardEvent::Resumed { match_id, epoch, tick, players });
        }
        next.log_in(1);
        next.log_in(2);
        let again = assigned(next.ask(1, create.clone()));
        assert_eq!((again.match_id, &again.code), (own.match_id, &own.code));
        let code = again.code.expect("it is private");
        let guest = assigned(next.ask(2, LobbyRequest::JoinPrivate { code }));
        assert_eq!(guest.match_id, own.match_id);
        assert_eq!(next.created.len(), 1);
    }
}

#[test]
fn a_player_has_so_many_private_matches_that_go_on_and_no_more() {
    let mut h = Harness::new();
    h.log_in(1);
    h.log_in(2);
    let create = |request| LobbyRequest::CreatePrivate { request, mode: "duel".into() };
    let most = PRIVATE_MATCHES_PER_PLAYER_MAX as u64;
    let own: Vec<MatchId> =
        (0..most).map(|request| assigned(h.ask(1, create(request))).match_id).collect();
    let crowded = Ok(LobbyReply::Refused { reason: DisconnectReason::PrivateCrowded });
    assert_eq!(h.ask(1, create(most)), crowded);
    assert_eq!(h.reserved.len() as u64, most, "nothing is written for it");
    // The same request is none more, and others have their own.
    assert_eq!(assigned(h.ask(1, create(0))).match_id, own[0]);
    assigned(h.ask(2, create(0)));
    let outcome = Outcome { reason: "time limit".into(), players: vec![] };
    h.event(ShardEvent::Ended { match_id: own[3], tick: Tick(9), outcome });
    assert!(!own.contains(&assigned(h.ask(1, create(most))).match_id));

    // Those of the process before count, too.
    let mut next = Harness::new();
    for private in h.reserved.iter().filter(|private| private.owner == PlayerId(1)) {
        let (match_id, shard) = (private.match_id, ShardId(0));
        next.lobby.expect_match(match_id, Some(0), shard, 2, Some(private.clone()));
    }
    next.log_in(1);
    assert_eq!(next.ask(1, create(most + 1)), crowded);
}
