//! Proving a match: all that is stored of it is what it comes to.
//!
//! Owns: the verdict. Must not know: where the journal lies, and how the verdict is shown.

use std::ops::ControlFlow;

use matchkeep_shared::Game;
use matchkeep_shared::game::Outcome;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::time::Tick;

use super::error::TravelError;
use super::playback::{Checked, Playback, Rules};
use super::seek::Seeking;
use crate::journal::{JournalEntry, JournalReader, JournalState, Load, LoadFrom, Lost};
use crate::matches::state::MatchState;

/// What a match's journal was found to be.
#[derive(Debug)]
pub struct Verdict {
    /// The match.
    pub match_id: MatchId,
    /// The last tick that was played again.
    pub tick: Tick,
    /// What was compared, and agreed.
    pub checked: Checked,
    /// What the match came to, where it came to an end.
    pub outcome: Option<Outcome>,
    /// What is wrong; `None` where nothing is.
    pub problem: Option<Problem>,
}

/// What is wrong with a match's journal.
#[derive(Debug)]
pub struct Problem {
    /// What.
    pub error: TravelError,
    /// The first tick that is not as it was stored, where there is one.
    pub tick: Option<Tick>,
    /// The newest tick of which something stored was compared and agreed.
    pub agreed: Tick,
    /// Every run of records that cannot be used, for people.
    pub lost: Vec<String>,
}

/// Plays a match again from its first tick and compares all that is stored of it. `each` hears of every
/// tick.
pub fn verify<G: Game>(
    journal: &dyn JournalReader,
    entry: &JournalEntry,
    each: &mut dyn FnMut(Tick),
) -> Verdict {
    let match_id = entry.match_id;
    if entry.state == JournalState::Retired {
        let error = TravelError::Retired(match_id);
        let problem = Problem { error, tick: None, agreed: Tick(0), lost: Vec::new() };
        let checked = Checked::default();
        return Verdict { match_id, tick: Tick(0), checked, outcome: None, problem: Some(problem) };
    }
    let load = Load { match_id, from: LoadFrom::Beginning };
    let mut seeking = Seeking::<G>::new(load, Rules::Own);
    let played = seeking.run(journal, &mut |playback: &mut Playback<G>| {
        each(playback.tick());
        ControlFlow::Continue(())
    });
    let playback = &mut seeking.playback;
    let mut error = played.err();
    if error.is_none() || matches!(error, Some(TravelError::Damaged(_))) {
        playback.verifier().end(entry.records, entry.tick);
        let lost = Lost::lines(playback.verifier().lost());
        if !lost.is_empty() {
            error = Some(TravelError::Damaged(lost.join("; ")));
        }
    }
    let (tick, checked) = (playback.tick(), playback.checked());
    let outcome = playback.state().and_then(MatchState::outcome).cloned();
    let problem = error.map(|error| {
        let first_lost = playback.verifier().lost().first().map(|lost| lost.label.first);
        let at = error.tick().or(first_lost);
        let lost = Lost::lines(playback.verifier().lost());
        Problem { error, tick: at, agreed: checked.agreed, lost }
    });
    Verdict { match_id, tick, checked, outcome, problem }
}
