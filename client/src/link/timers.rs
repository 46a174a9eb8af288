//! Deadlines of many connections or players in one heap, at most one live entry each. The server's shards keep
//! theirs in it too.
//!
//! Deadlines move with every packet, mostly later, or earlier by next to nothing. So an entry is left where
//! it is when its deadline moves later, and looked at again when it comes up; only one that is earlier by
//! more than the tolerance adds an entry.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// Deadlines by key.
#[derive(Debug)]
pub struct Timers {
    /// How much later than asked for an entry may come up.
    tolerance: Duration,
    heap: BinaryHeap<Reverse<(Instant, usize)>>,
    /// By key: the earliest entry in the heap that counts.
    armed: Vec<Option<Instant>>,
}

impl Timers {
    /// No deadlines.
    pub fn new(tolerance: Duration) -> Self {
        Self { tolerance, heap: BinaryHeap::new(), armed: Vec::new() }
    }

    /// The key's deadline is now this.
    pub fn arm(&mut self, key: usize, deadline: Option<Instant>) {
        if self.armed.len() <= key {
            self.armed.resize(key + 1, None);
        }
        let Some(deadline) = deadline else { return };
        if self.armed[key].is_none_or(|armed| deadline + self.tolerance < armed) {
            self.armed[key] = Some(deadline);
            self.heap.push(Reverse((deadline, key)));
        }
    }

    /// The key has no deadline any more.
    pub fn disarm(&mut self, key: usize) {
        if let Some(armed) = self.armed.get_mut(key) {
            *armed = None;
        }
    }

    /// A key whose entry came up; its deadline may have moved later, so look, and arm it again.
    pub fn pop_due(&mut self, now: Instant) -> Option<usize> {
        while let Some(Reverse((at, key))) = self.heap.peek().copied() {
            let live = self.armed[key] == Some(at);
            if live && at > now {
                return None;
            }
            self.heap.pop();
            if live {
                self.armed[key] = None;
                return Some(key);
            }
        }
        None
    }

    /// When the next entry comes up.
    pub fn earliest(&mut self) -> Option<Instant> {
        while let Some(Reverse((at, key))) = self.heap.peek().copied() {
            if self.armed[key] == Some(at) {
                return Some(at);
            }
            self.heap.pop();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin for made-up times")]
    fn keys_come_up_at_their_earliest_deadline_and_once() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::new(Duration::from_millis(2));
        timers.arm(1, Some(at(30)));
        timers.arm(2, Some(at(20)));
        timers.arm(1, Some(at(10)));
        timers.arm(1, Some(at(9)));
        timers.arm(1, Some(at(50)));
        timers.arm(3, Some(at(5)));
        timers.disarm(3);
        assert_eq!(timers.earliest(), Some(at(10)));
        assert_eq!(timers.pop_due(at(9)), None);
        assert_eq!(timers.pop_due(at(25)), Some(1));
        assert_eq!(timers.pop_due(at(25)), Some(2));
        assert_eq!(timers.pop_due(at(100)), None, "the entry at 30 was superseded");
        assert_eq!(timers.earliest(), None);
    }
}
