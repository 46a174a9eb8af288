//! Parties that wait, whatever the order in which the store answers.

use super::table::Table;
use super::*;
use crate::matchmaking::{QueueEnd, QueueState, QueueTicketId};

fn find(mode: &str) -> LobbyRequest {
    LobbyRequest::FindMatch { mode: mode.into() }
}

fn is_form(ask: &QueueAsk) -> bool {
    matches!(ask, QueueAsk::Form { .. })
}

fn is_end(ask: &QueueAsk) -> bool {
    matches!(ask, QueueAsk::End { .. })
}

fn is_enqueue(ask: &QueueAsk) -> bool {
    matches!(ask, QueueAsk::Enqueue(_))
}

fn unqueued(reason: DisconnectReason) -> LobbyReply {
    LobbyReply::Unqueued { reason }
}

fn is_queued(message: &LobbyMessage) -> bool {
    matches!(
        message,
        LobbyMessage::News(LobbyReply::Queued(_)) | LobbyMessage::Answer(LobbyReply::Queued(_))
    )
}

fn is_assigned(message: &LobbyMessage) -> bool {
    matches!(message, LobbyMessage::News(LobbyReply::Assigned(_)))
}

fn waits(reply: Option<LobbyReply>) {
    assert!(matches!(reply, Some(LobbyReply::Queued(_))), "{reply:?}");
}

#[test]
fn a_mode_goes_on_where_the_only_party_of_a_wish_took_its_wish_back() {
    for is_refusal_first in [false, true] {
        let mut h = Harness::new();
        (1..=5).for_each(|connection| h.log_in(connection));
        waits(h.request(1, find("slow")));
        h.is_slow = true;
        h.pass(30_000);
        assert_eq!(h.request(1, LobbyRequest::Cancel), None);
        h.heard(1);
        h.write(is_end);
        h.write(is_form);
        if is_refusal_first {
            h.answer(is_form);
        }
        h.answer(is_end);
        h.answer_all();
        let cancelled = LobbyMessage::Answer(unqueued(DisconnectReason::QueueCancelled));
        assert_eq!(h.heard(1), [cancelled], "refusal first: {is_refusal_first}");
        h.is_slow = false;
        (2..=5).for_each(|connection| waits(h.request(connection, find("slow"))));
        h.pass(500);
        assert!((2..=5).all(|connection| h.heard(connection).iter().any(is_assigned)));
    }
}

#[test]
fn who_takes_the_wish_back_gets_no_match_while_that_is_written() {
    let mut h = Harness::new();
    h.log_in(1);
    waits(h.request(1, find("slow")));
    h.is_slow = true;
    h.pass(29_900);
    assert_eq!(h.request(1, LobbyRequest::Cancel), None);
    h.pass(500);
    assert!(!h.asked.iter().any(|asked| is_form(&asked.ask)));
    // It cannot be written: the party waits on, and is seen again.
    h.table.is_full = true;
    h.answer_all();
    h.table.is_full = false;
    h.is_slow = false;
    h.pass(500);
    assert!(h.heard(1).iter().any(is_assigned));
}

#[test]
fn who_was_taken_out_by_another_lobby_hears_of_it() {
    for is_read_before in [false, true] {
        let mut h = Harness::new();
        (1..=2).for_each(|connection| h.log_in(connection));
        waits(h.request(1, find("pair")));
        h.is_slow = true;
        assert_eq!(h.request(2, find("pair")), None);
        h.write(is_enqueue);
        h.answer(is_enqueue);
        h.pass(500);
        h.table.set(QueueTicketId(1), QueueState::Cancelled);
        h.write(is_form);
        if is_read_before {
            h.pass(1000);
        }
        h.answer(is_form);
        h.heard(1);
        h.heard(2);
        h.is_slow = false;
        h.pass(0);
        if !is_read_before {
            let news = LobbyMessage::News(unqueued(DisconnectReason::QueueCancelled));
            assert_eq!(h.heard(1), [news]);
        }
        assert_eq!(h.heard(2), [], "the other one waits on");
        waits(h.request(1, find("pair")));
        h.pass(500);
        assert!(h.heard(2).iter().any(is_assigned));
    }
}

