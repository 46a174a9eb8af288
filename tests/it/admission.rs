//! Who comes too often, by address and by name: told why, counted, and nobody else's loss.

use std::time::Duration;

use matchkeep_client::transport::ClientError;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::wire::{ALPN_LOBBY, ALPN_MATCH};
use matchkeep_tests::raw::Raw;
use matchkeep_tests::server::{ROOM, TestServer};
use matchkeep_tests::watch::Watch;
use quinn::ConnectionError;

/// Connections of one address at once.
const AT_ONCE: usize = 6;

fn settings() -> String {
    format!(
        "connections_per_address_per_second = 1\n\
         connections_per_address_at_once = {AT_ONCE}\n\
         requests_per_player_per_second = 1\n\
         requests_per_player_at_once = 12\n\
         {ROOM}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_connects_too_often_is_told_so_and_refused_without_a_handshake_then() {
    let server = TestServer::start(&settings()).await;
    let watch = Watch::join(&server, "room").await;
    for (address, alpn) in [(server.shard(), ALPN_MATCH), (server.lobby(), ALPN_LOBBY)] {
        // The one who plays has opened one already.
        let mut held = Vec::new();
        for _ in 1..AT_ONCE {
            held.push(Raw::connect(address, alpn).await.expect("within the bound"));
        }
        // Some time went by, in which one or two more are allowed; then the address must prove itself, and is refused.
        let refused = async {
            loop {
                match Raw::connect(address, alpn).await {
                    Ok(raw) => held.push(raw),
                    Err(error) => return error,
                }
            }
        };
        let refused = matchkeep_tests::within(20, "a refusal", refused).await;
        let ConnectionError::ConnectionClosed(close) = refused else { panic!("{refused}") };
        assert_eq!(close.error_code, quinn_proto::TransportErrorCode::CONNECTION_REFUSED);
        assert!(held[0].lives_for(Duration::from_millis(100)).await, "who is in stays");
    }
    let stats = server.stats().await;
    assert!(stats.shards.refusals.address_rate > 0 && stats.lobby.refusals.address_rate > 0);
    assert!(stats.shards.refusals.retried > 0 && stats.lobby.refusals.retried > 0);
    assert_eq!(stats.shards.refusals.no_room + stats.lobby.refusals.no_room, 0);
    watch.finish().await.assert_undisturbed();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_begun_together_are_counted_when_their_address_is_proved() {
    let server = TestServer::start(&settings()).await;
    let all = (0..4 * AT_ONCE).map(|_| Raw::connect(server.shard(), ALPN_MATCH));
    let mut raws = Vec::new();
    for raw in all.map(tokio::spawn).collect::<Vec<_>>() {
        raws.push(raw.await.expect("no panic"));
    }
    let mut flooded = 0;
    for raw in raws.into_iter().flatten() {
        let ended = tokio::time::timeout(Duration::from_millis(300), raw.ended()).await;
        flooded += u64::from(ended == Ok(DisconnectReason::ConnectionFlood));
    }
    let refused = server.stats().await.shards.refusals.address_rate;
    let counted = server.disconnects("connection_flood").await;
    assert!(counted >= flooded, "{counted} counted, {flooded} told");
    let (flooded, most) = (counted + refused, 4 * AT_ONCE as u64);
    assert!((most / 2..most).contains(&flooded), "{flooded} of {most} were too many");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_asks_so_often_over_all_connections_and_others_are_heard() {
    let server = TestServer::start(&settings()).await;
    let mut one = server.sign_in("eve").await;
    let mut two = server.sign_in("eve").await;
    let mut ada = server.sign_in("ada").await;
    let mut ends = Vec::new();
    for _ in 0..30 {
        for lobby in [&mut one, &mut two] {
            match lobby.locate(MatchId(1)).await {
                Err(ClientError::Refused(DisconnectReason::MatchUnknown)) => {}
                Err(other) => ends.push(other),
                Ok(_) => panic!("there is no such match"),
            }
        }
    }
    let flooded = |error: &ClientError| {
        matches!(error, ClientError::Disconnected(DisconnectReason::RequestFlood))
    };
    assert_eq!(ends.iter().filter(|error| flooded(error)).count(), ends.len(), "{ends:?}");
    assert!(ends.len() > 20, "{} of 60 requests", ends.len());
    assert_eq!(server.stats().await.lobby.ends.get("request_flood"), Some(&2));
    let refused = ada.locate(MatchId(1)).await.expect_err("there is no such match");
    assert!(matches!(refused, ClientError::Refused(DisconnectReason::MatchUnknown)), "{refused}");
    server.stop().await;
}
