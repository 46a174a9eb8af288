//! Players and a server that goes away, under virtual time.

mod server;
mod world;

use std::net::SocketAddr;
use std::time::Duration;

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::game::Outcome;
use matchkeep_shared::ids::{Epoch, Slot};
use matchkeep_shared::limits::{IDLE_TIMEOUT, NOTICE_BYTES_MAX};
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::message::{Credential, ServerMessage};

use super::{ComeBack, LinkError};
use server::HOLD;
use world::{Told, World};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_player_who_plays_sends_one_packet_a_tick() {
    let mut world = World::playing(ComeBack::ByLobby);
    let (inputs, packets) = (world.inputs, world.sent.len());
    world.run(ms(2000));
    let (inputs, packets) = (world.inputs - inputs, world.sent.len() - packets);
    assert!((118..=122).contains(&inputs), "{inputs}");
    assert!(packets <= inputs as usize + 8, "{packets} packets for {inputs} inputs");
    assert!(world.told.is_empty(), "{:?}", world.told);
}

#[test]
fn silence_brings_a_second_connection_and_the_old_one_wins_if_it_recovers_first() {
    let mut world = World::playing(ComeBack::ByToken);
    world.cut = true;
    world.run(ms(280));
    assert!(world.told.is_empty(), "not silence yet: {:?}", world.told);
    world.run(ms(120));
    assert_eq!(world.take_told(), [Told::Interrupted]);
    assert_eq!(world.core.connections(), 2);
    world.run(ms(800));
    world.cut = false;
    assert_eq!(world.run_until_told(ms(500)), [Told::Reconnected(false)]);
    assert!(world.gaps[0] > ms(1150) && world.gaps[0] < ms(1300), "{:?}", world.gaps);
    world.run(ms(3000));
    assert_eq!(world.server.credentials.len(), 1, "the second connection never asked to join");
    assert_eq!(world.core.connections(), 1);
    assert!(world.told.is_empty(), "{:?}", world.told);
}

#[test]
fn a_mute_match_is_come_back_to_over_a_new_connection_in_the_same_epoch() {
    let mut world = World::playing(ComeBack::ByLobby);
    world.server.mute = true;
    world.run(ms(330));
    world.server.mute = false;
    world.run(ms(1000));
    assert_eq!(world.take_told(), [Told::Interrupted, Told::Reconnected(true)]);
    assert!(world.gaps[0] < ms(450), "{:?}", world.gaps);
    let token = Credential::Token(b"token 1".to_vec());
    assert_eq!(world.server.credentials[1..], [token]);
    let counts = world.session().counts();
    assert_eq!((counts.reconnects, counts.ticks_rolled_back), (1, 0));
    assert_eq!(world.core.connections(), 1, "being replaced was its own doing");
}

#[test]
fn after_a_restart_a_player_is_back_at_the_resumed_tick_with_the_newest_token() {
    let mut world = World::playing(ComeBack::ByLobby);
    world.server.say(&ServerMessage::Token(b"a newer one".to_vec()));
    world.server.durable_lag = Some(3);
    world.run(ms(200));
    let newest = world.session().newest().expect("half a second of snapshots");
    assert_eq!(newest.durable, Some(newest.tick - 3));
    assert_eq!(newest.state_hash, Some(newest.tick.0));
    world.cut = true;
    world.run(ms(700));
    let resumed = newest.tick - 4;
    world.restart(resumed);
    world.cut = false;
    let back = world.now;
    while world.gaps.is_empty() {
        world.run(ms(1));
    }
    assert!(world.now - back < ms(500), "{:?}", world.now - back);
    let seen = world.session().newest().expect("a snapshot");
    assert_eq!(seen.epoch, Epoch(2));
    assert!(seen.tick > resumed && seen.tick < resumed + 60);
    let [Told::Interrupted, Told::RolledBack(from, to), Told::Reconnected(true)] =
        world.take_told()[..]
    else {
        panic!("{:?}", world.told)
    };
    assert_eq!(to, resumed);
    assert!(from >= newest.tick && from <= newest.tick + 1);
    assert_eq!(world.server.credentials[1..], [Credential::Token(b"a newer one".to_vec())]);
    assert_eq!(world.session().counts().ticks_rolled_back, from.since(to) as u64);
    let inputs = world.inputs;
    world.run(ms(1000));
    assert!(world.inputs - inputs > 55, "inputs are asked for again");
    assert!(world.session().durable_tick_highest() >= world.session().durable_tick());
}

