//! The arena gives the same bits: played twice, and from a copy that went through bytes in between.

use std::collections::BTreeSet;
use std::sync::Arc;

use matchkeep_shared::arena::{Arena, ArenaConfig, ArenaEvent, ArenaInput, Map, Weapon, view};
use matchkeep_shared::encoding::{decode, encode, state_hash};
use matchkeep_shared::game::{Events, Game, Inputs, MapSource, ModeSpec, PlayerInfo};
use matchkeep_shared::ids::{PlayerId, Slot};
use matchkeep_shared::rng::Rng;
use matchkeep_shared::time::{Tick, TickRate};

const TICKS: u64 = 10_000;
const PLACES: usize = 10;
/// What a state may take, in bytes.
const STATE_BYTES_MAX: usize = 256 * 1024;

/// Random play from a seed: who comes and goes, and what everyone wishes for. Its own generator, so
/// that a match and its copy are fed alike.
struct Script {
    rng: Rng,
    inputs: Inputs<ArenaInput>,
    accounts: u64,
    map: Arc<Map>,
    ticks: usize,
}

impl Script {
    fn new(seed: u64, map: Arc<Map>) -> Self {
        Self { rng: Rng::new(seed), inputs: Inputs::new(PLACES), accounts: 0, map, ticks: 0 }
    }

    /// Joins and leaves before a tick, and the tick's inputs.
    fn feed(&mut self, arena: &mut Arena) {
        self.ticks += 1;
        for slot in (0..PLACES).map(|i| Slot(i as u8)) {
            match self.inputs.get(slot) {
                None if self.rng.below(100) == 0 => {
                    // Some come back under the account they had.
                    self.accounts += u64::from(self.rng.below(4) > 0);
                    let id = PlayerId(self.accounts);
                    arena.join(slot, &PlayerInfo { id, name: format!("p{id}"), team: None });
                    self.inputs.set(slot, Some(ArenaInput::default()));
                }
                Some(_) if self.rng.below(1500) == 0 => {
                    arena.leave(slot);
                    self.inputs.set(slot, None);
                }
                Some(before) => {
                    let input = next_input(&mut self.rng, before);
                    self.inputs.set(slot, Some(aim(arena, &self.map, self.ticks, slot, input)));
                }
                None => {}
            }
        }
    }
}

fn next_input(rng: &mut Rng, before: ArenaInput) -> ArenaInput {
    let mut input = before;
    input.yaw = input.yaw.wrapping_add(rng.below(1200) as u16).wrapping_sub(600);
    input.pitch = (rng.below(6000) as u16).wrapping_sub(3000);
    if rng.below(30) == 0 {
        input.forward = (rng.below(255) as i32 - 127) as i8;
        input.side = (rng.below(255) as i32 - 127) as i8;
        input.yaw = rng.next_u32() as u16;
    }
    input.jump = rng.below(20) == 0;
    input.fire = rng.below(3) > 0;
    // Rockets or slugs now and then, if held.
    input.weapon = Weapon::from_index((2 + rng.below(30)) as usize);
    input
}

/// Every other player hunts the next one, so that shots hit; the rest go from thing to thing.
fn aim(arena: &Arena, map: &Map, ticks: usize, slot: Slot, mut input: ArenaInput) -> ArenaInput {
    let Some(from) = arena.viewpoint(slot) else { return input };
    let others = (1..PLACES as u8).map(|i| Slot((slot.0 + i) % PLACES as u8));
    let prey = others.filter_map(|other| arena.viewpoint(other)).next();
    let things = map.pickups();
    let thing = things[(usize::from(slot.0) * 7 + ticks / 240) % things.len()].at;
    let to = prey.filter(|_| slot.0.is_multiple_of(2)).unwrap_or(thing);
    let jitter = input.yaw % 300;
    let (yaw, pitch) = view::angles(to - from);
    (input.yaw, input.pitch) = (yaw.wrapping_add(jitter), pitch.wrapping_add(jitter));
    input.forward = input.forward.max(60);
    input
}

