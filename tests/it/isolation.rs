//! A match that dies harms nobody else: panics, poison ticks and hung steps, also across restarts.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use matchkeep_client::netcode::MatchEvent;
use matchkeep_client::transport::{
    ClientError, Fingerprint, LobbyClient, MatchClient, Return, endpoint,
};
use matchkeep_server::journal::{JournalReader, JournalState};
use matchkeep_server::node::Node;
use matchkeep_server::settings::SettingsFile;
use matchkeep_server::store::{History, MatchState, SqliteJournalReader};
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::RUNAWAY_AFTER;
use matchkeep_shared::time::Tick;
use matchkeep_tests::fragile::{Fragile, HANGS_FROM, Presses, TAKES_MS, Wish, toil_for};
use matchkeep_tests::process::ServerProcess;
use matchkeep_tests::within;

type Client = MatchClient<Fragile>;

/// The program that serves the game.
const FRAGILE: &str = env!("CARGO_BIN_EXE_fragile");

async fn start(folder: &Path) -> Node {
    start_with(folder, "").await
}

/// With modes of its own.
async fn start_with(folder: &Path, modes: &str) -> Node {
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let file = SettingsFile {
        data: Some(folder.to_owned()),
        lobby_port: Some(0),
        shard_port: Some(0),
        admin: Some(any_port),
        shards: Some(1),
        pin: Some(false),
        ..SettingsFile::parse(modes).expect("the modes are TOML")
    };
    let settings = file.resolve::<Fragile>().expect("the settings are sound");
    let mut node = Node::start::<Fragile>(settings).await.expect("the node starts");
    within(20, "recovery", node.ready()).await;
    node
}

async fn join(lobby: SocketAddr, print: Fingerprint, name: &str, mode: &str) -> (Client, MatchId) {
    let socket = endpoint(lobby.ip()).expect("a socket");
    let signing_in = LobbyClient::connect::<Fragile>(&socket, lobby, print, name);
    let mut lobby = within(20, "signing in", signing_in).await.expect("the lobby is there");
    let place = within(20, "a place", lobby.find_match(mode)).await.expect("there is one");
    let match_id = place.match_id;
    let client = within(20, "joining", Client::join(place, Return::ByToken)).await;
    (client.expect("the shard lets the player in"), match_id)
}

async fn join_node(node: &Node, name: &str, mode: &str) -> (Client, MatchId) {
    let endpoints = node.endpoints();
    let print = endpoints.lobby_fingerprint.parse().expect("a fingerprint");
    join(endpoints.lobby, print, name, mode).await
}

/// What a player saw while it played.
#[derive(Debug, Default)]
struct Saw {
    newest: Option<Tick>,
    widest_gap: i64,
    rolled_back: Vec<(Tick, Tick)>,
    presses: u32,
}

const PRESS: Wish = Wish { press: true, panic: false, blind: false };
const PANIC: Wish = Wish { press: true, panic: true, blind: false };
const BLIND: Wish = Wish { press: true, panic: false, blind: true };

/// Plays for `ticks` snapshots; presses at every tick, and wishes something once, after so many snapshots.
async fn play(
    client: &mut Client,
    ticks: u64,
    mut wish: Option<(u64, Wish)>,
) -> Result<Saw, ClientError> {
    let mut saw = Saw::default();
    let mut count = 0;
    while count < ticks {
        match within(20, "an event", client.next()).await? {
            MatchEvent::InputDue(tick) => {
                let wished = wish.take_if(|(at, _)| count >= *at);
                client.send_input(tick, wished.map_or(PRESS, |(_, wish)| wish));
            }
            MatchEvent::Snapshot(info) => {
                count += 1;
                if let Some(before) = saw.newest {
                    saw.widest_gap = saw.widest_gap.max(info.tick.since(before));
                }
                saw.newest = Some(info.tick);
                if let Some((_, mut entities)) = client.snapshot()
                    && let Some((_, Presses(presses))) = entities.next()
                {
                    saw.presses = presses;
                }
            }
            MatchEvent::RolledBack { from, to } => {
                saw.rolled_back.push((from, to));
                saw.newest = None;
            }
            _ => {}
        }
    }
    Ok(saw)
}

