//! Parties that have a match: places that are kept together, promises of before, and matches that end too soon.

use matchkeep_shared::limits::{
    LOBBY_HELD_MAX, QUEUE_CHANGES_MAX, QUEUE_PROMISES_MAX, RESERVATION,
};

use super::table::Table;
use super::*;
use crate::matchmaking::{QueueState, QueueTicketId};

const HOUR_MS: u64 = 3_600_000;

fn find(mode: &str) -> LobbyRequest {
    LobbyRequest::FindMatch { mode: mode.into() }
}

fn is_form(ask: &QueueAsk) -> bool {
    matches!(ask, QueueAsk::Form { .. })
}

/// Where a connection was led by news.
fn led(h: &mut Harness, connection: u64) -> Vec<MatchId> {
    let heard = h.heard(connection);
    let led = |message| match message {
        LobbyMessage::News(LobbyReply::Assigned(assignment)) => Some(assignment.match_id),
        _ => None,
    };
    heard.into_iter().filter_map(led).collect()
}

fn team_of(h: &Harness, match_id: MatchId, player: u64) -> Option<u8> {
    h.lobby.placement.find(match_id).expect("it is there").team_of(PlayerId(player))
}

/// Two play in a match of four, and a party of two is on its way into it, which the store does not know yet.
fn on_the_way() -> (Harness, MatchId) {
    let mut h = Harness::new();
    (1..=6).for_each(|connection| h.log_in(connection));
    let match_id = h.find(1, "four").match_id;
    assert_eq!(h.find(2, "four").match_id, match_id);
    h.team_up(&[3, 4]);
    h.is_slow = true;
    assert_eq!(h.request(3, find("four")), None);
    h.write(|_| true);
    h.answer(|_| true);
    assert!(h.asked.iter().any(|asked| is_form(&asked.ask)));
    (h, match_id)
}

#[test]
fn a_party_that_fills_a_match_has_its_places_while_that_is_written() {
    let (mut h, match_id) = on_the_way();
    assert_ne!(h.find(5, "four").match_id, match_id, "two places are left, and not free");
    let locate = LobbyRequest::Locate { match_id };
    let full = LobbyReply::Refused { reason: DisconnectReason::MatchFull };
    assert_eq!(h.request(6, locate), Some(full));
    h.answer_all();
    assert_eq!(led(&mut h, 3), [match_id]);
    assert_eq!(led(&mut h, 4), [match_id]);
}

#[test]
fn places_that_were_reserved_are_free_again_where_it_could_not_be_written() {
    let (mut h, match_id) = on_the_way();
    h.table.is_full = true;
    h.answer_all();
    assert_eq!(h.find(5, "four").match_id, match_id);
    h.table.is_full = false;
    // One place is no room for two: they begin a match of their own.
    h.pass(500);
    h.answer_all();
    let own = led(&mut h, 3);
    assert_eq!((own.len(), led(&mut h, 4)), (1, own.clone()));
    assert_ne!(own[0], match_id);
}

#[test]
fn a_party_waits_on_where_the_disk_is_full_before_it_fills_a_match() {
    let (mut h, match_id) = on_the_way();
    h.heard(3);
    h.write(is_form);
    h.lobby.set_storage_full(true);
    h.answer_all();
    let heard = h.heard(3);
    assert!(matches!(heard[..], [LobbyMessage::News(LobbyReply::Queued(_))]), "{heard:?}");
    assert!(!h.lobby.placement.find(match_id).expect("it goes on").expects(PlayerId(3)));
    h.pass(1000);
    assert!(!h.asked.iter().any(|asked| is_form(&asked.ask)), "nor tries meanwhile");
    h.lobby.set_storage_full(false);
    h.pass(500);
    h.answer_all();
    assert_eq!((led(&mut h, 3), led(&mut h, 4)), (vec![match_id], vec![match_id]));
}

