//! Who may go on: identities that end, newer ones, players who were banned or revoked, and keys that are believed.
//!
//! Owns: what a player showed last, per session, and whose tickets and tokens are void. Must not know: how a token is
//! checked, and why somebody was banned.

use std::time::Instant;

use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{MatchId, PlayerId, Slot};
use matchkeep_shared::ticket::Validity;
use quinn_proto::ConnectionHandle;

use super::{Connection, Core, Session};
use crate::accounts::Barred;
use crate::shard::message::ShardEvent;
use crate::shard::session::Shown;
use crate::shard::tokens::Tokens;
use crate::tickets::TicketKeys;

impl<G: Game> Core<G> {
    /// Whether a player may come in with what was given on the strength of this. When it was given says nothing: a lobby
    /// or a match that had not yet heard of a revocation may have given it later.
    pub(super) fn check_standing(
        &self,
        player: PlayerId,
        identity: Validity,
    ) -> Result<(), DisconnectReason> {
        if identity.until_unix_ms <= self.wall_unix_ms {
            return Err(DisconnectReason::IdentityExpired);
        }
        match self.barred.get(&player) {
            Some(bar) if bar.voids(identity.issued_unix_ms) => Err(bar.reason),
            _ => Ok(()),
        }
    }

    /// A player shows a newer token; control says what it is worth. One at a time, and no oftener than they may ask
    /// something of the lobby: each costs a signature and a look into the store.
    pub(super) fn hear_identity(
        &mut self,
        now: Instant,
        connection: &mut Connection,
        token: String,
    ) -> Result<(), DisconnectReason> {
        let Session::Playing(playing) = &mut connection.session else { return Ok(()) };
        if std::mem::replace(&mut playing.identity.is_pending, true) {
            return Err(DisconnectReason::UnexpectedMessage);
        }
        if !self.identities.spend(now, &playing.player) {
            return Err(DisconnectReason::RequestFlood);
        }
        let Some(host) = &self.hosts[playing.host] else { return Ok(()) };
        let (match_id, player) = (host.game.spec().id, playing.player);
        self.reports.push_back(ShardEvent::Identity { match_id, player, token });
        Ok(())
    }

    /// Control says when a newer token is good, or why it is not.
    pub(super) fn note_identity(
        &mut self,
        now: Instant,
        match_id: MatchId,
        player: PlayerId,
        identity: Result<Validity, DisconnectReason>,
    ) {
        let Some(index) = self.by_match.get(&match_id).copied() else { return };
        let Some(host) = &self.hosts[index] else { return };
        let session = host.game.slot_of(player).and_then(|slot| host.sessions[slot.index()]);
        // Who left meanwhile shows it again on coming back.
        let Some(handle) = session else { return };
        // Barred while it was on its way.
        match identity.and_then(|shown| self.check_standing(player, shown).map(|()| shown)) {
            Err(reason) if !is_verdict(reason) => {
                // What was shown before is as good as it was, and ends when it ends. Control asks again; a client that
                // shows another one meanwhile does no wrong.
                let Some(Some(connection)) = self.connections.get_mut(handle.0) else { return };
                let Session::Playing(playing) = &mut connection.session else { return };
                playing.identity.is_pending = false;
            }
            Err(reason) => self.dismiss(now, handle, reason),
            Ok(validity) => {
                let shown = Shown::new(now, self.wall_unix_ms, validity);
                let Some(Some(connection)) = self.connections.get_mut(handle.0) else { return };
                let Session::Playing(playing) = &mut connection.session else { return };
                playing.identity = shown;
                // The next token says it too.
                playing.token_period = None;
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
        // By who is here, who are few, and not by who is barred, who may be many: ticks wait for this.
        for (index, host) in self.hosts.iter().enumerate() {
            let Some(host) = host else { continue };
            let state = host.game.state();
            for slot in state.taken() {
                let Some(player) = state.player(slot) else { continue };
                let bar = barred.get(&player);
                if let Some(bar) = bar.filter(|bar| self.barred.get(&player) != Some(bar)) {
                    sent_away.push((index, slot, bar.reason));
                }
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

/// Whether this says something of a player or a token, and not of the server alone, which could not look now.
fn is_verdict(reason: DisconnectReason) -> bool {
    use DisconnectReason::{Internal, StorageFailed, StorageFull};
    !matches!(reason, Internal | StorageFailed | StorageFull)
}

#[cfg(test)]
pub(super) mod tests;
