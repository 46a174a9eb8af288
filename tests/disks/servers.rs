//! Whole servers on disks that fail: what their players are told, and what is there afterwards.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use matchkeep_client::netcode::{MatchEvent, SnapshotInfo};
use matchkeep_client::transport::{ClientError, LobbyClient, MatchClient, Return, endpoint};
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::time::Tick;
use matchkeep_tests::fragile::{Fragile, Wish};
use matchkeep_tests::process::ServerProcess;
use matchkeep_tests::within;

use super::syncs::faults;
use super::{DATABASE, Mount, may_mount, temporary};

/// The program that serves the game.
const FRAGILE: &str = env!("CARGO_BIN_EXE_fragile");
const MODE: &str = "sound";

type Client = MatchClient<Fragile>;

async fn sign_in(server: &ServerProcess, name: &str) -> Result<LobbyClient, ClientError> {
    let socket = endpoint(server.lobby.ip()).expect("a socket");
    let lobby = LobbyClient::connect::<Fragile>(&socket, server.lobby, server.fingerprint, name);
    within(20, "signing in", lobby).await
}

async fn join(lobby: &mut LobbyClient, mode: &str) -> (Client, MatchId) {
    let place = within(20, "a place", lobby.find_match(mode)).await.expect("there is one");
    let match_id = place.match_id;
    let client = within(20, "joining", Client::join(place, Return::Never)).await;
    (client.expect("the shard lets the player in"), match_id)
}

/// Plays until a snapshot is what is looked for, or the server ends it.
async fn play_until(
    client: &mut Client,
    mut is_it: impl FnMut(&SnapshotInfo) -> bool,
) -> Result<SnapshotInfo, ClientError> {
    loop {
        match within(20, "an event", client.next()).await? {
            MatchEvent::InputDue(tick) => {
                client.send_input(tick, Wish { press: true, ..Wish::default() });
            }
            MatchEvent::Snapshot(info) if is_it(&info) => return Ok(info),
            _ => {}
        }
    }
}

fn refusal<T>(result: Result<T, ClientError>) -> Option<DisconnectReason> {
    match result.err()? {
        ClientError::Refused(reason) | ClientError::Disconnected(reason) => Some(reason),
        other => panic!("{other}"),
    }
}

