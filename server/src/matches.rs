//! One match: its game, its tick, its seats and their inputs.
//!
//! A match knows inputs, state and tick. It never sees a socket, a clock, a store or another match; what
//! drives it is the shard.
//!
//! [`state`] is what decides the next step and what a checkpoint holds; everything enters it as an
//! [`Entry`] or an input, and is written down as [`frame`] says. [`recorder`] keeps what the match can
//! be rebuilt from, [`replay`] does so. Around them lies what lives only as long as the process: input buffers,
//! what clients hold, events on their way.

pub mod frame;
pub mod header;
pub mod incident;
pub mod inputs;
pub mod recorder;
pub mod replay;
pub mod state;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use matchkeep_shared::Game;
use matchkeep_shared::game::{Events, Inputs, Outcome, PlayerInfo};
use matchkeep_shared::ids::{Epoch, MatchId, PlayerId, Slot, SlotSet};
use matchkeep_shared::limits::CHECKPOINT_EVERY;
use matchkeep_shared::schema::Entity;
use matchkeep_shared::time::{Tick, TickRate};
use matchkeep_shared::wire::client::ClientDatagram;
use serde::{Deserialize, Serialize};

use crate::replication::{Replicator, SnapshotFacts};
use frame::FrameWriter;
use inputs::{InputBuffer, InputCounts};
use recorder::{Base, JournalBatch, JournalItemKind, Recorder};
use state::{Entry, MatchState, UsedTicket};

/// What a match is made of, fixed when it is created.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MatchSpec<C> {
    /// Its ID.
    pub id: MatchId,
    /// The mode it was made for.
    pub mode: String,
    /// Its places.
    pub places: usize,
    /// Its tick rate.
    pub rate: TickRate,
    /// How many ticks a place is held for a player who lost the connection.
    pub hold_ticks: u64,
    /// The game's configuration.
    pub config: C,
    /// The seed of the game's random numbers.
    pub seed: u64,
}

impl<C> MatchSpec<C> {
    /// How long a place is held, in milliseconds.
    pub fn hold_ms(&self) -> u32 {
        let hold = self.rate.elapsed(self.hold_ticks).as_millis();
        u32::try_from(hold).unwrap_or(u32::MAX)
    }
}

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
    /// Of the state after the last step, where it was asked for.
    state_hash: Option<u64>,
    scratch: Vec<u8>,
    death: Option<Death>,
}

/// What a match that is journaled has beside its state.
struct Recording {
    recorder: Recorder,
    frame: FrameWriter,
    /// All up to this tick is on stable storage.
    durable: Tick,
}

/// How often the state is hashed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Hashes {
    /// Once a second, for the journal.
    #[default]
    EverySecond,
    /// At every tick, and clients are told: for tests of recovery.
    EveryTick,
}

/// What a match is told when it begins or goes on.
#[derive(Clone, Copy, Debug, Default)]
pub struct MatchOptions {
    /// Whether frames are recorded for a journal.
    pub journaled: bool,
    /// How often the state is hashed.
    pub hashes: Hashes,
}

/// How a game died under its match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// In the step to this tick, or right before it.
    pub tick: Tick,
    /// What it said.
    pub cause: String,
    /// The frame of that tick as far as it was known: what may have killed it.
    pub suspect: Vec<u8>,
}

