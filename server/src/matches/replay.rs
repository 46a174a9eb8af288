//! Playing a match again from what was recorded.
//!
//! Owns: the order of things in a replay, and noticing that it went another way than the match did. Must not
//! know: where the bytes come from.

use matchkeep_shared::Game;
use matchkeep_shared::game::{Events, Inputs};
use matchkeep_shared::ids::Slot;
use matchkeep_shared::time::Tick;

use super::MatchSpec;
use super::frame::{Frame, FrameError, next_frame};
use super::recorder::Base;
use super::state::MatchState;

/// Why a match cannot be played again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The checkpoint is none of this game's.
    #[error("the checkpoint of tick {tick} cannot be read: {cause}")]
    Checkpoint {
        /// Of which tick it is said to be.
        tick: Tick,
        /// What is wrong.
        cause: String,
    },
    /// A frame is none.
    #[error("the frame of tick {tick} cannot be read: {cause}")]
    Frame {
        /// Of which tick it would be.
        tick: Tick,
        /// What is wrong.
        cause: FrameError,
    },
    /// The step did not do what it did when it was recorded.
    #[error(
        "tick {tick} has another state than the one recorded: {found:016x}, not {recorded:016x}"
    )]
    Diverged {
        /// Which tick.
        tick: Tick,
        /// The hash of the state now.
        found: u64,
        /// The hash in the journal.
        recorded: u64,
    },
}

/// A replay under way.
pub struct Replay<G: Game> {
    spec: MatchSpec<G::Config>,
    state: MatchState<G>,
    inputs: Inputs<G::Input>,
    events: Events<G::Event>,
    scratch: Vec<u8>,
}

impl<G: Game> Replay<G> {
    /// From the beginning of a match.
    pub fn from_start(spec: MatchSpec<G::Config>) -> Self {
        let state = MatchState::new(&spec);
        Self::from_state(spec, state)
    }

    /// From a state.
    pub fn from_state(spec: MatchSpec<G::Config>, state: MatchState<G>) -> Self {
        let inputs = Inputs::new(spec.places);
        Self { spec, state, inputs, events: Events::default(), scratch: Vec::new() }
    }

    /// From the checkpoint of `base`, or from the beginning where there is none; its frames are still to be
    /// played.
    ///
    /// # Errors
    /// [`ReplayError::Checkpoint`].
    pub fn from_base(spec: MatchSpec<G::Config>, base: &Base) -> Result<Self, ReplayError> {
        let Some(tick) = base.checkpoint else { return Ok(Self::from_start(spec)) };
        let error = |cause: String| ReplayError::Checkpoint { tick, cause };
        let state = MatchState::<G>::decode(&base.checkpoint_bytes)
            .map_err(|cause| error(cause.to_string()))?;
        if state.tick() != tick || state.places() != spec.places {
            let cause = format!("it holds tick {} and {} places", state.tick(), state.places());
            return Err(error(cause));
        }
        Ok(Self::from_state(spec, state))
    }

    /// Plays the next frame off the front of `frames`; says whether there was one.
    ///
    /// # Errors
    /// [`ReplayError`]; the state is of no use after that.
    pub fn play_next(&mut self, frames: &mut &[u8]) -> Result<bool, ReplayError> {
        let tick = self.state.tick() + 1;
        let frame = next_frame(frames).map_err(|cause| ReplayError::Frame { tick, cause })?;
        let Some(frame) = frame else { return Ok(false) };
        let frame = Frame::<G::Input>::decode(frame, self.spec.places)
            .map_err(|cause| ReplayError::Frame { tick, cause })?;
        self.play(&frame)?;
        Ok(true)
    }

    /// Plays one frame.
    ///
    /// # Errors
    /// [`ReplayError::Diverged`] where its hash is another one.
    pub fn play(&mut self, frame: &Frame<G::Input>) -> Result<(), ReplayError> {
        for entry in &frame.entries {
            self.state.apply(entry);
        }
        while self.state.expire(self.spec.hold_ticks).is_some() {}
        for (place, input) in frame.inputs.iter().enumerate() {
            self.inputs.set(Slot(place as u8), input.map(|(input, _)| input));
        }
        self.events.clear();
        self.state.step(&self.spec, &self.inputs, &mut self.events);
        if let Some(recorded) = frame.hash {
            let found = self.state.hash(&mut self.scratch);
            if found != recorded {
                return Err(ReplayError::Diverged { tick: self.state.tick(), found, recorded });
            }
        }
        Ok(())
    }

    /// What the match is made of.
    pub fn spec(&self) -> &MatchSpec<G::Config> {
        &self.spec
    }

    /// The state after the last frame played.
    pub fn state(&self) -> &MatchState<G> {
        &self.state
    }

    /// The events of the last frame played.
    pub fn events(&self) -> &Events<G::Event> {
        &self.events
    }

    /// The end of it: what the match is made of, and where it stands.
    pub fn finish(self) -> (MatchSpec<G::Config>, MatchState<G>) {
        (self.spec, self.state)
    }
}
