//! What the tests of the whole share: a server in this process with real sockets and a real database,
//! clients that play by the rules and clients that do not, and every decoder of network bytes as a
//! function that fuzzers and tests call alike.
//!
//! [`memory_journal`] is a disk that fails by seed, and [`journal_play`] what is played onto it.
//!
//! The tests themselves are in `it/` (one binary, a module for each subject), `allocations/` (a binary of
//! its own, because its allocator counts) and `disks/` (real disks that fail; a binary of its own, because
//! nothing else can be measured beside it). `fuzz/` beside this package calls [`decoders`].

pub mod corpora;
pub mod decoders;
pub mod fragile;
pub mod impostor;
pub mod journal_play;
pub mod link;
pub mod memory_journal;
pub mod player;
pub mod process;
pub mod raw;
pub mod recorded;
pub mod recordings;
pub mod relay;
pub mod samples;
pub mod server;
pub mod sim;
pub mod watch;

use std::io::Write;
use std::time::Duration;

/// Waits for `future` and fails the test where it takes longer than `seconds`: generous, so that a
/// busy machine is no failure, and finite, so that a hang is one.
///
/// # Panics
/// Where the time is up.
pub async fn within<T>(seconds: u64, what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(seconds), future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: not within {seconds} s"),
    }
}

/// Says on the screen what a test left out, and why. Past `eprintln!`, which is kept from the screen where the test passes.
pub fn say_skipped(what: &str) {
    // A screen that is gone fails no test.
    let _ = std::io::stderr().write_all(format!("SKIPPED: {what}\n").as_bytes());
}
