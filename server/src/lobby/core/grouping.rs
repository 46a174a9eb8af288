//! Parties: coming together, going, and who of them is told.
//!
//! Owns: what players ask about parties. Must not know: how a party gets its match; that is `queueing`.

use std::collections::BTreeSet;

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::PlayerId;
use matchkeep_shared::limits::QUEUE_HELD;
use matchkeep_shared::wire::lobby::{LobbyReply, Party, PartyMember};

use super::{ConnectionKey, Lobby, Player};
use crate::lobby::parties::NotEntered;
use crate::matchmaking::Member;

impl Lobby {
    /// A player wants a party; who is in one is told of it.
    pub(super) fn open_party(&mut self, from: ConnectionKey, player: &Player) {
        if self.parties.of(player.id).is_none() {
            let code = self.new_code();
            if let Err(error) = self.parties.enter(&code, member(player)) {
                return self.refuse(from, reason_of(&error));
            }
        }
        self.reply(from, LobbyReply::Party(self.parties.of(player.id)));
    }

    /// A player knows a party's code.
    pub(super) fn join_party(
        &mut self,
        now_unix_ms: u64,
        from: ConnectionKey,
        player: &Player,
        code: &str,
    ) {
        let Some(wanted) = self.parties.find(&code.to_ascii_uppercase()) else {
            return self.refuse(from, DisconnectReason::CodeUnknown);
        };
        if !wanted.members.iter().any(|member| member.player == player.id) {
            // Who is refused stays where they are, and nobody there loses the place in the queue.
            if let Err(error) = self.parties.check_room(&wanted.code, player.id) {
                return self.refuse(from, reason_of(&error));
            }
            self.leave_party(now_unix_ms, player.id);
            if let Err(error) = self.parties.enter(&wanted.code, member(player)) {
                return self.refuse(from, reason_of(&error));
            }
            // It waits anew, with whoever is in it then.
            self.stop_waiting(now_unix_ms, wanted.members[0].player);
        }
        let party = self.parties.of(player.id);
        if let Some(party) = &party {
            self.tell_party(party, Some(from));
        }
        self.reply(from, LobbyReply::Party(party));
    }

    /// A player goes out of the party, if there is one. It waits no longer as it was.
    pub(super) fn leave_party(&mut self, now_unix_ms: u64, player: PlayerId) {
        self.stop_waiting(now_unix_ms, player);
        self.drop_member(player);
    }

    fn drop_member(&mut self, player: PlayerId) {
        if let Some(rest) = self.parties.leave(player) {
            self.tell_party(&rest, None);
        }
    }

    /// Who has been away for too long is out of the party. What they wait in goes with that where it holds up somebody who is
    /// here; where nobody of it is, they may have moved, party and all, to another lobby on the same store.
    pub(super) fn drop_absent(&mut self, now_unix_ms: u64) {
        let is_absent = |player: &PlayerId| !self.online.contains_key(player);
        let absent: BTreeSet<PlayerId> = self.parties.players().filter(is_absent).collect();
        self.away.retain(|player, _| absent.contains(player));
        for player in absent {
            let since = *self.away.entry(player).or_insert(now_unix_ms);
            if now_unix_ms.saturating_sub(since) >= QUEUE_HELD.as_millis() as u64 {
                self.away.remove(&player);
                let is_here = |member: &Member| self.online.contains_key(&member.player);
                if self.hall.of(player).is_some_and(|ticket| ticket.members.iter().any(is_here)) {
                    self.stop_waiting(now_unix_ms, player);
                }
                self.drop_member(player);
            }
        }
    }

    fn tell_party(&mut self, party: &Party, but: Option<ConnectionKey>) {
        let news = LobbyReply::Party(Some(party.clone()));
        for member in &party.members {
            self.tell(member.player, but, &news);
        }
    }
}

fn reason_of(not: &NotEntered) -> DisconnectReason {
    match not {
        NotEntered::PartyFull => DisconnectReason::PartyFull,
        NotEntered::NoRoom => DisconnectReason::ServerFull,
    }
}

fn member(player: &Player) -> PartyMember {
    PartyMember { player: player.id, name: player.newcomer.name.clone() }
}
