//! What only time ends: a join that does not come, a connection gone silent, a place held.

use std::time::{Duration, Instant};

use matchkeep_client::netcode::join_message;
use matchkeep_client::transport::ClientError;
use matchkeep_shared::arena::Arena;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::limits::{IDLE_TIMEOUT, JOIN_DEADLINE};
use matchkeep_shared::wire::ALPN_LOBBY;
use matchkeep_shared::wire::message::Credential;
use matchkeep_tests::link::Link;
use matchkeep_tests::player::Player;
use matchkeep_tests::raw::Raw;
use matchkeep_tests::server::{ROOM, TestServer};
use matchkeep_tests::watch::Watch;
use matchkeep_tests::within;

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_join_in_time_is_sent_away() {
    let server = TestServer::start(ROOM).await;
    let watch = Watch::join(&server, "room").await;
    let begun = Instant::now();
    let silent = Raw::to_shard(&server).await;
    let mut half = Raw::to_shard(&server).await;
    let join = join_message::<Arena>(Credential::Ticket(server.place("eve", "room").await.ticket));
    half.write(&join[..join.len() - 1]).await;
    let at_the_lobby = Raw::connect(server.lobby(), ALPN_LOBBY).await.expect("it answers");
    for raw in [&silent, &half, &at_the_lobby] {
        assert_eq!(raw.ended_within(20).await, DisconnectReason::JoinTimeout);
    }
    assert!(begun.elapsed() >= JOIN_DEADLINE, "{:?}", begun.elapsed());
    assert_eq!(server.disconnects("join_timeout").await, 2);
    watch.finish().await.assert_undisturbed();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_player_is_lost_then_the_place_is_held_then_free() {
    let modes = "
        [modes.pair]
        players_max = 2
        players_min = 2
        hold_seconds = 1
        rules = { frag_limit = 0, time_limit_seconds = 7200 }
    ";
    let server = TestServer::start(modes).await;
    let watch = Watch::join(&server, "pair").await;
    let link = Link::to(server.shard()).await;
    let mut place = server.place("ada", "pair").await;
    let id = place.match_id;
    place.port = link.address().port();
    let mut ada = Player::join_at(place).await.expect("through the link");
    ada.play(Duration::from_millis(300)).await.expect("the match goes on");

    link.cut();
    let cut = Instant::now();
    // Ada goes on sending into the dead link and learns by her own clock that nobody answers.
    let ada = tokio::spawn(async move { ada.play_to_the_end(60).await });
    let mut lobby = server.sign_in("cyd").await;
    let refused = lobby.locate(id).await.expect_err("nobody knows yet");
    assert!(matches!(refused, ClientError::Refused(DisconnectReason::MatchFull)), "{refused}");

    server.wait_stats(30, "the loss", |stats| stats.shards.players == 1).await;
    assert_eq!(server.disconnects("idle_timeout").await, 1);
    let free = async {
        loop {
            match lobby.locate(id).await {
                Ok(place) => return place,
                Err(ClientError::Refused(DisconnectReason::MatchFull)) => {}
                Err(other) => panic!("{other}"),
            }
            // Below what the lobby takes for a flood.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let place = within(30, "a free place", free).await;
    let held_until = IDLE_TIMEOUT + Duration::from_secs(1);
    assert!(cut.elapsed() >= held_until - Duration::from_millis(500), "{:?}", cut.elapsed());
    let cyd = Player::join_at(place).await.expect("the place is free");
    assert_eq!(cyd.match_id(), id);

    let end = within(30, "Ada's end", ada).await.expect("no panic");
    assert!(matches!(end, ClientError::Disconnected(DisconnectReason::IdleTimeout)), "{end}");
    watch.finish().await.assert_undisturbed();
    server.stop().await;
}
