//! What the phases of a tick cost, from the few ticks that are looked at.
//!
//! Owns: adding up laps of a clock that is handed in, and their average. Must not know: which clock.

use std::time::{Duration, Instant};

use crate::matches::Phase;
use crate::shard::view::PhaseCosts;

/// How much one tick weighs in the averages.
const WEIGHT: f64 = 1.0 / 8.0;

/// Pieces that a tick goes through: each phase once, replication and the journal twice.
const PIECES_MAX: usize = 8;

/// One tick that is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Laps {
    begun: Instant,
    /// What is over, and since when.
    ends: [(Phase, Instant); PIECES_MAX],
    count: usize,
}

impl Laps {
    pub(super) fn begin(now: Instant) -> Self {
        Self { begun: now, ends: [(Phase::Inputs, now); PIECES_MAX], count: 0 }
    }

    /// When the tick began.
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    /// A phase, or a piece of it, is over.
    pub(super) fn lap(&mut self, phase: Phase, now: Instant) {
        debug_assert!(self.count < PIECES_MAX, "a tick has no more pieces");
        if let Some(end) = self.ends.get_mut(self.count) {
            *end = (phase, now);
            self.count += 1;
        }
    }

    /// The pieces in order: which phase, from when, until when.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (Phase, Instant, Instant)> {
        let begins = std::iter::once(self.begun).chain(self.ends.iter().map(|(_, end)| *end));
        let ends = self.ends[..self.count].iter();
        ends.zip(begins).map(|((phase, end), begin)| (*phase, begin, *end))
    }
}

/// The averages, in seconds.
#[derive(Debug, Default)]
pub(super) struct Phases {
    average: [f64; Phase::COUNT],
    ticks_seen: u64,
}

impl Phases {
    pub(super) fn add(&mut self, laps: &Laps) {
        let weight = if self.ticks_seen == 0 { 1.0 } else { WEIGHT };
        self.ticks_seen += 1;
        let mut spent = [Duration::ZERO; Phase::COUNT];
        for (phase, begin, end) in laps.pieces() {
            spent[phase.index()] += end.saturating_duration_since(begin);
        }
        for (average, spent) in self.average.iter_mut().zip(spent) {
            *average += (spent.as_secs_f64() - *average) * weight;
        }
    }

    /// For whoever looks; `None` before a tick was looked at.
    pub(super) fn costs(&self, receive: Duration) -> Option<PhaseCosts> {
        let us = |phase: Phase| self.average[phase.index()] * 1e6;
        (self.ticks_seen > 0).then(|| PhaseCosts {
            receive_us: receive.as_secs_f64() * 1e6,
            inputs_us: us(Phase::Inputs),
            step_us: us(Phase::Step),
            replicate_us: us(Phase::Replicate),
            journal_us: us(Phase::Journal),
            send_us: us(Phase::Send),
            ticks_seen: self.ticks_seen,
        })
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an arbitrary origin for made-up times")]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_phase_add_up_and_later_ticks_move_the_average() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let mut phases = Phases::default();
        assert_eq!(phases.costs(Duration::ZERO), None);
        let mut laps = Laps::begin(start);
        laps.lap(Phase::Inputs, start + ms(1));
        laps.lap(Phase::Replicate, start + ms(3));
        laps.lap(Phase::Journal, start + ms(4));
        laps.lap(Phase::Replicate, start + ms(9));
        phases.add(&laps);
        let costs = phases.costs(ms(2)).expect("a tick was looked at");
        assert_eq!((costs.receive_us.round(), costs.inputs_us.round()), (2000.0, 1000.0));
        assert_eq!((costs.replicate_us.round(), costs.journal_us.round()), (7000.0, 1000.0));
        assert_eq!((costs.step_us, costs.send_us, costs.ticks_seen), (0.0, 0.0, 1));
        phases.add(&Laps::begin(start));
        let costs = phases.costs(ms(2)).expect("two were");
        assert_eq!((costs.replicate_us.round(), costs.ticks_seen), (6125.0, 2));
    }
}
