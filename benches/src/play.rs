//! Scripted play of the arena: everyone wanders, turns to the next player and fires. The same players and
//! seed give the same match, on any machine.

use matchkeep_shared::arena::{Arena, ArenaConfig, ArenaInput, Weapon, view};
use matchkeep_shared::encoding::state_hash;
use matchkeep_shared::game::{Events, Game, Inputs, ModeSpec, PlayerInfo};
use matchkeep_shared::ids::{PlayerId, Slot};
use matchkeep_shared::rng::Rng;
use matchkeep_shared::time::{Tick, TickRate};

/// The sizes of match that are measured, in players.
pub const SIZES: [usize; 4] = [2, 10, 32, 100];
/// Ticks that are played before anything is measured: players have met by then, and memory has grown.
pub const WARM_TICKS: u64 = 600;
/// A match that was played this long starts anew: none ends under a benchmark.
const TICKS_MAX: u64 = 200_000;

/// The rules of a match that a benchmark plays: no end in sight, and shots count at once.
pub fn rules() -> toml::Table {
    let rules = [
        ("frag_limit", 0),
        ("time_limit_seconds", 7200),
        ("warmup_seconds", 600),
        ("countdown_seconds", 0),
    ];
    rules.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect()
}

/// The arena's configuration for a match of so many players, all of whom are waited for.
///
/// # Panics
/// Where the arena does not take so many players.
pub fn config(players: usize) -> ArenaConfig {
    let rules = rules();
    let (players_max, players_min) = (players, players);
    let mode = ModeSpec { players_max, players_min, teams: 0, map: None, rules: &rules };
    Arena::configure(&mode).expect("the rules are sound")
}

/// Who sits in a slot.
pub fn player(slot: Slot) -> PlayerInfo {
    let id = PlayerId(u64::from(slot.0) + 1);
    PlayerInfo { id, name: format!("player {id}"), team: None }
}

/// What everyone wishes for, tick after tick.
#[derive(Clone, Debug)]
pub struct Script {
    rng: Rng,
    before: Vec<ArenaInput>,
}

impl Script {
    /// For so many players.
    pub fn new(players: usize) -> Self {
        Self { rng: Rng::new(0xbee), before: vec![ArenaInput::default(); players] }
    }

    /// The next input of one player. Ask for every slot once a tick, in ascending order.
    pub fn next(&mut self, arena: &Arena, slot: Slot) -> ArenaInput {
        let next = Slot(((slot.index() + 1) % self.before.len()) as u8);
        let rng = &mut self.rng;
        let mut input = self.before[slot.index()];
        input.yaw = input.yaw.wrapping_add(rng.below(1000) as u16).wrapping_sub(480);
        input.pitch = (rng.below(4000) as u16).wrapping_sub(1500);
        if rng.below(45) == 0 {
            input.forward = (rng.below(200) as i32 - 73) as i8;
            input.side = (rng.below(255) as i32 - 127) as i8;
        }
        input.jump = rng.below(25) == 0;
        input.fire = rng.below(4) > 0;
        input.weapon = Weapon::from_index(rng.below(200) as usize);
        // Now and then looks at another player for a while, and runs there.
        if let (Some(from), Some(to)) = (arena.viewpoint(slot), arena.viewpoint(next))
            && input.side > -30
        {
            let (yaw, pitch) = view::angles(to - from);
            (input.yaw, input.pitch) = (yaw.wrapping_add(input.pitch % 256), pitch);
            input.forward = input.forward.max(60);
        }
        self.before[slot.index()] = input;
        input
    }
}

/// A match of the arena alone, without clients.
#[derive(Clone, Debug)]
pub struct Play {
    arena: Arena,
    script: Script,
    inputs: Inputs<ArenaInput>,
    events: Events<<Arena as Game>::Event>,
    players: usize,
    tick: Tick,
}

impl Play {
    /// A match of so many players, warm.
    pub fn new(players: usize) -> Self {
        let mut arena = Arena::new(&config(players), TickRate::default(), 1);
        for slot in slots(players) {
            arena.join(slot, &player(slot));
        }
        let (script, inputs) = (Script::new(players), Inputs::new(players));
        let events = Events::default();
        let mut play = Self { arena, script, inputs, events, players, tick: Tick(0) };
        for _ in 0..WARM_TICKS {
            play.prepare();
            play.step();
        }
        play
    }

    /// Everyone decides what to do in the next tick.
    pub fn prepare(&mut self) {
        if self.tick.0 == TICKS_MAX {
            *self = Self::new(self.players);
        }
        for slot in slots(self.players) {
            let input = self.script.next(&self.arena, slot);
            self.inputs.set(slot, Some(input));
        }
        self.events.clear();
    }

    /// Steps the match; says how many events that gave.
    pub fn step(&mut self) -> usize {
        self.tick = self.tick + 1;
        self.arena.step(self.tick, &self.inputs, &mut self.events);
        self.events.iter().count()
    }

    /// The match as it is.
    pub fn arena(&self) -> &Arena {
        &self.arena
    }

    /// Steps so far.
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// A hash of the whole state.
    pub fn hash(&self) -> u64 {
        state_hash(&self.arena, &mut Vec::new())
    }
}

/// All slots of a match of so many players.
pub fn slots(players: usize) -> impl Iterator<Item = Slot> {
    (0..players).map(|slot| Slot(slot as u8))
}
