//! A player's life in a tick: view, weapon in hand, movement, coming back from the dead.

use glam::Vec3;

use crate::arena::Arena;
use crate::arena::event::ArenaEvent;
use crate::arena::input::ArenaInput;
use crate::arena::movement::{self, Wish};
use crate::arena::player::{HEALTH_START, Life, Player};
use crate::game::{Events, Inputs};
use crate::ids::Slot;

/// How far below the map's lowest corner a player has fallen out of it, in units.
const FALL_DEPTH: f32 = 64.0;
/// Spawns drawn to choose the one furthest from enemies.
const SPAWN_DRAWS: u32 = 4;

impl Arena {
    /// Views, weapons in hand, coming back to life, movement.
    pub(super) fn move_players(
        &mut self,
        inputs: &Inputs<ArenaInput>,
        events: &mut Events<ArenaEvent>,
    ) {
        let (tick, dt) = (self.tick, self.rate.tick_seconds());
        let lowest = self.config.map.bounds().0.z - FALL_DEPTH;
        let wears_off = tick.0.is_multiple_of(self.rate.hz());
        for slot in (0..self.players.len()).map(|index| Slot(index as u8)) {
            let Some(player) = self.player_mut(slot) else { continue };
            let Some(input) = inputs.get(slot) else { continue };
            (player.yaw, player.pitch) = (input.yaw, input.pitch);
            if let Life::Dead { on_fire_from, at } = player.life {
                if tick >= at || (input.fire && tick >= on_fire_from) {
                    self.spawn(slot);
                }
                continue;
            }
            player.weapon = input.weapon.filter(|w| player.holds(*w)).unwrap_or(player.weapon);
            if wears_off && player.health > HEALTH_START {
                player.health -= 1;
            }
            let Some(player) = &mut self.players[slot.index()] else { continue };
            movement::advance(&self.config.map, &mut player.body, &Wish::from(&input), dt);
            if player.body.position.z < lowest {
                self.kill(slot, None, None, events);
            }
        }
    }

    /// Puts a player back into the match, away from enemies.
    pub(super) fn spawn(&mut self, slot: Slot) {
        let Some(team) = self.player_mut(slot).map(|player| player.team) else { return };
        let spawns = self.config.map.spawns();
        let mut best = (f32::NEG_INFINITY, Vec3::ZERO);
        for _ in 0..SPAWN_DRAWS {
            let at = spawns[self.rng.below(spawns.len() as u32) as usize].at;
            let distance = |player: &Player| player.body.position.distance_squared(at);
            let alive = self.players.iter().enumerate().filter_map(|(index, player)| {
                let player = player.as_ref().filter(|p| p.is_alive() && index != slot.index())?;
                (team == 0 || player.team != team).then_some(player)
            });
            let nearest = alive.map(distance).fold(f32::INFINITY, f32::min);
            if nearest > best.0 {
                best = (nearest, at);
            }
        }
        // The press that brought the player back is not also a shot.
        let ready_at = self.tick + 1;
        if let Some(player) = self.player_mut(slot) {
            player.spawn(best.1, ready_at);
        }
    }
}
