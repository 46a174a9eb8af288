//! The journal's side of the store's thread.
//!
//! Owns: when a flush is due, and the calls that read or set aside. Must not know: what the records are,
//! clocks (a timer is a channel), the directory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use crossbeam_channel::{Receiver, RecvError, after, never};
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::{JOURNAL_ITEMS_MAX, JOURNAL_JOIN, JOURNAL_RETRY};

use super::super::directory::StoreError;
use super::super::handle::Listeners;
use super::super::pending::Answer;
use crate::journal::{
    Handover, Journal, JournalEntry, JournalError, JournalReport, JournalState, Load, Recovered,
    Retained, Retention, Unrecoverable, Writer, recover,
};

/// Where reports go, but for the ticks that shards hear of. Called on the store's thread: it must not wait for anything.
pub type OnReport = Box<dyn FnMut(JournalReport) + Send>;

/// What somebody asks of the journals and waits for.
pub(super) enum Ask {
    Recover { wanted: Vec<Load>, answer: Answer<Vec<Result<Recovered, Unrecoverable>>> },
    List { state: Option<JournalState>, answer: Answer<Vec<JournalEntry>> },
    Retain { limits: Retention, answer: Answer<Retained> },
}

/// Writes journals.
pub(super) struct Journals {
    journal: Box<dyn Journal>,
    on_report: OnReport,
    writer: Writer,
    pub(super) inlets: Inlets,
    /// When what waits is due.
    pub(super) due: Receiver<std::time::Instant>,
    is_due: bool,
    /// Why the last flush failed, if it did: the next one is at its time, however urgent.
    trouble: Option<JournalError>,
}

/// What comes of handles, and how they hear; [`Wakes`](super::super::handle::Wakes) is the other end.
pub(super) struct Inlets {
    /// Pieces on their way.
    pub(super) items: Receiver<Handover>,
    /// Somebody waits for what is in `items`.
    pub(super) urgent: Receiver<()>,
    /// Somebody handed over all they have.
    pub(super) complete: Receiver<()>,
    pub(super) calls: Arc<AtomicU64>,
    pub(super) listeners: Listeners,
}

impl Journals {
    pub(super) fn new(journal: Box<dyn Journal>, on_report: OnReport, inlets: Inlets) -> Self {
        let (writer, due) = (Writer::new(), never());
        Self { journal, on_report, writer, inlets, due, is_due: false, trouble: None }
    }

    /// Whether what is handed over waits for a flush that is due anyhow. Then nobody listens for it: a
    /// shard would pay for waking this thread.
    pub(super) fn is_due(&self) -> bool {
        self.is_due
    }

    /// A shard handed over what it has. The others are called to join it; a shard that is alone has nobody to wait for.
    pub(super) fn complete(&mut self) {
        let listeners = self.inlets.listeners.lock().unwrap_or_else(PoisonError::into_inner).len();
        if listeners == 1 {
            return self.flush_if_well();
        }
        self.call(true);
        self.set_due(JOURNAL_JOIN);
    }

