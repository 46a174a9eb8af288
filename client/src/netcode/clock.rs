//! When the input of a tick must be made, so that it arrives shortly before the server needs it.
//!
//! Snapshots tell how the server's ticks lie on this client's clock: the one that took least time on the
//! way is nearest to the truth. The server tells in each of them how early the newest input came; the
//! lead follows that. (A full dilation of the client's clock comes with prediction.)

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use matchkeep_shared::limits::INPUT_AHEAD_TICKS_MAX;
use matchkeep_shared::time::{Tick, TickRate};
use matchkeep_shared::wire::snapshot::InputFeedback as Feedback;

/// Snapshots whose arrival times are remembered.
const SAMPLES: usize = 64;
/// How early an input should be, as a part of a tick, beside what the network's jitter asks for.
const MARGIN_TICKS: f64 = 0.5;
/// How much earlier than needed inputs are made at least: timers of a runtime are a millisecond coarse.
const MARGIN_MIN: Duration = Duration::from_millis(6);
/// Part of a margin's error that is corrected per snapshot when inputs come early.
const GAIN_DOWN: f64 = 0.02;
/// The same when they come late: at once, nearly.
const GAIN_UP: f64 = 0.4;
/// Ticks that are made up for after a pause of this client; what is older is left out.
const BACKLOG_TICKS_MAX: i64 = 4;

/// One client's idea of the server's ticks.
pub(super) struct TickClock {
    rate: TickRate,
    /// What ticks are counted from here: a clock that began after the match has no moment for tick 0.
    base: Tick,
    /// For each of the last snapshots that none after it was quicker than: its number, and when the tick
    /// `base` would have arrived, going by it. Both ascend.
    origins: VecDeque<(u64, Instant)>,
    /// The earliest of them: the quickest snapshot of late.
    origin: Instant,
    /// Snapshots observed.
    observed: u64,
    /// How long before a tick's snapshot would arrive its input is made.
    lead: Duration,
    lead_is_measured: bool,
    /// The newest tick whose input was asked for.
    asked: Tick,
    started: bool,
}

impl TickClock {
    pub(super) fn new(rate: TickRate, tick: Tick, now: Instant) -> Self {
        Self {
            rate,
            base: tick,
            origins: VecDeque::with_capacity(SAMPLES),
            origin: now,
            observed: 0,
            lead: Self::margin(rate),
            lead_is_measured: false,
            asked: tick,
            started: false,
        }
    }

    fn margin(rate: TickRate) -> Duration {
        rate.period().mul_f64(MARGIN_TICKS).max(MARGIN_MIN)
    }

    /// Whether the server's feedback is still to come, and a round trip would help until then.
    pub(super) fn needs_round_trip(&self) -> bool {
        !self.lead_is_measured
    }

    /// A first idea of the lead, until the server's feedback is there.
    pub(super) fn set_round_trip(&mut self, round_trip: Duration) {
        if !self.lead_is_measured {
            self.lead = round_trip + Self::margin(self.rate);
        }
    }

    /// The snapshot of `tick` arrived at `now`; `feedback` where it speaks of inputs of ours.
    pub(super) fn observe(&mut self, tick: Tick, now: Instant, feedback: Option<Feedback>) {
        let since = tick.since(self.base);
        let Some(origin) =
            u64::try_from(since).ok().and_then(|since| now.checked_sub(self.rate.elapsed(since)))
        else {
            return;
        };
        // A server that gave up deadlines shifted its time: all that was known is void.
        let shifted = origin > self.origin + 4 * self.rate.period() + self.lead;
        if !self.started || shifted {
            self.origins.clear();
            self.asked = self.asked.max(tick);
        }
        self.started = true;
        self.observed += 1;
        while self.origins.back().is_some_and(|(_, slower)| *slower >= origin) {
            self.origins.pop_back();
        }
        self.origins.push_back((self.observed, origin));
        let oldest = self.observed.saturating_sub(SAMPLES as u64);
        while self.origins.front().is_some_and(|(number, _)| *number <= oldest) {
            self.origins.pop_front();
        }
        self.origin = self.origins.front().map_or(origin, |(_, quickest)| *quickest);

        if let Some(feedback) = feedback
            && feedback.newest_applied_age.is_some_and(|age| u64::from(age) < self.rate.hz())
        {
            self.lead_is_measured = true;
            let margin = f64::from(feedback.margin_100us) / 10_000.0;
            let error = Self::margin(self.rate).as_secs_f64() - margin;
            let gain =
                if error > 0.0 && feedback.substituted & 0b11 != 0 { GAIN_UP } else { GAIN_DOWN };
            let most = self.rate.elapsed(INPUT_AHEAD_TICKS_MAX / 2);
            let lead = self.lead.as_secs_f64() + error * gain;
            self.lead = Duration::from_secs_f64(lead.max(0.0)).min(most);
        }
    }

