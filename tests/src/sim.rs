//! A whole node and its clients in one thread under virtual time, over a network and a disk that fail by
//! seed; and what must hold of it whatever happens.
//!
//! Owns: the world between the state machines (time, packets, power, threads as turns), the faults, and the
//! invariants. Must not know: sockets, files, threads (but for [`runner`], which plays many seeds), and how
//! the machines decide: the product's own cores run here as they are.
//!
//! The shells that a process has around its cores are played by [`shard`], [`store`], [`node`] and
//! [`clients`]; whoever changes one of the real ones changes its double here. [`plan`] draws all faults of a
//! seed, [`witness`] watches, [`audit`] looks at what is left. The same seed gives the same trace: times,
//! lengths, state hashes and decisions, never ciphertext, for TLS keys differ.

pub mod audit;
pub mod clients;
pub mod directory;
pub mod game;
pub mod lobby;
pub mod network;
pub mod node;
pub mod plan;
mod queue;
pub mod quic;
pub mod runner;
pub mod script;
pub mod shard;
pub mod store;
pub mod tally;
pub mod trace;
pub mod visible;
pub mod witness;
pub mod world;

pub use plan::Options;
pub use tally::Tally;
pub use witness::{Invariant, Violation};
pub use world::{Outcome, run};
