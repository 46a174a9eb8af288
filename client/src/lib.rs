//! The client: what a game links to play on a Matchkeep server.
//!
//! [`netcode`] is one player's side of a match, [`link`] puts QUIC around it and brings players back who lost
//! their connection; both are sans-IO. [`transport`] has the sockets: a
//! [`LobbyClient`](transport::LobbyClient) finds a match, a [`MatchClient`](transport::MatchClient) plays it.
//! [`bots`] are players without a person, for demos, tests and load.
//!
//! ```no_run
//! use matchkeep_client::netcode::MatchEvent;
//! use matchkeep_client::transport::{
//!     ClientError, Fingerprint, LobbyClient, MatchClient, Return, endpoint,
//! };
//! use matchkeep_shared::arena::{Arena, ArenaInput};
//!
//! async fn play(address: std::net::SocketAddr, fingerprint: Fingerprint) -> Result<(), ClientError> {
//!     let socket = endpoint(address.ip())?;
//!     let mut lobby = LobbyClient::connect::<Arena>(&socket, address, fingerprint, "ada").await?;
//!     let assignment = lobby.find_match("duel").await?;
//!     // Should the match fall silent, the client comes back to it by itself.
//!     let way = Return::ByLobby { lobby: address, trust: fingerprint.into(), who: "ada".into() };
//!     let mut game = MatchClient::<Arena>::join(assignment, way).await?;
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
pub mod link;
pub mod netcode;
pub mod transport;
