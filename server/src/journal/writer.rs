//! From what matches hand over to one append for all of them.
//!
//! Owns: each match's chain, what is pending of it, and the order of claims and appends in a flush. Must
//! not know: threads, time, where records lie.
//!
//! Nothing of a match is written out of order, and nothing is left out but a checkpoint that is too
//! large: what cannot be its next record ends the match here, and is told.

mod owned;

use std::collections::HashMap;

use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::time::Tick;

use super::backend::{Journal, JournalError, Refusal};
use super::chain::Chain;
use super::item::{Entry, JournalItem};
use super::record::{CHECKSUM_BYTES, HEAD_BYTES, Kind};
use super::report::{JournalReport, Refused, WhyRefused};
use super::room::Handover;
use owned::{End, Owned, Pending, SealedFlush};

/// Keeps what is pending of all matches and writes it, one flush at a time.
#[derive(Debug, Default)]
pub struct Writer {
    matches: HashMap<MatchId, Owned>,
    /// Matches with something pending, in the order it came.
    dirty: Vec<MatchId>,
    sealed: SealedFlush,
    refused: Vec<Refused>,
    broken: Option<JournalError>,
}

impl Writer {
    /// A writer without matches.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a piece. What is wrong with it is in the next flush's report.
    pub fn push(&mut self, handover: Handover) {
        if self.broken.is_some() {
            return;
        }
        let (JournalItem { match_id, epoch, entry }, permit, shard) = handover.into_parts();
        match self.place(match_id, epoch, &entry) {
            Ok(owned) => {
                if owned.pending.is_empty() {
                    self.dirty.push(match_id);
                }
                // Found again: the borrow above must end before `dirty` grows.
                let owned = self.matches.get_mut(&match_id).expect("it was there just now");
                owned.shard = shard.or(owned.shard);
                owned.push(Pending { epoch, entry, permit });
            }
            Err(why) => self.refuse(match_id, epoch, why),
        }
    }

    /// Whether something waits to be written or told.
    pub fn has_pending(&self) -> bool {
        !self.dirty.is_empty() || !self.sealed.batch.is_empty() || !self.refused.is_empty()
    }

    /// The matches that are written here.
    pub fn matches(&self) -> impl Iterator<Item = MatchId> {
        self.matches.keys().copied()
    }

    /// Why nothing is written any more.
    pub fn broken(&self) -> Option<&JournalError> {
        self.broken.as_ref()
    }

    /// Takes nothing more and forgets what is pending: what lies under the journal cannot be trusted.
    pub fn break_off(&mut self, cause: JournalError) {
        self.broken = Some(cause);
        self.matches.clear();
        self.dirty.clear();
        self.refused.clear();
        self.sealed = SealedFlush::default();
    }

    /// The frames of a match that are handed over and not durable, in order, with their first and last
    /// ticks: what goes on where the journal ends, for as long as the process lives.
    pub fn unwritten_frames(&self, match_id: MatchId) -> Vec<(Tick, Tick, Vec<u8>)> {
        let mut frames = Vec::new();
        for sealed in self.sealed.batch.iter() {
            let head = sealed.head;
            if head.match_id == match_id && head.kind == Kind::Frames {
                let payload = &sealed.bytes[HEAD_BYTES..sealed.bytes.len() - CHECKSUM_BYTES];
                frames.push((head.first, head.last, payload.to_vec()));
            }
        }
        for pending in self.matches.get(&match_id).into_iter().flat_map(|owned| &owned.pending) {
            if let Entry::Frames { first, last, bytes } = &pending.entry {
                frames.push((*first, *last, bytes.clone()));
            }
        }
        frames
    }

    /// Writes everything that is pending: appends in one batch, and claims in one batch with what must
    /// come before and after them. After an error that may pass everything is still pending.
    pub fn flush(&mut self, journal: &mut dyn Journal) -> JournalReport {
        let mut report = JournalReport::default();
        if let Some(broken) = &self.broken {
            report.trouble = Some(broken.clone());
            return report;
        }
        // Twice around where a match claims and goes on at once: what came before the claim, then the
        // claim, then what came behind it.
        while self.has_pending() {
            let step = self.append_sealed(journal, &mut report).and_then(|()| {
                self.seal();
                self.append_sealed(journal, &mut report)?;
                self.claim(journal, &mut report)
            });
            report.refused.append(&mut self.refused);
            if let Err(error) = step {
                if !error.may_pass() {
                    self.break_off(error.clone());
                }
                report.trouble = Some(error);
                break;
            }
        }
        report
    }

