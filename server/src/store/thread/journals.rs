//! The journal's side of the store's thread.
//!
//! Owns: when a flush is due, and the calls that read or set aside. Must not know: what the records are,
//! clocks (a timer is a channel), the directory.

use crossbeam_channel::{Receiver, RecvError, after, never};
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::{JOURNAL_FLUSH, JOURNAL_ITEMS_MAX, JOURNAL_RETRY};

use super::super::directory::StoreError;
use super::super::pending::Answer;
use crate::journal::{
    Handover, Journal, JournalEntry, JournalError, JournalReport, JournalState, Load, Recovered,
    Retained, Retention, Unrecoverable, Writer, recover,
};

/// Where reports go. Called on the store's thread: it must not wait for anything.
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
    /// Pieces on their way.
    pub(super) items: Receiver<Handover>,
    /// Somebody waits for what is in `items`.
    pub(super) urgent: Receiver<()>,
    /// When what waits is due.
    pub(super) due: Receiver<std::time::Instant>,
    is_due: bool,
    /// Why the last flush failed, if it did: the next one is at its time, however urgent.
    trouble: Option<JournalError>,
}

impl Journals {
    pub(super) fn new(
        journal: Box<dyn Journal>,
        on_report: OnReport,
        items: Receiver<Handover>,
        urgent: Receiver<()>,
    ) -> Self {
        let writer = Writer::new();
        let due = never();
        Self { journal, on_report, writer, items, urgent, due, is_due: false, trouble: None }
    }

    /// Whether pieces that come wait for a flush that is due anyhow. Then nobody listens for them: a
    /// shard that hands over would pay for waking this thread each time.
    pub(super) fn is_due(&self) -> bool {
        self.is_due
    }

    /// A first piece came.
    pub(super) fn first(&mut self, first: Handover) {
        self.writer.push(first);
        self.set_due(JOURNAL_FLUSH);
    }

    /// Somebody waits, or every handle is gone.
    pub(super) fn woken(&mut self, told: Result<(), RecvError>) {
        if told.is_err() {
            self.urgent = never();
            self.items = never();
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
        // As many as there can be: who goes on handing over meanwhile is not waited for.
        for handover in self.items.try_iter().take(JOURNAL_ITEMS_MAX) {
            self.writer.push(handover);
        }
        if !self.writer.has_pending() {
            return;
        }
        let report = self.writer.flush(&mut *self.journal);
        self.trouble.clone_from(&report.trouble);
        if !report.is_empty() {
            (self.on_report)(report);
        }
        if self.trouble.as_ref().is_some_and(JournalError::may_pass) {
            self.set_due(JOURNAL_RETRY);
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