#[test]
fn a_restart_is_found_within_half_a_second_whenever_it_comes() {
    let mut worst = Duration::ZERO;
    for (seed, down) in (0..40).map(|i| (i, ms(400 + i * 97))) {
        let mut world = World::new(ComeBack::ByToken, seed);
        world.run(ms(500));
        world.cut = true;
        world.run(down);
        world.restart(Tick(110));
        world.cut = false;
        let back = world.now;
        while world.gaps.is_empty() {
            world.run(ms(5));
        }
        worst = worst.max(world.now - back);
    }
    assert!(worst < ms(400), "{worst:?}");
}

#[test]
fn a_server_that_says_goodbye_is_come_back_to_at_once() {
    let mut world = World::playing(ComeBack::ByToken);
    world.server.dismiss(world.now, DisconnectReason::ServerShutdown);
    world.run(ms(200));
    assert_eq!(world.take_told(), [Told::Interrupted, Told::Reconnected(true)]);
    assert!(world.gaps[0] < ms(100), "{:?}", world.gaps);
}

#[test]
fn a_match_restarted_in_place_goes_on_over_the_same_connection() {
    let mut world = World::playing(ComeBack::ByToken);
    let newest = world.session().newest().expect("snapshots").tick;
    let resumed = newest - 10;
    world.server.resume_in_place(resumed);
    world.run(ms(300));
    let [Told::RolledBack(from, to)] = world.take_told()[..] else { panic!("{:?}", world.told) };
    assert!(from >= newest && to == resumed);
    assert_eq!(world.session().newest().map(|info| info.epoch), Some(Epoch(2)));
    assert_eq!(world.core.connections(), 1);
}

#[test]
fn snapshots_of_an_epoch_that_nobody_told_of_are_counted_and_dropped() {
    let mut world = World::playing(ComeBack::ByToken);
    let newest = world.session().newest();
    world.server.resume_silently();
    world.run(ms(200));
    assert!(world.session().counts().snapshots_of_unknown_epochs > 9);
    assert_eq!(world.session().newest().map(|i| i.epoch), newest.map(|i| i.epoch));
    assert!(world.told.is_empty(), "{:?}", world.told);
}

#[test]
fn a_refused_token_sends_the_player_to_the_lobby_and_its_ticket_leads_back() {
    for refusal in [
        DisconnectReason::TokenExpired,
        DisconnectReason::MatchUnknown,
        // There may be a newer identity, which the token does not know of.
        DisconnectReason::IdentityExpired,
    ] {
        let mut world = World::playing(ComeBack::ByLobby);
        world.server.refusal = Some(refusal);
        world.server.dismiss(world.now, DisconnectReason::ConnectionLost);
        assert_eq!(world.run_until_told(ms(100)), [Told::Interrupted]);
        assert_eq!(world.run_until_told(ms(100)), [Told::NeedTicket]);
        let asked = world.server.credentials.len();
        world.run(ms(2000));
        assert_eq!(world.server.credentials.len(), asked, "it waits for the lobby");

        world.server.refusal = None;
        world.server.address = SocketAddr::from(([10, 0, 0, 3], 9000));
        world.restart(Tick(120));
        let place = world.server.place(b"another");
        world.core.redirect(world.now, world.player, place);
        world.run(ms(300));
        let told = world.take_told();
        assert!(matches!(told[..], [Told::RolledBack(..), Told::Reconnected(true)]), "{told:?}");
        let last = world.server.credentials.last();
        assert_eq!(last, Some(&Credential::Ticket(b"another".to_vec())));
    }
}

