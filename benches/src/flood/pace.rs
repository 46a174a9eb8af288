//! So many a second, evenly, in small bursts: an attacker that spins would take the core from the bots.

use std::time::{Duration, Instant};

/// From one burst to the next.
const EVERY: Duration = Duration::from_millis(1);
/// What an attacker that had no processor makes up for; the rest of its delay is given up.
const BEHIND_MAX: Duration = Duration::from_millis(100);
/// What is handed out at once at the most, as a time of the pace: a longer delay is made up for in several bursts.
const BURST_MAX: Duration = Duration::from_millis(10);
/// A delay is made up for at so many times the pace.
const CATCH_UP: u32 = 2;

/// A rate, kept from when it was begun.
#[derive(Debug)]
pub struct Pace {
    per_second: u64,
    /// Up to when what is due was handed out.
    paid: Instant,
    /// When it was asked last.
    asked: Instant,
    next: Instant,
}

impl Pace {
    /// From now on.
    pub fn new(per_second: u64) -> Self {
        let now = Instant::now();
        Self { per_second: per_second.max(1), paid: now, asked: now, next: now }
    }

    /// Waits for the next burst; says how many are due by then.
    pub fn wait(&mut self) -> u64 {
        let now = Instant::now();
        self.next = (self.next + EVERY).max(now);
        std::thread::sleep(self.next - now);
        self.due(Instant::now())
    }

    /// How many are due, since it was asked last.
    fn due(&mut self, now: Instant) -> u64 {
        let period = Duration::from_nanos(1_000_000_000 / self.per_second);
        let behind_max = BEHIND_MAX.max(2 * period);
        if now.saturating_duration_since(self.paid) > behind_max {
            self.paid = now - behind_max;
        }
        let since_asked = now.saturating_duration_since(self.asked);
        self.asked = now;
        let at_once = (CATCH_UP * since_asked).min(BURST_MAX).max(2 * period);
        let behind = now.saturating_duration_since(self.paid).min(at_once);
        let due = behind.as_nanos() as u64 * self.per_second / 1_000_000_000;
        self.paid += Duration::from_nanos(due * 1_000_000_000 / self.per_second);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_kept_whatever_the_steps_and_a_long_delay_is_given_up() {
        let mut pace = Pace::new(50_000);
        let begun = pace.paid;
        let at = |us: u64| begun + Duration::from_micros(us);
        let made: u64 = (1..=700).map(|step| pace.due(at(step * 1430))).sum();
        assert!((50_040..=50_060).contains(&made), "{made} in 1.001 s");
        let after = at(700 * 1430) + Duration::from_secs(9);
        let bursts: Vec<u64> =
            (0..200).map(|ms| pace.due(after + Duration::from_millis(ms))).collect();
        assert_eq!(bursts[..3], [500, 100, 100], "10 ms of it at once, then twice the pace");
        let made: u64 = bursts.iter().sum();
        assert!((14_940..=14_960).contains(&made), "{made} in 199 ms, 100 ms of delay among them");
    }

    #[test]
    fn a_delay_of_some_milliseconds_costs_nothing() {
        let mut pace = Pace::new(50_000);
        let begun = pace.paid;
        // The processor is away for 30 ms out of 60.
        let steps = (0..1000_u64).filter(|ms| ms % 60 < 30);
        let made: u64 = steps.map(|ms| pace.due(begun + Duration::from_millis(ms))).sum();
        assert!(made >= 49_000, "{made} in a second");
    }

    #[test]
    fn less_than_one_a_step_comes_to_the_same() {
        let mut pace = Pace::new(60);
        let begun = pace.paid;
        let made: u64 = (1..=1000).map(|ms| pace.due(begun + Duration::from_millis(ms))).sum();
        assert!((59..=60).contains(&made), "{made}");
    }
}
