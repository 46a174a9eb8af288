//! Group commit of the directory's writes.
//!
//! Owns: one transaction for everyone who waits, and answering after it. Must not know: queues.

use super::super::directory::{Directory, StoreError};
use super::super::pending::Answer;
use super::Write;

/// One transaction with the writes of everyone who waited.
pub(super) struct Batch<'a, D> {
    directory: &'a mut D,
    begun: bool,
    failed: Option<StoreError>,
}

impl<'a, D: Directory> Batch<'a, D> {
    /// A batch that fails at once where something failed before.
    pub(super) fn new(directory: &'a mut D, failed: Option<StoreError>) -> Self {
        Self { directory, begun: false, failed }
    }

    pub(super) fn apply(&mut self, write: Write) -> Applied {
        match write {
            Write::Player { name, now_unix_ms, answer } => {
                Applied::new(answer, self.attempt(|d| d.player(&name, now_unix_ms)))
            }
            Write::Account { key, now_unix_ms, answer } => {
                Applied::new(answer, self.attempt(|d| d.account(&key, now_unix_ms)))
            }
            Write::Reserve { wanted, now_unix_ms, answer } => {
                Applied::new(answer, self.attempt(|d| d.reserve(&wanted, now_unix_ms)))
            }
            Write::Create { new, answer } => Applied::new(answer, self.attempt(|d| d.create(&new))),
            Write::Finish { finished, answer } => {
                Applied::new(answer, self.attempt(|d| d.finish(&finished)))
            }
            Write::InterruptRunning { answer } => {
                Applied::new(answer, self.attempt(|d| d.interrupt_running().map(|_| ())))
            }
            Write::Quarantine { match_id, why, answer } => {
                Applied::new(answer, self.attempt(|d| d.quarantine(match_id, &why)))
            }
            Write::Audit { key, entry, answer } => {
                Applied::new(answer, self.attempt(|d| d.audit(key, &entry)))
            }
            Write::Settle { key, outcome, why, answer } => {
                let settle = |d: &mut D| d.settle_audit(key, outcome, why.as_deref());
                Applied::new(answer, self.attempt(settle))
            }
            Write::Queue { ask, answer } => {
                Applied::new(answer, self.attempt(|d| d.carry_out(&ask)))
            }
        }
    }

    pub(super) fn attempt<T>(
        &mut self,
        write: impl FnOnce(&mut D) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let try_write = || {
            if !self.begun {
                self.directory.begin()?;
                self.begun = true;
            }
            write(self.directory)
        };
        let result = try_write();
        if let Err(error) = &result
            && !error.is_callers_fault()
        {
            self.failed = Some(error.clone());
        }
        result
    }

    /// Ends the transaction; `Some` is the error that took everyone's writes.
    pub(super) fn commit(mut self) -> Option<StoreError> {
        if !self.begun {
            return self.failed;
        }
        if self.failed.is_none() {
            self.failed = self.directory.commit().err();
        }
        if self.failed.is_some()
            && let Err(worse) = self.directory.roll_back()
        {
            self.failed = Some(match worse {
                StoreError::Broken { .. } => worse,
                other => StoreError::Broken { cause: format!("rolling back: {other}") },
            });
        }
        self.failed
    }
}

/// Hears whether the transaction failed, and why.
type Told = dyn FnOnce(Option<&StoreError>);

/// A write that waits for its transaction's end.
pub(super) struct Applied(Box<Told>);

impl Applied {
    /// What came of it so far, and who is told.
    pub(super) fn new<T: 'static>(answer: Answer<T>, result: Result<T, StoreError>) -> Self {
        // Whoever asked may have stopped listening; the write stands all the same.
        Self(Box::new(move |failed| drop(answer.send(outcome(result, failed)))))
    }

    pub(super) fn answer(self, failed: Option<&StoreError>) {
        (self.0)(failed);
    }
}

fn outcome<T>(result: Result<T, StoreError>, failed: Option<&StoreError>) -> Result<T, StoreError> {
    match failed {
        // Even a caller's own mistake: it was judged by what was rolled back.
        Some(failed) => Err(failed.clone()),
        None => result,
    }
}
