//! From a shard's batch of frames to the pieces that the journal takes, and when it gets them.

use std::time::{Duration, Instant};

use crate::journal::{Entry, JournalItem};
use crate::matches::recorder::{JournalBatch, JournalItemKind};

/// How long frames gather before the journal gets them: one message for many ticks of many matches.
const GATHER: Duration = Duration::from_millis(8);
/// How much longer they lie until the shard wakes for them alone: with players there it has long made a pass.
const LINGER: Duration = Duration::from_millis(4);

/// When the journal gets what matches have for it.
#[derive(Debug, Default)]
pub struct HandOver {
    due: Option<Instant>,
}

impl HandOver {
    /// When it is to be run again at the latest, where something waits.
    pub fn wake(&self) -> Option<Instant> {
        self.due.map(|due| due + LINGER)
    }

    /// Gives the journal what is in the batch once it has gathered long enough, is urgent, or is wanted at
    /// once. Where `take` has no room that is tried again, and matches keep what comes meanwhile.
    pub fn run(
        &mut self,
        now: Instant,
        now_unix_ms: u64,
        batch: &mut JournalBatch,
        at_once: bool,
        take: impl FnMut(JournalItem) -> bool,
    ) {
        if batch.is_empty() {
            self.due = None;
            return;
        }
        let due = *self.due.get_or_insert(now + GATHER);
        if now < due && !at_once && !batch.is_urgent() {
            return;
        }
        let is_done = hand_over(batch, now_unix_ms, take);
        self.due = (!is_done).then_some(now + GATHER);
    }
}

/// Gives the journal what is in the batch, in order, until `take` has no room for one; what it took is out
/// of the batch then. Says whether it took all.
fn hand_over(
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
    // The disk is behind.
    batch.drop_first(taken);
    false
}
