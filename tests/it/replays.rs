//! A match that is played again from a checkpoint is the same match, bit for bit, at every tick.

use matchkeep_server::matches::frame::{Frame, next_frame};
use matchkeep_server::matches::recorder::{Base, JournalBatch, JournalItemKind};
use matchkeep_server::matches::replay::{Replay, ReplayError};
use matchkeep_server::matches::{Hashes, Match, MatchOptions, MatchSpec};
use matchkeep_shared::Game;
use matchkeep_shared::arena::Arena;
use matchkeep_shared::game::{Input, PlayerInfo};
use matchkeep_shared::ids::{MatchId, PlayerId, Slot};
use matchkeep_shared::limits::INPUTS_PER_DATAGRAM_MAX;
use matchkeep_shared::rng::Rng;
use matchkeep_shared::time::{Tick, TickRate};
use matchkeep_shared::wire::bits::BitReader;
use matchkeep_shared::wire::client::ClientDatagram;
use matchkeep_tests::samples;

#[path = "../../server/examples/sprint.rs"]
#[expect(dead_code, reason = "an example has a main function and bots")]
mod sprint;

/// Ticks played on from the checkpoint.
const TICKS: u64 = 10_000;
const SEEDS: u64 = 100;
const PLACES: usize = 3;

/// Everything a journal would have of a match.
#[derive(Default)]
struct Recorded {
    frames: Vec<u8>,
    /// Tick, bytes, and how long `frames` was then.
    checkpoints: Vec<(Tick, Vec<u8>, usize)>,
}

/// An input out of random bits, as a stranger might send it.
fn input<G: Game>(rng: &mut Rng) -> G::Input {
    loop {
        let bytes: [u8; 24] = std::array::from_fn(|_| rng.below(256) as u8);
        if let Ok(input) = G::Input::decode(&mut BitReader::new(&bytes)) {
            return input;
        }
    }
}

/// Plays a match in which players come, go, lose the connection and send what they like, now and then.
fn play<G: Game>(config: G::Config, seed: u64, ticks: u64) -> (MatchSpec<G::Config>, Recorded) {
    let mut rng = Rng::new(seed);
    let spec = MatchSpec {
        id: MatchId(seed),
        mode: "test".into(),
        places: PLACES,
        rate: TickRate::default(),
        hold_ticks: 40,
        config,
        seed,
    };
    let options =
        MatchOptions { journaled: true, hashes: Hashes::EveryTick, ..MatchOptions::default() };
    let mut game = Match::<G>::new(spec.clone(), options);
    let mut recorded = Recorded::default();
    let mut batch = JournalBatch::default();
    let mut expired = Vec::new();
    let mut recent = vec![vec![G::Input::default(); INPUTS_PER_DATAGRAM_MAX]; PLACES];
    for tick in 1..=ticks {
        let slot = Slot(rng.below(PLACES as u32) as u8);
        match rng.below(300) {
            0..=9 => {
                let id = u64::from(rng.below(6)) + 1;
                let player = PlayerInfo { id: PlayerId(id), name: format!("p{id}"), team: None };
                // Full, mostly.
                let _ = game.join(&player, None);
            }
            10 => drop(game.leave(slot)),
            11..=12 => game.disconnect(slot),
            13..=16 => drop(game.rejoin(slot, None)),
            _ => {}
        }
        for (slot, recent) in (0..).zip(&mut recent) {
            if rng.below(10) > 0 {
                recent.rotate_right(1);
                recent[0] = if rng.below(8) == 0 { input::<G>(&mut rng) } else { recent[1].held() };
                let datagram = ClientDatagram::new(game.epoch(), None, Tick(tick), recent);
                game.receive(Slot(slot), &datagram, |_| 0);
            }
        }
        game.step(&mut expired);
        assert_eq!(game.death(), None, "seed {seed}");
        assert_eq!(game.outcome(), None, "seed {seed}: the match is to go on");
        game.hand_over(&mut batch);
        for item in &batch.items {
            let bytes = &batch.bytes[item.range.clone()];
            match item.kind {
                JournalItemKind::Frames => recorded.frames.extend_from_slice(bytes),
                JournalItemKind::Checkpoint => {
                    let after = recorded.frames.len();
                    recorded.checkpoints.push((item.last, bytes.to_vec(), after));
                }
                JournalItemKind::Finish => panic!("seed {seed}: it has not ended"),
            }
        }
        batch.clear();
    }
    (spec, recorded)
}

