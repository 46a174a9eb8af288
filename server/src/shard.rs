//! One shard: one thread that owns a UDP socket, the QUIC connections on it, and the matches whose
//! players they are.
//!
//! [`core`] is sans-IO: datagrams, commands and `now` go in by argument, datagrams and reports come out
//! by polling. [`thread`] is the thin shell around it: socket, wait, clock. One pass of a shard:
//!
//! ```text
//! receive -> QUIC -> sessions -> input buffers -> the matches that are due step -> replicate -> QUIC -> send
//! ```

mod admission;
pub mod core;
pub mod journaling;
pub mod message;
pub mod order;
mod schedule;
mod session;
pub mod stats;
mod strangers;
pub mod thread;
pub mod timeline;
mod tokens;
pub mod view;
mod waiting;
