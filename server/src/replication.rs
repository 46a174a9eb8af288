//! What each client is told of a match: a pure function of the match as quantised at this tick, what the
//! client acknowledged, and its budget.
//!
//! ```text
//! Game::replicate -> World (once per tick) -> Interest (who sees what) -> Since (what changed, once per
//! baseline) -> Encoder (bits, once per entity and baseline) -> Client (what this client holds, what
//! fits) -> datagram
//! ```
//!
//! Knows no socket, no clock and no game: quantised fields alone. The *baseline* of a client is what that
//! client holds after the datagram it acknowledged, interest and budget included, not the world at that
//! tick.

mod client;
mod encoder;
mod entity_set;
mod interest;
mod plan;
mod since;

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
use since::Sinces;

/// The worlds that deltas may be taken against: the newest one, and those of the past that a client may hold
/// something of.
///
/// Memory goes from the one forgotten last to the next one to come: on a quick link two or three worlds
/// take turns and stay in the processor's caches.
#[derive(Default)]
struct History {
    /// Oldest first.
    worlds: Vec<World>,
    spare: Vec<World>,
}

impl History {
    /// The place of the world of `tick`. What is older than `needed` is forgotten, but for the newest world,
    /// which the next one is compared with.
    fn begin(&mut self, tick: Tick, needed: Tick) -> &mut World {
        let oldest = Tick(tick.0.saturating_sub(BASELINE_TICKS_MAX - 1));
        let needed = needed.max(oldest);
        // A match that was set back comes to a tick again.
        while let Some(world) = self.worlds.pop_if(|world| world.tick() >= tick) {
            self.spare.push(world);
        }
        let past = self.worlds.len().saturating_sub(1);
        let forgotten = self.worlds[..past].partition_point(|world| world.tick() < needed);
        self.spare.extend(self.worlds.drain(..forgotten));
        let mut next = self.spare.pop().unwrap_or_default();
        if let Some(newest) = self.worlds.last_mut() {
            newest.retire_for(&mut next);
        }
        self.worlds.push_mut(next)
    }

    /// The world at `tick`, where it is not forgotten yet.
    fn at(&self, tick: Tick) -> Option<&World> {
        let found = self.worlds.binary_search_by_key(&tick, World::tick);
        found.ok().map(|index| &self.worlds[index])
    }
}

/// When each entity of the newest world last changed; the tick it appeared counts as a change.
#[derive(Default)]
struct Changes {
    /// In the order of the world.
    at: Vec<Tick>,
    before: Vec<Tick>,
}

impl Changes {
    /// Compares a world with the one before it, once per entity, so that no client has to.
    fn update(&mut self, kinds: &[Kind], before: Option<&World>, world: &World) {
        std::mem::swap(&mut self.at, &mut self.before);
        self.at.clear();
        let before_ids = before.map_or(&[][..], World::ids);
        let mut old = 0;
        for (new, id) in world.ids().iter().enumerate() {
            while before_ids.get(old).is_some_and(|before| before < id) {
                old += 1;
            }
            let same = before_ids.get(old) == Some(id)
                && before.is_some_and(|before| {
                    let (old, new) = (before.entity(old, kinds), world.entity(new, kinds));
                    old.kind == new.kind && old.fields == new.fields
                });
            self.at.push(if same { self.before[old] } else { world.tick() });
        }
    }

    /// Whether the entity at this index of the world is as it was at `version`.
    fn none_since(&self, entity: usize, version: Tick) -> bool {
        self.at[entity] <= version
    }
}

/// All that one match tells its clients.
pub struct Replicator {
    kinds: &'static [Kind],
    history: History,
    changes: Changes,
    now: Tick,
    interest: Interest,
    sinces: Sinces,
    encoder: Encoder,
    clients: Vec<Option<Client>>,
    /// The oldest tick that each client may hold something of.
    needed: Vec<Tick>,
}

/// What the snapshots of one tick are made from, the same for all clients but for `interest`.
#[derive(Clone, Copy)]
struct Sources<'a> {
    kinds: &'a [Kind],
    history: &'a History,
    changes: &'a Changes,
    world: &'a World,
    interest: &'a Interest,
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
    /// The match stands still.
    pub paused: bool,
    /// A hash of the match's state, where clients are to be told it.
    pub state_hash: Option<u64>,
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
            history: History::default(),
            changes: Changes::default(),
            now: Tick(0),
            interest: Interest::default(),
            sinces: Sinces::default(),
            encoder: Encoder::default(),
            clients: (0..places).map(|_| None).collect(),
            needed: vec![Tick(u64::MAX); places],
        }
    }

    /// Starts to serve the client in `slot`, which holds nothing yet.
    pub fn add_client(&mut self, slot: Slot) {
        self.clients[slot.index()] = Some(Client::new());
        self.needed[slot.index()] = Tick(u64::MAX);
    }

    /// Forgets the client in `slot`.
    pub fn remove_client(&mut self, slot: Slot) {
        self.clients[slot.index()] = None;
        self.needed[slot.index()] = Tick(u64::MAX);
    }

    /// Takes note of what the client in `slot` holds. What was never sent to it is ignored.
    pub fn acknowledge(&mut self, slot: Slot, ack: Ack) {
        if let Some(client) = &mut self.clients[slot.index()] {
            client.acknowledge(ack, self.now);
        }
    }

    /// Quantises the match after the step of `tick`: the work that all clients share.
    pub fn take<E: Entity>(&mut self, tick: Tick, replicate: impl FnOnce(&mut WorldWriter<'_, E>)) {
        let before = self.now;
        self.now = tick;
        let needed = self.needed.iter().min().copied().unwrap_or(tick);
        self.history.begin(tick, needed).fill(tick, replicate);
        let Some((world, past)) = self.history.worlds.split_last() else { return };
        self.changes.update(self.kinds, past.last().filter(|world| world.tick() == before), world);
        self.interest.index(world);
        self.sinces.begin();
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
        let Some(world) = self.history.worlds.last() else { return };
        self.interest.look(world, slot, viewpoint);
        let sources = Sources {
            kinds: self.kinds,
            history: &self.history,
            changes: &self.changes,
            world,
            interest: &self.interest,
        };
        client.encode(&sources, &mut self.sinces, &mut self.encoder, facts, out);
        self.needed[slot.index()] = client.needed();
    }

    /// The number of entities at this tick.
    pub fn entities(&self) -> usize {
        self.history.at(self.now).map_or(0, World::len)
    }
}

#[cfg(test)]
mod tests;
