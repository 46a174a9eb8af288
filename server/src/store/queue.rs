//! The queue: parties that wait for a match, and what became of them.
//!
//! Owns: the [`Queue`] seam, a part of [`Directory`](super::Directory). Must not know: who plays with whom, SQL
//! (that is in `tables`).
//!
//! A player waits once. Whoever asks again for the same goes on waiting: an answer that was lost, or a lobby
//! that died, costs nobody their place. Parties are taken out of the queue by one conditional write,
//! [`Queue::form`], all of them or none, so that any number of lobbies may work on one store.

pub(super) mod tables;

use matchkeep_shared::ids::{MatchId, PlayerId};
use matchkeep_shared::limits::QUEUE_CHANGES_MAX;

use super::directory::StoreError;
use crate::matchmaking::{
    FormMatch, Formed, NewTicket, Promised, QueueAsk, QueueEnd, QueueSaid, QueueTicketId, Queued,
    Rating,
};

/// The part of the directory that keeps the queue and ratings. What is said of writes there is so here.
pub trait Queue {
    /// Has a party wait. One of the same players, with the same leader and for the same mode, that waits
    /// already is the answer, with the time since when it waits. So is one that was taken for a match that goes
    /// on, unless they are done with that: whoever asks again because an answer was lost has a match already.
    ///
    /// # Errors
    /// [`StoreError::WaitsElsewhere`] where one of them waits in another party or for another mode,
    /// [`StoreError::QueueCrowded`], [`StoreError::PartyInvalid`] or storage's own.
    fn enqueue(&mut self, new: &NewTicket) -> Result<Queued, StoreError>;

    /// Takes a party out of the queue, and says whether it waited. One that does not, or that nobody knows, is
    /// left as it is.
    ///
    /// # Errors
    /// Storage's own.
    fn cancel_queued(
        &mut self,
        id: QueueTicketId,
        end: QueueEnd,
        now_unix_ms: u64,
    ) -> Result<bool, StoreError>;

    /// Takes parties for a match, all of them or none. The same again is the same answer.
    ///
    /// # Errors
    /// Storage's own.
    fn form(&mut self, form: &FormMatch) -> Result<Formed, StoreError>;

    /// What changed in the queue after change number `after`, each party once as it now is, in the order of the
    /// changes: at most `limit`, and never more than
    /// [`QUEUE_CHANGES_MAX`](matchkeep_shared::limits::QUEUE_CHANGES_MAX). From 0 on it is all there is.
    ///
    /// # Errors
    /// Storage's own.
    fn queue_changes(&self, after: u64, limit: usize) -> Result<Vec<Queued>, StoreError>;

    /// Where a player waits; else what became of the last time.
    ///
    /// # Errors
    /// Storage's own.
    fn queue_of(&self, player: PlayerId) -> Result<Option<Queued>, StoreError>;

    /// Matches that were promised and are not made, those with the lowest IDs.
    ///
    /// # Errors
    /// Storage's own.
    fn promised(&self) -> Result<Vec<Promised>, StoreError> {
        self.promised_after(None)
    }

    /// Matches that were promised and are not made and whose IDs are behind this one, in the order of their IDs, each
    /// with all its parties of which nobody has been in another one since: at most
    /// [`QUEUE_PROMISES_MAX`](matchkeep_shared::limits::QUEUE_PROMISES_MAX).
    ///
    /// # Errors
    /// Storage's own.
    fn promised_after(&self, after: Option<MatchId>) -> Result<Vec<Promised>, StoreError>;

    /// Lets go of parties that left the queue before this time, at most
    /// [`QUEUE_FORGOTTEN_MAX`](matchkeep_shared::limits::QUEUE_FORGOTTEN_MAX), and says how many.
    ///
    /// # Errors
    /// Storage's own.
    fn forget_queued(&mut self, before_unix_ms: u64) -> Result<u64, StoreError>;

    /// Players' ratings on a ladder, in the order asked; a newcomer's where there is none yet.
    ///
    /// # Errors
    /// Storage's own.
    fn ratings(&self, ladder: &str, players: &[PlayerId]) -> Result<Vec<Rating>, StoreError>;

    /// Does what is asked.
    ///
    /// # Errors
    /// Those of what is asked.
    fn carry_out(&mut self, ask: &QueueAsk) -> Result<QueueSaid, StoreError> {
        Ok(match ask {
            QueueAsk::Enqueue(new) => QueueSaid::Enqueued(self.enqueue(new)?),
            QueueAsk::End { ticket, end, now_unix_ms } => {
                QueueSaid::Ended(self.cancel_queued(*ticket, *end, *now_unix_ms)?)
            }
            QueueAsk::Form { form, .. } => QueueSaid::Formed(self.form(form)?),
            QueueAsk::Changes { after } => {
                QueueSaid::Changes(self.queue_changes(*after, QUEUE_CHANGES_MAX)?)
            }
            QueueAsk::Promised { after } => QueueSaid::Promised(self.promised_after(*after)?),
            QueueAsk::Ratings { ladder, players, .. } => {
                QueueSaid::Ratings(self.ratings(ladder, players)?)
            }
            QueueAsk::Forget { before_unix_ms } => {
                QueueSaid::Forgotten(self.forget_queued(*before_unix_ms)?)
            }
        })
    }
}

#[cfg(test)]
mod tests;
