//! Whole matches in memory: an arena, and brains that see of it what the wire would show them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use matchkeep_shared::Game;
use matchkeep_shared::arena::{Arena, ArenaConfig, ArenaEntity, ArenaEvent, Phase, view};
use matchkeep_shared::encoding;
use matchkeep_shared::game::{Events, Inputs, MapSource, ModeSpec, PlayerInfo};
use matchkeep_shared::glam::Vec3;
use matchkeep_shared::ids::{EntityId, PlayerId, Slot};
use matchkeep_shared::schema::Entity;
use matchkeep_shared::time::{Tick, TickRate};
use matchkeep_shared::world::{Audience, World};

use crate::bots::recording::Recording;
use crate::bots::recording::tests::{Scripted, recordings, scripted};
use crate::bots::{BotKind, Brain, BrainStart, Playable};

/// From a snapshot to the input made of it, in ticks: about the way there and back of a player nearby.
const DELAY: u64 = 4;

/// How one bot did.
#[derive(Clone, Debug, Default)]
struct Report {
    frags: i64,
    suicides: u32,
    pickups: u32,
    /// Squares of 256 units that it came through.
    areas: BTreeSet<(i32, i32)>,
    /// The longest time without leaving a radius of 48 units, alive, and the sum of what is above 5 s.
    stuck_longest: f32,
    stuck: f32,
    findings: Vec<(&'static str, f64)>,
}

impl Report {
    fn note_stuck(&mut self, seconds: f32) {
        self.stuck_longest = self.stuck_longest.max(seconds);
        self.stuck += (seconds - 5.0).max(0.0);
    }
}

/// A match and those who play it.
struct Match {
    arena: Arena,
    rate: TickRate,
    brains: Vec<Box<dyn Brain<Arena>>>,
    /// Snapshots on their way, by tick.
    worlds: BTreeMap<u64, World>,
    reports: Vec<Report>,
    /// Where each bot was when it last got anywhere, and when.
    anchors: Vec<(Vec3, u64)>,
    tick: u64,
}

fn config(map: &str, bots: usize, teams: u8) -> ArenaConfig {
    let rules = "frag_limit = 0\nwarmup_seconds = 0\ncountdown_seconds = 0";
    let rules = rules.parse().expect("sound");
    let map = Some(MapSource::Named(map));
    let mode = ModeSpec { players_max: bots, players_min: bots, teams, map, rules: &rules };
    Arena::configure(&mode).expect("sound")
}

impl Match {
    fn new(config: &ArenaConfig, kinds: &[BotKind], seed: u64) -> Self {
        let rate = TickRate::default();
        let mut arena = Arena::new(config, rate, seed);
        let mut brains = Vec::new();
        for (index, kind) in kinds.iter().enumerate() {
            let slot = Slot(index as u8);
            let info = PlayerInfo {
                id: PlayerId(index as u64 + 1),
                name: format!("bot{index}"),
                team: None,
            };
            arena.join(slot, &info);
            brains
                .push(Arena::brain(kind, BrainStart { config, slot, rate, seed }).expect("plays"));
        }
        let reports = vec![Report::default(); kinds.len()];
        let anchors = vec![(Vec3::INFINITY, 0); kinds.len()];
        Self { arena, rate, brains, worlds: BTreeMap::new(), reports, anchors, tick: 0 }
    }

    fn play(&mut self, seconds: u64) -> &mut Self {
        for _ in 0..seconds * self.rate.hz() {
            self.step();
        }
        for (report, (_, since)) in self.reports.iter_mut().zip(&self.anchors) {
            report.note_stuck((self.tick - since) as f32 / self.rate.hz() as f32);
        }
        for (report, brain) in self.reports.iter_mut().zip(&self.brains) {
            report.findings = brain.findings();
        }
        self
    }

