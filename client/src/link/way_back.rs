//! When a player whose match fell silent tries to come back, and when no more. Knows times and outcomes;
//! what a try is, the core knows.
//!
//! ```text
//! Steady --silence--> Trying --refused: ask the lobby--> Asking --a ticket--> Trying
//!   ^                   |  ^------ back-off -----.
//!   '---- a welcome, a sign of life -------------'       each but Steady --no longer held--> given up
//! ```

use std::time::{Duration, Instant};

use matchkeep_shared::limits::{
    COME_BACK_AFTER, COME_BACK_AFTER_INTERVALS, COME_BACK_ANSWERED, COME_BACK_PAUSE_MAX,
    COME_BACK_PAUSE_MIN, COME_BACK_PROBE, IDLE_TIMEOUT,
};
use matchkeep_shared::rng::Rng;
use matchkeep_shared::time::TickRate;

/// By how much one pause is longer than the one before.
const PAUSE_GROWTH: f64 = 1.5;
/// Pauses are longer or shorter by up to this part, so that a crowd does not come back in step.
const PAUSE_JITTER: f32 = 0.2;
/// Who wakes later than this was away itself, and first reads what has come meanwhile.
const OWN_ABSENCE: Duration = Duration::from_millis(50);
/// The first flight of a try is given so many round trips to be answered, however short the pause.
const ROUND_TRIPS_MIN: u32 = 3;
/// After so many tries without an answer the lobby is asked as well.
const TRIES_BEFORE_LOBBY: u32 = 4;

/// What is to be done now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Nothing yet.
    Wait,
    /// Begin a try; one that is under way has had its time.
    Try,
    /// The try that is under way was answered and then no more: ask whether the server is still there. One
    /// that was started anew says at once that it is not.
    Probe,
    /// The place is no longer held.
    GiveUp,
}

/// What a player's session knows and the way back goes by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// The last sign of life.
    pub(super) heard: Instant,
    pub(super) rate: TickRate,
    /// For how long the place is held.
    pub(super) hold: Duration,
    /// There and back, as last measured.
    pub(super) round_trip: Duration,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// The match is heard of.
    Steady { not_before: Instant },
    /// A try is under way until `next`, or the pause after one that failed. Where it was answered, it asks
    /// again at `probe`.
    Trying { next: Instant, pause_until: Instant, probe: Option<Instant> },
    /// The lobby is asked.
    Asking,
    /// The match is over, says the server; the old connection may still tell how it ended.
    LastWord,
}

/// One player's way back.
#[derive(Debug)]
pub(super) struct WayBack {
    rng: Rng,
    tries: u32,
    phase: Phase,
}

impl Known {
    /// How long nothing may be heard before it is silence.
    fn silence(&self) -> Duration {
        COME_BACK_AFTER.max(self.rate.period() * COME_BACK_AFTER_INTERVALS)
    }

    /// Until when the place may be held: the server notices a loss only after its idle timeout.
    fn held_until(&self) -> Instant {
        self.heard + self.hold + IDLE_TIMEOUT
    }
}

impl WayBack {
    pub(super) fn new(now: Instant, seed: u64) -> Self {
        Self { rng: Rng::new(seed), tries: 0, phase: Phase::Steady { not_before: now } }
    }

    /// Whether a way back is looked for.
    pub(super) fn is_sought(&self) -> bool {
        !matches!(self.phase, Phase::Steady { .. })
    }

    /// Whether all is as if nothing had ever been amiss.
    pub(super) fn is_settled(&self) -> bool {
        self.tries == 0 && !self.is_sought()
    }

    /// Whether tries go unanswered, so many that the match may be elsewhere.
    pub(super) fn may_be_elsewhere(&self) -> bool {
        self.tries >= TRIES_BEFORE_LOBBY
    }

    /// Whether the server answers the try that is under way.
    pub(super) fn is_answered(&self, now: Instant) -> bool {
        matches!(self.phase, Phase::Trying { next, probe: Some(_), .. } if next > now)
    }

    /// Whether only the old connection can still tell how the match ended.
    pub(super) fn awaits_last_word(&self) -> bool {
        matches!(self.phase, Phase::LastWord)
    }

    /// Whether nothing is tried until the lobby answers.
    pub(super) fn is_asking(&self) -> bool {
        matches!(self.phase, Phase::Asking)
    }

    /// When to look again.
    pub(super) fn next(&self, known: &Known) -> Instant {
        match self.phase {
            Phase::Steady { not_before } => not_before.max(known.heard + known.silence()),
            Phase::Trying { next, probe, .. } => {
                probe.map_or(next, |probe| probe.min(next)).min(known.held_until())
            }
            Phase::Asking | Phase::LastWord => known.held_until(),
        }
    }

