//! What a match hands over for its journal, and what it knows of how far that is durable.

use matchkeep_shared::Game;
use matchkeep_shared::encoding::encode_into;
use matchkeep_shared::limits::CHECKPOINT_EVERY;
use matchkeep_shared::time::Tick;

use super::Match;
use super::frame::FrameWriter;
use super::recorder::{Base, JournalBatch, JournalItemKind, Recorder};
use super::spec::MatchSpec;

/// What a match that is journaled has beside its state.
pub(super) struct Recording {
    pub(super) recorder: Recorder,
    pub(super) frame: FrameWriter,
    /// All up to this tick is on stable storage.
    durable: Tick,
}

impl Recording {
    /// Of a match that is durable up to `tick` and can be rebuilt from `base`.
    pub(super) fn new<C>(spec: &MatchSpec<C>, base: Base, tick: Tick) -> Self {
        let every = spec.rate.ticks_in(CHECKPOINT_EVERY);
        // IDs are random: so are the ticks at which matches take their checkpoints.
        let recorder = Recorder::new(base, tick, every, spec.id.0 % every);
        Self { recorder, frame: FrameWriter::default(), durable: tick }
    }
}

impl<G: Game> Match<G> {
    /// Hands what is new to the journal, as far as the batch has room.
    pub fn hand_over(&mut self, batch: &mut JournalBatch) {
        let Some(recording) = &mut self.recording else { return };
        let whose = (self.spec.id, self.epoch);
        let state = &self.state;
        // A checkpoint is the state right after a step, and a game that died has none.
        let is_whole = self.entered.is_empty() && self.death.is_none();
        let encode = is_whole.then_some(|out: &mut Vec<u8>| state.encode(out));
        recording.recorder.hand_over(whose, batch, encode);
    }

    /// Hands over the end of the match's journal, if everything before it is.
    pub fn hand_over_end(&mut self, batch: &mut JournalBatch) -> bool {
        self.hand_over(batch);
        let Some(recording) = &self.recording else { return true };
        let Some(outcome) = self.state.outcome() else { return false };
        if !recording.recorder.is_handed_over() || batch.is_full() {
            return false;
        }
        let at = (self.state.tick(), self.state.tick());
        batch.push((self.spec.id, self.epoch), JournalItemKind::Finish, at, |out| {
            encode_into(outcome, out);
        });
        true
    }

    /// Whether the state is to be handed over now, while nothing has entered it since its tick. Frames can wait.
    pub fn checkpoint_is_due(&self) -> bool {
        self.recording.as_ref().is_some_and(|recording| recording.recorder.checkpoint_is_due())
    }

    /// Whether nothing waits to be handed to the journal.
    pub fn is_handed_over(&self) -> bool {
        self.recording.as_ref().is_none_or(|recording| recording.recorder.is_handed_over())
    }

    /// Whether so much waits for the journal that the match must not go on.
    pub fn must_wait_for_journal(&self) -> bool {
        self.recording.as_ref().is_some_and(|recording| recording.recorder.is_full())
    }

    /// All up to `tick` is on stable storage.
    pub fn set_durable(&mut self, tick: Tick) {
        if let Some(recording) = &mut self.recording {
            recording.durable = recording.durable.max(tick);
        }
    }

    /// How many ticks the durable one is behind; `None` where there is no journal.
    pub fn durable_lag(&self) -> Option<u32> {
        let recording = self.recording.as_ref()?;
        u32::try_from(self.tick().since(recording.durable)).ok()
    }

    /// Takes what the match can be rebuilt from, where it is journaled; frames are recorded no more.
    pub fn take_base(&mut self) -> Option<Base> {
        self.recording.take().map(|recording| recording.recorder.into_base())
    }

    /// Whether the match is journaled.
    pub fn is_journaled(&self) -> bool {
        self.recording.is_some()
    }
}
