//! Stream messages that are malformed, too large, out of order, or on a stream too many.

use matchkeep_client::netcode::{join_message, leave_message};
use matchkeep_shared::arena::Arena;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::limits::CLIENT_MESSAGE_BYTES_MAX;
use matchkeep_shared::wire::codec::CodecId;
use matchkeep_shared::wire::frame::write_frame;
use matchkeep_shared::wire::message::{ClientMessage, Credential, GameVersion, Join};
use matchkeep_tests::raw::Raw;
use matchkeep_tests::server::{ROOM, TestServer};
use matchkeep_tests::watch::Watch;
use matchkeep_tests::within;

fn frame(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_le_bytes(), message].concat()
}

/// Everything a stream can say wrongly, before the join and after it.
fn wrong_messages() -> Vec<(Vec<u8>, DisconnectReason)> {
    let too_long = (CLIENT_MESSAGE_BYTES_MAX as u16 + 1).to_le_bytes().to_vec();
    let trailing = [leave_message()[2..].to_vec(), vec![0]].concat();
    vec![
        (frame(&[]), DisconnectReason::MalformedMessage),
        (frame(&[250]), DisconnectReason::MalformedMessage),
        (frame(&[255; 300]), DisconnectReason::MalformedMessage),
        (frame(&trailing), DisconnectReason::MalformedMessage),
        // Said, not sent: the length alone is enough.
        (too_long, DisconnectReason::OversizedMessage),
        (frame(&[0; 40_000]), DisconnectReason::OversizedMessage),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_message_ends_its_own_connection_only() {
    let server = TestServer::start(ROOM).await;
    let watch = Watch::join(&server, "room").await;
    for (bytes, reason) in wrong_messages() {
        let mut stranger = Raw::to_shard(&server).await;
        stranger.write(&bytes).await;
        assert_eq!(stranger.ended().await, reason, "before the join: {} bytes", bytes.len());

        let (mut player, _) = Raw::join(&server, "eve", "room").await;
        player.write(&bytes).await;
        assert_eq!(player.ended().await, reason, "after the join: {} bytes", bytes.len());
    }
    watch.finish().await.assert_undisturbed();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_out_of_order_is_out_of_place() {
    let server = TestServer::start(ROOM).await;
    let watch = Watch::join(&server, "room").await;

    let (mut twice, _) = Raw::join(&server, "eve", "room").await;
    twice
        .write(&join_message::<Arena>(Credential::Ticket(server.place("eve", "room").await.ticket)))
        .await;
    assert_eq!(twice.ended().await, DisconnectReason::UnexpectedMessage);

    let mut both_at_once = Raw::to_shard(&server).await;
    let join = join_message::<Arena>(Credential::Ticket(server.place("eve", "room").await.ticket));
    both_at_once.write(&[join.clone(), join].concat()).await;
    assert_eq!(both_at_once.ended().await, DisconnectReason::UnexpectedMessage);

    // A goodbye is understood at any time.
    let mut shy = Raw::to_shard(&server).await;
    shy.write(&leave_message()).await;
    assert_eq!(shy.ended().await, DisconnectReason::Left);

    watch.finish().await.assert_undisturbed();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_stream_is_out_of_place() {
    let server = TestServer::start(ROOM).await;
    let watch = Watch::join(&server, "room").await;

    let (player, _) = Raw::join(&server, "eve", "room").await;
    let (mut second, _) = player.connection.open_bi().await.expect("QUIC allows a second");
    // The server may have noticed the stream already.
    let _ = second.write_all(b"?").await;
    assert_eq!(player.ended().await, DisconnectReason::UnexpectedMessage);

    let mut stranger = Raw::to_shard(&server).await;
    stranger.write(&[9]).await;
    let (mut second, _) = stranger.connection.open_bi().await.expect("QUIC allows a second");
    // The server may have noticed the stream already.
    let _ = second.write_all(b"?").await;
    assert_eq!(stranger.ended().await, DisconnectReason::UnexpectedMessage);

    // A stream of one direction is not even QUIC's to open.
    let (player, _) = Raw::join(&server, "eve", "room").await;
    let waiting =
        tokio::time::timeout(std::time::Duration::from_millis(300), player.connection.open_uni());
    assert!(waiting.await.is_err(), "the server allows none");

    watch.finish().await.assert_undisturbed();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_game_or_codec_is_refused_by_name() {
    let server = TestServer::start(ROOM).await;
    let arena = GameVersion::of::<Arena>();
    let other_schema = GameVersion { schema: arena.schema ^ 1, ..arena.clone() };
    let other_rules = GameVersion { rules: arena.rules + 1, ..arena.clone() };
    let plain = vec![CodecId::PLAIN];
    for (game, codecs, reason) in [
        (other_schema, plain.clone(), DisconnectReason::GameMismatch),
        (other_rules, plain, DisconnectReason::GameMismatch),
        (arena.clone(), vec![], DisconnectReason::CodecUnknown),
        (arena, vec![CodecId(200)], DisconnectReason::CodecUnknown),
    ] {
        let ticket = server.place("ada", "room").await.ticket;
        let mut bytes = Vec::new();
        let join =
            ClientMessage::Join(Join { game, codecs, credential: Credential::Ticket(ticket) });
        write_frame(&join, CLIENT_MESSAGE_BYTES_MAX, &mut bytes).expect("short");
        let mut raw = Raw::to_shard(&server).await;
        raw.write(&bytes).await;
        assert_eq!(raw.ended().await, reason);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_in_single_bytes_is_a_join() {
    let server = TestServer::start(ROOM).await;
    let mut raw = Raw::to_shard(&server).await;
    let join = join_message::<Arena>(Credential::Ticket(server.place("ada", "room").await.ticket));
    let (last, first) = join.split_last().expect("it is not empty");
    for byte in first {
        raw.write(&[*byte]).await;
        tokio::task::yield_now().await;
    }
    assert!(raw.lives_for(std::time::Duration::from_millis(200)).await, "half a join is no fault");
    raw.write(&[*last]).await;
    within(10, "the welcome", raw.message()).await;
    server.stop().await;
}
