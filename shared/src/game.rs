//! The game seam: the one trait a studio implements.
//!
//! # Bring your own game, step by step
//!
//! 1. **State.** One type that holds the whole match: players, projectiles, the map, the score, and a
//!    [`Rng`](crate::rng::Rng). It derives `Clone`, `Serialize` and `Deserialize`. Whatever
//!    [`Game::step`] reads is part of it: the engine copies, hashes and restores matches through it.
//! 2. **Input.** What one player wishes for in one tick: a small `Copy` type that implements [`Input`].
//!    Parse strictly; what arrives is what a stranger sent.
//! 3. **Entity.** What clients see: an enum that implements [`Entity`](crate::schema::Entity), each field
//!    with its width in bits. It crosses the network only where it changed.
//! 4. **Event.** What happens once and must arrive: a frag, a goal, a line of chat. A serde type.
//! 5. **The rules.** [`Game::new`], [`Game::join`], [`Game::leave`], [`Game::step`], [`Game::replicate`],
//!    [`Game::outcome`]. [`Game::sketch`], if operators are to see more than dots.
//!
//! `server/examples/` holds a whole game of about 100 lines; [`crate::arena`] is a large one.
//!
//! # Determinism
//!
//! The same state and inputs give the same bits on any machine: recovery, replays and migration stand
//! on it. So inside a game there is no clock, no I/O, no thread, no iteration over a hash map; random
//! numbers come from the generator in the state; sine and friends come from `libm`; vectors are
//! [`glam`]'s, which this crate builds without SIMD. `clippy.toml` beside this crate bans the rest.

use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::ids::{PlayerId, Slot, SlotSet};
use crate::schema::Entity;
use crate::sketch::Sketch;
use crate::time::{Tick, TickRate};
use crate::wire::Malformed;
use crate::wire::bits::{BitReader, BitWriter};
use crate::world::WorldWriter;

/// The rules of a game and, at the same time, the state of one match of it.
pub trait Game: Clone + Debug + Serialize + DeserializeOwned + Send + Sized + 'static {
    /// The game's name: 1 to 32 bytes of `a-z0-9-`. Clients of another game are refused.
    const NAME: &'static str;
    /// Raised with every change to the rules: a match never goes on under other rules than its own.
    const RULES_VERSION: u32;

    /// The modes a server has when its operator sets none: TOML, a table `modes.NAME` for each, the
    /// first alphabetically being the default.
    const MODES: &'static str = "[modes.default]\nplayers_max = 8\n";

    /// What a mode fixes before the match begins: the map, limits, teams. Sent to every client in its
    /// welcome, at most [`crate::limits::SERVER_MESSAGE_BYTES_MAX`] encoded.
    type Config: Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What one player wishes for in one tick.
    type Input: Input;
    /// What happens once and must arrive.
    type Event: Clone + Debug + Serialize + DeserializeOwned + Send + 'static;
    /// What clients see.
    type Entity: Entity;

    /// The game's own settings for a match that lasts about so many seconds of play, for `demo`.
    fn demo_rules(seconds: u32) -> toml::Table {
        let _ = seconds;
        toml::Table::new()
    }

    /// The configuration of a mode, checked: what an operator wrote becomes what a match can trust.
    ///
    /// # Errors
    /// [`ConfigError`] names the key, the value and what is allowed; the operator reads it.
    fn configure(mode: &ModeSpec<'_>) -> Result<Self::Config, ConfigError>;

    /// A match before its first tick. The same `config`, `rate` and `seed` give the same match.
    fn new(config: &Self::Config, rate: TickRate, seed: u64) -> Self;

    /// A player takes the place `slot`, which is free. Called between steps.
    fn join(&mut self, slot: Slot, player: &PlayerInfo);

    /// The player in `slot` is gone for good and the place is free again. What they scored stays in the
    /// [`Outcome`]. Called between steps.
    fn leave(&mut self, slot: Slot);

    /// The player in `slot` lost or regained the connection; the place stays theirs. Called between
    /// steps.
    fn set_connected(&mut self, slot: Slot, connected: bool) {
        let _ = (slot, connected);
    }

    /// Advances the match by one tick. `tick` counts the steps, this one included: the first is tick 1,
    /// and what is replicated afterwards is the match at that tick. A slot without a player has no input;
    /// every player has one, if only a neutral one.
    fn step(&mut self, tick: Tick, inputs: &Inputs<Self::Input>, events: &mut Events<Self::Event>);

    /// Adds every entity that clients may see, each with who may see it. Called once after each step;
    /// must not depend on anything but the state.
    fn replicate(&self, world: &mut WorldWriter<'_, Self::Entity>);

    /// Where the player in `slot` sees from; entities near it are relevant. `None` where nothing is near.
    fn viewpoint(&self, slot: Slot) -> Option<glam::Vec3>;

    /// The result, from the step on in which the match ended. The engine steps no further.
    fn outcome(&self) -> Option<Outcome>;

    /// How the match looks from above, for a person who watches it: `match watch`, `history replay`. Called on
    /// a copy, and only when somebody looks. A game that says nothing shows where its replicated entities are.
    fn sketch(&self) -> Sketch {
        Sketch::of_entities(self)
    }
}

/// What one player wishes for in one tick.
///
/// An input has two parts: what is *held* (movement, view) and what is *pressed* (fire, jump). When an
/// input is missing at its tick the engine repeats what was held for 100 ms, then goes neutral, and never
/// repeats a press. The presses of a late input move to the next tick, once.
pub trait Input: Copy + Default + PartialEq + Debug + Send + 'static {
    /// Writes the input. At most 128 bits.
    fn encode(&self, writer: &mut BitWriter<'_>);

    /// Reads an input, into values that `step` can trust: finite and in range.
    ///
    /// # Errors
    /// [`Malformed`] where the bits are no input; the sender is sent away.
    fn decode(reader: &mut BitReader<'_>) -> Result<Self, Malformed>;

    /// What goes on without the player: held movement and view, no press.
    #[must_use]
    fn held(self) -> Self;

    /// What is left after 100 ms without the player: usually the view alone.
    #[must_use]
    fn neutral(self) -> Self;

    /// Adds the presses of an input that came too late for its own tick.
    fn add_presses(&mut self, late: &Self);
}

/// What an operator set for a mode, as far as the game decides about it.
#[derive(Clone, Copy, Debug)]
pub struct ModeSpec<'a> {
    /// Places in a match, 1 to [`crate::limits::PLAYERS_PER_MATCH_MAX`].
    pub players_max: usize,
    /// Players that must be there before play begins, 1 to `players_max`.
    pub players_min: usize,
    /// Teams of equal size that matchmaking fills, 2 to [`crate::limits::TEAMS_PER_MATCH_MAX`]; 0 where everyone plays
    /// for themselves. Each player comes with one of them: a game that knows teams plays with these, and refuses
    /// what it cannot. Others may ignore it.
    pub teams: u8,
    /// The map; `None` where the operator named none and the game's own default serves.
    pub map: Option<MapSource<'a>>,
    /// The game's own settings, `[modes.NAME.rules]` in the server's configuration.
    pub rules: &'a toml::Table,
}

/// Where a map comes from.
#[derive(Clone, Copy, Debug)]
pub enum MapSource<'a> {
    /// One that ships with the game, by name.
    Named(&'a str),
    /// A file that the server has read.
    File {
        /// Its path, for messages.
        path: &'a str,
        /// What it holds.
        text: &'a str,
    },
}

/// A setting that a game cannot use.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{key} = {value}: {allowed}")]
pub struct ConfigError {
    /// The setting's name.
    pub key: String,
    /// What was set, as written.
    pub value: String,
    /// What is allowed, or what is wrong.
    pub allowed: String,
}

/// Who a player is, as far as a game may know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayerInfo {
    /// The account.
    pub id: PlayerId,
    /// The name to show; at most [`crate::limits::PLAYER_NAME_BYTES_MAX`] bytes, printable.
    pub name: String,
    /// The team that matchmaking chose, counting from 0 and below [`ModeSpec::teams`], in a mode with teams. Parties
    /// and fair sides depend on it: a game that has teams should take its word.
    pub team: Option<u8>,
}

