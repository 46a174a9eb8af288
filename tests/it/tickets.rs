//! Tickets that are none, or no longer, or somebody else's; matches that are full, over or nowhere.

use matchkeep_client::netcode::join_message;
use matchkeep_server::identity::ServerIdentity;
use matchkeep_shared::arena::Arena;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::wire::message::Credential;
use matchkeep_tests::player::Player;
use matchkeep_tests::raw::Raw;
use matchkeep_tests::server::{ROOM, TestServer, unix_ms};
use matchkeep_tests::watch::Watch;

/// What the shard says to somebody with this ticket.
async fn refusal(server: &TestServer, ticket: Vec<u8>) -> DisconnectReason {
    let mut raw = Raw::to_shard(server).await;
    raw.write(&join_message::<Arena>(Credential::Ticket(ticket))).await;
    raw.ended().await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_ticket_is_refused_with_its_reason_and_the_match_goes_on() {
    let server = TestServer::start(ROOM).await;
    let player = Player::join(&server, "witness", "room").await;
    let id = player.match_id();
    let watch = Watch::over(player).await;

    assert_eq!(refusal(&server, Vec::new()).await, DisconnectReason::TicketInvalid);
    assert_eq!(refusal(&server, vec![7; 120]).await, DisconnectReason::TicketInvalid);

    let claims = server.claims(id, 500, "eve");
    let mut forged = server.ticket(&claims);
    // Another player, under the signature that was for this one.
    forged[29] ^= 1;
    assert_eq!(refusal(&server, forged).await, DisconnectReason::TicketInvalid);

    let other_server = ServerIdentity::ephemeral().expect("keys are made");
    let foreign = other_server.ticket_signer().sign(&claims).expect("the name is one");
    assert_eq!(refusal(&server, foreign).await, DisconnectReason::TicketInvalid);

    let mut expired = server.claims(id, 500, "eve");
    expired.expires_unix_ms = unix_ms() - 1;
    let expired = server.ticket(&expired);
    assert_eq!(refusal(&server, expired).await, DisconnectReason::TicketExpired);

    let nowhere = server.ticket(&server.claims(MatchId(id.0 ^ 1), 500, "eve"));
    assert_eq!(refusal(&server, nowhere).await, DisconnectReason::MatchUnknown);

    watch.finish().await.assert_undisturbed();
    let stats = server.stats().await;
    assert_eq!(stats.shards.joins, 1, "nobody but the witness was let in");
    assert_eq!(stats.shards.disconnects["ticket_invalid"], 4);
    assert_eq!(stats.shards.disconnects["ticket_expired"], 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_good_once() {
    let server = TestServer::start(ROOM).await;
    let ticket = server.place("ada", "room").await.ticket;
    let mut first = Raw::to_shard(&server).await;
    first.join_with(ticket.clone()).await;
    assert_eq!(refusal(&server, ticket).await, DisconnectReason::TicketUsed);
    assert!(first.snapshot().await.is_ok(), "whoever used it first is not disturbed");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_match_takes_nobody_past_the_lobby() {
    let modes = "
        [modes.pair]
        players_max = 2
        players_min = 2
        rules = { frag_limit = 0, time_limit_seconds = 7200 }
    ";
    let server = TestServer::start(modes).await;
    let ada = Player::join(&server, "ada", "pair").await;
    let id = ada.match_id();
    let ben = Player::join(&server, "ben", "pair").await;
    let watch = Watch::over(ben).await;
    let ticket = server.ticket(&server.claims(id, 500, "eve"));
    assert_eq!(refusal(&server, ticket).await, DisconnectReason::MatchFull);
    watch.finish().await.assert_undisturbed();
    drop(ada);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_match_that_ended_takes_nobody() {
    let modes = "
        [modes.short]
        players_max = 3
        players_min = 1
        rules = { frag_limit = 0, time_limit_seconds = 1, countdown_seconds = 0 }
    ";
    let server = TestServer::start(modes).await;
    let mut ada = Player::join(&server, "ada", "short").await;
    let id = ada.match_id();
    let ticket = server.ticket(&server.claims(id, 500, "eve"));
    ada.play_to_the_result(20).await;
    // It lingers while its players read the result, but takes no others.
    assert_eq!(refusal(&server, ticket).await, DisconnectReason::MatchOver);
    server.stop().await;
}
