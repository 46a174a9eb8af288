//! One match: its game, its tick, its seats and their inputs.
//!
//! A match knows inputs, state and tick. It never sees a socket, a clock, a store or another match; what
//! drives it is the shard.

pub mod inputs;
mod seat;

use matchkeep_shared::Game;
use matchkeep_shared::game::{Events, Inputs, Outcome, PlayerInfo};
use matchkeep_shared::ids::{Epoch, MatchId, PlayerId, Slot, SlotSet};
use matchkeep_shared::limits::EMPTY_MATCH;
use matchkeep_shared::schema::Entity;
use matchkeep_shared::time::{Tick, TickRate};
use matchkeep_shared::wire::client::ClientDatagram;

use crate::replication::{Replicator, SnapshotFacts};
use inputs::InputCounts;
use seat::Seat;

/// What a match is made of, fixed when it is created.
#[derive(Clone, Debug)]
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
    tick: Tick,
    game: G,
    seats: Vec<Option<Seat<G::Input>>>,
    inputs: Inputs<G::Input>,
    events: Events<G::Event>,
    replicator: Replicator,
    outcome: Option<Outcome>,
    /// How the inputs of players who left fared.
    departed: InputCounts,
    /// The last tick at which somebody had a place.
    last_taken: Tick,
}

/// Why a player cannot sit down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JoinRefused {
    /// Every place is taken.
    Full,
    /// The match has ended.
    Over,
}

