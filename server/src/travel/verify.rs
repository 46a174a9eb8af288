//! Proving a match: all that is stored of it is what it comes to.
//!
//! Owns: the verdict. Must not know: where the journal lies, and how the verdict is shown.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use matchkeep_shared::Game;
use matchkeep_shared::game::Outcome;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::VERIFIED_TOGETHER_MAX;
use matchkeep_shared::time::Tick;

use super::error::TravelError;
use super::playback::{Checked, Rules};
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

/// Plays matches again from their first ticks and compares all that is stored of them; the verdicts are in
/// the order of `entries`. Many are played side by side, in one pass over the journal, for their records
/// lie among each other. `each` hears of every tick of any of them.
pub fn verify<G: Game>(
    journal: &dyn JournalReader,
    entries: &[JournalEntry],
    each: &mut dyn FnMut(),
) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for entries in entries.chunks(VERIFIED_TOGETHER_MAX) {
        verdicts.extend(together::<G>(journal, entries, each));
    }
    verdicts
}

fn together<G: Game>(
    journal: &dyn JournalReader,
    entries: &[JournalEntry],
    each: &mut dyn FnMut(),
) -> Vec<Verdict> {
    let from = LoadFrom::Beginning;
    let loads: Vec<Load> =
        entries.iter().map(|entry| Load { match_id: entry.match_id, from }).collect();
    let new = |load: &Load| (load.match_id, Seeking::<G>::new(*load, Rules::Own));
    let mut open: BTreeMap<MatchId, Seeking<G>> = loads.iter().map(new).collect();
    let read = journal.load_while(&loads, &mut |stored| {
        if let Some(seeking) = open.get_mut(&stored.match_id) {
            // One that has enough keeps none of the others from going on.
            let _ = seeking.take(stored, &mut |_| {
                each();
                ControlFlow::Continue(())
            });
        }
        ControlFlow::Continue(())
    });
    let verdict = |entry: &JournalEntry| {
        let seeking = open.remove(&entry.match_id);
        let mut seeking = seeking
            .unwrap_or_else(|| Seeking::new(Load { match_id: entry.match_id, from }, Rules::Own));
        if let (None, Err(error)) = (&seeking.failed, &read) {
            seeking.failed = Some(error.clone().into());
        }
        judge(entry, seeking)
    };
    entries.iter().map(verdict).collect()
}

/// The verdict on a match whose records were all read.
fn judge<G: Game>(entry: &JournalEntry, seeking: Seeking<G>) -> Verdict {
    let Seeking { mut playback, failed, .. } = seeking;
    let mut error = failed;
    if entry.state == JournalState::Retired {
        error = Some(TravelError::Retired(entry.match_id));
    } else if matches!(error, None | Some(TravelError::Damaged(_))) {
        playback.verifier().end(entry.records, entry.tick);
        let lost = Lost::lines(playback.verifier().lost());
        if !lost.is_empty() {
            error = Some(TravelError::Damaged(lost.join("; ")));
        }
    }
    let checked = playback.checked();
    let outcome = playback.state().and_then(MatchState::outcome).cloned();
    let problem = error.map(|error| {
        let lost = playback.verifier().lost();
        let tick = error.tick().or(lost.first().map(|lost| lost.label.first));
        Problem { error, tick, agreed: checked.agreed, lost: Lost::lines(lost) }
    });
    Verdict { match_id: entry.match_id, tick: playback.tick(), checked, outcome, problem }
}
