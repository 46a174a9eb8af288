//! Private matches: who wants one writes that down first, so that it is made once, however often and of whichever
//! process it is asked.
//!
//! Owns: codes, and what follows from what the store has written down. Must not know: how it is written.

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::PRIVATE_MATCHES_PER_PLAYER_MAX;

use super::{Action, ConnectionKey, Lobby, Player, PrivateMatch, Reserved, Session, Voice};

/// What codes are made of: what a person reads out is taken for nothing else.
const LETTERS: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
/// Letters of a code. With five bits each, somebody who tries a thousand a second finds one of a thousand matches
/// once in two weeks.
const CODE_LETTERS: usize = 8;

impl Lobby {
    /// A player wants a private match.
    pub(super) fn reserve(
        &mut self,
        now_unix_ms: u64,
        from: ConnectionKey,
        player: &Player,
        request: u64,
        mode: &str,
    ) {
        let Some(mode) = self.mode(mode) else {
            return self.refuse(from, DisconnectReason::ModeUnknown);
        };
        let known = self.placement.private_of(player.id).find(|known| known.request == request);
        if let Some(match_id) = known.map(|known| known.match_id) {
            return self.assign(now_unix_ms, from, Voice::Answer, player, match_id);
        }
        if self.is_storage_full {
            return self.refuse(from, DisconnectReason::StorageFull);
        }
        // Those that are being written count, whichever connection they are asked for over.
        let asked = self.reserving.values().filter(|(owner, _)| *owner == player.id).count();
        if self.placement.private_of(player.id).count() + asked >= PRIVATE_MATCHES_PER_PLAYER_MAX {
            return self.refuse(from, DisconnectReason::PrivateCrowded);
        }
        self.reserving.insert(from, (player.id, request));
        let match_id = MatchId((self.config.random)());
        let wanted = PrivateMatch { owner: player.id, request, match_id, code: self.new_code() };
        self.actions.push_back(Action::Reserve { to: from, mode, wanted });
    }

    /// What is written down of a private match, or why nothing is.
    pub fn handle_reserved(
        &mut self,
        now_unix_ms: u64,
        to: ConnectionKey,
        mode: usize,
        reserved: Result<Reserved, DisconnectReason>,
    ) {
        let Some((owner, request)) = self.reserving.remove(&to) else { return };
        // Who went away meanwhile asks again, and gets the same match.
        let Some(Session::Authenticated(player)) = self.sessions.get(&to).cloned() else { return };
        let Reserved { match_id, code, was_made } = match reserved {
            Ok(reserved) => reserved,
            Err(reason) => return self.refuse(to, reason),
        };
        if self.placement.find(match_id).is_none() {
            if was_made {
                return self.refuse(to, DisconnectReason::MatchOver);
            }
            let private = PrivateMatch { owner, request, match_id, code };
            self.create(match_id, mode, Some(private));
        }
        self.assign(now_unix_ms, to, Voice::Answer, &player, match_id);
    }

    /// A player knows a code.
    pub(super) fn join_private(
        &mut self,
        now_unix_ms: u64,
        from: ConnectionKey,
        player: &Player,
        code: &str,
    ) {
        match self.placement.find_code(&code.to_ascii_uppercase()) {
            Some(match_id) => self.assign(now_unix_ms, from, Voice::Answer, player, match_id),
            None => self.refuse(from, DisconnectReason::CodeUnknown),
        }
    }

    /// A code that no match and no party here has.
    pub(super) fn new_code(&mut self) -> String {
        loop {
            let mut bits = (self.config.random)();
            let mut code = String::with_capacity(CODE_LETTERS);
            for _ in 0..CODE_LETTERS {
                code.push(char::from(LETTERS[(bits % 32) as usize]));
                bits /= 32;
            }
            let is_taken = self.parties.find(&code).is_some();
            if !is_taken && self.placement.find_code(&code).is_none() {
                return code;
            }
        }
    }
}
