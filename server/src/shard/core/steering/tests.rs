//! Orders to a match of the arena, and looks at it, on a shard without a network, under virtual time.

use std::time::Duration;

use matchkeep_shared::arena::Arena;
use matchkeep_shared::game::PlayerInfo;
use matchkeep_shared::limits::{RUNAWAY_AFTER, TIMELINES_PER_SHARD_MAX};
use matchkeep_shared::time::{Tick, TickRate};
use tokio::sync::oneshot;

use super::*;
use crate::shard::core::tests::{core_config, spec};
use crate::shard::message::{Command, MatchPolicy, NewHost, Runaway};
use crate::shard::timeline::NoTimeline;
use crate::shard::view::{MatchStage, MatchView, RowFilter};

const MATCH: MatchId = MatchId(9);

/// A shard, and the time.
struct World {
    core: Core<Arena>,
    now: Instant,
}

impl World {
    fn new(runaway: Runaway) -> Self {
        let config = core_config();
        let now = config.now;
        let mut world = Self { core: Core::new(config), now };
        for (id, mode) in [(MATCH, "duel"), (MatchId(3), "ffa"), (MatchId(12), "duel")] {
            let policy = MatchPolicy { runaway, ..MatchPolicy::default() };
            let host = NewHost { spec: spec(id, mode), policy };
            world.core.handle_command(now, Command::Create(Box::new(host)));
        }
        world
    }

    fn order(&mut self, order: Order) -> Result<Ordered, OrderRefused> {
        self.order_of(MATCH, order)
    }

    fn order_of(&mut self, match_id: MatchId, order: Order) -> Result<Ordered, OrderRefused> {
        let (reply, mut answer) = oneshot::channel();
        self.core.handle_command(self.now, Command::Order { match_id, order, reply });
        answer.try_recv().expect("an order is answered at once")
    }

    fn view(&mut self) -> Box<MatchView> {
        let (reply, mut answer) = oneshot::channel();
        self.core.handle_command(self.now, Command::Inspect { match_id: MATCH, reply });
        answer.try_recv().expect("a question is answered at once").expect("it is there")
    }

    fn list(&mut self, filter: RowFilter) -> Vec<MatchId> {
        let (reply, mut answer) = oneshot::channel();
        self.core.handle_command(self.now, Command::List { filter, reply });
        let rows = answer.try_recv().expect("a question is answered at once");
        rows.into_iter().map(|row| row.id).collect()
    }

    /// Lets time pass; each tick takes `cost` of it.
    fn run(&mut self, time: Duration, cost: Duration) {
        let until = self.now + time;
        while self.now < until {
            if self.core.tick_is_due(self.now) {
                let now = self.now;
                if let Some(run) = self.core.run_tick(now, &|| now) {
                    self.now += cost;
                    self.core.note_cost(self.now, run.host, cost);
                }
            } else {
                self.now += Duration::from_micros(500);
            }
        }
    }

    fn tick(&mut self) -> Tick {
        self.view().row.tick
    }

    fn join(&mut self, id: u64) {
        let index = self.core.by_match[&MATCH];
        let host = self.core.hosts[index].as_mut().expect("it is there");
        let player = PlayerInfo { id: PlayerId(id), name: format!("p{id}"), team: None };
        let slot = host.game.join(&player, None).expect("there is a place");
        host.game.disconnect(slot);
    }
}

const SECOND: Duration = Duration::from_secs(1);
const QUICK: Duration = Duration::ZERO;