#[test]
fn a_party_that_changed_while_its_way_into_the_queue_was_written_waits_no_longer() {
    let mut h = Harness::new();
    (1..=3).for_each(|connection| h.log_in(connection));
    h.team_up(&[1, 2]);
    let code = h.lobby.parties.of(PlayerId(1)).expect("a party").code;
    for comes in [true, false] {
        h.is_slow = true;
        assert_eq!(h.request(1, find("four")), None);
        let request = if comes {
            LobbyRequest::JoinParty { code: code.clone() }
        } else {
            LobbyRequest::LeaveParty
        };
        assert!(matches!(h.request(3, request), Some(LobbyReply::Party(_))));
        h.heard(1);
        h.write(is_enqueue);
        h.answer(is_enqueue);
        assert!(!h.asked.iter().any(|asked| is_form(&asked.ask)), "they are not matched so");
        h.answer_all();
        let heard = h.heard(1);
        let [queued, ended] = &heard[..] else { panic!("{heard:?}") };
        assert!(is_queued(queued));
        let news = LobbyMessage::News(unqueued(DisconnectReason::QueueCancelled));
        assert_eq!(ended, &news);
        let row = h.table.rows.values().next_back().expect("there is one");
        assert_eq!(row.state, QueueState::Cancelled);
        h.is_slow = false;
    }
    // As it is now it gets its match.
    waits(h.request(1, find("four")));
    assert!(h.heard(2).iter().any(is_assigned));
    assert!(!h.heard(3).iter().any(is_assigned));
}

#[test]
fn a_party_of_which_all_go_while_its_way_into_the_queue_is_written_waits_no_longer() {
    let mut h = Harness::new();
    (1..=2).for_each(|connection| h.log_in(connection));
    h.team_up(&[1, 2]);
    h.is_slow = true;
    assert_eq!(h.request(1, find("squad")), None);
    for connection in 1..=2 {
        let left = h.request(connection, LobbyRequest::LeaveParty);
        assert_eq!(left, Some(LobbyReply::Party(None)));
    }
    h.answer_all();
    assert_eq!(h.table.rows[&QueueTicketId(1)].state, QueueState::Cancelled);
    h.is_slow = false;
    waits(h.request(2, find("pair")));
}

#[test]
fn a_party_of_which_all_go_is_taken_out_as_soon_as_that_can_be_written() {
    let mut h = Harness::new();
    (1..=2).for_each(|connection| h.log_in(connection));
    h.team_up(&[1, 2]);
    waits(h.request(1, find("slow")));
    h.is_slow = true;
    for connection in 1..=2 {
        h.request(connection, LobbyRequest::LeaveParty);
    }
    h.table.is_full = true;
    h.answer_all();
    h.table.is_full = false;
    h.is_slow = false;
    // From when on they would have had a match with places left.
    h.pass(30_000);
    assert_eq!(h.table.rows[&QueueTicketId(1)].state, QueueState::Cancelled);
    assert_eq!(h.created, []);
}

#[test]
fn who_waits_together_since_an_earlier_process_waits_on_without_a_party() {
    let mut table = Table::default();
    let id = table.insert("slow", &[1, 2], NOW);
    let mut h = Harness::on(table);
    h.pass(0);
    (1..=2).for_each(|connection| h.log_in(connection));
    h.table.is_full = true;
    assert!(matches!(h.request(1, LobbyRequest::Cancel), Some(LobbyReply::Refused { .. })));
    h.table.is_full = false;
    h.pass(30_000);
    assert!(matches!(h.table.rows[&id].state, QueueState::Taken(_)));
    assert!([1, 2].iter().all(|connection| h.heard(*connection).iter().any(is_assigned)));
}

#[test]
fn who_looks_for_a_match_anew_while_the_earlier_wish_ends_is_not_ended_with_it() {
    let mut h = Harness::new();
    (1..=3).for_each(|connection| h.log_in(connection));
    h.team_up(&[1, 2]);
    waits(h.request(1, find("squad")));
    h.is_slow = true;
    assert_eq!(h.request(2, LobbyRequest::LeaveParty), Some(LobbyReply::Party(None)));
    h.heard(2);
    assert_eq!(h.request(2, find("squad")), None, "it waits for the earlier one's end");
    h.write(is_end);
    h.answer(is_end);
    h.answer_all();
    let heard = h.heard(2);
    let [ended, queued] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(ended, &LobbyMessage::News(unqueued(DisconnectReason::QueueCancelled)));
    assert!(is_queued(queued));
    let waiting: Vec<_> =
        h.table.rows.values().filter(|row| row.state == QueueState::Waiting).collect();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].new.members, [PlayerId(2)]);
}

#[test]
fn whose_time_is_up_is_told_at_the_modes_limit_though_one_of_them_just_went() {
    let mut h = Harness::new();
    (1..=2).for_each(|connection| h.log_in(connection));
    h.team_up(&[1, 2]);
    waits(h.request(1, find("slow")));
    // Without a wish, so that there is nothing but the limit.
    h.table.is_full = true;
    h.pass(30_000);
    h.pass(89_000);
    h.lobby.handle_gone(ConnectionKey(2));
    h.table.is_full = false;
    h.pass(500);
    h.heard(1);
    h.pass(500);
    let news = LobbyMessage::News(unqueued(DisconnectReason::QueueTimeout));
    assert_eq!(h.heard(1), [news]);
    assert_eq!(h.table.rows[&QueueTicketId(1)].state, QueueState::GivenUp);
}

