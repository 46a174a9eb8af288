//! How shards and control hand over what goes into journals.
//!
//! Owns: the bounded queue's near end and its answer when there is no room. Must not know: what is
//! handed over, when it is written.

use std::fmt;

use crossbeam_channel::{Sender, TrySendError};

use crate::journal::{Handover, JournalItem, Room};

/// A handle for handing over pieces of journals; clones share the room. No call waits for anything.
#[derive(Clone)]
pub struct JournalHandle {
    room: Room,
    items: Sender<Handover>,
    urgent: Sender<()>,
}

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
    pub(super) fn new(room: Room, items: Sender<Handover>, urgent: Sender<()>) -> Self {
        Self { room, items, urgent }
    }

    /// Hands over a piece. What becomes of it is in the reports.
    ///
    /// # Errors
    /// [`NotTaken`], with the piece.
    pub fn try_hand_over(&self, item: JournalItem) -> Result<(), NotTaken> {
        let is_urgent = item.entry.is_urgent();
        let handover = Handover::new(&self.room, item).map_err(NotTaken::NoRoom)?;
        self.items.try_send(handover).map_err(|error| match error {
            TrySendError::Full(handover) => NotTaken::NoRoom(handover.into_item()),
            TrySendError::Disconnected(handover) => NotTaken::Closed(handover.into_item()),
        })?;
        if is_urgent {
            // One wake-up waits already, or the thread is gone: both are right.
            let _ = self.urgent.try_send(());
        }
        Ok(())
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
