//! Rockets: their flight and their blast. Knows players as targets; what a hit costs is combat's.

use std::time::Duration;

use glam::Vec3;
use serde::{Deserialize, Serialize};

use crate::arena::Arena;
use crate::arena::combat::{Hit, PUSH_PER_DAMAGE, first_hit};
use crate::arena::event::ArenaEvent;
use crate::arena::movement::{BODY_MAXS, BODY_MINS};
use crate::arena::weapon::Weapon;
use crate::game::Events;
use crate::ids::{EntityId, Slot};
use crate::time::Tick;

slotmap::new_key_type! {
    /// Names a rocket in flight.
    pub(crate) struct RocketKey;
}

const ROCKET_SPEED: f32 = 900.0;
/// A rocket that has met nothing for so long is gone. With the reload time this also bounds how many
/// there are.
const ROCKET_LIFE: Duration = Duration::from_secs(8);
const BLAST_RADIUS: f32 = 120.0;

/// A rocket in flight.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Rocket {
    pub(crate) id: EntityId,
    pub(crate) owner: Slot,
    pub(crate) position: Vec3,
    pub(crate) velocity: Vec3,
    expires: Tick,
}

/// Where a rocket met something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blast {
    owner: Slot,
    at: Vec3,
    /// Who was hit in person.
    direct: Option<Slot>,
}

impl Arena {
    /// Starts a rocket; it moves in this same tick.
    pub(super) fn launch(&mut self, owner: Slot, from: Vec3, direction: Vec3) {
        let rocket = Rocket {
            id: self.next_entity(),
            owner,
            position: from,
            velocity: direction * ROCKET_SPEED,
            expires: self.tick + self.rate.ticks_in(ROCKET_LIFE),
        };
        self.rockets.insert(rocket);
    }

    /// Moves all rockets, then lets those that met something go off.
    pub(super) fn move_rockets(&mut self, events: &mut Events<ArenaEvent>) {
        let (tick, dt) = (self.tick, self.rate.tick_seconds());
        let (map, players, blasts) = (&self.config.map, &self.players, &mut self.blasts);
        self.rockets.retain(|rocket| {
            let to = rocket.position + rocket.velocity * dt;
            let (fraction, direct) = first_hit(map, players, rocket.position, to, rocket.owner);
            rocket.position += rocket.velocity * (dt * fraction);
            if fraction < 1.0 {
                blasts.push(Blast { owner: rocket.owner, at: rocket.position, direct });
            }
            fraction >= 1.0 && tick < rocket.expires
        });
        let mut blasts = std::mem::take(&mut self.blasts);
        for blast in blasts.drain(..) {
            self.blow_up(blast, events);
        }
        // Given back for its memory.
        self.blasts = blasts;
    }

    fn blow_up(&mut self, blast: Blast, events: &mut Events<ArenaEvent>) {
        let Blast { owner, at, direct } = blast;
        let full = Weapon::RocketLauncher.spec().damage;
        let mut enemy_hit = false;
        for index in 0..self.players.len() {
            let victim = Slot(index as u8);
            let Some(player) = self.players[index].as_ref().filter(|p| p.is_alive()) else {
                continue;
            };
            let body = player.body.position;
            let nearest = at.clamp(body + BODY_MINS, body + BODY_MAXS);
            let near = 1.0 - nearest.distance(at) / BLAST_RADIUS;
            let damage = if direct == Some(victim) { full } else { (full as f32 * near) as i32 };
            let shielded = || self.config.map.trace_line(at, body).hit();
            if damage <= 0 || (direct != Some(victim) && shielded()) {
                continue;
            }
            let push = (body - at).normalize_or(Vec3::Z) * (damage as f32 * PUSH_PER_DAMAGE);
            let weapon = Weapon::RocketLauncher;
            enemy_hit |= self.hurt(Hit { attacker: owner, victim, damage, weapon, push }, events);
        }
        self.count_hit(owner, enemy_hit);
    }
}
