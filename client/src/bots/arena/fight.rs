//! A brain that plays to win. This file holds the order of a decision; each faculty has its own file.

use std::sync::Arc;

use matchkeep_shared::arena::{
    Arena, ArenaConfig, ArenaEntity, ArenaEvent, ArenaInput, Phase, view,
};
use matchkeep_shared::glam::Vec3;
use matchkeep_shared::ids::{EntityId, Slot};
use matchkeep_shared::rng::Rng;
use matchkeep_shared::time::Tick;

use super::goals::{Aim, Goals, is_weak};
use super::gunner::Gunner;
use super::legs::{Footing, Legs, Progress};
use super::navigation::Navigation;
use super::senses::Senses;
use crate::bots::{Brain, BrainStart};

/// From one press to come back to life to the next, in milliseconds.
const CALL_MS: u64 = 250;
/// An enemy this many times further away than the weapon likes is walked up to.
const ENGAGED: f32 = 2.0;
/// A bot in a fight jumps about once in so many milliseconds.
const HOP_MS: u64 = 1800;

/// Plays to win, seeing what the wire shows and nothing else.
pub(super) struct Fight {
    navigation: Arc<Navigation>,
    senses: Senses,
    goals: Goals,
    legs: Legs,
    gunner: Gunner,
    rng: Rng,
    called: Tick,
}

impl Fight {
    pub(super) fn new(start: BrainStart<'_, ArenaConfig>) -> Self {
        let BrainStart { config, slot, rate, seed } = start;
        // Bots that were given one seed are still two.
        let seed = seed ^ (u64::from(slot.0) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self {
            navigation: Navigation::of(&config.map),
            senses: Senses::new(config, slot, rate),
            goals: Goals::new(config.map.pickups().len()),
            legs: Legs::new(),
            gunner: Gunner::new(Tick(0)),
            rng: Rng::new(seed),
            called: Tick(0),
        }
    }

    /// Nothing but the view; pressing to come back where there is something to come back from.
    fn rest(&mut self, tick: Tick) -> ArenaInput {
        let (yaw, pitch) = self.gunner.look();
        let pause = CALL_MS * self.senses.rate.hz() / 1000;
        let call = self.senses.is_dead() && tick.since(self.called) >= pause as i64;
        if call {
            self.called = tick;
        }
        self.legs.reset(tick);
        self.goals.drop();
        ArenaInput { yaw, pitch, fire: call, ..ArenaInput::default() }
    }
}

impl Brain<Arena> for Fight {
    fn see(&mut self, tick: Tick, entities: &mut dyn Iterator<Item = (EntityId, ArenaEntity)>) {
        self.senses.see(tick, entities);
    }

    fn seen(&self) -> Vec<(Slot, f64)> {
        self.senses.seen().collect()
    }

    fn hear(&mut self, _: Tick, event: &ArenaEvent) {
        if let ArenaEvent::Left { slot } = event {
            self.senses.forget(*slot);
        }
    }

    fn decide(&mut self, tick: Tick) -> ArenaInput {
        let own = match self.senses.alive() {
            Some(own) if self.senses.phase != Phase::Ended => own.clone(),
            _ => return self.rest(tick),
        };
        let at = own.position + own.velocity * self.senses.age(tick);
        self.senses.watch(tick, at, self.gunner.target());
        let Self { navigation, senses, goals, legs, gunner, rng, .. } = self;
        gunner.choose(tick, senses, &own);
        goals.decide(tick, senses, &own, navigation, rng);

        let (map, rate) = (&*senses.map, senses.rate);
        let footing = Footing { tick, rate, map, navigation, own: &own, at };
        let enemy = gunner.target().and_then(|slot| senses.enemy(slot));
        let enemy = enemy.filter(|enemy| enemy.visible_since.is_some());
        let near = |enemy: Vec3| enemy.distance(at) < ENGAGED * gunner.distance();
        let hunts = !matches!(goals.current(), Some((Aim::Pickup(_), _))) || !is_weak(&own);
        let mut hop = false;
        let mut direction = match (enemy, goals.current()) {
            (Some(enemy), _) if hunts && near(enemy.position) => {
                hop = rng.below((HOP_MS * rate.hz() / 1000) as u32) == 0;
                legs.circle(&footing, enemy.position, gunner.distance(), rng)
            }
            (_, Some((_, destination))) => match legs.follow(&footing, destination, rng) {
                Progress::Towards(direction) => direction,
                Progress::Arrived => {
                    goals.arrived(tick, senses);
                    Vec3::ZERO
                }
                Progress::Lost => {
                    goals.drop();
                    Vec3::ZERO
                }
            },
            (_, None) => Vec3::ZERO,
        };
        if let Some(rocket) = senses.rocket {
            direction = legs.dodge(&footing, rocket, direction);
        }
        let jump = legs.jumps(&footing, direction) || hop;
        let trigger = gunner.aim(tick, senses, (&own, at), direction, rng);
        let (forward, side) = steps(direction, trigger.yaw);
        ArenaInput {
            yaw: trigger.yaw,
            pitch: trigger.pitch,
            forward,
            side,
            jump,
            fire: trigger.fire,
            weapon: trigger.weapon,
        }
    }
}

/// Running into a level direction, as an input says it to a player who looks along `yaw`.
fn steps(direction: Vec3, yaw: u16) -> (i8, i8) {
    let ahead = view::direction(yaw, 0);
    let right = Vec3::new(ahead.y, -ahead.x, 0.0);
    let step = |axis: Vec3| (direction.dot(axis) * 127.0).round().clamp(-127.0, 127.0) as i8;
    (step(ahead), step(right))
}