    /// Time passed.
    pub(super) fn poll(&mut self, now: Instant, known: &Known) -> Step {
        let due = self.next(known);
        if now < due {
            return Step::Wait;
        }
        if let Phase::Steady { not_before } = &mut self.phase {
            if now > due + OWN_ABSENCE {
                *not_before = now + OWN_ABSENCE;
                return Step::Wait;
            }
            return self.begin(now, known);
        }
        if now >= known.held_until() {
            return Step::GiveUp;
        }
        if let Phase::Trying { next, probe: Some(probe), .. } = &mut self.phase
            && now < *next
        {
            *probe = now + COME_BACK_PROBE;
            return Step::Probe;
        }
        self.begin(now, known)
    }

    /// The connection ended, or the lobby said where to go: a try begins at once.
    pub(super) fn try_now(&mut self, now: Instant, known: &Known) {
        self.begin(now, known);
    }

    fn begin(&mut self, now: Instant, known: &Known) -> Step {
        let pause_until = now + self.pause().max(known.round_trip * ROUND_TRIPS_MIN);
        self.tries += 1;
        self.phase = Phase::Trying { next: pause_until, pause_until, probe: None };
        Step::Try
    }

    /// How long the try that begins now may go unanswered.
    fn pause(&mut self) -> Duration {
        let grown = PAUSE_GROWTH.powi(self.tries.min(16) as i32);
        let pause = COME_BACK_PAUSE_MIN.mul_f64(grown).min(COME_BACK_PAUSE_MAX);
        pause.mul_f32(self.rng.range(1.0 - PAUSE_JITTER, 1.0 + PAUSE_JITTER))
    }

    /// The server answers the try that is under way: it is not cut off while it gets on. Before the
    /// connection stands (`is_open`) there is no asking whether the server is still there.
    pub(super) fn answered(&mut self, now: Instant, known: &Known, is_open: bool) {
        let patience = if is_open { COME_BACK_ANSWERED } else { COME_BACK_PAUSE_MIN };
        if let Phase::Trying { next, probe, .. } = &mut self.phase {
            *next = (*next).max(now + patience.max(known.round_trip * ROUND_TRIPS_MIN));
            *probe = Some(now + COME_BACK_PROBE.max(known.round_trip * 2));
        }
    }

    /// The try came to nothing; there will be another.
    pub(super) fn failed(&mut self, now: Instant) {
        if let Phase::Trying { next, pause_until, probe } = &mut self.phase {
            *next = (*pause_until).max(now);
            *probe = None;
        }
    }

    /// The connection ended while a try that was begun for another reason is under way: that one counts.
    pub(super) fn await_try(&mut self, now: Instant, known: &Known) {
        let next = now + COME_BACK_ANSWERED.max(known.round_trip * ROUND_TRIPS_MIN);
        self.phase = Phase::Trying { next, pause_until: now, probe: Some(now + COME_BACK_PROBE) };
    }

    /// The lobby is to say where the match is.
    pub(super) fn ask(&mut self) {
        self.phase = Phase::Asking;
    }

    /// Nothing is left but to hear what the old connection still has to say.
    pub(super) fn await_last_word(&mut self) {
        self.phase = Phase::LastWord;
    }

    /// A new connection was let in: its first snapshot is waited for like any other.
    pub(super) fn welcomed(&mut self, now: Instant) {
        self.phase = Phase::Steady { not_before: now };
    }

