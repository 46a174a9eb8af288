//! What is left of the process before: which of its matches go on, from where, and what is lost of them.
//!
//! Owns: the judgement on each unfinished match, and what the operator is told of it. Must not know: how the
//! journal stores it, and who plays it on.

use std::collections::{BTreeMap, BTreeSet};

use matchkeep_shared::Game;
use matchkeep_shared::encoding::decode;
use matchkeep_shared::game::Outcome;
use matchkeep_shared::ids::{Epoch, MatchId, ShardId};
use matchkeep_shared::limits::CHECKPOINT_BYTES_MAX;
use matchkeep_shared::time::Tick;

use crate::journal::{
    self, Damage, JournalError, JournalReader, JournalState, Kind, Load, LoadFrom, Lost,
    Unrecoverable,
};
use crate::matches::header::{HeaderError, MatchHeader};
use crate::matches::incident::Incident;
use crate::matches::recorder::Base;
use crate::matches::{Deaths, MatchSpec};
use crate::reservations::PrivateMatch;
use crate::store::{Directory, FinishedMatch, ListFilter, MatchState, NewMatch, StoreError};

/// Why nothing can be recovered at all.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The matches cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Looks through everything that the process before left unfinished. `hung` is what its watchdog noted.
///
/// # Errors
/// [`RecoveryError`] where storage fails; what is wrong with a single match is judged, match by match.
pub fn gather<G: Game>(
    journal: &impl JournalReader,
    directory: &impl Directory,
    hung: &BTreeMap<MatchId, Incident>,
    now_unix_ms: u64,
) -> Result<Recovered<G>, RecoveryError> {
    let mut wanted = Vec::new();
    journal.list(Some(JournalState::Open), &mut |entry| wanted.push(entry.match_id))?;
    let mut recovered = Recovered::default();
    let listed: BTreeSet<MatchId> = wanted.iter().copied().collect();
    let mut recorded = BTreeSet::new();
    let mut filter = ListFilter { state: Some(MatchState::Running), ..ListFilter::default() };
    loop {
        let page = directory.list(&filter)?;
        for summary in &page {
            recorded.insert(summary.id);
            let Some(entry) = journal.entry(summary.id)? else { continue };
            match entry.state {
                // One that the listing passed over is not lost for that.
                JournalState::Open if listed.contains(&summary.id) => {}
                // Of a finished one the result was not stored: the process ended in between.
                JournalState::Open | JournalState::Finished => wanted.push(summary.id),
                JournalState::Quarantined => {
                    let why = entry.why.unwrap_or_else(|| "it was set aside before".to_owned());
                    recovered.quarantined.push((summary.id, why));
                }
                JournalState::Retired => {
                    let why = "its records were deleted before its result was stored";
                    recovered.quarantined.push((summary.id, why.to_owned()));
                }
            }
        }
        match page.last() {
            Some(last) if page.len() == filter.limit => filter.before = Some(last.id),
            _ => break,
        }
    }
    let newest = LoadFrom::Checkpoint(Tick(u64::MAX));
    let wanted: Vec<Load> =
        wanted.into_iter().map(|match_id| Load { match_id, from: newest }).collect();
    for (load, found) in wanted.iter().zip(journal::recover(journal, &wanted)?) {
        let hung = hung.get(&load.match_id).cloned();
        recovered.judge(load.match_id, found, hung, now_unix_ms);
    }
    // A journal and the match's record are two transactions: the power may have gone between the two.
    for returning in &mut recovered.matches {
        let id = returning.spec.id;
        returning.private = directory.private(id)?;
        if !recorded.contains(&id) {
            match directory.show(id) {
                Err(StoreError::UnknownMatch(_)) => returning.is_recorded = false,
                found => drop(found?),
            }
        }
    }
    Ok(recovered)
}

/// All that goes on, and what does not.
#[derive(Debug)]
pub struct Recovered<G: Game> {
    /// The matches that go on.
    pub matches: Vec<Returning<G>>,
    /// Matches whose journal has its end and whose result was not stored yet.
    pub finished: Vec<FinishedMatch>,
    /// Matches to be set aside, and why.
    pub quarantined: Vec<(MatchId, String)>,
    /// Matches left as they are: they were played by other rules, or written down in another format.
    pub foreign: u64,
}

impl<G: Game> Default for Recovered<G> {
    fn default() -> Self {
        Self { matches: Vec::new(), finished: Vec::new(), quarantined: Vec::new(), foreign: 0 }
    }
}

/// A match that goes on.
#[derive(Debug)]
pub struct Returning<G: Game> {
    /// What it is made of.
    pub spec: MatchSpec<G::Config>,
    /// What the directory has of it, on some shard.
    pub record: NewMatch,
    /// Whether the directory has it.
    pub is_recorded: bool,
    /// Of a private match: whose it is, and what it is joined with.
    pub private: Option<PrivateMatch>,
    /// What it is rebuilt from.
    pub base: Base,
    /// How often it died without getting on, `hung` included.
    pub deaths: Deaths,
    /// A step of it that did not come back, noted by the process before and not in the journal yet.
    pub hung: Option<Incident>,
    /// What the journal has to know to go on.
    pub journal: Box<journal::Recovered>,
}

