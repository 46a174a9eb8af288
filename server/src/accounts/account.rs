//! An account, and whether its player may play. Plain values, for who asks and who keeps them.

use std::collections::BTreeMap;

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::PlayerId;

/// By what a player's account is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AccountKey {
    /// The name that the player says.
    Name(String),
    /// What an identity provider calls the player.
    Identity {
        /// The provider.
        issuer: String,
        /// Its own name for the player.
        subject: String,
        /// The name to show, which may change.
        name: String,
    },
}

/// A player's account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// The account.
    pub player: PlayerId,
    /// What an operator decided about it.
    pub standing: Standing,
}

/// What operators decided about a player.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Standing {
    /// The ban in force, if there is one.
    pub ban: Option<Ban>,
    /// What was shown before this, in milliseconds of Unix time, is no longer believed.
    pub revoked_unix_ms: Option<u64>,
}

/// Why and until when somebody may not play.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ban {
    /// Why, for the player to read.
    pub reason: String,
    /// Until when, in milliseconds of Unix time; `None`: for good.
    pub until_unix_ms: Option<u64>,
}

impl Ban {
    /// What the player is told.
    pub fn text(&self) -> String {
        let until = match self.until_unix_ms {
            Some(until) => format!("until {} UTC", crate::date::utc(until)),
            None => "for good".to_owned(),
        };
        format!("banned {until}: {}", self.reason)
    }
}

/// Players who were banned, or whose identity was revoked, so lately that somebody may still hold a ticket or token
/// from before.
pub type Barred = BTreeMap<PlayerId, Bar>;

/// Why what a player was given before is void.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bar {
    /// What the player is told.
    pub reason: DisconnectReason,
    /// What was given before this is void, in milliseconds of Unix time.
    pub since_unix_ms: u64,
}

impl Bar {
    /// Whether it voids what was given at this time.
    pub fn voids(&self, given_unix_ms: u64) -> bool {
        self.reason == DisconnectReason::Banned || given_unix_ms <= self.since_unix_ms
    }
}
