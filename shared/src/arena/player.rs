//! One player of a match: body, life, what they carry, what they did. Knows no other player.

use serde::{Deserialize, Serialize};

use crate::arena::entity::{OwnView, PlayerView, ScoreView};
use crate::arena::movement::Body;
use crate::arena::pickup::Gift;
use crate::arena::weapon::Weapon;
use crate::ids::{EntityId, PlayerId, Slot};
use crate::time::Tick;

/// What a player spawns with, and the most that a small health pack gives.
pub(crate) const HEALTH_START: i32 = 100;
/// The most armour a player carries.
pub(crate) const ARMOUR_MAX: i32 = 200;

/// Who somebody is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) id: PlayerId,
    pub(crate) name: String,
}

/// A player who has a place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Player {
    pub(crate) info: Person,
    /// 1 or 2 in a match with teams, else 0.
    pub(crate) team: u8,
    pub(crate) ids: PlayerEntities,
    pub(crate) body: Body,
    pub(crate) yaw: u16,
    pub(crate) pitch: u16,
    pub(crate) life: Life,
    pub(crate) health: i32,
    pub(crate) armour: i32,
    pub(crate) ammo: [u8; Weapon::COUNT],
    /// The weapons held, a bit each.
    pub(crate) weapons: u8,
    pub(crate) weapon: Weapon,
    /// From this tick on the next shot is possible.
    pub(crate) ready_at: Tick,
    /// Counts shots and wraps.
    pub(crate) shots: u8,
    pub(crate) stats: Stats,
}

/// The entities a player is seen as, given out once.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct PlayerEntities {
    pub(crate) player: EntityId,
    pub(crate) own: EntityId,
    pub(crate) score: EntityId,
}

/// Alive, or when life begins again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Life {
    Alive,
    Dead {
        /// From this tick on the player comes back on firing,
        on_fire_from: Tick,
        /// from this one on without.
        at: Tick,
    },
}

/// What a player did while it counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Stats {
    pub(crate) frags: i32,
    pub(crate) deaths: u32,
    pub(crate) suicides: u32,
    pub(crate) shots: u32,
    pub(crate) hits: u32,
    pub(crate) damage_given: u32,
    pub(crate) damage_taken: u32,
    pub(crate) pickups: u32,
}

/// What one hit took.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Wound {
    pub(crate) armour: i32,
    pub(crate) health: i32,
}

impl Player {
    /// A player who is to come in at `tick`.
    pub(crate) fn new(info: Person, team: u8, ids: PlayerEntities, tick: Tick) -> Self {
        Self {
            info,
            team,
            ids,
            body: Body::default(),
            yaw: 0,
            pitch: 0,
            life: Life::Dead { on_fire_from: tick, at: tick },
            health: 0,
            armour: 0,
            ammo: [0; Weapon::COUNT],
            weapons: 0,
            weapon: Weapon::default(),
            ready_at: tick,
            shots: 0,
            stats: Stats::default(),
        }
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.life == Life::Alive
    }

    /// Gives what every life begins with. The view stays: it is the player's.
    pub(crate) fn spawn(&mut self, at: glam::Vec3, ready_at: Tick) {
        self.body = Body { position: at, ..Body::default() };
        self.life = Life::Alive;
        self.health = HEALTH_START;
        self.armour = 0;
        self.weapons = 0;
        for weapon in Weapon::ALL {
            let ammo = weapon.spec().ammo_start;
            self.ammo[weapon.index()] = ammo;
            self.weapons |= u8::from(ammo > 0) << weapon.index();
        }
        self.weapon = Weapon::default();
        self.ready_at = ready_at;
    }

    pub(crate) fn holds(&self, weapon: Weapon) -> bool {
        self.weapons & (1 << weapon.index()) != 0
    }

    /// The best weapon that can fire.
    pub(crate) fn best_loaded(&self) -> Option<Weapon> {
        let best_first =
            [Weapon::RocketLauncher, Weapon::Railgun, Weapon::Shotgun, Weapon::Machinegun];
        best_first.into_iter().find(|w| self.holds(*w) && self.ammo[w.index()] > 0)
    }

    /// Takes `damage` points off armour and health. Armour absorbs two thirds, rounded up.
    pub(crate) fn wound(&mut self, damage: i32) -> Wound {
        let armour = ((damage * 2 + 2) / 3).min(self.armour);
        let health = (damage - armour).min(self.health);
        self.armour -= armour;
        self.health -= health;
        Wound { armour, health }
    }

