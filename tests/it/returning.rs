//! Players who come back by themselves, over real sockets. (What can happen on the way is tested under virtual
//! time, beside the client's core.)

use std::time::Duration;

use matchkeep_client::transport::Return;
use matchkeep_tests::link::Link;
use matchkeep_tests::player::Player;
use matchkeep_tests::server::{ROOM, TestServer};

const SECOND: Duration = Duration::from_secs(1);

/// A player who reaches the shard through a link.
async fn play_over(link: &Link, server: &TestServer, way: Return) -> Player {
    let mut place = server.place("ada", "room").await;
    place.port = link.address().port();
    let mut ada = Player::join_to_return(place, way).await.expect("through the link");
    ada.play(SECOND / 2).await.expect("the match goes on");
    ada
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cable_pulled_for_a_second_costs_a_second() {
    let server = TestServer::start(ROOM).await;
    let link = Link::to(server.shard()).await;
    let mut ada = play_over(&link, &server, Return::ByToken).await;
    let slot = ada.slot();
    link.cut();
    ada.play(SECOND).await.expect("it is looked for a way back");
    assert!(ada.gaps.is_empty());
    link.mend();
    ada.play(2 * SECOND).await.expect("the way back is found");
    assert_eq!(ada.gaps.len(), 1, "{:?}", ada.gaps);
    assert!(ada.gaps[0] >= SECOND && ada.gaps[0] < 2 * SECOND, "{:?}", ada.gaps);
    assert_eq!(ada.client().session().slot(), Some(slot));
    let stats = server.stats().await;
    assert_eq!((stats.shards.players, stats.shards.inputs.refused), (1, 0));
    ada.leave().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_whose_way_is_dead_is_led_another_one_by_the_lobby() {
    let server = TestServer::start(ROOM).await;
    let link = Link::to(server.shard()).await;
    let (lobby, fingerprint) = (server.lobby(), server.fingerprint());
    let way = Return::ByLobby { lobby, trust: fingerprint.into(), who: "ada".into() };
    let mut ada = play_over(&link, &server, way).await;
    let (id, slot) = (ada.match_id(), ada.slot());
    link.cut();
    // A few tries at the old address, then a question, an answer and a ticket.
    for _ in 0..20 {
        ada.play(SECOND / 2).await.expect("it is looked for a way back");
        if !ada.gaps.is_empty() {
            break;
        }
    }
    assert_eq!(ada.gaps.len(), 1, "{:?}", ada.gaps);
    assert_eq!((ada.match_id(), ada.client().session().slot()), (id, Some(slot)));
    let counts = ada.counts();
    assert_eq!((counts.reconnects, counts.ticks_rolled_back), (1, 0));
    assert_eq!(server.disconnects("replaced").await, 1, "the old connection, which nobody closed");
    ada.leave().await;
    server.stop().await;
}