fn config() -> ArenaConfig {
    let rules = "frag_limit = 0\ntime_limit_seconds = 7200".parse().expect("is TOML");
    let map =
        Some(MapSource::File { path: "arena_hall.toml", text: include_str!("arena_hall.toml") });
    let mode = ModeSpec { players_max: PLACES, players_min: 2, teams: 0, map, rules: &rules };
    Arena::configure(&mode).expect("the rules are sound")
}

/// Plays a match, going through bytes before each tick in `copies`. Returns the hash after every tick
/// and everything that happened.
fn play(seed: u64, copies: &BTreeSet<u64>) -> (Vec<u64>, Vec<ArenaEvent>) {
    let config = config();
    let mut arena = Arena::new(&config, TickRate::default(), seed);
    let mut script = Script::new(seed ^ 0x5eed, config.map.clone());
    let mut events = Events::default();
    let (mut hashes, mut happened, mut scratch) = (Vec::new(), Vec::new(), Vec::new());
    for tick in 0..TICKS {
        if copies.contains(&tick) {
            let bytes = encode(&arena);
            arena = decode::<_, STATE_BYTES_MAX>("state", &bytes).expect("was encoded here");
            assert_eq!(encode(&arena), bytes, "tick {tick}: encoding is not canonical");
        }
        script.feed(&mut arena);
        events.clear();
        arena.step(Tick(tick), &script.inputs, &mut events);
        hashes.push(state_hash(&arena, &mut scratch));
        happened.extend(events.iter().map(|(_, event)| event.clone()));
    }
    assert!(arena.outcome().is_none(), "the match went on to the end of the test");
    (hashes, happened)
}

fn assert_same(seed: u64, copies: &BTreeSet<u64>, a: &[u64], b: &[u64]) {
    let apart = a.iter().zip(b).position(|(a, b)| a != b);
    assert_eq!(
        apart,
        None,
        "states differ from this tick on; seed {seed}, {} copies",
        copies.len()
    );
}

#[test]
fn a_match_gives_the_same_bits_again_and_from_a_copy() {
    for seed in [1, 2] {
        let none = BTreeSet::new();
        let (first, happened) = play(seed, &none);
        let (second, _) = play(seed, &none);
        assert_same(seed, &none, &first, &second);

        // Once in the middle, and every few ticks: a copy is good whenever it is taken.
        let mut rng = Rng::new(seed);
        let once = BTreeSet::from([TICKS / 4 + u64::from(rng.below(TICKS as u32 / 2))]);
        let often = (0..TICKS).filter(|_| rng.below(7) == 0).collect();
        for copies in [once, often] {
            assert_same(seed, &copies, &first, &play(seed, &copies).0);
        }
        assert_eventful(&happened);
    }
}

/// A match in which little happens would prove little.
fn assert_eventful(happened: &[ArenaEvent]) {
    let count = |of: fn(&ArenaEvent) -> bool| happened.iter().filter(|event| of(event)).count();
    let rocket = |event: &ArenaEvent| {
        matches!(event, ArenaEvent::Hit { weapon: Weapon::RocketLauncher, .. })
    };
    assert!(count(|e| matches!(e, ArenaEvent::Joined(_))) > 15);
    assert!(count(|e| matches!(e, ArenaEvent::Left { .. })) > 5);
    assert!(count(|e| matches!(e, ArenaEvent::Picked { .. })) > 50);
    assert!(count(|e| matches!(e, ArenaEvent::Frag { .. })) > 20);
    assert!(count(|e| matches!(e, ArenaEvent::Hit { .. })) > 200);
    assert!(count(rocket) > 40);
}

#[test]
fn another_seed_gives_another_match() {
    let none = BTreeSet::new();
    assert_ne!(play(1, &none).0.last(), play(2, &none).0.last());
}
