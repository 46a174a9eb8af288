//! The game that ships with the server: a first-person shooter in 3D, everyone against everyone or in
//! two teams. This file holds the state of a match and the order of a tick; each noun has its own file.
//!
//! Read [`movement`] for how players move, `combat` for what shots do, `phase` for when it counts.

mod combat;
mod config;
mod entities;
mod entity;
mod event;
mod grid;
mod input;
mod map;
pub mod movement;
mod outcome;
mod phase;
mod pickup;
mod player;
mod projectile;
mod trace;
pub mod view;
mod weapon;

#[cfg(test)]
mod tests;

use glam::Vec3;
use serde::{Deserialize, Serialize};

pub use config::ArenaConfig;
pub use entity::{
    ArenaEntity, ClockView, OwnView, PickupView, PlayerView, ProjectileView, ScoreView, VIEW_RADIUS,
};
pub use event::{ArenaEvent, RosterEntry};
pub use input::ArenaInput;
pub use map::{
    MAP_BOXES_MAX, MAP_PICKUPS_MAX, MAP_REACH_MAX, MAP_SPAWNS_MAX, Map, MapError,
    PICKUP_RESPAWN_SECONDS_MAX, PickupSpot, Solid, Spawn,
};
pub use phase::Phase;
pub use pickup::PickupKind;
pub use trace::Trace;
pub use weapon::{Shot, Weapon, WeaponSpec};

use crate::game::{ConfigError, Events, Game, Inputs, ModeSpec, Outcome, PlayerInfo};
use crate::ids::{EntityId, Slot, SlotSet};
use crate::rng::Rng;
use crate::time::{Tick, TickRate};
use crate::world::{Audience, WorldWriter};
use entities::Entities;
use movement::{EYE, Wish};
use outcome::Record;
use phase::Progress;
use pickup::Pickup;
use player::{HEALTH_START, Life, Player, PlayerEntities};
use projectile::{Blast, Rocket, RocketKey};

/// How far below the map's lowest corner a player has fallen out of it, in units.
const FALL_DEPTH: f32 = 64.0;
/// Spawns drawn to choose the one furthest from enemies.
const SPAWN_DRAWS: u32 = 4;
/// Players who left whose results are kept; those of later ones are not.
const RECORDS_MAX: usize = 1024;

/// A match of the arena.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Arena {
    config: ArenaConfig,
    rate: TickRate,
    /// The tick that is being stepped; between steps, the one that comes next.
    tick: Tick,
    rng: Rng,
    progress: Progress,
    /// By slot.
    players: Vec<Option<Player>>,
    left: Vec<Record>,
    team_frags: [i32; 2],
    rockets: Entities<RocketKey, Rocket>,
    /// In the order of the map's.
    pickups: Vec<Pickup>,
    clock: EntityId,
    entities: u32,
    /// What joins and leaves have to tell; the next step does.
    pending: Vec<(SlotSet, ArenaEvent)>,
    /// Memory for one tick's blasts; empty between steps.
    #[serde(skip)]
    blasts: Vec<Blast>,
}

impl Game for Arena {
    const NAME: &'static str = "arena";
    const RULES_VERSION: u32 = 1;

    type Config = ArenaConfig;
    type Input = ArenaInput;
    type Event = ArenaEvent;
    type Entity = ArenaEntity;

    fn configure(mode: &ModeSpec<'_>) -> Result<ArenaConfig, ConfigError> {
        ArenaConfig::read(mode)
    }

    fn new(config: &ArenaConfig, rate: TickRate, seed: u64) -> Self {
        let mut arena = Self {
            config: config.clone(),
            rate,
            tick: Tick(0),
            rng: Rng::new(seed),
            progress: Progress::default(),
            players: vec![None; usize::from(config.players_max.max(1))],
            left: Vec::new(),
            team_frags: [0; 2],
            rockets: Entities::default(),
            pickups: Vec::new(),
            clock: EntityId(0),
            entities: 1,
            pending: Vec::new(),
            blasts: Vec::new(),
        };
        let ids: Vec<_> = config.map.pickups().iter().map(|_| arena.next_entity()).collect();
        arena.pickups = ids.into_iter().map(|id| Pickup { id, back_at: None }).collect();
        arena
    }

    fn join(&mut self, slot: Slot, info: &PlayerInfo) {
        if slot.index() >= self.players.len() {
            return;
        }
        let ids = PlayerEntities {
            player: self.next_entity(),
            own: self.next_entity(),
            score: self.next_entity(),
        };
        let mut player = Player::new(info.clone(), self.smaller_team(), ids, self.tick);
        // Who comes back goes on with the score they left with.
        if let Some(index) = self.left.iter().position(|record| record.info.id == info.id) {
            player.stats = self.left.remove(index).stats;
        }
        player.body.position = self.config.map.spawns()[0].at;
        self.players[slot.index()] = Some(player);
        let roster: Vec<RosterEntry> =
            self.present().map(|(slot, player)| roster_entry(slot, player)).collect();
        self.pending.push((SlotSet::one(slot), ArenaEvent::Roster(roster)));
        let mut others = SlotSet::EMPTY;
        for (other, _) in self.present().filter(|(other, _)| *other != slot) {
            others = others.with(other);
        }
        if let Some(player) = &self.players[slot.index()] {
            self.pending.push((others, ArenaEvent::Joined(roster_entry(slot, player))));
        }
    }

