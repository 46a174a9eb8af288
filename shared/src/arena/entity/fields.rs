//! How many bits each field of an entity takes, and what its numbers mean.

#[cfg(test)]
mod tests;

use glam::Vec3;

use super::{ArenaEntity, ClockView, OwnView, PickupView, PlayerView, ProjectileView, ScoreView};
use crate::arena::map::MAP_REACH_MAX;
use crate::arena::phase::Phase;
use crate::arena::pickup::PickupKind;
use crate::arena::weapon::Weapon;
use crate::ids::Slot;
use crate::schema::{Entity, Field, Kind};

const SLOT: Field = Field::uint("slot", 7);
const TEAM: Field = Field::uint("team", 2);
const WEAPON: Field = Field::uint("weapon", Weapon::BITS as u8);

// 100 ms at run speed is 32 units; a change since a baseline that old takes 9 bits.
const fn position(name: &'static str) -> Field {
    Field::number(name, -4096.0, 0.125, 16).small(9)
}

const fn position_fine(name: &'static str) -> Field {
    Field::number(name, -4096.0, 0.03125, 18).small(11)
}

const fn velocity(name: &'static str) -> Field {
    Field::number(name, -2048.0, 16.0, 8).small(4)
}

const fn velocity_fine(name: &'static str) -> Field {
    Field::number(name, -2048.0, 0.125, 15).small(9)
}

// What is on a map can be told.
const _: () = assert!(MAP_REACH_MAX < 4096.0);

const PLAYER: &[Field] = &[
    SLOT,
    TEAM,
    position("x"),
    position("y"),
    position("z"),
    velocity("vx"),
    velocity("vy"),
    velocity("vz"),
    Field::angle("yaw", 12).small(8),
    Field::angle("pitch", 12).small(7),
    Field::uint("alive", 1),
    WEAPON,
    Field::uint("shots", 8).small(2),
];

const OWN: &[Field] = &[
    SLOT,
    position_fine("x"),
    position_fine("y"),
    position_fine("z"),
    velocity_fine("vx"),
    velocity_fine("vy"),
    velocity_fine("vz"),
    Field::uint("on_ground", 1),
    Field::uint("alive", 1),
    Field::uint("health", 8),
    Field::uint("armour", 8),
    Field::uint("ammo_machinegun", 8).small(3),
    Field::uint("ammo_shotgun", 8).small(3),
    Field::uint("ammo_rocket_launcher", 8).small(3),
    Field::uint("ammo_railgun", 8).small(3),
    Field::uint("weapons", Weapon::COUNT as u8),
    WEAPON,
    Field::uint("reload_ticks", 8).small(4),
];

const VELOCITY_ROCKET: Field = Field::number("", -2048.0, 0.5, 13);

const PROJECTILE: &[Field] = &[
    SLOT,
    Field::number("x", -4096.0, 0.125, 16).small(10),
    Field::number("y", -4096.0, 0.125, 16).small(10),
    Field::number("z", -4096.0, 0.125, 16).small(10),
    Field { name: "vx", ..VELOCITY_ROCKET },
    Field { name: "vy", ..VELOCITY_ROCKET },
    Field { name: "vz", ..VELOCITY_ROCKET },
];

const PICKUP: &[Field] = &[
    Field::uint("kind", 4),
    Field::number("x", -4096.0, 0.125, 16),
    Field::number("y", -4096.0, 0.125, 16),
    Field::number("z", -4096.0, 0.125, 16),
    Field::uint("available", 1),
];

const CLOCK: &[Field] = &[
    Field::uint("phase", 2),
    Field::uint("timed", 1),
    Field::uint("seconds_left", 16).small(2),
    Field::uint("frag_limit", 12),
];

const SCORE: &[Field] = &[
    SLOT,
    TEAM,
    Field::number("frags", -2048.0, 1.0, 12).small(3),
    Field::uint("deaths", 12).small(3),
];

fn write_vec(spec: &[Field], value: Vec3, fields: &mut [u32]) {
    for axis in 0..3 {
        fields[axis] = spec[axis].quantise(value[axis]);
    }
}

fn read_vec(spec: &[Field], fields: &[u32]) -> Vec3 {
    let axis = |i: usize| spec[i].dequantise(fields[i]);
    Vec3::new(axis(0), axis(1), axis(2))
}

/// To the nearest of 4096 steps; the last half step is the first again.
fn write_angle(angle: u16) -> u32 {
    u32::from(angle.wrapping_add(8) >> 4)
}

fn read_angle(raw: u32) -> u16 {
    (raw as u16) << 4
}

fn read_slot(raw: u32) -> Slot {
    Slot(raw as u8)
}

