//! From a shard's matches to the pieces that the journal takes, and when it gets them.

use std::time::{Duration, Instant};

use matchkeep_shared::Game;
use matchkeep_shared::limits::JOURNAL_FLUSH;

use super::core::Core;
use crate::journal::{Entry, JournalItem};
use crate::matches::recorder::{JournalBatch, JournalItemKind};

/// How much longer frames lie until the shard wakes for them alone: with players there it has long made a pass.
const LINGER: Duration = Duration::from_millis(2);
/// When it is tried again to hand over what there was no room for.
const AGAIN: Duration = Duration::from_millis(8);

/// When the journal gets what matches have for it.
#[derive(Debug, Default)]
pub struct HandOver {
    waits: Option<Waits>,
    /// Something was taken of a round that is not over.
    owes: bool,
}

#[derive(Clone, Copy, Debug)]
struct Waits {
    /// A pass from then on hands over.
    due: Instant,
    /// There is a pass then, whatever else is to do.
    latest: Instant,
    /// There was no room: before it is due nothing is tried, however urgent.
    is_blocked: bool,
}

impl HandOver {
    /// When it is to be run again at the latest, where something waits.
    pub fn wake(&self) -> Option<Instant> {
        self.waits.map(|waits| waits.latest)
    }

    /// Gives the journal what matches have for it, once that has gathered long enough, is urgent, or is wanted at
    /// once: all matches in one go, as far as a pass has time for it. Where `take` has no room that is tried again,
    /// and matches keep what comes meanwhile. Says whether what was taken is all for now.
    pub fn run<G: Game>(
        &mut self,
        now: Instant,
        now_unix_ms: u64,
        core: &mut Core<G>,
        at_once: bool,
        take: impl FnMut(JournalItem) -> bool,
    ) -> bool {
        if !core.has_for_journal() {
            self.waits = None;
            return false;
        }
        let due = now + JOURNAL_FLUSH;
        let first = Waits { due, latest: due + LINGER, is_blocked: false };
        let waits = *self.waits.get_or_insert(first);
        let is_wanted = !waits.is_blocked && (at_once || core.outgoing().is_urgent());
        if now < waits.due && !is_wanted {
            return false;
        }
        let is_all = core.gather();
        let waited = core.outgoing().items.len();
        hand_over(core.outgoing_mut(), now_unix_ms, take);
        let left = core.outgoing().items.len();
        let is_blocked = left > 0;
        let again = match (is_blocked, is_all) {
            (true, _) => Some(now + AGAIN),
            // The rest in the next pass, which looks first at what else is due.
            (false, false) => Some(now),
            (false, true) => None,
        };
        self.waits = again.map(|at| Waits { due: at, latest: at, is_blocked });
        self.owes |= left < waited;
        // Where there was no room the store must write to make some.
        let is_complete = self.owes && (is_blocked || is_all);
        self.owes &= !is_complete;
        is_complete
    }
}

/// Gives the journal what is in the batch, in order, until `take` has no room for one; what it took is out
/// of the batch then.
fn hand_over(
    batch: &mut JournalBatch,
    now_unix_ms: u64,
    mut take: impl FnMut(JournalItem) -> bool,
) {
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
    } else {
        // The disk is behind.
        batch.drop_first(taken);
    }
}
