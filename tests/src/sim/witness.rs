//! What must hold whatever happens, checked as it happens: who writes, what was promised, what was told.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use matchkeep_server::matches::Match;
use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::limits::DEATHS_IN_A_ROW_MAX;
use matchkeep_shared::time::Tick;
use matchkeep_shared::world::World;

use super::game::Fragile;
use super::visible::Visible;

/// What must hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Invariant {
    /// A match is stepped by one process in one epoch, and the journal takes nothing from another.
    OneWriter,
    /// No epoch is used twice, none is lower than the one before.
    EpochsRise,
    /// A match goes on from no earlier tick than the journal acknowledged or any client was told.
    NoDurableTickLost,
    /// Whoever is told a result can find it on stable storage.
    ResultsDurable,
    /// What a client holds is what there is to see.
    ViewsRight,
    /// A replay from tick 0 is the match as it was played, at every tick that survived.
    ReplayEqual,
    /// An input is applied at its own tick, once, in its own epoch.
    InputsRight,
    /// Nothing panics but what was planted.
    NoPanic,
    /// Queues keep to their limits.
    Bounded,
    /// What a client is told comes in order.
    InOrder,
    /// Once nothing fails any more everything goes on.
    Liveness,
    /// Nobody is sent away without a good reason.
    ReasonsRight,
    /// Every match whose beginning was acknowledged goes on; only those are set aside that must be.
    Recovers,
    /// A process that was told to stop lost nothing.
    StopLosesNothing,
    /// The same seed does the same.
    Deterministic,
}

impl Invariant {
    /// Its name in reports.
    pub fn label(self) -> &'static str {
        match self {
            Self::OneWriter => "one_writer",
            Self::EpochsRise => "epochs_rise",
            Self::NoDurableTickLost => "no_durable_tick_lost",
            Self::ResultsDurable => "results_durable",
            Self::ViewsRight => "views_right",
            Self::ReplayEqual => "replay_equal",
            Self::InputsRight => "inputs_right",
            Self::NoPanic => "no_panic",
            Self::Bounded => "bounded",
            Self::InOrder => "in_order",
            Self::Liveness => "liveness",
            Self::ReasonsRight => "reasons_right",
            Self::Recovers => "recovers",
            Self::StopLosesNothing => "stop_loses_nothing",
            Self::Deterministic => "deterministic",
        }
    }
}

/// An invariant that did not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// When, from the beginning.
    pub at: Duration,
    /// What was seen.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.as_secs_f64();
        write!(f, "{} at {at:.3} s: {}", self.invariant.label(), self.text)
    }
}

/// Ticks of which it is known what was to be seen.
const VISIBLE_TICKS: usize = 160;

/// What is known of one match.
#[derive(Debug)]
pub struct Known {
    /// The highest epoch that was claimed, durably.
    pub epoch: Epoch,
    /// Which process stepped it in which epoch.
    writers: BTreeMap<Epoch, u32>,
    /// What the journal acknowledged.
    pub acked: Tick,
    /// Whether the journal acknowledged its end.
    pub is_closed: bool,
    /// The highest durable tick that a client was told.
    pub told: Tick,
    /// The newest step, in the newest epoch.
    pub live: Tick,
    /// Whether it ended in the newest epoch, as far as it was stepped.
    pub has_ended: bool,
    /// Every step's hash, by epoch and tick.
    pub hashes: BTreeMap<(Epoch, Tick), u64>,
    /// From where each epoch went on.
    pub resumed: BTreeMap<Epoch, Tick>,
    /// How often it died in which step.
    pub deaths: BTreeMap<Tick, u32>,
    /// It was set aside.
    pub is_aside: bool,
    visible: VecDeque<Visible>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            epoch: Epoch(0),
            writers: BTreeMap::new(),
            acked: Tick(0),
            is_closed: false,
            told: Tick(0),
            live: Tick(0),
            has_ended: false,
            hashes: BTreeMap::new(),
            resumed: BTreeMap::new(),
            deaths: BTreeMap::new(),
            is_aside: false,
            visible: VecDeque::new(),
        }
    }
}

impl Known {
    /// Whether it died so often that it may be set aside: at one tick, or at ticks in a row.
    fn has_died_in_a_row(&self) -> bool {
        let (mut last, mut count) = (Tick(0), 0);
        self.deaths.iter().any(|(tick, deaths)| {
            let goes_on = *tick == last + 1;
            (last, count) = (*tick, if goes_on { count + deaths } else { *deaths });
            count >= DEATHS_IN_A_ROW_MAX
        })
    }
}

/// Sees everything.
#[derive(Debug, Default)]
pub struct Witness {
    /// From the beginning.
    pub at: Duration,
    /// The first invariant that did not hold.
    pub violation: Option<Violation>,
    /// By match.
    pub matches: BTreeMap<MatchId, Known>,
    /// Of all matches.
    pub deaths_between_steps: u64,
    world: World,
}

