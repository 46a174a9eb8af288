//! Matches on their way back beside others, and what is left of matches when a shard stops.

use std::time::Duration;

use matchkeep_shared::arena::Arena;
use matchkeep_shared::limits::JOURNAL_BATCH_BYTES_MAX;

use super::super::tests::{core_config, spec};
use super::*;
use crate::matches::recorder::JournalItemKind;
use crate::matches::{Hashes, MatchOptions};
use crate::shard::core::CoreConfig;
use crate::shard::message::Command;

const TICKS: u64 = 100;

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
