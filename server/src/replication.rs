//! What each client is told of a match: a pure function of the match as quantised at this tick, what the
//! client acknowledged, and its budget.
//!
//! ```text
//! Game::replicate -> World (once per tick) -> Interest (who sees what) -> Encoder (bits, once per entity
//! and baseline) -> Client (what this client holds, what fits) -> datagram
//! ```
//!
//! Knows no socket, no clock and no game: quantised fields alone. The *baseline* of a client is what that
//! client holds after the datagram it acknowledged, interest and budget included, not the world at that
//! tick.

mod client;
mod encoder;
mod interest;

use matchkeep_shared::glam::Vec3;
use matchkeep_shared::ids::{Epoch, Slot};
use matchkeep_shared::limits::BASELINE_TICKS_MAX;
use matchkeep_shared::schema::{Entity, Kind};
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::client::Ack;
use matchkeep_shared::wire::snapshot::InputFeedback;
use matchkeep_shared::world::{World, WorldWriter};

use client::Client;
use encoder::Encoder;
use interest::Interest;

/// The world at each of the last ticks: what deltas are taken against.
pub(crate) struct History {
    worlds: Vec<World>,
}

impl History {
    fn new() -> Self {
        Self { worlds: vec![World::default(); BASELINE_TICKS_MAX as usize] }
    }

    fn slot(tick: Tick) -> usize {
        (tick.0 % BASELINE_TICKS_MAX) as usize
    }

    /// The world at `tick`, where it is not forgotten yet.
    fn at(&self, tick: Tick) -> Option<&World> {
        Some(&self.worlds[Self::slot(tick)]).filter(|world| world.tick() == tick)
    }
}

/// All that one match tells its clients.
pub struct Replicator {
    kinds: &'static [Kind],
    history: History,
    now: Tick,
    interest: Interest,
    encoder: Encoder,
    clients: Vec<Option<Client>>,
}

/// What a snapshot for one client says besides the entities.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotFacts {
    /// The match's epoch.
    pub epoch: Epoch,
    /// How the client's inputs fare.
    pub feedback: InputFeedback,
    /// How far the durable tick is behind; `None` where there is no journal.
    pub durable_lag: Option<u32>,
    /// The most bytes the datagram may have.
    pub bytes_max: usize,
}

impl Replicator {
    /// For a match of `places` of a game with these kinds of entities.
    ///
    /// # Panics
    /// Where the game's schema breaks a bound: a defect of the game.
    pub fn new(kinds: &'static [Kind], places: usize) -> Self {
        matchkeep_shared::schema::check_schema(kinds);
        Self {
            kinds,
            history: History::new(),
            now: Tick(0),
            interest: Interest::default(),
            encoder: Encoder::default(),
            clients: (0..places).map(|_| None).collect(),
        }
    }

    /// Starts to serve the client in `slot`, which holds nothing yet.
    pub fn add_client(&mut self, slot: Slot) {
        self.clients[slot.index()] = Some(Client::new());
    }

    /// Forgets the client in `slot`.
    pub fn remove_client(&mut self, slot: Slot) {
        self.clients[slot.index()] = None;
    }

    /// Takes note of what the client in `slot` holds. What was never sent to it is ignored.
    pub fn acknowledge(&mut self, slot: Slot, ack: Ack) {
        if let Some(client) = &mut self.clients[slot.index()] {
            client.acknowledge(ack, self.now);
        }
    }

    /// Quantises the match after the step of `tick`: the work that all clients share.
    pub fn take<E: Entity>(&mut self, tick: Tick, replicate: impl FnOnce(&mut WorldWriter<'_, E>)) {
        self.now = tick;
        let world = &mut self.history.worlds[History::slot(tick)];
        world.fill(tick, replicate);
        self.interest.index(world);
        self.encoder.begin(world.len());
    }

    /// Appends the snapshot datagram for the client in `slot`, who sees from `viewpoint`, to `out`: never
    /// more than `facts.bytes_max` bytes. Nothing is appended where no client is.
    pub fn encode(
        &mut self,
        slot: Slot,
        viewpoint: Option<Vec3>,
        facts: &SnapshotFacts,
        out: &mut Vec<u8>,
    ) {
        let Some(client) = &mut self.clients[slot.index()] else { return };
        let world = &self.history.worlds[History::slot(self.now)];
        self.interest.look(world, slot, viewpoint);
        client.encode(
            self.kinds,
            &self.history,
            world,
            &self.interest,
            &mut self.encoder,
            facts,
            out,
        );
    }

    /// The number of entities at this tick.
    pub fn entities(&self) -> usize {
        self.history.at(self.now).map_or(0, World::len)
    }
}

#[cfg(test)]
mod tests;
