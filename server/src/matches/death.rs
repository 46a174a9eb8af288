//! How a game dies under its match: a panic is caught, and what may have caused it is kept.

use std::any::Any;

use matchkeep_shared::Game;
use matchkeep_shared::game::Inputs;
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
