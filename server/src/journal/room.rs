//! Room for what is not durable yet.
//!
//! Owns: the count of bytes that are handed over and not durable, shared by everyone who hands over, and
//! a piece together with the room it takes. Must not know: what the bytes are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use matchkeep_shared::ids::ShardId;

use super::item::JournalItem;

/// A bounded number of bytes; clones share it.
#[derive(Clone, Debug)]
pub struct Room(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bytes_max: usize,
    used: AtomicUsize,
}

/// Bytes taken out of a [`Room`], given back when dropped.
#[derive(Debug)]
pub struct Permit {
    room: Room,
    bytes: usize,
}

/// A piece on its way to the writer, with the room it takes.
#[derive(Debug)]
pub struct Handover {
    item: JournalItem,
    permit: Permit,
    shard: Option<ShardId>,
}

impl Handover {
    /// Takes room for a piece; gives it back where there is none: keep it and come again.
    ///
    /// # Errors
    /// The piece as it came.
    pub fn new(room: &Room, item: JournalItem) -> Result<Self, JournalItem> {
        match room.take(item.entry.bytes()) {
            Some(permit) => Ok(Self { item, permit, shard: None }),
            None => Err(item),
        }
    }

    /// By the shard that the match is on: it hears of what is durable.
    #[must_use]
    pub fn by(self, shard: Option<ShardId>) -> Self {
        Self { shard, ..self }
    }

    /// The piece.
    pub fn item(&self) -> &JournalItem {
        &self.item
    }

    pub(super) fn into_parts(self) -> (JournalItem, Permit, Option<ShardId>) {
        (self.item, self.permit, self.shard)
    }

    /// The piece without its room.
    pub fn into_item(self) -> JournalItem {
        self.item
    }
}

impl Room {
    /// Room for so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self(Arc::new(Inner { bytes_max, used: AtomicUsize::new(0) }))
    }

    /// Takes `bytes` out; `None` where there is less. What is larger than the whole room gets all of it,
    /// once that is empty: it would wait for ever otherwise.
    pub fn take(&self, bytes: usize) -> Option<Permit> {
        let bytes = bytes.min(self.0.bytes_max);
        let fits = |used: usize| {
            let after = used + bytes;
            (after <= self.0.bytes_max).then_some(after)
        };
        // Nothing else is published through the counter.
        let taken = self.0.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        taken.ok().map(|_| Permit { room: self.clone(), bytes })
    }

    /// Bytes taken.
    pub fn used_bytes(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Bytes in all.
    pub fn bytes_max(&self) -> usize {
        self.0.bytes_max
    }
}

impl Permit {
    /// Takes in another permit of the same room.
    pub(super) fn join(&mut self, mut other: Permit) {
        self.bytes += other.bytes;
        other.bytes = 0;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.room.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back_once() {
        let room = Room::new(10);
        let mut first = room.take(6).expect("empty");
        assert!(room.take(5).is_none());
        let second = room.take(4).expect("it fits");
        first.join(second);
        assert_eq!(room.used_bytes(), 10);
        drop(first);
        assert_eq!(room.used_bytes(), 0);
        assert!(room.take(1000).is_some(), "larger than the room, which is empty");
        assert_eq!(room.used_bytes(), 0);
    }
}
