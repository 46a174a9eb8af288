//! The plain snapshot codec: bit-packed, only what changed, no entropy coding.
//!
//! After the head come, for each entity of the baseline in ascending order of IDs, one operation:
//!
//! ```text
//! 0                 keep      as it was
//! 1 0  changes      update    the fields that changed
//! 1 1 0             remove    gone, or out of sight
//! 1 1 1  kind all   replace   all fields anew
//! ```
//!
//! then, for each entity that is new to the client, `1`, how far its ID lies after the previous new one
//! (varint), its kind and all fields; and a `0` at the end. A decoded view is ordered by ID, so new and
//! old entities are merged.
//!
//! *changes*: for each field `0` where it is as it was, else `1` and its value: in all its bits, or,
//! where the field has a small form, `1` and the difference (signed, modulo the field's width) or `0`
//! and all its bits.

use super::Malformed;
use super::bits::{BitReader, BitWriter};
use super::codec::View;
use crate::ids::EntityId;
use crate::limits::ENTITIES_PER_VIEW_MAX;
use crate::schema::{Field, Kind};

/// Bits of an entity that is kept.
pub const KEEP_BITS: usize = 1;
/// Bits of an entity that is removed.
pub const REMOVE_BITS: usize = 3;
/// Bits in front of an entity that is replaced.
pub const REPLACE_TAG_BITS: usize = 3;
/// Bits at the end.
pub const END_BITS: usize = 1;

/// The width of a kind's index.
pub fn kind_bits(kinds: &[Kind]) -> u32 {
    usize::BITS - (kinds.len() - 1).leading_zeros()
}

/// Writes that so many entities in a row are kept.
pub fn write_keeps(mut count: usize, w: &mut BitWriter<'_>) {
    const AT_ONCE: usize = 56 / KEEP_BITS;
    while count > 0 {
        let now = count.min(AT_ONCE);
        w.write(0, (now * KEEP_BITS) as u32);
        count -= now;
    }
}

/// Writes that an entity is removed.
pub fn write_remove(w: &mut BitWriter<'_>) {
    w.write(0b011, 3);
}

/// Writes what changed in an entity, tag included; `old` and `new` have the kind's length.
pub fn write_update(fields: &[Field], old: &[u32], new: &[u32], w: &mut BitWriter<'_>) {
    w.write(0b01, 2);
    for ((field, old), new) in fields.iter().zip(old).zip(new) {
        if old == new {
            w.flag(false);
            continue;
        }
        let bits = u32::from(field.bits);
        if field.small_bits == 0 {
            w.write(u64::from(*new) << 1 | 1, bits + 1);
            continue;
        }
        let small = u32::from(field.small_bits);
        // The difference modulo the width, moved so that the small ones are 0..2^small.
        let moved = new.wrapping_sub(*old).wrapping_add(1 << (small - 1)) & field.max();
        if moved >> small == 0 {
            w.write(u64::from(moved) << 2 | 0b11, small + 2);
        } else {
            w.write(u64::from(*new) << 2 | 0b01, bits + 2);
        }
    }
}

fn read_update(
    fields: &[Field],
    old: &[u32],
    new: &mut [u32],
    r: &mut BitReader<'_>,
) -> Result<(), Malformed> {
    for ((field, old), new) in fields.iter().zip(old).zip(new) {
        *new = *old;
        if !r.flag()? {
            continue;
        }
        *new = if field.small_bits > 0 && r.flag()? {
            let moved = r.read(field.small_bits.into())? as u32;
            let half = 1 << (field.small_bits - 1);
            old.wrapping_add(moved).wrapping_sub(half) & field.max()
        } else {
            r.read(field.bits.into())? as u32
        };
    }
    Ok(())
}

/// Writes that an entity of the baseline is as follows anew; [`write_whole`] must follow.
pub fn write_replace_tag(w: &mut BitWriter<'_>) {
    w.write(0b111, 3);
}

/// Writes that an entity is new to the client; [`write_whole`] must follow. `previous` is the new one
/// before it in this datagram; new ones come in ascending order.
pub fn write_create_tag(previous: Option<EntityId>, id: EntityId, w: &mut BitWriter<'_>) {
    w.flag(true);
    w.varint(id.0.wrapping_sub(previous.map_or(0, |p| p.0)));
}

/// The most bits [`write_create_tag`] takes for this entity, whichever one is before it.
pub fn create_tag_bits_max(id: EntityId) -> usize {
    let groups = (u32::BITS - id.0.leading_zeros()).div_ceil(4).max(1);
    1 + 5 * groups as usize
}

/// Writes that no more new entities follow.
pub fn write_end(w: &mut BitWriter<'_>) {
    w.flag(false);
}