/// Why a player cannot sit down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JoinRefused {
    /// Every place is taken.
    Full,
    /// The match has ended.
    Over,
    /// The game died of it.
    Died,
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

    /// A match that goes on in `epoch` from `state`, which a replay of `base` led to and all of which is
    /// durable up to `durable`. Nobody is connected any more.
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
        let seen = catch_unwind(AssertUnwindSafe(|| {
            replicator.take::<G::Entity>(tick, |world| game.replicate(world));
        }));
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
        let recording = options.journaled.then(|| {
            let every = spec.rate.ticks_in(CHECKPOINT_EVERY);
            // IDs are random: so are the ticks at which matches take their checkpoints.
            let recorder = Recorder::new(base, tick, every, spec.id.0 % every);
            Recording { recorder, frame: FrameWriter::default(), durable: tick }
        });
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

    /// How the game died, if it did. Such a match does nothing any more.
    pub fn death(&self) -> Option<&Death> {
        self.death.as_ref()
    }

    /// The place a player has, connected or held.
    pub fn slot_of(&self, player: PlayerId) -> Option<Slot> {
        self.state.slot_of(player)
    }

    /// The number of places taken, held ones among them.
    pub fn taken(&self) -> usize {
        self.state.taken().count()
    }

    /// The slots whose players are connected.
    pub fn connected(&self) -> SlotSet {
        let connected = self.state.taken().filter(|slot| self.state.is_connected(*slot));
        connected.fold(SlotSet::EMPTY, SlotSet::with)
    }

    /// A player sits down: on the place held for them, else on a free one. The client holds nothing yet.
    ///
    /// # Errors
    /// [`JoinRefused`] where there is no place, or no match any more.
    pub fn join(
        &mut self,
        player: &PlayerInfo,
        ticket: Option<UsedTicket>,
    ) -> Result<Slot, JoinRefused> {
        if self.outcome().is_some() {
            return Err(JoinRefused::Over);
        }
        if let Some(slot) = self.slot_of(player.id) {
            return self.rejoin(slot, ticket).then_some(slot).ok_or(JoinRefused::Died);
        }
        let slot = self.state.free_slot().ok_or(JoinRefused::Full)?;
        if !self.enter(Entry::Join { slot, player: player.clone(), ticket }) {
            return Err(JoinRefused::Died);
        }
        self.buffers[slot.index()] = Some(InputBuffer::new(self.spec.rate, self.tick()));
        self.replicator.add_client(slot);
        Ok(slot)
    }

    /// The player in `slot` is back, or there once more. The client holds nothing yet. Says whether the
    /// game lived through it.
    pub fn rejoin(&mut self, slot: Slot, ticket: Option<UsedTicket>) -> bool {
        let tick = self.tick();
        if let Some(inputs) = &mut self.buffers[slot.index()] {
            inputs.restart(tick);
            self.replicator.add_client(slot);
        }
        self.enter(Entry::Regained { slot, ticket })
    }

    /// The player's connection is gone; the place is held for them for a while.
    pub fn disconnect(&mut self, slot: Slot) {
        if self.state.is_connected(slot) {
            self.enter(Entry::Lost { slot });
            self.replicator.remove_client(slot);
        }
    }

    /// The player is gone for good.
    pub fn leave(&mut self, slot: Slot) -> Option<PlayerId> {
        let player = self.state.player(slot)?;
        self.enter(Entry::Leave { slot });
        self.clear_place(slot);
        Some(player)
    }

    /// Ends the match with the next step, as it stands.
    pub fn end(&mut self, reason: &str) {
        self.enter(Entry::End { reason: reason.to_owned() });
    }

    fn clear_place(&mut self, slot: Slot) {
        if let Some(inputs) = self.buffers[slot.index()].take() {
            self.departed += inputs.counts();
        }
        self.replicator.remove_client(slot);
    }

    /// Says whether the game lived through it.
    fn enter(&mut self, entry: Entry) -> bool {
        if self.death.is_some() {
            return false;
        }
        let state = &mut self.state;
        let outcome = catch_unwind(AssertUnwindSafe(|| state.apply(&entry)));
        if self.recording.is_some() {
            self.entered.push(entry);
        }
        outcome.map_err(|panic| self.die_between_steps(&*panic)).is_ok()
    }

    fn die_between_steps(&mut self, panic: &(dyn Any + Send)) {
        self.inputs = Inputs::new(self.spec.places);
        if let Some(recording) = &mut self.recording {
            recording.frame.begin(&self.entered, self.spec.places, &self.inputs, |_| false);
        }
        self.die(panic);
    }

    fn die(&mut self, panic: &(dyn Any + Send)) {
        let cause = said(panic);
        let mut suspect = Vec::new();
        if let Some(recording) = &mut self.recording {
            recording.frame.finish(None, &mut suspect);
        }
        self.death = Some(Death { tick: self.state.tick() + 1, cause, suspect });
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
        self.events.clear();
        if self.outcome().is_some() || self.death.is_some() {
            return;
        }
        let stepped = catch_unwind(AssertUnwindSafe(|| self.try_step(expired)));
        if let Err(panic) = stepped {
            self.events.clear();
            self.die(&*panic);
        }
    }

    fn try_step(&mut self, expired: &mut Vec<PlayerId>) {
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
        self.state.step(&self.spec, &self.inputs, &mut self.events);
        self.entered.clear();
        let state = &self.state;
        self.replicator.take::<G::Entity>(tick, |world| state.game().replicate(world));
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

    /// Hands what is new to the journal, as far as the batch has room.
    pub fn hand_over(&mut self, batch: &mut JournalBatch) {
        let Some(recording) = &mut self.recording else { return };
        let whose = (self.spec.id, self.epoch);
        let state = &self.state;
        // A checkpoint is the state right after a step, and a game that died has none.
        let is_whole = self.entered.is_empty() && self.death.is_none();
        let encode = is_whole.then_some(|out: &mut Vec<u8>| state.encode(out));
        recording.recorder.hand_over(whose, batch, encode);
    }

    /// Hands over the end of the match's journal, if everything before it is.
    pub fn hand_over_end(&mut self, batch: &mut JournalBatch) -> bool {
        self.hand_over(batch);
        let Some(recording) = &self.recording else { return true };
        let Some(outcome) = self.state.outcome() else { return false };
        if !recording.recorder.is_handed_over() || batch.is_full() {
            return false;
        }
        let at = (self.state.tick(), self.state.tick());
        batch.push((self.spec.id, self.epoch), JournalItemKind::Finish, at, |out| {
            matchkeep_shared::encoding::encode_into(outcome, out);
        });
        true
    }

    /// Whether so much waits for the journal that the match must not go on.
    pub fn must_wait_for_journal(&self) -> bool {
        self.recording.as_ref().is_some_and(|recording| recording.recorder.is_full())
    }

    /// All up to `tick` is on stable storage.
    pub fn set_durable(&mut self, tick: Tick) {
        if let Some(recording) = &mut self.recording {
            recording.durable = recording.durable.max(tick);
        }
    }

    /// How many ticks the durable one is behind; `None` where there is no journal.
    pub fn durable_lag(&self) -> Option<u32> {
        let recording = self.recording.as_ref()?;
        u32::try_from(self.tick().since(recording.durable)).ok()
    }

    /// Takes what the match can be rebuilt from, where it is journaled; frames are recorded no more.
    pub fn take_base(&mut self) -> Option<Base> {
        self.recording.take().map(|recording| recording.recorder.into_base())
    }

    /// Whether nothing waits to be handed to the journal.
    pub fn is_handed_over(&self) -> bool {
        self.recording.as_ref().is_none_or(|recording| recording.recorder.is_handed_over())
    }

    /// Whether the match is journaled.
    pub fn is_journaled(&self) -> bool {
        self.recording.is_some()
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

    /// The number of entities at this tick.
    pub fn entities(&self) -> usize {
        self.replicator.entities()
    }
}

/// What a panic said.
pub(crate) fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "the game panicked".to_owned())
}

#[cfg(test)]
mod tests;
