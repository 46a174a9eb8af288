//! The client: what a game links to play on a Matchkeep server.
//!
//! [`netcode`] is one player's side of a match, sans-IO. [`transport`] puts QUIC around it: a
//! [`LobbyClient`](transport::LobbyClient) finds a match, a [`MatchClient`](transport::MatchClient) plays it.
//! [`bots`] are players without a person, for demos, tests and load.
//!
//! ```no_run
//! use matchkeep_client::netcode::MatchEvent;
//! use matchkeep_client::transport::{ClientError, Fingerprint, LobbyClient, MatchClient, endpoint};
//! use matchkeep_shared::arena::{Arena, ArenaInput};
//!
//! async fn play(lobby: std::net::SocketAddr, fingerprint: Fingerprint) -> Result<(), ClientError> {
//!     let socket = endpoint(lobby.ip())?;
//!     let mut lobby = LobbyClient::connect::<Arena>(&socket, lobby, fingerprint, "ada").await?;
//!     let assignment = lobby.find_match("duel").await?;
//!     let mut game = MatchClient::<Arena>::join(&socket, assignment).await?;
//!     loop {
//!         match game.next().await? {
//!             // Once per tick: what the player wishes for.
//!             MatchEvent::InputDue(tick) => {
//!                 game.send_input(tick, ArenaInput { forward: 127, ..ArenaInput::default() });
//!             }
//!             // What the player sees.
//!             MatchEvent::Snapshot(_) => {
//!                 if let Some((tick, entities)) = game.snapshot() {
//!                     println!("tick {tick}: {} entities", entities.count());
//!                 }
//!             }
//!             MatchEvent::Ended { outcome, .. } => {
//!                 println!("over: {}", outcome.reason);
//!                 return Ok(());
//!             }
//!             _ => {}
//!         }
//!     }
//! }
//! ```

pub mod bots;
pub mod netcode;
pub mod transport;
