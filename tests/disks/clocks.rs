//! A wall clock that jumps by an hour between two processes: nobody loses a place or a match over it.

use std::ffi::OsStr;

use matchkeep_client::netcode::MatchEvent;
use matchkeep_client::transport::{ClientError, LobbyClient, MatchClient, Return, endpoint};
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::time::Tick;
use matchkeep_tests::fragile::{Fragile, Wish};
use matchkeep_tests::process::ServerProcess;
use matchkeep_tests::within;

use super::{compile, temporary};

const FRAGILE: &str = env!("CARGO_BIN_EXE_fragile");

/// Plays until so many ticks were seen since the start, or since the player was set back; the newest one.
async fn play(client: &mut MatchClient<Fragile>, ticks: u64, is_set_back: bool) -> Tick {
    let (mut seen, mut newest, mut counts) = (0, Tick(0), !is_set_back);
    while seen < ticks {
        match within(30, "an event", client.next()).await.expect("the match goes on") {
            MatchEvent::InputDue(tick) => {
                client.send_input(tick, Wish { press: true, ..Wish::default() });
            }
            MatchEvent::RolledBack { .. } => counts = true,
            MatchEvent::Snapshot(info) => {
                seen += u64::from(counts);
                newest = info.tick;
            }
            _ => {}
        }
    }
    newest
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wall_clock_that_jumps_by_an_hour_either_way_sends_nobody_away() {
    let (folder, library) = (temporary(), temporary());
    let library = compile("clock.c", library.path(), &["-shared", "-fPIC"]);
    let jump = |seconds: &'static str| {
        [("LD_PRELOAD", library.as_os_str()), ("CLOCK_OFFSET_SECONDS", OsStr::new(seconds))]
    };
    let mut server = ServerProcess::start(FRAGILE, &folder.path().join("data"), &jump("0"));
    let (lobby, fingerprint) = (server.lobby, server.fingerprint);
    let socket = endpoint(lobby.ip()).expect("a socket");
    let signing_in = LobbyClient::connect::<Fragile>(&socket, lobby, fingerprint, "ada");
    let mut ada = within(20, "signing in", signing_in).await.expect("the lobby is there");
    let place = within(20, "a place", ada.find_match("sound")).await.expect("there is one");
    // Where the clock says that what the match gave has expired, by the lobby.
    let way = Return::ByLobby { lobby, trust: fingerprint.into(), who: "ada".into() };
    let joining = MatchClient::<Fragile>::join(place.clone(), way);
    let mut client = within(20, "joining", joining).await.expect("the shard is there");
    let mut newest = play(&mut client, 60, false).await;
    for seconds in ["3600", "-3600", "0"] {
        server = server.kill_and_restart(&jump(seconds));
        let after = play(&mut client, 60, true).await;
        assert!(after > newest, "{seconds}: {after} after {newest}");
        newest = after;
        // The ticket that was used is used, and is not good for longer by a clock that was set back.
        let again = MatchClient::<Fragile>::join(place.clone(), Return::Never);
        let mut again = within(20, "joining", again).await.expect("the shard is there");
        match within(20, "the answer", again.next()).await {
            Err(ClientError::Disconnected(DisconnectReason::TicketExpired)) => {}
            // By the clock that it was dated by it may still be good, but for that.
            Err(ClientError::Disconnected(DisconnectReason::TicketUsed)) if seconds == "0" => {}
            answer => panic!("{seconds}: {answer:?}"),
        }
    }
    client.leave().await;
    drop(server);
}