    fn step(&mut self) {
        self.tick += 1;
        let tick = Tick(self.tick);
        let mut inputs = Inputs::new(self.brains.len());
        let world = self.worlds.remove(&self.tick.saturating_sub(DELAY));
        for (index, brain) in self.brains.iter_mut().enumerate() {
            let slot = Slot(index as u8);
            if let Some(world) = &world {
                let mut shown = shown(world, &self.arena, slot);
                brain.see(world.tick(), &mut shown);
            }
            inputs.set(slot, Some(brain.decide(tick)));
        }
        let mut events = Events::default();
        self.arena.step(tick, &inputs, &mut events);
        let mut world = World::default();
        world.fill(tick, |writer| self.arena.replicate(writer));
        for (slots, event) in events.iter() {
            self.count(event);
            for (index, brain) in self.brains.iter_mut().enumerate() {
                if slots.contains(Slot(index as u8)) {
                    brain.hear(tick, event);
                }
            }
        }
        self.look_around(&world);
        self.worlds.insert(self.tick, world);
    }

    fn count(&mut self, event: &ArenaEvent) {
        match event {
            ArenaEvent::Frag { killer: Some(killer), victim, .. } if killer != victim => {
                self.reports[killer.index()].frags += 1;
            }
            ArenaEvent::Frag { victim, .. } => self.reports[victim.index()].suicides += 1,
            ArenaEvent::Picked { slot, .. } => self.reports[slot.index()].pickups += 1,
            _ => {}
        }
    }

    fn look_around(&mut self, world: &World) {
        for index in 0..world.len() {
            let row = world.entity(index, ArenaEntity::KINDS);
            let Some(ArenaEntity::Player(player)) =
                ArenaEntity::read(usize::from(row.kind), row.fields)
            else {
                continue;
            };
            let report = &mut self.reports[player.slot.index()];
            let anchor = &mut self.anchors[player.slot.index()];
            let at = player.position;
            report.areas.insert(((at.x / 256.0).floor() as i32, (at.y / 256.0).floor() as i32));
            if !player.alive || at.distance(anchor.0) >= 48.0 {
                let stuck = (self.tick - anchor.1) as f32 / self.rate.hz() as f32;
                report.note_stuck(stuck);
                *anchor = (at, self.tick);
            }
        }
    }

    fn frags(&self) -> i64 {
        self.reports.iter().map(|report| report.frags).sum()
    }
}

/// What the wire would show of `world` to the player in `slot`.
fn shown<'a>(
    world: &'a World,
    arena: &Arena,
    slot: Slot,
) -> impl Iterator<Item = (EntityId, ArenaEntity)> + use<'a> {
    let eye = arena.viewpoint(slot).expect("has a place");
    (0..world.len()).filter_map(move |index| {
        let row = world.entity(index, ArenaEntity::KINDS);
        let visible = match world.audience(index) {
            Audience::Everyone => true,
            Audience::Slots(slots) => slots.contains(slot),
            Audience::Near { at, radius } => at.distance(eye) <= radius,
        };
        let entity = || ArenaEntity::read(usize::from(row.kind), row.fields);
        visible.then(entity).flatten().map(|entity| (row.id, entity))
    })
}

fn fighters(map: &str, bots: usize, seed: u64) -> Match {
    Match::new(&config(map, bots, 0), &vec![BotKind::Fight; bots], seed)
}

#[test]
fn bots_move_collect_and_do_not_stick() {
    for (map, bots, areas) in [("duel", 2, 15), ("duel", 4, 15), ("large", 2, 25), ("large", 8, 25)]
    {
        let mut fragless = 0;
        for seed in 0..4 {
            let mut played = fighters(map, bots, seed);
            played.play(60);
            fragless += u32::from(played.frags() == 0);
            let pickups: u32 = played.reports.iter().map(|report| report.pickups).sum();
            assert!(pickups > bots as u32, "{map}, {bots} bots, seed {seed}: {pickups} pick-ups");
            for report in &played.reports {
                assert!(
                    report.areas.len() >= areas && report.stuck < 6.0 && report.suicides <= 5,
                    "{map}, {bots} bots, seed {seed}: {report:?}"
                );
            }
        }
        assert!(fragless <= 1, "{map}, {bots} bots: {fragless} of 4 matches without a frag");
    }
}

/// What `demo --bots 8 --seconds 20` promises, and the same for a duel.
#[test]
fn twenty_seconds_never_pass_without_a_frag() {
    for (map, bots) in [("large", 8), ("duel", 2)] {
        for seed in 0..10 {
            let frags = fighters(map, bots, seed).play(20).frags();
            assert!(frags > 0, "{map}, {bots} bots, seed {seed}");
        }
    }
}

