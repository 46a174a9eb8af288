//! How shards and control hand over what goes into journals.
//!
//! Owns: the bounded queue's near end and its answer when there is no room. Must not know: what is
//! handed over, when it is written.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, TrySendError, unbounded};
use matchkeep_shared::ids::ShardId;

use crate::journal::{DurableTicks, Handover, JournalItem, Room};

/// A handle for handing over pieces of journals; clones share the room. No call waits for anything.
#[derive(Clone)]
pub struct JournalHandle {
    room: Room,
    items: Sender<Handover>,
    wakes: Wakes,
    calls_heard: u64,
    /// Whose it is, if a shard's.
    shard: Option<ShardId>,
}

/// How handles and the store's thread make each other look.
#[derive(Clone)]
pub(super) struct Wakes {
    /// Somebody waits for what was handed over.
    pub(super) urgent: Sender<()>,
    /// A shard handed over all it has.
    pub(super) complete: Sender<()>,
    /// Odd while a flush is about to be, and whoever has something hands it over; goes up when that changes.
    pub(super) calls: Arc<AtomicU64>,
    pub(super) listeners: Listeners,
}

/// Where shards hear what is durable. A shard that hears nothing hands over nothing: what waits there is bounded by
/// what may be on its way here.
pub(super) type Listeners = Arc<Mutex<Vec<(ShardId, Sender<DurableTicks>)>>>;

/// A piece that was not taken, as it came: keep it.
#[derive(Debug)]
pub enum NotTaken {
    /// There is no room: the disk is behind, or full. Hand it over again later, before anything else of
    /// its match.
    NoRoom(JournalItem),
    /// The store is closed, or broke.
    Closed(JournalItem),
}

impl JournalHandle {
    pub(super) fn new(room: Room, items: Sender<Handover>, wakes: Wakes) -> Self {
        Self { room, items, wakes, calls_heard: 0, shard: None }
    }

    /// A handle for a shard, and where it hears how far its matches are durable; nobody else is told of mere ticks.
    pub fn of_shard(&self, shard: ShardId) -> (Self, Receiver<DurableTicks>) {
        let (sender, told) = unbounded();
        let mut listeners = self.wakes.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|(before, _)| *before != shard);
        listeners.push((shard, sender));
        (Self { shard: Some(shard), ..self.clone() }, told)
    }

    /// Hands over a piece. What becomes of it is in the reports. Of a shard it waits until the shard says
    /// [`complete`](Self::complete).
    ///
    /// # Errors
    /// [`NotTaken`], with the piece.
    pub fn try_hand_over(&self, item: JournalItem) -> Result<(), NotTaken> {
        let is_urgent = item.entry.is_urgent();
        let handover = Handover::new(&self.room, item).map_err(NotTaken::NoRoom)?.by(self.shard);
        self.items.try_send(handover).map_err(|error| match error {
            TrySendError::Full(handover) => NotTaken::NoRoom(handover.into_item()),
            TrySendError::Disconnected(handover) => NotTaken::Closed(handover.into_item()),
        })?;
        if self.shard.is_none() {
            self.complete(is_urgent);
        }
        Ok(())
    }

    /// What was handed over is all for now. It is written at once where somebody waits for it.
    pub fn complete(&self, is_urgent: bool) {
        let wake = if is_urgent { &self.wakes.urgent } else { &self.wakes.complete };
        // One wake-up waits already, or the thread is gone: both are right.
        let _ = wake.try_send(());
    }

    /// Whether a flush is about to be, which was not when this handle was last asked: what is handed over now goes
    /// with it.
    pub fn is_called(&mut self) -> bool {
        let calls = self.wakes.calls.load(Ordering::Relaxed);
        !calls.is_multiple_of(2) && std::mem::replace(&mut self.calls_heard, calls) != calls
    }

    /// Bytes that are handed over and not durable.
    pub fn pending_bytes(&self) -> usize {
        self.room.used_bytes()
    }

    /// The most that may be pending, in bytes.
    pub fn pending_bytes_max(&self) -> usize {
        self.room.bytes_max()
    }
}

impl fmt::Debug for JournalHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JournalHandle({} bytes pending)", self.pending_bytes())
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::bounded;

    use super::*;

    #[test]
    fn a_call_is_heard_once_while_it_lasts_and_not_when_it_is_over() {
        let ((items, _), (urgent, _), (complete, _)) = (bounded(1), bounded(1), bounded(1));
        let calls = Arc::<AtomicU64>::default();
        let wakes = Wakes { urgent, complete, calls: calls.clone(), listeners: Arc::default() };
        let mut handle = JournalHandle::new(Room::new(1), items, wakes);
        let mut heard = |now| {
            calls.store(now, Ordering::Relaxed);
            [handle.is_called(), handle.is_called()]
        };
        assert_eq!(heard(0), [false, false], "there was none");
        assert_eq!(heard(1), [true, false]);
        assert_eq!(heard(2), [false, false], "it is over");
        assert_eq!(heard(4), [false, false], "as is one that was missed");
        assert_eq!(heard(5), [true, false]);
    }
}
