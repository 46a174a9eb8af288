//! What a shard says it is at, for a watchdog.
//!
//! Owns: a beat before and after everything that runs a game's code. Must not know: who looks, and what follows.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use matchkeep_shared::ids::MatchId;
use matchkeep_shared::time::Tick;

/// Written by a shard's thread alone, read by others.
#[derive(Debug, Default)]
pub struct Heartbeat {
    /// Odd while a game's code runs.
    beats: AtomicU64,
    /// One piece of it may run within another.
    depth: AtomicU32,
    match_id: AtomicU64,
    tick: AtomicU64,
}

impl Heartbeat {
    /// Runs what runs the code of this match's game: its step to `tick`, or something before that.
    pub fn during<T>(&self, match_id: MatchId, tick: Tick, work: impl FnOnce() -> T) -> T {
        /// What panics is over, too: nobody takes it for hanging.
        struct Running<'a>(&'a Heartbeat);
        impl Drop for Running<'_> {
            fn drop(&mut self) {
                self.0.end();
            }
        }
        self.begin(match_id, tick);
        let _running = Running(self);
        work()
    }

    /// A game's code begins to run.
    fn begin(&self, match_id: MatchId, tick: Tick) {
        self.match_id.store(match_id.0, Ordering::Relaxed);
        self.tick.store(tick.0, Ordering::Relaxed);
        let outer = self.depth.load(Ordering::Relaxed);
        self.depth.store(outer + 1, Ordering::Relaxed);
        self.beat(if outer == 0 { 1 } else { 2 });
    }

    /// It came back.
    fn end(&self) {
        let outer = self.depth.load(Ordering::Relaxed).saturating_sub(1);
        self.depth.store(outer, Ordering::Relaxed);
        self.beat(if outer == 0 { 1 } else { 2 });
    }

    fn beat(&self, beats: u64) {
        // Whoever sees the beat sees what it is for. One thread writes: no addition is lost.
        self.beats.store(self.beats.load(Ordering::Relaxed) + beats, Ordering::Release);
    }

    /// How often it beat.
    #[cfg(test)]
    pub(crate) fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// What runs: its beat, match and tick.
    pub fn running(&self) -> Option<(u64, MatchId, Tick)> {
        let beats = self.beats.load(Ordering::Acquire);
        let match_id = MatchId(self.match_id.load(Ordering::Relaxed));
        let tick = Tick(self.tick.load(Ordering::Relaxed));
        (beats % 2 == 1).then_some((beats, match_id, tick))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_within_another_is_a_beat_of_its_own() {
        let heartbeat = Heartbeat::default();
        let running = || heartbeat.running().map(|(_, match_id, tick)| (match_id.0, tick.0));
        let beat = || heartbeat.running().map(|(beat, ..)| beat);
        assert_eq!(running(), None);
        heartbeat.during(MatchId(1), Tick(7), || {
            assert_eq!(running(), Some((1, 7)));
            let outer = beat();
            let inner = heartbeat.during(MatchId(2), Tick(8), || {
                assert_eq!(running(), Some((2, 8)));
                beat()
            });
            assert!(inner > outer && beat() > inner, "it goes on, and is seen to");
        });
        assert_eq!(running(), None);
    }

    #[test]
    fn what_panics_is_over() {
        let heartbeat = Heartbeat::default();
        let panics = std::panic::AssertUnwindSafe(|| {
            heartbeat.during(MatchId(1), Tick(7), || panic!("as it is meant to"));
        });
        assert!(std::panic::catch_unwind(panics).is_err());
        assert_eq!(heartbeat.running(), None);
    }
}
