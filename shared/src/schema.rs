//! How a game describes what its entities look like on the wire: kinds, and fields of so many bits.
//!
//! An entity is quantised once per tick into plain `u32`s, which all clients share. Replication works
//! on those alone and knows no game.

use crate::encoding::hash_bytes;

/// One field: its width on the wire and what its numbers mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field {
    /// The field's name, for tools and documents.
    pub name: &'static str,
    /// Its width, 1 to 32 bits.
    pub bits: u8,
    /// Where not 0: a change that fits so many bits (signed, modulo the width) is sent in them.
    pub small_bits: u8,
    /// The value that is sent as 0.
    pub origin: f32,
    /// The step between neighbouring values.
    pub step: f32,
}

impl Field {
    /// A whole number in `0..2^bits`.
    pub const fn uint(name: &'static str, bits: u8) -> Self {
        Self { name, bits, small_bits: 0, origin: 0.0, step: 1.0 }
    }

    /// A number from `origin` upwards in steps of `step`, in `2^bits` values.
    pub const fn number(name: &'static str, origin: f32, step: f32, bits: u8) -> Self {
        Self { name, bits, small_bits: 0, origin, step }
    }

    /// An angle in `2^bits` steps of a full turn; 0 is 0 degrees, values are degrees.
    pub const fn angle(name: &'static str, bits: u8) -> Self {
        Self { name, bits, small_bits: 0, origin: 0.0, step: 360.0 / (1_u64 << bits) as f32 }
    }

    /// The same field, with changes of up to `±2^(small_bits-1)` sent in `small_bits` bits.
    pub const fn small(mut self, small_bits: u8) -> Self {
        self.small_bits = small_bits;
        self
    }

    /// The largest value on the wire.
    pub const fn max(&self) -> u32 {
        u32::MAX >> (32 - self.bits as u32)
    }

    /// The nearest value on the wire; clamped to the field's range, 0 for what is not a number.
    pub fn quantise(&self, value: f32) -> u32 {
        let steps = (value - self.origin) / self.step;
        // `as` saturates and sends NaN to 0.
        ((steps + 0.5) as u32).min(self.max())
    }

    /// The middle of what `raw` stands for.
    pub fn dequantise(&self, raw: u32) -> f32 {
        self.origin + raw as f32 * self.step
    }
}

/// One kind of entity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kind {
    /// The kind's name, for tools and documents.
    pub name: &'static str,
    /// Its fields in the order of the wire.
    pub fields: &'static [Field],
}

/// What a client sees of an entity of the game. One enum per game, a variant for each kind.
///
/// `read(kind(), write())` gives back the entity within the quantisation; a test of yours should say so.
pub trait Entity: Sized + Clone + std::fmt::Debug + Send + 'static {
    /// All kinds, in the order of [`Entity::kind`]. At most [`crate::limits::KINDS_MAX`], each with at most
    /// [`crate::limits::FIELDS_PER_KIND_MAX`] fields.
    const KINDS: &'static [Kind];

    /// The index of this entity's kind in [`Entity::KINDS`].
    fn kind(&self) -> usize;

    /// Writes the quantised fields, in the kind's order, into `fields`; its length is theirs. Values
    /// wider than their field are cut.
    fn write(&self, fields: &mut [u32]);

    /// The entity of kind `kind` with these quantised fields; `None` where a value is none the game
    /// knows. `fields` has the kind's length and every value fits its field.
    fn read(kind: usize, fields: &[u32]) -> Option<Self>;
}

/// A fingerprint of the schema: client and server must agree on it bit for bit.
pub fn schema_hash(kinds: &[Kind]) -> u64 {
    let mut text = Vec::new();
    for kind in kinds {
        text.extend_from_slice(kind.name.as_bytes());
        text.push(0);
        for field in kind.fields {
            text.extend_from_slice(field.name.as_bytes());
            text.extend_from_slice(&[0, field.bits, field.small_bits]);
            text.extend_from_slice(&field.origin.to_le_bytes());
            text.extend_from_slice(&field.step.to_le_bytes());
        }
        text.push(1);
    }
    hash_bytes(&text)
}

/// Whether a schema keeps within the bounds. Checked when a server or client is made for a game.
///
/// # Panics
/// Where it does not: a defect of the game, named.
pub fn check_schema(kinds: &[Kind]) {
    use crate::limits::{FIELDS_PER_KIND_MAX, KINDS_MAX};
    assert!(!kinds.is_empty() && kinds.len() <= KINDS_MAX, "a game has 1 to {KINDS_MAX} kinds");
    for kind in kinds {
        assert!(kind.fields.len() <= FIELDS_PER_KIND_MAX, "kind {}: too many fields", kind.name);
        for field in kind.fields {
            let sound = (1..=32).contains(&field.bits)
                && field.small_bits < field.bits
                && field.step > 0.0
                && field.origin.is_finite();
            assert!(sound, "kind {}: field {} is not sound", kind.name, field.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantising_clamps_and_comes_back_within_half_a_step() {
        let field = Field::number("x", -100.0, 0.125, 12);
        for value in [-100.0, -3.06, 0.0, 7.7, 400.0] {
            assert!((field.dequantise(field.quantise(value)) - value).abs() <= 0.0626);
        }
        assert_eq!(field.quantise(-1e9), 0);
        assert_eq!(field.quantise(1e9), field.max());
        assert_eq!(field.quantise(f32::NAN), 0);
    }

    #[test]
    fn the_hash_sees_every_part_of_a_schema() {
        const A: Field = Field::uint("health", 8);
        let hash = |field: Field| {
            let fields: &'static [Field] = Box::leak(vec![field].into_boxed_slice());
            schema_hash(&[Kind { name: "player", fields }])
        };
        let all = [
            hash(A),
            hash(Field { bits: 9, ..A }),
            hash(A.small(3)),
            hash(Field { name: "armour", ..A }),
            hash(Field { step: 2.0, ..A }),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b));
        }
    }
}
