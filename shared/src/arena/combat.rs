//! Shots, what they hit and what that costs. Knows players and map; moves nobody.

use std::time::Duration;

use glam::Vec3;

use crate::arena::event::ArenaEvent;
use crate::arena::input::ArenaInput;
use crate::arena::map::Map;
use crate::arena::movement::{BODY_MAXS, BODY_MINS, EYE};
use crate::arena::phase::Phase;
use crate::arena::player::{Life, Player};
use crate::arena::trace::line_meets_box;
use crate::arena::weapon::{Shot, Weapon};
use crate::arena::{Arena, view};
use crate::game::{Events, Inputs};
use crate::ids::{Slot, SlotSet};
use crate::limits::PLAYERS_PER_MATCH_MAX;

/// How far a hitscan shot reaches, in units: across any map.
const HITSCAN_REACH: f32 = 12_000.0;
/// What a point of damage adds to the victim's speed, in units a second.
pub(super) const PUSH_PER_DAMAGE: f32 = 5.0;
/// What changing to another weapon takes when the one in hand is empty.
const EMPTY_DELAY: Duration = Duration::from_millis(200);
/// Dead players can come back by firing after this,
const RESPAWN_ON_FIRE: Duration = Duration::from_secs(1);
/// and come back by themselves after this.
const RESPAWN: Duration = Duration::from_millis(1500);

/// Damage on its way to a player.
pub(super) struct Hit {
    pub(super) attacker: Slot,
    pub(super) victim: Slot,
    /// Points before armour.
    pub(super) damage: i32,
    pub(super) weapon: Weapon,
    /// Added to the victim's velocity.
    pub(super) push: Vec3,
}

/// The first thing on the line `from` to `to`: how far, as a fraction, and which player other than
/// `except`; `None` for a wall or nothing.
pub(super) fn first_hit(
    map: &Map,
    players: &[Option<Player>],
    from: Vec3,
    to: Vec3,
    except: Slot,
) -> (f32, Option<Slot>) {
    let mut nearest = map.trace_line(from, to).fraction;
    let mut victim = None;
    for (index, player) in players.iter().enumerate() {
        let Some(player) = player else { continue };
        if index == except.index() || !player.is_alive() {
            continue;
        }
        let at = player.body.position;
        let meets = line_meets_box(from, to, at + BODY_MINS, at + BODY_MAXS);
        if let Some(fraction) = meets.filter(|fraction| *fraction < nearest) {
            nearest = fraction;
            victim = Some(Slot(index as u8));
        }
    }
    (nearest, victim)
}

impl Arena {
    /// Everyone who wishes to and can, fires.
    pub(super) fn fire_weapons(
        &mut self,
        inputs: &Inputs<ArenaInput>,
        events: &mut Events<ArenaEvent>,
    ) {
        if self.progress.phase == Phase::Countdown {
            return;
        }
        for slot in self.turns() {
            if inputs.get(slot).is_some_and(|input| input.fire) {
                self.fire(slot, events);
            }
        }
    }

    fn fire(&mut self, slot: Slot, events: &mut Events<ArenaEvent>) {
        let (tick, rate, counts) = (self.tick, self.rate, self.counts());
        let Some(player) = self.player_mut(slot) else { return };
        if !player.is_alive() || tick < player.ready_at {
            return;
        }
        let weapon = player.weapon;
        if player.ammo[weapon.index()] == 0 {
            player.weapon = player.best_loaded().unwrap_or(weapon);
            player.ready_at = tick + rate.ticks_in(EMPTY_DELAY);
            return;
        }
        player.ammo[weapon.index()] -= 1;
        player.ready_at = tick + rate.ticks_in(weapon.spec().reload);
        player.shots = player.shots.wrapping_add(1);
        player.stats.shots += u32::from(counts);
        let eye = player.body.position + EYE;
        let (yaw, pitch) = (player.yaw, player.pitch);
        match weapon.spec().shot {
            Shot::Hitscan { pellets, spread } => {
                let hit =
                    self.fire_lines(slot, weapon, (pellets, spread), eye, (yaw, pitch), events);
                self.count_hit(slot, hit);
            }
            Shot::Rocket => self.launch(slot, eye, view::direction(yaw, pitch)),
        }
    }

