//! Matches on their way back beside others, and what is left of matches when a shard stops.

use std::time::Duration;

use matchkeep_shared::arena::Arena;
use matchkeep_shared::game::PlayerInfo;
use matchkeep_shared::limits::{JOURNAL_BATCH_BYTES_MAX, JOURNAL_BATCH_ITEMS_MAX};

use super::super::identity::tests::{ADA, MATCH, World};
use super::super::tests::{core_config, spec};
use super::*;
use crate::matches::inputs::InputCounts;
use crate::matches::recorder::JournalItemKind;
use crate::matches::{Hashes, MatchOptions};
use crate::shard::core::CoreConfig;
use crate::shard::journaling::HandOver;
use crate::shard::message::Command;

const TICKS: u64 = 100;

/// What a player's inputs came to since they are counted.
fn check_refused(
    core: &mut Core<Arena>,
    counts: Option<InputCounts>,
) -> Result<(), DisconnectReason> {
    let index = core.by_match[&MATCH];
    let counts = counts.or_else(|| core.hosts[index].as_ref()?.game.input_counts(Slot(0)));
    let connection = core.connections[0].as_mut().expect("it is there");
    let Session::Playing(playing) = &mut connection.session else { panic!("Ada plays") };
    playing.allowance.check_refused(&counts.expect("Ada has a place"))
}

#[test]
fn nobody_is_sent_away_for_inputs_that_were_refused_before_the_match_was_rebuilt() {
    let World { mut core, now } = World::new();
    let before = InputCounts { applied: 9, refused: 5, ..InputCounts::default() };
    assert_eq!(check_refused(&mut core, Some(before)), Ok(()));
    let mut game = Match::<Arena>::new(spec(MATCH, "duel"), journaled());
    let ada = PlayerInfo { id: ADA, name: "ada".into(), team: None };
    assert_eq!(game.join(&ada, None), Ok(Slot(0)));
    let index = core.by_match[&MATCH];
    core.replace_game(now, index, game);
    assert_eq!(check_refused(&mut core, None), Ok(()));
}

fn journaled() -> MatchOptions {
    MatchOptions { journaled: true, hashes: Hashes::EveryTick, ..MatchOptions::default() }
}

/// A match of so many ticks, as it is rebuilt.
fn base(match_id: MatchId) -> Base {
    let mut game = Match::<Arena>::new(spec(match_id, "duel"), journaled());
    (0..TICKS).for_each(|_| game.step(&mut Vec::new()));
    game.take_base().expect("it is journaled")
}

fn host(match_id: MatchId) -> NewHost<Arena> {
    NewHost { spec: spec(match_id, "duel"), policy: MatchPolicy::default() }
}

/// A shard on which a match is on its way back, and the time.
fn returning() -> (Core<Arena>, Instant) {
    let config = CoreConfig { options: journaled(), ..core_config() };
    let now = config.now;
    let mut core = Core::new(config);
    let (host, epoch) = (host(MatchId(7)), Epoch(2));
    core.handle_command(
        now,
        Command::Resume(Box::new(Resumption { host, epoch, base: base(MatchId(7)) })),
    );
    (core, now)
}

fn reached(core: &Core<Arena>) -> Option<u64> {
    core.returning.front().map(|returning| returning.next_tick().0 - 1)
}

#[test]
fn a_replay_gives_way_to_the_tick_of_another_match() {
    let (mut core, now) = returning();
    core.replay_some(&|| now);
    let pass = reached(&core);
    assert_eq!(pass, Some(REPLAY_TICKS_PER_PASS as u64), "nobody else has anything to do");
    core.handle_command(now, Command::Create(Box::new(host(MatchId(8)))));
    let later = now + Duration::from_secs(1);
    assert!(core.tick_is_due(later));
    core.replay_some(&|| later);
    assert_eq!(reached(&core), pass.map(|tick| tick + 1), "it gets on, by one tick");
    while core.run_tick(later, &|| later).is_some() && core.tick_is_due(later) {}
    while core.is_replaying() {
        core.replay_some(&|| now);
    }
    assert_eq!(core.match_of(MatchId(7)).map(|game| game.tick()), Some(Tick(TICKS)));
}

