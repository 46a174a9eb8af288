//! Queued modes where something has no room: the queue, a shard, the disk. Nobody loses the time that they have waited.

use matchkeep_shared::limits::{LOBBY_HELD_MAX, NO_ROOM_PAUSE};

use super::*;
use crate::matchmaking::{QueueState, QueueTicketId};

fn find(mode: &str) -> LobbyRequest {
    LobbyRequest::FindMatch { mode: mode.into() }
}

fn is_form(ask: &QueueAsk) -> bool {
    matches!(ask, QueueAsk::Form { .. })
}

fn refused(reason: DisconnectReason) -> Option<LobbyReply> {
    Some(LobbyReply::Refused { reason })
}

fn waits(reply: Option<LobbyReply>) {
    assert!(matches!(reply, Some(LobbyReply::Queued(_))), "{reply:?}");
}

/// How long a connection was told by news that it has waited, where it was told nothing else.
fn waited_ms(h: &mut Harness, connection: u64) -> Vec<u64> {
    let waited = |message| match message {
        LobbyMessage::News(LobbyReply::Queued(queued)) => queued.waited_ms,
        other => panic!("{other:?}"),
    };
    h.heard(connection).into_iter().map(waited).collect()
}

/// Where a connection is led by news, where it is told nothing else.
fn led(h: &mut Harness, connection: u64) -> MatchId {
    let heard = h.heard(connection);
    let [LobbyMessage::News(LobbyReply::Assigned(assignment))] = &heard[..] else {
        panic!("{heard:?}")
    };
    assignment.match_id
}

/// Who waits, in order of the tickets, and since when.
fn waiting(h: &Harness) -> Vec<(Vec<u64>, u64)> {
    let rows = h.table.rows.values().filter(|row| row.state == QueueState::Waiting);
    let members = |row: &super::table::Row| row.new.members.iter().map(|it| it.0).collect();
    rows.map(|row| (members(row), row.new.queued_unix_ms)).collect()
}

/// One waits for a match of four, and would have it by now; the store has not said yet that it is written.
fn taken() -> Harness {
    let mut h = Harness::new();
    h.log_in(1);
    waits(h.request(1, find("slow")));
    h.is_slow = true;
    h.pass(30_000);
    h.heard(1);
    h.write(is_form);
    h
}

#[test]
fn who_finds_the_queue_crowded_is_told_so_and_may_ask_again() {
    let mut h = Harness::new();
    h.log_in(1);
    h.table.is_crowded = true;
    assert_eq!(h.request(1, find("slow")), refused(DisconnectReason::QueueCrowded));
    h.table.is_crowded = false;
    waits(h.request(1, find("slow")));
}

#[test]
fn on_a_full_disk_nobody_new_waits_and_who_waits_is_taken_for_no_match() {
    let mut h = Harness::new();
    (1..=2).for_each(|connection| h.log_in(connection));
    waits(h.request(1, find("slow")));
    h.heard(1);
    h.lobby.set_storage_full(true);
    assert_eq!(h.request(2, find("slow")), refused(DisconnectReason::StorageFull));
    h.heard(2);
    h.pass(30_000);
    h.pass(30_000);
    assert_eq!((h.heard(1), waiting(&h)), (vec![], vec![(vec![1], NOW)]));
    h.lobby.set_storage_full(false);
    h.pass(500);
    let match_id = led(&mut h, 1);
    assert_eq!(h.created.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [match_id]);
}

#[test]
fn whose_time_is_up_while_the_disk_is_full_is_told_so() {
    let mut h = Harness::new();
    h.log_in(1);
    waits(h.request(1, find("slow")));
    h.heard(1);
    h.lobby.set_storage_full(true);
    h.pass(119_000);
    assert_eq!(h.heard(1), []);
    h.pass(1000);
    let reason = DisconnectReason::QueueTimeout;
    assert_eq!(h.heard(1), [LobbyMessage::News(LobbyReply::Unqueued { reason })]);
    assert_eq!(waiting(&h), []);
}

#[test]
fn who_was_taken_for_a_match_before_the_disk_was_known_to_be_full_waits_on() {
    let mut h = taken();
    h.lobby.set_storage_full(true);
    h.answer(is_form);
    h.answer_all();
    assert_eq!(waited_ms(&mut h, 1), [30_000]);
    assert_eq!((waiting(&h), &h.created[..]), (vec![(vec![1], NOW)], &[][..]));
    assert_eq!(h.table.promised(None), [], "and nobody makes that match");
    h.lobby.set_storage_full(false);
    h.is_slow = false;
    h.pass(500);
    led(&mut h, 1);
}

