//! What a look at those who wait costs, counted.
//!
//! Owns: how much there was, and how much of it searches may be. Must not know: what a step does. Some tens of
//! nanoseconds each; they are counted and not timed, so that the same queue gives the same matches everywhere.

use matchkeep_shared::limits::{LOOK_STEPS_MAX, PACKING_STEPS_MAX};

/// Steps that were taken.
#[derive(Debug, Default)]
pub(super) struct Steps {
    taken: usize,
    /// Of them, those of searches since [`Self::begin`].
    searched: usize,
}

impl Steps {
    /// Another match is tried: its searches have all they may take.
    pub(super) fn begin(&mut self) {
        self.searched = 0;
    }

    /// So many were taken.
    pub(super) fn take(&mut self, steps: usize) {
        self.taken += steps;
    }

    /// So many were taken by a search; whether it may go on.
    pub(super) fn search(&mut self, steps: usize) -> bool {
        self.taken += steps;
        self.searched += steps;
        self.searched <= PACKING_STEPS_MAX
    }

    /// How many there were.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// Whether this part, of two, of what a look may take is used up.
    pub(super) fn are_used_up(&self, part: Part) -> bool {
        let most = match part {
            Part::First => LOOK_STEPS_MAX / 2,
            Part::All => LOOK_STEPS_MAX,
        };
        self.taken >= most
    }
}

/// How much of a look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Part {
    /// The first half.
    First,
    /// The whole.
    All,
}