/// Writes an entity's kind and all its fields.
pub fn write_whole(kinds: &[Kind], kind: usize, new: &[u32], w: &mut BitWriter<'_>) {
    w.write(kind as u64, kind_bits(kinds));
    for (field, value) in kinds[kind].fields.iter().zip(new) {
        w.write((*value).into(), field.bits.into());
    }
}

fn read_whole(
    kinds: &[Kind],
    id: EntityId,
    r: &mut BitReader<'_>,
    view: &mut View,
) -> Result<(), Malformed> {
    let kind = r.read(kind_bits(kinds))? as usize;
    let new = view.push(id, kind, kinds)?;
    for (field, value) in kinds[kind].fields.iter().zip(new) {
        *value = r.read(field.bits.into())? as u32;
    }
    Ok(())
}

/// See [`super::codec::decode_entities`].
pub(super) fn decode_entities(
    kinds: &[Kind],
    mut r: BitReader<'_>,
    baseline: Option<&View>,
    view: &mut View,
) -> Result<(), Malformed> {
    // Mostly nothing is new, and one pass over the old ones is all.
    let mut old = r.clone();
    view.clear();
    if let Some(baseline) = baseline {
        let mut next = 0;
        while next < baseline.len() {
            // Many in a row are as they were.
            let kept = old.take_zeros(baseline.len() - next);
            view.extend_from(baseline, next, kept)?;
            next += kept;
            if next < baseline.len() {
                read_operation(kinds, baseline, next, &mut old, view)?;
                next += 1;
            }
        }
    }
    if !old.flag()? {
        return old.finish();
    }
    view.clear();
    // The new entities stand after the operations on old ones, but the view is ordered by ID: a second
    // reader runs ahead to the new ones, and the two are merged.
    let old_count = baseline.map_or(0, View::len);
    let mut created = r.clone();
    for i in 0..old_count {
        let baseline = baseline.expect("its length is not 0");
        skip_operation(kinds, baseline.entity(i, kinds).1, &mut created)?;
    }
    let mut next_created = next_id(&mut created, None)?;
    for i in 0..old_count {
        let (id, ..) = baseline.expect("its length is not 0").entity(i, kinds);
        while let Some(new_id) = next_created.filter(|new_id| *new_id < id) {
            read_whole(kinds, new_id, &mut created, view)?;
            next_created = next_id(&mut created, Some(new_id))?;
        }
        read_operation(kinds, baseline.expect("its length is not 0"), i, &mut r, view)?;
    }
    while let Some(new_id) = next_created {
        read_whole(kinds, new_id, &mut created, view)?;
        next_created = next_id(&mut created, Some(new_id))?;
    }
    created.finish()
}

/// Reads what became of the entity at `index` of the baseline.
fn read_operation(
    kinds: &[Kind],
    baseline: &View,
    index: usize,
    r: &mut BitReader<'_>,
    view: &mut View,
) -> Result<(), Malformed> {
    let (id, kind, old) = baseline.entity(index, kinds);
    if !r.flag()? {
        view.push(id, kind, kinds)?.copy_from_slice(old);
    } else if !r.flag()? {
        read_update(kinds[kind].fields, old, view.push(id, kind, kinds)?, r)?;
    } else if r.flag()? {
        read_whole(kinds, id, r, view)?;
    }
    Ok(())
}

/// The ID of the next new entity, where one follows.
fn next_id(
    r: &mut BitReader<'_>,
    previous: Option<EntityId>,
) -> Result<Option<EntityId>, Malformed> {
    if !r.flag()? {
        return Ok(None);
    }
    let id = previous.map_or(0, |p| p.0).checked_add(r.varint()?);
    id.map(|id| Some(EntityId(id))).ok_or(Malformed("snapshot: entity ID"))
}

fn skip_operation(kinds: &[Kind], kind: usize, r: &mut BitReader<'_>) -> Result<(), Malformed> {
    if !r.flag()? {
        return Ok(());
    }
    if r.flag()? {
        if !r.flag()? {
            return Ok(());
        }
        let kind = r.read(kind_bits(kinds))? as usize;
        let kind = kinds.get(kind).ok_or(Malformed("snapshot: no such kind"))?;
        for field in kind.fields {
            r.read(field.bits.into())?;
        }
        return Ok(());
    }
    for field in kinds[kind].fields {
        if r.flag()? {
            let small = field.small_bits > 0 && r.flag()?;
            r.read(if small { field.small_bits } else { field.bits }.into())?;
        }
    }
    Ok(())
}

// A datagram always has room for what cannot be left out.
const _: () = assert!(
    ENTITIES_PER_VIEW_MAX * REMOVE_BITS / 8 < crate::limits::DATAGRAM_BYTES_MIN / 2,
    "removing every entity a client holds must fit into the smallest datagram"
);