/// Ticks between two snapshots that a busy machine may leave out.
const GAP_TICKS_MAX: i64 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_match_that_panics_goes_on_from_the_tick_before_and_nobody_else_notices() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(&folder.path().join("data")).await;
    let (mut ada, dying) = join_node(&node, "ada", "sound").await;
    // Another mode is another match, on the same shard.
    let (mut ben, other) = join_node(&node, "ben", "other").await;
    assert_ne!(dying, other);
    let watching = tokio::spawn(async move {
        let saw = play(&mut ben, 200, None).await;
        ben.leave().await;
        saw
    });
    let saw = play(&mut ada, 200, Some((20, PANIC))).await.expect("the match goes on");
    let [(from, to)] = saw.rolled_back[..] else { panic!("one restart: {saw:?}") };
    assert!(to >= from, "nothing that was shown is undone: {from} to {to}");
    assert!(saw.presses > 100, "what was pressed before and after counts: {saw:?}");
    let other = watching.await.expect("no panic").expect("its match never stopped");
    assert!(other.rolled_back.is_empty() && other.widest_gap <= GAP_TICKS_MAX, "{other:?}");
    let stats = node.stats().await.expect("the node runs");
    assert_eq!((stats.shards.matches_died, stats.shards.matches_resumed), (1, 1));
    assert_eq!(stats.control.deaths.get("panic"), Some(&1));
    ada.leave().await;
    within(20, "stopping", node.run_until(async {})).await.expect("the node ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_that_panics_while_snapshots_are_made_goes_on_and_nobody_is_sent_half_of_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(&folder.path().join("data")).await;
    let (mut ada, dying) = join_node(&node, "ada", "sound").await;
    // The second place: its snapshot is made after the one that kills.
    let (mut ben, same) = join_node(&node, "ben", "sound").await;
    assert_eq!(dying, same);
    let watching = tokio::spawn(async move {
        let saw = play(&mut ben, 150, None).await;
        ben.leave().await;
        saw
    });
    let saw = play(&mut ada, 150, Some((20, BLIND))).await.expect("the match goes on");
    assert_eq!(saw.rolled_back.len(), 1, "one restart: {saw:?}");
    assert!(saw.presses > 100, "{saw:?}");
    let other = watching.await.expect("no panic").expect("whoever is in the match stays in it");
    assert_eq!(other.rolled_back.len(), 1, "{other:?}");
    let stats = node.stats().await.expect("the node runs");
    assert_eq!((stats.shards.matches_died, stats.shards.matches_resumed), (1, 1));
    ada.leave().await;
    within(20, "stopping", node.run_until(async {})).await.expect("the node ran");
}

