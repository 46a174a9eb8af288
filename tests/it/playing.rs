//! What a player does on a good day, and on a day with a bad network.

use std::time::Duration;

use matchkeep_client::transport::ClientError;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_tests::player::Player;
use matchkeep_tests::server::{PAIR, ROOM, TestServer};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn two_players_meet_in_a_match_and_see_each_other() {
    let server = TestServer::start(ROOM).await;
    let mut ada = Player::join(&server, "ada", "room").await;
    let mut ben = Player::join(&server, "ben", "").await;
    assert_eq!(ada.match_id(), ben.match_id(), "the fullest match is filled first");
    assert_ne!(ada.slot(), ben.slot());
    let (a, b) = tokio::join!(ada.play(2 * SECOND), ben.play(2 * SECOND));
    a.and(b).expect("the match goes on");

    let others = ada.client().snapshot().expect("two seconds of snapshots").1;
    let sees_ben = others.into_iter().any(|(_, entity)| {
        use matchkeep_shared::arena::ArenaEntity;
        matches!(entity, ArenaEntity::Score(score) if score.slot == ben.slot())
    });
    assert!(sees_ben, "everyone's score is shown to everyone");
    let stats = server.stats().await;
    assert_eq!((stats.shards.matches, stats.shards.players), (1, 2));
    assert!(stats.shards.inputs.applied > 60, "{:?}", stats.shards.inputs);
    assert_eq!(stats.shards.inputs.refused, 0);
    assert!(ada.seen.snapshots > 60 && ben.seen.snapshots > 60);
    ada.leave().await;
    ben.leave().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_given_up_is_free_at_once() {
    let server = TestServer::start(PAIR).await;
    let ada = Player::join(&server, "ada", "pair").await;
    let ben = Player::join(&server, "ben", "pair").await;
    let (id, slot) = (ada.match_id(), ada.slot());
    ada.leave().await;
    server.wait_stats(10, "a goodbye", |stats| stats.shards.players == 1).await;

    // The lobby hears of it a moment after the shard.
    let mut lobby = server.sign_in("cyd").await;
    let place = loop {
        match lobby.locate(id).await {
            Ok(place) => break place,
            Err(ClientError::Refused(DisconnectReason::MatchFull)) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(other) => panic!("{other}"),
        }
    };
    let cyd = Player::join_at(place).await.expect("the place is free");
    assert_eq!((cyd.match_id(), cyd.slot()), (id, slot));
    drop(ben);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_player_comes_back_to_the_same_place_by_match_id() {
    let server = TestServer::start(PAIR).await;
    let mut ada = Player::join(&server, "ada", "pair").await;
    let mut ben = Player::join(&server, "ben", "pair").await;
    ada.play(SECOND / 2).await.expect("the match goes on");
    let (id, slot, newest) = (ada.match_id(), ada.slot(), ada.seen.newest);
    ada.abandon();
    server.wait_stats(10, "a lost connection", |stats| stats.shards.players == 1).await;

    // The place is held: nobody else gets it, neither through the lobby nor past it.
    let mut lobby = server.sign_in("cyd").await;
    let refused = lobby.locate(id).await.expect_err("both places are taken");
    assert!(matches!(refused, ClientError::Refused(DisconnectReason::MatchFull)), "{refused}");

    let mut lobby = server.sign_in("ada").await;
    let place = lobby.locate(id).await.expect("the place is held");
    let mut ada = Player::join_at(place).await.expect("the way back is open");
    assert_eq!((ada.match_id(), ada.slot()), (id, slot));
    ada.play(SECOND / 2).await.expect("the match goes on");
    assert!(ada.seen.newest > newest, "the match went on meanwhile");
    ben.play(SECOND / 10).await.expect("the match goes on");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_session_takes_over_and_the_older_is_told() {
    let server = TestServer::start(ROOM).await;
    let mut older = Player::join(&server, "ada", "room").await;
    older.play(SECOND / 2).await.expect("the match goes on");
    let mut newer = Player::join(&server, "ada", "room").await;
    assert_eq!((newer.match_id(), newer.slot()), (older.match_id(), older.slot()));
    let end = older.play_to_the_end(10).await;
    assert!(matches!(end, ClientError::Disconnected(DisconnectReason::Replaced)), "{end}");
    newer.play(SECOND).await.expect("the newer session stays");
    assert_eq!(server.disconnects("replaced").await, 1);
    assert_eq!(server.stats().await.shards.players, 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_tells_its_players() {
    let server = TestServer::start(ROOM).await;
    let mut ada = Player::join(&server, "ada", "room").await;
    let mut ben = Player::join(&server, "ben", "room").await;
    let (a, b, ()) = tokio::join!(ada.play_to_the_end(15), ben.play_to_the_end(15), server.stop());
    for end in [a, b] {
        let told = matches!(end, ClientError::Disconnected(DisconnectReason::ServerShutdown));
        assert!(told, "{end}");
    }
}
