//! When a match's ticks are due.

use std::time::{Duration, Instant};

use matchkeep_shared::limits::CATCH_UP_MAX;
use matchkeep_shared::time::{Tick, TickRate};

/// The deadlines of one match: tick `base + n` is due at `origin + n` periods.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    origin: Instant,
    base: Tick,
    rate: TickRate,
}

/// The golden ratio's fraction: its multiples spread evenly over a period, however many matches there are.
const STAGGER: f64 = 0.618_033_988_749_894_9;

impl Schedule {
    /// For the `nth` match of a shard that started at `epoch`, `base` steps of it made already: the ticks of
    /// different matches fall on different parts of the period, so that the work is spread.
    pub(super) fn new(rate: TickRate, base: Tick, now: Instant, epoch: Instant, nth: u64) -> Self {
        let period = rate.period();
        let phase = period.mul_f64((nth as f64 * STAGGER).fract());
        let into_period =
            Duration::from_nanos(((now - epoch).as_nanos() % period.as_nanos().max(1)) as u64);
        let wait =
            if phase >= into_period { phase - into_period } else { phase + period - into_period };
        Self { origin: now + wait, base, rate }
    }

    /// When this tick's step should start.
    pub(super) fn deadline(&self, tick: Tick) -> Instant {
        self.origin + self.rate.elapsed(tick.0.saturating_sub(self.base.0))
    }

    /// After a pause: `tick` is due now, if it was due before, and the match's time shifts by so much.
    pub(super) fn go_on(&mut self, tick: Tick, now: Instant) {
        self.origin += now.saturating_duration_since(self.deadline(tick));
    }

    /// Gives up the deadlines that are further behind than can be caught up with, `tick` being the next;
    /// says how many. The match's time shifts by so much.
    pub(super) fn give_up(&mut self, tick: Tick, now: Instant) -> u64 {
        let behind = now.saturating_duration_since(self.deadline(tick));
        if behind <= CATCH_UP_MAX {
            return 0;
        }
        let skipped = self.rate.ticks_in(behind - CATCH_UP_MAX);
        self.origin += self.rate.elapsed(skipped);
        skipped
    }

    /// How long before (positive) or after (negative) its deadline a tick's input arrives at `now`, in
    /// units of 100 us.
    pub(super) fn margin_100us(&self, tick: Tick, now: Instant) -> i16 {
        let deadline = self.deadline(tick);
        let units = |d: Duration| i16::try_from(d.as_micros() / 100).unwrap_or(i16::MAX);
        match deadline.checked_duration_since(now) {
            Some(early) => units(early),
            None => -units(now - deadline),
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an arbitrary origin for made-up times")]
mod tests {
    use super::*;

    #[test]
    fn matches_are_spread_over_the_period() {
        let epoch = Instant::now();
        let now = epoch + Duration::from_millis(1234);
        let rate = TickRate::default();
        let period = rate.period();
        let mut phases: Vec<Duration> = (0..50)
            .map(|nth| Schedule::new(rate, Tick(0), now, epoch, nth).deadline(Tick(0)) - now)
            .collect();
        assert!(phases.iter().all(|phase| *phase <= period));
        phases.sort();
        let widest = phases.windows(2).map(|w| w[1] - w[0]).max().expect("fifty of them");
        assert!(widest < period / 15, "widest gap {widest:?}");
    }

    #[test]
    fn up_to_100_ms_are_caught_up_and_the_rest_given_up() {
        let epoch = Instant::now();
        let mut schedule = Schedule::new(TickRate::default(), Tick(0), epoch, epoch, 0);
        let due = schedule.deadline(Tick(7));
        assert_eq!(schedule.give_up(Tick(7), due + CATCH_UP_MAX), 0);
        assert_eq!(schedule.deadline(Tick(7)), due);
        let skipped = schedule.give_up(Tick(7), due + Duration::from_millis(500));
        assert_eq!(skipped, 24, "400 ms are 24 ticks");
        assert_eq!(schedule.deadline(Tick(7)), due + Duration::from_millis(400));
    }

    #[test]
    fn the_margin_is_positive_before_the_deadline() {
        let epoch = Instant::now();
        let schedule = Schedule::new(TickRate::default(), Tick(0), epoch, epoch, 0);
        let due = schedule.deadline(Tick(3));
        assert_eq!(schedule.margin_100us(Tick(3), due - Duration::from_millis(2)), 20);
        assert_eq!(schedule.margin_100us(Tick(3), due + Duration::from_millis(3)), -30);
        assert_eq!(schedule.margin_100us(Tick(3), due + Duration::from_secs(3600)), -i16::MAX);
    }

    #[test]
    fn a_match_that_goes_on_is_due_from_its_own_tick_on() {
        let epoch = Instant::now();
        let now = epoch + Duration::from_secs(9);
        let mut schedule = Schedule::new(TickRate::default(), Tick(1 << 40), now, epoch, 1);
        let due = schedule.deadline(Tick((1 << 40) + 1));
        assert!(due > now && due <= now + 2 * TickRate::default().period());
        schedule.go_on(Tick((1 << 40) + 1), due + Duration::from_secs(5));
        assert_eq!(schedule.deadline(Tick((1 << 40) + 1)), due + Duration::from_secs(5));
    }
}
