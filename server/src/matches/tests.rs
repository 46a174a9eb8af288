//! Seats, holds and epochs of a match of the arena.

use super::recorder::{JournalBatch, Recorder};
use super::replay::Replay;
use super::state::UsedTicket;
use super::*;
use matchkeep_shared::arena::{Arena, ArenaInput};
use matchkeep_shared::game::{MapSource, ModeSpec, PlayerInfo};
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::{CHECKPOINT_BYTES_MAX, EMPTY_MATCH, PLAYER_NAME_BYTES_MAX};
use matchkeep_shared::time::TickRate;
use matchkeep_shared::wire::bits::BitReader;
use matchkeep_shared::wire::client::Ack;
use matchkeep_shared::wire::snapshot::SnapshotHead;

const HOLD_TICKS: u64 = 30;

fn arena(places: usize) -> Match<Arena> {
    let rules = Default::default();
    let map = Some(MapSource::Named("duel"));
    let mode = ModeSpec { players_max: places, players_min: 1, teams: 0, map, rules: &rules };
    let config = Arena::configure(&mode).expect("a mode as it should be");
    let spec = MatchSpec {
        id: MatchId(1),
        mode: "test".into(),
        places,
        rate: TickRate::default(),
        hold_ticks: HOLD_TICKS,
        config,
        seed: 1,
    };
    Match::new(spec, MatchOptions { journaled: true, ..MatchOptions::default() })
}

fn player(id: u64) -> PlayerInfo {
    PlayerInfo { id: PlayerId(id), name: format!("p{id}"), team: None }
}

fn steps(game: &mut Match<Arena>, count: u64) -> Vec<PlayerId> {
    let mut expired = Vec::new();
    (0..count).for_each(|_| game.step(&mut expired));
    expired
}

fn head(game: &mut Match<Arena>, slot: Slot) -> Option<SnapshotHead> {
    let mut datagram = Vec::new();
    game.encode_snapshot(slot, 1200, false, &mut datagram);
    (!datagram.is_empty()).then(|| {
        SnapshotHead::decode(&mut BitReader::new(&datagram)).expect("a snapshot has a head")
    })
}

#[test]
fn a_match_has_as_many_places_as_it_says() {
    let mut game = arena(2);
    assert_eq!(game.join(&player(1), None), Ok(Slot(0)));
    assert_eq!(game.join(&player(2), None), Ok(Slot(1)));
    assert_eq!(game.join(&player(3), None), Err(JoinRefused::Full));
    assert_eq!(game.leave(Slot(0)), Some(PlayerId(1)));
    assert_eq!(game.join(&player(3), None), Ok(Slot(0)));
}

#[test]
fn a_lost_players_place_is_held_and_then_given_up() {
    let mut game = arena(2);
    game.join(&player(1), None).expect("a place");
    game.join(&player(2), None).expect("a place");
    game.disconnect(Slot(0));
    assert!(steps(&mut game, HOLD_TICKS).is_empty());
    assert_eq!(game.join(&player(3), None), Err(JoinRefused::Full), "the place is held");
    assert_eq!(game.join(&player(1), None), Ok(Slot(0)), "for the one who lost it");
    game.disconnect(Slot(0));
    assert_eq!(steps(&mut game, HOLD_TICKS + 1), [PlayerId(1)]);
    assert_eq!(game.join(&player(3), None), Ok(Slot(0)));
}

#[test]
fn nothing_is_sent_to_a_place_without_a_connection() {
    let mut game = arena(2);
    game.join(&player(1), None).expect("a place");
    steps(&mut game, 1);
    assert!(head(&mut game, Slot(0)).is_some());
    game.disconnect(Slot(0));
    steps(&mut game, 1);
    assert!(head(&mut game, Slot(0)).is_none());
    assert!(head(&mut game, Slot(1)).is_none());
}

