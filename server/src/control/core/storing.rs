//! What the store answers: what is durable, what can never be, and what is tried again.

use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;

use super::{ControlCore, StoreAnswer, StoreRequest};
use crate::shard::message::Command;
use crate::store::StoreError;

/// How long a write that the store could not take waits before it is tried again, in milliseconds.
const STORE_RETRY_MS: u64 = 1000;

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
                let why = match &result {
                    Err(StoreError::Full { .. }) => DisconnectReason::StorageFull,
                    Ok(_) | Err(_) => DisconnectReason::Internal,
                };
                let account = self.noted("a player's account", result)?;
                self.lobby.handle_account(to, account.ok_or(why));
            }
            StoreAnswer::Done { request, result } => {
                let refused = result.as_ref().err().filter(|error| error.is_final()).cloned();
                let what = match &request {
                    StoreRequest::Account { .. } => "a player's account",
                    StoreRequest::Create(_) => "a match's beginning",
                    StoreRequest::Quarantine { .. } => "that a match was set aside",
                    StoreRequest::Result(_) => "a match's result",
                };
                match (self.noted(what, result)?, refused) {
                    (Some(()), _) => self.stored(request),
                    (None, Some(_)) => self.refused(request),
                    (None, None) => self.unstored(now_unix_ms, request),
                }
            }
        }
        self.act(now_unix_ms);
        Ok(())
    }

    /// A request is on stable storage.
    fn stored(&mut self, request: StoreRequest) {
        match request {
            StoreRequest::Account { .. }
            | StoreRequest::Create(_)
            | StoreRequest::Quarantine { .. } => {}
            StoreRequest::Result(finished) => {
                self.counters.results_pending -= 1;
                self.counters.results_stored += 1;
                self.tell_all(&|| Command::ResultDurable { match_id: finished.id });
            }
        }
    }

    /// A request can never be carried out.
    fn refused(&mut self, request: StoreRequest) {
        match request {
            StoreRequest::Account { .. }
            | StoreRequest::Create(_)
            | StoreRequest::Quarantine { .. } => {}
            StoreRequest::Result(finished) => {
                let match_id = finished.id;
                tracing::error!(%match_id, "the result is lost: {:?}", finished.outcome);
                self.counters.results_pending -= 1;
                self.counters.results_lost += 1;
                self.tell_all(&|| Command::ResultLost { match_id });
            }
        }
    }

    /// The store has no room for a request now.
    fn unstored(&mut self, now_unix_ms: u64, request: StoreRequest) {
        match request {
            // Who asked may ask again.
            StoreRequest::Account { .. } => {}
            // Nothing is lost: the match stands, and nobody is told what is not durable. The result will
            // need the match's record.
            later @ (StoreRequest::Create(_)
            | StoreRequest::Quarantine { .. }
            | StoreRequest::Result(_)) => {
                self.retries.push_back((now_unix_ms + STORE_RETRY_MS, later));
            }
        }
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