    /// Calls whoever has something to hand it over, or ends that: who comes too late has their own time for it, and
    /// would else be a flush of their own.
    fn call(&self, is_calling: bool) {
        let calls = &self.inlets.calls;
        // Written on this thread alone.
        if calls.load(Ordering::Relaxed).is_multiple_of(2) == is_calling {
            calls.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Somebody waits, or every handle is gone.
    pub(super) fn woken(&mut self, told: Result<(), RecvError>) {
        if told.is_err() {
            self.inlets.urgent = never();
            self.inlets.complete = never();
        }
        self.flush_if_well();
    }

    /// Writes what there is, unless that failed just now.
    fn flush_if_well(&mut self) {
        if self.trouble.is_none() {
            self.flush();
        }
    }

    /// Writes what there is.
    pub(super) fn flush(&mut self) {
        self.due = never();
        self.is_due = false;
        self.call(false);
        // Who says so from here on may not be in this flush.
        let _ = self.inlets.complete.try_recv();
        // As many as there can be: who goes on handing over meanwhile is not waited for.
        for handover in self.inlets.items.try_iter().take(JOURNAL_ITEMS_MAX) {
            self.writer.push(handover);
        }
        if !self.writer.has_pending() {
            return;
        }
        let mut report = self.writer.flush(&mut *self.journal);
        let had_trouble = std::mem::replace(&mut self.trouble, report.trouble.clone()).is_some();
        self.tell_shards(&mut report);
        if had_trouble || !report.is_empty() {
            (self.on_report)(report);
        }
        if self.trouble.as_ref().is_some_and(JournalError::may_pass) {
            self.set_due(JOURNAL_RETRY);
        }
    }

    fn tell_shards(&self, report: &mut JournalReport) {
        let listeners = self.inlets.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        for (shard, ticks) in report.take_ticks() {
            if let Some((_, listener)) = listeners.iter().find(|(of, _)| *of == shard) {
                // Where it has ended there is nobody to know.
                let _ = listener.send(ticks);
            }
        }
    }

    fn set_due(&mut self, wait: std::time::Duration) {
        self.due = after(wait);
        self.is_due = true;
    }

    pub(super) fn answer(&mut self, ask: Ask) {
        // So that the answer has in it what was handed over before.
        self.flush_if_well();
        // Whoever asked may have stopped listening.
        match ask {
            Ask::Recover { wanted, answer } => drop(answer.send(self.recover(&wanted))),
            Ask::List { state, answer } => drop(answer.send(self.list(state))),
            Ask::Retain { limits, answer } => {
                drop(answer.send(self.journal.retain(&limits).map_err(StoreError::from)));
            }
        }
    }

    /// Sets a match aside. Not while something waits that cannot be written: it would be refused from then on, and
    /// the evidence is in it.
    pub(super) fn quarantine(&mut self, match_id: MatchId, why: &str) -> Result<(), StoreError> {
        self.flush_if_well();
        if let Some(trouble) = &self.trouble {
            return Err(trouble.clone().into());
        }
        let answer = self.journal.quarantine(match_id, why)?;
        answer.map_err(|_| StoreError::UnknownMatch(match_id))
    }

    /// Nothing can be trusted any more: another part of the store found out.
    pub(super) fn break_off(&mut self, cause: JournalError) {
        if self.writer.broken().is_none() {
            self.writer.break_off(cause.clone());
            let report = JournalReport { trouble: Some(cause), ..JournalReport::default() };
            (self.on_report)(report);
        }
    }

    /// Why nothing is written any more.
    pub(super) fn broken(&self) -> Option<StoreError> {
        self.writer.broken().cloned().map(StoreError::from)
    }

    /// Writes what is left; `Some` where it could not be.
    pub(super) fn close(mut self) -> Option<StoreError> {
        self.flush();
        if self.writer.has_pending() {
            // What a moment's trouble held up gets one more try.
            self.flush();
        }
        let left = self.writer.has_pending();
        let unwritten = || StoreError::Broken { cause: "journals are not all written".to_owned() };
        self.broken().or_else(|| left.then(unwritten))
    }

    fn recover(
        &mut self,
        wanted: &[Load],
    ) -> Result<Vec<Result<Recovered, Unrecoverable>>, StoreError> {
        let mut answers = recover(&*self.journal, wanted)?;
        for recovered in answers.iter_mut().flatten() {
            recovered.unwritten = self.writer.unwritten_frames(recovered.match_id());
        }
        Ok(answers)
    }

    fn list(&self, state: Option<JournalState>) -> Result<Vec<JournalEntry>, StoreError> {
        let mut list = Vec::new();
        self.journal.list(state, &mut |entry| list.push(entry))?;
        Ok(list)
    }
}

#[cfg(test)]
mod tests;
