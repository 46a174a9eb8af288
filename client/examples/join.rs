//! A client of the arena as a Rust game would write it: connect to the lobby, find a match, send an input
//! every tick, see snapshots and events. Start a server with `matchkeep serve`, then
//! `cargo run --release -p matchkeep-client --example join -- 127.0.0.1:7777 FINGERPRINT`, the fingerprint
//! being what the server printed.

use std::net::SocketAddr;

use matchkeep_client::netcode::MatchEvent;
use matchkeep_client::transport::{Fingerprint, LobbyClient, MatchClient, endpoint};
use matchkeep_shared::arena::{Arena, ArenaEntity, ArenaInput};

/// How many ticks to stay.
const TICKS: u64 = 600;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let usage = "usage: join LOBBY_ADDRESS FINGERPRINT";
    let lobby_address: SocketAddr = args.next().ok_or(usage)?.parse()?;
    let fingerprint: Fingerprint = args.next().ok_or(usage)?.parse()?;

    // One socket serves the lobby and the match.
    let socket = endpoint(lobby_address.ip())?;
    let mut lobby =
        LobbyClient::connect::<Arena>(&socket, lobby_address, fingerprint, "visitor").await?;
    let assignment = lobby.find_match("ffa").await?;
    println!("match {}", assignment.match_id);
    let mut game = MatchClient::<Arena>::join(&socket, assignment).await?;

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
            MatchEvent::Snapshot(tick) if tick.0.is_multiple_of(60) => {
                let Some((_, entities)) = game.snapshot() else { continue };
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
            MatchEvent::Snapshot(_) | MatchEvent::RolledBack { .. } => {}
        }
    }
    game.leave().await;
    Ok(())
}
