//! Who takes part: coming, leaving, teams, and who is told of it. Knows no play.

use crate::arena::Arena;
use crate::arena::event::{ArenaEvent, RosterEntry};
use crate::arena::outcome::Record;
use crate::arena::player::{Person, Player, PlayerEntities};
use crate::game::PlayerInfo;
use crate::ids::{Slot, SlotSet};

/// Players who left whose results are kept; those of later ones are not.
const RECORDS_MAX: usize = 1024;

impl Arena {
    /// A player takes a place, and comes in with the next step.
    pub(super) fn admit(&mut self, slot: Slot, info: &PlayerInfo) {
        if slot.index() >= self.players.len() {
            return;
        }
        let ids = PlayerEntities {
            player: self.next_entity(),
            own: self.next_entity(),
            score: self.next_entity(),
        };
        let person = Person { id: info.id, name: info.name.clone() };
        let mut player = Player::new(person, self.team_of(info), ids, self.tick);
        // Who comes back goes on with the score they left with.
        if let Some(index) = self.left.iter().position(|record| record.info.id == info.id) {
            player.stats = self.left.remove(index).stats;
        }
        player.body.position = self.config.map.spawns()[0].at;
        self.players[slot.index()] = Some(player);
        let roster: Vec<RosterEntry> =
            self.present().map(|(slot, player)| roster_entry(slot, player)).collect();
        self.pending.push((SlotSet::one(slot), ArenaEvent::Roster(roster)));
        let mut others = SlotSet::EMPTY;
        for (other, _) in self.present().filter(|(other, _)| *other != slot) {
            others = others.with(other);
        }
        if let Some(player) = self.players[slot.index()].as_ref().filter(|_| !others.is_empty()) {
            self.pending.push((others, ArenaEvent::Joined(roster_entry(slot, player))));
        }
    }

    /// A player gives up a place for good.
    pub(super) fn dismiss(&mut self, slot: Slot) {
        let Some(player) = self.players.get_mut(slot.index()).and_then(Option::take) else {
            return;
        };
        if self.left.len() < RECORDS_MAX {
            self.left.push(Record { info: player.info, team: player.team, stats: player.stats });
        }
        self.rockets.retain(|rocket| rocket.owner != slot);
        self.pending.push((SlotSet::ALL, ArenaEvent::Left { slot }));
    }

    /// The team that was chosen for a player, else the smaller one: 1 or 2, or 0 in a match without.
    fn team_of(&self, info: &PlayerInfo) -> u8 {
        let teams = self.config.teams;
        match info.team {
            _ if teams == 0 => 0,
            Some(team) if team < teams => team + 1,
            Some(_) | None => self.smaller_team(),
        }
    }

    fn smaller_team(&self) -> u8 {
        let size = |team| self.present().filter(|(_, player)| player.team == team).count();
        if size(2) < size(1) { 2 } else { 1 }
    }
}

fn roster_entry(slot: Slot, player: &Player) -> RosterEntry {
    let Person { id, name } = player.info.clone();
    RosterEntry { slot, player: id, name, team: player.team }
}
