//! Compares the view that a bot sent with the view that the server shows: whether inputs take effect at
//! the tick they are meant for. Knows angles and ticks, no game.

use matchkeep_shared::time::Tick;

/// Ticks whose view is remembered; snapshots of older ones are not compared.
const REMEMBERED: usize = 256;
/// How many ticks back the input may come from that a server applies where one is missing.
const SUBSTITUTES: u64 = 8;
/// Steps of the view's angles on the wire.
const WIRE_STEPS: u32 = 4096;
/// Half a step of the wire's angles, in 65536ths of a turn: what rounding alone explains.
const QUANTUM: u16 = (65_536 / WIRE_STEPS / 2) as u16;

/// A view: yaw and pitch, 65536 to the full turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct View {
    pub(super) yaw: u16,
    pub(super) pitch: u16,
}

/// What was sent for the last ticks, and how it compares to what came back.
#[derive(Clone, Debug)]
pub(super) struct AimCheck {
    /// By tick modulo the length.
    sent: [Option<(Tick, View)>; REMEMBERED],
    /// The newest tick compared; each is compared once.
    compared_until: Tick,
    compared: u64,
    substituted: u64,
    wrong: u64,
    /// In 65536ths of a turn, of the ticks that were compared or wrong.
    error_max: u16,
}

impl AimCheck {
    pub(super) fn new() -> Self {
        Self {
            sent: [None; REMEMBERED],
            compared_until: Tick(0),
            compared: 0,
            substituted: 0,
            wrong: 0,
            error_max: 0,
        }
    }

    /// Notes what was sent for a tick.
    pub(super) fn sent(&mut self, tick: Tick, view: View) {
        self.sent[tick.0 as usize % REMEMBERED] = Some((tick, view));
    }

    /// Compares what a snapshot of `tick` shows.
    ///
    /// An input that did not come in time is replaced by an older one, which the bot is not told; so a
    /// view that was sent for one of the ticks before counts as a substituted tick and as no error.
    pub(super) fn shown(&mut self, tick: Tick, view: View) {
        if tick <= self.compared_until {
            return;
        }
        let Some(error) = self.error(tick, view) else { return };
        self.compared_until = tick;
        let is_older = |back| self.error(tick - back, view).is_some_and(|e| e <= QUANTUM);
        if error <= QUANTUM {
            self.compared += 1;
        } else if (1..=SUBSTITUTES).any(is_older) {
            self.substituted += 1;
            return;
        } else {
            self.wrong += 1;
        }
        self.error_max = self.error_max.max(error);
    }

    /// How far `view` is from what was sent for `tick`, the worse of yaw and pitch; `None` where nothing
    /// was, or too long ago.
    fn error(&self, tick: Tick, view: View) -> Option<u16> {
        let (_, sent) = self.sent[tick.0 as usize % REMEMBERED].filter(|(t, _)| *t == tick)?;
        let arc = |a: u16, b: u16| (a.wrapping_sub(b) as i16).unsigned_abs();
        Some(arc(view.yaw, sent.yaw).max(arc(view.pitch, sent.pitch)))
    }

    pub(super) fn findings(&self) -> Vec<(&'static str, f64)> {
        let degrees = |steps: u16| f64::from(steps) * 360.0 / 65_536.0;
        vec![
            ("aim_compared", self.compared as f64),
            ("aim_substituted", self.substituted as f64),
            ("aim_wrong", self.wrong as f64),
            ("aim_error_max_degrees", degrees(self.error_max)),
            ("aim_quantum_degrees", degrees(QUANTUM)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(yaw: u16) -> View {
        View { yaw, pitch: 0 }
    }

    /// Sent: for tick t a yaw of 100 t.
    fn check(ticks: std::ops::RangeInclusive<u64>) -> AimCheck {
        let mut check = AimCheck::new();
        for tick in ticks {
            check.sent(Tick(tick), view(100 * tick as u16));
        }
        check
    }

    fn counts(check: &AimCheck) -> (u64, u64, u64) {
        (check.compared, check.substituted, check.wrong)
    }

    #[test]
    fn what_was_sent_for_the_tick_is_compared_up_to_the_rounding_of_the_wire() {
        let mut check = check(1..=300);
        check.shown(Tick(298), view(29_808));
        check.shown(Tick(299), view(29_892));
        assert_eq!((counts(&check), check.error_max), ((2, 0, 0), 8));
        check.shown(Tick(300), view(30_009));
        assert_eq!((counts(&check), check.error_max), ((2, 0, 1), 9));
    }

    #[test]
    fn what_was_sent_for_a_tick_shortly_before_is_a_substitute_and_no_error() {
        let mut check = check(1..=300);
        check.shown(Tick(290), view(28_200));
        check.shown(Tick(291), view(29_005));
        assert_eq!((counts(&check), check.error_max), ((0, 2, 0), 0));
        check.shown(Tick(292), view(28_300));
        assert_eq!((counts(&check), check.error_max), ((0, 2, 1), 900));
    }

    #[test]
    fn a_tick_is_compared_once_and_not_when_nothing_is_known_of_it() {
        let mut check = check(10..=300);
        for tick in [5, 44, 301, 100, 100, 99] {
            check.shown(Tick(tick), view(10_000));
        }
        assert_eq!(counts(&check), (1, 0, 0));
    }

    #[test]
    fn the_shorter_arc_counts_for_yaw_and_pitch() {
        let mut check = AimCheck::new();
        check.sent(Tick(1), View { yaw: 3, pitch: 65_530 });
        check.shown(Tick(1), View { yaw: 65_533, pitch: 2 });
        assert_eq!((counts(&check), check.error_max), ((1, 0, 0), 8));
        check.sent(Tick(2), View { yaw: 0, pitch: 65_000 });
        check.shown(Tick(2), View { yaw: 0, pitch: 100 });
        assert_eq!((counts(&check), check.error_max), ((1, 0, 1), 636));
    }

    #[test]
    fn findings_are_in_degrees() {
        let mut check = check(1..=20);
        check.shown(Tick(20), view(2000 + 16_384));
        let findings = check.findings();
        assert!(findings.contains(&("aim_error_max_degrees", 90.0)));
        assert!(findings.contains(&("aim_quantum_degrees", 360.0 / 4096.0 / 2.0)));
        assert!(
            findings.contains(&("aim_wrong", 1.0)) && findings.contains(&("aim_compared", 0.0))
        );
    }
}