impl<G: Game> Returning<G> {
    /// The epoch it goes on in.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.journal.epoch().0 + 1)
    }
}

impl<G: Game> Recovered<G> {
    /// Judges one match that did not come to its end, or whose result is not stored.
    pub fn judge(
        &mut self,
        match_id: MatchId,
        found: Result<journal::Recovered, Unrecoverable>,
        hung: Option<Incident>,
        now_unix_ms: u64,
    ) {
        if let Some(version) = foreign_format(&found) {
            tracing::warn!(%match_id, "the match is left as it is: its journal has {version}");
            self.foreign += 1;
            return;
        }
        let journal = match found {
            Ok(journal) => Box::new(journal),
            Err(error) => {
                self.quarantined.push((match_id, error.to_string()));
                return;
            }
        };
        let header = MatchHeader::decode(&journal.header);
        let read = header.and_then(|header| Ok((header.spec::<G>()?, header)));
        let (spec, header) = match read {
            Ok(read) => read,
            Err(error @ HeaderError::Foreign { .. }) => {
                tracing::warn!(%match_id, %error, "the match is left as it is");
                self.foreign += 1;
                return;
            }
            Err(error @ (HeaderError::Unreadable(_) | HeaderError::Places(_))) => {
                self.quarantined.push((match_id, error.to_string()));
                return;
            }
        };
        for lost in Lost::lines(&journal.lost) {
            tracing::error!(%match_id, "lost: {lost}");
        }
        if journal.lost_records > 0 && journal.entry.state == JournalState::Open {
            let (records, tick) = (journal.lost_records, journal.tick());
            tracing::error!(%match_id, records, %tick, "the match goes on from its last good record");
        }
        if let Some(result) = journal.result() {
            match decode::<Outcome, CHECKPOINT_BYTES_MAX>("result", result) {
                Ok(outcome) => self.finished.push(FinishedMatch {
                    id: match_id,
                    outcome,
                    ticks: journal.tick(),
                    ended_unix_ms: now_unix_ms,
                }),
                Err(error) => self.quarantined.push((match_id, error.to_string())),
            }
            return;
        }
        if journal.entry.state == JournalState::Finished {
            // It has no claim that would be granted, and nobody can say how it ended.
            let lost = Lost::lines(&journal.lost).into_iter().next();
            let lost = lost.unwrap_or_else(|| "its last record is no finish".to_owned());
            self.quarantined.push((match_id, format!("it ended, and how is lost: {lost}")));
            return;
        }
        let mut hung = hung;
        let mut deaths = Deaths::default();
        // How far it was played when something became of it.
        let mut reached = Tick(0);
        for piece in &journal.pieces {
            match piece.kind {
                Kind::Frames => {
                    reached = piece.last;
                    deaths.got_back();
                }
                Kind::Checkpoint => reached = reached.max(piece.last),
                Kind::Incident => match Incident::decode(&piece.payload) {
                    Ok(incident) => {
                        // A process that ended before it could remove the note.
                        hung = hung.filter(|hung| *hung != incident);
                        deaths.count_at(incident.tick, reached);
                    }
                    Err(error) => tracing::warn!(%match_id, %error, "an incident cannot be read"),
                },
                Kind::Header | Kind::Claim | Kind::Finish => {}
            }
        }
        if let Some(hung) = &hung {
            deaths.count_at(hung.tick, reached);
        }
        if deaths.are_final_at(journal.tick()) {
            self.quarantined.push((match_id, deaths.to_string()));
            return;
        }
        let (checkpoint, checkpoint_bytes) = match journal.checkpoint() {
            Some((tick, bytes)) => (Some(tick), bytes.to_vec()),
            None => (None, Vec::new()),
        };
        let mut frames = Vec::new();
        for piece in journal.frames() {
            frames.extend_from_slice(&piece.payload);
        }
        let base = Base { checkpoint, checkpoint_bytes, frames };
        let record = NewMatch {
            id: match_id,
            mode: spec.mode.clone(),
            ladder: None,
            game: header.game,
            rules_version: header.rules_version,
            map: header.map,
            shard: ShardId(0),
            tick_rate: spec.rate,
            created_unix_ms: header.created_unix_ms,
        };
        self.matches.push(Returning {
            spec,
            record,
            is_recorded: true,
            private: None,
            base,
            deaths,
            hung,
            journal,
        });
    }
}

/// What is there of another format of journals. Whole records of one are another build's match, of which this one takes
/// nothing for damage and nothing away.
fn foreign_format(found: &Result<journal::Recovered, Unrecoverable>) -> Option<Damage> {
    let is_foreign = |why: &Damage| matches!(why, Damage::Version(_));
    match found {
        Ok(journal) => journal.lost.iter().map(|lost| lost.why).find(is_foreign),
        Err(Unrecoverable::Header(why) | Unrecoverable::Claim(why)) => {
            Some(*why).filter(is_foreign)
        }
        Err(Unrecoverable::Unknown | Unrecoverable::Empty) => None,
    }
}

#[cfg(test)]
pub(crate) mod tests;
