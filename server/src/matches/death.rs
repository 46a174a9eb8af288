//! How a game dies under its match: a panic is caught, and what may have caused it is kept.

use std::any::Any;
use std::fmt;

use matchkeep_shared::Game;
use matchkeep_shared::game::Inputs;
use matchkeep_shared::limits::DEATHS_IN_A_ROW_MAX;
use matchkeep_shared::time::Tick;

use super::Match;

/// How a game died under its match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// In the step to this tick, or right before it.
    pub tick: Tick,
    /// What it said.
    pub cause: String,
    /// The frame of that tick as far as it was known: what may have killed it.
    pub suspect: Vec<u8>,
}

/// How often a match died without getting on, across its restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deaths {
    tick: Tick,
    in_a_row: u32,
    /// How often in a row it did not even get to where it was: its replay did not come back.
    in_replay: u32,
}

impl Deaths {
    /// One more, in the step to `tick` or right before it.
    ///
    /// A death one tick on belongs to the row: a state that nobody can be shown is stepped once after each
    /// restart before it kills again.
    pub fn count(&mut self, tick: Tick) {
        if tick != self.tick && tick != self.tick + 1 {
            self.in_a_row = 0;
        }
        self.tick = tick;
        self.in_a_row += 1;
    }

    /// One more, in the step to `tick` of a match that was played up to `reached`: of one before that the replay did not
    /// come back.
    pub fn count_at(&mut self, tick: Tick, reached: Tick) {
        if tick <= reached {
            self.in_replay += 1;
        } else {
            self.count(tick);
        }
    }

    /// Its replay came back, and it was played on.
    pub fn got_back(&mut self) {
        self.in_replay = 0;
    }

    /// Whether a match that goes on from `tick` would only die again.
    pub fn are_final_at(&self, tick: Tick) -> bool {
        self.in_replay >= DEATHS_IN_A_ROW_MAX || (self.are_final() && tick < self.tick)
    }

    /// Whether the match is to be set aside.
    pub fn are_final(&self) -> bool {
        self.in_a_row >= DEATHS_IN_A_ROW_MAX
    }
}

impl fmt::Display for Deaths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.in_replay >= DEATHS_IN_A_ROW_MAX {
            return write!(f, "its replay did not come back {} times in a row", self.in_replay);
        }
        write!(f, "died {} times in a row, the last time at tick {}", self.in_a_row, self.tick)
    }
}

impl<G: Game> Match<G> {
    /// How the game died, if it did. Such a match does nothing any more.
    pub fn death(&self) -> Option<&Death> {
        self.death.as_ref()
    }

    pub(super) fn die_between_steps(&mut self, panic: &(dyn Any + Send)) {
        self.inputs = Inputs::new(self.spec.places);
        if let Some(recording) = &mut self.recording {
            recording.frame.begin(&self.entered, self.spec.places, &self.inputs, |_| false);
        }
        self.die(panic);
    }

    pub(super) fn die(&mut self, panic: &(dyn Any + Send)) {
        let cause = said(panic);
        let mut suspect = Vec::new();
        if let Some(recording) = &mut self.recording {
            recording.frame.finish(None, &mut suspect);
        }
        self.death = Some(Death { tick: self.state.tick() + 1, cause, suspect });
    }
}

/// What a panic said.
pub(crate) fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "the game panicked".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(ticks: &[u64]) -> Deaths {
        let mut deaths = Deaths::default();
        ticks.iter().for_each(|tick| deaths.count(Tick(*tick)));
        deaths
    }

    #[test]
    fn three_deaths_without_getting_on_are_final() {
        for row in [&[7, 7, 7], &[7, 7, 8], &[7, 8, 9]] {
            assert!(!after(&row[..2]).are_final(), "{row:?}");
            assert!(after(row).are_final(), "{row:?}");
        }
        assert!(after(&[3, 3, 7, 7, 8]).are_final(), "an older row does not matter");
        assert_eq!(after(&[7, 8, 9]).to_string(), "died 3 times in a row, the last time at tick 9");
    }

    #[test]
    fn a_match_that_gets_on_or_begins_further_back_has_another_row() {
        for ticks in [[7, 7, 9], [7, 9, 9], [7, 9, 11], [7, 7, 6]] {
            assert!(!after(&ticks).are_final(), "{ticks:?}");
        }
    }

    #[test]
    fn three_replays_that_do_not_come_back_are_final_wherever_the_match_stood() {
        let mut deaths = Deaths::default();
        for reached in [8, 9] {
            deaths.got_back();
            deaths.count_at(Tick(5), Tick(reached));
            deaths.count_at(Tick(5), Tick(reached));
            assert!(!deaths.are_final_at(Tick(reached)), "it was played in between");
        }
        deaths.count_at(Tick(5), Tick(9));
        assert!(deaths.are_final_at(Tick(9)));
        assert_eq!(deaths.to_string(), "its replay did not come back 3 times in a row");
        assert!(!deaths.are_final(), "while it is played that does not matter");
    }

    #[test]
    fn what_a_match_got_past_does_not_count() {
        let deaths = after(&[7, 7, 7]);
        assert!(deaths.are_final_at(Tick(6)) && deaths.are_final_at(Tick(2)));
        assert!(!deaths.are_final_at(Tick(7)), "it was played");
    }
}
