//! The game that ships with the server: a first-person shooter in 3D, everyone against everyone or in
//! two teams. This file holds the state of a match and the order of a tick; each noun has its own file.
//!
//! [`Arena::step`](Game::step) lists what happens in a tick. Read [`movement`] for how players move,
//! `combat` for what shots do, `phase` for when it counts.

mod combat;
mod config;
mod entities;
mod entity;
mod event;
mod grid;
mod input;
mod life;
mod map;
pub mod movement;
mod outcome;
mod phase;
mod pickup;
mod player;
mod projectile;
mod roster;
mod sketch;
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
use crate::limits::PLAYERS_PER_MATCH_MAX;
use crate::rng::Rng;
use crate::sketch::Sketch;
use crate::time::{Tick, TickRate};
use crate::world::{Audience, WorldWriter};
use entities::Entities;
use movement::EYE;
use outcome::Record;
use phase::Progress;
use pickup::Pickup;
use player::Player;
use projectile::{Blast, Rocket, RocketKey};

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
    const MODES: &'static str = include_str!("../maps/modes.toml");

    type Config = ArenaConfig;
    type Input = ArenaInput;
    type Event = ArenaEvent;
    type Entity = ArenaEntity;

    fn demo_rules(seconds: u32) -> toml::Table {
        let rules = [("time_limit_seconds", i64::from(seconds)), ("frag_limit", 0)];
        rules.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect()
    }

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
            players: vec![None; usize::from(config.players_max).clamp(1, PLAYERS_PER_MATCH_MAX)],
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

    fn join(&mut self, slot: Slot, player: &PlayerInfo) {
        self.admit(slot, player);
    }

    fn leave(&mut self, slot: Slot) {
        self.dismiss(slot);
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

    fn sketch(&self) -> Sketch {
        self.seen_from_above()
    }
}

fn near(at: Vec3) -> Audience {
    Audience::Near { at, radius: VIEW_RADIUS }
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
}