#[test]
fn a_server_that_nobody_finds_any_more_is_asked_after_at_the_lobby() {
    let mut world = World::playing(ComeBack::ByLobby);
    world.server.address = SocketAddr::from(([10, 0, 0, 3], 9000));
    world.run(ms(3000));
    assert_eq!(world.take_told(), [Told::Interrupted, Told::NeedTicket]);
    let place = world.server.place(b"another");
    world.core.redirect(world.now, world.player, place);
    world.run(ms(300));
    assert_eq!(world.take_told(), [Told::Reconnected(true)]);
}

#[test]
fn a_way_back_to_another_place_is_a_join_of_its_own() {
    let mut world = World::playing(ComeBack::ByToken);
    world.server.slot = Slot(3);
    world.server.dismiss(world.now, DisconnectReason::JoinUndone);
    world.run(ms(200));
    assert_eq!(world.take_told(), [Told::Interrupted, Told::Joined, Told::Reconnected(true)]);
    assert_eq!(world.session().slot(), Some(Slot(3)));
}

#[test]
fn without_a_lobby_a_refused_token_is_the_end() {
    let mut world = World::playing(ComeBack::ByToken);
    world.server.refusal = Some(DisconnectReason::TokenExpired);
    world.server.dismiss(world.now, DisconnectReason::StorageFailed);
    world.run(ms(200));
    let told = world.take_told();
    assert_eq!(told, [Told::Interrupted, Told::Over(DisconnectReason::TokenExpired)]);
}

#[test]
fn what_the_lobby_refuses_is_the_end() {
    let mut world = World::playing(ComeBack::ByLobby);
    world.server.refusal = Some(DisconnectReason::TokenInvalid);
    world.server.dismiss(world.now, DisconnectReason::StorageFailed);
    world.run(ms(200));
    assert_eq!(world.take_told(), [Told::Interrupted, Told::NeedTicket]);
    let why = LinkError::Disconnected(DisconnectReason::MatchFull);
    world.core.give_up(world.now, world.player, why);
    world.run(ms(2000));
    assert_eq!(world.take_told(), [Told::Over(DisconnectReason::MatchFull)]);
    assert_eq!(world.core.connections(), 0);
    assert_eq!(world.core.next_wake(), None);
}

#[test]
fn the_way_back_is_given_up_when_the_place_is_no_longer_held() {
    for (goodbye, reason) in [
        (None, DisconnectReason::IdleTimeout),
        (Some(DisconnectReason::ServerShutdown), DisconnectReason::ServerShutdown),
    ] {
        let mut world = World::playing(ComeBack::ByToken);
        let begun = world.now;
        if let Some(goodbye) = goodbye {
            world.server.dismiss(world.now, goodbye);
            world.run(ms(6));
        }
        world.cut = true;
        assert_eq!(world.run_until_told(ms(1000)), [Told::Interrupted]);
        assert_eq!(world.run_until_told(Duration::from_secs(60)), [Told::Over(reason)]);
        let after = world.now - begun;
        let expected = HOLD + IDLE_TIMEOUT;
        assert!(after > expected - ms(50) && after < expected + ms(50), "{after:?}");
        world.run(Duration::from_secs(20));
        assert_eq!((world.core.connections(), world.core.next_wake()), (0, None));
    }
}

#[test]
fn final_reasons_are_final_and_a_stranger_who_takes_over_is_one() {
    for reason in [
        DisconnectReason::Replaced,
        DisconnectReason::Kicked,
        DisconnectReason::MatchEnded,
        DisconnectReason::DatagramFlood,
    ] {
        let mut world = World::playing(ComeBack::ByLobby);
        world.server.dismiss(world.now, reason);
        world.run(ms(1000));
        assert_eq!(world.take_told(), [Told::Over(reason)]);
        assert_eq!(world.server.credentials.len(), 1);
    }
}

#[test]
fn who_does_not_come_back_ends_with_the_connection() {
    let mut world = World::playing(ComeBack::Never);
    world.cut = true;
    let told = world.run_until_told(Duration::from_secs(20));
    assert_eq!(told, [Told::Over(DisconnectReason::IdleTimeout)]);
}

