//! Newer tokens that players show while they play: judged by what the store knows of the account, and later where it
//! cannot say now.
//!
//! Owns: tokens that wait for that, the newest of each player in a match. Must not know: how a token is checked, and
//! what a shard does with who is not believed.
//!
//! A client has no answer to its token and does not show it again, so it is for the server to ask again. Meanwhile
//! what the player showed before counts, and ends when it ends.

use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::limits::IDENTITIES_WAITING_MAX;
use matchkeep_shared::ticket::Validity;

use super::storing::{STORE_RETRY_MS, StoreFailed};
use super::{ControlCore, Showing, StoreRequest};
use crate::accounts::Account;
use crate::lobby::core::Newer;
use crate::shard::message::Command;
use crate::store::StoreError;

/// A token that is to be judged later.
pub(super) struct Waiting {
    at_unix_ms: u64,
    showing: Showing,
    newer: Newer,
}

impl<G: Game> ControlCore<G> {
    /// A player shows a newer token: it takes the place of one that waits.
    pub(super) fn hear_newer(&mut self, now_unix_ms: u64, showing: Showing, token: String) {
        self.waiting.remove(&(showing.match_id, showing.player));
        match self.lobby.read_newer(now_unix_ms, token) {
            Ok(newer) => self.ask(StoreRequest::Vouch { showing, newer }),
            Err(reason) => self.vouch(showing, Err(reason)),
        }
    }

    /// The store says whose account a newer token is about, or that it cannot say.
    pub(super) fn judge_newer(
        &mut self,
        now_unix_ms: u64,
        showing: Showing,
        newer: Newer,
        result: Result<Account, StoreError>,
    ) -> Result<(), StoreFailed> {
        let is_passing = result.as_ref().is_err_and(|error| !error.is_final());
        let account = self.answered("a player's account", result)?;
        let place = (showing.match_id, showing.player);
        // Answers can overtake each other: one about a token of before says nothing of a newer one that waits.
        let issued = |waiting: &Waiting| waiting.newer.validity.issued_unix_ms;
        let is_older = |waiting| issued(waiting) > newer.validity.issued_unix_ms;
        let identity = account.and_then(|account| newer.judge(showing.player, &account));
        if !self.waiting.get(&place).is_some_and(is_older) {
            self.waiting.remove(&place);
            if is_passing && self.waiting.len() < IDENTITIES_WAITING_MAX {
                let at_unix_ms = now_unix_ms + STORE_RETRY_MS;
                self.waiting.insert(place, Waiting { at_unix_ms, showing, newer });
            }
        }
        self.vouch(showing, identity);
        Ok(())
    }

    /// Asks once more about tokens whose time it is.
    pub(super) fn ask_again(&mut self, now_unix_ms: u64) {
        let due = self.waiting.iter().filter(|(_, waiting)| waiting.at_unix_ms <= now_unix_ms);
        let due: Vec<_> = due.map(|(place, _)| *place).collect();
        for place in due {
            let Some(Waiting { showing, newer, .. }) = self.waiting.remove(&place) else {
                continue;
            };
            // Nobody plays there any more, or with this.
            let is_of_use = newer.validity.until_unix_ms > now_unix_ms;
            if is_of_use && self.matches.contains_key(&showing.match_id) {
                self.ask(StoreRequest::Vouch { showing, newer });
            }
        }
    }

    /// Says to a shard what came of a newer token.
    fn vouch(&mut self, showing: Showing, identity: Result<Validity, DisconnectReason>) {
        let Showing { shard, match_id, player } = showing;
        self.tell(shard, Command::Identified { match_id, player, identity });
    }
}
