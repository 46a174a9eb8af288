//! The course of a match: phases, limits, joining and leaving, the result.

use super::*;

const SECOND: u64 = 60;

fn seconds_to(rig: &mut Rig, phase: Phase, at_most: u64) -> u64 {
    let start = rig.arena.tick;
    while rig.arena.phase() != phase {
        rig.step(1);
        let ticks = rig.arena.tick.since(start) as u64;
        assert!(ticks <= at_most * SECOND + 2, "no {phase:?} after {at_most} s");
    }
    rig.arena.tick.since(start) as u64 / SECOND
}

#[test]
fn warm_up_waits_for_enough_players_then_counts_down() {
    let mut rig = Rig::new(&config());
    rig.step(SECOND);
    rig.join(0, 1);
    rig.step(10 * SECOND);
    assert_eq!(rig.arena.phase(), Phase::Warmup);
    rig.join(5, 2);
    rig.step(1);
    assert_eq!(rig.arena.phase(), Phase::Countdown);
    assert_eq!(seconds_to(&mut rig, Phase::Playing, 1), 1);
    let phases = rig.log.iter().filter_map(|(_, e)| match e {
        ArenaEvent::Phase(phase) => Some(*phase),
        _ => None,
    });
    assert_eq!(phases.collect::<Vec<_>>(), [Phase::Countdown, Phase::Playing]);
}

#[test]
fn warm_up_ends_in_time_with_one_player() {
    let mut rig = Rig::new(&config());
    rig.step(60 * SECOND);
    rig.join(0, 1);
    assert_eq!(seconds_to(&mut rig, Phase::Countdown, 20), 20);
}

#[test]
fn warm_up_is_play_that_does_not_count() {
    let mut rig = Rig::new(&ArenaConfig { players_min: 3, ..config() });
    rig.join(0, 1);
    rig.join(1, 2);
    rig.step(2);
    rig.place(0, 0.0, 0.0);
    rig.place(1, 100.0, 0.0);
    rig.player(1).health = 5;
    rig.shoot(0, Weapon::Machinegun);
    assert_eq!(rig.frags(), [(Some(Slot(0)), Slot(1))]);
    assert_eq!(rig.player(0).stats, Default::default());
    assert_eq!(rig.player(1).stats, Default::default());
}

#[test]
fn nobody_fires_or_takes_anything_in_the_countdown() {
    let mut rig = Rig::new(&config());
    rig.join(0, 1);
    rig.join(1, 2);
    rig.step(1);
    rig.place(0, 0.0, 0.0);
    rig.place(1, 100.0, 0.0);
    rig.input(0, ArenaInput { fire: true, ..Default::default() });
    rig.step(SECOND / 2);
    assert_eq!(rig.arena.phase(), Phase::Countdown);
    assert!(rig.hits().is_empty());
    assert_eq!(rig.player(0).shots, 0);
}

#[test]
fn the_time_limit_ends_a_match() {
    let mut rig = Rig::playing(&config(), 2);
    let clock = rig.arena.clock();
    assert_eq!((clock.phase, clock.seconds_left), (Phase::Playing, Some(60)));
    assert!(rig.arena.outcome().is_none());
    assert_eq!(seconds_to(&mut rig, Phase::Ended, 60), 59);
    assert_eq!(rig.arena.outcome().expect("it ended").reason, "time limit");
}

#[test]
fn the_frag_limit_ends_a_match_in_the_tick_it_is_reached() {
    let mut rig = Rig::playing(&ArenaConfig { frag_limit: 2, ..config() }, 2);
    for _ in 0..2 {
        assert!(rig.arena.outcome().is_none());
        rig.step(120);
        rig.place(0, 0.0, 0.0);
        rig.place(1, 100.0, 0.0);
        rig.player(1).health = 1;
        rig.shoot(0, Weapon::Machinegun);
    }
    let outcome = rig.arena.outcome().expect("it ended");
    assert_eq!(outcome.reason, "frag limit");
    let first = &outcome.players[0];
    assert_eq!((first.player, first.place, first.score, first.team), (PlayerId(100), 1, 2, None));
    assert_eq!((outcome.players[1].place, outcome.players[1].score), (2, 0));
    assert!(first.stats.contains(&("hits".to_string(), 2)));
}