    /// The match that a piece is for; made where the piece is its first.
    fn place(
        &mut self,
        match_id: MatchId,
        epoch: Epoch,
        entry: &Entry,
    ) -> Result<&mut Owned, WhyRefused> {
        let new_chain = match entry {
            Entry::Begin { .. } => Some(Chain::new(match_id)),
            Entry::Resume { recovered, .. } => Some(recovered.chain()),
            _ => None,
        };
        let owned = self.matches.get_mut(&match_id);
        match (new_chain, owned) {
            (Some(_), Some(owned)) => {
                Err(WhyRefused::Journal(Refusal::Stale { current: owned.epoch }))
            }
            (Some(chain), None) => {
                let owned = Owned { chain, epoch, pending: Vec::new(), shard: None };
                Ok(self.matches.entry(match_id).or_insert(owned))
            }
            (None, None) => Err(WhyRefused::NotClaimed),
            (None, Some(_)) => {
                let owned = self.matches.get_mut(&match_id).expect("it was there just now");
                let expected = match entry {
                    Entry::Restart { .. } => Epoch(owned.epoch.0.saturating_add(1)),
                    _ => owned.epoch,
                };
                if epoch != expected {
                    return Err(WhyRefused::NotClaimed);
                }
                owned.epoch = epoch;
                Ok(owned)
            }
        }
    }

    fn refuse(&mut self, match_id: MatchId, epoch: Epoch, why: WhyRefused) {
        let refused = Refused { match_id, epoch, why };
        // A match that does not hear of it goes on handing over.
        if !self.refused.contains(&refused) {
            self.refused.push(refused);
        }
    }

    /// Makes records of all that is pending, for each match up to its next claim.
    fn seal(&mut self) {
        let dirty = std::mem::take(&mut self.dirty);
        for match_id in dirty {
            let Some(mut owned) = self.matches.remove(&match_id) else { continue };
            match owned.seal(&mut self.sealed) {
                Ok(End::Waits) => {
                    self.dirty.push(match_id);
                    self.matches.insert(match_id, owned);
                }
                Ok(End::Written) => {
                    self.matches.insert(match_id, owned);
                }
                Ok(End::Gone) => {}
                Err((epoch, why)) => self.refuse(match_id, epoch, WhyRefused::Defect(why)),
            }
        }
    }

    fn append_sealed(
        &mut self,
        journal: &mut dyn Journal,
        report: &mut JournalReport,
    ) -> Result<(), JournalError> {
        let mut refusals = Vec::new();
        if !self.sealed.batch.is_empty() {
            refusals = journal.append(&self.sealed.batch)?;
        }
        let sealed = &mut self.sealed;
        sealed.batch.clear();
        sealed.permits.clear();
        report.checkpoints_too_large.append(&mut sealed.checkpoints_too_large);
        for durable in std::mem::take(&mut sealed.durable) {
            let (match_id, epoch) = (durable.match_id, durable.epoch);
            match refusals.iter().find(|(refused, _)| *refused == match_id) {
                None => report.durable.push(durable),
                Some((_, refusal)) => {
                    self.forget(match_id);
                    self.refuse(match_id, epoch, WhyRefused::Journal(*refusal));
                }
            }
        }
        Ok(())
    }

    /// Makes the claims that matches wait for.
    fn claim(
        &mut self,
        journal: &mut dyn Journal,
        report: &mut JournalReport,
    ) -> Result<(), JournalError> {
        let mut claims = Vec::new();
        let mut chains = Vec::new();
        for match_id in self.dirty.clone() {
            let Some(owned) = self.matches.get(&match_id) else { continue };
            match owned.next_claim() {
                None => {}
                Some(Ok((claim, chain))) => {
                    claims.push(claim);
                    chains.push(chain);
                }
                Some(Err((epoch, why))) => {
                    self.forget(match_id);
                    self.refuse(match_id, epoch, WhyRefused::Defect(why));
                }
            }
        }
        if claims.is_empty() {
            return Ok(());
        }
        let answers = journal.claim(&claims)?;
        for ((claim, chain), answer) in claims.iter().zip(chains).zip(answers) {
            let match_id = claim.match_id;
            match answer {
                Ok(epoch) => {
                    report.claimed.push((match_id, epoch));
                    let owned = self.matches.get_mut(&match_id).expect("it claimed just now");
                    owned.chain = chain;
                    // With its room.
                    drop(owned.pending.remove(0));
                    if owned.pending.is_empty() {
                        self.dirty.retain(|dirty| *dirty != match_id);
                    }
                }
                Err(refusal) => {
                    self.forget(match_id);
                    self.refuse(match_id, claim.epoch(), WhyRefused::Journal(refusal));
                }
            }
        }
        Ok(())
    }

    fn forget(&mut self, match_id: MatchId) {
        self.matches.remove(&match_id);
        self.dirty.retain(|dirty| *dirty != match_id);
    }
}
