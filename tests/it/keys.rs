//! A new key that tickets and tokens are signed with, while somebody plays.

use std::time::Duration;

use matchkeep_client::transport::Return;
use matchkeep_server::identity::TicketKeyFile;
use matchkeep_server::tickets::KeyId;
use matchkeep_tests::link::Link;
use matchkeep_tests::player::Player;
use matchkeep_tests::server::{ROOM, TestServer, unix_ms};
use matchkeep_tests::within;

const SECOND: Duration = Duration::from_secs(1);

/// The name of the key with which something was signed.
fn key_of(sealed: &[u8]) -> KeyId {
    KeyId(*sealed.first_chunk().expect("it begins with a name"))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_the_connection_comes_back_with_a_token_of_the_key_before() {
    let server = TestServer::start(ROOM).await;
    let link = Link::to(server.shard()).await;
    let mut place = server.place("ada", "room").await;
    place.port = link.address().port();
    // By its token alone: the lobby could not help it.
    let mut ada = Player::join_to_return(place, Return::ByToken).await.expect("through the link");
    ada.play(SECOND / 2).await.expect("the match goes on");
    let slot = ada.slot();
    let token = |ada: &Player| key_of(ada.client().session().token().expect("it has one"));
    let first = token(&ada);
    link.cut();
    let file = TicketKeyFile::rotate(server.folder(), unix_ms(), false).expect("rotated");
    assert_eq!(file.former()[0].key.id(), first);
    let until_taken = async {
        while key_of(&server.place("ben", "room").await.ticket) != file.id() {
            ada.play(SECOND / 10).await.expect("it is looked for a way back");
        }
    };
    within(20, "a ticket of the new key", until_taken).await;
    // Until the old connection is gone on both sides: a token alone leads back then.
    let until_lost = async {
        while server.stats().await.shards.players > 0 {
            ada.play(SECOND / 10).await.expect("it is looked for a way back");
        }
    };
    within(30, "the end of the connection", until_lost).await;
    assert_eq!((ada.gaps.len(), token(&ada)), (0, first), "it is still away");
    link.mend();
    let until_back = async {
        while ada.gaps.is_empty() {
            ada.play(SECOND / 10).await.expect("the way back is found");
        }
    };
    within(20, "the way back", until_back).await;
    assert_eq!(ada.client().session().slot(), Some(slot));
    assert_eq!(token(&ada), file.id(), "it is welcomed with a token of the new key");
    ada.leave().await;
    server.stop().await;
}
