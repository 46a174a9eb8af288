//! Bots: players without a person. They go through lobby and match like anybody else and see only what
//! the wire shows them.
//!
//! A [`Brain`] decides; [`swarm`] lets many of them play over real QUIC. A game says which brains it has by
//! implementing [`Playable`].

pub mod arena;
pub mod recording;
pub mod swarm;

use std::sync::Arc;

use matchkeep_shared::Game;
use matchkeep_shared::ids::{EntityId, Slot};
use matchkeep_shared::time::{Tick, TickRate};

use recording::Recording;

/// What a bot does.
#[derive(Clone, Debug)]
pub enum BotKind {
    /// Plays to win.
    Fight,
    /// Moves, aims and fires as a recorded player did.
    Trace {
        /// The recording.
        recording: Arc<Recording>,
        /// Which of its players, counting from 0.
        player: usize,
    },
    /// Stands there and sends neutral inputs.
    Idle,
}

/// Decides what one bot does. Called on a network thread: quick, and no I/O.
pub trait Brain<G: Game>: Send {
    /// A newer snapshot arrived.
    fn see(&mut self, tick: Tick, entities: &mut dyn Iterator<Item = (EntityId, G::Entity)>);

    /// Something happened in the match.
    fn hear(&mut self, tick: Tick, event: &G::Event) {
        let _ = (tick, event);
    }

    /// The input for a tick. Ticks ascend, usually by one.
    fn decide(&mut self, tick: Tick) -> G::Input;

    /// What the bot found out about itself, by name, for the report at the end.
    fn findings(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    /// How far this bot's snapshots showed each other player move, in the game's units of length, for the report at
    /// the end. Empty where a game has no such thing, and where the bot does not look.
    fn seen(&self) -> Vec<(Slot, f64)> {
        Vec::new()
    }
}

/// What a brain knows when its match begins.
#[derive(Clone, Copy, Debug)]
pub struct BrainStart<'a, C> {
    /// The game's configuration, as the welcome carried it.
    pub config: &'a C,
    /// The bot's place.
    pub slot: Slot,
    /// The match's tick rate.
    pub rate: TickRate,
    /// Makes two bots of one kind differ.
    pub seed: u64,
}

/// A game that bots can play. `impl Playable for MyGame {}` is enough for bots that stand there.
pub trait Playable: Game {
    /// The place and score that an entity shows, in a game that shows scores; for live scoreboards.
    fn score(entity: &Self::Entity) -> Option<(Slot, i64)> {
        let _ = entity;
        None
    }

    /// A brain of this kind; `None` where the game has none, and the bot stands there.
    fn brain(kind: &BotKind, start: BrainStart<'_, Self::Config>) -> Option<Box<dyn Brain<Self>>> {
        let _ = (kind, start);
        None
    }
}
