//! Records on their way into a store: encoded, one behind the other, of many matches.
//!
//! Owns: the bytes and the heads together, so that a store needs no decoding and cannot be told one thing
//! and given another. Must not know: chains; only they make records.

use super::damage::Damage;
use super::record::{Head, RecordHash};

/// A record in a [`Batch`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sealed<'a> {
    /// Its head.
    pub head: &'a Head,
    /// All its bytes.
    pub bytes: &'a [u8],
    /// For a finish: when, in milliseconds of Unix time. For retention alone.
    pub ended_unix_ms: Option<u64>,
}

/// Encoded records in the order in which they are appended.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    records: Vec<Place>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Place {
    head: Head,
    end: usize,
    ended_unix_ms: Option<u64>,
}

impl Batch {
    /// The records, in order.
    pub fn iter(&self) -> impl Iterator<Item = Sealed<'_>> {
        let mut start = 0;
        self.records.iter().map(move |place| {
            let bytes = &self.bytes[start..place.end];
            start = place.end;
            Sealed { head: &place.head, bytes, ended_unix_ms: place.ended_unix_ms }
        })
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// All records together, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Takes all records out and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.records.clear();
    }

    /// Notes when the match of the last record ended.
    pub fn set_ended(&mut self, unix_ms: u64) {
        if let Some(last) = self.records.last_mut() {
            last.ended_unix_ms = Some(unix_ms);
        }
    }

    pub(super) fn push(
        &mut self,
        head: &Head,
        payload: impl FnOnce(&mut Vec<u8>),
    ) -> Result<RecordHash, Damage> {
        let hash = head.encode(payload, &mut self.bytes);
        let hash =
            hash.map_err(|bytes| Damage::TooLarge(u32::try_from(bytes).unwrap_or(u32::MAX)))?;
        self.records.push(Place { head: *head, end: self.bytes.len(), ended_unix_ms: None });
        Ok(hash)
    }
}
