//! Group commit of the directory's writes.
//!
//! Owns: one transaction for everyone who waits, and answering after it. Must not know: queues.

use matchkeep_shared::ids::PlayerId;

use super::super::directory::{Directory, StoreError};
use super::super::pending::Answer;
use super::Write;
use crate::accounts::Account;
use crate::reservations::Reserved;

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
                Applied::Player(answer, self.attempt(|d| d.player(&name, now_unix_ms)))
            }
            Write::Account { key, now_unix_ms, answer } => {
                Applied::Account(answer, self.attempt(|d| d.account(&key, now_unix_ms)))
            }
            Write::Reserve { wanted, answer } => {
                Applied::Reserved(answer, self.attempt(|d| d.reserve(&wanted)))
            }
            Write::Create { new, answer } => {
                Applied::Match(answer, self.attempt(|d| d.create(&new)))
            }
            Write::Finish { finished, answer } => {
                Applied::Match(answer, self.attempt(|d| d.finish(&finished)))
            }
            Write::InterruptRunning { answer } => {
                Applied::Match(answer, self.attempt(|d| d.interrupt_running().map(|_| ())))
            }
            Write::Quarantine { match_id, why, answer } => {
                Applied::Match(answer, self.attempt(|d| d.quarantine(match_id, &why)))
            }
            Write::Audit { key, entry, answer } => {
                Applied::Match(answer, self.attempt(|d| d.audit(key, &entry)))
            }
            Write::Settle { key, outcome, why, answer } => {
                let settle = |d: &mut D| d.settle_audit(key, outcome, why.as_deref());
                Applied::Match(answer, self.attempt(settle))
            }
        }
    }

    fn attempt<T>(
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

/// A write that waits for its transaction's end.
pub(super) enum Applied {
    Player(Answer<PlayerId>, Result<PlayerId, StoreError>),
    Account(Answer<Account>, Result<Account, StoreError>),
    Reserved(Answer<Reserved>, Result<Reserved, StoreError>),
    Match(Answer<()>, Result<(), StoreError>),
}

impl Applied {
    pub(super) fn answer(self, failed: Option<&StoreError>) {
        // Whoever asked may have stopped listening; the write stands all the same.
        match self {
            Self::Player(answer, result) => drop(answer.send(outcome(result, failed))),
            Self::Account(answer, result) => drop(answer.send(outcome(result, failed))),
            Self::Reserved(answer, result) => drop(answer.send(outcome(result, failed))),
            Self::Match(answer, result) => drop(answer.send(outcome(result, failed))),
        }
    }
}

fn outcome<T>(result: Result<T, StoreError>, failed: Option<&StoreError>) -> Result<T, StoreError> {
    match failed {
        // Even a caller's own mistake: it was judged by what was rolled back.
        Some(failed) => Err(failed.clone()),
        None => result,
    }
}
