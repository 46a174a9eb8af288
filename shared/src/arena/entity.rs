//! What clients see of the arena. Knows no rules; its bits are in `entity/fields`.

mod fields;

use glam::Vec3;

use crate::arena::phase::Phase;
use crate::arena::pickup::PickupKind;
use crate::arena::weapon::Weapon;
use crate::ids::Slot;

/// How far players and projectiles are seen, in units.
pub const VIEW_RADIUS: f32 = 2048.0;

/// What clients see.
#[derive(Clone, PartialEq, Debug)]
pub enum ArenaEntity {
    /// A player, as others see them. To those near.
    Player(PlayerView),
    /// What only the player themselves may know, exact enough to predict from.
    Own(OwnView),
    /// A rocket. To those near.
    Projectile(ProjectileView),
    /// A thing to pick up. To those near.
    Pickup(PickupView),
    /// The match's clock. To everyone; one of them.
    Clock(ClockView),
    /// A player's score. To everyone.
    Score(ScoreView),
}

/// A player, as others see them.
#[derive(Clone, PartialEq, Debug)]
pub struct PlayerView {
    /// The place.
    pub slot: Slot,
    /// 1 or 2 in a match with teams, else 0.
    pub team: u8,
    /// The origin, in steps of 1/8 unit.
    pub position: Vec3,
    /// In units a second, in steps of 16.
    pub velocity: Vec3,
    /// Where the player looks; 12 bits on the wire, here widened to 16.
    pub yaw: u16,
    /// Where the player looks; 12 bits on the wire, here widened to 16.
    pub pitch: u16,
    /// Whether the player lives.
    pub alive: bool,
    /// The weapon in hand.
    pub weapon: Weapon,
    /// Counts shots and wraps: another number, another muzzle flash.
    pub shots: u8,
}

/// What only the player themselves may know.
#[derive(Clone, PartialEq, Debug)]
pub struct OwnView {
    /// The place.
    pub slot: Slot,
    /// The origin, in steps of 1/32 unit: rounding stays below the gap that movement keeps to walls,
    /// so that a prediction from here never starts inside one.
    pub position: Vec3,
    /// In units a second, in steps of 1/8.
    pub velocity: Vec3,
    /// Whether the player stands on something.
    pub on_ground: bool,
    /// Whether the player lives.
    pub alive: bool,
    /// Health points; 0 when dead.
    pub health: u8,
    /// Armour points.
    pub armour: u8,
    /// Shots left, by [`Weapon::index`].
    pub ammo: [u8; Weapon::COUNT],
    /// The weapons held, a bit each, by [`Weapon::index`].
    pub weapons: u8,
    /// The weapon in hand.
    pub weapon: Weapon,
    /// Ticks until the next shot, or when dead until coming back by itself.
    pub reload_ticks: u8,
}

/// A rocket.
#[derive(Clone, PartialEq, Debug)]
pub struct ProjectileView {
    /// Who fired it.
    pub owner: Slot,
    /// In steps of 1/8 unit.
    pub position: Vec3,
    /// In units a second, in steps of 1/2.
    pub velocity: Vec3,
}

/// A thing to pick up.
#[derive(Clone, PartialEq, Debug)]
pub struct PickupView {
    /// What it is.
    pub kind: PickupKind,
    /// Where it lies, in steps of 1/8 unit.
    pub position: Vec3,
    /// Whether it lies there now.
    pub available: bool,
}

/// The match's clock.
#[derive(Clone, PartialEq, Debug)]
pub struct ClockView {
    /// What the match is doing.
    pub phase: Phase,
    /// Until the phase ends by itself; `None` where it does not.
    pub seconds_left: Option<u16>,
    /// Frags to win; 0 for no such limit.
    pub frag_limit: u16,
}

/// A player's score.
#[derive(Clone, PartialEq, Debug)]
pub struct ScoreView {
    /// The place.
    pub slot: Slot,
    /// 1 or 2 in a match with teams, else 0.
    pub team: u8,
    /// Enemies killed, less suicides.
    pub frags: i16,
    /// How often the player died.
    pub deaths: u16,
}
