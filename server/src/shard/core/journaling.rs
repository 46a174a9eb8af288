//! From matches to the journal and back: what is gathered of them, and what is durable of it.
//!
//! Owns: the round through all matches, a part in each pass of the shell. Must not know: when it is time for
//! one, and what the journal does with it.

use matchkeep_shared::Game;
use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::time::Tick;

use super::{Core, Stage};
use crate::matches::recorder::JournalBatch;

impl<G: Game> Core<G> {
    /// What is on its way to the journal.
    pub fn outgoing(&self) -> &JournalBatch {
        &self.outgoing
    }

    /// What is on its way to the journal, for the shell to take or to leave.
    pub fn outgoing_mut(&mut self) -> &mut JournalBatch {
        &mut self.outgoing
    }

    /// Whether matches have something for the journal.
    pub fn has_for_journal(&self) -> bool {
        self.frames_wait || self.gather_from > 0 || !self.outgoing.is_empty()
    }

    /// Puts what matches have for the journal into the batch, as far as that has room. Says whether every match
    /// had its turn; if not, this goes on where it ended.
    pub fn gather(&mut self) -> bool {
        if self.gather_from == 0 {
            // What comes while the round is under way waits for the next one.
            self.frames_wait = false;
        }
        while let Some(host) = self.hosts.get_mut(self.gather_from) {
            if let Some(host) = host {
                let (match_id, tick) = (host.game.spec().id, host.game.tick() + 1);
                let (game, outgoing) = (&mut host.game, &mut self.outgoing);
                // It may be time for a checkpoint, and that is the game's to encode.
                self.options.heartbeat.during(match_id, tick, || {
                    if let Stage::Finishing { is_written } = &mut host.stage {
                        *is_written = *is_written || game.hand_over_end(outgoing);
                    } else {
                        game.hand_over(outgoing);
                    }
                });
            }
            if self.outgoing.is_full() {
                // A round that is under way says so by where it is.
                self.frames_wait |= self.gather_from == 0;
                return false;
            }
            self.gather_from += 1;
        }
        self.gather_from = 0;
        true
    }

    /// What is on stable storage of some matches.
    pub fn note_durable(&mut self, ticks: &[(MatchId, Epoch, Tick)]) {
        for (match_id, epoch, tick) in ticks {
            let Some(index) = self.by_match.get(match_id).copied() else { continue };
            let Some(host) = &mut self.hosts[index] else { continue };
            if host.game.epoch() == *epoch {
                host.game.set_durable(*tick);
                let lag = host.game.durable_lag().map_or(0, u64::from);
                self.stats.durable_lag.record(host.game.spec().rate.elapsed(lag));
            }
        }
    }
}
