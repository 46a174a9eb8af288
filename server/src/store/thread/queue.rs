//! The queue's side of the store's thread.
//!
//! Owns: what can be asked of the queue and of ratings, and asking the directory. Must not know: transactions.

use matchkeep_shared::ids::PlayerId;

use super::super::directory::{Directory, StoreError};
use super::super::pending::{Answer, Pending};
use super::super::queue::{FormMatch, Formed, NewTicket, Promised, QueueEnd, Queued};
use super::batch::{Applied, Batch};
use super::{Store, Write};
use crate::matchmaking::{QueueTicketId, Rating};

/// A call about the queue. Those that only read are in the transaction too: they see what was written before.
pub(super) enum QueueCall {
    Enqueue { new: NewTicket, answer: Answer<Queued> },
    Cancel { id: QueueTicketId, end: QueueEnd, now_unix_ms: u64, answer: Answer<bool> },
    Form { form: FormMatch, answer: Answer<Formed> },
    Changes { after: u64, limit: usize, answer: Answer<Vec<Queued>> },
    Of { player: PlayerId, answer: Answer<Option<Queued>> },
    Promised { answer: Answer<Vec<Promised>> },
    Forget { before_unix_ms: u64, answer: Answer<u64> },
    Ratings { ladder: String, players: Vec<PlayerId>, answer: Answer<Vec<Rating>> },
}

impl<D: Directory> Batch<'_, D> {
    pub(super) fn apply_to_queue(&mut self, call: QueueCall) -> Applied {
        match call {
            QueueCall::Enqueue { new, answer } => {
                Applied::new(answer, self.attempt(|d| d.enqueue(&new)))
            }
            QueueCall::Cancel { id, end, now_unix_ms, answer } => {
                Applied::new(answer, self.attempt(|d| d.cancel_queued(id, end, now_unix_ms)))
            }
            QueueCall::Form { form, answer } => {
                Applied::new(answer, self.attempt(|d| d.form(&form)))
            }
            QueueCall::Changes { after, limit, answer } => {
                Applied::new(answer, self.attempt(|d| d.queue_changes(after, limit)))
            }
            QueueCall::Of { player, answer } => {
                Applied::new(answer, self.attempt(|d| d.queue_of(player)))
            }
            QueueCall::Promised { answer } => Applied::new(answer, self.attempt(|d| d.promised())),
            QueueCall::Forget { before_unix_ms, answer } => {
                Applied::new(answer, self.attempt(|d| d.forget_queued(before_unix_ms)))
            }
            QueueCall::Ratings { ladder, players, answer } => {
                Applied::new(answer, self.attempt(|d| d.ratings(&ladder, &players)))
            }
        }
    }
}

impl Store {
    /// Has a party wait; see [`Queue::enqueue`](super::super::Queue::enqueue).
    ///
    /// # Errors
    /// [`StoreError::QueueFull`] and [`StoreError::Closed`]; the others come with the answer.
    pub fn enqueue(&self, new: NewTicket) -> Result<Pending<Queued>, StoreError> {
        self.queue_call(|answer| QueueCall::Enqueue { new, answer })
    }

    /// Takes a party out of the queue; see [`Queue::cancel_queued`](super::super::Queue::cancel_queued).
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    pub fn cancel_queued(
        &self,
        id: QueueTicketId,
        end: QueueEnd,
        now_unix_ms: u64,
    ) -> Result<Pending<bool>, StoreError> {
        self.queue_call(|answer| QueueCall::Cancel { id, end, now_unix_ms, answer })
    }

    /// Takes parties for a match, all of them or none; see [`Queue::form`](super::super::Queue::form).
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    pub fn form(&self, form: FormMatch) -> Result<Pending<Formed>, StoreError> {
        self.queue_call(|answer| QueueCall::Form { form, answer })
    }

    /// What changed in the queue; see [`Queue::queue_changes`](super::super::Queue::queue_changes).
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    pub fn queue_changes(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Pending<Vec<Queued>>, StoreError> {
        self.queue_call(|answer| QueueCall::Changes { after, limit, answer })
    }

    /// Where a player waits; see [`Queue::queue_of`](super::super::Queue::queue_of).
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    pub fn queue_of(&self, player: PlayerId) -> Result<Pending<Option<Queued>>, StoreError> {
        self.queue_call(|answer| QueueCall::Of { player, answer })
    }

    /// Matches that were promised and are not made; see [`Queue::promised`](super::super::Queue::promised).
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    pub fn promised(&self) -> Result<Pending<Vec<Promised>>, StoreError> {
        self.queue_call(|answer| QueueCall::Promised { answer })
    }

    /// One step of letting go; ask again while it removes as many as it may. See
    /// [`Queue::forget_queued`](super::super::Queue::forget_queued).
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    pub fn forget_queued(&self, before_unix_ms: u64) -> Result<Pending<u64>, StoreError> {
        self.queue_call(|answer| QueueCall::Forget { before_unix_ms, answer })
    }

    /// Players' ratings on a ladder; see [`Queue::ratings`](super::super::Queue::ratings).
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    pub fn ratings(
        &self,
        ladder: &str,
        players: Vec<PlayerId>,
    ) -> Result<Pending<Vec<Rating>>, StoreError> {
        let ladder = ladder.to_owned();
        self.queue_call(|answer| QueueCall::Ratings { ladder, players, answer })
    }

    fn queue_call<T>(
        &self,
        call: impl FnOnce(Answer<T>) -> QueueCall,
    ) -> Result<Pending<T>, StoreError> {
        self.write(|answer| Write::Queue(Box::new(call(answer))))
    }
}