#[test]
fn who_cannot_be_put_back_is_tried_again_until_it_is_written_or_the_time_is_up() {
    for is_over in [false, true] {
        let mut h = taken();
        h.lobby.set_storage_full(true);
        h.answer(is_form);
        h.table.is_full = true;
        h.answer_all();
        h.is_slow = false;
        assert_eq!((h.heard(1), waiting(&h)), (vec![], vec![]));
        // As far as they were told they wait, and asking does not change that.
        waits(h.request(1, find("slow")));
        assert_eq!(h.request(1, LobbyRequest::Cancel), None);
        h.heard(1);
        h.pass(LOBBY_HELD_MAX.as_millis() as u64);
        let reply = LobbyReply::Refused { reason: DisconnectReason::StorageFull };
        assert_eq!(h.heard(1), [LobbyMessage::Answer(reply)]);
        if is_over {
            h.pass(90_000);
            let reason = DisconnectReason::QueueTimeout;
            assert_eq!(h.heard(1), [LobbyMessage::News(LobbyReply::Unqueued { reason })]);
        }
        h.table.is_full = false;
        h.pass(500);
        if is_over {
            assert_eq!((h.heard(1), waiting(&h)), (vec![], vec![]));
        } else {
            assert_eq!(waited_ms(&mut h, 1), [35_500]);
            assert_eq!(waiting(&h), [(vec![1], NOW)]);
        }
    }
}

#[test]
fn who_was_taken_for_a_match_that_no_shard_has_room_for_waits_on() {
    let mut h = Harness::new();
    (1..=2).for_each(|connection| h.log_in(connection));
    waits(h.request(1, find("pair")));
    (1..=2).for_each(|connection| drop(h.heard(connection)));
    h.now += 7000;
    h.making = Making::Refused;
    waits(h.request(2, find("pair")));
    let heard = h.heard(2);
    let [LobbyMessage::Answer(_), LobbyMessage::News(LobbyReply::Queued(_))] = &heard[..] else {
        panic!("{heard:?}")
    };
    assert_eq!(waited_ms(&mut h, 1), [7000]);
    assert_eq!(waiting(&h), [(vec![1], NOW), (vec![2], NOW + 7000)]);

    // No other is begun at once, and then it is tried again.
    let rows = h.table.rows.len();
    let pause_ms = NO_ROOM_PAUSE.as_millis() as u64;
    for _ in 0..10 {
        h.pass(pause_ms / 10 - 1);
    }
    assert_eq!((h.table.rows.len(), h.heard(1)), (rows, vec![]));
    h.making = Making::AtOnce;
    h.pass(500);
    let match_id = led(&mut h, 1);
    assert_eq!(led(&mut h, 2), match_id);
}

#[test]
fn a_match_that_was_refused_is_made_by_no_process() {
    let mut h = Harness::new();
    (1..=2).for_each(|connection| h.log_in(connection));
    waits(h.request(1, find("pair")));
    h.making = Making::Refused;
    waits(h.request(2, find("pair")));
    h.pass(500);
    let before = waiting(&h);
    assert_eq!(before.len(), 2);
    let mut next = Harness::on(std::mem::take(&mut h.table));
    next.pass(0);
    assert_eq!(next.created, []);
    assert_eq!(waiting(&next), before);
    (1..=2).for_each(|connection| next.log_in(connection));
    next.pass(500);
    assert_eq!(next.created.len(), 1, "but another one, by who wait");
}

/// Two were taken for a match that no shard has made yet.
fn being_made() -> (Harness, MatchId) {
    let mut h = Harness::new();
    (1..=2).for_each(|connection| h.log_in(connection));
    waits(h.request(1, find("pair")));
    h.making = Making::Later;
    waits(h.request(2, find("pair")));
    h.pass(500);
    let (match_id, _) = h.created[0];
    (h, match_id)
}

#[test]
fn who_asks_again_while_the_match_is_made_that_is_refused_is_told_to_wait() {
    let (mut h, match_id) = being_made();
    h.heard(1);
    assert_eq!(h.request(1, find("pair")), None);
    h.table.records.clear();
    h.event(ShardEvent::CreateRefused { match_id });
    h.settle(ConnectionKey(0));
    let heard = h.heard(1);
    let is_told = |message: &LobbyMessage| matches!(message, LobbyMessage::Answer(LobbyReply::Queued(it)) if it.waited_ms == 500);
    assert!(heard.iter().any(is_told), "{heard:?}");
}

#[test]
fn who_gave_up_the_place_in_a_match_that_is_refused_waits_for_none() {
    let (mut h, match_id) = being_made();
    assert_eq!(h.request(1, LobbyRequest::Leave { match_id }), Some(LobbyReply::Left));
    h.table.records.clear();
    h.event(ShardEvent::CreateRefused { match_id });
    h.settle(ConnectionKey(0));
    assert_eq!(waiting(&h), [(vec![2], NOW)]);
}

#[test]
fn who_was_taken_for_a_match_that_is_there_when_the_disk_is_full_waits_on_for_it() {
    let (mut h, match_id) = being_made();
    (1..=2).for_each(|connection| drop(h.heard(connection)));
    h.lobby.set_storage_full(true);
    h.event(ShardEvent::Created { match_id });
    h.settle(ConnectionKey(0));
    assert_eq!([waited_ms(&mut h, 1), waited_ms(&mut h, 2)], [[500], [500]]);
    h.pass(1000);
    h.lobby.set_storage_full(false);
    h.pass(500);
    assert_eq!([led(&mut h, 1), led(&mut h, 2)], [match_id, match_id]);
    assert_eq!(h.table.rows[&QueueTicketId(1)].new.queued_unix_ms, NOW);
}
