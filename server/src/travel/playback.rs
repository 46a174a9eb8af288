//! A match played again as its records come: records in, ticks out.
//!
//! Owns: the order of things, and comparing what is stored with what the match comes to. Must not know:
//! where records come from, and what is done with a tick.

use std::panic::{AssertUnwindSafe, catch_unwind};

use matchkeep_shared::Game;
use matchkeep_shared::encoding::decode;
use matchkeep_shared::game::{Events, Outcome};
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::CHECKPOINT_BYTES_MAX;
use matchkeep_shared::time::Tick;

use super::error::TravelError;
use crate::journal::{Kind, LoadFrom, Lost, Record, Stored, Verifier};
use crate::matches::frame::{Frame, next_frame};
use crate::matches::header::MatchHeader;
use crate::matches::recorder::Base;
use crate::matches::replay::{Replay, ReplayError};
use crate::matches::state::{Entry, MatchState};
use crate::matches::{MatchSpec, said};

/// By which rules a match is played again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rules {
    /// Its own: another version's match is refused, and whatever is not as it was stored is an error.
    Own,
    /// This build's, whatever they are: nothing stored but what entered the match counts. To compare
    /// builds. Right from the beginning only, for a checkpoint holds what other rules came to.
    Any,
}

/// What was compared so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Checked {
    /// Records.
    pub records: u64,
    /// Hashes of states.
    pub hashes: u64,
    /// Whole states.
    pub checkpoints: u64,
    /// Epochs begun.
    pub epochs: u64,
    /// Incidents, which are no part of play.
    pub incidents: u64,
    /// Results.
    pub results: u64,
    /// The newest tick of which something stored was compared.
    pub agreed: Tick,
}

/// A match that is played again. Give it a record, then take its ticks; then the next record.
pub struct Playback<G: Game> {
    rules: Rules,
    verifier: Verifier,
    header: Option<MatchHeader>,
    replay: Option<Replay<G>>,
    /// The frames of the newest record, and how far they were played.
    frames: Vec<u8>,
    played: usize,
    /// What entered before the newest tick.
    entered: Vec<Entry>,
    checked: Checked,
    scratch: Vec<u8>,
}

impl<G: Game> Playback<G> {
    /// Before the first record. `from` says what the first ones are.
    pub fn new(match_id: MatchId, from: LoadFrom, rules: Rules) -> Self {
        let verifier = match from {
            LoadFrom::Beginning => Verifier::new(match_id),
            LoadFrom::Checkpoint(_) => Verifier::from_checkpoint(match_id),
        };
        Self {
            rules,
            verifier,
            header: None,
            replay: None,
            frames: Vec::new(),
            played: 0,
            entered: Vec::new(),
            checked: Checked::default(),
            scratch: Vec::new(),
        }
    }

    /// Takes the next record. All ticks of the one before must have been taken.
    ///
    /// # Errors
    /// [`TravelError`]; nothing comes after that.
    ///
    /// # Panics
    /// Where ticks were left.
    pub fn push(&mut self, stored: &Stored<'_>) -> Result<(), TravelError> {
        assert!(self.frames.is_empty(), "every tick of a record is played before the next record");
        let Some(record) = self.verifier.push(stored) else {
            return Err(TravelError::Damaged(Lost::lines(self.verifier.lost()).join("; ")));
        };
        self.checked.records += 1;
        match record.head.kind {
            Kind::Header => self.header = Some(MatchHeader::decode(record.payload)?),
            Kind::Claim => {
                self.checked.epochs += 1;
                if self.replay.is_none() {
                    self.replay = Some(Replay::from_start(self.spec()?));
                }
            }
            Kind::Checkpoint => self.checkpoint(&record)?,
            Kind::Frames => {
                self.frames.extend_from_slice(record.payload);
                self.played = 0;
            }
            Kind::Incident => self.checked.incidents += 1,
            Kind::Finish => self.finish(&record)?,
        }
        Ok(())
    }