#[test]
fn a_match_that_stands_still_is_alive_and_asks_for_nothing() {
    let mut world = World::playing(ComeBack::ByToken);
    world.server.paused = true;
    world.run(ms(100));
    assert_eq!(world.take_told(), [Told::Paused(true)]);
    let inputs = world.inputs;
    world.run(ms(5000));
    assert_eq!(world.inputs, inputs);
    assert!(world.told.is_empty(), "{:?}", world.told);
    world.server.paused = false;
    world.run(ms(1000));
    assert_eq!(world.take_told(), [Told::Paused(false)]);
    assert!((50..70).contains(&(world.inputs - inputs)), "{}", world.inputs - inputs);
}

#[test]
fn what_the_servers_operator_says_is_told_while_the_match_stands_still_too() {
    let mut world = World::playing(ComeBack::ByToken);
    world.server.paused = true;
    world.run(ms(100));
    world.server.say(&ServerMessage::Notice { text: "back in a minute".into() });
    world.run(ms(100));
    let said = Told::Notice("back in a minute".into());
    assert_eq!(world.take_told(), [Told::Paused(true), said]);
    let text = "x".repeat(NOTICE_BYTES_MAX + 1);
    world.server.say(&ServerMessage::Notice { text });
    world.run(ms(100));
    assert_eq!(world.take_told(), [Told::Failed], "longer than the protocol allows");
}

#[test]
fn a_result_that_takes_long_to_store_is_waited_for() {
    let mut world = World::playing(ComeBack::ByToken);
    world.server.mute = true;
    world.server.refusal = Some(DisconnectReason::MatchOver);
    world.run(ms(2000));
    assert_eq!(world.take_told(), [Told::Interrupted]);
    let outcome = Outcome { reason: "time".into(), players: Vec::new() };
    let (epoch, tick) = (world.server.epoch, world.server.tick);
    world.server.say(&ServerMessage::Ended { epoch, tick, outcome });
    world.run(ms(100));
    assert!(world.session().has_ended());
    world.server.dismiss(world.now, DisconnectReason::MatchEnded);
    world.run(ms(100));
    assert_eq!(world.take_told(), [Told::Over(DisconnectReason::MatchEnded)]);
}

#[test]
fn a_first_join_that_is_refused_says_why() {
    let mut world = World::new(ComeBack::ByLobby, 1);
    world.server.refusal = Some(DisconnectReason::MatchFull);
    world.run(ms(200));
    assert_eq!(world.take_told(), [Told::Over(DisconnectReason::MatchFull)]);
}

#[test]
fn who_leaves_says_goodbye_and_who_abandons_keeps_the_place() {
    for leaves in [true, false] {
        let mut world = World::playing(ComeBack::ByLobby);
        assert!(world.server.is_seated());
        if leaves {
            world.core.leave(world.now, world.player);
        } else {
            world.core.abandon(world.now, world.player);
        }
        world.run(ms(2000));
        assert!(!world.server.is_seated());
        assert!(world.told.is_empty(), "{:?}", world.told);
        assert_eq!((world.core.connections(), world.core.next_wake()), (0, None));
        let stats = world.core.stats(world.player);
        assert!(stats.udp_bytes_sent > 1000 && stats.datagrams_received > 30, "{stats:?}");
        world.core.forget(world.now, world.player);
        assert!(world.core.session(world.player).is_none());
        let place = world.server.place(b"");
        let again = world.core.join(world.now, place, ComeBack::Never);
        assert_eq!(again.expect("the address is one"), world.player, "keys are given anew");
    }
}

#[test]
fn a_seed_repeats_every_packet() {
    let run = |seed| {
        let mut world = World::new(ComeBack::ByToken, seed);
        world.run(ms(700));
        world.cut = true;
        world.run(ms(2500));
        world.restart(Tick(120));
        world.cut = false;
        world.run(ms(1500));
        (world.sent, world.snapshots.len())
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}
