//! The lobby with visitors who ask for what is not there, too much, or in no language of its own.

use matchkeep_client::transport::ClientError;
use matchkeep_shared::arena::Arena;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::{LOBBY_MESSAGE_BYTES_MAX, LOBBY_REQUESTS_PER_SECOND_MAX};
use matchkeep_shared::wire::ALPN_LOBBY;
use matchkeep_shared::wire::frame::write_frame;
use matchkeep_shared::wire::lobby::LobbyRequest;
use matchkeep_shared::wire::message::GameVersion;
use matchkeep_tests::raw::Raw;
use matchkeep_tests::server::{ROOM, TestServer};

fn framed(request: &LobbyRequest) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_frame(request, LOBBY_MESSAGE_BYTES_MAX, &mut bytes).expect("short");
    bytes
}

fn authenticate(name: &str) -> Vec<u8> {
    let game = GameVersion::of::<Arena>();
    framed(&LobbyRequest::Authenticate { game, who: name.into(), binding: [0; 32] })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_word_ends_the_conversation_with_its_reason() {
    let server = TestServer::start(ROOM).await;
    let mut other = GameVersion::of::<Arena>();
    other.name = "chess".into();
    let other = LobbyRequest::Authenticate { game: other, who: "ada".into(), binding: [0; 32] };
    let find = || framed(&LobbyRequest::FindMatch { mode: "room".into() });
    let long_mode = framed(&LobbyRequest::FindMatch { mode: "m".repeat(100) });
    let twice = [authenticate("ada"), authenticate("ada")].concat();
    let too_long = (LOBBY_MESSAGE_BYTES_MAX as u16 + 1).to_le_bytes().to_vec();
    for (bytes, reason) in [
        (find(), DisconnectReason::UnexpectedMessage),
        (twice, DisconnectReason::UnexpectedMessage),
        (framed(&other), DisconnectReason::GameMismatch),
        (authenticate(""), DisconnectReason::NameInvalid),
        (authenticate(" ada"), DisconnectReason::NameInvalid),
        (authenticate("a\u{7}"), DisconnectReason::NameInvalid),
        (authenticate("a name of twenty-five let"), DisconnectReason::NameInvalid),
        (authenticate(&"a".repeat(500)), DisconnectReason::MalformedMessage),
        (long_mode, DisconnectReason::MalformedMessage),
        (vec![1, 0, 250], DisconnectReason::MalformedMessage),
        (too_long, DisconnectReason::OversizedMessage),
    ] {
        let mut raw = Raw::connect(server.lobby(), ALPN_LOBBY).await.expect("it answers");
        raw.write(&bytes).await;
        assert_eq!(raw.ended().await, reason, "{}", bytes.escape_ascii());
    }
    server.sign_in("ada").await.close();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_refused_and_the_conversation_goes_on() {
    let server = TestServer::start(ROOM).await;
    let mut ada = server.sign_in("ada").await;
    let refused = ada.find_match("chess").await.expect_err("no such mode");
    assert!(matches!(refused, ClientError::Refused(DisconnectReason::ModeUnknown)), "{refused}");
    let refused = ada.locate(MatchId(1)).await.expect_err("no such match");
    assert!(matches!(refused, ClientError::Refused(DisconnectReason::MatchUnknown)), "{refused}");
    ada.leave(MatchId(1)).await.expect("who has no place has nothing to give up");
    let place = ada.find_match("room").await.expect("there is a place");
    let again = ada.locate(place.match_id).await.expect("the place is promised");
    assert_eq!(again.match_id, place.match_id);
    assert_ne!(again.ticket, place.ticket, "each ticket is good once");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_are_a_flood() {
    let server = TestServer::start(ROOM).await;
    let mut raw = Raw::connect(server.lobby(), ALPN_LOBBY).await.expect("it answers");
    raw.write(&authenticate("eve")).await;
    let locate = framed(&LobbyRequest::Locate { match_id: MatchId(1) });
    raw.write(&locate.repeat(3 * LOBBY_REQUESTS_PER_SECOND_MAX as usize)).await;
    assert_eq!(raw.ended().await, DisconnectReason::RequestFlood);
    server.sign_in("ada").await.close();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_stream_is_out_of_place_at_the_lobby_too() {
    let server = TestServer::start(ROOM).await;
    let mut raw = Raw::connect(server.lobby(), ALPN_LOBBY).await.expect("it answers");
    raw.write(&authenticate("eve")).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let (mut second, _) = raw.connection.open_bi().await.expect("QUIC allows a second");
    // The server may have noticed the stream already.
    let _ = second.write_all(b"?").await;
    assert_eq!(raw.ended().await, DisconnectReason::UnexpectedMessage);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn friends_meet_in_a_private_match() {
    let server = TestServer::start(ROOM).await;
    let mut ada = server.sign_in("ada").await;
    let mut ben = server.sign_in("ben").await;
    let own = ada.create_private(1, "room").await.expect("there is room");
    let code = own.code.clone().expect("it is private");
    // The answer was lost with its connection: the same request leads to the same match.
    ada.close();
    let mut ada = server.sign_in("ada").await;
    let again = ada.create_private(1, "room").await.expect("it is there");
    assert_eq!((again.match_id, &again.code), (own.match_id, &own.code));
    let guest = ben.join_private(&code).await.expect("there is a place");
    assert_eq!(guest.match_id, own.match_id);
    assert_eq!(ben.locate(own.match_id).await.expect("it has an ID too").match_id, own.match_id);

    let mut eve = server.sign_in("eve").await;
    assert_ne!(eve.find_match("room").await.expect("another one").match_id, own.match_id);
    let refused = eve.join_private("22222222").await.expect_err("no such code");
    assert!(matches!(refused, ClientError::Refused(DisconnectReason::CodeUnknown)), "{refused}");
    server.stop().await;
}
