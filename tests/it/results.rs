//! A result is told to players when it is on stable storage, and what they are told is what is stored.

use std::time::Duration;

use matchkeep_client::transport::ClientError;
use matchkeep_server::store::{DATABASE_FILE, ListFilter, MatchRecord, MatchState};
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::game::{Outcome, PlayerResult};
use matchkeep_tests::player::Player;
use matchkeep_tests::server::TestServer;

const SHORT: &str = "
    [modes.short]
    players_max = 4
    players_min = 2
    rules = { frag_limit = 0, time_limit_seconds = 1, countdown_seconds = 0 }
";

/// What is stored, as players are told it.
fn told(record: &MatchRecord) -> Outcome {
    let player = |player: &matchkeep_server::store::PlayerRecord| PlayerResult {
        player: player.player,
        name: player.name.clone(),
        team: player.team,
        place: player.place,
        score: player.score,
        stats: player.stats.iter().map(|stat| (stat.name.clone(), stat.value)).collect(),
    };
    let reason = record.summary.reason.clone().expect("a finished match has a reason");
    Outcome { reason, players: record.players.iter().map(player).collect() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_players_are_told_is_what_is_stored() {
    let server = TestServer::start(SHORT).await;
    let mut ada = Player::join(&server, "ada", "short").await;
    let mut ben = Player::join(&server, "ben", "short").await;
    let id = ada.match_id();
    let (a, b) = tokio::join!(ada.play_to_the_result(30), ben.play_to_the_result(30));
    // Read at once: it must be there already.
    let record = server.history().show(id).expect("the match is stored");
    assert_eq!(a, b);
    let (tick, outcome) = a;
    assert_eq!(record.summary.state, MatchState::Finished);
    assert_eq!(record.summary.ticks, Some(tick.0));
    assert_eq!(told(&record), outcome);
    assert_eq!(outcome.reason, "time limit");
    let names: Vec<&str> = outcome.players.iter().map(|player| player.name.as_str()).collect();
    assert!(names.contains(&"ada") && names.contains(&"ben"), "{names:?}");

    // Who stays is sent off with a reason, and the match is gone.
    let end = ada.play_to_the_end(15).await;
    assert!(matches!(end, ClientError::Disconnected(DisconnectReason::MatchEnded)), "{end}");
    server.wait_stats(15, "the match's end", |stats| stats.shards.matches == 0).await;
    let stats = server.stats().await;
    assert_eq!((stats.control.results_stored, stats.control.results_pending), (1, 0));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_before_the_result_is_durable() {
    let server = TestServer::start(SHORT).await;
    let mut ada = Player::join(&server, "ada", "short").await;
    let mut ben = Player::join(&server, "ben", "short").await;
    let id = ada.match_id();
    // The database is locked: the result cannot be written for as long as this lasts.
    let database = server.folder().join(DATABASE_FILE);
    let lock = rusqlite::Connection::open(database).expect("the node made it");
    lock.execute_batch("BEGIN IMMEDIATE").expect("nothing else writes now");

    let locked = Duration::from_secs(4);
    let (a, b) = tokio::join!(ada.play(locked), ben.play(locked));
    a.and(b).expect("both stay");
    let stats = server.stats().await;
    assert_eq!(
        (stats.control.results_stored, stats.control.results_pending),
        (0, 1),
        "the match has ended"
    );
    assert!(ada.outcome.is_none() && ben.outcome.is_none(), "told what is not stored");
    assert_eq!(server.history().show(id).expect("it began").summary.state, MatchState::Running);

    lock.execute_batch("COMMIT").expect("it was ours");
    drop(lock);
    let (_, outcome) = ada.play_to_the_result(20).await;
    assert_eq!(told(&server.history().show(id).expect("it is stored")), outcome);
    assert_eq!(ben.play_to_the_result(20).await.1, outcome);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_keeps_what_it_did_not_finish() {
    let server = TestServer::start(SHORT).await;
    // One of two players: the match waits for the other.
    let ada = Player::join(&server, "ada", "short").await;
    let id = ada.match_id();
    let folder = server.folder().clone();
    let history = server.history();
    server.wait_stats(10, "the match", |stats| stats.shards.matches == 1).await;
    server.stop().await;
    let matches = history.list(&ListFilter::default());
    let matches = matches.expect("the connection that was open reads on");
    assert!(!folder.join("endpoints.json").exists(), "nobody is sent to a server that is gone");
    assert_eq!(matches.len(), 1);
    assert_eq!((matches[0].id, matches[0].state), (id, MatchState::Running));
}
