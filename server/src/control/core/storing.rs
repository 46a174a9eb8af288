//! What the store answers: what is durable, what can never be, and what is tried again.

use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;

use super::{ControlCore, Note, StoreAnswer};
use crate::shard::message::Command;
use crate::store::StoreError;

/// How long what the store could not do waits before it is tried again, in milliseconds.
pub(super) const STORE_RETRY_MS: u64 = 1000;

/// Control cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct StoreFailed(#[from] pub StoreError);

impl<G: Game> ControlCore<G> {
    /// The store has an answer.
    ///
    /// # Errors
    /// [`StoreFailed`] where nothing can be stored any more: the process should end and start anew.
    pub fn handle_store(
        &mut self,
        now_unix_ms: u64,
        answer: StoreAnswer,
    ) -> Result<(), StoreFailed> {
        match answer {
            StoreAnswer::Account { to, result } => {
                let account = self.answered("a player's account", result)?;
                self.lobby.handle_account(now_unix_ms, to, account);
            }
            StoreAnswer::Vouched { showing, newer, result } => {
                self.judge_newer(now_unix_ms, showing, newer, result)?;
            }
            StoreAnswer::Reserved { to, mode, result } => {
                let reserved = self.answered("a private match", result)?;
                self.lobby.handle_reserved(now_unix_ms, to, mode, reserved);
            }
            StoreAnswer::Queue { to, ask, result } => {
                let said = match result {
                    // Whoever asked made the mistake; nothing is wrong with the store.
                    Err(StoreError::WaitsElsewhere { .. }) => {
                        Err(DisconnectReason::QueuedElsewhere)
                    }
                    Err(StoreError::QueueCrowded) => Err(DisconnectReason::QueueCrowded),
                    result => self.answered("the queue", result)?,
                };
                self.lobby.handle_queue(now_unix_ms, to, ask, said);
            }
            StoreAnswer::Noted { note, result } => {
                let refused = result.as_ref().err().filter(|error| error.is_final()).cloned();
                let what = match &note {
                    Note::Create(_) => "a match's beginning",
                    Note::Quarantine { .. } => "that a match was set aside",
                    Note::Result(_) => "a match's result",
                };
                match (self.noted(what, result)?, refused) {
                    (Some(()), _) => self.stored(note),
                    (None, Some(_)) => self.refused(note),
                    // Nothing is lost: the match stands, and nobody is told what is not durable. The result will
                    // need the match's record.
                    (None, None) => self.retries.push_back((now_unix_ms + STORE_RETRY_MS, note)),
                }
            }
        }
        self.act(now_unix_ms);
        Ok(())
    }

    /// A note is on stable storage.
    fn stored(&mut self, note: Note) {
        if let Note::Result(finished) = note {
            self.counters.results_pending -= 1;
            self.counters.results_stored += 1;
            self.tell_all(&|| Command::ResultDurable { match_id: finished.id });
        }
    }

    /// A note can never be written down.
    fn refused(&mut self, note: Note) {
        if let Note::Result(finished) = note {
            let match_id = finished.id;
            tracing::error!(%match_id, "the result is lost: {:?}", finished.outcome);
            self.counters.results_pending -= 1;
            self.counters.results_lost += 1;
            self.tell_all(&|| Command::ResultLost { match_id });
        }
    }

    /// What the lobby asked for, or what whoever waits for it is told: they may ask again.
    pub(super) fn answered<T>(
        &mut self,
        what: &str,
        result: Result<T, StoreError>,
    ) -> Result<Result<T, DisconnectReason>, StoreFailed> {
        let why = match &result {
            Err(StoreError::Full { .. }) => DisconnectReason::StorageFull,
            Ok(_) | Err(_) => DisconnectReason::Internal,
        };
        Ok(self.noted(what, result)?.ok_or(why))
    }

    /// What the store said. A store that can no longer be trusted ends the process; anything else is
    /// told in the log and counted.
    fn noted<T>(
        &mut self,
        what: &str,
        result: Result<T, StoreError>,
    ) -> Result<Option<T>, StoreFailed> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error @ (StoreError::Broken { .. } | StoreError::Closed)) => Err(error.into()),
            Err(error) => {
                self.counters.store_errors += 1;
                tracing::error!(%error, "{what} could not be stored");
                Ok(None)
            }
        }
    }
}
