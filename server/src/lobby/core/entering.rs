//! Who is let in, and for how long: a name or an identity, then the account, then what operators decided about it.
//!
//! Owns: the order of these checks. Must not know: how a token is checked, how accounts are kept.

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::PlayerId;
use matchkeep_shared::ticket::{BINDING_BYTES, NEVER, is_player_name};
use matchkeep_shared::wire::lobby::{LobbyReply, Who};
use matchkeep_shared::wire::message::GameVersion;

use super::{Account, AccountKey, Action, ConnectionKey, Lobby, Newcomer, Player, Session, Shown};
use crate::accounts::{Barred, Identity, Standing};

/// What a newer token says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Newer {
    /// By what the account is known.
    pub key: AccountKey,
    /// When it was made, in milliseconds of Unix time.
    pub issued_unix_ms: u64,
    /// When it ends, in milliseconds of Unix time.
    pub until_unix_ms: u64,
}

impl Newer {
    /// Until when its player may go on, given the account that it is about.
    ///
    /// # Errors
    /// Why not.
    pub fn judge(&self, player: PlayerId, account: &Account) -> Result<u64, DisconnectReason> {
        let Standing { ban, revoked_unix_ms } = &account.standing;
        if account.player != player {
            Err(DisconnectReason::IdentityMismatch)
        } else if ban.is_some() {
            Err(DisconnectReason::Banned)
        } else if revoked_unix_ms.is_some_and(|revoked| self.issued_unix_ms <= revoked) {
            Err(DisconnectReason::IdentityRevoked)
        } else {
            Ok(self.until_unix_ms)
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
                let shown =
                    Shown { subject: None, issued_unix_ms: now_unix_ms, until_unix_ms: NEVER };
                Ok((AccountKey::Name(name.clone()), name, shown))
            }
            (Who::Identity(token), Some(provider)) => {
                let identity = provider.verify(&token, now_unix_ms)?;
                let shown = Shown::of(&identity);
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
        let is_revoked = |revoked: u64| newcomer.shown.issued_unix_ms <= revoked;
        if standing.revoked_unix_ms.is_some_and(is_revoked) {
            return self.close(to, DisconnectReason::IdentityRevoked);
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
            Some(bar) if bar.voids(newer.issued_unix_ms) => Err(bar.reason),
            _ => Ok(newer),
        }
    }

    /// Who may not go on as they are. Who is here and was let in before is sent away.
    pub fn set_barred(&mut self, barred: Barred) {
        let voided = |player: &Player| {
            let bar = barred.get(&player.id)?;
            bar.voids(player.newcomer.shown.issued_unix_ms).then_some(bar.reason)
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
        let Shown { issued_unix_ms, until_unix_ms, .. } = shown;
        Ok(Newer { key, issued_unix_ms, until_unix_ms })
    }
}

impl Shown {
    fn of(identity: &Identity) -> Self {
        Self {
            subject: Some(identity.subject.clone()),
            issued_unix_ms: identity.issued_unix_ms,
            until_unix_ms: identity.expires_unix_ms,
        }
    }
}