    /// Snapshots come.
    pub(super) fn recovered(&mut self, now: Instant) {
        self.tries = 0;
        self.phase = Phase::Steady { not_before: now };
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an arbitrary origin for made-up times")]
mod tests {
    use super::*;

    const HOLD: Duration = Duration::from_secs(30);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn known(heard: Instant) -> Known {
        Known { heard, rate: TickRate::default(), hold: HOLD, round_trip: ms(2) }
    }

    #[test]
    fn silence_is_300_ms_or_four_intervals() {
        let start = Instant::now();
        for (hz, silence) in [(60, ms(300)), (20, ms(300)), (128, ms(300))] {
            let rate = TickRate::try_from(hz).expect("allowed");
            let known = Known { rate, ..known(start) };
            let mut way = WayBack::new(start, 1);
            assert_eq!(way.next(&known), start + silence);
            assert_eq!(way.poll(start + silence - ms(1), &known), Step::Wait);
            assert!(!way.is_sought());
            assert_eq!(way.poll(start + silence, &known), Step::Try);
            assert!(way.is_sought());
        }
    }

    #[test]
    fn who_was_away_itself_listens_first() {
        let start = Instant::now();
        let mut way = WayBack::new(start, 1);
        assert_eq!(way.poll(start + ms(900), &known(start)), Step::Wait);
        let next = way.next(&known(start));
        assert!(next > start + ms(900) && next <= start + ms(950));
        assert_eq!(way.poll(next, &known(start)), Step::Try);
    }

    #[test]
    fn pauses_grow_within_their_bounds_and_two_players_do_not_keep_step() {
        let start = Instant::now();
        let pauses = |seed| {
            let mut way = WayBack::new(start, seed);
            let known = known(start);
            let mut at = start + ms(300);
            let mut pauses = Vec::new();
            while way.poll(at, &known) == Step::Try {
                let next = way.next(&known);
                pauses.push(next - at);
                at = next;
            }
            assert_eq!(at, start + HOLD + IDLE_TIMEOUT, "then it is given up");
            pauses.pop();
            pauses
        };
        let first = pauses(1);
        for (i, pause) in first.iter().enumerate() {
            let middle = COME_BACK_PAUSE_MIN.mul_f64(1.5_f64.powi(i.min(16) as i32));
            let middle = middle.min(COME_BACK_PAUSE_MAX);
            assert!(
                *pause >= middle.mul_f32(0.79) && *pause <= middle.mul_f32(1.21),
                "{i}: {pause:?}"
            );
        }
        assert!(first.len() > 40);
        assert_ne!(first, pauses(2));
        assert_eq!(first, pauses(1));
    }

    #[test]
    fn a_try_that_is_answered_is_not_cut_off() {
        let start = Instant::now();
        let mut way = WayBack::new(start, 1);
        way.try_now(start, &known(start));
        let known = known(start);
        way.answered(start + ms(100), &known, true);
        assert!(way.is_answered(start + ms(100)));
        assert_eq!(way.poll(start + ms(240), &known), Step::Wait);
        assert_eq!(way.poll(start + ms(250), &known), Step::Probe);
        assert_eq!(way.poll(start + ms(260), &known), Step::Wait);
        way.answered(start + ms(300), &known, true);
        assert_eq!(way.poll(start + ms(900), &known), Step::Probe);
        way.failed(start + ms(900));
        assert!(!way.is_answered(start + ms(900)));
        assert_eq!(way.poll(start + ms(900), &known), Step::Try);
    }

    #[test]
    fn a_try_whose_server_is_gone_again_asks_and_then_begins_anew() {
        let start = Instant::now();
        let mut way = WayBack::new(start, 1);
        let known = known(start);
        way.try_now(start, &known);
        way.answered(start + ms(5), &known, true);
        let mut probes = 0;
        let began = loop {
            let next = way.next(&known);
            match way.poll(next, &known) {
                Step::Probe => probes += 1,
                Step::Try => break next,
                step => panic!("{step:?}"),
            }
        };
        assert_eq!((probes, began), (4, start + ms(5) + COME_BACK_ANSWERED));
    }

    #[test]
    fn a_try_refused_at_once_waits_for_its_pause() {
        let start = Instant::now();
        let mut way = WayBack::new(start, 1);
        way.try_now(start, &known(start));
        way.answered(start + ms(5), &known(start), false);
        way.failed(start + ms(10));
        assert_eq!(way.poll(start + ms(300), &known(start)), Step::Wait);
        assert_eq!(way.poll(start + ms(500), &known(start)), Step::Try);
    }

    #[test]
    fn a_slow_network_has_time_to_answer() {
        let start = Instant::now();
        let known = Known { round_trip: ms(400), ..known(start) };
        let mut way = WayBack::new(start, 1);
        way.try_now(start, &known);
        assert!(way.next(&known) >= start + ms(1200));
    }

    #[test]
    fn the_lobby_is_waited_for_as_long_as_the_place_is_held() {
        let start = Instant::now();
        let known = known(start);
        let mut way = WayBack::new(start, 1);
        way.try_now(start, &known);
        way.ask();
        assert!(way.is_asking());
        let end = start + HOLD + IDLE_TIMEOUT;
        assert_eq!(way.next(&known), end);
        assert_eq!(way.poll(end - ms(1), &known), Step::Wait);
        assert_eq!(way.poll(end, &known), Step::GiveUp);
    }

    #[test]
    fn a_sign_of_life_makes_the_next_silence_a_first_one() {
        let start = Instant::now();
        let mut way = WayBack::new(start, 1);
        for i in 0..10 {
            way.poll(start + ms(300 + i * 1000), &known(start));
        }
        let later = start + ms(10_000);
        way.recovered(later);
        assert_eq!(way.poll(later + ms(300), &known(later)), Step::Try);
        assert!(way.next(&known(later)) < later + ms(300) + COME_BACK_PAUSE_MIN * 2);
    }
}
