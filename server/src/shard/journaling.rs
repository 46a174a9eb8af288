//! From a shard's batch of frames to the pieces that the journal takes.

use crate::journal::{Entry, JournalItem};
use crate::matches::recorder::{JournalBatch, JournalItemKind};

/// Gives the journal what is in the batch, in order, until `take` has no room for one; what it took is out
/// of the batch then. Says whether it took all.
pub fn hand_over(
    batch: &mut JournalBatch,
    now_unix_ms: u64,
    mut take: impl FnMut(JournalItem) -> bool,
) -> bool {
    let taken = batch.items.iter().take_while(|item| {
        let bytes = batch.bytes[item.range.clone()].to_vec();
        let entry = match item.kind {
            JournalItemKind::Frames => Entry::Frames { first: item.first, last: item.last, bytes },
            JournalItemKind::Checkpoint => Entry::Checkpoint {
                tick: item.last,
                bytes_hint: bytes.len(),
                encode: Box::new(move |out| out.extend_from_slice(&bytes)),
            },
            JournalItemKind::Finish => {
                Entry::Finish { tick: item.last, bytes, unix_ms: now_unix_ms }
            }
        };
        take(JournalItem { match_id: item.match_id, epoch: item.epoch, entry })
    });
    let taken = taken.count();
    if taken == batch.items.len() {
        batch.clear();
        return true;
    }
    // The disk is behind: the bytes stay where they are until all of them are gone.
    batch.items.drain(..taken);
    false
}