impl Entity for ArenaEntity {
    const KINDS: &'static [Kind] = &[
        Kind { name: "player", fields: PLAYER },
        Kind { name: "own", fields: OWN },
        Kind { name: "projectile", fields: PROJECTILE },
        Kind { name: "pickup", fields: PICKUP },
        Kind { name: "clock", fields: CLOCK },
        Kind { name: "score", fields: SCORE },
    ];

    fn kind(&self) -> usize {
        match self {
            Self::Player(_) => 0,
            Self::Own(_) => 1,
            Self::Projectile(_) => 2,
            Self::Pickup(_) => 3,
            Self::Clock(_) => 4,
            Self::Score(_) => 5,
        }
    }

    fn write(&self, fields: &mut [u32]) {
        match self {
            Self::Player(view) => view.write(fields),
            Self::Own(view) => view.write(fields),
            Self::Projectile(view) => {
                fields[0] = u32::from(view.owner.0);
                write_vec(&PROJECTILE[1..], view.position, &mut fields[1..]);
                write_vec(&PROJECTILE[4..], view.velocity, &mut fields[4..]);
            }
            Self::Pickup(view) => {
                fields[0] = view.kind.index() as u32;
                write_vec(&PICKUP[1..], view.position, &mut fields[1..]);
                fields[4] = u32::from(view.available);
            }
            Self::Clock(view) => {
                fields[0] = view.phase as u32;
                fields[1] = u32::from(view.seconds_left.is_some());
                fields[2] = u32::from(view.seconds_left.unwrap_or(0));
                fields[3] = u32::from(view.frag_limit).min(CLOCK[3].max());
            }
            Self::Score(view) => {
                fields[0] = u32::from(view.slot.0);
                fields[1] = u32::from(view.team);
                fields[2] = SCORE[2].quantise(f32::from(view.frags));
                fields[3] = u32::from(view.deaths).min(SCORE[3].max());
            }
        }
    }

    fn read(kind: usize, fields: &[u32]) -> Option<Self> {
        Some(match kind {
            0 => Self::Player(PlayerView::read(fields)?),
            1 => Self::Own(OwnView::read(fields)?),
            2 => Self::Projectile(ProjectileView {
                owner: read_slot(fields[0]),
                position: read_vec(&PROJECTILE[1..], &fields[1..]),
                velocity: read_vec(&PROJECTILE[4..], &fields[4..]),
            }),
            3 => Self::Pickup(PickupView {
                kind: PickupKind::from_index(fields[0] as usize)?,
                position: read_vec(&PICKUP[1..], &fields[1..]),
                available: fields[4] != 0,
            }),
            4 => Self::Clock(ClockView {
                phase: *Phase::ALL.get(fields[0] as usize)?,
                seconds_left: (fields[1] != 0).then_some(fields[2] as u16),
                frag_limit: fields[3] as u16,
            }),
            5 => Self::Score(ScoreView {
                slot: read_slot(fields[0]),
                team: fields[1] as u8,
                frags: SCORE[2].dequantise(fields[2]) as i16,
                deaths: fields[3] as u16,
            }),
            _ => return None,
        })
    }
}

impl PlayerView {
    fn write(&self, fields: &mut [u32]) {
        fields[0] = u32::from(self.slot.0);
        fields[1] = u32::from(self.team);
        write_vec(&PLAYER[2..], self.position, &mut fields[2..]);
        write_vec(&PLAYER[5..], self.velocity, &mut fields[5..]);
        fields[8] = write_angle(self.yaw);
        fields[9] = write_angle(self.pitch);
        fields[10] = u32::from(self.alive);
        fields[11] = self.weapon.index() as u32;
        fields[12] = u32::from(self.shots);
    }

    fn read(fields: &[u32]) -> Option<Self> {
        Some(Self {
            slot: read_slot(fields[0]),
            team: fields[1] as u8,
            position: read_vec(&PLAYER[2..], &fields[2..]),
            velocity: read_vec(&PLAYER[5..], &fields[5..]),
            yaw: read_angle(fields[8]),
            pitch: read_angle(fields[9]),
            alive: fields[10] != 0,
            weapon: Weapon::from_index(fields[11] as usize)?,
            shots: fields[12] as u8,
        })
    }
}

impl OwnView {
    fn write(&self, fields: &mut [u32]) {
        fields[0] = u32::from(self.slot.0);
        write_vec(&OWN[1..], self.position, &mut fields[1..]);
        write_vec(&OWN[4..], self.velocity, &mut fields[4..]);
        fields[7] = u32::from(self.on_ground);
        fields[8] = u32::from(self.alive);
        fields[9] = u32::from(self.health);
        fields[10] = u32::from(self.armour);
        for (field, ammo) in fields[11..].iter_mut().zip(self.ammo) {
            *field = u32::from(ammo);
        }
        fields[15] = u32::from(self.weapons);
        fields[16] = self.weapon.index() as u32;
        fields[17] = u32::from(self.reload_ticks);
    }

    fn read(fields: &[u32]) -> Option<Self> {
        Some(Self {
            slot: read_slot(fields[0]),
            position: read_vec(&OWN[1..], &fields[1..]),
            velocity: read_vec(&OWN[4..], &fields[4..]),
            on_ground: fields[7] != 0,
            alive: fields[8] != 0,
            health: fields[9] as u8,
            armour: fields[10] as u8,
            ammo: std::array::from_fn(|i| fields[11 + i] as u8),
            weapons: fields[15] as u8,
            weapon: Weapon::from_index(fields[16] as usize)?,
            reload_ticks: fields[17] as u8,
        })
    }
}