impl<G: Game> Match<G> {
    /// A match before its first tick.
    pub fn new(spec: MatchSpec<G::Config>) -> Self {
        let game = G::new(&spec.config, spec.rate, spec.seed);
        let places = spec.places;
        Self {
            epoch: Epoch(1),
            resumed: Tick(0),
            tick: Tick(0),
            game,
            seats: (0..places).map(|_| None).collect(),
            inputs: Inputs::new(places),
            events: Events::default(),
            replicator: Replicator::new(G::Entity::KINDS, places),
            outcome: None,
            departed: InputCounts::default(),
            last_taken: Tick(0),
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
        self.tick
    }

    /// The game's state.
    pub fn game(&self) -> &G {
        &self.game
    }

    /// The result, once the match has ended.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// The place a player has, connected or held.
    pub fn slot_of(&self, player: PlayerId) -> Option<Slot> {
        let place =
            self.seats.iter().position(|s| s.as_ref().is_some_and(|s| s.player == player))?;
        Some(Slot(place as u8))
    }

    /// The number of places taken, held ones among them.
    pub fn taken(&self) -> usize {
        self.seats.iter().flatten().count()
    }

    /// The slots whose players are connected.
    pub fn connected(&self) -> SlotSet {
        let seats = self.seats.iter().enumerate();
        seats
            .filter(|(_, seat)| seat.as_ref().is_some_and(Seat::is_connected))
            .fold(SlotSet::EMPTY, |set, (i, _)| set.with(Slot(i as u8)))
    }

    /// A player sits down: on the place held for them, else on a free one. The client holds nothing yet.
    ///
    /// # Errors
    /// [`JoinRefused`] where there is no place, or no match any more.
    pub fn join(&mut self, player: &PlayerInfo) -> Result<Slot, JoinRefused> {
        if self.outcome.is_some() {
            return Err(JoinRefused::Over);
        }
        if let Some(slot) = self.slot_of(player.id) {
            self.rejoin(slot);
            return Ok(slot);
        }
        let slot = {
            let free = self.seats.iter().position(Option::is_none).ok_or(JoinRefused::Full)?;
            let slot = Slot(free as u8);
            self.seats[free] = Some(Seat::new(player.id, self.spec.rate, self.tick));
            self.game.join(slot, player);
            slot
        };
        self.replicator.add_client(slot);
        Ok(slot)
    }

    /// The player in `slot` is back, or there once more. The client holds nothing yet.
    pub fn rejoin(&mut self, slot: Slot) {
        if let Some(seat) = &mut self.seats[slot.index()] {
            seat.reconnect(self.tick);
            self.game.set_connected(slot, true);
            self.replicator.add_client(slot);
        }
    }

    /// The player's connection is gone; the place is held for them for a while.
    pub fn disconnect(&mut self, slot: Slot) {
        if let Some(seat) = &mut self.seats[slot.index()] {
            seat.disconnect(self.tick);
            self.game.set_connected(slot, false);
            self.replicator.remove_client(slot);
        }
    }

    /// The player is gone for good.
    pub fn leave(&mut self, slot: Slot) -> Option<PlayerId> {
        let seat = self.seats[slot.index()].take()?;
        self.departed += seat.inputs.counts();
        self.game.leave(slot);
        self.replicator.remove_client(slot);
        Some(seat.player)
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
        if let Some(seat) = &mut self.seats[slot.index()] {
            let newest = Tick::from_low16(datagram.newest_low16, self.tick);
            seat.inputs.receive(self.tick, newest, datagram.inputs(), margin_100us);
        }
    }

    /// Advances the match by one tick: time-outs, inputs, `step`, and the world quantised for all clients.
    /// Returns the players whose held place ran out. Does nothing once the match has ended.
    pub fn step(&mut self, expired: &mut Vec<PlayerId>) {
        self.events.clear();
        if self.outcome.is_some() {
            return;
        }
        let tick = self.tick + 1;
        for i in 0..self.seats.len() {
            let slot = Slot(i as u8);
            let hold_ticks = self.spec.hold_ticks;
            if self.seats[i].as_ref().is_some_and(|seat| seat.hold_is_over(tick, hold_ticks)) {
                expired.extend(self.leave(slot));
            }
            let input = self.seats[i].as_mut().map(|seat| seat.inputs.take(tick));
            self.inputs.set(slot, input);
        }
        self.game.step(tick, &self.inputs, &mut self.events);
        self.tick = tick;
        self.outcome = self.game.outcome().or_else(|| self.abandoned());
        let game = &self.game;
        self.replicator.take::<G::Entity>(tick, |world| game.replicate(world));
    }

    /// The end of a match that nobody plays: whatever the game thinks of it, it must not tick for ever.
    fn abandoned(&mut self) -> Option<Outcome> {
        if self.taken() > 0 {
            self.last_taken = self.tick;
        }
        let empty = self.tick.since(self.last_taken) as u64;
        let over = empty >= self.spec.rate.ticks_in(EMPTY_MATCH);
        over.then(|| Outcome { reason: "abandoned".into(), players: Vec::new() })
    }

    /// The events of the last step, each with who hears of it.
    pub fn events(&self) -> &Events<G::Event> {
        &self.events
    }

    /// Appends the snapshot datagram of the last step for one client; nothing for a slot without one.
    pub fn encode_snapshot(&mut self, slot: Slot, bytes_max: usize, out: &mut Vec<u8>) {
        let Some(seat) = &self.seats[slot.index()] else { return };
        let facts = SnapshotFacts {
            epoch: self.epoch,
            feedback: seat.inputs.feedback(self.tick),
            durable_lag: None,
            paused: false,
            state_hash: None,
            bytes_max,
        };
        self.replicator.encode(slot, self.game.viewpoint(slot), &facts, out);
    }

    /// How the inputs of all players fared so far, those who left among them.
    pub fn input_totals(&self) -> InputCounts {
        self.seats.iter().flatten().fold(self.departed, |mut totals, seat| {
            totals += seat.inputs.counts();
            totals
        })
    }

    /// How the inputs of one player fared so far.
    pub fn input_counts(&self, slot: Slot) -> Option<InputCounts> {
        self.seats[slot.index()].as_ref().map(|seat| seat.inputs.counts())
    }

    /// The number of entities at this tick.
    pub fn entities(&self) -> usize {
        self.replicator.entities()
    }
}

#[cfg(test)]
mod tests;