#[test]
fn whose_time_is_up_is_told_though_nothing_can_be_written() {
    let mut h = Harness::new();
    (1..=2).for_each(|connection| h.log_in(connection));
    waits(h.request(1, find("pair")));
    h.is_slow = true;
    assert_eq!(h.request(2, find("pair")), None);
    h.answer_all();
    h.is_slow = false;
    h.table.is_full = true;
    (1..=2).for_each(|connection| drop(h.heard(connection)));
    for _ in 0..118 {
        h.pass(500);
        assert_eq!(h.heard(1), [], "a match can be had any moment");
    }
    h.pass(1000);
    let news = LobbyMessage::News(unqueued(DisconnectReason::QueueTimeout));
    assert_eq!([h.heard(1), h.heard(2)], [[news.clone()], [news]]);
    // Who looks again hears why that cannot be. Once it can, they are out, and told so no second time.
    let full = LobbyReply::Refused { reason: DisconnectReason::StorageFull };
    assert_eq!(h.request(1, find("pair")), None);
    h.pass(500);
    assert_eq!(h.heard(1), [LobbyMessage::Answer(full)]);
    h.table.is_full = false;
    h.pass(500);
    assert_eq!(h.heard(2), []);
    assert!(h.table.rows.values().all(|row| row.state == QueueState::GivenUp));
    waits(h.request(1, find("pair")));
}

#[test]
fn a_party_that_changed_is_told_when_its_time_is_up_though_nothing_can_be_written() {
    let mut h = Harness::new();
    (1..=3).for_each(|connection| h.log_in(connection));
    h.team_up(&[1, 2]);
    let code = h.lobby.parties.of(PlayerId(1)).expect("a party").code;
    waits(h.request(1, find("slow")));
    h.table.is_full = true;
    assert!(matches!(
        h.request(3, LobbyRequest::JoinParty { code }),
        Some(LobbyReply::Party(Some(_)))
    ));
    h.heard(1);
    h.pass(119_000);
    assert_eq!(h.heard(1), [], "that it waits no longer is not written");
    h.pass(1000);
    let news = LobbyMessage::News(unqueued(DisconnectReason::QueueTimeout));
    assert_eq!(h.heard(1), [news]);
    h.table.is_full = false;
    h.pass(500);
    assert_eq!(h.heard(1), [], "once");
    assert_eq!(h.table.rows[&QueueTicketId(1)].state, QueueState::GivenUp);
}

#[test]
fn an_answer_that_comes_late_brings_nobody_back_into_the_queue() {
    let mut h = Harness::new();
    (1..=2).for_each(|connection| h.log_in(connection));
    waits(h.request(1, find("pair")));
    // What was read before the wish was taken back is told after it.
    let ask = QueueAsk::Changes { after: 0 };
    let stale = h.table.carry_out(&ask);
    assert_eq!(
        h.request(1, LobbyRequest::Cancel),
        Some(unqueued(DisconnectReason::QueueCancelled))
    );
    h.heard(1);
    h.lobby.handle_queue(h.now, None, ask, stale);
    h.settle(ConnectionKey(0));
    assert_eq!(h.heard(1), []);
    let not_queued = LobbyReply::Refused { reason: DisconnectReason::NotQueued };
    assert_eq!(h.request(1, LobbyRequest::Cancel), Some(not_queued));
}

#[test]
fn the_same_end_is_asked_for_once() {
    let mut h = Harness::new();
    h.log_in(1);
    waits(h.request(1, find("slow")));
    h.is_slow = true;
    assert_eq!(h.request(1, LobbyRequest::Cancel), None);
    h.pass(200_000);
    let ends: Vec<&Asked> = h.asked.iter().filter(|asked| is_end(&asked.ask)).collect();
    assert_eq!(ends.len(), 1);
    assert!(matches!(ends[0].ask, QueueAsk::End { end: QueueEnd::Cancelled, .. }));
}

#[test]
fn who_waits_by_a_clock_ahead_of_ours_is_told_within_the_limit_that_there_is_no_match() {
    let mut table = Table::default();
    let id = table.insert("pair", &[1], NOW + 3_600_000);
    let mut h = Harness::on(table);
    h.log_in(1);
    h.pass(0);
    waits(h.request(1, find("pair")));
    h.heard(1);
    let limit_ms = h.lobby.config.modes[4].rules.wait_seconds_max * 1000;
    h.pass(limit_ms - 1);
    assert_eq!(h.heard(1), []);
    // It is looked twice a second.
    h.pass(500);
    let told = LobbyMessage::News(unqueued(DisconnectReason::QueueTimeout));
    assert_eq!(h.heard(1), [told]);
    assert_eq!(h.table.rows[&id].state, QueueState::GivenUp);
}
