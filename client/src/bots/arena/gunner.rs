//! How a fighting bot fights: whom it takes on, with which weapon, where it points and when it fires.
//! Aims about as well as a person: late, a little off, and no faster than a hand. Knows no way.

use matchkeep_shared::arena::movement::EYE;
use matchkeep_shared::arena::{OwnView, Phase, Weapon, view};
use matchkeep_shared::glam::Vec3;
use matchkeep_shared::ids::Slot;
use matchkeep_shared::rng::Rng;
use matchkeep_shared::time::Tick;

use super::senses::{Senses, Sighting};

/// How fast a rocket flies, in units a second.
const ROCKET_SPEED: f32 = 900.0;
/// No rocket at what is nearer than this: it would hurt its owner.
const ROCKET_DISTANCE_MIN: f32 = 110.0;
/// From the origin to the middle of a player's box.
const BODY: Vec3 = Vec3::new(0.0, 0.0, 4.0);
/// From the origin to just above the feet.
const FEET: Vec3 = Vec3::new(0.0, 0.0, -20.0);
/// Half a player's width, in units.
const BODY_HALF: f32 = 16.0;

const STEPS_PER_RADIAN: f32 = 65536.0 / std::f32::consts::TAU;
const STEPS_PER_DEGREE: f32 = 65536.0 / 360.0;
/// The fastest turn, in degrees a second.
const TURN_MAX: f32 = 600.0;
/// What part of the way to go is turned in a second, in wholes.
const TURN_GAIN: f32 = 16.0;
/// How far off a bot points at what it has just seen, in degrees; half of that once it is used to it.
const ERROR: f32 = 2.6;

/// How long a bot stays with a target, a weapon or an error, and how long it takes to react, in
/// milliseconds.
const CHOICE_MS: u64 = 150;
const ERROR_MS: u64 = 250;
const REACTION_MS: u64 = 180;
/// How long a target that went out of sight is still looked at.
const MEMORY_MS: u64 = 700;
/// After so long a bot is used to its target.
const USED_MS: u64 = 1500;

/// The part of an input that looks and shoots.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trigger {
    pub(super) yaw: u16,
    pub(super) pitch: u16,
    pub(super) fire: bool,
    pub(super) weapon: Option<Weapon>,
}

/// What a gunner is at.
#[derive(Debug)]
pub(super) struct Gunner {
    target: Option<Slot>,
    /// When the target was last seen.
    target_seen: Tick,
    weapon: Weapon,
    chosen: Tick,
    /// Where the bot looks, in 65536ths of a turn.
    yaw: f32,
    pitch: f32,
    /// How far off it points, in the same, and until when.
    error: (f32, f32),
    error_until: Tick,
    turned: Tick,
}

impl Gunner {
    pub(super) fn new(tick: Tick) -> Self {
        Self {
            target: None,
            target_seen: tick,
            weapon: Weapon::Machinegun,
            chosen: tick,
            yaw: 0.0,
            pitch: 0.0,
            error: (0.0, 0.0),
            error_until: tick,
            turned: tick,
        }
    }

    /// Whom the bot fights, or looks for.
    pub(super) fn target(&self) -> Option<Slot> {
        self.target
    }

    /// Where the bot looks.
    pub(super) fn look(&self) -> (u16, u16) {
        (self.yaw as i32 as u16, self.pitch as i32 as u16)
    }

    /// How far from an enemy the weapon in hand is at its best.
    pub(super) fn distance(&self) -> f32 {
        match self.weapon {
            Weapon::Machinegun => 260.0,
            Weapon::Shotgun => 130.0,
            Weapon::RocketLauncher => 320.0,
            Weapon::Railgun => 600.0,
        }
    }

