//! Scripted matches end in the very bits that are written down here, in every build profile and on
//! every machine. A change to the rules changes them: raise `RULES_VERSION` and write the new ones down.

use matchkeep_shared::arena::{Arena, ArenaEvent, ArenaInput, Weapon, view};
use matchkeep_shared::encoding::{encode_into, hash_bytes, state_hash};
use matchkeep_shared::game::{Events, Game, Inputs, ModeSpec, PlayerInfo};
use matchkeep_shared::ids::{PlayerId, Slot};
use matchkeep_shared::rng::Rng;
use matchkeep_shared::time::{Tick, TickRate};

const TICKS: u64 = 3000;

/// What a scripted match comes to.
#[derive(PartialEq, Eq, Debug)]
struct Golden {
    /// Of the state after the last tick.
    last: u64,
    /// Of all states and events, chained.
    rolling: u64,
}

/// Plays a match in which everyone wanders, turns to the next player and fires.
fn play(players: usize, hz: u16, teams: u8, rules: &str) -> Golden {
    let rules = rules.parse().expect("is TOML");
    let (players_max, players_min) = (players, players);
    let mode = ModeSpec { players_max, players_min, teams, map: None, rules: &rules };
    let config = Arena::configure(&mode).expect("the rules are sound");
    let rate = TickRate::try_from(hz).expect("is allowed");
    let mut arena = Arena::new(&config, rate, 0x601d);
    let mut rng = Rng::new(0xbee);
    let mut inputs = Inputs::new(players);
    for index in 0..players {
        let id = PlayerId(index as u64 + 1);
        arena.join(Slot(index as u8), &PlayerInfo { id, name: format!("player {id}"), team: None });
        inputs.set(Slot(index as u8), Some(ArenaInput::default()));
    }
    let mut events = Events::default();
    let mut scratch = Vec::new();
    let mut frags = 0;
    let mut golden = Golden { last: 0, rolling: 0 };
    for tick in 0..TICKS {
        for index in 0..players {
            let slot = Slot(index as u8);
            let before = inputs.get(slot).unwrap_or_default();
            let next = Slot(((index + 1) % players) as u8);
            let input = aim(&arena, slot, next, wander(&mut rng, before));
            inputs.set(slot, Some(input));
        }
        events.clear();
        arena.step(Tick(tick), &inputs, &mut events);
        golden.last = state_hash(&arena, &mut scratch);
        let mut chained = golden.rolling.to_le_bytes().to_vec();
        chained.extend_from_slice(&golden.last.to_le_bytes());
        for (_, event) in events.iter() {
            encode_into(event, &mut chained);
            frags += u32::from(matches!(event, ArenaEvent::Frag { .. }));
        }
        golden.rolling = hash_bytes(&chained);
    }
    assert!(arena.outcome().is_none(), "the match went on to the end of the test");
    assert!(frags >= 3, "a match in which little happens would prove little: {frags} frags");
    golden
}

fn wander(rng: &mut Rng, before: ArenaInput) -> ArenaInput {
    let mut input = before;
    input.yaw = input.yaw.wrapping_add(rng.below(1000) as u16).wrapping_sub(480);
    input.pitch = (rng.below(4000) as u16).wrapping_sub(1500);
    if rng.below(45) == 0 {
        input.forward = (rng.below(200) as i32 - 73) as i8;
        input.side = (rng.below(255) as i32 - 127) as i8;
    }
    input.jump = rng.below(25) == 0;
    input.fire = rng.below(4) > 0;
    input.weapon = Weapon::from_index(rng.below(200) as usize);
    input
}

/// Now and then looks at another player for a while, and runs there.
fn aim(arena: &Arena, slot: Slot, at: Slot, mut input: ArenaInput) -> ArenaInput {
    if let (Some(from), Some(to)) = (arena.viewpoint(slot), arena.viewpoint(at))
        && input.side > -30
    {
        let (yaw, pitch) = view::angles(to - from);
        (input.yaw, input.pitch) = (yaw.wrapping_add(input.pitch % 256), pitch);
        input.forward = input.forward.max(60);
    }
    input
}

const ENDLESS: &str = "frag_limit = 0\ntime_limit_seconds = 7200";

#[test]
fn a_duel() {
    let golden = Golden { last: 0xcd08_178c_a628_f45d, rolling: 0x7618_73fe_043e_cf49 };
    assert_eq!(play(2, 60, 0, ENDLESS), golden);
}

#[test]
fn eight_against_each_other_on_the_large_map() {
    let golden = Golden { last: 0xf21b_cd89_be38_bd04, rolling: 0x20b0_73bb_247f_7e1b };
    assert_eq!(play(8, 60, 0, ENDLESS), golden);
}

#[test]
fn two_teams_of_four_at_another_tick_rate() {
    let golden = Golden { last: 0xa318_8845_9f1f_696a, rolling: 0xd11d_fb3b_9caf_e9d3 };
    assert_eq!(play(8, 30, 2, ENDLESS), golden);
}
