//! The arena with three ways to die: an input that no player makes by chance, and the fuses of a configuration.

use matchkeep_shared::arena::{Arena, ArenaConfig, ArenaEntity, ArenaEvent, ArenaInput, Weapon};
use matchkeep_shared::game::{ConfigError, Events, Game, Inputs, ModeSpec, Outcome, PlayerInfo};
use matchkeep_shared::glam::Vec3;
use matchkeep_shared::ids::Slot;
use matchkeep_shared::time::{Tick, TickRate};
use matchkeep_shared::world::WorldWriter;
use serde::{Deserialize, Serialize};

/// What every planted panic begins with.
pub const PLANTED: &str = "planted: ";

/// What a panic between two steps begins with.
pub const BLIND: &str = "planted: blind";

/// The input that kills the game in its step. Once: the match goes on from the tick before, in a new epoch,
/// and takes that tick's inputs anew.
pub const CURSE: ArenaInput = ArenaInput {
    yaw: 0x5a5a,
    pitch: 0x0123,
    forward: 77,
    side: -77,
    jump: true,
    fire: true,
    weapon: Some(Weapon::Railgun),
};

/// An arena that can die.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fragile {
    arena: Arena,
    fuse: Option<Fuse>,
    now: Tick,
}

/// Kills the game for good, however often it is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Fuse {
    /// In the step to this tick.
    Step(Tick),
    /// Between two steps, from this tick on: when it is asked where somebody looks from.
    View(Tick),
}

/// An arena's configuration and its fuse.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FragileConfig {
    /// The arena's own.
    pub arena: ArenaConfig,
    /// How it dies for good.
    pub fuse: Option<Fuse>,
}

impl Fragile {
    /// From where a place looks, alive or not.
    pub fn looks_from(&self, slot: Slot) -> Option<Vec3> {
        self.arena.viewpoint(slot)
    }
}

impl Game for Fragile {
    const NAME: &'static str = "fragile-arena";
    const RULES_VERSION: u32 = 1;

    type Config = FragileConfig;
    type Input = ArenaInput;
    type Event = ArenaEvent;
    type Entity = ArenaEntity;

    fn configure(mode: &ModeSpec<'_>) -> Result<FragileConfig, ConfigError> {
        Ok(FragileConfig { arena: Arena::configure(mode)?, fuse: None })
    }

    fn new(config: &FragileConfig, rate: TickRate, seed: u64) -> Self {
        Self { arena: Arena::new(&config.arena, rate, seed), fuse: config.fuse, now: Tick(0) }
    }

    fn join(&mut self, slot: Slot, player: &PlayerInfo) {
        self.arena.join(slot, player);
    }

    fn leave(&mut self, slot: Slot) {
        self.arena.leave(slot);
    }

    fn step(&mut self, tick: Tick, inputs: &Inputs<ArenaInput>, events: &mut Events<ArenaEvent>) {
        assert!(self.fuse != Some(Fuse::Step(tick)), "{PLANTED}the fuse of tick {tick}");
        self.now = tick;
        self.arena.step(tick, inputs, events);
        // Behind the step: what it did until then must not be seen anywhere.
        assert!(inputs.iter().all(|(_, input)| input != CURSE), "{PLANTED}a cursed input");
    }

    fn replicate(&self, world: &mut WorldWriter<'_, ArenaEntity>) {
        self.arena.replicate(world);
    }

    fn viewpoint(&self, slot: Slot) -> Option<Vec3> {
        let blind_from = self.fuse.and_then(|fuse| match fuse {
            Fuse::View(tick) => Some(tick),
            Fuse::Step(_) => None,
        });
        assert!(blind_from.is_none_or(|from| self.now < from), "{BLIND} at tick {}", self.now);
        self.looks_from(slot)
    }

    fn outcome(&self) -> Option<Outcome> {
        self.arena.outcome()
    }
}
