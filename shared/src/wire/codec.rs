//! The seam behind which snapshot codecs stand: what a client holds, and which codec reads it.
//!
//! A codec is named in the handshake. [`plain`](super::plain) is the one any client can write in an
//! afternoon.

use serde::{Deserialize, Serialize};

use super::bits::BitReader;
use super::{Malformed, plain};
use crate::ids::EntityId;
use crate::limits::ENTITIES_PER_VIEW_MAX;
use crate::schema::Kind;

/// Names a snapshot codec in the handshake.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CodecId(pub u8);

impl CodecId {
    /// Bit-packed fields that changed; see [`plain`](super::plain).
    pub const PLAIN: Self = Self(1);

    /// The server's choice among what a client offers, best first; `None` where nothing is in common.
    pub fn choose(offered: &[CodecId]) -> Option<CodecId> {
        offered.iter().copied().find(|codec| *codec == Self::PLAIN)
    }
}

/// The entities a client holds after one datagram, quantised, in ascending order of their IDs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    entries: Vec<Entry>,
    fields: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Entry {
    id: EntityId,
    kind: u8,
    first_field: u32,
}

impl View {
    /// Forgets all, keeps the memory.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.fields.clear();
    }

    /// The number of entities.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entity.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// ID, kind and quantised fields of all entities, by ascending ID.
    pub fn iter<'a>(
        &'a self,
        kinds: &'a [Kind],
    ) -> impl Iterator<Item = (EntityId, usize, &'a [u32])> + 'a {
        (0..self.entries.len()).map(|i| self.entity(i, kinds))
    }

    /// ID, kind and quantised fields of the entity at `index`.
    pub(super) fn entity(&self, index: usize, kinds: &[Kind]) -> (EntityId, usize, &[u32]) {
        let Entry { id, kind, first_field } = self.entries[index];
        let kind = usize::from(kind);
        let first = first_field as usize;
        (id, kind, &self.fields[first..first + kinds[kind].fields.len()])
    }

    /// Adds `count` entities of another view, from `index` on, as they are there.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub(super) fn extend_from(
        &mut self,
        other: &View,
        index: usize,
        count: usize,
    ) -> Result<(), Malformed> {
        let entries = &other.entries[index..index + count];
        let Some(first) = entries.first() else { return Ok(()) };
        if self.entries.len() + count > ENTITIES_PER_VIEW_MAX {
            return Err(Malformed("snapshot: too many entities"));
        }
        if self.entries.last().is_some_and(|last| last.id >= first.id) {
            return Err(Malformed("snapshot: entity IDs out of order"));
        }
        let from = first.first_field as usize;
        let until = other.entries.get(index + count);
        let until = until.map_or(other.fields.len(), |next| next.first_field as usize);
        let start = self.fields.len();
        let moved = entries.iter().map(|entry| Entry {
            first_field: (entry.first_field as usize - from + start) as u32,
            ..*entry
        });
        self.entries.extend(moved);
        self.fields.extend_from_slice(&other.fields[from..until]);
        Ok(())
    }

    /// Adds an entity and hands out its fields, zeroed, to be filled.
    ///
    /// # Errors
    /// [`Malformed`] where the view is full or `id` does not come after those already in it.
    pub(super) fn push(
        &mut self,
        id: EntityId,
        kind: usize,
        kinds: &[Kind],
    ) -> Result<&mut [u32], Malformed> {
        if self.entries.len() == ENTITIES_PER_VIEW_MAX {
            return Err(Malformed("snapshot: too many entities"));
        }
        if self.entries.last().is_some_and(|last| last.id >= id) {
            return Err(Malformed("snapshot: entity IDs out of order"));
        }
        let spec = kinds.get(kind).ok_or(Malformed("snapshot: no such kind"))?;
        let first = self.fields.len();
        self.entries.push(Entry { id, kind: kind as u8, first_field: first as u32 });
        self.fields.resize(first + spec.fields.len(), 0);
        Ok(&mut self.fields[first..])
    }
}

/// Reads the entities that follow a snapshot's head: `view` becomes what the client holds afterwards,
/// given what it held at the baseline the head names. `kinds` is the game's schema.
///
/// # Errors
/// [`Malformed`] where the bits are no snapshot of this codec; `view` is of no use then.
pub fn decode_entities(
    codec: CodecId,
    kinds: &[Kind],
    reader: BitReader<'_>,
    baseline: Option<&View>,
    view: &mut View,
) -> Result<(), Malformed> {
    match codec {
        CodecId::PLAIN => plain::decode_entities(kinds, reader, baseline, view),
        _ => Err(Malformed("snapshot: codec")),
    }
}
