//! From a journal to the match at a tick.
//!
//! Owns: from which checkpoint a tick is reached, and what is done where that one is damaged. Must not
//! know: where the journal lies, and what is looked at.

use std::ops::ControlFlow;

use matchkeep_shared::Game;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::time::Tick;

use super::error::TravelError;
use super::playback::{Playback, Rules};
use crate::journal::{
    JournalEntry, JournalReader, JournalState, Kind, Label, Load, LoadFrom, Stored,
};

/// The ticks that there are of a match: 0, before its first step, to `newest`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// The match.
    pub match_id: MatchId,
    /// The last tick that is durable.
    pub newest: Tick,
    /// Whether it may go on.
    pub is_open: bool,
}

impl From<&JournalEntry> for Span {
    fn from(entry: &JournalEntry) -> Self {
        let is_open = entry.state != JournalState::Finished;
        Self { match_id: entry.match_id, newest: entry.tick, is_open }
    }
}

impl Span {
    /// Whether there is such a tick.
    ///
    /// # Errors
    /// [`TravelError::NotYet`] and [`TravelError::Over`].
    pub fn check(&self, tick: Tick) -> Result<(), TravelError> {
        let Self { match_id, newest, is_open } = *self;
        match is_open {
            _ if tick <= newest => Ok(()),
            true => Err(TravelError::NotYet { match_id, tick, newest }),
            false => Err(TravelError::Over { match_id, tick, newest }),
        }
    }
}

/// The ticks that there are of a match.
///
/// # Errors
/// [`TravelError::Unknown`] and [`TravelError::Retired`]; [`TravelError::Journal`].
pub fn span(journal: &dyn JournalReader, match_id: MatchId) -> Result<Span, TravelError> {
    let entry = journal.entry(match_id)?.ok_or(TravelError::Unknown(match_id))?;
    match entry.state {
        JournalState::Retired => Err(TravelError::Retired(match_id)),
        _ => Ok(Span::from(&entry)),
    }
}

/// The match after a tick; 0 is before its first step. What is read lies between the nearest checkpoint
/// and that tick; with [`Rules::Any`], everything before it.
///
/// # Errors
/// [`TravelError`].
pub fn at<G: Game>(
    journal: &dyn JournalReader,
    match_id: MatchId,
    tick: Tick,
    rules: Rules,
) -> Result<Playback<G>, TravelError> {
    play_from(journal, match_id, tick, rules, &mut |_| ControlFlow::Break(()))
}

/// Plays a match from a tick on, and gives that one and every later one to `each` until it has enough. What is
/// read begins at the nearest checkpoint before; with [`Rules::Any`], at the beginning.
///
/// # Errors
/// [`TravelError`].
pub fn play_from<G: Game>(
    journal: &dyn JournalReader,
    match_id: MatchId,
    first: Tick,
    rules: Rules,
    each: &mut dyn FnMut(&mut Playback<G>) -> ControlFlow<()>,
) -> Result<Playback<G>, TravelError> {
    span(journal, match_id)?.check(first)?;
    let mut from = match rules {
        Rules::Own => LoadFrom::Checkpoint(first),
        Rules::Any => LoadFrom::Beginning,
    };
    loop {
        let mut seeking = Seeking::new(Load { match_id, from }, rules);
        let sought = seeking.run(journal, &mut |playback: &mut Playback<G>| {
            if playback.tick() < first { ControlFlow::Continue(()) } else { each(playback) }
        });
        match (sought, from) {
            // By other rules the match may have ended before: that is then what it came to.
            (Ok(()), _) if seeking.playback.tick() >= first || rules == Rules::Any => {
                return Ok(seeking.playback);
            }
            (Ok(()), LoadFrom::Beginning) => {
                let newest = seeking.playback.tick();
                return Err(TravelError::NotYet { match_id, tick: first, newest });
            }
            (Err(error), LoadFrom::Beginning) => return Err(error),
            (Err(error), _) if seeking.playback.has_begun() => return Err(error),
            (Ok(()) | Err(_), LoadFrom::Checkpoint(before)) => from = seeking.earlier(before),
        }
    }
}

/// Plays a match from its beginning, and gives every tick to `each` until it has enough: tick 0 first.
///
/// # Errors
/// [`TravelError`].
pub fn play<G: Game>(
    journal: &dyn JournalReader,
    match_id: MatchId,
    rules: Rules,
    each: &mut dyn FnMut(&mut Playback<G>) -> ControlFlow<()>,
) -> Result<Playback<G>, TravelError> {
    let mut seeking = Seeking::new(Load { match_id, from: LoadFrom::Beginning }, rules);
    seeking.run(journal, each)?;
    Ok(seeking.playback)
}

/// One pass over a match's records.
pub(super) struct Seeking<G: Game> {
    load: Load,
    pub(super) playback: Playback<G>,
    /// The newest record that was read.
    newest: Option<Label>,
    /// What ended it.
    pub(super) failed: Option<TravelError>,
}

impl<G: Game> Seeking<G> {
    pub(super) fn new(load: Load, rules: Rules) -> Self {
        let playback = Playback::new(load.match_id, load.from, rules);
        Self { load, playback, newest: None, failed: None }
    }

    /// Reads and plays until `each` has enough.
    fn run(
        &mut self,
        journal: &dyn JournalReader,
        each: &mut dyn FnMut(&mut Playback<G>) -> ControlFlow<()>,
    ) -> Result<(), TravelError> {
        let load = self.load;
        journal.load_while(&[load], &mut |stored| self.take(stored, each))?;
        self.failed.take().map_or(Ok(()), Err)
    }

    /// Takes the next record, and says whether it wants more. Behind a damaged one all others are still
    /// looked at, so that the verifier can name them.
    pub(super) fn take(
        &mut self,
        stored: &Stored<'_>,
        each: &mut dyn FnMut(&mut Playback<G>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match &self.failed {
            None => {}
            Some(TravelError::Damaged(_)) => {
                // It is lost, and noted as such.
                let _ = self.playback.verifier().push(stored);
                return ControlFlow::Continue(());
            }
            Some(_) => return ControlFlow::Break(()),
        }
        self.newest = Some(stored.label);
        match play_record(&mut self.playback, stored, each) {
            Ok(flow) => flow,
            Err(error) => {
                let is_damaged = matches!(error, TravelError::Damaged(_));
                self.failed = Some(error);
                if is_damaged { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            }
        }
    }

    /// Where to begin when this did not get beyond its checkpoint.
    fn earlier(&self, before: Tick) -> LoadFrom {
        let damaged = self.newest.filter(|label| label.kind == Kind::Checkpoint);
        match damaged.map(|label| label.last) {
            Some(tick) if tick > Tick(0) && tick <= before => LoadFrom::Checkpoint(tick - 1),
            _ => LoadFrom::Beginning,
        }
    }
}

fn play_record<G: Game>(
    playback: &mut Playback<G>,
    stored: &Stored<'_>,
    each: &mut dyn FnMut(&mut Playback<G>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, TravelError> {
    let had_begun = playback.has_begun();
    playback.push(stored)?;
    if playback.has_begun() && !had_begun && each(playback).is_break() {
        return Ok(ControlFlow::Break(()));
    }
    while playback.step()? {
        if each(playback).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}