#[test]
fn what_names_another_epoch_is_dropped() {
    let mut game = arena(2);
    game.join(&player(1), None).expect("a place");
    steps(&mut game, 1);
    assert_eq!(head(&mut game, Slot(0)).expect("connected").baseline_age, None);
    let ack = Some(Ack { newest_low16: 1, before: 0 });
    let input = [ArenaInput::default()];
    let older = ClientDatagram::new(Epoch(0), ack, Tick(2), &input);
    game.receive(Slot(0), &older, |_| 0);
    steps(&mut game, 1);
    assert_eq!(head(&mut game, Slot(0)).expect("connected").baseline_age, None);
    assert_eq!(game.input_totals().applied, 0);

    let current = ClientDatagram::new(Epoch(1), ack, Tick(3), &input);
    game.receive(Slot(0), &current, |_| 0);
    steps(&mut game, 1);
    assert_eq!(head(&mut game, Slot(0)).expect("connected").baseline_age, Some(2));
    assert_eq!(game.input_totals().applied, 1);
}

#[test]
fn counts_of_players_who_left_stay_in_the_totals() {
    let mut game = arena(2);
    game.join(&player(1), None).expect("a place");
    let input = [ArenaInput::default()];
    game.receive(Slot(0), &ClientDatagram::new(Epoch(1), None, Tick(1), &input), |_| 0);
    steps(&mut game, 3);
    let before = game.input_totals();
    assert_eq!((before.applied, before.substituted), (1, 2));
    game.leave(Slot(0));
    assert_eq!(game.input_totals(), before);
}

#[test]
fn a_match_that_nobody_plays_ends() {
    let mut game = arena(2);
    game.join(&player(1), None).expect("a place");
    steps(&mut game, 10);
    game.leave(Slot(0));
    let ticks = game.spec().rate.ticks_in(EMPTY_MATCH);
    steps(&mut game, ticks - 1);
    assert_eq!(game.outcome(), None);
    steps(&mut game, 1);
    assert_eq!(game.outcome().map(|outcome| outcome.reason.as_str()), Some("abandoned"));
}

#[test]
fn a_state_too_large_for_a_checkpoint_leaves_the_one_before_with_all_frames_since() {
    let mut recorder = Recorder::new(Base::default(), Tick(0), 10, 0);
    let mut batch = JournalBatch::default();
    for tick in 1..=30 {
        recorder.frames_mut().push(tick as u8);
        recorder.note(Tick(tick));
        let bytes = if tick < 15 { 10 } else { CHECKPOINT_BYTES_MAX + 1 };
        let encode = |out: &mut Vec<u8>| out.resize(out.len() + bytes, 0);
        recorder.hand_over((MatchId(1), Epoch(1)), &mut batch, Some(encode));
        batch.clear();
    }
    assert!(recorder.is_handed_over());
    let base = recorder.into_base();
    assert_eq!((base.checkpoint, base.checkpoint_bytes.len()), (Some(Tick(10)), 10));
    assert_eq!(base.frames, (11..=30).collect::<Vec<u8>>());
}

#[test]
fn all_that_may_enter_a_match_between_two_steps_is_in_a_frame_that_reads() {
    let mut game = arena(2);
    let name = "n".repeat(PLAYER_NAME_BYTES_MAX);
    let ticket = Some(UsedTicket { id: [255; 16], expires_unix_ms: u64::MAX });
    while !game.is_crowded() {
        let player = PlayerInfo { name: name.clone(), team: Some(1), ..player(u64::MAX) };
        let slot = game.join(&player, ticket).expect("a place");
        game.leave(slot);
    }
    steps(&mut game, 1);
    assert!(!game.is_crowded(), "a step takes it in");
    let spec = game.spec().clone();
    let state = game.state().clone();
    let base = game.take_base().expect("it is journaled");
    let mut replay = Replay::<Arena>::from_base(spec, &base).expect("a beginning");
    assert!(replay.play_next(&mut &base.frames[..]).expect("the frame reads"));
    assert_eq!(replay.state().hash(&mut Vec::new()), state.hash(&mut Vec::new()));
}
