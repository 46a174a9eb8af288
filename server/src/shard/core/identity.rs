//! Who may go on: identities that end, newer ones, players who were banned or revoked, and keys that are believed.
//!
//! Owns: what a player showed last, per session, and whose tickets and tokens are void. Must not know: how a token is
//! checked, and why somebody was banned.

use std::time::Instant;

use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{MatchId, PlayerId, Slot};
use quinn_proto::ConnectionHandle;

use super::{Connection, Core, Session};
use crate::accounts::Barred;
use crate::shard::message::ShardEvent;
use crate::shard::session::Shown;
use crate::shard::tokens::Tokens;
use crate::tickets::TicketKeys;

impl<G: Game> Core<G> {
    /// Whether a player may come in with what was given at `given_unix_ms`.
    pub(super) fn check_standing(
        &self,
        player: PlayerId,
        given_unix_ms: u64,
        identity_until_unix_ms: u64,
    ) -> Result<(), DisconnectReason> {
        if identity_until_unix_ms <= self.wall_unix_ms {
            return Err(DisconnectReason::IdentityExpired);
        }
        match self.barred.get(&player) {
            Some(bar) if bar.voids(given_unix_ms) => Err(bar.reason),
            _ => Ok(()),
        }
    }

    /// A player shows a newer token; control says what it is worth. One at a time.
    pub(super) fn hear_identity(
        &mut self,
        connection: &mut Connection,
        token: String,
    ) -> Result<(), DisconnectReason> {
        let Session::Playing(playing) = &mut connection.session else { return Ok(()) };
        if std::mem::replace(&mut playing.identity.is_pending, true) {
            return Err(DisconnectReason::UnexpectedMessage);
        }
        let Some(host) = &self.hosts[playing.host] else { return Ok(()) };
        let (match_id, player) = (host.game.spec().id, playing.player);
        self.reports.push_back(ShardEvent::Identity { match_id, player, token });
        Ok(())
    }

    /// Control says until when a newer token is good, or why it is not.
    pub(super) fn note_identity(
        &mut self,
        now: Instant,
        match_id: MatchId,
        player: PlayerId,
        until_unix_ms: Result<u64, DisconnectReason>,
    ) {
        let Some(index) = self.by_match.get(&match_id).copied() else { return };
        let Some(host) = &self.hosts[index] else { return };
        let session = host.game.slot_of(player).and_then(|slot| host.sessions[slot.index()]);
        // Who left meanwhile shows it again on coming back.
        let Some(handle) = session else { return };
        match until_unix_ms {
            Err(reason) => self.dismiss(now, handle, reason),
            Ok(until_unix_ms) => {
                let shown = Shown::new(now, self.wall_unix_ms, until_unix_ms);
                let Some(Some(connection)) = self.connections.get_mut(handle.0) else { return };
                let Session::Playing(playing) = &mut connection.session else { return };
                playing.identity = shown;
                // The next token says it too.
                playing.token_period = 0;
                self.rearm(handle);
            }
        }
    }

    /// There is a new key. Players who are here get tokens of it with their next ones, within a minute.
    pub(super) fn take_keys(&mut self, keys: &TicketKeys) {
        self.tickets = keys.verifier();
        self.tokens = Tokens::new(keys.signer().clone());
        self.reports.push_back(ShardEvent::KeysTaken(keys.id()));
    }

    /// Sends away who may not go on. A banned player's place is free; who was revoked may come back with a newer
    /// identity.
    pub(super) fn bar(&mut self, now: Instant, barred: Barred) {
        let mut sent_away = Vec::new();
        for (index, host) in self.hosts.iter().enumerate() {
            let Some(host) = host else { continue };
            for (player, bar) in &barred {
                let was_known = self.barred.get(player) == Some(bar);
                let Some(slot) = host.game.slot_of(*player).filter(|_| !was_known) else {
                    continue;
                };
                sent_away.push((index, slot, bar.reason));
            }
        }
        self.barred = barred;
        for (index, slot, reason) in sent_away {
            self.send_off(now, index, slot, reason);
        }
    }

    fn send_off(&mut self, now: Instant, index: usize, slot: Slot, reason: DisconnectReason) {
        let Some(host) = &self.hosts[index] else { return };
        let session: Option<ConnectionHandle> = host.sessions[slot.index()];
        match session {
            Some(handle) => self.dismiss(now, handle, reason),
            None if reason == DisconnectReason::Banned => self.vacate(index, slot),
            None => {}
        }
    }
}
