//! A game that dies when it is told to: in every step to a certain tick, or when a player wishes so.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use matchkeep_client::bots::Playable;
use matchkeep_shared::Game;
use matchkeep_shared::game::{ConfigError, Events, Input, Inputs, ModeSpec, Outcome, PlayerInfo};
use matchkeep_shared::glam::Vec3;
use matchkeep_shared::ids::{EntityId, Slot};
use matchkeep_shared::schema::{Entity, Field, Kind};
use matchkeep_shared::time::{Tick, TickRate};
use matchkeep_shared::wire::Malformed;
use matchkeep_shared::wire::bits::{BitReader, BitWriter};
use matchkeep_shared::world::{Audience, WorldWriter};
use serde::{Deserialize, Serialize};

/// The state: how often anybody pressed, and what will happen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fragile {
    rules: Rules,
    presses: u32,
    /// Until the next step, whoever asks where the first player looks from kills it.
    is_blind: bool,
}

/// When it dies by itself; 0 for never.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Rules {
    /// Every step to this tick panics.
    pub panics_at: u64,
    /// Every step to this tick does not come back.
    pub hangs_at: u64,
    /// From this tick on it dies when the first player's snapshot is made.
    pub blind_from: u64,
    /// Every step does as many multiplications for nothing.
    pub toil: u64,
    /// It dies as it is made.
    pub is_stillborn: bool,
}

/// The variable that names the first tick of which no step comes back, whatever the rules say: as if another build of the
/// same rules had a defect.
pub const HANGS_FROM: &str = "FRAGILE_HANGS_FROM";

/// The variable that says how long each step takes longer, in milliseconds.
pub const TAKES_MS: &str = "FRAGILE_TAKES_MS";

fn number_in(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn hangs_from() -> Option<u64> {
    static FROM: OnceLock<Option<u64>> = OnceLock::new();
    *FROM.get_or_init(|| number_in(HANGS_FROM))
}

fn takes_ms() -> u64 {
    static MS: OnceLock<Option<u64>> = OnceLock::new();
    MS.get_or_init(|| number_in(TAKES_MS)).unwrap_or(0)
}

/// What a player wishes for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// One more press.
    pub press: bool,
    /// The end of it, in the step.
    pub panic: bool,
    /// The end of it between two steps, when the first player's snapshot is made.
    pub blind: bool,
}

impl Input for Wish {
    fn encode(&self, writer: &mut BitWriter<'_>) {
        writer.flag(self.press);
        writer.flag(self.panic);
        writer.flag(self.blind);
    }

    fn decode(reader: &mut BitReader<'_>) -> Result<Self, Malformed> {
        Ok(Self { press: reader.flag()?, panic: reader.flag()?, blind: reader.flag()? })
    }

    fn held(self) -> Self {
        Self::default()
    }

    fn neutral(self) -> Self {
        Self::default()
    }

    fn add_presses(&mut self, late: &Self) {
        self.press |= late.press;
        self.panic |= late.panic;
        self.blind |= late.blind;
    }
}

/// How often anybody pressed.
#[derive(Clone, Copy, Debug)]
pub struct Presses(pub u32);

impl Entity for Presses {
    const KINDS: &'static [Kind] = &[Kind { name: "presses", fields: &[Field::uint("count", 32)] }];

    fn kind(&self) -> usize {
        0
    }

    fn write(&self, fields: &mut [u32]) {
        fields[0] = self.0;
    }

    fn read(_: usize, fields: &[u32]) -> Option<Self> {
        Some(Self(fields[0]))
    }
}

/// Work that nobody needs.
fn toil(seed: u64, times: u64) {
    std::hint::black_box((0..times).fold(seed | 1, |a, b| a.wrapping_mul(a ^ b)));
}

/// How much toil takes a step so long here: machines differ by more than a budget has room for.
pub fn toil_for(takes: Duration) -> u64 {
    const TIMES: u64 = 2_000_000;
    let once = |seed| {
        let begun = Instant::now();
        toil(seed, TIMES);
        begun.elapsed()
    };
    // Whatever else the machine does makes it longer, never shorter.
    let shortest = (0..10).map(once).min().expect("ten of them");
    (TIMES as f64 * takes.as_secs_f64() / shortest.as_secs_f64()) as u64
}

impl Game for Fragile {
    const NAME: &'static str = "fragile";
    const RULES_VERSION: u32 = 1;
    const MODES: &'static str = "
        [modes.sound]
        players_max = 2
        players_min = 1
        [modes.other]
        players_max = 2
        players_min = 1
        [modes.poison]
        players_max = 2
        players_min = 1
        rules = { panics_at = 60 }
        [modes.hang]
        players_max = 2
        players_min = 1
        rules = { hangs_at = 60 }
        [modes.stillborn]
        players_max = 2
        players_min = 1
        rules = { is_stillborn = true }
        [modes.careful]
        players_max = 2
        players_min = 1
        when_undurable = \"pause\"
        undurable_ms_max = 500
        [modes.blind]
        players_max = 2
        players_min = 1
        rules = { blind_from = 40 }
    ";

    type Config = Rules;
    type Input = Wish;
    type Event = ();
    type Entity = Presses;

    fn configure(mode: &ModeSpec<'_>) -> Result<Rules, ConfigError> {
        let number = |key: &str| {
            let value = mode.rules.get(key).and_then(toml::Value::as_integer).unwrap_or(0);
            u64::try_from(value).unwrap_or(0)
        };
        Ok(Rules {
            panics_at: number("panics_at"),
            hangs_at: number("hangs_at"),
            blind_from: number("blind_from"),
            toil: number("toil"),
            is_stillborn: mode.rules.contains_key("is_stillborn"),
        })
    }

    fn new(rules: &Rules, _: TickRate, _: u64) -> Self {
        assert!(!rules.is_stillborn, "there is no beginning");
        Self { rules: *rules, presses: 0, is_blind: false }
    }

    fn join(&mut self, _: Slot, _: &PlayerInfo) {}

    fn leave(&mut self, _: Slot) {}

    fn step(&mut self, tick: Tick, inputs: &Inputs<Wish>, _: &mut Events<()>) {
        assert!(tick.0 != self.rules.panics_at, "tick {tick} is poison");
        if tick.0 == self.rules.hangs_at || hangs_from().is_some_and(|from| tick.0 >= from) {
            loop {
                std::hint::spin_loop();
            }
        }
        toil(tick.0, self.rules.toil);
        if takes_ms() > 0 {
            std::thread::sleep(Duration::from_millis(takes_ms()));
        }
        let is_doomed = self.rules.blind_from != 0 && tick.0 >= self.rules.blind_from;
        self.is_blind = is_doomed || inputs.iter().any(|(_, wish)| wish.blind);
        for (slot, wish) in inputs.iter() {
            self.presses += u32::from(wish.press);
            assert!(!wish.panic, "the player in {slot:?} wished it");
        }
    }

    fn replicate(&self, world: &mut WorldWriter<'_, Presses>) {
        world.add(EntityId(0), Audience::Everyone, &Presses(self.presses));
    }

    fn viewpoint(&self, slot: Slot) -> Option<Vec3> {
        assert!(!self.is_blind || slot != Slot(0), "nothing is seen");
        None
    }

    fn outcome(&self) -> Option<Outcome> {
        None
    }
}

impl Playable for Fragile {}
