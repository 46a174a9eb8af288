//! One match: its game, its tick, its seats and their inputs.
//!
//! A match knows inputs, state and tick. It never sees a socket, a clock, a store or another match; what
//! drives it is the shard.
//!
//! [`state`] is what decides the next step and what a checkpoint holds; everything enters it as an
//! [`Entry`] or an input, and is written down as [`frame`] says. [`recorder`] keeps what the match can
//! be rebuilt from, [`replay`] does so. Around them lies what lives only as long as the process: input buffers,
//! what clients hold, events on their way.

mod death;
pub mod frame;
pub mod header;
pub mod heartbeat;
pub mod incident;
pub mod inputs;
mod journaling;
mod phase;
pub mod recorder;
pub mod replay;
mod seating;
mod spec;
pub mod state;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use matchkeep_shared::Game;
use matchkeep_shared::game::{Events, Inputs, Outcome};
use matchkeep_shared::ids::{Epoch, PlayerId, Slot, SlotSet};
use matchkeep_shared::schema::Entity;
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::client::ClientDatagram;

use crate::replication::{Replicator, SnapshotFacts};
use heartbeat::Heartbeat;
use inputs::{InputBuffer, InputCounts};
use journaling::Recording;
use recorder::Base;
use state::{Entry, MatchState};

pub(crate) use death::said;
pub use death::{Death, Deaths};
pub use phase::Phase;
pub use seating::JoinRefused;
pub use spec::{Hashes, MatchOptions, MatchSpec};

/// A running match.
pub struct Match<G: Game> {
    spec: MatchSpec<G::Config>,
    epoch: Epoch,
    resumed: Tick,
    state: MatchState<G>,
    /// By slot: the inputs of those who sit there.
    buffers: Vec<Option<InputBuffer<G::Input>>>,
    inputs: Inputs<G::Input>,
    events: Events<G::Event>,
    replicator: Replicator,
    /// How the inputs of players who left fared.
    departed: InputCounts,
    /// What entered since the last step.
    entered: Vec<Entry>,
    recording: Option<Recording>,
    hashes: Hashes,
    heartbeat: Arc<Heartbeat>,
    /// Of the state after the last step, where it was asked for.
    state_hash: Option<u64>,
    scratch: Vec<u8>,
    death: Option<Death>,
}

impl<G: Game> Match<G> {
    /// A match before its first tick.
    ///
    /// # Panics
    /// Where the game does; and where its schema breaks a bound.
    pub fn new(spec: MatchSpec<G::Config>, options: MatchOptions) -> Self {
        let state = MatchState::new(&spec);
        Self::with(spec, Epoch(1), state, Base::default(), options)
    }

    /// A match that goes on in `epoch` from `state`, which a replay of `base` led to and which is durable.
    /// Nobody is connected any more.
    pub fn resume(
        spec: MatchSpec<G::Config>,
        epoch: Epoch,
        state: MatchState<G>,
        base: Base,
        options: MatchOptions,
    ) -> Self {
        let mut resumed = Self::with(spec, epoch, state, base, options);
        for slot in 0..resumed.state.places() {
            resumed.disconnect(Slot(slot as u8));
        }
        // Until the first step this is what there is to see.
        let (tick, game) = (resumed.state.tick(), resumed.state.game());
        let replicator = &mut resumed.replicator;
        let seen = resumed.heartbeat.during(resumed.spec.id, tick, || {
            catch_unwind(AssertUnwindSafe(|| {
                replicator.take::<G::Entity>(tick, |world| game.replicate(world));
            }))
        });
        if let Err(panic) = seen {
            resumed.die_between_steps(&*panic);
        }
        resumed
    }

    fn with(
        spec: MatchSpec<G::Config>,
        epoch: Epoch,
        state: MatchState<G>,
        base: Base,
        options: MatchOptions,
    ) -> Self {
        let tick = state.tick();
        let mut buffers: Vec<_> = (0..spec.places).map(|_| None).collect();
        for slot in state.taken() {
            buffers[slot.index()] = Some(InputBuffer::new(spec.rate, tick));
        }
        let recording = options.journaled.then(|| Recording::new(&spec, base, tick));
        Self {
            epoch,
            resumed: tick,
            buffers,
            inputs: Inputs::new(spec.places),
            events: Events::default(),
            replicator: Replicator::new(G::Entity::KINDS, spec.places),
            departed: InputCounts::default(),
            entered: Vec::new(),
            recording,
            hashes: options.hashes,
            heartbeat: options.heartbeat,
            state_hash: None,
            scratch: Vec::new(),
            death: None,
            state,
            spec,
        }
    }

    /// What the match was made of.
    pub fn spec(&self) -> &MatchSpec<G::Config> {
        &self.spec
    }

    /// The epoch the match is in.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The tick that the epoch went on from.
    pub fn resumed(&self) -> Tick {
        self.resumed
    }

    /// The number of steps so far.
    pub fn tick(&self) -> Tick {
        self.state.tick()
    }

    /// What decides the next step.
    pub fn state(&self) -> &MatchState<G> {
        &self.state
    }

    /// A hash of it after the last step, where one was asked for.
    pub fn state_hash(&self) -> Option<u64> {
        self.state_hash
    }

    /// The game's state.
    pub fn game(&self) -> &G {
        self.state.game()
    }

