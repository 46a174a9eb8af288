//! Where in its time a match is that is played again.
//!
//! Owns: how time passes there, and what keys do to it. Must not know: the match, and what a tick looks like.

use std::time::Duration;

use matchkeep_shared::time::{Tick, TickRate};

use super::key::Key;

/// The slowest that a match can be shown, as a share of its own time.
pub(in crate::cli) const SPEED_MIN: f64 = 0.05;
/// The fastest.
pub(in crate::cli) const SPEED_MAX: f64 = 64.0;
/// How far an arrow goes.
const SEEK: Duration = Duration::from_secs(5);

/// A place in a match's time.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Playhead {
    rate: TickRate,
    /// The last tick there is.
    newest: Tick,
    /// In ticks, the part of the next one included.
    at: f64,
    speed: f64,
    is_paused: bool,
    /// The last pass.
    passed: Option<Duration>,
}

impl Playhead {
    /// At the beginning of a match that goes to `newest`.
    pub(in crate::cli) fn new(rate: TickRate, newest: Tick, speed: f64) -> Self {
        let speed = speed.clamp(SPEED_MIN, SPEED_MAX);
        Self { rate, newest, at: 0.0, speed, is_paused: false, passed: None }
    }

    /// The tick to show.
    pub(super) fn tick(&self) -> Tick {
        Tick(self.at as u64).min(self.newest)
    }

    /// The last tick there is.
    pub(super) fn newest(&self) -> Tick {
        self.newest
    }

    /// How fast it goes, as a share of its own time.
    pub(super) fn speed(&self) -> f64 {
        self.speed
    }

    /// Whether it stands still on somebody's word.
    pub(super) fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Whether nothing comes after this.
    pub(super) fn is_at_end(&self) -> bool {
        self.tick() == self.newest
    }

    /// How long into the match a tick is.
    pub(super) fn time(&self, tick: Tick) -> Duration {
        self.rate.elapsed(tick.0)
    }

    /// The match went on meanwhile.
    pub(super) fn extend(&mut self, newest: Tick) {
        self.newest = self.newest.max(newest);
    }

    /// The match has less than was thought, or cannot be shown any further.
    pub(super) fn stand_still(&mut self) {
        self.is_paused = true;
    }

    /// Time passes; `now` never goes back.
    pub(super) fn pass(&mut self, now: Duration) {
        let before = self.passed.replace(now).unwrap_or(now);
        if !self.is_paused {
            let seconds = now.saturating_sub(before).as_secs_f64();
            self.go_to(self.at + seconds * self.rate.hz() as f64 * self.speed);
        }
    }

    /// Does what a key means for time.
    pub(super) fn press(&mut self, key: Key) {
        let seek = self.rate.ticks_in(SEEK) as f64;
        let whole = self.tick().0 as f64;
        match key {
            // At the end there is nothing to go on to but the beginning.
            Key::Character(' ') if self.is_at_end() && self.is_paused => {
                self.go_to(0.0);
                self.is_paused = false;
            }
            Key::Character(' ') => self.is_paused = !self.is_paused,
            Key::Left => self.go_to(self.at - seek),
            Key::Right => self.go_to(self.at + seek),
            Key::Home => self.go_to(0.0),
            Key::End => self.go_to(self.newest.0 as f64),
            Key::Character('.') => self.step_to(whole + 1.0),
            Key::Character(',') => self.step_to(whole - 1.0),
            Key::Character('+' | '=') => self.speed = (self.speed * 2.0).min(SPEED_MAX),
            Key::Character('-') => self.speed = (self.speed / 2.0).max(SPEED_MIN),
            _ => {}
        }
    }

    /// A single step is looked at.
    fn step_to(&mut self, at: f64) {
        self.is_paused = true;
        self.go_to(at);
    }

    fn go_to(&mut self, at: f64) {
        self.at = at.clamp(0.0, self.newest.0 as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn playhead() -> Playhead {
        let mut playhead = Playhead::new(TickRate::default(), Tick(1000), 1.0);
        playhead.pass(Duration::from_secs(50));
        playhead
    }

    #[test]
    fn time_passes_as_fast_as_is_wanted_and_ends_at_the_end() {
        let mut playhead = playhead();
        let hz = TickRate::default().hz();
        playhead.pass(Duration::from_secs(51));
        assert_eq!(playhead.tick(), Tick(hz));
        playhead.press(Key::Character('+'));
        playhead.pass(Duration::from_secs(52));
        assert_eq!(playhead.tick(), Tick(3 * hz));
        playhead.press(Key::Character(' '));
        playhead.pass(Duration::from_secs(99));
        assert_eq!((playhead.tick(), playhead.is_paused()), (Tick(3 * hz), true));
        playhead.press(Key::Character(' '));
        playhead.pass(Duration::from_secs(999));
        assert!(playhead.is_at_end());
        playhead.extend(Tick(1200));
        playhead.extend(Tick(5));
        assert_eq!((playhead.is_at_end(), playhead.newest()), (false, Tick(1200)));
    }

    #[test]
    fn keys_go_anywhere_and_never_beyond() {
        let mut playhead = playhead();
        let seek = TickRate::default().ticks_in(SEEK);
        playhead.press(Key::Left);
        playhead.press(Key::Character(','));
        assert_eq!((playhead.tick(), playhead.is_paused()), (Tick(0), true));
        playhead.press(Key::Right);
        playhead.press(Key::Character('.'));
        assert_eq!(playhead.tick(), Tick(seek + 1));
        playhead.press(Key::Left);
        assert_eq!(playhead.tick(), Tick(1));
        playhead.press(Key::End);
        playhead.press(Key::Character('.'));
        assert_eq!(playhead.tick(), Tick(1000));
        playhead.press(Key::Character(' '));
        assert_eq!((playhead.tick(), playhead.is_paused()), (Tick(0), false), "from the start");
        for (key, end) in [('+', SPEED_MAX), ('-', SPEED_MIN)] {
            for _ in 0..20 {
                playhead.press(Key::Character(key));
            }
            assert_eq!(playhead.speed(), end);
        }
    }
}
