//! A figure over the last minute: the largest of each second.
//!
//! Owns: which seconds there are. Must not know: what the figure is, and how it is drawn.

use std::time::Duration;

/// Seconds that are kept.
pub(super) const SECONDS: usize = 60;

/// What was seen in the last minute.
#[derive(Clone, Debug)]
pub(super) struct Minute {
    /// By second, modulo [`SECONDS`].
    seconds: [Option<u64>; SECONDS],
    /// The newest second.
    newest: u64,
}

impl Default for Minute {
    fn default() -> Self {
        Self { seconds: [None; SECONDS], newest: 0 }
    }
}

impl Minute {
    /// Takes a figure at a time, which never goes back.
    pub(super) fn push(&mut self, now: Duration, value: f64) {
        let second = now.as_secs();
        let passed = second.saturating_sub(self.newest).min(SECONDS as u64);
        for past in 0..passed {
            self.seconds[place(second - past)] = None;
        }
        self.newest = self.newest.max(second);
        let seen = &mut self.seconds[place(self.newest)];
        // `as` saturates, and nothing is below 0.
        *seen = Some(seen.unwrap_or(0).max(value.round() as u64));
    }

    /// The minute in at most so many steps, oldest first; `None` where nothing was seen.
    pub(super) fn steps(&self, steps: usize) -> Vec<Option<u64>> {
        let first = self.newest + 1;
        let by_age: Vec<_> = (0..SECONDS as u64).map(|n| self.seconds[place(first + n)]).collect();
        let each = SECONDS.div_ceil(steps.clamp(1, SECONDS));
        // The newest second ends the last step.
        by_age.rchunks(each).rev().map(|chunk| chunk.iter().copied().flatten().max()).collect()
    }

    /// The largest of all.
    pub(super) fn max(&self) -> u64 {
        self.seconds.iter().copied().flatten().max().unwrap_or(0)
    }
}

fn place(second: u64) -> usize {
    (second % SECONDS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_holds_the_largest_of_each_second_and_forgets_older_ones() {
        let mut minute = Minute::default();
        let at = Duration::from_millis;
        minute.push(at(100), 5.0);
        minute.push(at(900), 9.0);
        minute.push(at(950), 7.0);
        minute.push(at(3000), 2.0);
        let steps = minute.steps(SECONDS);
        assert_eq!(steps[SECONDS - 4..], [Some(9), None, None, Some(2)]);
        assert_eq!((steps.len(), minute.max()), (SECONDS, 9));
        minute.push(at(62_000), 1.0);
        assert_eq!((minute.max(), minute.steps(SECONDS)[0]), (2, Some(2)), "59 seconds ago");
        minute.push(at(400_000), 4.0);
        assert_eq!(minute.steps(SECONDS).iter().flatten().count(), 1);
    }

    #[test]
    fn fewer_steps_hold_more_seconds_each() {
        let mut minute = Minute::default();
        for second in 0..60 {
            minute.push(Duration::from_secs(second), second as f64);
        }
        assert_eq!(minute.steps(2), [Some(29), Some(59)]);
        assert_eq!(minute.steps(40).len(), 30);
        assert_eq!(minute.steps(7), [5, 14, 23, 32, 41, 50, 59].map(Some));
        assert_eq!(minute.steps(0), [Some(59)]);
    }
}
