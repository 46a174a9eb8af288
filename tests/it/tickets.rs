//! Tickets that are none, or no longer, or somebody else's; matches that are full, over or nowhere.

use matchkeep_client::netcode::join_message;
use matchkeep_server::accounts::Ban;
use matchkeep_server::identity::ServerIdentity;
use matchkeep_shared::arena::Arena;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{MatchId, PlayerId, Slot};
use matchkeep_shared::ticket::{NEVER, TicketClaims, TokenClaims, Validity};
use matchkeep_shared::wire::ALPN_MATCH;
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
async fn what_operators_decide_voids_whatever_came_of_an_identity_whenever_it_was_given() {
    let server = TestServer::start(ROOM).await;
    let player = Player::join(&server, "witness", "room").await;
    let id = player.match_id();
    let watch = Watch::over(player).await;
    let ada = server.sign_in("ada").await.player();
    let eve = server.sign_in("eve").await.player();
    let revoked = unix_ms();
    let mut book = server.book();
    book.revoke("ada", revoked).expect("there is one");
    let ban = Ban { reason: "aimbot".into(), until_unix_ms: None };
    book.ban("eve", &ban, revoked).expect("there is one");
    // The server looks twice a second. What is made here is made after it.
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;

    let ticket = |player: PlayerId, name: &str, identity| {
        server.ticket(&TicketClaims { identity, ..server.claims(id, player.0, name) })
    };
    let token = |player: PlayerId, identity| {
        let (match_id, slot, expires_unix_ms) = (id, Slot(0), unix_ms() + 60_000);
        let (period, player) = (0, player);
        server.token(&TokenClaims { match_id, player, slot, period, expires_unix_ms, identity })
    };
    let issued = |issued_unix_ms| Validity { issued_unix_ms, until_unix_ms: NEVER };
    let (before, after) = (issued(revoked - 1), issued(revoked + 1));
    let over = Validity { issued_unix_ms: revoked + 1, until_unix_ms: unix_ms() - 1 };
    for (player, name, identity, reason) in [
        (ada, "ada", before, DisconnectReason::IdentityRevoked),
        (ada, "ada", issued(revoked), DisconnectReason::IdentityRevoked),
        (eve, "eve", before, DisconnectReason::Banned),
        (eve, "eve", after, DisconnectReason::Banned),
        (PlayerId(900), "ben", over, DisconnectReason::IdentityExpired),
    ] {
        assert_eq!(refusal(&server, ticket(player, name, identity)).await, reason, "{name}");
        let mut raw = Raw::to_shard(&server).await;
        let shown = Credential::Token(token(player, identity));
        raw.write(&join_message::<Arena>(shown)).await;
        assert_eq!(raw.ended().await, reason, "{name}'s token");
    }
    // What she showed since then is as good as anybody's.
    let mut raw = Raw::to_shard(&server).await;
    assert_eq!(raw.join_with(ticket(ada, "ada", after)).await.player, ada);
    watch.finish().await.assert_undisturbed();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_of_another_shards_match_opens_nothing_and_is_not_spent() {
    let two = format!("shards = 2\n{ROOM}\n[modes.den]\nplayers_max = 2\nplayers_min = 1\n");
    let server = TestServer::start(&two).await;
    let one = server.place("ada", "room").await;
    let other = server.place("ben", "den").await;
    assert_ne!(one.port, other.port, "matches are spread over the shards");
    for place in [one, other] {
        for shard in server.shards() {
            let mut raw = Raw::connect(*shard, ALPN_MATCH).await.expect("the shard answers");
            if shard.port() == place.port {
                continue;
            }
            let shown = Credential::Ticket(place.ticket.clone());
            raw.write(&join_message::<Arena>(shown)).await;
            assert_eq!(raw.ended().await, DisconnectReason::MatchUnknown);
        }
        let own = server.shards().iter().find(|shard| shard.port() == place.port);
        let own = *own.expect("the lobby names a shard");
        let mut raw = Raw::connect(own, ALPN_MATCH).await.expect("the shard answers");
        assert_eq!(raw.join_with(place.ticket).await.match_id, place.match_id);
    }
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