    /// Chooses target and weapon, if it is time to.
    pub(super) fn choose(&mut self, tick: Tick, senses: &Senses, own: &OwnView) {
        let ticks = |ms: u64| (ms * senses.rate.hz() / 1000) as i64;
        let target = self.target.and_then(|slot| senses.enemy(slot));
        if target.is_some_and(|target| target.visible_since.is_some()) {
            self.target_seen = tick;
        }
        if tick.since(self.chosen) < ticks(CHOICE_MS) {
            return;
        }
        self.chosen = tick;
        let distance = |enemy: &Sighting| enemy.position.distance(own.position);
        let visible = senses.enemies().filter(|(_, enemy)| enemy.visible_since.is_some());
        let rank = |(slot, enemy): (Slot, &Sighting)| {
            let known = if self.target == Some(slot) { 0.6 } else { 1.0 };
            (distance(enemy) * known, slot)
        };
        let nearest = visible.map(rank).min_by(|a, b| a.0.total_cmp(&b.0));
        let remembered = target.is_some() && tick.since(self.target_seen) < ticks(MEMORY_MS);
        self.target = match nearest {
            Some((_, slot)) => Some(slot),
            None => self.target.filter(|_| remembered),
        };
        let target = self.target.and_then(|slot| senses.enemy(slot));
        self.weapon = best_weapon(own, target.map_or(350.0, distance));
    }

    /// Turns towards the target, or else into `ahead`, and fires when it points there.
    pub(super) fn aim(
        &mut self,
        tick: Tick,
        senses: &Senses,
        (own, at): (&OwnView, Vec3),
        ahead: Vec3,
        rng: &mut Rng,
    ) -> Trigger {
        let weapon = (self.weapon != own.weapon).then_some(self.weapon);
        let Some(target) = self.target.and_then(|slot| senses.enemy(slot)) else {
            if ahead != Vec3::ZERO {
                let (yaw, pitch) = view::angles(ahead);
                self.turn(tick, senses, (f32::from(yaw), f32::from(pitch as i16)));
            }
            let (yaw, pitch) = self.look();
            return Trigger { yaw, pitch, fire: false, weapon };
        };
        let ticks = |ms: u64| ms * senses.rate.hz() / 1000;
        let seen = target.visible_since.map(|since| tick.since(since).max(0) as u64);
        if tick >= self.error_until {
            let used = seen.unwrap_or(0) as f32 / ticks(USED_MS).max(1) as f32;
            let size = ERROR * STEPS_PER_DEGREE * (1.0 - used.min(1.0) / 2.0);
            // Two draws: small errors are more likely than large ones.
            let mut draw = || (rng.range(-size, size) + rng.range(-size, size)) / 2.0;
            self.error = (draw(), draw() / 2.0);
            self.error_until = tick + ticks(ERROR_MS);
        }
        let way = self.point(tick, senses, target, at) - (at + EYE);
        let (yaw, pitch) = view::angles(way);
        let wanted = (f32::from(yaw), f32::from(pitch as i16));
        self.turn(tick, senses, (wanted.0 + self.error.0, wanted.1 + self.error.1));

        let distance = way.length().max(1.0);
        let off = arc(self.yaw, wanted.0).abs().max(arc(self.pitch, wanted.1).abs());
        let width = BODY_HALF / distance * STEPS_PER_RADIAN;
        let on_target = off < self.tolerance(width);
        let reacted = seen.is_some_and(|seen| seen >= ticks(REACTION_MS));
        let safe = own.weapon != Weapon::RocketLauncher || distance > ROCKET_DISTANCE_MIN;
        let may = senses.phase != Phase::Countdown;
        let (yaw, pitch) = self.look();
        Trigger { yaw, pitch, fire: on_target && reacted && safe && may, weapon }
    }

    /// The point to aim at: where the target will be when the shot arrives.
    fn point(&self, tick: Tick, senses: &Senses, target: &Sighting, at: Vec3) -> Vec3 {
        let now = target.position + target.velocity * senses.age(tick);
        if self.weapon != Weapon::RocketLauncher {
            return now + BODY;
        }
        let flight = now.distance(at) / ROCKET_SPEED;
        let then = now + target.velocity.with_z(0.0) * flight;
        // What misses the feet of somebody below or level still goes off beside them.
        if now.z < at.z + 40.0 && target.velocity.z.abs() < 100.0 {
            then + FEET
        } else {
            then + BODY
        }
    }