#[test]
fn a_party_whose_match_ended_before_it_came_waits_on_as_long_as_it_has() {
    for is_gone in [false, true] {
        let (mut h, match_id) = on_the_way();
        h.heard(3);
        let outcome = Outcome { reason: "time limit".into(), players: vec![] };
        h.event(ShardEvent::Ended { match_id, tick: Tick(9), outcome });
        if is_gone {
            h.event(ShardEvent::Closed { match_id });
        }
        h.now += 300;
        h.answer_all();
        assert!(!h.created[1..].iter().any(|(again, _)| *again == match_id));
        let last = h.table.rows.values().next_back().expect("there is one");
        assert_eq!(
            (last.new.queued_unix_ms, &last.new.members[..]),
            (NOW, &[PlayerId(3), PlayerId(4)][..],)
        );
        let other = led(&mut h, 3);
        assert_eq!((other.len(), led(&mut h, 4)), (1, other.clone()));
        assert_ne!(other[0], match_id);
    }
}

/// Two against two were taken for a match of this process's last one, which knows these players of it.
fn taken_before(unix_ms: u64, is_recorded: bool, joined: &[u64]) -> (Harness, MatchId) {
    let match_id = MatchId(77);
    let mut table = Table::default();
    for (team, members) in [[1, 2], [3, 4]].iter().enumerate() {
        let id = table.insert("squad", members, 1);
        table.take(id, match_id, team as u8, unix_ms);
    }
    if is_recorded {
        table.records.insert(match_id, true);
    }
    let mut h = Harness::on(table);
    h.lobby.expect_match(match_id, Some(5), ShardId(0), 4, None);
    let (epoch, tick) = (Epoch(2), Tick(10));
    let players = joined.iter().map(|player| (PlayerId(*player), None)).collect();
    h.event(ShardEvent::Resumed { match_id, epoch, tick, players });
    (1..=5).for_each(|connection| h.log_in(connection));
    (h, match_id)
}

#[test]
fn who_was_taken_before_the_process_ended_is_led_to_the_match_and_team_alone_too() {
    for is_recorded in [true, false] {
        let (mut h, match_id) = taken_before(NOW - 5000, is_recorded, &[4]);
        assert_eq!(h.find(2, "squad").match_id, match_id);
        assert_eq!(h.find(1, "squad").match_id, match_id);
        let located = h.ask(3, LobbyRequest::Locate { match_id });
        assert!(matches!(located, Ok(LobbyReply::Assigned(_))), "{located:?}");
        let teams = [1, 2, 3].map(|player| team_of(&h, match_id, player));
        assert_eq!(teams, [Some(0), Some(0), Some(1)]);
        let refused = LobbyReply::Refused { reason: DisconnectReason::MatchmakingOnly };
        assert_eq!(h.ask(5, LobbyRequest::Locate { match_id }), Ok(refused));
        assert_eq!(h.created, [], "it goes on");
    }
}

#[test]
fn who_was_promised_a_place_that_somebody_else_has_by_now_waits_anew() {
    let match_id = MatchId(77);
    let mut table = Table::default();
    for player in 1..=4 {
        let id = table.insert("squad", &[player], 1);
        table.take(id, match_id, u8::from(player > 2), NOW - 5000);
    }
    table.records.insert(match_id, true);
    let mut h = Harness::on(table);
    h.lobby.expect_match(match_id, Some(5), ShardId(0), 4, None);
    // What was promised is read before the match is back, and of 1 and 2 it does not hold.
    (1..=4).for_each(|connection| h.log_in(connection));
    h.pass(250);
    assert!(h.lobby.placement.find(match_id).is_some_and(|placed| placed.expects(PlayerId(1))));
    let players = [3, 4, 5, 6].map(|player| (PlayerId(player), None)).to_vec();
    let (epoch, tick) = (Epoch(2), Tick(10));
    h.event(ShardEvent::Resumed { match_id, epoch, tick, players });
    assert_eq!(h.find(3, "squad").match_id, match_id, "who sits there is led back");
    let reply = h.ask(1, find("squad"));
    assert!(matches!(reply, Ok(LobbyReply::Queued(_))), "{reply:?}");
}