impl Witness {
    /// An invariant does not hold. Only the first one counts: what follows may follow from it.
    pub fn violated(&mut self, invariant: Invariant, text: String) {
        let at = self.at;
        self.violation.get_or_insert(Violation { invariant, at, text });
    }

    /// An invariant, and what to say where it does not hold.
    pub fn check(&mut self, holds: bool, invariant: Invariant, text: impl FnOnce() -> String) {
        if !holds {
            self.violated(invariant, text());
        }
    }

    /// What is known of a match.
    pub fn of(&mut self, match_id: MatchId) -> &mut Known {
        self.matches.entry(match_id).or_default()
    }

    /// The journal granted an epoch.
    pub fn claimed(&mut self, match_id: MatchId, epoch: Epoch) {
        let before = std::mem::replace(&mut self.of(match_id).epoch, epoch);
        self.check(epoch > before, Invariant::EpochsRise, || {
            format!("match {match_id}: epoch {epoch} was claimed after {before}")
        });
    }

    /// The journal acknowledged what it has of a match.
    /// `before` is the epoch that the match had before the flush, where that told of a claim too.
    pub fn acknowledged(
        &mut self,
        match_id: MatchId,
        epoch: Epoch,
        tick: Tick,
        is_closed: bool,
        before: Option<Epoch>,
    ) {
        let known = self.of(match_id);
        known.acked = known.acked.max(tick);
        known.is_closed |= is_closed;
        // One flush may have the last frames of an epoch and the claim of the next.
        let current = known.epoch;
        let is_current = epoch == current || before.is_some_and(|before| epoch == before);
        self.check(is_current, Invariant::OneWriter, || {
            format!("match {match_id}: frames of epoch {epoch} were taken in epoch {current}")
        });
    }

    /// A process begins: it has stepped nothing yet, and what is there is what is durable.
    pub fn process_begins(&mut self) {
        for known in self.matches.values_mut() {
            known.live = known.acked;
        }
    }

    /// A process steps a match.
    pub fn stepped(&mut self, process: u32, game: &Match<Fragile>) {
        let (match_id, epoch, tick) = (game.spec().id, game.epoch(), game.tick());
        let known = self.matches.entry(match_id).or_default();
        let writer = *known.writers.entry(epoch).or_insert(process);
        let current = known.epoch;
        (known.live, known.has_ended) = (tick, game.outcome().is_some());
        let mut again = None;
        if let Some(hash) = game.state_hash() {
            again = known.hashes.insert((epoch, tick), hash);
        }
        let places = game.spec().places;
        let visible = Visible::of(game.game(), epoch, tick, places, &mut self.world);
        if known.visible.len() == VISIBLE_TICKS {
            known.visible.pop_front();
        }
        known.visible.push_back(visible);
        self.check(epoch == current, Invariant::OneWriter, || {
            format!("match {match_id}: stepped in epoch {epoch}, and {current} is claimed")
        });
        self.check(writer == process && again.is_none(), Invariant::OneWriter, || {
            format!("match {match_id}: tick {tick} of epoch {epoch} was stepped twice")
        });
    }

    /// A match goes on from a tick.
    pub fn resumed(
        &mut self,
        match_id: MatchId,
        epoch: Epoch,
        tick: Tick,
        visible: Option<&Match<Fragile>>,
    ) {
        self.check_tick(match_id, tick);
        let known = self.matches.entry(match_id).or_default();
        known.resumed.insert(epoch, tick);
        known.live = tick;
        // The claim that came before made all of it durable.
        known.acked = known.acked.max(tick);
        if let Some(game) = visible {
            let places = game.spec().places;
            let seen = Visible::of(game.game(), epoch, tick, places, &mut self.world);
            known.visible.push_back(seen);
        }
    }

    /// A match is set aside.
    pub fn set_aside(&mut self, match_id: MatchId, why: &str) {
        let known = self.of(match_id);
        let died = known.has_died_in_a_row();
        // Of one whose beginning never became durable there is nothing to go on from, and nobody was told.
        let was_claimed = known.epoch > Epoch(0);
        known.is_aside = true;
        self.check(died || !was_claimed, Invariant::Recovers, || {
            format!("match {match_id} is set aside: {why}")
        });
    }

    /// What is left of a match begins at this tick.
    pub fn check_tick(&mut self, match_id: MatchId, tick: Tick) {
        let Known { acked, told, .. } = *self.of(match_id);
        self.check(tick >= acked && tick >= told, Invariant::NoDurableTickLost, || {
            format!("match {match_id}: goes on from {tick}; acknowledged {acked}, told {told}")
        });
    }

    /// What was to be seen of a match after a tick, where that is not forgotten.
    pub fn visible(&self, match_id: MatchId, epoch: Epoch, tick: Tick) -> Option<&Visible> {
        let visible = self.matches.get(&match_id)?.visible.iter().rev();
        let mut visible = visible.filter(|seen| (seen.epoch, seen.tick) == (epoch, tick));
        visible.next()
    }
}