#[test]
fn a_paused_match_stands_still_and_goes_on_with_the_next_tick() {
    let mut world = World::new(Runaway::Flag);
    world.run(SECOND, QUICK);
    let paused = world.order(Order::Pause).expect("it runs");
    assert_eq!((paused.row.stage, paused.told), (MatchStage::Paused, None));
    assert_eq!(
        world.order(Order::Pause),
        Err(OrderRefused::AlreadyPaused(MatchStage::Paused)),
        "once is enough"
    );
    world.run(10 * SECOND, QUICK);
    assert_eq!(world.tick(), paused.row.tick);
    assert_eq!(world.list(with_stage(MatchStage::Paused)), [MATCH], "the others play on");

    let resumed = world.order(Order::Resume).expect("it stands still");
    assert_eq!((resumed.row.stage, resumed.row.tick), (MatchStage::Running, paused.row.tick));
    world.run(SECOND, QUICK);
    let ticks = world.tick().since(paused.row.tick);
    assert!((58..=62).contains(&ticks), "no tick was given up and none made up for: {ticks}");
    assert_eq!(world.core.stats().ticks_skipped, 0);
    assert_eq!(world.order(Order::Resume), Err(OrderRefused::NotPaused(MatchStage::Running)));
}

#[test]
fn a_pause_of_a_moment_changes_nothing() {
    let mut world = World::new(Runaway::Flag);
    world.run(SECOND, QUICK);
    let before = world.tick();
    world.order(Order::Pause).expect("it runs");
    world.order(Order::Resume).expect("it is paused");
    world.run(SECOND, QUICK);
    let ticks = world.tick().since(before);
    assert!((59..=61).contains(&ticks), "{ticks}");
}

#[test]
fn a_match_that_was_too_slow_goes_on_and_its_cost_is_forgotten() {
    let mut world = World::new(Runaway::Pause);
    let slow = TickRate::default().period().mul_f64(0.7);
    // Three of them on one shard: each tick of theirs is late as well.
    world.run(RUNAWAY_AFTER + 5 * SECOND, slow);
    let view = world.view();
    assert_eq!(view.row.stage, MatchStage::Runaway);
    assert!(view.row.tick_cost_us > 8_000.0, "{}", view.row.tick_cost_us);
    assert_eq!(world.order(Order::Pause), Err(OrderRefused::AlreadyPaused(MatchStage::Runaway)),);
    let resumed = world.order(Order::Resume).expect("a runaway's pause is let go of too");
    assert_eq!((resumed.row.stage, resumed.row.tick_cost_us), (MatchStage::Running, 0.0));
    let before = world.tick();
    world.run(SECOND, QUICK);
    let view = world.view();
    assert_eq!(view.row.stage, MatchStage::Running, "it is quick now");
    assert!(view.row.tick.since(before) >= 58, "{} to {}", before, view.row.tick);
}

#[test]
fn a_held_place_is_freed_by_a_kick() {
    let mut world = World::new(Runaway::Flag);
    world.join(7);
    world.join(8);
    assert_eq!(world.view().row.held, 2);
    let nobody = PlayerId(99);
    let refused = world.order(Order::Kick { player: nobody });
    assert_eq!(refused, Err(OrderRefused::NoSuchPlayer(nobody)));
    while world.core.poll_report().is_some() {}
    let done = world.order(Order::Kick { player: PlayerId(7) }).expect("the place is held");
    assert_eq!(done.row.held, 1);
    let report = world.core.poll_report();
    assert!(
        matches!(report, Some(ShardEvent::Left { player: PlayerId(7), .. })),
        "the lobby must hear of it: {report:?}"
    );
    let there: Vec<_> = world.view().players_seen.iter().map(|seen| seen.player).collect();
    assert_eq!(there, [PlayerId(8)]);
}

#[test]
fn nobody_hears_what_is_said_to_an_empty_match() {
    let mut world = World::new(Runaway::Flag);
    let done = world.order(Order::Say { text: "hello?".into() }).expect("it runs");
    assert_eq!(done.told, Some(0));
}

#[test]
fn a_paused_match_ends_when_it_is_told_to_and_takes_no_orders_then() {
    let mut world = World::new(Runaway::Flag);
    world.run(SECOND, QUICK);
    world.order(Order::Pause).expect("it runs");
    world.run(SECOND, QUICK);
    let ending = world.order(Order::End { reason: "enough".into() }).expect("it is there");
    world.run(SECOND / 10, QUICK);
    let mut ends = Vec::new();
    while let Some(report) = world.core.poll_report() {
        if let ShardEvent::Ended { match_id, tick, outcome } = report {
            ends.push((match_id, tick, outcome.reason));
        }
    }
    assert_eq!(ends, [(MATCH, ending.row.tick + 1, "enough".to_owned())]);
    for order in [Order::Pause, Order::Resume, Order::End { reason: "again".into() }] {
        let refused = world.order(order);
        assert_eq!(refused, Err(OrderRefused::NotRunning(MatchStage::Ending)));
    }
    let stranger = MatchId(1234);
    assert_eq!(world.order_of(stranger, Order::Pause), Err(OrderRefused::UnknownMatch));
}

