//! One player's inputs on their way into the match.
//!
//! | an input that is | is |
//! |---|---|
//! | there at its tick | applied |
//! | missing at its tick | substituted: the last held input for 100 ms, then a neutral one; presses never repeat |
//! | late | never applied to the past; its presses move to the next tick, once |
//! | early | kept, up to a bound; beyond it refused |
//! | there already | ignored |

use std::ops::AddAssign;

use matchkeep_shared::game::Input;
use matchkeep_shared::limits::{INPUT_AHEAD_TICKS_MAX, INPUT_HOLD};
use matchkeep_shared::time::{Tick, TickRate};
use matchkeep_shared::wire::snapshot::InputFeedback;
use serde::{Deserialize, Serialize};

/// How inputs fared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct InputCounts {
    /// Applied at their own tick.
    pub applied: u64,
    /// Ticks without an input, played with a held or neutral one.
    pub substituted: u64,
    /// Came after their tick.
    pub late: u64,
    /// Came again: the repetitions that guard against loss, mostly.
    pub duplicate: u64,
    /// For a tick too far ahead.
    pub refused: u64,
}

impl AddAssign for InputCounts {
    fn add_assign(&mut self, other: Self) {
        self.applied += other.applied;
        self.substituted += other.substituted;
        self.late += other.late;
        self.duplicate += other.duplicate;
        self.refused += other.refused;
    }
}

const RING: usize = INPUT_AHEAD_TICKS_MAX as usize;
/// Ticks of the past for which it is known whether their input came; what is older counts as late and
/// its presses are lost.
const PAST_TICKS: u64 = 64;

/// The inputs of one player, by tick.
#[derive(Clone, Debug)]
pub struct InputBuffer<I> {
    early: [Option<(Tick, I)>; RING],
    /// The last input applied at its own tick, and which tick that was.
    last: Option<(Tick, I)>,
    /// Presses of late inputs, for the next tick.
    carried: Option<I>,
    /// Bit `i`: the input of the tick `i` before the newest step came, in time or late.
    came: u64,
    /// Bit `i`: the tick `i` before the newest step was substituted.
    substituted: u16,
    newest_received: Option<Tick>,
    margin_100us: i16,
    hold_ticks: u64,
    /// Nothing before this tick is missed: the player was not there.
    since: Tick,
    counts: InputCounts,
}

impl<I: Input> InputBuffer<I> {
    /// For a player who joins when `now` steps were made.
    pub fn new(rate: TickRate, now: Tick) -> Self {
        Self {
            early: [None; RING],
            last: None,
            carried: None,
            came: u64::MAX,
            substituted: 0,
            newest_received: None,
            margin_100us: 0,
            hold_ticks: rate.ticks_in(INPUT_HOLD),
            since: now,
            counts: InputCounts::default(),
        }
    }

    /// The player is back on a new connection: what the old one sent ahead is void, what was held stays.
    pub fn restart(&mut self, now: Tick) {
        self.early = [None; RING];
        self.carried = None;
        self.came = u64::MAX;
        self.substituted = 0;
        self.newest_received = None;
        self.margin_100us = 0;
        self.since = now;
    }

    /// Takes the inputs of one datagram, newest first, when `now` steps were made. `margin_100us` is
    /// asked once, for the newest input there ever was.
    pub fn receive(
        &mut self,
        now: Tick,
        newest: Tick,
        inputs: &[I],
        margin_100us: impl FnOnce(Tick) -> i16,
    ) {
        if !inputs.is_empty()
            && newest <= now + INPUT_AHEAD_TICKS_MAX
            && self.newest_received.is_none_or(|known| newest > known)
        {
            self.newest_received = Some(newest);
            self.margin_100us = margin_100us(newest);
        }
        for (age, input) in (0_u64..).zip(inputs) {
            if age >= newest.0 {
                break;
            }
            self.receive_one(now, newest - age, input, age == 0);
        }
    }

