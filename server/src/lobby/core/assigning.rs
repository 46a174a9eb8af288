//! Places in matches: having a match made, keeping a place in it, and the ticket that leads there.
//!
//! Owns: which shard gets a new match, what an assignment says, and who waits for a match that is being made. Must not
//! know: why a player goes to a match; that is for `queueing` and `private`.

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::TICKET_VALID;
use matchkeep_shared::ticket::TicketClaims;
use matchkeep_shared::wire::lobby::{Assignment, LobbyReply, LobbyRequest};

use super::queued::reserved_until;
use super::{Action, ConnectionKey, Lobby, Player, PrivateMatch, Session, ShardEntry, Voice};
use crate::lobby::placement::Venue;
use crate::matchmaking::ModeRules;

impl Lobby {
    /// Whose match is it, and where? Matches that count for ratings are for those whom matchmaking sent there.
    pub(super) fn locate(
        &mut self,
        now_unix_ms: u64,
        from: ConnectionKey,
        player: &Player,
        match_id: MatchId,
    ) {
        let placed = self.placement.find(match_id);
        let is_closed =
            placed.is_some_and(|placed| placed.venue.is_rated && !placed.expects(player.id));
        if is_closed && !self.reader.is_caught_up() {
            // It may have been promised to the player before this process was there.
            return self.hold(now_unix_ms, from, LobbyRequest::Locate { match_id });
        }
        if is_closed {
            return self.refuse(from, DisconnectReason::MatchmakingOnly);
        }
        self.assign(now_unix_ms, from, Voice::Answer, player, match_id);
    }

    /// A player gives the place in a match up.
    pub(super) fn leave(&mut self, from: ConnectionKey, player: &Player, match_id: MatchId) {
        if let Some(placed) = self.placement.find(match_id) {
            let (shard, player) = (placed.venue.shard, player.id);
            self.placement.vacated(match_id, player);
            self.stays_out(match_id, player);
            self.actions.push_back(Action::Release { shard, match_id, player });
        }
        self.reply(from, LobbyReply::Left);
    }

    /// Has a match made where there is most room.
    pub(super) fn create(&mut self, match_id: MatchId, mode: usize, private: Option<PrivateMatch>) {
        let shards = self.config.shards.iter().map(|entry| entry.shard);
        let shard = shards.min_by_key(|shard| self.placement.load(*shard));
        let shard = shard.expect("a lobby has shards");
        let seed = (self.config.random)();
        let ModeRules { places, teams, is_rated, .. } = self.config.modes[mode].rules;
        // Who plays whom in a private match is not chance: it tells nothing of anybody's rank.
        let is_rated = is_rated && private.is_none();
        self.placement.add(match_id, Venue { mode, shard, places, teams, is_rated, private });
        self.actions.push_back(Action::Create { shard, match_id, mode, seed, is_rated });
    }

    /// Keeps a place and says where it is; a match still being made answers when it is there.
    pub(super) fn assign(
        &mut self,
        now_unix_ms: u64,
        to: ConnectionKey,
        voice: Voice,
        player: &Player,
        match_id: MatchId,
    ) {
        let is_new =
            self.placement.find(match_id).is_some_and(|placed| !placed.has_seat(player.id));
        let promised = if self.is_storage_full && is_new {
            Err(DisconnectReason::StorageFull)
        } else {
            self.placement.promise(match_id, player.id, None, reserved_until(now_unix_ms))
        };
        if let Err(reason) = promised {
            self.say(to, voice, LobbyReply::Refused { reason });
            return;
        }
        let Some(placed) = self.placement.find(match_id) else { return };
        if placed.is_being_made() {
            self.waiting.push((match_id, to, voice));
            return;
        }
        let (code, team) = (placed.venue.code().map(str::to_owned), placed.team_of(player.id));
        let entry = self.config.shards.iter().find(|entry| entry.shard == placed.venue.shard);
        let entry = *entry.expect("matches are placed on the lobby's shards");
        let mut id = [0; 16];
        id[..8].copy_from_slice(&(self.config.random)().to_le_bytes());
        id[8..].copy_from_slice(&(self.config.random)().to_le_bytes());
        let claims = TicketClaims {
            id,
            match_id,
            player: player.id,
            name: player.newcomer.name.clone(),
            expires_unix_ms: now_unix_ms + TICKET_VALID.as_millis() as u64,
            binding: player.newcomer.binding,
            identity: player.newcomer.shown.validity,
            team,
        };
        match self.config.signer.sign(&claims) {
            Ok(ticket) => {
                let address = self.config.address;
                let ShardEntry { port, fingerprint, .. } = entry;
                let assignment = Assignment { match_id, address, port, fingerprint, code, ticket };
                self.say(to, voice, LobbyReply::Assigned(assignment));
            }
            Err(error) => {
                tracing::error!(%error, "a ticket could not be signed");
                let reason = DisconnectReason::Internal;
                self.say(to, voice, LobbyReply::Refused { reason });
            }
        }
    }

    /// The match is there: who waits for it hears where.
    pub(super) fn assign_waiting(&mut self, now_unix_ms: u64, match_id: MatchId) {
        for (to, voice) in self.take_waiting(match_id) {
            if let Some(Session::Authenticated(player)) = self.sessions.get(&to).cloned() {
                self.assign(now_unix_ms, to, voice, &player, match_id);
            }
        }
    }

    pub(super) fn take_waiting(&mut self, match_id: MatchId) -> Vec<(ConnectionKey, Voice)> {
        let (ready, rest) = self.waiting.drain(..).partition(|(id, _, _)| *id == match_id);
        self.waiting = rest;
        let ready: Vec<(MatchId, ConnectionKey, Voice)> = ready;
        ready.into_iter().map(|(_, to, voice)| (to, voice)).collect()
    }
}