#[test]
fn a_place_that_was_promised_before_is_kept_for_as_long_as_it_was_to_be() {
    let kept_ms = RESERVATION.as_millis() as u64;
    let (mut h, match_id) = taken_before(NOW - kept_ms, true, &[3, 4]);
    let reply = h.ask(1, find("squad"));
    assert!(matches!(reply, Ok(LobbyReply::Queued(_))), "{reply:?}");
    let (mut next, _) = taken_before(NOW - kept_ms + 1000, true, &[3, 4]);
    let located = next.ask(1, LobbyRequest::Locate { match_id });
    assert!(matches!(located, Ok(LobbyReply::Assigned(_))), "{located:?}");
}

#[test]
fn a_place_that_was_promised_by_a_clock_ahead_of_ours_is_kept_no_longer_than_another() {
    let (mut h, match_id) = taken_before(NOW + HOUR_MS, true, &[2, 3, 4]);
    h.pass(0);
    h.pass(RESERVATION.as_millis() as u64);
    let expects = h.lobby.placement.find(match_id).expect("it goes on").expects(PlayerId(1));
    assert!(!expects, "nobody holds a place for an hour");
    assert!(matches!(h.ask(1, find("squad")), Ok(LobbyReply::Queued(_))));
}

#[test]
fn every_promise_of_before_is_kept_with_all_its_parties_however_many_there_are() {
    let matches = QUEUE_PROMISES_MAX as u64 + 7;
    let mut table = Table::default();
    for nth in 0..matches {
        for (team, members) in
            [[4 * nth + 1, 4 * nth + 2], [4 * nth + 3, 4 * nth + 4]].iter().enumerate()
        {
            let id = table.insert("squad", members, 1);
            table.take(id, MatchId(10_000 + nth), team as u8, NOW - 1000);
        }
    }
    table.is_unreadable = true;
    let mut h = Harness::on(table);
    h.pass(0);
    assert_eq!(h.created, []);
    // What could not be read is at the next occasion, page by page and at once.
    h.table.is_unreadable = false;
    h.pass(250);
    assert_eq!(h.created.len() as u64, matches);
    let all = (0..matches).all(|nth| {
        (1..=4).all(|n| {
            let placed = h.lobby.placement.find(MatchId(10_000 + nth)).expect("it was made");
            placed.expects(PlayerId(4 * nth + n))
        })
    });
    assert!(all);
}

#[test]
fn a_promise_of_before_is_not_kept_to_who_has_looked_for_another_match_since() {
    let mut table = Table::default();
    for (match_id, members) in [(77, [1, 2]), (78, [3, 4])] {
        let id = table.insert("pair", &members, 1);
        table.take(id, MatchId(match_id), 0, NOW - 1000);
    }
    let waits = table.insert("pair", &[2], NOW - 500);
    let mut h = Harness::on(table);
    (1..=4).for_each(|connection| h.log_in(connection));
    h.pass(0);
    assert_eq!(h.created.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [MatchId(78)]);
    assert_eq!(h.lobby.hall.of(PlayerId(2)).map(|ticket| ticket.id), Some(waits));
    let reply = h.request(2, find("pair"));
    assert!(matches!(reply, Some(LobbyReply::Queued(_))), "{reply:?}");
}

#[test]
fn who_sits_in_a_match_is_led_there_and_not_where_they_were_promised_a_place() {
    let mut h = Harness::new();
    h.log_in(1);
    let first = h.find(1, "duel").match_id;
    let other = MatchId(first.0 + 100);
    h.lobby.expect_match(other, Some(0), ShardId(0), 2, None);
    let (epoch, tick, players) = (Epoch(2), Tick(10), vec![(PlayerId(1), None)]);
    h.event(ShardEvent::Resumed { match_id: other, epoch, tick, players });
    assert_eq!(h.find(1, "duel").match_id, other);
}

