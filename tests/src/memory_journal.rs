//! A journal in memory on a disk that can fail in every way a disk does, from a seed: it loses what is not
//! durable, tears the last record, is busy, full, fails its fsync, or lies about it.
//!
//! Owns: what is written, what of it is durable, and what is left when the power comes back. Must not
//! know: threads, clocks; a simulation in one thread uses it as it is.

mod disk;
mod image;

pub use disk::{MemoryDisk, MemoryJournal};
