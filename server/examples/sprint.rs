//! A whole game in about a hundred lines: a foot race. Left and right by turns makes a runner faster, and
//! the first over the line wins. `cargo run --release --example sprint -- demo` plays it; `serve`, `bots`,
//! `history` and every other verb of `matchkeep` are there too.

use std::process::ExitCode;

use matchkeep_client::bots::{BotKind, Brain, BrainStart, Playable};
use matchkeep_shared::game::*;
use matchkeep_shared::glam::Vec3;
use matchkeep_shared::ids::{EntityId, Slot};
use matchkeep_shared::schema::{Entity, Field, Kind};
use matchkeep_shared::time::{Tick, TickRate};
use matchkeep_shared::wire::Malformed;
use matchkeep_shared::wire::bits::{BitReader, BitWriter};
use matchkeep_shared::world::{Audience, WorldWriter};
use serde::{Deserialize, Serialize};

/// The state of one match. Distances are in centimetres: whole numbers are the same everywhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sprint {
    track_cm: u32,
    runners: Vec<Option<Runner>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Runner {
    player: PlayerInfo,
    at_cm: u32,
    speed: u32,
    last: Foot,
}

/// The input: which foot goes forward. It is held, not pressed: one that is lost is simply repeated.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) enum Foot {
    #[default]
    Left,
    Right,
}

impl Input for Foot {
    fn encode(&self, writer: &mut BitWriter<'_>) {
        writer.flag(*self == Self::Right);
    }
    fn decode(reader: &mut BitReader<'_>) -> Result<Self, Malformed> {
        Ok(if reader.flag()? { Self::Right } else { Self::Left })
    }
    fn held(self) -> Self {
        self
    }
    fn neutral(self) -> Self {
        self
    }
    fn add_presses(&mut self, _: &Self) {}
}

/// What clients see: a runner's place and how far they are.
#[derive(Clone, Debug)]
pub(crate) struct Seen(Slot, u32);

impl Entity for Seen {
    const KINDS: &'static [Kind] = &[Kind {
        name: "runner",
        fields: &[Field::uint("slot", 7), Field::uint("at_cm", 20).small(6)],
    }];
    fn kind(&self) -> usize {
        0
    }
    fn write(&self, fields: &mut [u32]) {
        fields.copy_from_slice(&[self.0.0.into(), self.1]);
    }
    fn read(_: usize, fields: &[u32]) -> Option<Self> {
        Some(Self(Slot(fields[0] as u8), fields[1]))
    }
}

impl Game for Sprint {
    const NAME: &'static str = "sprint";
    const RULES_VERSION: u32 = 1;
    type Config = u32;
    type Input = Foot;
    type Event = ();
    type Entity = Seen;

    fn demo_rules(seconds: u32) -> toml::Table {
        [("track_m".to_owned(), i64::from(9 * seconds).into())].into_iter().collect()
    }

    fn configure(mode: &ModeSpec<'_>) -> Result<u32, ConfigError> {
        let value = mode.rules.get("track_m").cloned().unwrap_or(100.into());
        let metres = value.as_integer().filter(|m| (1..=10_000).contains(m));
        metres.map(|m| m as u32 * 100).ok_or(ConfigError {
            key: "track_m".into(),
            value: value.to_string(),
            allowed: "allowed are 1 to 10000".into(),
        })
    }

    fn new(track_cm: &u32, _: TickRate, _: u64) -> Self {
        Self { track_cm: *track_cm, runners: vec![None; 128] }
    }

    fn join(&mut self, slot: Slot, player: &PlayerInfo) {
        let player = player.clone();
        self.runners[slot.index()] = Some(Runner { player, at_cm: 0, speed: 0, last: Foot::Left });
    }

    fn leave(&mut self, slot: Slot) {
        self.runners[slot.index()] = None;
    }

    fn step(&mut self, _: Tick, inputs: &Inputs<Foot>, _: &mut Events<()>) {
        for (slot, foot) in inputs.iter() {
            let Some(runner) = &mut self.runners[slot.index()] else { continue };
            let strides = foot != runner.last;
            runner.speed = if strides { (runner.speed + 4).min(20) } else { runner.speed * 9 / 10 };
            runner.at_cm = (runner.at_cm + runner.speed).min(self.track_cm);
            runner.last = foot;
        }
    }

    fn replicate(&self, world: &mut WorldWriter<'_, Seen>) {
        for (i, runner) in self.runners.iter().enumerate() {
            if let Some(runner) = runner {
                let seen = Seen(Slot(i as u8), runner.at_cm);
                world.add(EntityId(i as u32), Audience::Everyone, &seen);
            }
        }
    }

    fn viewpoint(&self, _: Slot) -> Option<Vec3> {
        None
    }

    fn outcome(&self) -> Option<Outcome> {
        let mut runners: Vec<&Runner> = self.runners.iter().flatten().collect();
        runners.sort_by_key(|runner| std::cmp::Reverse(runner.at_cm));
        (runners.first()?.at_cm == self.track_cm).then(|| Outcome {
            reason: "finish line".into(),
            players: runners.iter().map(|runner| result(runner, &runners)).collect(),
        })
    }
}

fn result(runner: &Runner, all: &[&Runner]) -> PlayerResult {
    PlayerResult {
        player: runner.player.id,
        name: runner.player.name.clone(),
        team: None,
        place: 1 + all.iter().filter(|other| other.at_cm > runner.at_cm).count() as u32,
        score: runner.at_cm.into(),
        stats: vec![],
    }
}

/// A bot that changes feet every so many ticks.
struct Bot(u64);

impl Brain<Sprint> for Bot {
    fn see(&mut self, _: Tick, _: &mut dyn Iterator<Item = (EntityId, Seen)>) {}
    fn decide(&mut self, tick: Tick) -> Foot {
        if (tick.0 / self.0).is_multiple_of(2) { Foot::Left } else { Foot::Right }
    }
}

impl Playable for Sprint {
    fn brain(_: &BotKind, start: BrainStart<'_, u32>) -> Option<Box<dyn Brain<Self>>> {
        Some(Box::new(Bot(2 + start.seed % 3)))
    }
}

fn main() -> ExitCode {
    matchkeep_server::run::<Sprint>()
}