    /// The result, once the match has ended.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.state.outcome()
    }

    /// Takes what a client sent. `margin_100us` says how long before (positive) or after its deadline a
    /// tick's input arrives now.
    pub fn receive(
        &mut self,
        slot: Slot,
        datagram: &ClientDatagram<G::Input>,
        margin_100us: impl FnOnce(Tick) -> i16,
    ) {
        // What belongs to another epoch names ticks and baselines of another history.
        if datagram.epoch_low8 != self.epoch.0 as u8 {
            return;
        }
        if let Some(ack) = datagram.ack {
            self.replicator.acknowledge(slot, ack);
        }
        let tick = self.tick();
        if let Some(inputs) = &mut self.buffers[slot.index()] {
            let newest = Tick::from_low16(datagram.newest_low16, tick);
            inputs.receive(tick, newest, datagram.inputs(), margin_100us);
        }
    }

    /// Advances the match by one tick: time-outs, inputs, `step`, and the world quantised for all clients.
    /// Returns the players whose held place ran out. Does nothing once the match has ended or the game
    /// died; a frame is written only when `step` came back.
    pub fn step(&mut self, expired: &mut Vec<PlayerId>) {
        self.step_watched(expired, &mut |_| {});
    }

    /// As [`step`](Self::step); `watch` is told of each phase when it is over.
    pub fn step_watched(&mut self, expired: &mut Vec<PlayerId>, watch: &mut dyn FnMut(Phase)) {
        self.events.clear();
        if self.outcome().is_some() || self.death.is_some() {
            return;
        }
        let stepped = catch_unwind(AssertUnwindSafe(|| self.try_step(expired, watch)));
        if let Err(panic) = stepped {
            self.events.clear();
            self.die(&*panic);
        }
    }

    fn try_step(&mut self, expired: &mut Vec<PlayerId>, watch: &mut dyn FnMut(Phase)) {
        while let Some((slot, player)) = self.state.expire(self.spec.hold_ticks) {
            self.clear_place(slot);
            expired.push(player);
        }
        let tick = self.tick() + 1;
        let mut substituted = SlotSet::EMPTY;
        for (place, inputs) in self.buffers.iter_mut().enumerate() {
            let slot = Slot(place as u8);
            let input = inputs.as_mut().map(|inputs| inputs.take(tick));
            if inputs.as_ref().is_some_and(InputBuffer::was_substituted) {
                substituted = substituted.with(slot);
            }
            self.inputs.set(slot, input);
        }
        if let Some(recording) = &mut self.recording {
            let is_substituted = |slot| substituted.contains(slot);
            let places = self.spec.places;
            recording.frame.begin(&self.entered, places, &self.inputs, is_substituted);
        }
        watch(Phase::Inputs);
        self.state.step(&self.spec, &self.inputs, &mut self.events);
        self.entered.clear();
        watch(Phase::Step);
        let state = &self.state;
        self.replicator.take::<G::Entity>(tick, |world| state.game().replicate(world));
        watch(Phase::Replicate);
        let is_hashed = match self.hashes {
            Hashes::EveryTick => true,
            Hashes::EverySecond => {
                self.recording.is_some() && tick.0.is_multiple_of(self.spec.rate.hz())
            }
        };
        self.state_hash = is_hashed.then(|| self.state.hash(&mut self.scratch));
        if let Some(recording) = &mut self.recording {
            recording.frame.finish(self.state_hash, recording.recorder.frames_mut());
            recording.recorder.note(tick);
        }
    }

    /// The events of the last step, each with who hears of it.
    pub fn events(&self) -> &Events<G::Event> {
        &self.events
    }

    /// Appends the snapshot datagram of the last step for one client; nothing for a slot without one.
    /// `paused` says that the match stands still and the client may have had this tick before.
    pub fn encode_snapshot(
        &mut self,
        slot: Slot,
        bytes_max: usize,
        paused: bool,
        out: &mut Vec<u8>,
    ) {
        let Some(inputs) = &self.buffers[slot.index()] else { return };
        let facts = SnapshotFacts {
            epoch: self.epoch,
            feedback: inputs.feedback(self.tick()),
            durable_lag: self.durable_lag(),
            paused,
            state_hash: self.state_hash.filter(|_| self.hashes == Hashes::EveryTick),
            bytes_max,
        };
        if self.death.is_some() {
            return;
        }
        let game = self.state.game();
        match catch_unwind(AssertUnwindSafe(|| game.viewpoint(slot))) {
            Ok(viewpoint) => self.replicator.encode(slot, viewpoint, &facts, out),
            Err(panic) => self.die_between_steps(&*panic),
        }
    }

    /// How the inputs of all players fared so far, those who left among them.
    pub fn input_totals(&self) -> InputCounts {
        self.buffers.iter().flatten().fold(self.departed, |mut totals, inputs| {
            totals += inputs.counts();
            totals
        })
    }

    /// How the inputs of one player fared so far.
    pub fn input_counts(&self, slot: Slot) -> Option<InputCounts> {
        self.buffers[slot.index()].as_ref().map(InputBuffer::counts)
    }

    /// How early a player's newest input came, in units of 100 us; negative: late. `None` before there
    /// was one.
    pub fn input_margin_100us(&self, slot: Slot) -> Option<i16> {
        self.buffers[slot.index()].as_ref()?.margin_100us()
    }

    /// The number of entities at this tick.
    pub fn entities(&self) -> usize {
        self.replicator.entities()
    }
}

#[cfg(test)]
mod tests;
