//! What the journal tells: matches that are this node's now, what is durable, and what it takes no more of.

use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{Epoch, MatchId};

use super::ledger::Stage;
use super::{ControlAction, ControlCore, Note, StoreFailed};
use crate::journal::{Durable, JournalError, JournalReport, Refused};
use crate::shard::message::{Command, ShardEvent};
use crate::store::StoreError;

impl<G: Game> ControlCore<G> {
    /// The journal tells what came of a flush.
    ///
    /// # Errors
    /// [`StoreFailed`] where nothing can be stored any more.
    pub fn handle_journal(
        &mut self,
        now_unix_ms: u64,
        report: JournalReport,
    ) -> Result<(), StoreFailed> {
        match &report.trouble {
            Some(JournalError::Broken { cause }) => {
                return Err(StoreFailed(StoreError::Broken { cause: cause.clone() }));
            }
            Some(trouble) if !self.disk_is_full => {
                tracing::error!(%trouble, "nobody new comes in until the journal takes more");
                self.set_disk_full(true);
            }
            None if self.disk_is_full => {
                tracing::info!("the journal takes more again");
                self.set_disk_full(false);
            }
            Some(_) | None => {}
        }
        for (match_id, epoch) in report.claimed {
            self.claimed(match_id, epoch);
        }
        for (match_id, tick) in report.checkpoints_too_large {
            tracing::error!(%match_id, %tick, "the match's state is too large for a checkpoint");
        }
        for refused in report.refused {
            self.refused_by_journal(now_unix_ms, refused);
        }
        // Ticks alone are for shards, and not in here.
        for Durable { match_id, incidents, is_finished, .. } in report.durable {
            if incidents > 0 && self.noted.remove(&match_id) && self.noted.is_empty() {
                self.actions.push_back(ControlAction::ForgetNote);
            }
            let Some(ledger) = self.matches.get_mut(&match_id) else { continue };
            ledger.is_closed |= is_finished;
            if is_finished
                && let Stage::Ending(finished) = &mut ledger.stage
                && let Some(finished) = finished.take()
            {
                self.note(Note::Result(finished));
            }
        }
        self.act(now_unix_ms);
        Ok(())
    }

    fn set_disk_full(&mut self, is_full: bool) {
        self.disk_is_full = is_full;
        self.lobby.set_storage_full(is_full);
        self.tell_all(&|| Command::StorageFull(is_full));
    }

    /// A match is this node's under this epoch, durably.
    fn claimed(&mut self, match_id: MatchId, epoch: Epoch) {
        let Some(ledger) = self.matches.get_mut(&match_id) else { return };
        ledger.epoch = epoch;
        let shard = ledger.shard;
        match &mut ledger.stage {
            Stage::Beginning(begun) => {
                if let Some((host, new)) = begun.take() {
                    ledger.stage = Stage::Running;
                    self.note(Note::Create(new));
                    self.tell(shard, Command::Create(host));
                }
            }
            Stage::Restarting => self.tell(shard, Command::Restart { match_id, epoch }),
            Stage::Resuming(resumption) => {
                if let Some(resumption) = resumption.take() {
                    self.tell(shard, Command::Resume(resumption));
                }
            }
            Stage::Running | Stage::Ending(_) | Stage::Leaving => {}
        }
    }

    /// Nothing more is taken of a match: whoever has it now, it is not this node.
    fn refused_by_journal(&mut self, now_unix_ms: u64, refused: Refused) {
        let Refused { match_id, epoch, why } = refused;
        let Some(ledger) = self.matches.get(&match_id) else { return };
        self.counters.stale_appends += 1;
        tracing::error!(%match_id, %epoch, %why, "the journal takes no more of the match; it stops here");
        let (shard, begins) = (ledger.shard, matches!(ledger.stage, Stage::Beginning(_)));
        // The others do not wait for one that somebody else brings back.
        if matches!(ledger.stage, Stage::Resuming(_)) {
            self.returning = self.returning.saturating_sub(1);
        }
        self.matches.remove(&match_id);
        if begins {
            self.lobby.handle_shard_event(now_unix_ms, &ShardEvent::CreateRefused { match_id });
        } else {
            self.lobby.forget_match(match_id);
            // They may find it where it is now.
            let reason = DisconnectReason::ConnectionLost;
            self.tell(shard, Command::Drop { match_id, reason });
        }
        self.check_ready();
    }
}
