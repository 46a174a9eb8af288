//! Where a shard's thread and the store's meet.
//!
//! Owns: what of the store's answers is room for a shard, and whether somebody waits. Must not know: games, records.

use crossbeam_channel::Receiver;
use matchkeep_shared::ids::ShardId;

use crate::journal::{DurableTicks, JournalItem};
use crate::shard::thread::JournalQueue;
use crate::store::{JournalHandle, NotTaken};

/// A shard's way into the journal.
pub(super) struct ShardJournal {
    handle: JournalHandle,
    told: Receiver<DurableTicks>,
    /// Somebody waits for a piece that was taken.
    is_urgent: bool,
}

impl ShardJournal {
    pub(super) fn new(journal: &JournalHandle, shard: ShardId) -> Self {
        let (handle, told) = journal.of_shard(shard);
        Self { handle, told, is_urgent: false }
    }
}

impl JournalQueue for ShardJournal {
    fn take(&mut self, item: JournalItem) -> bool {
        self.is_urgent |= item.entry.is_urgent();
        match self.handle.try_hand_over(item) {
            Ok(()) => true,
            Err(NotTaken::NoRoom(_)) => false,
            // It broke, and control ends the process; or it is closed, after everything.
            Err(NotTaken::Closed(_)) => true,
        }
    }

    fn complete(&mut self) {
        self.handle.complete(std::mem::take(&mut self.is_urgent));
    }

    fn is_called(&mut self) -> bool {
        self.handle.is_called()
    }

    fn durable(&mut self) -> Option<DurableTicks> {
        self.told.try_recv().ok()
    }
}
