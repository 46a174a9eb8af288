//! Matches whose game died: they go on in their next epoch, or are set aside where that does not help.

use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::encoding::encode;
use matchkeep_shared::ids::{Epoch, MatchId};

use super::ledger::Stage;
use super::{ControlCore, Note};
use crate::journal::Entry;
use crate::matches::Death;
use crate::matches::incident::{Incident, IncidentCause};
use crate::shard::message::Command;

impl<G: Game> ControlCore<G> {
    /// A match died on its shard. The evidence goes to the journal before anything else happens to it.
    pub(super) fn handle_death(
        &mut self,
        now_unix_ms: u64,
        match_id: MatchId,
        epoch: Epoch,
        death: Death,
    ) {
        let Death { tick, cause, suspect } = death;
        *self.counters.deaths.entry(IncidentCause::Panic.label()).or_default() += 1;
        let Some(ledger) = self.matches.get_mut(&match_id) else { return };
        ledger.deaths.count(tick);
        let deaths = ledger.deaths;
        tracing::error!(%match_id, %epoch, %tick, %deaths, %cause, "the match died");
        let incident = Incident { cause: IncidentCause::Panic, tick, text: cause.clone(), suspect };
        let incident = encode(&incident);
        if !self.is_journaled {
            self.matches.remove(&match_id);
            return;
        }
        ledger.stage = if deaths.are_final() { Stage::Leaving } else { Stage::Restarting };
        // The evidence is written in any case, behind the last frame.
        let entry = Entry::Incident { tick, bytes: incident };
        self.journal(match_id, epoch, entry);
        if deaths.are_final() {
            self.set_aside(match_id, format!("{deaths}: {cause}"));
        } else {
            let entry = Entry::Restart { claim: Vec::new(), unix_ms: now_unix_ms };
            self.journal(match_id, Epoch(epoch.0 + 1), entry);
        }
    }

    /// A match is given up; all its data stays for whoever looks into it.
    pub(super) fn set_aside(&mut self, match_id: MatchId, why: String) {
        self.counters.matches_quarantined += 1;
        if let Some(ledger) = self.matches.get_mut(&match_id) {
            if matches!(ledger.stage, Stage::Resuming(_)) {
                self.returning = self.returning.saturating_sub(1);
            }
            ledger.stage = Stage::Leaving;
            let shard = ledger.shard;
            let reason = DisconnectReason::MatchQuarantined;
            self.tell(shard, Command::Drop { match_id, reason });
        }
        tracing::error!(%match_id, %why, "the match is set aside with its data");
        self.lobby.forget_match(match_id);
        self.note(Note::Quarantine { match_id, why });
    }
}
