//! What an operator does to a running match, and what its players make of it.

use std::time::Duration;

use matchkeep_client::transport::ClientError;
use matchkeep_server::control::questions::Unanswered;
use matchkeep_server::shard::order::{Order, OrderRefused};
use matchkeep_server::shard::view::MatchStage;
use matchkeep_server::store::MatchState;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{MatchId, PlayerId};
use matchkeep_tests::player::Player;
use matchkeep_tests::server::{PAIR, ROOM, TestServer};

const SECOND: Duration = Duration::from_secs(1);
/// Ticks that a busy machine may leave out between two snapshots, or give up.
const GAP_TICKS_MAX: i64 = 20;

async fn play(ada: &mut Player, ben: &mut Player, time: Duration) {
    let (a, b) = tokio::join!(ada.play(time), ben.play(time));
    a.and(b).expect("the match goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn players_see_a_pause_and_go_on_where_they_were() {
    let server = TestServer::start(ROOM).await;
    let mut ada = Player::join(&server, "ada", "room").await;
    let mut ben = Player::join(&server, "ben", "room").await;
    let id = ada.match_id();
    play(&mut ada, &mut ben, SECOND).await;
    let paused = server.order(id, Order::Pause).await.expect("the match runs");
    assert_eq!(paused.row.stage, MatchStage::Paused);
    play(&mut ada, &mut ben, 2 * SECOND).await;
    for player in [&ada, &ben] {
        assert!(matches!(player.pauses[..], [(true, _)]), "{:?}", player.pauses);
        assert_eq!(
            player.seen.newest,
            Some(paused.row.tick),
            "what they see is the tick it stopped at"
        );
    }
    assert_eq!(server.view(id).await.expect("it is there").row.tick, paused.row.tick);
    let again = server.order(id, Order::Pause).await.expect_err("it stands still");
    assert!(matches!(again, Unanswered::Refused(OrderRefused::AlreadyPaused(_))), "{again}");

    // Somebody who comes meanwhile is let in, and sees it stand still.
    let mut cyd = Player::join(&server, "cyd", "room").await;
    assert_eq!(cyd.match_id(), id);
    cyd.play(SECOND).await.expect("the match is there");
    assert!(matches!(cyd.pauses[..], [(true, _)]), "{:?}", cyd.pauses);

    let skipped = server.stats().await.shards.ticks_skipped;
    server.order(id, Order::Resume).await.expect("it stands still");
    play(&mut ada, &mut ben, SECOND).await;
    for player in [&ada, &ben] {
        assert!(matches!(player.pauses[..], [(true, _), (false, _)]), "{:?}", player.pauses);
        assert!(player.seen.newest > Some(paused.row.tick), "it goes on");
        assert!(player.seen.widest_gap <= GAP_TICKS_MAX, "{:?}", player.seen);
    }
    let skipped = server.stats().await.shards.ticks_skipped - skipped;
    assert!(skipped <= GAP_TICKS_MAX as u64, "three seconds are 180 ticks: {skipped} given up");
    let again = server.order(id, Order::Resume).await.expect_err("it goes on");
    assert!(matches!(again, Unanswered::Refused(OrderRefused::NotPaused(_))), "{again}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kick_reaches_its_player_and_frees_the_place() {
    let server = TestServer::start(PAIR).await;
    let mut ada = Player::join(&server, "ada", "pair").await;
    let mut ben = Player::join(&server, "ben", "pair").await;
    let (id, slot) = (ada.match_id(), ada.slot());
    play(&mut ada, &mut ben, SECOND / 2).await;
    let view = server.view(id).await.expect("it is there");
    let seen = view.players_seen.iter().find(|seen| seen.slot == slot).expect("ada plays");
    let player = seen.player;
    let done = server.order(id, Order::Kick { player }).await.expect("ada plays");
    assert_eq!((done.row.players, done.row.held), (1, 0));
    let end = ada.play_to_the_end(15).await;
    assert!(matches!(end, ClientError::Disconnected(DisconnectReason::Kicked)), "{end}");
    assert_eq!(server.disconnects("kicked").await, 1);

    // The place is somebody else's now.
    let cyd = Player::join(&server, "cyd", "pair").await;
    assert_eq!((cyd.match_id(), cyd.slot()), (id, slot));
    let gone = server.order(id, Order::Kick { player }).await.expect_err("ada is gone");
    assert!(matches!(gone, Unanswered::Refused(OrderRefused::NoSuchPlayer(_))), "{gone}");

    // A place that is held is freed as well.
    ben.abandon();
    server.wait_stats(10, "a lost connection", |stats| stats.shards.players == 1).await;
    let view = server.view(id).await.expect("it is there");
    let held = view.players_seen.iter().find(|seen| !seen.connected).expect("ben's is held");
    let done = server.order(id, Order::Kick { player: held.player }).await.expect("it is held");
    assert_eq!((done.row.players, done.row.held), (1, 0));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_in_the_match_hears_what_is_said_and_nobody_else() {
    let server = TestServer::start(&[ROOM, PAIR].concat()).await;
    let mut ada = Player::join(&server, "ada", "room").await;
    let mut ben = Player::join(&server, "ben", "room").await;
    let mut cyd = Player::join(&server, "cyd", "pair").await;
    let id = ada.match_id();
    for text in ["the server stops in five minutes", "four \u{2026}"] {
        let done = server.order(id, Order::Say { text: text.into() }).await.expect("it runs");
        assert_eq!(done.told, Some(2));
    }
    let (a, b, c) = tokio::join!(ada.play(SECOND), ben.play(SECOND), cyd.play(SECOND));
    a.and(b).and(c).expect("the matches go on");
    for player in [&ada, &ben] {
        assert_eq!(player.notices, ["the server stops in five minutes", "four \u{2026}"]);
    }
    assert!(cyd.notices.is_empty(), "{:?}", cyd.notices);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_match_that_is_ended_has_its_reason_in_the_stored_result() {
    let server = TestServer::start(ROOM).await;
    let mut ada = Player::join(&server, "ada", "room").await;
    let mut ben = Player::join(&server, "ben", "room").await;
    let id = ada.match_id();
    play(&mut ada, &mut ben, SECOND / 2).await;
    // One that stands still ends as well.
    server.order(id, Order::Pause).await.expect("it runs");
    let reason = "the finals begin".to_owned();
    let ending = server.order(id, Order::End { reason: reason.clone() }).await;
    let ending = ending.expect("it is there");
    let (a, b) = tokio::join!(ada.play_to_the_result(20), ben.play_to_the_result(20));
    assert_eq!(a, b);
    assert_eq!((a.0, &a.1.reason), (ending.row.tick + 1, &reason));
    let record = server.history().show(id).expect("the match is stored");
    assert_eq!(record.summary.state, MatchState::Finished);
    assert_eq!(record.summary.reason, Some(reason));
    let late = server.order(id, Order::Pause).await.expect_err("it is over");
    assert!(matches!(late, Unanswered::Refused(OrderRefused::NotRunning(_))), "{late}");
    server.wait_stats(15, "the match's end", |stats| stats.shards.matches == 0).await;
    let gone = server.order(id, Order::Pause).await.expect_err("it is gone");
    assert!(matches!(gone, Unanswered::Unknown(_)), "{gone}");
    let stranger = server.view(MatchId(1)).await.expect_err("there is no such match");
    assert!(stranger.to_string().contains("match ls"), "{stranger}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_match_and_its_players_are_seen_as_they_are() {
    let server = TestServer::start(ROOM).await;
    let mut ada = Player::join(&server, "ada", "room").await;
    let mut ben = Player::join(&server, "ben", "room").await;
    let id = ada.match_id();
    // More than twice as many ticks as lie between two that are looked at.
    play(&mut ada, &mut ben, 3 * SECOND).await;
    ben.abandon();
    server.wait_stats(10, "a lost connection", |stats| stats.shards.players == 1).await;
    let mut ben = Player::join(&server, "ben", "room").await;
    play(&mut ada, &mut ben, SECOND).await;
    let view = server.view(id).await.expect("it is there");
    assert_eq!((view.row.stage, view.row.players, view.row.places), (MatchStage::Running, 2, 8));
    assert!(view.row.entities > 2 && view.row.tick_cost_us > 0.0, "{:?}", view.row);
    assert!(view.row.durable_lag_ticks.is_some(), "it is journaled");
    let phases = view.phases.expect("ticks 64 and 128 were looked at");
    assert!(phases.ticks_seen >= 2, "{phases:?}");
    let parts = [
        phases.receive_us,
        phases.inputs_us,
        phases.step_us,
        phases.replicate_us,
        phases.journal_us,
        phases.send_us,
    ];
    assert!(parts.iter().all(|us| *us > 0.0 && *us < 1e6), "{phases:?}");
    let [one, two] = &view.players_seen[..] else { panic!("two play: {view:?}") };
    for seen in [one, two] {
        let link = seen.link.as_ref().expect("both are connected");
        assert!(link.rtt_us > 0 && link.rtt_min_us <= link.rtt_us, "{link:?}");
        assert!(link.loss() < 0.5 && link.datagrams_sent > 20, "{link:?}");
        assert!(link.datagrams_received > 20 && link.udp_received_bytes > 1000, "{link:?}");
        assert!(seen.inputs.applied > 20 && seen.input_margin_us.is_some(), "{seen:?}");
    }
    let last = |slot| view.players_seen.iter().find(|seen| seen.slot == slot);
    let last = |slot| last(slot).expect("both play").last_disconnect.clone();
    assert_eq!(last(ada.slot()), None);
    assert!(last(ben.slot()).is_some(), "ben lost a connection");

    let state = server.state(id).await.expect("it is there");
    assert!(state["tick"].as_u64() >= Some(view.row.tick.0), "{}", state["tick"]);
    let entities = state["entities"].as_object().expect("by ID");
    let players = entities.values().filter(|entity| entity["kind"] == "player").count();
    assert!(players >= 1, "{entities:?}");
    assert!(!view.players_seen.iter().any(|seen| seen.player == PlayerId(0)));
    server.stop().await;
}
