//! Orders: what an operator does to a running match.
//!
//! Owns: which orders make sense when, and carrying them out between two ticks. Must not know: who
//! orders, and how an order got here.

use std::time::Instant;

use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{MatchId, PlayerId, Slot};
use matchkeep_shared::limits::SERVER_MESSAGE_BYTES_MAX;
use matchkeep_shared::wire::frame::write_frame;
use matchkeep_shared::wire::message::ServerMessage;

use super::{Core, Session};
use crate::shard::message::ShardEvent;
use crate::shard::order::{Order, OrderRefused, Ordered};

impl<G: Game> Core<G> {
    /// Carries an order out.
    pub(super) fn order(
        &mut self,
        now: Instant,
        match_id: MatchId,
        order: Order,
    ) -> Result<Ordered, OrderRefused> {
        let index = *self.by_match.get(&match_id).ok_or(OrderRefused::UnknownMatch)?;
        let host = self.hosts[index].as_mut().ok_or(OrderRefused::UnknownMatch)?;
        let stage = host.stage_now();
        if self.stopping || !host.is_running() {
            return Err(OrderRefused::NotRunning(stage));
        }
        let mut told = None;
        match order {
            Order::Say { text } => told = Some(self.say(now, index, text)),
            Order::Kick { player } => {
                let slot = host.game.slot_of(player).ok_or(OrderRefused::NoSuchPlayer(player))?;
                self.send_away(now, index, slot, DisconnectReason::Kicked);
            }
            Order::Pause if host.pace.is_held() => return Err(OrderRefused::AlreadyPaused(stage)),
            Order::Pause => host.pace.hold(),
            Order::Resume if !host.pace.is_held() => return Err(OrderRefused::NotPaused(stage)),
            Order::Resume => host.pace.let_go(),
            Order::End { reason } => {
                host.pace.let_go();
                host.game.end(&reason);
            }
        }
        let row = self.row(index).ok_or(OrderRefused::UnknownMatch)?;
        Ok(Ordered { told, row })
    }

    fn say(&mut self, now: Instant, index: usize, text: String) -> usize {
        let mut frame = Vec::new();
        let message = ServerMessage::Notice { text };
        let written = write_frame(&message, SERVER_MESSAGE_BYTES_MAX, &mut frame);
        debug_assert!(written.is_ok(), "a notice is far shorter than a message may be");
        self.tell_players(now, index, &frame)
    }

    /// Gives a whole frame to every connected player of a match; says to how many. Who does not read is
    /// sent away.
    pub(super) fn tell_players(&mut self, now: Instant, index: usize, frame: &[u8]) -> usize {
        let Some(host) = &self.hosts[index] else { return 0 };
        let sessions: Vec<_> = host.sessions.iter().flatten().copied().collect();
        let mut told = 0;
        for handle in sessions {
            let Some(Some(connection)) = self.connections.get_mut(handle.0) else { continue };
            let Session::Playing(playing) = &mut connection.session else { continue };
            let result = playing.outbox.push(frame);
            playing.outbox.flush(&mut connection.quic, playing.stream);
            match result {
                Ok(()) => {
                    told += 1;
                    self.mark_dirty(handle);
                }
                Err(reason) => self.dismiss(now, handle, reason),
            }
        }
        told
    }

    /// Control says that a player gives up the place.
    pub(super) fn release(&mut self, now: Instant, match_id: MatchId, player: PlayerId) {
        let Some(index) = self.by_match.get(&match_id).copied() else { return };
        let Some(host) = &self.hosts[index] else { return };
        let Some(slot) = host.game.slot_of(player) else { return };
        self.send_away(now, index, slot, DisconnectReason::Left);
    }

    /// Frees a place with whatever connection it has; `reason` must be one that gives it up.
    fn send_away(&mut self, now: Instant, index: usize, slot: Slot, reason: DisconnectReason) {
        let Some(host) = &self.hosts[index] else { return };
        match host.sessions[slot.index()] {
            Some(handle) => self.dismiss(now, handle, reason),
            None => self.vacate(index, slot),
        }
    }

    /// Frees a place for good.
    pub(super) fn vacate(&mut self, index: usize, slot: Slot) {
        let Some(host) = &mut self.hosts[index] else { return };
        let match_id = host.game.spec().id;
        if let Some(player) = host.game.leave(slot) {
            self.reports.push_back(ShardEvent::Left { match_id, player });
        }
    }
}

#[cfg(test)]
mod tests;