#[test]
fn each_tick_of_a_replay_is_a_beat_of_its_own() {
    let (mut core, now) = returning();
    let before = core.options.heartbeat.beats();
    core.replay_some(&|| now);
    let beats = core.options.heartbeat.beats() - before;
    assert_eq!(beats, 2 * REPLAY_TICKS_PER_PASS as u64, "one as it begins, one as it comes back");
}

#[test]
fn a_shard_that_stops_hands_over_all_of_its_matches_however_little_room_there_is() {
    let config = CoreConfig { options: journaled(), ..core_config() };
    let now = config.now;
    let mut core = Core::<Arena>::new(config);
    let ids = [MatchId(7), MatchId(8), MatchId(9)];
    for id in ids {
        core.handle_command(now, Command::Create(Box::new(host(id))));
    }
    // The journal takes nothing for a while.
    let full = (MatchId(1), Epoch(1));
    core.outgoing_mut().push(full, JournalItemKind::Frames, (Tick(1), Tick(1)), |out| {
        out.resize(JOURNAL_BATCH_BYTES_MAX, 0);
    });
    let later = now + Duration::from_secs(1);
    for _ in 0..3 * ids.len() {
        core.run_tick(later, &|| later);
    }
    core.handle_command(later, Command::Shutdown(DisconnectReason::ServerShutdown));
    assert!(!core.gather(), "there is no room");
    core.outgoing_mut().clear();
    assert!(core.gather());
    let handed: Vec<MatchId> = core.outgoing().items.iter().map(|item| item.match_id).collect();
    assert!(ids.iter().all(|id| handed.contains(id)), "{handed:?}");
    assert!(core.gather(), "and nothing twice");
    assert_eq!(core.outgoing().items.len(), handed.len());
}

#[test]
fn a_shard_that_stops_with_more_than_a_pass_hands_over_is_through_when_the_last_piece_is_taken() {
    let config = CoreConfig { options: journaled(), ..core_config() };
    let now = config.now;
    let mut core = Core::<Arena>::new(config);
    let matches = JOURNAL_BATCH_ITEMS_MAX + JOURNAL_BATCH_ITEMS_MAX / 2;
    for id in 0..matches as u64 {
        core.handle_command(now, Command::Create(Box::new(host(MatchId(id)))));
    }
    let later = now + Duration::from_secs(1);
    for _ in 0..matches {
        core.run_tick(later, &|| later);
    }
    core.handle_command(later, Command::Shutdown(DisconnectReason::ServerShutdown));
    let (mut hand_over, mut room) = (HandOver::default(), 0);
    let mut taken = Vec::new();
    let mut pass = |core: &mut Core<Arena>, now, room: &mut usize| {
        let is_complete = hand_over.run(now, 0, core, true, |item| {
            let is_room = *room > 0;
            *room -= usize::from(is_room);
            taken.extend(is_room.then_some(item.match_id));
            is_room
        });
        (is_complete, hand_over.wake())
    };
    // There is room for a few, which must be written to make more; until then nothing is tried.
    room += 3;
    let (is_complete, wake) = pass(&mut core, later, &mut room);
    assert!(is_complete, "the store is told of what it has");
    let again = wake.expect("the rest waits");
    assert!(again > later);
    room = matches;
    assert_eq!(pass(&mut core, later, &mut room), (false, Some(again)), "it is not yet time");
    let mut passes = Vec::new();
    while core.has_for_journal() {
        let (is_complete, wake) = pass(&mut core, again, &mut room);
        assert_eq!(wake, core.has_for_journal().then_some(again), "there is more to do at once");
        passes.push(is_complete);
    }
    assert_eq!(passes, [false, true], "what is taken is all with the last pass");
    // One may have had a checkpoint as well.
    taken.sort_unstable();
    taken.dedup();
    assert_eq!(taken.len(), matches, "every match is there");
}