fn with_stage(stage: MatchStage) -> RowFilter {
    RowFilter { after: None, limit: 10, mode: None, stage: Some(stage) }
}

#[test]
fn a_list_is_by_id_and_goes_on_behind_its_last_row() {
    let mut world = World::new(Runaway::Flag);
    let all = RowFilter { after: None, limit: 10, mode: None, stage: None };
    let ids = |ids: &[u64]| ids.iter().map(|id| MatchId(*id)).collect::<Vec<_>>();
    assert_eq!(world.list(all.clone()), ids(&[3, 9, 12]));
    assert_eq!(world.list(RowFilter { limit: 2, ..all.clone() }), ids(&[3, 9]));
    let after = Some(MatchId(9));
    assert_eq!(world.list(RowFilter { after, ..all.clone() }), ids(&[12]));
    let mode = Some("duel".to_owned());
    assert_eq!(world.list(RowFilter { mode, ..all.clone() }), ids(&[9, 12]));
    assert_eq!(world.list(with_stage(MatchStage::Ended)), ids(&[]));
}

#[test]
fn the_phases_of_a_tick_are_looked_at_now_and_then() {
    let mut world = World::new(Runaway::Flag);
    assert_eq!(world.view().phases, None);
    world.run(3 * SECOND, QUICK);
    let phases = world.view().phases.expect("180 ticks");
    assert_eq!(phases.ticks_seen, 2, "ticks 64 and 128");
}

#[test]
fn a_timeline_has_every_tick_of_its_time_and_ends_where_none_come() {
    let mut world = World::new(Runaway::Flag);
    let record = |world: &mut World, lasts| {
        let (reply, answer) = oneshot::channel();
        let command = Command::Record { match_id: MATCH, lasts, reply };
        world.core.handle_command(world.now, command);
        answer
    };
    let mut answers: Vec<_> =
        (0..TIMELINES_PER_SHARD_MAX).map(|_| record(&mut world, SECOND)).collect();
    let refused = record(&mut world, SECOND).try_recv().expect("answered at once");
    assert_eq!(refused.expect_err("enough are recorded"), NoTimeline::TooMany);

    let due = world.core.next_wake(world.now).expect("ticks are due");
    assert!(due <= world.now + SECOND);
    world.run(2 * SECOND, Duration::from_millis(1));
    assert!(answers[0].try_recv().is_err(), "a timeline ends in the shell's next pass");
    world.core.handle_timeouts(world.now);
    for answer in &mut answers {
        let timeline = answer.try_recv().expect("it is over").expect("it was recorded");
        assert_eq!(timeline.lasts_us, 1e6);
        assert!((59..=61).contains(&timeline.ticks.len()), "{}", timeline.ticks.len());
        let ticks: Vec<u64> = timeline.ticks.iter().map(|tick| tick.tick.0).collect();
        assert!(ticks.windows(2).all(|pair| pair[1] == pair[0] + 1), "{ticks:?}");
        let phases: Vec<_> =
            timeline.ticks[0].spans.iter().map(|span| span.phase.as_str()).collect();
        assert_eq!(phases, ["inputs", "step", "replicate", "journal", "replicate", "send"]);
        let send = timeline.ticks[0].spans.last().expect("it was sent");
        assert_eq!((send.to_us - send.from_us).round(), 1000.0);
    }

    world.order(Order::Pause).expect("it runs");
    let mut answer = record(&mut world, SECOND);
    world.run(2 * SECOND, QUICK);
    world.core.handle_timeouts(world.now);
    let timeline = answer.try_recv().expect("it is over").expect("it was recorded");
    assert_eq!(timeline.ticks, []);
}
