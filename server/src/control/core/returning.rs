//! Matches of the process before: their way back, and when the node is ready for players.

use matchkeep_shared::Game;
use matchkeep_shared::encoding::encode;

use super::ledger::{Ledger, Stage};
use super::{ControlAction, ControlCore, Note};
use crate::journal::Entry;
use crate::recovery::Returning;
use crate::shard::message::{Command, NewHost, Resumption};
use crate::store::NewMatch;

impl<G: Game> ControlCore<G> {
    /// A match of the process before: its next epoch is claimed, then a shard replays it.
    pub(super) fn bring_back(&mut self, now_unix_ms: u64, nth: usize, returning: Returning<G>) {
        let epoch = returning.epoch();
        let Returning { spec, record, is_recorded, private, base, deaths, hung, journal } =
            returning;
        let shard = self.shards[nth % self.shards.len()];
        let match_id = spec.id;
        let mode = self.modes.iter().position(|mode| mode.name == spec.mode);
        if !is_recorded {
            let is_rated = mode.is_some_and(|mode| self.modes[mode].rules.is_rated);
            let ladder = (is_rated && private.is_none()).then(|| spec.mode.clone());
            self.note(Note::Create(Box::new(NewMatch { shard, ladder, ..record })));
        }
        self.lobby.expect_match(match_id, mode, shard, spec.places, private);
        let policy = mode.map(|mode| self.modes[mode].policy).unwrap_or_default();
        let host = NewHost { spec, policy };
        let stage = Stage::Resuming(Some(Box::new(Resumption { host, epoch, base })));
        self.matches.insert(match_id, Ledger { shard, epoch, deaths, is_closed: false, stage });
        let (claim, unix_ms) = (Vec::new(), now_unix_ms);
        self.journal(match_id, epoch, Entry::Resume { recovered: journal, claim, unix_ms });
        if let Some(hung) = hung {
            *self.counters.deaths.entry(hung.cause.label()).or_default() += 1;
            self.noted.insert(match_id);
            self.journal(
                match_id,
                epoch,
                Entry::Incident { tick: hung.tick, bytes: encode(&hung) },
            );
        }
    }

    /// Once no match is waited for any more, shards and players may begin.
    pub(super) fn check_ready(&mut self) {
        if self.returning == 0 && !self.is_ready {
            self.is_ready = true;
            for shard in 0..self.shards.len() {
                self.tell(self.shards[shard], Command::Open);
            }
            self.actions.push_back(ControlAction::Ready);
        }
    }
}