fn state_of(folder: &Path, match_id: MatchId) -> Option<(JournalState, u64, u64)> {
    let journal = SqliteJournalReader::open(folder).expect("there is a database");
    let entry = journal.entry(match_id).expect("it reads")?;
    Some((entry.state, entry.records, entry.incidents))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_third_death_at_one_tick_sets_the_match_aside_with_its_data() {
    dies_for_good("poison").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_nobody_can_be_shown_sets_the_match_aside_with_its_data() {
    dies_for_good("blind").await;
}

async fn dies_for_good(mode: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let node = start(&data).await;
    let (mut ada, poisoned) = join_node(&node, "ada", mode).await;
    let (mut ben, _) = join_node(&node, "ben", "sound").await;
    let watching = tokio::spawn(async move { (play(&mut ben, 200, None).await, ben) });
    let told = play(&mut ada, 1000, None).await.expect_err("it dies three times");
    let reason = ClientError::Disconnected(DisconnectReason::MatchQuarantined).to_string();
    assert_eq!(told.to_string(), reason);
    let (other, ben) = watching.await.expect("no panic");
    let other = other.expect("its match never stopped");
    assert!(other.rolled_back.is_empty() && other.widest_gap <= GAP_TICKS_MAX, "{other:?}");
    let stats = node.stats().await.expect("the node runs");
    assert_eq!(stats.control.deaths.get("panic"), Some(&3));
    assert_eq!(stats.control.matches_quarantined, 1);
    ben.leave().await;
    within(20, "stopping", node.run_until(async {})).await.expect("the node ran");

    let (state, records, incidents) = state_of(&data, poisoned).expect("its journal is there");
    assert_eq!((state, incidents), (JournalState::Quarantined, 3));
    assert!(records > 3, "with its data: {records} records");
    // And it stays there.
    let node = start(&data).await;
    assert_eq!(node.stats().await.expect("the node runs").control.matches_recovered, 1, "ben's");
    within(20, "stopping", node.run_until(async {})).await.expect("the node ran");
}

#[test]
fn a_step_that_hangs_ends_the_process_and_the_third_time_its_match_is_set_aside() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let mut match_id = None;
    for death in 1..=3 {
        let server = ServerProcess::start(FRAGILE, &data, &[]);
        if match_id.is_none() {
            match_id = Some(runtime.block_on(async {
                let (lobby, print) = (server.lobby, server.fingerprint);
                let (mut client, match_id) = join(lobby, print, "ada", "hang").await;
                // The place is held, so that the match goes on without the player.
                let _ = tokio::time::timeout(Duration::from_millis(300), client.next()).await;
                client.abandon();
                match_id
            }));
        }
        let (status, said) = server.ended();
        assert!(!status.success(), "death {death}: {status}: {said}");
    }
    let match_id = match_id.expect("it was played");
    let _server = ServerProcess::start(FRAGILE, &data, &[]);
    is_set_aside(&data, match_id);
}

/// Waits for it: a server says where it is before it has written down what it found.
fn is_set_aside(data: &Path, match_id: MatchId) {
    let since = Instant::now();
    while state_of(data, match_id).expect("its journal is there").0 != JournalState::Quarantined {
        assert!(since.elapsed() < Duration::from_secs(20), "it was not set aside");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A match of some dozens of ticks whose server was killed.
fn left_by_a_kill(data: &Path) -> MatchId {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let server = ServerProcess::start(FRAGILE, data, &[]);
    runtime.expect("a runtime").block_on(async {
        let (lobby, print) = (server.lobby, server.fingerprint);
        let (mut client, match_id) = join(lobby, print, "ada", "sound").await;
        play(&mut client, 60, None).await.expect("the match goes on");
        client.abandon();
        match_id
    })
}

#[test]
fn a_replay_that_hangs_ends_the_process_and_the_third_time_its_match_is_set_aside() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let match_id = left_by_a_kill(&data);
    let hangs = [(HANGS_FROM, OsStr::new("1"))];
    for death in 1..=3 {
        let (status, said) = ServerProcess::dies_at_start(FRAGILE, &data, &hangs);
        assert!(!status.success(), "death {death}: {status}: {said}");
    }
    // Players may come: it is not played again.
    let _server = ServerProcess::start(FRAGILE, &data, &hangs);
    is_set_aside(&data, match_id);
}

#[test]
fn a_server_that_is_told_to_stop_while_its_matches_come_back_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let match_id = left_by_a_kill(&data);
    let before = state_of(&data, match_id);
    // Half a second each, for dozens of them: it would take half a minute.
    let takes = [(TAKES_MS, OsStr::new("500"))];
    let after = Duration::from_secs(2);
    let (status, took, said) = ServerProcess::stopped_at_start(FRAGILE, &data, &takes, after);
    assert!(status.success(), "{status}: {said}");
    assert!(took < Duration::from_secs(5), "{took:?}: {said}");
    let (state, records, _) = state_of(&data, match_id).expect("its journal is there");
    assert_eq!(
        (state, Some(records)),
        (JournalState::Open, before.map(|(_, records, _)| records + 1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_that_panics_as_it_is_made_is_set_aside_and_nobody_else_notices() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let node = start(&data).await;
    let (mut ada, _) = join_node(&node, "ada", "sound").await;
    let lobby = node.endpoints().lobby;
    let print: Fingerprint = node.endpoints().lobby_fingerprint.parse().expect("a fingerprint");
    let socket = endpoint(lobby.ip()).expect("a socket");
    let mut ben = LobbyClient::connect::<Fragile>(&socket, lobby, print, "ben").await.expect("in");
    let (saw, place) =
        tokio::join!(play(&mut ada, 90, None), within(20, "a place", ben.find_match("stillborn")),);
    let saw = saw.expect("her match goes on");
    assert!(saw.widest_gap <= GAP_TICKS_MAX && saw.rolled_back.is_empty(), "{saw:?}");
    let refusal = match place {
        Err(refusal) => refusal,
        // He was told where it is to be before it was to be.
        Ok(place) => {
            let joining = Client::join(place, Return::ByToken);
            within(20, "joining", joining).await.map(drop).expect_err("there is no such match")
        }
    };
    let (ClientError::Refused(reason) | ClientError::Disconnected(reason)) = refusal else {
        panic!("{refusal}");
    };
    let gone = [DisconnectReason::MatchQuarantined, DisconnectReason::MatchUnknown];
    assert!(gone.contains(&reason), "{reason:?}");
    let set_aside = || {
        let journal = SqliteJournalReader::open(&data).expect("there is a database");
        let mut ids = Vec::new();
        let listed =
            journal.list(Some(JournalState::Quarantined), &mut |entry| ids.push(entry.match_id));
        listed.map(|()| ids).expect("it reads")
    };
    let since = Instant::now();
    while set_aside().len() != 1 {
        assert!(since.elapsed() < Duration::from_secs(20), "it was not set aside");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ada.leave().await;
    within(20, "stopping", node.run_until(async {})).await.expect("the node ran");
    // And the next process begins.
    let node = start(&data).await;
    within(20, "stopping", node.run_until(async {})).await.expect("the node ran");
}

/// Plays until an event is what is looked for.
async fn play_until(client: &mut Client, mut is_it: impl FnMut(&MatchEvent<Fragile>) -> bool) {
    loop {
        let event = within(60, "an event", client.next()).await.expect("the match goes on");
        if is_it(&event) {
            return;
        }
        if let MatchEvent::InputDue(tick) = event {
            client.send_input(tick, PRESS);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_match_that_takes_too_much_for_long_is_flagged_paused_or_ended_as_its_mode_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    // Three quarters of a tick's time each, of which half is the budget; and together more than the shard has.
    let toil = toil_for(Duration::from_micros(6_000));
    let slow = |name: &str, runaway: &str| {
        format!(
            "[modes.{name}]\nplayers_max = 2\nplayers_min = 1\ntick_rate_hz = 128\nrunaway = \"{runaway}\"\n\
             rules = {{ toil = {toil} }}\n"
        )
    };
    let modes = [slow("slow", "flag"), slow("slow-paused", "pause"), slow("slow-ended", "end")];
    let node = start_with(&data, &modes.concat()).await;
    let (mut ada, flagged) = join_node(&node, "ada", "slow").await;
    let (mut ben, _) = join_node(&node, "ben", "slow-paused").await;
    let (mut cleo, ended) = join_node(&node, "cleo", "slow-ended").await;
    let begun = tokio::time::Instant::now();
    let paused = async {
        play_until(&mut ben, |event| matches!(event, MatchEvent::Paused(true))).await;
        let after = begun.elapsed();
        // It is still there, ten times a second, and asks for nothing.
        let before = ben.counts().snapshots_received;
        let still = tokio::time::timeout(Duration::from_secs(2), async {
            let mut ticks = 0;
            loop {
                match ben.next().await.expect("the match is there") {
                    // The tick at which it was stopped.
                    MatchEvent::Snapshot(_) if ticks == 0 => ticks += 1,
                    other => break other,
                }
            }
        });
        let still = still.await;
        assert!(still.is_err(), "nothing happens in a match that stands still: {still:?}");
        (after, ben.counts().snapshots_received - before)
    };
    let told = async {
        let mut outcome = None;
        play_until(&mut cleo, |event| {
            if let MatchEvent::Ended { outcome: told, .. } = event {
                outcome = Some(told.clone());
            }
            outcome.is_some()
        })
        .await;
        outcome
    };
    let plays_on = async {
        let until = RUNAWAY_AFTER + Duration::from_secs(5);
        play_until(&mut ada, |_| begun.elapsed() > until).await;
        ada.counts().snapshots_received
    };
    let ((paused_after, seen), outcome, shown) = tokio::join!(paused, told, plays_on);
    // With a shard that has more to do than it can, there is always a newer tick due; players see the match all the same.
    assert!(shown >= 50, "{shown} snapshots in ten seconds");
    assert!(paused_after >= RUNAWAY_AFTER, "a moment is forgiven: {paused_after:?}");
    assert!(seen >= 10, "{seen} snapshots in two seconds");
    assert_eq!(outcome.map(|outcome| outcome.reason), Some("too slow".into()));
    let stats = node.stats().await.expect("the node runs");
    // One plays on, one stands still; the third is over, with its result stored.
    assert_eq!((stats.shards.matches_hot, stats.control.results_stored), (2, 1));
    let history = History::open(&data).expect("there is a database");
    assert_eq!(history.show(ended).expect("it is stored").summary.state, MatchState::Finished);
    assert_ne!(flagged, ended);
    for client in [ada, ben] {
        client.leave().await;
    }
    within(20, "stopping", node.run_until(async {})).await.expect("the node ran");
}
