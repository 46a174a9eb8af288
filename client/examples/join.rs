//! A client of the arena as a Rust game would write it: connect to the lobby, find a match, send an input
//! every tick, see snapshots and events. Start a server with `matchkeep serve`, then
//! `cargo run --release -p matchkeep-client --example join -- 127.0.0.1:7777 FINGERPRINT`, the fingerprint
//! being what the server printed. A lobby with a certificate that browsers would believe is known by its name: name it
//! in the fingerprint's stead.

use std::net::SocketAddr;

use matchkeep_client::netcode::MatchEvent;
use matchkeep_client::transport::{
    Fingerprint, LobbyClient, MatchClient, Return, Roots, Trust, endpoint,
};
use matchkeep_shared::arena::{Arena, ArenaEntity, ArenaInput};

/// How many ticks to stay.
const TICKS: u64 = 600;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let usage = "usage: join LOBBY_ADDRESS FINGERPRINT|NAME";
    let lobby_address: SocketAddr = args.next().ok_or(usage)?.parse()?;
    let known_by = args.next().ok_or(usage)?;
    let trust = match known_by.parse::<Fingerprint>() {
        Ok(fingerprint) => Trust::Pinned(fingerprint),
        Err(_) => Trust::named(&known_by, Roots::web())?,
    };

    let name = "visitor".to_owned();
    let socket = endpoint(lobby_address.ip())?;
    let mut lobby =
        LobbyClient::connect::<Arena>(&socket, lobby_address, trust.clone(), &name).await?;
    let assignment = lobby.find_match("ffa").await?;
    println!("match {}", assignment.match_id);
    // Should the server go away for a while, the client comes back to the match by itself.
    let way = Return::ByLobby { lobby: lobby_address, trust, who: (&name).into() };
    let mut game = MatchClient::<Arena>::join(assignment, way).await?;

    let mut first_tick = None;
    loop {
        match game.next().await? {
            MatchEvent::Joined(joined) => {
                println!("slot {} on map {}", joined.slot, joined.config.map.name());
                first_tick = Some(joined.tick);
            }
            // Run in a circle: ahead, and turn a little every tick.
            MatchEvent::InputDue(tick) => {
                let yaw = (tick.0 * 300 % 65_536) as u16;
                game.send_input(tick, ArenaInput { yaw, forward: 127, ..ArenaInput::default() });
                if first_tick.is_some_and(|first| tick.since(first) > TICKS as i64) {
                    break;
                }
            }
            MatchEvent::Snapshot(info) if info.tick.0.is_multiple_of(60) => {
                let Some((tick, entities)) = game.snapshot() else { continue };
                let players: Vec<_> = entities
                    .filter_map(|(_, entity)| match entity {
                        ArenaEntity::Player(player) => Some((player.slot, player.position)),
                        _ => None,
                    })
                    .collect();
                println!("tick {tick}: {players:?}");
            }
            MatchEvent::Event { tick, event } => println!("tick {tick}: {event:?}"),
            MatchEvent::Ended { outcome, .. } => {
                println!("over: {}", outcome.reason);
                break;
            }
            MatchEvent::RolledBack { from, to } => println!("back from tick {from} to {to}"),
            MatchEvent::Reconnected { gap, .. } => println!("back after {} ms", gap.as_millis()),
            MatchEvent::Notice(text) => println!("the server says: {text}"),
            MatchEvent::Snapshot(_) | MatchEvent::Interrupted | MatchEvent::Paused(_) => {}
        }
    }
    game.leave().await;
    Ok(())
}