    fn leave(&mut self, slot: Slot) {
        let Some(player) = self.players.get_mut(slot.index()).and_then(Option::take) else {
            return;
        };
        if self.left.len() < RECORDS_MAX {
            self.left.push(Record { info: player.info, team: player.team, stats: player.stats });
        }
        self.rockets.retain(|rocket| rocket.owner != slot);
        self.pending.push((SlotSet::ALL, ArenaEvent::Left { slot }));
    }

    fn step(&mut self, tick: Tick, inputs: &Inputs<ArenaInput>, events: &mut Events<ArenaEvent>) {
        self.tick = tick;
        for (slots, event) in self.pending.drain(..) {
            events.tell(slots, event);
        }
        self.advance_phase(events);
        if self.progress.phase != Phase::Ended {
            self.move_players(inputs, events);
            self.take_pickups(events);
            self.fire_weapons(inputs, events);
            self.move_rockets(events);
            self.check_frag_limit(events);
        }
        self.tick = tick + 1;
    }

    fn replicate(&self, world: &mut WorldWriter<'_, ArenaEntity>) {
        world.add(self.clock, Audience::Everyone, &ArenaEntity::Clock(self.clock()));
        for (pickup, spot) in self.pickups.iter().zip(self.config.map.pickups()) {
            let (kind, position) = (spot.kind, spot.at);
            let view = PickupView { kind, position, available: pickup.back_at.is_none() };
            world.add(pickup.id, near(position), &ArenaEntity::Pickup(view));
        }
        for (slot, player) in self.present() {
            let view = player.view(slot);
            world.add(player.ids.player, near(view.position), &ArenaEntity::Player(view));
            let own = player.own_view(slot, self.tick);
            let owner = Audience::Slots(SlotSet::one(slot));
            world.add(player.ids.own, owner, &ArenaEntity::Own(own));
            let score = player.score_view(slot);
            world.add(player.ids.score, Audience::Everyone, &ArenaEntity::Score(score));
        }
        for rocket in self.rockets.values() {
            let Rocket { owner, position, velocity, .. } = *rocket;
            let view = ProjectileView { owner, position, velocity };
            world.add(rocket.id, near(position), &ArenaEntity::Projectile(view));
        }
    }

    fn viewpoint(&self, slot: Slot) -> Option<Vec3> {
        let player = self.players.get(slot.index())?.as_ref()?;
        Some(player.body.position + EYE)
    }

    fn outcome(&self) -> Option<Outcome> {
        self.result()
    }
}

fn near(at: Vec3) -> Audience {
    Audience::Near { at, radius: VIEW_RADIUS }
}

fn roster_entry(slot: Slot, player: &Player) -> RosterEntry {
    let PlayerInfo { id, name } = player.info.clone();
    RosterEntry { slot, player: id, name, team: player.team }
}

impl Arena {
    /// What the match is doing.
    pub fn phase(&self) -> Phase {
        self.progress.phase
    }

    /// Everyone who has a place.
    fn present(&self) -> impl Iterator<Item = (Slot, &Player)> {
        let places = self.players.iter().enumerate();
        places.filter_map(|(index, player)| Some((Slot(index as u8), player.as_ref()?)))
    }

    fn player_mut(&mut self, slot: Slot) -> Option<&mut Player> {
        self.players.get_mut(slot.index())?.as_mut()
    }

    /// All places, another one first in each tick: who acts first has an edge, which is not to go with
    /// the place.
    fn turns(&self) -> impl Iterator<Item = Slot> + use<> {
        let places = self.players.len();
        let first = (self.tick.0 % places as u64) as usize;
        (first..places).chain(0..first).map(|index| Slot(index as u8))
    }

    fn next_entity(&mut self) -> EntityId {
        let id = EntityId(self.entities);
        self.entities += 1;
        id
    }

    fn smaller_team(&self) -> u8 {
        if self.config.teams == 0 {
            return 0;
        }
        let size = |team| self.present().filter(|(_, player)| player.team == team).count();
        if size(2) < size(1) { 2 } else { 1 }
    }

    /// Views, weapons in hand, coming back to life, movement.
    fn move_players(&mut self, inputs: &Inputs<ArenaInput>, events: &mut Events<ArenaEvent>) {
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
    fn spawn(&mut self, slot: Slot) {
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
