//! Datagrams that are none of the protocol: their sender is sent away, nobody else notices.

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::limits::DATAGRAM_BYTES_MAX;
use matchkeep_tests::raw::Raw;
use matchkeep_tests::samples;
use matchkeep_tests::server::{ROOM, TestServer};
use matchkeep_tests::watch::Watch;

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_datagram_ends_its_own_connection_only() {
    let server = TestServer::start(ROOM).await;
    let watch = Watch::join(&server, "room").await;
    let valid = samples::client_datagrams().remove(1);
    let trailing = [&*valid, &[0]].concat();
    let mut other_kind = valid.clone();
    other_kind[0] = 2;
    let malformed: [&[u8]; 6] =
        [&[], &[0], &[255; 60], &valid[..valid.len() - 1], &trailing, &other_kind];
    for bytes in malformed {
        let (raw, _) = Raw::join(&server, "eve", "room").await;
        raw.datagram(bytes);
        let reason = raw.ended().await;
        assert_eq!(reason, DisconnectReason::MalformedDatagram, "{}", bytes.escape_ascii());
    }
    watch.finish().await.assert_undisturbed();
    assert_eq!(server.disconnects("malformed_datagram").await, malformed.len() as u64);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversized_datagram_ends_its_own_connection_only() {
    let server = TestServer::start(ROOM).await;
    let watch = Watch::join(&server, "room").await;
    let mut raw = Raw::connect_boundless(server.shard(), 4000).await;
    raw.join_with(server.place("eve", "room").await.ticket).await;
    raw.datagram(&vec![1; DATAGRAM_BYTES_MAX + 1]);
    assert_eq!(raw.ended().await, DisconnectReason::OversizedDatagram);
    watch.finish().await.assert_undisturbed();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_datagram_before_the_welcome_is_out_of_place() {
    let server = TestServer::start(ROOM).await;
    let watch = Watch::join(&server, "room").await;
    let raw = Raw::to_shard(&server).await;
    raw.datagram(&samples::client_datagrams()[0]);
    assert_eq!(raw.ended().await, DisconnectReason::UnexpectedMessage);
    watch.finish().await.assert_undisturbed();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn udp_that_is_no_quic_changes_nothing() {
    let server = TestServer::start(ROOM).await;
    let watch = Watch::join(&server, "room").await;
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let before = server.stats().await.shards.udp_received;
    for address in [server.shard(), server.lobby()] {
        for i in 0..200_u16 {
            // Short and long headers, of every length there is.
            let packet = vec![(i as u8).wrapping_mul(37) | 0x40; usize::from(i) * 327];
            socket.send_to(&packet, address).await.expect("loopback takes it");
        }
    }
    server.wait_stats(10, "the packets", |stats| stats.shards.udp_received >= before + 150).await;
    watch.finish().await.assert_undisturbed();
    server.stop().await;
}