#[test]
fn who_asks_before_the_queue_was_read_is_answered_by_all_that_is_in_it() {
    let mut table = Table::default();
    for player in 0..QUEUE_CHANGES_MAX as u64 {
        let id = table.insert("squad", &[100 + player], 1);
        table.set(id, QueueState::Cancelled);
    }
    let id = table.insert("squad", &[1, 2], NOW - 700);
    table.is_unreadable = true;
    let mut h = Harness::on(table);
    (1..=2).for_each(|connection| h.log_in(connection));
    assert_eq!(h.request(2, find("squad")), None);
    h.table.is_unreadable = false;
    h.pass(250);
    let heard = h.heard(2);
    let waited = |message: &LobbyMessage| match message {
        LobbyMessage::Answer(LobbyReply::Queued(queued)) => Some(queued.waited_ms),
        _ => None,
    };
    assert_eq!(heard.iter().filter_map(waited).collect::<Vec<_>>(), [950]);
    assert_eq!(h.table.rows.keys().next_back(), Some(&id), "and waits nowhere else");
}

#[test]
fn who_asks_while_the_queue_cannot_be_read_hears_within_seconds_that_it_cannot() {
    let held_ms = LOBBY_HELD_MAX.as_millis() as u64;
    let mut table = Table::default();
    table.is_unreadable = true;
    let mut h = Harness::on(table);
    let match_id = MatchId(77);
    h.lobby.expect_match(match_id, Some(5), ShardId(0), 4, None);
    (1..=3).for_each(|connection| h.log_in(connection));
    let asks = [(1, find("duel")), (2, LobbyRequest::Locate { match_id })];
    for (connection, request) in asks {
        assert_eq!(h.request(connection, request), None);
    }
    // However often that is tried.
    for _ in 0..10 {
        h.pass(held_ms / 10 - 1);
    }
    assert_eq!(h.request(3, find("squad")), None);
    h.pass(10);
    let answer = |reason| LobbyMessage::Answer(LobbyReply::Refused { reason });
    for connection in 1..=2 {
        assert_eq!(h.heard(connection).last(), Some(&answer(DisconnectReason::Internal)));
    }
    assert!(!h.heard(3).contains(&answer(DisconnectReason::Internal)), "who asked later");
    h.lobby.set_storage_full(true);
    h.pass(held_ms);
    assert_eq!(h.heard(3), [answer(DisconnectReason::StorageFull)], "where that is why");
    h.lobby.set_storage_full(false);
    h.table.is_unreadable = false;
    h.pass(250);
    h.find(1, "duel");
}

#[test]
fn a_match_that_goes_on_is_filled_by_who_is_near_its_players_rating() {
    let match_id = MatchId(77);
    let mut table = Table::default();
    table.means.extend((1..=3).map(|player| (PlayerId(player), 40.0)));
    table.means.insert(PlayerId(5), 39.0);
    table.is_unreadable = true;
    let mut h = Harness::on(table);
    h.lobby.expect_match(match_id, Some(5), ShardId(0), 4, None);
    let (epoch, tick) = (Epoch(2), Tick(10));
    let players = (1..=3).map(|player| (PlayerId(player), Some(player as u8 % 2))).collect();
    h.event(ShardEvent::Resumed { match_id, epoch, tick, players });
    h.settle(ConnectionKey(0));
    (4..=5).for_each(|connection| h.log_in(connection));
    h.table.is_unreadable = false;
    h.pass(250);
    for connection in 4..=5 {
        let reply = h.request(connection, find("squad"));
        assert!(matches!(reply, Some(LobbyReply::Queued(_))), "{reply:?}");
    }
    h.pass(500);
    assert_eq!(led(&mut h, 4), [], "a newcomer is not for them");
    assert_eq!(led(&mut h, 5), [match_id]);
    assert_eq!(h.table.rows[&QueueTicketId(1)].state, QueueState::Waiting);
}