    fn receive_one(&mut self, now: Tick, tick: Tick, input: &I, is_newest: bool) {
        if tick > now + INPUT_AHEAD_TICKS_MAX {
            // Its repetitions in later datagrams are not refused anew.
            self.counts.refused += u64::from(is_newest);
        } else if tick > now {
            let place = &mut self.early[(tick.0 % INPUT_AHEAD_TICKS_MAX) as usize];
            if place.is_some_and(|(there, _)| there == tick) {
                self.counts.duplicate += 1;
            } else {
                *place = Some((tick, *input));
            }
        } else {
            let age = now.since(tick) as u64;
            if age >= PAST_TICKS || tick <= self.since {
                self.counts.late += 1;
            } else if self.came & (1 << age) != 0 {
                self.counts.duplicate += 1;
            } else {
                self.came |= 1 << age;
                self.counts.late += 1;
                match &mut self.carried {
                    Some(carried) => carried.add_presses(input),
                    None => self.carried = Some(*input),
                }
            }
        }
    }

    /// The input for the step that makes the match reach `tick`.
    pub fn take(&mut self, tick: Tick) -> I {
        let place = &mut self.early[(tick.0 % INPUT_AHEAD_TICKS_MAX) as usize];
        let there = place.take_if(|(there, _)| *there == tick);
        self.came <<= 1;
        self.substituted <<= 1;
        let mut input = if let Some((_, input)) = there {
            self.came |= 1;
            self.counts.applied += 1;
            self.last = Some((tick, input));
            input
        } else {
            self.substituted |= 1;
            self.counts.substituted += 1;
            match self.last {
                Some((at, input)) if tick.since(at) <= self.hold_ticks as i64 => input.held(),
                Some((_, input)) => input.neutral(),
                None => I::default().neutral(),
            }
        };
        if let Some(carried) = self.carried.take() {
            input.add_presses(&carried);
        }
        input
    }

    /// What the next snapshot, of `tick`, says about these inputs.
    pub fn feedback(&self, tick: Tick) -> InputFeedback {
        let age = self.last.map(|(at, _)| tick.since(at));
        InputFeedback {
            newest_applied_age: age.and_then(|age| u8::try_from(age).ok()).filter(|age| *age < 255),
            substituted: self.substituted,
            margin_100us: self.margin_100us,
        }
    }

    /// How early the newest input came, in units of 100 us; negative: late. `None` before there was one.
    pub fn margin_100us(&self) -> Option<i16> {
        self.newest_received.map(|_| self.margin_100us)
    }

    /// Whether the input taken last was none of the player's.
    pub fn was_substituted(&self) -> bool {
        self.substituted & 1 != 0
    }