    /// Takes a gift. `false` where it is of no use and stays.
    pub(crate) fn take(&mut self, gift: Gift) -> bool {
        match gift {
            Gift::Health { points, up_to } => fill(&mut self.health, points, up_to),
            Gift::Armour { points } => fill(&mut self.armour, points, ARMOUR_MAX),
            Gift::Weapon(weapon) => {
                let new = !self.holds(weapon);
                self.weapons |= 1 << weapon.index();
                self.load(weapon, weapon.spec().ammo_found) || new
            }
            Gift::Ammo(weapon) => self.load(weapon, weapon.spec().ammo_box),
        }
    }

    fn load(&mut self, weapon: Weapon, shots: u8) -> bool {
        let ammo = &mut self.ammo[weapon.index()];
        let loaded = ammo.saturating_add(shots).min(weapon.spec().ammo_max);
        let useful = loaded > *ammo;
        *ammo = loaded;
        useful
    }

    pub(crate) fn view(&self, slot: Slot) -> PlayerView {
        PlayerView {
            slot,
            team: self.team,
            position: self.body.position,
            velocity: self.body.velocity,
            yaw: self.yaw,
            pitch: self.pitch,
            alive: self.is_alive(),
            weapon: self.weapon,
            shots: self.shots,
        }
    }

    /// `next` is the tick that comes next.
    pub(crate) fn own_view(&self, slot: Slot, next: Tick) -> OwnView {
        let ready = match self.life {
            Life::Alive => self.ready_at,
            Life::Dead { at, .. } => at,
        };
        OwnView {
            slot,
            position: self.body.position,
            velocity: self.body.velocity,
            on_ground: self.body.on_ground,
            alive: self.is_alive(),
            health: self.health.clamp(0, 255) as u8,
            armour: self.armour.clamp(0, 255) as u8,
            ammo: self.ammo,
            weapons: self.weapons,
            weapon: self.weapon,
            reload_ticks: ready.since(next).clamp(0, 255) as u8,
        }
    }

    pub(crate) fn score_view(&self, slot: Slot) -> ScoreView {
        ScoreView {
            slot,
            team: self.team,
            frags: self.stats.frags.clamp(-2000, 2000) as i16,
            deaths: self.stats.deaths.min(u32::from(u16::MAX)) as u16,
        }
    }
}

/// Adds points, but not above `up_to`; what is already above stays.
fn fill(value: &mut i32, points: i32, up_to: i32) -> bool {
    let filled = (*value + points).min(up_to);
    let useful = filled > *value;
    *value = filled.max(*value);
    useful
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PlayerId;

    pub(crate) fn player() -> Player {
        let info = Person { id: PlayerId(1), name: "a".into() };
        let id = EntityId(0);
        let ids = PlayerEntities { player: id, own: id, score: id };
        let mut player = Player::new(info, 0, ids, Tick(0));
        player.spawn(glam::Vec3::ZERO, Tick(0));
        player
    }

    #[test]
    fn armour_absorbs_two_thirds_rounded_up_while_it_lasts() {
        for (armour, damage, expected) in [
            (0, 50, (0, 50)),
            (100, 30, (20, 10)),
            (100, 7, (5, 2)),
            (10, 90, (10, 80)),
            (200, 1, (1, 0)),
        ] {
            let mut player = player();
            player.armour = armour;
            let wound = player.wound(damage);
            assert_eq!((wound.armour, wound.health), expected, "{damage} on {armour}");
            assert_eq!((player.armour, player.health), (armour - wound.armour, 100 - wound.health));
        }
    }

    #[test]
    fn a_wound_takes_no_more_health_than_there_is() {
        let mut player = player();
        assert_eq!(player.wound(1000), Wound { armour: 0, health: 100 });
        assert_eq!(player.health, 0);
    }

    #[test]
    fn gifts_stop_at_their_limit_and_stay_when_useless() {
        let mut player = player();
        let small = Gift::Health { points: 25, up_to: 100 };
        let mega = Gift::Health { points: 100, up_to: 200 };
        assert!(!player.take(small));
        player.health = 90;
        assert!(player.take(small));
        assert_eq!(player.health, 100);
        assert!(player.take(mega) && !player.take(mega) && !player.take(small));
        assert_eq!(player.health, 200);
        for _ in 0..4 {
            player.take(Gift::Armour { points: 100 });
        }
        assert_eq!(player.armour, ARMOUR_MAX);
    }

    #[test]
    fn a_weapon_comes_loaded_and_ammunition_has_a_limit() {
        let mut player = player();
        assert!(!player.holds(Weapon::Railgun));
        assert!(player.take(Gift::Weapon(Weapon::Railgun)));
        assert!(player.holds(Weapon::Railgun));
        while player.take(Gift::Ammo(Weapon::Railgun)) {}
        assert_eq!(player.ammo[Weapon::Railgun.index()], Weapon::Railgun.spec().ammo_max);
        assert!(!player.take(Gift::Weapon(Weapon::Railgun)));
    }
}
