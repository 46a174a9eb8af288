//! Who goes into matches with whom.
//!
//! Owns: parties, their codes and leaders, as plain values. Must not know: connections, matches, who is told what.
//! Parties are kept in memory alone: what must outlive a process is a party that waits, and that is in the store.

use std::collections::{BTreeMap, HashMap};

use matchkeep_shared::ids::PlayerId;
use matchkeep_shared::limits::{PARTY_MEMBERS_MAX, PARTY_PLAYERS_MAX};
use matchkeep_shared::wire::lobby::{Party, PartyMember};

/// All parties of a lobby, each by its code.
#[derive(Debug, Default)]
pub(super) struct Parties {
    /// The leader first.
    members: BTreeMap<String, Vec<PartyMember>>,
    code_of: HashMap<PlayerId, String>,
}

/// Why a player does not come into a party.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotEntered {
    /// There is no place left in it.
    PartyFull,
    /// There is no room for anybody in any party.
    NoRoom,
}

impl Parties {
    /// The party of a player.
    pub(super) fn of(&self, player: PlayerId) -> Option<Party> {
        let code = self.code_of.get(&player)?;
        self.find(code)
    }

    /// The party of this code.
    pub(super) fn find(&self, code: &str) -> Option<Party> {
        let members = self.members.get(code)?.clone();
        Some(Party { code: code.to_owned(), members })
    }

    /// Everybody who is in one.
    pub(super) fn players(&self) -> impl Iterator<Item = PlayerId> {
        self.code_of.keys().copied()
    }

    /// Whether the party of this code, a new one where there is none, has room for a player, who goes out of another for
    /// it.
    ///
    /// # Errors
    /// [`NotEntered`].
    pub(super) fn check_room(&self, code: &str, player: PlayerId) -> Result<(), NotEntered> {
        // Who comes from another party is none more.
        if self.code_of.len() >= PARTY_MEMBERS_MAX && !self.code_of.contains_key(&player) {
            return Err(NotEntered::NoRoom);
        }
        match self.members.get(code) {
            Some(members) if members.len() >= PARTY_PLAYERS_MAX => Err(NotEntered::PartyFull),
            Some(_) | None => Ok(()),
        }
    }

    /// A player who is in no party comes into the one of this code, a new one where there is none.
    ///
    /// # Errors
    /// [`NotEntered`].
    pub(super) fn enter(&mut self, code: &str, player: PartyMember) -> Result<(), NotEntered> {
        self.check_room(code, player.player)?;
        self.code_of.insert(player.player, code.to_owned());
        self.members.entry(code.to_owned()).or_default().push(player);
        Ok(())
    }

    /// A player goes. What is left of the party, where somebody is.
    pub(super) fn leave(&mut self, player: PlayerId) -> Option<Party> {
        let code = self.code_of.remove(&player)?;
        let members = self.members.get_mut(&code)?;
        members.retain(|member| member.player != player);
        if members.is_empty() {
            self.members.remove(&code);
            return None;
        }
        self.find(&code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_come_into_parties_than_there_is_room_for() {
        let mut parties = Parties::default();
        let member = |n| PartyMember { player: PlayerId(n), name: String::new() };
        for n in 0..PARTY_MEMBERS_MAX as u64 {
            let code = (n / PARTY_PLAYERS_MAX as u64).to_string();
            assert_eq!(parties.enter(&code, member(n)), Ok(()));
        }
        let late = || member(PARTY_MEMBERS_MAX as u64);
        assert_eq!(parties.enter("another", late()), Err(NotEntered::NoRoom));
        assert!(parties.find("another").is_none());
        assert_eq!(parties.check_room("another", PlayerId(0)), Ok(()), "one goes, one comes");
        parties.leave(PlayerId(0));
        assert_eq!(parties.enter("1", late()), Err(NotEntered::PartyFull));
        assert_eq!(parties.enter("0", late()), Ok(()));
    }
}