    /// Follows the lines of one shot; tells whether an enemy was hit.
    fn fire_lines(
        &mut self,
        slot: Slot,
        weapon: Weapon,
        (pellets, spread): (u8, f32),
        eye: Vec3,
        (yaw, pitch): (u16, u16),
        events: &mut Events<ArenaEvent>,
    ) -> bool {
        let ahead = view::direction(yaw, pitch);
        let level = view::direction(yaw, 0);
        let right = Vec3::new(level.y, -level.x, 0.0);
        let up = right.cross(ahead);
        // A victim's pellets make one hit.
        let mut damage = [0_i32; PLAYERS_PER_MATCH_MAX];
        for _ in 0..pellets {
            let stray =
                right * self.rng.range(-spread, spread) + up * self.rng.range(-spread, spread);
            let to = eye + (ahead + stray) * HITSCAN_REACH;
            if let (_, Some(victim)) = first_hit(&self.config.map, &self.players, eye, to, slot) {
                damage[victim.index()] += weapon.spec().damage;
            }
        }
        let mut enemy_hit = false;
        for (index, damage) in damage.into_iter().enumerate().filter(|(_, damage)| *damage > 0) {
            let push = ahead * (damage as f32 * PUSH_PER_DAMAGE);
            let victim = Slot(index as u8);
            enemy_hit |= self.hurt(Hit { attacker: slot, victim, damage, weapon, push }, events);
        }
        enemy_hit
    }

    /// Counts a shot that hit an enemy.
    pub(super) fn count_hit(&mut self, slot: Slot, hit: bool) {
        let counted = hit && self.counts();
        if let Some(player) = self.player_mut(slot) {
            player.stats.hits += u32::from(counted);
        }
    }

    /// Takes a hit to its victim; tells whether that is an enemy. Team-mates do not hurt each other; a
    /// player's own rockets hurt half and push in full.
    pub(super) fn hurt(&mut self, hit: Hit, events: &mut Events<ArenaEvent>) -> bool {
        let Hit { attacker, victim, damage, weapon, push } = hit;
        let counts = self.counts();
        let own = attacker == victim;
        let attacker_team = self.player_mut(attacker).map_or(0, |player| player.team);
        let Some(player) = self.player_mut(victim) else { return false };
        let team_mate = !own && player.team != 0 && player.team == attacker_team;
        if !player.is_alive() || team_mate {
            return false;
        }
        player.body.velocity += push;
        let wound = player.wound(if own { damage / 2 } else { damage });
        let dead = player.health <= 0;
        let lost = (wound.armour + wound.health) as u32;
        if counts {
            player.stats.damage_taken += lost;
            if let (false, Some(attacker)) = (own, self.player_mut(attacker)) {
                attacker.stats.damage_given += lost;
            }
        }
        let told = SlotSet::one(attacker).with(victim);
        events.tell(told, ArenaEvent::Hit { attacker, victim, damage: lost as u16, weapon });
        if dead {
            self.kill(victim, Some(attacker), Some(weapon), events);
        }
        !own
    }

    /// Ends a life. A killer of `None`, or the victim itself, makes it a suicide.
    pub(super) fn kill(
        &mut self,
        victim: Slot,
        killer: Option<Slot>,
        weapon: Option<Weapon>,
        events: &mut Events<ArenaEvent>,
    ) {
        let (tick, rate, counts) = (self.tick, self.rate, self.counts());
        let Some(player) = self.player_mut(victim) else { return };
        player.life = Life::Dead {
            on_fire_from: tick + rate.ticks_in(RESPAWN_ON_FIRE),
            at: tick + rate.ticks_in(RESPAWN),
        };
        player.health = 0;
        player.body.velocity = Vec3::ZERO;
        if counts {
            player.stats.deaths += 1;
            match killer.filter(|killer| *killer != victim) {
                Some(killer) => self.score(killer, 1),
                None => {
                    player.stats.suicides += 1;
                    self.score(victim, -1);
                }
            }
        }
        events.tell_all(ArenaEvent::Frag { killer, victim, weapon });
    }

    fn score(&mut self, slot: Slot, frags: i32) {
        let Some(player) = self.player_mut(slot) else { return };
        player.stats.frags += frags;
        let team = usize::from(player.team);
        if let Some(sum) = team.checked_sub(1).and_then(|team| self.team_frags.get_mut(team)) {
            *sum += frags;
        }
    }
}
