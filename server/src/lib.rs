//! The server: a library for studios, and behind the binary `matchkeep` with the arena.
//!
//! A studio's own server is its game (a type that implements [`Game`](matchkeep_shared::Game), and
//! [`Playable`](matchkeep_client::bots::Playable) for its bots) and this `main`:
//!
//! ```no_run
//! # use matchkeep_shared::arena::Arena as MyGame;
//! fn main() -> std::process::ExitCode {
//!     matchkeep_server::run::<MyGame>()
//! }
//! ```
//!
//! Data flows one way: [`shard`] receives, [`matches`] step, [`replication`] tells the clients; what ends
//! goes through [`control`] into the [`store`]. The [`lobby`] finds players their match, by [`matchmaking`];
//! [`admin`] shows what is going on. `ARCHITECTURE.md` is the map.

pub mod access;
pub mod accounts;
pub mod admin;
mod cli;
pub mod control;
pub mod data_dir;
mod date;
pub mod identity;
pub mod journal;
pub mod lobby;
pub mod matches;
pub mod matchmaking;
pub mod node;
mod pem;
pub mod rates;
pub mod recovery;
pub mod refusals;
pub mod replication;
pub mod reservations;
pub mod settings;
pub mod shard;
mod spans;
pub mod store;
pub mod tickets;
pub mod travel;
mod wall;
pub mod watchdog;
mod watched;

pub use cli::run;