/// The inputs of one tick, by slot.
#[derive(Clone, Debug)]
pub struct Inputs<I> {
    slots: Vec<Option<I>>,
}

impl<I: Copy> Inputs<I> {
    /// No input, for a match of `places`.
    pub fn new(places: usize) -> Self {
        Self { slots: vec![None; places] }
    }

    /// The input of the player in `slot`; `None` where no player is.
    pub fn get(&self, slot: Slot) -> Option<I> {
        self.slots.get(slot.index()).copied().flatten()
    }

    /// Sets one player's input. A slot beyond the match's places is ignored.
    pub fn set(&mut self, slot: Slot, input: Option<I>) {
        if let Some(place) = self.slots.get_mut(slot.index()) {
            *place = input;
        }
    }

    /// All inputs there are, in the order of slots.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, I)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(i, input)| Some((Slot(i as u8), (*input)?)))
    }
}

/// The events of one tick, in order, each with who hears of it.
#[derive(Clone, Debug)]
pub struct Events<E> {
    list: Vec<(SlotSet, E)>,
}

impl<E> Default for Events<E> {
    fn default() -> Self {
        Self { list: Vec::new() }
    }
}

impl<E> Events<E> {
    /// Tells everyone in the match.
    pub fn tell_all(&mut self, event: E) {
        self.list.push((SlotSet::ALL, event));
    }

    /// Tells some players only.
    pub fn tell(&mut self, slots: SlotSet, event: E) {
        self.list.push((slots, event));
    }

    /// The events so far.
    pub fn iter(&self) -> impl Iterator<Item = &(SlotSet, E)> {
        self.list.iter()
    }

    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Forgets all, keeps the memory.
    pub fn clear(&mut self) {
        self.list.clear();
    }
}

/// How a match ended. Stored, and told to its players once it is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Why it ended, in a few words: `frag limit`, `time limit`.
    pub reason: String,
    /// Everyone who played, best first, those who left among them.
    #[serde(deserialize_with = "crate::encoding::list")]
    pub players: Vec<PlayerResult>,
}

/// What one player made of a match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayerResult {
    /// The account.
    pub player: PlayerId,
    /// The name shown during the match.
    pub name: String,
    /// The team, in a game that has them.
    pub team: Option<u8>,
    /// 1 for the best; equals share a place.
    pub place: u32,
    /// The score the place goes by.
    pub score: i64,
    /// The game's own counters by name, in the game's order.
    #[serde(deserialize_with = "crate::encoding::list")]
    pub stats: Vec<(String, i64)>,
}
