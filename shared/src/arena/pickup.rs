//! Things to pick up: what each gives, and when it lies there again. Knows players only as takers.

use glam::Vec3;
use serde::{Deserialize, Serialize};

use crate::arena::Arena;
use crate::arena::event::ArenaEvent;
use crate::arena::phase::Phase;
use crate::arena::weapon::Weapon;
use crate::game::Events;
use crate::ids::{EntityId, SlotSet};
use crate::time::Tick;

/// What can lie around, in the order of its number on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PickupKind {
    /// 25 health, up to 100.
    Health,
    /// 100 health, up to 200; what is above 100 wears off.
    MegaHealth,
    /// 50 armour, up to 200.
    Armour,
    /// 100 armour, up to 200.
    HeavyArmour,
    /// The weapon and some shells.
    Shotgun,
    /// The weapon and some rockets.
    RocketLauncher,
    /// The weapon and some slugs.
    Railgun,
    /// Ammunition for the machinegun.
    Bullets,
    /// Ammunition for the shotgun.
    Shells,
    /// Ammunition for the rocket launcher.
    Rockets,
    /// Ammunition for the railgun.
    Slugs,
}

/// What a pick-up gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Gift {
    Health { points: i32, up_to: i32 },
    Armour { points: i32 },
    Weapon(Weapon),
    Ammo(Weapon),
}

impl PickupKind {
    /// How many kinds there are.
    pub const COUNT: usize = 11;
    /// All of them, in the order of [`PickupKind::index`].
    pub const ALL: [Self; Self::COUNT] = [
        Self::Health,
        Self::MegaHealth,
        Self::Armour,
        Self::HeavyArmour,
        Self::Shotgun,
        Self::RocketLauncher,
        Self::Railgun,
        Self::Bullets,
        Self::Shells,
        Self::Rockets,
        Self::Slugs,
    ];

    /// The kind's number, `0..COUNT`.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The kind with this number.
    pub fn from_index(index: usize) -> Option<Self> {
        Self::ALL.get(index).copied()
    }

    pub(crate) fn gift(self) -> Gift {
        match self {
            Self::Health => Gift::Health { points: 25, up_to: 100 },
            Self::MegaHealth => Gift::Health { points: 100, up_to: 200 },
            Self::Armour => Gift::Armour { points: 50 },
            Self::HeavyArmour => Gift::Armour { points: 100 },
            Self::Shotgun => Gift::Weapon(Weapon::Shotgun),
            Self::RocketLauncher => Gift::Weapon(Weapon::RocketLauncher),
            Self::Railgun => Gift::Weapon(Weapon::Railgun),
            Self::Bullets => Gift::Ammo(Weapon::Machinegun),
            Self::Shells => Gift::Ammo(Weapon::Shotgun),
            Self::Rockets => Gift::Ammo(Weapon::RocketLauncher),
            Self::Slugs => Gift::Ammo(Weapon::Railgun),
        }
    }
}

/// Whether a thing lies at its spot.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Pickup {
    pub(crate) id: EntityId,
    /// `None` while it lies there.
    pub(crate) back_at: Option<Tick>,
}

/// From a player's origin to a thing that the player touches, at most, on each axis.
const TOUCH: Vec3 = Vec3::new(32.0, 32.0, 48.0);

impl Arena {
    /// Everyone takes what they touch and can use.
    pub(super) fn take_pickups(&mut self, events: &mut Events<ArenaEvent>) {
        if self.progress.phase == Phase::Countdown {
            return;
        }
        let (tick, counts) = (self.tick, self.counts());
        for pickup in &mut self.pickups {
            pickup.back_at = pickup.back_at.filter(|back_at| tick < *back_at);
        }
        for slot in self.turns() {
            let Some(player) = self.players[slot.index()].as_mut().filter(|p| p.is_alive()) else {
                continue;
            };
            for (pickup, spot) in self.pickups.iter_mut().zip(self.config.map.pickups()) {
                let touched = (spot.at - player.body.position).abs().cmple(TOUCH).all();
                if touched && pickup.back_at.is_none() && player.take(spot.kind.gift()) {
                    pickup.back_at = Some(tick + u64::from(spot.respawn) * self.rate.hz());
                    player.stats.pickups += u32::from(counts);
                    let picked = ArenaEvent::Picked { slot, kind: spot.kind };
                    events.tell(SlotSet::one(slot), picked);
                }
            }
        }
    }
}
