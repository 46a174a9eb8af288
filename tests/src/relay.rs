//! A small game in two builds: the second one's rules were changed by one unit, from a certain tick on.
//! Their version is the same: nothing says that they differ but what they come to.

use matchkeep_client::bots::Playable;
use matchkeep_shared::Game;
use matchkeep_shared::game::{ConfigError, Events, Inputs, ModeSpec, Outcome, PlayerInfo};
use matchkeep_shared::glam::Vec3;
use matchkeep_shared::ids::{EntityId, Slot};
use matchkeep_shared::schema::{Entity, Field, Kind};
use matchkeep_shared::time::{Tick, TickRate};
use matchkeep_shared::world::{Audience, WorldWriter};
use serde::{Deserialize, Serialize};

use crate::fragile::Wish;

/// From this tick on the second build's first runner runs one centimetre too far in each tick.
pub const PLANTED_AT: u64 = 250;
/// Ticks of a lap.
const LAP_TICKS: u64 = 30;
/// A match is over after so many ticks.
pub const LAST_TICK: u64 = 480;

/// The state of one match.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Relay<const PLANTED: bool> {
    runners: Vec<Option<Runner>>,
    /// Who has the baton, by place.
    baton: usize,
    ended: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Runner {
    name: String,
    at_cm: u32,
}

/// How far a runner is.
#[derive(Clone, Copy, Debug)]
pub struct Seen(u32);

/// The baton changes hands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Handed {
    /// To whom.
    pub to: Slot,
}

impl Entity for Seen {
    const KINDS: &'static [Kind] = &[Kind { name: "runner", fields: &[Field::uint("at_cm", 24)] }];

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

impl<const PLANTED: bool> Game for Relay<PLANTED> {
    const NAME: &'static str = "relay";
    const RULES_VERSION: u32 = 1;
    const MODES: &'static str = "[modes.relay]\nplayers_max = 2\nplayers_min = 1\n";

    type Config = ();
    type Input = Wish;
    type Event = Handed;
    type Entity = Seen;

    fn configure(_: &ModeSpec<'_>) -> Result<(), ConfigError> {
        Ok(())
    }

    fn new((): &(), _: TickRate, _: u64) -> Self {
        Self { runners: vec![None, None], baton: 0, ended: false }
    }

    fn join(&mut self, slot: Slot, player: &PlayerInfo) {
        self.runners[slot.index()] = Some(Runner { name: player.name.clone(), at_cm: 0 });
    }

    fn leave(&mut self, slot: Slot) {
        self.runners[slot.index()] = None;
    }

    fn step(&mut self, tick: Tick, inputs: &Inputs<Wish>, events: &mut Events<Handed>) {
        if tick.0.is_multiple_of(LAP_TICKS) {
            self.baton = 1 - self.baton;
            events.tell_all(Handed { to: Slot(self.baton as u8) });
        }
        for (slot, wish) in inputs.iter() {
            let has_baton = slot.index() == self.baton;
            let Some(runner) = &mut self.runners[slot.index()] else { continue };
            runner.at_cm += if has_baton { 5 } else { 1 } + u32::from(wish.press);
            if PLANTED && tick.0 >= PLANTED_AT && slot == Slot(0) {
                runner.at_cm += 1;
            }
        }
        self.ended = tick.0 >= LAST_TICK;
    }

    fn replicate(&self, world: &mut WorldWriter<'_, Seen>) {
        for (place, runner) in self.runners.iter().enumerate() {
            if let Some(runner) = runner {
                world.add(EntityId(place as u32), Audience::Everyone, &Seen(runner.at_cm));
            }
        }
    }

    fn viewpoint(&self, _: Slot) -> Option<Vec3> {
        None
    }

    fn outcome(&self) -> Option<Outcome> {
        let reason = "all laps run".to_owned();
        self.ended.then(|| Outcome { reason, players: Vec::new() })
    }
}

impl<const PLANTED: bool> Playable for Relay<PLANTED> {}
