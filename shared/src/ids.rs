//! Identities, one newtype each, and how a person writes them.

use std::fmt;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits::PLAYERS_PER_MATCH_MAX;

/// Names one match for ever. Random, so that nobody can guess a neighbour's; written as 13 characters
/// of Crockford's base 32.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MatchId(pub u64);

/// Names one player account for ever. Given out by the store, counting from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlayerId(pub u64);

/// Raised by one each time a match is restarted (process restart, panic, move to another owner).
/// The first is 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Epoch(pub u32);

/// Names one shard of a node, counting from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ShardId(pub u16);

/// A place in a match, `0..players_max`. A place is one player's from join to leave, and is then given
/// to somebody else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Slot(pub u8);

/// Names a replicated entity within its match. A game counts up, so that no client takes one entity for
/// another that came after it.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct EntityId(pub u32);

impl Slot {
    /// The slot as an index into per-player arrays.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A set of slots; small enough to copy. In JSON it is `"all"` or a list of slots: a number of 128 bits is
/// more than most readers of JSON take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SlotSet(u128);

impl Serialize for SlotSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_u128(self.0);
        }
        if *self == Self::ALL {
            return serializer.serialize_str("all");
        }
        serializer.collect_seq((0..128).map(Slot).filter(|slot| self.contains(*slot)))
    }
}

impl<'de> Deserialize<'de> for SlotSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(String),
            Slots(#[serde(deserialize_with = "crate::encoding::list")] Vec<Slot>),
        }

        if !deserializer.is_human_readable() {
            return u128::deserialize(deserializer).map(Self);
        }
        match Form::deserialize(deserializer)? {
            Form::Slots(slots) => Ok(slots.into_iter().fold(Self::EMPTY, Self::with)),
            Form::Text(text) if text == "all" => Ok(Self::ALL),
            Form::Text(_) => Err(D::Error::custom("expected `all` or a list of slots")),
        }
    }
}

// The set is one bit per slot.
const _: () = assert!(PLAYERS_PER_MATCH_MAX <= 128);

impl SlotSet {
    /// No slot at all.
    pub const EMPTY: Self = Self(0);
    /// Every slot.
    pub const ALL: Self = Self(u128::MAX);

    /// The set of one slot.
    pub fn one(slot: Slot) -> Self {
        Self(1 << (u32::from(slot.0) & 127))
    }

    /// This set and one slot more.
    #[must_use]
    pub fn with(self, slot: Slot) -> Self {
        Self(self.0 | Self::one(slot).0)
    }

    /// Whether the slot is in the set.
    pub fn contains(self, slot: Slot) -> bool {
        self.0 & Self::one(slot).0 != 0
    }

    /// Whether no slot is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// For `#[serde(with)]`: a match's ID as text, in JSON too. JavaScript's numbers are too short for it.
pub mod match_id_text {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::MatchId;

    /// Writes the ID as a person does.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(id: &MatchId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    /// Reads what [`serialize`] wrote.
    ///
    /// # Errors
    /// Where it is no ID.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MatchId, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Crockford's base 32: no I, L, O or U, so that an ID can be read out loud.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const MATCH_ID_CHARS: usize = 13;

impl fmt::Display for MatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; MATCH_ID_CHARS];
        for (i, c) in text.iter_mut().rev().enumerate() {
            *c = DIGITS[(self.0 >> (5 * i)) as usize & 31];
        }
        f.pad(std::str::from_utf8(&text).expect("the digits are ASCII"))
    }
}

impl fmt::Debug for MatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MatchId({self})")
    }
}

/// A text that is no match ID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a match ID: expected 13 characters of 0-9 and a-z without i, l, o and u")]
pub struct ParseMatchIdError(String);

impl FromStr for MatchId {
    type Err = ParseMatchIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseMatchIdError(text.chars().take(40).collect());
        if text.len() != MATCH_ID_CHARS {
            return Err(error());
        }
        let mut value: u64 = 0;
        for c in text.bytes() {
            let digit = DIGITS.iter().position(|d| *d == c.to_ascii_lowercase());
            let digit = digit.ok_or_else(error)? as u64;
            value = value.checked_mul(32).ok_or_else(error)? | digit;
        }
        Ok(Self(value))
    }
}

impl fmt::Display for PlayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn match_ids_read_back_as_written() {
        for id in [0, 1, 31, 32, u64::MAX, 0x0123_4567_89ab_cdef] {
            let text = MatchId(id).to_string();
            assert_eq!(text.len(), MATCH_ID_CHARS);
            assert_eq!(text.parse(), Ok(MatchId(id)));
            assert_eq!(text.to_uppercase().parse(), Ok(MatchId(id)));
        }
    }

    #[test]
    fn what_is_no_match_id_is_refused() {
        for text in
            ["", "0", "zzzzzzzzzzzzz", "000000000000i", "00000000000000", "000000000000\u{e9}"]
        {
            assert!(text.parse::<MatchId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_slot_set_holds_the_first_and_the_last_slot() {
        let set = SlotSet::one(Slot(0)).with(Slot(127));
        assert!(set.contains(Slot(0)) && set.contains(Slot(127)) && !set.contains(Slot(1)));
    }
}
