//! Who is let in, and for how long: a name or an identity, then the account, then what operators decided about it.
//!
//! Owns: the order of these checks. Must not know: how a token is checked, how accounts are kept.

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::PlayerId;
use matchkeep_shared::ticket::{BINDING_BYTES, NEVER, Validity, is_player_name};
use matchkeep_shared::wire::lobby::{LobbyReply, Who};
use matchkeep_shared::wire::message::GameVersion;

use super::{Account, AccountKey, Action, ConnectionKey, Lobby, Newcomer, Player, Session, Shown};
use crate::accounts::{Barred, Identity, Standing};

/// What a newer token says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Newer {
    /// By what the account is known.
    pub key: AccountKey,
    /// When it is good.
    pub validity: Validity,
}

impl Newer {
    /// When its player may go on, given the account that it is about.
    ///
    /// # Errors
    /// Why not.
    pub fn judge(&self, player: PlayerId, account: &Account) -> Result<Validity, DisconnectReason> {
        let Standing { ban, revoked_unix_ms } = &account.standing;
        if account.player != player {
            Err(DisconnectReason::IdentityMismatch)
        } else if ban.is_some() {
            Err(DisconnectReason::Banned)
        } else if revoked_unix_ms.is_some_and(|revoked| self.validity.issued_unix_ms <= revoked) {
            Err(DisconnectReason::IdentityRevoked)
        } else {
            Ok(self.validity)
        }
    }
}

impl Lobby {
    /// A first request: who asks?
    pub(super) fn enter(
        &mut self,
        now_unix_ms: u64,
        from: ConnectionKey,
        game: &GameVersion,
        who: Who,
        binding: [u8; BINDING_BYTES],
    ) {
        if *game != self.config.game {
            return self.close(from, DisconnectReason::GameMismatch);
        }
        let (key, name, shown) = match self.believe(now_unix_ms, who) {
            Ok(believed) => believed,
            Err(reason) => return self.close(from, reason),
        };
        let newcomer = Newcomer { name, binding, shown };
        self.sessions.insert(from, Session::LookingUp(newcomer));
        self.actions.push_back(Action::LookUp { to: from, key });
    }

    /// Which account somebody is to be believed to have, under which name, and for how long.
    fn believe(
        &self,
        now_unix_ms: u64,
        who: Who,
    ) -> Result<(AccountKey, String, Shown), DisconnectReason> {
        match (who, &self.config.provider) {
            (Who::Name(_), Some(_)) => Err(DisconnectReason::IdentityRequired),
            (Who::Identity(_), None) => Err(DisconnectReason::IdentityUnsupported),
            (Who::Name(name), None) if !is_player_name(&name) => Err(DisconnectReason::NameInvalid),
            (Who::Name(name), None) => {
                let issued_unix_ms = self.world_unix_ms(now_unix_ms);
                let validity = Validity { issued_unix_ms, until_unix_ms: NEVER };
                let shown = Shown { subject: None, validity };
                Ok((AccountKey::Name(name.clone()), name, shown))
            }
            (Who::Identity(token), Some(provider)) => {
                let identity = provider.verify(&token, self.world_unix_ms(now_unix_ms))?;
                let shown = Shown::of(&identity, self.clock_skew_ms);
                let Identity { issuer, subject, name, .. } = identity;
                let key = AccountKey::Identity { issuer, subject, name: name.clone() };
                Ok((key, name, shown))
            }
        }
    }

    /// The account, or why there is none.
    pub fn handle_account(
        &mut self,
        now_unix_ms: u64,
        to: ConnectionKey,
        account: Result<Account, DisconnectReason>,
    ) {
        let Some(Session::LookingUp(newcomer)) = self.sessions.get(&to).cloned() else { return };
        let Account { player: id, standing } = match account {
            Ok(account) => account,
            Err(reason) => return self.close(to, reason),
        };
        if let Some(ban) = standing.ban {
            return self.close_saying(to, DisconnectReason::Banned, Some(ban.text()));
        }
        let issued_unix_ms = newcomer.shown.validity.issued_unix_ms;
        if standing.revoked_unix_ms.is_some_and(|revoked| issued_unix_ms <= revoked) {
            return self.close(to, DisconnectReason::IdentityRevoked);
        }
        // The store may have answered before an operator decided what is known here by now.
        if let Some(bar) = self.barred.get(&id).filter(|bar| bar.voids(issued_unix_ms)) {
            return self.close(to, bar.reason);
        }
        self.remember_session(to, Player { id, newcomer });
        self.reply(to, LobbyReply::Authenticated { player: id });
        self.welcome_back(now_unix_ms, to, id);
    }