/// The faulty library under a server.
fn fault<'a>(fault: &'a str, left: &'a Path) -> [(&'a str, &'a OsStr); 4] {
    [
        ("LD_PRELOAD", faults().as_os_str()),
        ("FAULT_FILES", OsStr::new(DATABASE)),
        ("FAULT", OsStr::new(fault)),
        ("FAULT_FOLDER", left.as_os_str()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_sync_is_told_to_the_players_and_ends_the_server_and_the_match_goes_on() {
    let (folder, left) = (temporary(), temporary());
    let data = folder.path().join("data");
    // A sync for each flush, and there are twenty a second: some seconds of play.
    let server = ServerProcess::start(FRAGILE, &data, &fault("eio 60", left.path()));
    let mut lobby = sign_in(&server, "ada").await.expect("the lobby is there");
    let (mut ada, match_id) = join(&mut lobby, MODE).await;
    let mut durable = None;
    let told = play_until(&mut ada, |info| {
        durable = durable.max(info.durable);
        false
    });
    assert_eq!(refusal(told.await), Some(DisconnectReason::StorageFailed));
    let durable = durable.expect("the match is journaled");
    assert!(durable.0 > 20, "it was played, and written down, to {durable}");
    let (status, said) = server.ended();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains(DATABASE), "it says what failed: {said}");

    let server = ServerProcess::start(FRAGILE, &data, &[]);
    let mut lobby = sign_in(&server, "ada").await.expect("the lobby is there");
    let place = within(20, "the place", lobby.locate(match_id)).await.expect("it is held");
    let ada = within(20, "joining", Client::join(place, Return::Never)).await;
    let mut ada = ada.expect("the shard lets the player in");
    let first = play_until(&mut ada, |_| true).await.expect("the match goes on");
    assert!(first.epoch > Epoch(1) && first.tick > durable, "{first:?}, {durable} was durable");
    ada.leave().await;
}

/// What a player saw of a disk that stalled.
#[derive(Debug, Default)]
struct Stall {
    /// The ticks of the snapshots, in order.
    ticks: Vec<Tick>,
    /// The farthest that the durable tick was behind, in ticks.
    lag_max: i64,
    /// When the match stood still (`true`) and when it went on: the ticks seen until then, and the snapshots
    /// received, which repeat one tick while it stands.
    paused: Vec<(bool, usize, u64)>,
}

/// Plays for so long.
async fn watch(client: &mut Client, time: Duration) -> Stall {
    let mut stall = Stall::default();
    let _ = tokio::time::timeout(time, async {
        loop {
            match client.next().await.expect("the match goes on") {
                MatchEvent::InputDue(tick) => {
                    client.send_input(tick, Wish { press: true, ..Wish::default() });
                }
                MatchEvent::Snapshot(info) => {
                    let lag = info.durable.map_or(0, |durable| info.tick.since(durable));
                    stall.lag_max = stall.lag_max.max(lag);
                    stall.ticks.push(info.tick);
                }
                MatchEvent::Paused(paused) => {
                    let received = client.counts().snapshots_received;
                    stall.paused.push((paused, stall.ticks.len(), received));
                }
                MatchEvent::RolledBack { from, to } => panic!("from {from} to {to}"),
                MatchEvent::Interrupted => panic!("it fell silent"),
                _ => {}
            }
        }
    })
    .await;
    stall
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_disk_stalls_a_match_stands_still_or_plays_on_as_its_mode_says() {
    let (folder, left) = (temporary(), temporary());
    let data = folder.path().join("data");
    let server = ServerProcess::start(FRAGILE, &data, &fault("stall 40 3000", left.path()));
    let mut lobby = sign_in(&server, "ada").await.expect("the lobby is there");
    let (mut ada, _) = join(&mut lobby, "careful").await;
    let mut lobby = sign_in(&server, "ben").await.expect("the lobby is there");
    let (mut ben, _) = join(&mut lobby, MODE).await;
    let time = Duration::from_secs(8);
    let (careful, careless) = tokio::join!(watch(&mut ada, time), watch(&mut ben, time));

    let [(true, still, before), (false, on, after)] = careful.paused[..] else {
        panic!("{careful:?}");
    };
    // 500 ms of 60 Hz, and what is on its way between shard and client.
    assert!((30..45).contains(&careful.lag_max), "it waits from the bound on: {careful:?}");
    // Ten a second while it stands, for two seconds and a half.
    assert!(after - before >= 10, "it stays in sight: {careful:?}");
    assert!(on - still <= 1, "and stands still: {careful:?}");
    let gap = careful.ticks[on].since(careful.ticks[still - 1]);
    assert!(gap <= 3, "and goes on from there: {careful:?}");

    assert!(careless.paused.is_empty(), "{careless:?}");
    assert!(careless.lag_max > 150, "it shows how far behind the disk is: {careless:?}");
    let played = careless.ticks.last().expect("it was seen").since(careless.ticks[0]);
    assert!(played > 400, "{played} ticks in {time:?}");
    ada.leave().await;
    ben.leave().await;
}

/// Takes all the space there is on the disk of a folder.
fn fill(folder: &Path) {
    let mut file = File::create(folder.join("ballast")).expect("a file");
    let block = [7; 4096];
    while file.write_all(&block).is_ok() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_players_play_on_and_newcomers_are_refused_until_there_is_space() {
    if !may_mount("a server on a full disk") {
        return;
    }
    let folder = temporary();
    let _mount = Mount::new(&["-t", "tmpfs", "-o", "size=8m", "tmpfs"], folder.path());
    let data = folder.path().join("data");
    let server = ServerProcess::start(FRAGILE, &data, &[]);
    let mut ada_lobby = sign_in(&server, "ada").await.expect("the lobby is there");
    let mut ben_lobby = sign_in(&server, "ben").await.expect("the lobby is there");
    let (mut ada, match_id) = join(&mut ada_lobby, MODE).await;
    play_until(&mut ada, |info| info.tick.0 >= 10).await.expect("it plays");
    let early = within(20, "a place", ben_lobby.find_match(MODE)).await.expect("there is one");
    assert_eq!(early.match_id, match_id);

    fill(folder.path());
    // The log of the database may have some room of its own left.
    let mut durable = None;
    let mut since = 0;
    let stuck = play_until(&mut ada, |info| {
        since = if info.durable == durable { since + 1 } else { 0 };
        durable = info.durable;
        since > 30
    });
    let stuck = stuck.await.expect("the match goes on");
    let full = Some(DisconnectReason::StorageFull);
    let found = within(20, "an answer", ben_lobby.find_match(MODE)).await;
    assert_eq!(refusal(found), full);
    let located = within(20, "an answer", ben_lobby.locate(match_id)).await;
    assert_eq!(refusal(located), full);
    // Nor with a ticket of before.
    let late = within(20, "joining", Client::join(early, Return::Never)).await;
    let mut late = late.expect("the shard is there");
    assert_eq!(refusal(play_until(&mut late, |_| true).await), full);
    assert_eq!(refusal(sign_in(&server, "cleo").await), full, "an account is something new too");
    // Who has a place has it still.
    let place = within(20, "the place", ada_lobby.locate(match_id)).await.expect("it is held");
    let again = within(20, "joining", Client::join(place, Return::Never)).await;
    let mut again = again.expect("the shard lets the player in");
    assert_eq!(refusal(play_until(&mut ada, |_| false).await), Some(DisconnectReason::Replaced));
    let on = play_until(&mut again, |info| info.tick > stuck.tick + 30).await.expect("it plays");
    assert_eq!(on.durable, stuck.durable, "nothing is said to be durable that is not");

    std::fs::remove_file(folder.path().join("ballast")).expect("it is there");
    let caught_up = play_until(&mut again, |info| info.durable > Some(on.tick)).await;
    caught_up.expect("what waited is written");
    let mut tries = 0;
    while within(20, "an answer", ben_lobby.find_match(MODE)).await.is_err() {
        tries += 1;
        assert!(tries < 200, "newcomers are still refused");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    again.leave().await;
}
