//! The weapons and their figures. Knows nothing of who fires them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A weapon, in the order of its number on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weapon {
    /// Hits at once, weak and fast. Everyone spawns with it.
    #[default]
    Machinegun,
    /// Hits at once, eleven pellets that spread. Everyone spawns with it and a few shells.
    Shotgun,
    /// A slow projectile that explodes, pushes, and hurts its owner too.
    RocketLauncher,
    /// Hits at once, hard, and loads for long.
    Railgun,
}

/// How a shot travels.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Shot {
    /// Hits at once along straight lines.
    Hitscan {
        /// Lines per shot.
        pellets: u8,
        /// How far a line may stray, sideways over ahead.
        spread: f32,
    },
    /// Starts a projectile.
    Rocket,
}

/// The figures of a weapon.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct WeaponSpec {
    /// Health points that one line or a direct hit costs.
    pub damage: i32,
    /// From one shot to the next.
    pub reload: Duration,
    /// How the shot travels.
    pub shot: Shot,
    /// Shots a player spawns with; 0 where the weapon must be found.
    pub ammo_start: u8,
    /// Shots a player can carry.
    pub ammo_max: u8,
    /// Shots that come with the weapon when it is picked up.
    pub ammo_found: u8,
    /// Shots in a box of ammunition.
    pub ammo_box: u8,
}

const SPECS: [WeaponSpec; Weapon::COUNT] = [
    WeaponSpec {
        damage: 7,
        reload: Duration::from_millis(100),
        shot: Shot::Hitscan { pellets: 1, spread: 0.01 },
        ammo_start: 100,
        ammo_max: 200,
        ammo_found: 50,
        ammo_box: 50,
    },
    WeaponSpec {
        damage: 8,
        reload: Duration::from_millis(900),
        shot: Shot::Hitscan { pellets: 11, spread: 0.06 },
        ammo_start: 10,
        ammo_max: 50,
        ammo_found: 10,
        ammo_box: 10,
    },
    WeaponSpec {
        damage: 100,
        reload: Duration::from_millis(800),
        shot: Shot::Rocket,
        ammo_start: 0,
        ammo_max: 50,
        ammo_found: 10,
        ammo_box: 5,
    },
    WeaponSpec {
        damage: 80,
        reload: Duration::from_millis(1500),
        shot: Shot::Hitscan { pellets: 1, spread: 0.0 },
        ammo_start: 0,
        ammo_max: 50,
        ammo_found: 10,
        ammo_box: 5,
    },
];

impl Weapon {
    /// How many there are.
    pub const COUNT: usize = 4;
    /// All of them, in the order of [`Weapon::index`].
    pub const ALL: [Self; Self::COUNT] =
        [Self::Machinegun, Self::Shotgun, Self::RocketLauncher, Self::Railgun];
    /// The width of [`Weapon::index`] on the wire.
    pub const BITS: u32 = 2;

    /// The weapon's number, `0..COUNT`.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The weapon with this number.
    pub fn from_index(index: usize) -> Option<Self> {
        Self::ALL.get(index).copied()
    }

    /// The weapon's figures.
    pub fn spec(self) -> &'static WeaponSpec {
        &SPECS[self.index()]
    }
}