#[test]
fn teams_fight_each_other() {
    let mut played = Match::new(&config("duel", 4, 2), &vec![BotKind::Fight; 4], 5);
    played.play(60);
    assert!(played.frags() > 3, "{} frags", played.frags());
}

#[test]
fn the_same_seed_plays_the_same_match() {
    let play = |seed| {
        let mut played = fighters("duel", 4, seed);
        played.play(15);
        encoding::encode(&played.arena)
    };
    assert!(play(1) == play(1), "two matches of one seed differ");
    assert!(play(1) != play(2), "two seeds played one match");
}

#[test]
fn a_fight_goes_on_in_the_warm_up_and_pauses_in_the_countdown() {
    let rules = "warmup_seconds = 600\ncountdown_seconds = 20".parse().expect("sound");
    let map = Some(MapSource::Named("duel"));
    for (players_min, fights) in [(4, true), (2, false)] {
        let mode = ModeSpec { players_max: 4, players_min, teams: 0, map, rules: &rules };
        let config = Arena::configure(&mode).expect("sound");
        let mut played = Match::new(&config, &[BotKind::Fight, BotKind::Fight], 3);
        played.play(19);
        let phase = if fights { Phase::Warmup } else { Phase::Countdown };
        assert_eq!((played.arena.phase(), played.frags() > 0), (phase, fights));
        assert!(played.reports.iter().all(|report| report.areas.len() > 3));
    }
}

#[test]
fn an_idle_bot_stands_and_stays_alive_when_alone() {
    let mut played = Match::new(&config("duel", 2, 0), &[BotKind::Idle, BotKind::Idle], 1);
    played.play(5);
    assert!(played.reports.iter().all(|report| report.areas.len() <= 2 && report.frags == 0));
}

/// Two recorded players who run in circles, look around and fire.
fn circling() -> Arc<Recording> {
    let frames = (0..400_u32).map(|frame| {
        let turn = |player: u32| (frame * 1000 + player * 30_000) as u16;
        [0, 1].map(|player| {
            let at = view::direction(turn(player), 0) * 300.0;
            let shot = frame % 40 == 5;
            Scripted { at, yaw: turn(player).wrapping_mul(3), pitch: 700, shot }
        })
    });
    let frames: Vec<_> = frames.collect();
    Arc::new(scripted(&frames))
}

#[test]
fn a_recorded_player_looks_where_it_looked_and_the_server_shows_so() {
    let recording = circling();
    let kinds = [0, 1].map(|player| BotKind::Trace { recording: recording.clone(), player });
    let mut played = Match::new(&config("large", 2, 0), &kinds, 9);
    played.play(30);
    for report in &played.reports {
        let found = |name| report.findings.iter().find(|(known, _)| *known == name).map(|f| f.1);
        let (compared, wrong) = (found("aim_compared"), found("aim_wrong"));
        assert!(compared > Some(1700.0), "{:?}", report.findings);
        assert_eq!((wrong, found("aim_substituted")), (Some(0.0), Some(0.0)));
        assert!(found("aim_error_max_degrees") <= found("aim_quantum_degrees"));
        assert!(report.areas.len() > 1, "{report:?}");
    }
    assert!(
        Arena::brain(
            &BotKind::Trace { recording, player: 2 },
            BrainStart {
                config: &config("duel", 2, 0),
                slot: Slot(0),
                rate: TickRate::default(),
                seed: 0
            }
        )
        .is_none()
    );
}

#[test]
fn real_players_move_and_look_as_they_were_recorded() {
    for (path, recording) in recordings() {
        let players = recording.players();
        let kinds: Vec<_> = (0..players)
            .map(|player| BotKind::Trace { recording: recording.clone(), player })
            .collect();
        let mut played = Match::new(&config("large", players, 0), &kinds, 2);
        played.play(60);
        for report in &played.reports {
            let found =
                |name| report.findings.iter().find(|(known, _)| *known == name).map(|f| f.1);
            assert_eq!(found("aim_wrong"), Some(0.0), "{path:?}: {report:?}");
            assert!(found("aim_compared") > Some(3500.0), "{path:?}: {report:?}");
            assert!(report.areas.len() > 3, "{path:?}: {report:?}");
        }
    }
}