    /// Plays the next tick of the newest record; says whether there was one.
    ///
    /// # Errors
    /// [`TravelError`]; nothing comes after that.
    pub fn step(&mut self) -> Result<bool, TravelError> {
        let Some(replay) = &mut self.replay else { return Ok(false) };
        let state = replay.state();
        let (tick, is_over) = (state.tick() + 1, state.outcome().is_some());
        let mut rest = &self.frames[self.played..];
        let before = rest.len();
        let unreadable = |cause| ReplayError::Frame { tick, cause };
        let bytes = next_frame(&mut rest).map_err(unreadable)?;
        let Some(bytes) = bytes.filter(|_| !(is_over && self.rules == Rules::Any)) else {
            self.frames.clear();
            self.played = 0;
            return self.check_count().map(|()| false);
        };
        if is_over {
            let recorded = self.verifier.chain().tick();
            return Err(TravelError::EndsBefore { ended: state.tick(), recorded });
        }
        self.played += before - rest.len();
        let mut frame = Frame::decode(bytes, replay.spec().places).map_err(unreadable)?;
        if self.rules == Rules::Any {
            frame.hash = None;
        }
        let is_compared = frame.hash.is_some();
        let played = catch_unwind(AssertUnwindSafe(|| replay.play(&frame)));
        self.entered = frame.entries;
        match played {
            Ok(played) => played?,
            Err(panic) => return Err(TravelError::Panicked { tick, text: said(&*panic) }),
        }
        if is_compared {
            self.checked.hashes += 1;
            self.checked.agreed = tick;
        }
        Ok(true)
    }

    /// Whether the match can be looked at: its header was there, and where it begins.
    pub fn has_begun(&self) -> bool {
        self.replay.is_some()
    }

    /// The match after the newest tick; `None` before it has begun.
    pub fn state(&self) -> Option<&MatchState<G>> {
        self.replay.as_ref().map(Replay::state)
    }

    /// The newest tick.
    pub fn tick(&self) -> Tick {
        self.state().map_or(Tick(0), MatchState::tick)
    }

    /// A hash of the state after the newest tick; 0 before the match has begun.
    pub fn hash(&mut self) -> u64 {
        let Self { replay, scratch, .. } = self;
        replay.as_ref().map_or(0, |replay| replay.state().hash(scratch))
    }

    /// What entered before the newest tick's step.
    pub fn entered(&self) -> &[Entry] {
        &self.entered
    }

    /// The events of the newest tick.
    pub fn events(&self) -> Option<&Events<G::Event>> {
        self.replay.as_ref().map(Replay::events)
    }

    /// What the match is made of.
    pub fn made_of(&self) -> Option<(&MatchHeader, &MatchSpec<G::Config>)> {
        self.header.as_ref().zip(self.replay.as_ref().map(Replay::spec))
    }

    /// What was compared so far.
    pub fn checked(&self) -> Checked {
        self.checked
    }

    /// The records as far as they were checked.
    pub fn verifier(&mut self) -> &mut Verifier {
        &mut self.verifier
    }

    fn spec(&self) -> Result<MatchSpec<G::Config>, TravelError> {
        let header = self
            .header
            .as_ref()
            .ok_or_else(|| TravelError::Damaged("it does not begin with a header".to_owned()))?;
        Ok(match self.rules {
            Rules::Own => header.spec::<G>()?,
            Rules::Any => header.spec_by_any_rules::<G>()?,
        })
    }

    /// A checkpoint is where the match begins, or what it must have come to.
    fn checkpoint(&mut self, record: &Record<'_>) -> Result<(), TravelError> {
        let tick = record.head.last;
        let Some(replay) = &self.replay else {
            let (checkpoint_bytes, frames) = (record.payload.to_vec(), Vec::new());
            let base = Base { checkpoint: Some(tick), checkpoint_bytes, frames };
            self.replay = Some(Replay::from_base(self.spec()?, &base)?);
            return Ok(());
        };
        if self.rules == Rules::Own {
            self.scratch.clear();
            replay.state().encode(&mut self.scratch);
            if self.scratch != record.payload {
                return Err(TravelError::CheckpointDiffers { tick });
            }
            self.checked.checkpoints += 1;
            self.checked.agreed = tick;
        }
        Ok(())
    }

    fn finish(&mut self, record: &Record<'_>) -> Result<(), TravelError> {
        if self.rules == Rules::Any {
            return Ok(());
        }
        let stored = decode::<Outcome, CHECKPOINT_BYTES_MAX>("result", record.payload);
        let outcome = self.state().and_then(MatchState::outcome);
        if outcome.is_none() || stored.ok().as_ref() != outcome {
            return Err(TravelError::ResultDiffers { tick: record.head.last });
        }
        self.checked.results += 1;
        self.checked.agreed = record.head.last;
        Ok(())
    }

    /// The frames of a record lead to its last tick.
    fn check_count(&self) -> Result<(), TravelError> {
        let (found, recorded) = (self.tick(), self.verifier.chain().tick());
        if found == recorded || self.rules == Rules::Any {
            return Ok(());
        }
        Err(TravelError::FramesMiscounted { found, recorded })
    }
}