#[test]
fn a_team_wins_together() {
    let mut rig = Rig::playing(&ArenaConfig { teams: 2, frag_limit: 1, ..config() }, 4);
    rig.place(0, 0.0, 100.0);
    rig.place(1, 100.0, 100.0);
    rig.player(1).health = 1;
    rig.shoot(0, Weapon::Machinegun);
    let outcome = rig.arena.outcome().expect("it ended");
    let rows = outcome.players.iter().map(|p| (p.player.0, p.team, p.place, p.score));
    let expected =
        [(100, Some(1), 1, 1), (102, Some(1), 1, 1), (103, Some(2), 2, 0), (101, Some(2), 2, 0)];
    assert_eq!(rows.collect::<Vec<_>>(), expected);
}

#[test]
fn equals_share_a_place() {
    let mut rig = Rig::playing(&config(), 3);
    rig.player(2).stats.frags = -1;
    seconds_to(&mut rig, Phase::Ended, 60);
    let outcome = rig.arena.outcome().expect("it ended");
    assert_eq!(outcome.players.iter().map(|p| p.place).collect::<Vec<_>>(), [1, 1, 3]);
}

#[test]
fn who_left_stays_in_the_result_and_goes_on_with_the_score_on_coming_back() {
    let mut rig = Rig::playing(&config(), 3);
    rig.player(1).stats.frags = 5;
    rig.leave(1);
    rig.step(1);
    assert!(rig.log.iter().any(|(_, e)| *e == ArenaEvent::Left { slot: Slot(1) }));
    rig.join(7, 101);
    rig.step(1);
    assert_eq!(rig.player(7).stats.frags, 5);
    rig.leave(7);
    seconds_to(&mut rig, Phase::Ended, 60);
    let outcome = rig.arena.outcome().expect("it ended");
    assert_eq!(outcome.players.len(), 3);
    assert_eq!((outcome.players[0].player, outcome.players[0].score), (PlayerId(101), 5));
}

#[test]
fn a_newcomer_learns_who_is_there_and_the_others_learn_of_the_newcomer() {
    let mut rig = Rig::playing(&config(), 2);
    rig.join(4, 9);
    rig.step(1);
    let (to, ArenaEvent::Roster(roster)) = &rig.log[0] else { panic!("{:?}", rig.log) };
    assert_eq!(*to, SlotSet::one(Slot(4)));
    assert_eq!(roster.iter().map(|r| r.slot.0).collect::<Vec<_>>(), [0, 1, 4]);
    let (to, ArenaEvent::Joined(entry)) = &rig.log[1] else { panic!("{:?}", rig.log) };
    assert_eq!(*to, SlotSet::one(Slot(0)).with(Slot(1)));
    assert_eq!((entry.player, entry.name.as_str(), entry.team), (PlayerId(9), "player 9", 0));
    assert!(rig.player(4).is_alive());
}

#[test]
fn a_rocket_leaves_with_its_owner() {
    let mut rig = Rig::playing(&config(), 2);
    rig.arm(0);
    rig.shoot(0, Weapon::RocketLauncher);
    rig.leave(0);
    assert_eq!(rig.arena.rockets.values().count(), 0);
}

#[test]
fn a_match_without_players_is_abandoned() {
    let mut rig = Rig::playing(&config(), 2);
    rig.leave(0);
    rig.leave(1);
    rig.arena.progress.ends = None;
    assert_eq!(seconds_to(&mut rig, Phase::Ended, 60), 60);
    assert_eq!(rig.arena.outcome().expect("it ended").reason, "abandoned");

    let mut never_joined = Rig::new(&config());
    assert_eq!(seconds_to(&mut never_joined, Phase::Ended, 120), 120);
}

#[test]
fn a_full_match_of_bots_on_the_spot_never_runs_out_of_spawns() {
    let mut rig = Rig::new(&ArenaConfig { players_max: 128, ..config() });
    for slot in 0..128 {
        rig.join(slot, u64::from(slot));
    }
    rig.step(120);
    assert!((0..128).all(|slot| rig.player(slot).is_alive()));
}
