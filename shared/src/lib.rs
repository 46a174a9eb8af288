//! What server and client agree on: ids, time, the [`Game`] seam, the arena, the wire format.
//!
//! This crate is pure. It knows no socket, no clock, no file, no thread and no async runtime: what a
//! function here computes depends on its arguments alone. `clippy.toml` beside this crate lists what
//! is banned and why.
//!
//! A newcomer reads [`game`] first (the one trait a studio implements), then [`arena`] (the game that
//! ships with the server), then [`wire`] (what crosses the network).

pub mod arena;
pub mod disconnect;
pub mod encoding;
pub mod game;
pub mod ids;
pub mod limits;
pub mod nearest;
pub mod rng;
pub mod schema;
pub mod sketch;
pub mod ticket;
pub mod time;
pub mod wire;
pub mod world;

pub use game::Game;
pub use glam;