    /// The match went back to `tick`: its inputs are asked for anew.
    pub(super) fn restart(&mut self, tick: Tick) {
        self.base = self.base.min(tick);
        self.asked = tick;
        self.started = false;
    }

    /// The match went on elsewhere or later than it would have: the next snapshot says when its ticks are,
    /// at this rate.
    pub(super) fn resume(&mut self, rate: TickRate) {
        self.rate = rate;
        self.started = false;
    }

    fn due(&self, tick: Tick) -> Instant {
        let arrives = self.origin + self.rate.elapsed(tick.0.saturating_sub(self.base.0));
        arrives.checked_sub(self.lead).unwrap_or(arrives)
    }

    /// When the next input is due; `None` before the first snapshot.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.started.then(|| self.due(self.asked + 1))
    }

    /// The next tick whose input is due, once.
    pub(super) fn poll_due(&mut self, now: Instant) -> Option<Tick> {
        if !self.started || self.due(self.asked + 1) > now {
            return None;
        }
        // After a pause of our own only the newest few still make sense.
        let behind = now.saturating_duration_since(self.due(self.asked + 1));
        let skip = self.rate.ticks_in(behind) as i64 - BACKLOG_TICKS_MAX;
        self.asked = self.asked + 1 + skip.max(0) as u64;
        Some(self.asked)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an arbitrary origin for made-up times")]
mod tests {
    use super::*;

    fn feedback(margin_100us: i16, substituted: u16) -> Feedback {
        Feedback { newest_applied_age: Some(0), substituted, margin_100us }
    }

    /// Plays `seconds` against a server whose tick `n` starts at `n` periods, over a link that takes
    /// `delay` each way; returns the share of inputs that came in time after the first second.
    fn share_in_time(delay: Duration, jitter: Duration, seconds: u64) -> f64 {
        let rate = TickRate::default();
        let start = Instant::now() + Duration::from_secs(10);
        let mut rng = matchkeep_shared::rng::Rng::new(3);
        let mut clock = TickClock::new(rate, Tick(0), start + delay);
        clock.set_round_trip(2 * delay);
        let mut arrivals: std::collections::BTreeMap<Tick, Instant> = Default::default();
        let (mut in_time, mut all) = (0, 0);
        let mut jittered = || delay + jitter.mul_f32(rng.unit());
        let mut snapshots: Vec<(Instant, Tick, Feedback)> = Vec::new();
        let step = Duration::from_micros(500);
        let mut now = start;
        let mut next_tick = Tick(1);
        while now < start + Duration::from_secs(seconds) {
            now += step;
            let deadline = start + rate.elapsed(next_tick.0);
            if deadline <= now {
                let came = arrivals.get(&next_tick).is_some_and(|at| *at <= deadline);
                if next_tick.0 > rate.hz() {
                    all += 1;
                    in_time += u64::from(came);
                }
                let newest = arrivals.iter().rfind(|(_, at)| **at <= now);
                let margin = newest.map_or(0, |(tick, at)| {
                    let due = start + rate.elapsed(tick.0);
                    let early = due.saturating_duration_since(*at).as_micros() as i64;
                    let late = at.saturating_duration_since(due).as_micros() as i64;
                    ((early - late) / 100) as i16
                });
                snapshots.push((now + jittered(), next_tick, feedback(margin, u16::from(!came))));
                next_tick = next_tick + 1;
            }
            snapshots.retain(|(at, tick, feedback)| {
                if *at <= now {
                    clock.observe(*tick, now, Some(*feedback));
                }
                *at > now
            });
            while let Some(tick) = clock.poll_due(now) {
                arrivals.insert(tick, now + jittered());
            }
        }
        in_time as f64 / all as f64
    }

    #[test]
    fn inputs_come_in_time_on_a_quick_and_on_a_slow_link() {
        for ms in [0, 5, 40, 150] {
            let share = share_in_time(Duration::from_millis(ms), Duration::ZERO, 10);
            assert!(share > 0.995, "{ms} ms: {share}");
        }
    }

    #[test]
    fn inputs_come_in_time_through_jitter() {
        let share = share_in_time(Duration::from_millis(30), Duration::from_millis(6), 20);
        assert!(share > 0.95, "{share}");
    }

    #[test]
    fn after_a_pause_only_the_newest_inputs_are_asked_for() {
        let start = Instant::now() + Duration::from_secs(10);
        let mut clock = TickClock::new(TickRate::default(), Tick(100), start);
        clock.observe(Tick(100), start, None);
        while clock.poll_due(start).is_some() {}
        let asked: Vec<_> =
            std::iter::from_fn(|| clock.poll_due(start + Duration::from_secs(1))).collect();
        assert!((4..=5).contains(&asked.len()), "{asked:?}");
        assert!(asked[0] > Tick(150));
    }
}
