//! Work that strangers ask for: it waits until there is time for it before the next deadline.
//!
//! Owns: when such work is done, and what becomes of what waits too long. Must not know: what the work is.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use matchkeep_shared::limits::HANDSHAKE_FORGOTTEN;

/// What waits, the oldest first. It is taken one at a time.
pub(super) struct Waiting<T> {
    /// What each piece of the work takes, about.
    cost: Duration,
    /// As many as may wait.
    max: usize,
    queue: VecDeque<(Instant, T)>,
}

/// How much time there is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spare {
    /// When something more important is due, if anything is.
    pub(super) deadline: Option<Instant>,
    /// What waited this long is served without time for it.
    pub(super) wait_max: Duration,
}

impl<T> Waiting<T> {
    /// Nothing waits, and so many may.
    pub(super) fn new(cost: Duration, max: usize) -> Self {
        Self { cost, max, queue: VecDeque::new() }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// The last to be served; it waits since then. Where as many wait as may, the oldest goes for it.
    pub(super) fn push(&mut self, since: Instant, work: T) -> Option<T> {
        let gone = if self.queue.len() >= self.max { self.pop() } else { None };
        self.queue.push_back((since, work));
        gone
    }

    /// The oldest, whether there is time or not.
    pub(super) fn pop(&mut self) -> Option<T> {
        self.queue.pop_front().map(|(_, work)| work)
    }

    /// The oldest and since when it waits, if it can be served now.
    pub(super) fn next(&mut self, now: Instant, spare: Spare) -> Option<(Instant, T)> {
        if self.ready_at(now, spare)? <= now { self.queue.pop_front() } else { None }
    }

    /// One that has waited so long that its client will have tried again, or will.
    pub(super) fn forgotten(&mut self, now: Instant) -> Option<T> {
        let (since, _) = self.queue.front()?;
        let waited = now.saturating_duration_since(*since);
        if waited >= HANDSHAKE_FORGOTTEN { self.pop() } else { None }
    }

    /// When the oldest can be served: now where there is time before the deadline, or where no more may wait and it
    /// would only give way to another; else when it has waited long enough.
    pub(super) fn ready_at(&self, now: Instant, spare: Spare) -> Option<Instant> {
        let (since, _) = self.queue.front()?;
        let has_time = spare.deadline.is_none_or(|deadline| deadline >= now + self.cost);
        let is_full = self.queue.len() >= self.max;
        Some(if has_time || is_full { now } else { *since + spare.wait_max })
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an arbitrary origin for made-up times")]
mod tests {
    use super::*;

    const COST: Duration = Duration::from_micros(300);
    const WAIT_MAX: Duration = Duration::from_millis(50);

    fn before(deadline: Instant) -> Spare {
        Spare { deadline: Some(deadline), wait_max: WAIT_MAX }
    }

    #[test]
    fn work_waits_for_time_and_not_for_ever() {
        let now = Instant::now();
        let mut waiting = Waiting::new(COST, 9);
        assert_eq!(waiting.ready_at(now, before(now)), None);
        waiting.push(now, 'a');
        waiting.push(now, 'b');
        let soon = before(now + COST / 2);
        assert_eq!(waiting.next(now, soon), None);
        assert_eq!(waiting.ready_at(now, soon), Some(now + WAIT_MAX));
        assert_eq!(waiting.next(now, before(now + COST)), Some((now, 'a')));
        let late = now + WAIT_MAX;
        assert_eq!(waiting.next(late, before(late)), Some((now, 'b')), "overdue");
        assert_eq!(waiting.next(late, Spare { deadline: None, wait_max: WAIT_MAX }), None);
    }

    #[test]
    fn what_waited_too_long_is_forgotten_the_oldest_first() {
        let now = Instant::now();
        let mut waiting = Waiting::new(COST, 9);
        waiting.push(now, 'a');
        waiting.push(now + Duration::from_millis(1), 'b');
        let late = now + HANDSHAKE_FORGOTTEN;
        assert_eq!(waiting.forgotten(late - Duration::from_nanos(1)), None);
        assert_eq!(waiting.forgotten(late), Some('a'));
        assert_eq!(waiting.forgotten(late), None);
        assert_eq!(waiting.len(), 1);
    }

    #[test]
    fn where_no_more_may_wait_the_oldest_is_served_or_goes() {
        let now = Instant::now();
        let mut waiting = Waiting::new(COST, 2);
        assert_eq!(waiting.push(now, 'a'), None);
        assert_eq!(waiting.next(now, before(now)), None, "no time");
        assert_eq!(waiting.push(now, 'b'), None);
        assert_eq!(waiting.push(now, 'c'), Some('a'));
        assert_eq!(waiting.next(now, before(now)), Some((now, 'b')), "or nobody ever is");
        assert_eq!(waiting.next(now, before(now)), None);
    }
}
