//! A match that people play, beside what time travel says of it.

use std::collections::BTreeMap;
use std::time::Duration;

use matchkeep_server::store::SqliteJournalReader;
use matchkeep_server::travel::{Rules, at, span};
use matchkeep_shared::arena::Arena;
use matchkeep_shared::rng::Rng;
use matchkeep_shared::time::Tick;
use matchkeep_tests::player::Player;
use matchkeep_tests::server::TestServer;

const MODES: &str = "
    state_hashes = true
    [modes.room]
    players_max = 8
    players_min = 1
    tick_rate_hz = 128
    rules = { frag_limit = 0, time_limit_seconds = 7200, countdown_seconds = 0 }
";
/// Ticks that are compared, and how many different ones there must be to choose from.
const COMPARED: usize = 1000;
const SEEN_MIN: usize = 1100;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_random_ticks_are_what_the_live_match_was_while_it_goes_on() {
    let server = TestServer::start(MODES).await;
    let mut ada = Player::join(&server, "ada", "room").await;
    let mut ben = Player::join(&server, "ben", "room").await;
    let match_id = ada.match_id();
    let mut seen: BTreeMap<Tick, u64> = BTreeMap::new();
    for _ in 0..60 {
        let time = Duration::from_secs(1);
        let (first, second) = tokio::join!(ada.play(time), ben.play(time));
        first.and(second).expect("the match goes on");
        for (tick, hash) in ada.hashes.iter().chain(&ben.hashes) {
            assert_eq!(*seen.entry(*tick).or_insert(*hash), *hash, "{tick}: both see one match");
        }
        if seen.len() >= SEEN_MIN {
            break;
        }
    }
    assert!(seen.len() >= SEEN_MIN, "{} ticks were seen", seen.len());
    // The server runs on: this is its folder, read beside it.
    let folder = server.folder().clone();
    let compared = tokio::task::spawn_blocking(move || {
        let journal = SqliteJournalReader::open(&folder).expect("readable");
        let newest = span(&journal, match_id).expect("it has a journal").newest;
        let durable: Vec<(Tick, u64)> = seen.into_iter().filter(|(t, _)| *t <= newest).collect();
        let mut rng = Rng::new(3);
        for _ in 0..COMPARED {
            let (tick, live) = durable[rng.below(durable.len() as u32) as usize];
            let found = at::<Arena>(&journal, match_id, tick, Rules::Own);
            let mut found = found.unwrap_or_else(|error| panic!("tick {tick}: {error}"));
            assert_eq!((found.tick(), found.hash()), (tick, live));
        }
        durable.len()
    });
    let durable = compared.await.expect("they are equal");
    assert!(durable >= COMPARED, "{durable} durable ticks were seen");
    ada.leave().await;
    ben.leave().await;
    server.stop().await;
}
