//! Entities to bits, once per entity and baseline, whoever asks: most clients hold the same few versions
//! of an entity, so its changes are encoded for the first of them and copied for the others.

use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::bits::BitWriter;
use matchkeep_shared::wire::plain;

use super::Sources;

/// Versions of one entity whose changes are remembered within a tick.
const VERSIONS: usize = 4;

/// A run of bits in the encoder's buffer; begins at a byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Run {
    first_byte: u32,
    pub(super) bits: u16,
}

/// Memory set aside for the bits of one entity, all its versions together; a tick that needs more takes it.
const ENTITY_BYTES: usize = 64;

/// What has become of an entity since a client last got it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// These bits, tag included, bring the client up to date.
    Update(Run),
    /// The version the client holds is forgotten, or was of another kind: it must be replaced.
    Unknown,
}

#[derive(Clone, Copy)]
struct Cached {
    base: Tick,
    change: Change,
}

/// The bits of one tick.
#[derive(Default)]
pub(super) struct Encoder {
    bytes: Vec<u8>,
    /// `VERSIONS` for each entity of the world, in its order; of these the first `known` are of this tick.
    updates: Vec<Cached>,
    /// By entity.
    known: Vec<u8>,
    wholes: Vec<Option<Run>>,
}

impl Encoder {
    /// Forgets the last tick; the world has so many entities now.
    pub(super) fn begin(&mut self, entities: usize) {
        self.bytes.clear();
        self.bytes.reserve(entities * ENTITY_BYTES);
        let none = Cached { base: Tick(0), change: Change::Unknown };
        self.updates.resize(entities * VERSIONS, none);
        self.known.clear();
        self.known.resize(entities, 0);
        self.wholes.clear();
        self.wholes.resize(entities, None);
    }

    /// What changed in an entity since the tick `base`.
    pub(super) fn change(&mut self, sources: &Sources<'_>, entity: usize, base: Tick) -> Change {
        let known = usize::from(self.known[entity]);
        let cached = &self.updates[entity * VERSIONS..][..known];
        if let Some(hit) = cached.iter().find(|cached| cached.base == base) {
            return hit.change;
        }
        let change = self.compare(sources, entity, base);
        // Where all are taken, the one that came last gives way: the first are the common ones.
        let free = known.min(VERSIONS - 1);
        self.updates[entity * VERSIONS + free] = Cached { base, change };
        self.known[entity] = free as u8 + 1;
        change
    }

    fn compare(&mut self, sources: &Sources<'_>, entity: usize, base: Tick) -> Change {
        let Sources { kinds, history, world, .. } = *sources;
        let new = world.entity(entity, kinds);
        let Some(old_world) = history.at(base) else { return Change::Unknown };
        let Some(old) = old_world.find(new.id) else { return Change::Unknown };
        let old = old_world.entity(old, kinds);
        if old.kind != new.kind {
            return Change::Unknown;
        }
        let spec = kinds[usize::from(new.kind)].fields;
        Change::Update(self.write(|w| plain::write_update(spec, old.fields, new.fields, w)))
    }

    /// The entity's kind and all its fields.
    pub(super) fn whole(&mut self, sources: &Sources<'_>, entity: usize) -> Run {
        if let Some(run) = self.wholes[entity] {
            return run;
        }
        let Sources { kinds, world, .. } = *sources;
        let new = world.entity(entity, kinds);
        let run = self.write(|w| plain::write_whole(kinds, new.kind.into(), new.fields, w));
        self.wholes[entity] = Some(run);
        run
    }

    fn write(&mut self, write: impl FnOnce(&mut BitWriter<'_>)) -> Run {
        let first_byte = self.bytes.len() as u32;
        let mut writer = BitWriter::new(&mut self.bytes);
        write(&mut writer);
        let bits = writer.bits_written() as u16;
        writer.finish();
        Run { first_byte, bits }
    }

    /// Copies a run into a datagram.
    pub(super) fn copy(&self, run: Run, out: &mut BitWriter<'_>) {
        out.copy(&self.bytes, run.first_byte as usize * 8, run.bits.into());
    }
}