/// Plays the frames again; each of them holds the hash of the state that it led to. Says how many.
fn replay<G: Game>(mut replay: Replay<G>, mut frames: &[u8]) -> Result<u64, ReplayError> {
    let mut count = 0;
    while replay.play_next(&mut frames)? {
        count += 1;
    }
    Ok(count)
}

fn replays_are_exact<G: Game>(config: &G::Config, seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let mut rng = Rng::new(seed ^ 0xc0ffee);
        let lead = 320 + u64::from(rng.below(700));
        let (spec, recorded) = play::<G>(config.clone(), seed, lead + TICKS);
        let within = recorded.checkpoints.iter().filter(|(tick, ..)| tick.0 <= lead);
        let within: Vec<_> = within.collect();
        let (tick, bytes, after) = within[rng.below(within.len() as u32) as usize];
        let frames = Vec::new();
        let base = Base { checkpoint: Some(*tick), checkpoint_bytes: bytes.clone(), frames };
        let from_checkpoint = Replay::<G>::from_base(spec.clone(), &base)
            .and_then(|from| replay(from, &recorded.frames[*after..]));
        let played = from_checkpoint.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(played >= TICKS, "seed {seed}: {played} ticks");
        if seed.is_multiple_of(10) {
            let from_start = replay(Replay::<G>::from_start(spec), &recorded.frames);
            let played = from_start.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert_eq!(played, lead + TICKS, "seed {seed}");
        }
    }
}

#[test]
fn the_arena_goes_on_from_a_checkpoint_for_ten_thousand_ticks_with_even_seeds() {
    replays_are_exact::<Arena>(&samples::config(PLACES), 0..SEEDS / 2);
}

#[test]
fn the_arena_goes_on_from_a_checkpoint_for_ten_thousand_ticks_with_odd_seeds() {
    replays_are_exact::<Arena>(&samples::config(PLACES), SEEDS / 2..SEEDS);
}

#[test]
fn the_example_goes_on_from_a_checkpoint_for_ten_thousand_ticks() {
    // A track that nobody runs to its end.
    replays_are_exact::<sprint::Sprint>(&u32::MAX, 0..SEEDS);
}

#[test]
fn a_replay_that_goes_another_way_says_where() {
    let (spec, recorded) = play::<Arena>(samples::config(PLACES), 7, 400);
    let mut frames: &[u8] = &recorded.frames;
    let mut changed = Replay::<Arena>::from_start(spec);
    let mut tick = Tick(0);
    let error = loop {
        tick = tick + 1;
        let bytes = next_frame(&mut frames).expect("a frame").expect("before the end");
        let mut frame = Frame::decode(bytes, PLACES).expect("a frame");
        if tick == Tick(200) {
            frame.hash = frame.hash.map(|hash| hash ^ 1);
        }
        if let Err(error) = changed.play(&frame) {
            break error;
        }
    };
    assert!(matches!(error, ReplayError::Diverged { tick: Tick(200), .. }), "{error}");
}

#[test]
fn frames_cut_anywhere_are_an_error_or_fewer_frames() {
    let (spec, recorded) = play::<Arena>(samples::config(PLACES), 3, 60);
    let whole = replay(Replay::<Arena>::from_start(spec.clone()), &recorded.frames);
    assert_eq!(whole.expect("all of them"), 60);
    for length in 0..recorded.frames.len() {
        let cut = &recorded.frames[..length];
        // What counts is that it ends, and never with more than there is.
        if let Ok(played) = replay(Replay::<Arena>::from_start(spec.clone()), cut) {
            assert!(played < 60, "{length} of {} bytes", recorded.frames.len());
        }
    }
}
