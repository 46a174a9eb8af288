//! A step of a match that is under way takes no memory: a tick never waits for the allocator.

// A global allocator cannot be written without it.
#![allow(unsafe_code, reason = "counts what the system's allocator is asked for, and passes it on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use matchkeep_shared::arena::{Arena, ArenaInput, Weapon, view};
use matchkeep_shared::game::{Events, Game, Inputs, MapSource, ModeSpec, PlayerInfo};
use matchkeep_shared::ids::{PlayerId, Slot};
use matchkeep_shared::time::{Tick, TickRate};

struct Counting;

thread_local! {
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes on to `System` as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
        // SAFETY: the caller's promise is the one `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the memory came from `System` with this layout.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const PLAYERS: u8 = 8;

#[test]
fn a_step_takes_no_memory_once_warm() {
    let rules = "frag_limit = 0\ntime_limit_seconds = 7200".parse().expect("is TOML");
    let map =
        Some(MapSource::File { path: "arena_hall.toml", text: include_str!("arena_hall.toml") });
    let places = usize::from(PLAYERS);
    let mode = ModeSpec { players_max: places, players_min: places, teams: 0, map, rules: &rules };
    let config = Arena::configure(&mode).expect("the rules are sound");
    let mut arena = Arena::new(&config, TickRate::default(), 1);
    let mut inputs = Inputs::new(places);
    for slot in 0..PLAYERS {
        let id = PlayerId(u64::from(slot) + 1);
        arena.join(Slot(slot), &PlayerInfo { id, name: "somebody".into(), team: None });
    }
    let mut events = Events::default();
    let (mut taken, mut happened) = (0, 0);
    for tick in 0..20_000_u64 {
        for slot in 0..PLAYERS {
            let next = Slot((slot + 1) % PLAYERS);
            let eyes = arena.viewpoint(Slot(slot)).zip(arena.viewpoint(next));
            let (yaw, pitch) = eyes.map_or((0, 0), |(from, to)| view::angles(to - from));
            let weapon = Weapon::from_index((tick / 64 % 4) as usize);
            let jump = tick % 50 == 0;
            let input = ArenaInput { yaw, pitch, forward: 127, side: 40, fire: true, jump, weapon };
            inputs.set(Slot(slot), Some(input));
        }
        events.clear();
        let before = TAKEN.with(Cell::get);
        arena.step(Tick(tick), &inputs, &mut events);
        // The first half fills the vectors that are kept.
        if tick >= 10_000 {
            taken += TAKEN.with(Cell::get) - before;
            happened += events.iter().count();
        }
    }
    assert!(happened > 500, "{happened} events");
    assert_eq!(taken, 0, "allocations in 10,000 steps");
}
