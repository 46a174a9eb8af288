//! Each attack of `flood`, small: players do not notice, and what is done about it is counted.

use std::time::Duration;

use matchkeep_benches::flood::attack::{Attack, Outcome, Target, attack_for};
use matchkeep_server::control::NodeStats;
use matchkeep_shared::limits::HANDSHAKES_WAITING_RETRY;
use matchkeep_tests::server::TestServer;
use matchkeep_tests::watch::Watch;

const MODES: &str = "
    [modes.room]
    players_max = 4
    players_min = 1
    rules = { frag_limit = 0, time_limit_seconds = 7200, countdown_seconds = 0 }
";
/// The machine has other tests to do.
const RATE_MAX: u64 = 2_000;

/// Attacks a server with somebody who plays, and is not to notice.
async fn attacked(attack: Attack, seconds: u64) -> (Outcome, NodeStats) {
    let server = TestServer::start(MODES).await;
    let watch = Watch::join(&server, "room").await;
    let target = Target {
        lobby: server.lobby(),
        fingerprint: server.fingerprint(),
        shards: vec![server.shard()],
        mode: "room".into(),
        name: "eve".into(),
        rate_max: RATE_MAX,
    };
    let outcome = tokio::task::spawn_blocking(move || {
        let mut attacker = attack.prepare(&target).expect("the server lets it in");
        attack_for(attacker.as_mut(), Duration::from_secs(seconds)).expect("the system goes along")
    });
    let outcome = outcome.await.expect("no panic");
    server.sign_in("ada").await.close();
    let stats = server.stats().await;
    watch.finish().await.assert_undisturbed();
    server.stop().await;
    (outcome, stats)
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_dropped_and_hardly_answered() {
    let (outcome, stats) = attacked(Attack::Garbage, 2).await;
    assert!(outcome.datagrams_sent > 500, "{outcome:?}");
    assert!(outcome.unproved_received_bytes < outcome.unproved_sent_bytes, "{outcome:?}");
    assert!(stats.shards.udp_foreign > outcome.datagrams_sent / 4, "{stats:?}");
    assert_eq!(stats.shards.connections, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_players_own_packets_again_change_nothing_and_a_flood_of_inputs_ends_it() {
    let (outcome, stats) = attacked(Attack::Valid, 3).await;
    assert!(outcome.datagrams_sent > 1000, "{outcome:?}");
    assert_eq!(outcome.ended.get("the copied one plays on"), Some(&1), "{outcome:?}");
    assert!(stats.shards.disconnects.contains_key("datagram_flood"), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_left_half_open_are_few_and_whoever_comes_then_proves_an_address() {
    let (outcome, stats) = attacked(Attack::HalfOpen, 3).await;
    assert!(outcome.datagrams_sent > 2 * HANDSHAKES_WAITING_RETRY as u64 + 100, "{outcome:?}");
    assert!(
        outcome.unproved_received_bytes <= 3 * outcome.unproved_sent_bytes,
        "no more than three bytes for one: {outcome:?}"
    );
    assert!(stats.refusals().retried > 0, "{:?}", stats.refusals());
    assert!(stats.shards.connections <= HANDSHAKES_WAITING_RETRY as u64 + 1, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn first_packets_from_everywhere_are_asked_to_prove_it() {
    let (outcome, stats) = attacked(Attack::Spoofed, 3).await;
    assert!(outcome.unproved_received_bytes > 0, "{outcome:?}");
    assert!(
        outcome.unproved_received_bytes <= 3 * outcome.unproved_sent_bytes,
        "no more than three bytes for one: {outcome:?}"
    );
    assert!(stats.refusals().retried > 0, "{:?}", stats.refusals());
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_are_opened_and_left_end_with_their_connection() {
    let (outcome, stats) = attacked(Attack::Streams, 2).await;
    assert!(outcome.connections > 10, "{outcome:?}");
    assert!(stats.shards.disconnects.contains_key("unexpected_message"), "{stats:?}");
    assert!(stats.lobby.ends.contains_key("unexpected_message"), "{stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_nothing_is_sent_away_from_the_lobby_and_holds_up_nobody() {
    let (_, stats) = attacked(Attack::SlowReader, 7).await;
    assert!(stats.lobby.ends.contains_key("slow_reader"), "{:?}", stats.lobby);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_acknowledges_what_was_not_received_is_found_out() {
    let (outcome, stats) = attacked(Attack::OptimisticAck, 4).await;
    assert!(outcome.counts["acknowledgements_of_what_did_not_come"] > 0, "{outcome:?}");
    assert!(stats.shards.disconnects.contains_key("transport_violation"), "{outcome:?}");
}