    /// How far off, in 65536ths of a turn, a shot is worth it at a target of this half width.
    fn tolerance(&self, width: f32) -> f32 {
        match self.weapon {
            Weapon::Machinegun => width + 1.2 * STEPS_PER_DEGREE,
            Weapon::Shotgun => width + 2.0 * STEPS_PER_DEGREE,
            Weapon::RocketLauncher => width + 2.5 * STEPS_PER_DEGREE,
            Weapon::Railgun => width,
        }
    }

    fn turn(&mut self, tick: Tick, senses: &Senses, (yaw, pitch): (f32, f32)) {
        let seconds = tick.since(self.turned).clamp(0, 10) as f32 * senses.rate.tick_seconds();
        self.turned = tick;
        let most = TURN_MAX * STEPS_PER_DEGREE * seconds;
        let part = (TURN_GAIN * seconds).min(1.0);
        let step = |from: f32, to: f32| (arc(from, to) * part).clamp(-most, most);
        self.yaw = (self.yaw + step(self.yaw, yaw)).rem_euclid(65536.0);
        // A neck goes up and down by less than a quarter turn.
        self.pitch = (self.pitch + step(self.pitch, pitch)).clamp(-16_000.0, 16_000.0);
    }
}

/// The shorter way between two angles in 65536ths of a turn.
fn arc(from: f32, to: f32) -> f32 {
    (to - from + 32_768.0).rem_euclid(65_536.0) - 32_768.0
}

/// The best loaded weapon for a target so far away.
fn best_weapon(own: &OwnView, distance: f32) -> Weapon {
    let worth = |weapon: Weapon| match weapon {
        Weapon::Machinegun => 50,
        Weapon::Shotgun if distance < 220.0 => 90,
        Weapon::Shotgun => 40,
        Weapon::RocketLauncher if distance < ROCKET_DISTANCE_MIN * 1.2 => 10,
        Weapon::RocketLauncher if distance < 800.0 => 100,
        Weapon::RocketLauncher => 45,
        Weapon::Railgun if distance < 300.0 => 60,
        Weapon::Railgun => 110,
    };
    let loaded =
        |weapon: &Weapon| own.weapons & (1 << weapon.index()) != 0 && own.ammo[weapon.index()] > 0;
    let best = Weapon::ALL.into_iter().filter(loaded).max_by_key(|weapon| worth(*weapon));
    best.unwrap_or(own.weapon)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_way_crosses_the_seam() {
        for (from, to, way) in [(65_000.0, 500.0, 1036.0), (500.0, 65_000.0, -1036.0)] {
            assert_eq!(arc(from, to), way);
        }
    }

    #[test]
    fn weapons_suit_the_distance_and_are_loaded() {
        let mut own = OwnView {
            slot: Slot(0),
            position: Vec3::ZERO,
            velocity: Vec3::ZERO,
            on_ground: true,
            alive: true,
            health: 100,
            armour: 0,
            ammo: [100, 10, 5, 5],
            weapons: 0b1111,
            weapon: Weapon::Machinegun,
            reload_ticks: 0,
        };
        for (distance, best) in
            [(60.0, Weapon::Shotgun), (250.0, Weapon::RocketLauncher), (1200.0, Weapon::Railgun)]
        {
            assert_eq!(best_weapon(&own, distance), best);
        }
        own.ammo = [1, 0, 0, 0];
        assert_eq!(best_weapon(&own, 60.0), Weapon::Machinegun);
        own.weapons = 0b0010;
        assert_eq!(best_weapon(&own, 60.0), Weapon::Machinegun);
    }
}
