//! Whom a client believes: the certificate it was told of, and only from whoever has its key.

use matchkeep_client::transport::{ClientError, Fingerprint, LobbyClient, MatchClient, Return};
use matchkeep_shared::arena::Arena;
use matchkeep_shared::wire::{ALPN_LOBBY, ALPN_MATCH};
use matchkeep_tests::impostor::Impostor;
use matchkeep_tests::raw::Raw;
use matchkeep_tests::server::{ROOM, TestServer};
use matchkeep_tests::within;

/// Says that it was TLS that failed, and not something on the way there.
fn assert_is_tls(error: &ClientError) {
    let ClientError::Connection { cause, .. } = error else { panic!("{error}") };
    assert!(cause.contains("certificate") || cause.contains("ignature"), "{cause}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_certificate_with_the_wrong_key_is_refused_by_a_lobbys_client() {
    let server = TestServer::start(ROOM).await;
    let shown = Raw::connect(server.lobby(), ALPN_LOBBY).await.expect("the lobby answers");
    let certificate = shown.certificate();
    assert_eq!(Fingerprint::of(&certificate), server.fingerprint());

    let impostor = Impostor::showing(certificate, ALPN_LOBBY);
    let (socket, fingerprint) = (server.socket(), server.fingerprint());
    let connect = LobbyClient::connect::<Arena>(socket, impostor.address(), fingerprint, "ada");
    let (connected, believed) =
        within(20, "an answer", async { tokio::join!(connect, impostor.is_believed()) }).await;
    assert_is_tls(&connected.expect_err("the signature is of another key"));
    assert!(believed.is_err(), "the impostor hears that it is not believed");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_not_shown_to_a_shard_with_the_wrong_key() {
    let server = TestServer::start(ROOM).await;
    let shown = Raw::to_shard(&server).await.certificate();
    let mut place = server.place("ada", "room").await;
    assert_eq!(Fingerprint::of(&shown), Fingerprint(place.fingerprint));

    let impostor = Impostor::showing(shown, ALPN_MATCH);
    place.port = impostor.address().port();
    let join = MatchClient::<Arena>::join(place, Return::Never);
    let (joined, believed) =
        within(20, "an answer", async { tokio::join!(join, impostor.is_believed()) }).await;
    let Err(error) = joined else { panic!("the signature is of another key") };
    assert_is_tls(&error);
    assert!(believed.is_err(), "no connection, so nothing was said on one");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_certificate_than_the_one_told_is_refused() {
    let server = TestServer::start(ROOM).await;
    let other = Fingerprint([7; 32]);
    let connect = LobbyClient::connect::<Arena>(server.socket(), server.lobby(), other, "ada");
    let refused = within(20, "an answer", connect).await;
    assert_is_tls(&refused.expect_err("another certificate"));

    let mut place = server.place("ada", "room").await;
    place.fingerprint = server.fingerprint().0;
    let joined = within(20, "an answer", MatchClient::<Arena>::join(place, Return::Never)).await;
    let Err(error) = joined else { panic!("the lobby's certificate is not the shard's") };
    assert_is_tls(&error);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_speaks_its_own_protocol_only() {
    let server = TestServer::start(ROOM).await;
    for (address, alpn) in [
        (server.shard(), ALPN_LOBBY),
        (server.lobby(), ALPN_MATCH),
        (server.shard(), b"matchkeep-match/0".as_slice()),
        (server.lobby(), b"h3".as_slice()),
    ] {
        assert!(Raw::connect(address, alpn).await.is_err(), "{}", alpn.escape_ascii());
    }
    server.stop().await;
}