    /// Somebody who is in shows a newer token.
    pub(super) fn refresh(
        &mut self,
        now_unix_ms: u64,
        from: ConnectionKey,
        mut player: Player,
        who: Who,
    ) {
        if matches!(who, Who::Name(_)) {
            return self.close(from, DisconnectReason::UnexpectedMessage);
        }
        let believed = self.believe(now_unix_ms, who);
        match believed.and_then(|(_, _, shown)| self.check_newer(&player, shown)) {
            Ok(shown) => {
                let id = player.id;
                player.newcomer.shown = shown;
                self.sessions.insert(from, Session::Authenticated(player));
                self.reply(from, LobbyReply::Authenticated { player: id });
            }
            Err(reason) => self.close(from, reason),
        }
    }

    fn check_newer(&self, player: &Player, newer: Shown) -> Result<Shown, DisconnectReason> {
        if newer.subject != player.newcomer.shown.subject {
            return Err(DisconnectReason::IdentityMismatch);
        }
        match self.barred.get(&player.id) {
            Some(bar) if bar.voids(newer.validity.issued_unix_ms) => Err(bar.reason),
            _ => Ok(newer),
        }
    }

    /// Who may not go on as they are. Who is here and was let in before is sent away.
    pub fn set_barred(&mut self, barred: Barred) {
        let voided = |player: &Player| {
            let bar = barred.get(&player.id)?;
            bar.voids(player.newcomer.shown.validity.issued_unix_ms).then_some(bar.reason)
        };
        let mut sent_away: Vec<(ConnectionKey, DisconnectReason)> = Vec::new();
        for (connection, session) in &self.sessions {
            if let Session::Authenticated(player) = session
                && let Some(reason) = voided(player)
            {
                sent_away.push((*connection, reason));
            }
        }
        sent_away.sort_by_key(|(connection, _)| connection.0);
        self.barred = barred;
        for (connection, reason) in sent_away {
            self.close(connection, reason);
        }
    }

    /// Whom a newer token of somebody who plays is about.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn read_newer(&self, now_unix_ms: u64, token: String) -> Result<Newer, DisconnectReason> {
        let (key, _, shown) = self.believe(now_unix_ms, Who::Identity(token))?;
        Ok(Newer { key, validity: shown.validity })
    }

    /// By how much the world's clock is ahead of the server's, in milliseconds. The server's runs on when somebody sets the
    /// world's; identity providers and operators go by the world's.
    pub fn set_clock_skew(&mut self, skew_ms: i64) {
        self.clock_skew_ms = skew_ms;
    }

    /// The time by the world's clock.
    fn world_unix_ms(&self, now_unix_ms: u64) -> u64 {
        now_unix_ms.saturating_add_signed(self.clock_skew_ms)
    }

    /// Sends away whose identity has ended: nobody keeps a place at the lobby with what is good no more.
    pub(super) fn end_expired(&mut self, now_unix_ms: u64) {
        let expired = self.sessions.iter().filter(|(_, session)| {
            matches!(session, Session::Authenticated(player)
                if player.newcomer.shown.validity.until_unix_ms <= now_unix_ms)
        });
        let mut expired: Vec<ConnectionKey> = expired.map(|(connection, _)| *connection).collect();
        expired.sort_by_key(|connection| connection.0);
        for connection in expired {
            self.close(connection, DisconnectReason::IdentityExpired);
        }
    }
}

impl Shown {
    /// What was shown when the world's clock was so far ahead of the server's.
    fn of(identity: &Identity, clock_skew_ms: i64) -> Self {
        let expires = identity.expires_unix_ms;
        let until_unix_ms = expires.saturating_add_signed(clock_skew_ms.saturating_neg());
        let validity = Validity { issued_unix_ms: identity.issued_unix_ms, until_unix_ms };
        Self { subject: Some(identity.subject.clone()), validity }
    }
}

#[cfg(test)]
mod tests;
