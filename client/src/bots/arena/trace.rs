//! A brain that moves, aims and fires as a recorded player did. Knows the recording and its own player,
//! nothing else of the match.

use std::sync::Arc;

use matchkeep_shared::arena::movement::RUN_SPEED;
use matchkeep_shared::arena::{Arena, ArenaConfig, ArenaEntity, ArenaInput, Weapon, view};
use matchkeep_shared::glam::Vec3;
use matchkeep_shared::ids::{EntityId, Slot};
use matchkeep_shared::time::{Tick, TickRate};

use super::aim_check::{AimCheck, View};
use crate::bots::recording::{Recording, Sample};
use crate::bots::{Brain, BrainStart};

/// Plays a recorded player's part. The arena decides what becomes of it: it has other walls.
pub(super) struct Trace {
    recording: Arc<Recording>,
    player: usize,
    slot: Slot,
    rate: TickRate,
    /// When the recording begins to play, and the last tick it was asked for.
    played: Option<(Tick, Tick)>,
    /// The weapon in hand at the last tick, in the recording's numbering.
    weapon: u16,
    /// Whether the arena's player lives, as far as is known.
    alive: bool,
    /// When it last pressed to come back to life.
    called: Option<Tick>,
    aim: AimCheck,
}

impl Trace {
    /// `None` where the recording has no such player.
    pub(super) fn new(
        recording: Arc<Recording>,
        player: usize,
        start: BrainStart<'_, ArenaConfig>,
    ) -> Option<Self> {
        (player < recording.players()).then(|| Self {
            recording,
            player,
            slot: start.slot,
            rate: start.rate,
            played: None,
            weapon: 0,
            alive: true,
            called: None,
            aim: AimCheck::new(),
        })
    }

    /// Whether to press fire at `tick` to come back to life: not at every tick, as no person does.
    fn calls(&mut self, tick: Tick) -> bool {
        let pause = self.rate.hz().div_ceil(2) as i64;
        let calls = !self.alive && self.called.is_none_or(|last| tick.since(last) >= pause);
        if calls {
            self.called = Some(tick);
        }
        calls
    }
}

impl Brain<Arena> for Trace {
    fn see(&mut self, tick: Tick, entities: &mut dyn Iterator<Item = (EntityId, ArenaEntity)>) {
        for (_, entity) in entities {
            match entity {
                ArenaEntity::Own(own) if own.slot == self.slot => self.alive = own.alive,
                ArenaEntity::Player(player) if player.slot == self.slot => {
                    self.aim.shown(tick, View { yaw: player.yaw, pitch: player.pitch });
                }
                _ => {}
            }
        }
    }

    fn decide(&mut self, tick: Tick) -> ArenaInput {
        let (first, last) = self.played.unwrap_or((tick, tick - 1));
        self.played = Some((first, tick));
        let at = |tick: Tick| self.rate.elapsed(tick.since(first).max(0) as u64);
        let sample = self.recording.sample(self.player, at(tick));
        let presses = self.recording.presses(self.player, at(last), at(tick));
        let drawn = weapon(sample.weapon).filter(|_| sample.weapon != self.weapon);
        self.weapon = sample.weapon;
        let (forward, side) = steps(&sample);
        let fire = if self.alive { presses.fire } else { self.calls(tick) };
        self.aim.sent(tick, View { yaw: sample.yaw, pitch: sample.pitch });
        ArenaInput {
            yaw: sample.yaw,
            pitch: sample.pitch,
            forward,
            side,
            jump: presses.jump,
            fire,
            weapon: drawn,
        }
    }

    fn findings(&self) -> Vec<(&'static str, f64)> {
        self.aim.findings()
    }
}

/// How far ahead and how far to the right a player ran, as an input says it.
fn steps(sample: &Sample) -> (i8, i8) {
    if !sample.alive {
        return (0, 0);
    }
    let ahead = view::direction(sample.yaw, 0);
    let right = Vec3::new(ahead.y, -ahead.x, 0.0);
    // The level part alone counts, for both are level.
    let part = |axis: Vec3| sample.velocity.dot(axis) / RUN_SPEED * 127.0;
    let step = |part: f32| part.round().clamp(-127.0, 127.0) as i8;
    (step(part(ahead)), step(part(right)))
}

/// The arena's weapon that is most like a recorded one, given by its bit.
fn weapon(bit: u16) -> Option<Weapon> {
    match bit {
        1 | 2 => Some(Weapon::Shotgun),
        4 | 8 => Some(Weapon::Machinegun),
        16 | 32 => Some(Weapon::RocketLauncher),
        64 => Some(Weapon::Railgun),
        _ => None,
    }
}