    /// How the inputs fared so far.
    pub fn counts(&self) -> InputCounts {
        self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use matchkeep_shared::wire::Malformed;
    use matchkeep_shared::wire::bits::{BitReader, BitWriter};

    /// An input with something held, something pressed and a view.
    #[derive(Clone, Copy, PartialEq, Debug, Default)]
    struct TestInput {
        walk: i8,
        fire: bool,
        view: u8,
    }

    impl Input for TestInput {
        fn encode(&self, _: &mut BitWriter<'_>) {}
        fn decode(_: &mut BitReader<'_>) -> Result<Self, Malformed> {
            Ok(Self::default())
        }
        fn held(self) -> Self {
            Self { fire: false, ..self }
        }
        fn neutral(self) -> Self {
            Self { walk: 0, fire: false, ..self }
        }
        fn add_presses(&mut self, late: &Self) {
            self.fire |= late.fire;
        }
    }

    fn walk(walk: i8) -> TestInput {
        TestInput { walk, view: 7, ..TestInput::default() }
    }

    fn fire() -> TestInput {
        TestInput { fire: true, walk: 9, view: 1 }
    }

    fn buffer() -> InputBuffer<TestInput> {
        InputBuffer::new(TickRate::default(), Tick(0))
    }

    #[test]
    fn an_input_in_time_is_applied_at_its_tick() {
        let mut b = buffer();
        b.receive(Tick(0), Tick(2), &[walk(2), walk(1)], |_| 55);
        assert_eq!((b.take(Tick(1)), b.take(Tick(2))), (walk(1), walk(2)));
        assert_eq!(b.counts(), InputCounts { applied: 2, ..InputCounts::default() });
        let feedback = b.feedback(Tick(2));
        assert_eq!((feedback.newest_applied_age, feedback.margin_100us), (Some(0), 55));
        assert_eq!(feedback.substituted, 0);
    }

    #[test]
    fn a_missing_input_is_held_for_100_ms_and_then_neutral() {
        let mut b = buffer();
        b.receive(Tick(0), Tick(1), &[TestInput { fire: true, ..walk(5) }], |_| 0);
        assert_eq!(b.take(Tick(1)), TestInput { fire: true, ..walk(5) });
        for tick in 2..=7 {
            assert_eq!(b.take(Tick(tick)), walk(5), "held, without the press, at tick {tick}");
        }
        assert_eq!(b.take(Tick(8)), walk(0), "neutral: the view stays");
        assert_eq!(b.counts().substituted, 7);
        assert_eq!(b.feedback(Tick(8)).substituted, 0b111_1111);
        assert_eq!(b.feedback(Tick(8)).newest_applied_age, Some(7));
    }

    #[test]
    fn the_presses_of_a_late_input_move_to_the_next_tick_once() {
        let mut b = buffer();
        b.take(Tick(1));
        b.receive(Tick(1), Tick(1), &[fire()], |_| -3);
        b.receive(Tick(1), Tick(1), &[fire()], |_| -3);
        let next = b.take(Tick(2));
        assert!(next.fire && next.walk == 0, "the press alone: {next:?}");
        b.receive(Tick(2), Tick(1), &[fire()], |_| -3);
        assert!(!b.take(Tick(3)).fire, "once");
        assert_eq!((b.counts().late, b.counts().duplicate), (1, 2));
    }

    #[test]
    fn a_late_press_joins_the_input_of_the_next_tick() {
        let mut b = buffer();
        b.take(Tick(1));
        b.receive(Tick(1), Tick(2), &[walk(3), fire()], |_| 0);
        assert_eq!(b.take(Tick(2)), TestInput { fire: true, ..walk(3) });
    }

    #[test]
    fn an_input_that_came_before_is_ignored() {
        let mut b = buffer();
        b.receive(Tick(0), Tick(1), &[walk(1)], |_| 0);
        b.receive(Tick(0), Tick(1), &[walk(2)], |_| 0);
        assert_eq!(b.take(Tick(1)), walk(1), "the first one counts");
        b.receive(Tick(1), Tick(2), &[walk(2), walk(9)], |_| 0);
        assert_eq!(b.counts().duplicate, 2);
        assert_eq!(b.take(Tick(2)), walk(2));
        assert_eq!(b.counts().late, 0);
    }

    #[test]
    fn an_early_input_waits_and_one_too_early_is_refused() {
        let mut b = buffer();
        b.receive(Tick(0), Tick(INPUT_AHEAD_TICKS_MAX), &[walk(4)], |_| 0);
        b.receive(Tick(0), Tick(INPUT_AHEAD_TICKS_MAX + 1), &[walk(6)], |_| 0);
        assert_eq!(b.counts().refused, 1);
        for tick in 1..INPUT_AHEAD_TICKS_MAX {
            assert_eq!(b.take(Tick(tick)).walk, 0);
        }
        assert_eq!(b.take(Tick(INPUT_AHEAD_TICKS_MAX)), walk(4));
        assert_eq!(b.take(Tick(INPUT_AHEAD_TICKS_MAX + 1)).walk, 4, "held, not the refused one");
    }

    #[test]
    fn what_a_former_connection_sent_ahead_is_void_on_the_new_one() {
        let mut b = buffer();
        b.receive(Tick(0), Tick(3), &[walk(3), walk(2), walk(1)], |_| 0);
        b.take(Tick(1));
        b.restart(Tick(1));
        assert_eq!(b.take(Tick(2)), walk(1), "held, not applied");
        assert_eq!(b.counts().applied, 1);
    }

    #[test]
    fn ticks_before_the_first_are_not_invented() {
        let mut b = buffer();
        b.receive(Tick(0), Tick(1), &[walk(1), walk(2), walk(3)], |_| 0);
        assert_eq!(b.take(Tick(1)), walk(1));
        assert_eq!(b.counts().late, 0);
    }
}
