//! Work that strangers ask for: it waits until there is time for it before the next deadline.
//!
//! Owns: when such work is done, and what becomes of what waits too long. Must not know: what the work is.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use matchkeep_shared::limits::HANDSHAKE_FORGOTTEN;

/// What waits, the oldest first. It is taken one at a time.
pub(super) struct Waiting<T> {
    cost: Duration,
    wait_max: Duration,
    queue: VecDeque<(Instant, T)>,
}

impl<T> Waiting<T> {
    /// Nothing waits. Each piece of this work takes about so long, and is done without time for it when it has
    /// waited for `wait_max`.
    pub(super) fn new(cost: Duration, wait_max: Duration) -> Self {
        Self { cost, wait_max, queue: VecDeque::new() }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// The last to be served.
    pub(super) fn push(&mut self, now: Instant, work: T) {
        self.queue.push_back((now, work));
    }

    /// The oldest, whether there is time or not.
    pub(super) fn pop(&mut self) -> Option<T> {
        self.queue.pop_front().map(|(_, work)| work)
    }

    /// The oldest, if there is time for it before `deadline` or it waited too long.
    pub(super) fn next(&mut self, now: Instant, deadline: Option<Instant>) -> Option<T> {
        if self.ready_at(now, deadline)? <= now { self.pop() } else { None }
    }

    /// One that has waited so long that its client will have tried again, or will.
    pub(super) fn forgotten(&mut self, now: Instant) -> Option<T> {
        let (since, _) = self.queue.front()?;
        let waited = now.saturating_duration_since(*since);
        if waited >= HANDSHAKE_FORGOTTEN { self.pop() } else { None }
    }

    /// When the oldest can be served: now where there is time before `deadline`, else when it has waited long
    /// enough to be served regardless.
    pub(super) fn ready_at(&self, now: Instant, deadline: Option<Instant>) -> Option<Instant> {
        let (since, _) = self.queue.front()?;
        let has_time = deadline.is_none_or(|deadline| deadline >= now + self.cost);
        Some(if has_time { now } else { *since + self.wait_max })
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an arbitrary origin for made-up times")]
mod tests {
    use super::*;

    const COST: Duration = Duration::from_micros(300);
    const WAIT_MAX: Duration = Duration::from_millis(50);

    #[test]
    fn work_waits_for_time_and_not_for_ever() {
        let now = Instant::now();
        let mut waiting = Waiting::new(COST, WAIT_MAX);
        assert_eq!(waiting.ready_at(now, None), None);
        waiting.push(now, 'a');
        waiting.push(now, 'b');
        let soon = Some(now + COST / 2);
        assert_eq!(waiting.next(now, soon), None);
        assert_eq!(waiting.ready_at(now, soon), Some(now + WAIT_MAX));
        assert_eq!(waiting.next(now, Some(now + COST)), Some('a'));
        let late = now + WAIT_MAX;
        assert_eq!(waiting.next(late, Some(late)), Some('b'), "overdue");
        assert_eq!(waiting.next(late, None), None);
    }

    #[test]
    fn what_waited_too_long_is_forgotten_the_oldest_first() {
        let now = Instant::now();
        let mut waiting = Waiting::new(COST, WAIT_MAX);
        waiting.push(now, 'a');
        waiting.push(now + Duration::from_millis(1), 'b');
        let late = now + HANDSHAKE_FORGOTTEN;
        assert_eq!(waiting.forgotten(late - Duration::from_nanos(1)), None);
        assert_eq!(waiting.forgotten(late), Some('a'));
        assert_eq!(waiting.forgotten(late), None);
        assert_eq!(waiting.len(), 1);
    }
}
