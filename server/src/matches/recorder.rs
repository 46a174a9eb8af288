//! What a match has to be rebuilt from, in memory: its newest checkpoint and every frame since.
//!
//! Owns: those bytes, and how far they have been handed over to the journal. A match that panics is replayed
//! from here, so that nothing is lost that was not yet written. Must not know: games, and who writes.
//!
//! Checkpoints are encoded here, on the shard, into memory that is used again and again: a state of 20 KB
//! takes 10 us once in five seconds, less than a copy that must be allocated and freed elsewhere.

use std::ops::Range;

use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::limits::{
    CHECKPOINT_BYTES_MAX, FRAMES_IN_MEMORY_BYTES_MAX, JOURNAL_BATCH_BYTES_MAX,
    JOURNAL_BATCH_ITEMS_MAX,
};
use matchkeep_shared::time::Tick;

/// Frames and checkpoints on their way to the journal, of all the matches of a shard.
#[derive(Debug, Default)]
pub struct JournalBatch {
    /// What there is, in order.
    pub items: Vec<JournalItem>,
    /// The bytes of all items.
    pub bytes: Vec<u8>,
    is_urgent: bool,
}

/// A part of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalItem {
    /// Whose.
    pub match_id: MatchId,
    /// Written under this epoch.
    pub epoch: Epoch,
    /// What it is.
    pub kind: JournalItemKind,
    /// The first tick it covers.
    pub first: Tick,
    /// The last one.
    pub last: Tick,
    /// Where its bytes are in the batch.
    pub range: Range<usize>,
}

/// What a part of a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalItemKind {
    /// The frames of one or more ticks.
    Frames,
    /// The state after a tick.
    Checkpoint,
    /// The result; nothing of the match follows.
    Finish,
}

impl JournalBatch {
    /// Whether a shard should rather wait until this one is gone.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= JOURNAL_BATCH_BYTES_MAX || self.items.len() >= JOURNAL_BATCH_ITEMS_MAX
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether somebody waits for something in it. Asked in every pass of a shard.
    pub fn is_urgent(&self) -> bool {
        self.is_urgent
    }

    /// Adds a part whose bytes `write` appends.
    pub fn push(
        &mut self,
        (match_id, epoch): (MatchId, Epoch),
        kind: JournalItemKind,
        (first, last): (Tick, Tick),
        write: impl FnOnce(&mut Vec<u8>),
    ) -> &[u8] {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let range = start..self.bytes.len();
        self.is_urgent |= kind == JournalItemKind::Finish;
        self.items.push(JournalItem { match_id, epoch, kind, first, last, range: range.clone() });
        &self.bytes[range]
    }

    /// Somebody waits for what is in it, if anything.
    pub fn hurry(&mut self) {
        self.is_urgent = !self.is_empty();
    }

    /// Forgets the first `count` parts; their bytes stay until all are gone.
    pub fn drop_first(&mut self, count: usize) {
        self.items.drain(..count);
    }

    /// Forgets all, keeps the memory.
    pub fn clear(&mut self) {
        self.items.clear();
        self.bytes.clear();
        self.is_urgent = false;
    }
}

/// The memory of one match.
#[derive(Clone, Debug)]
pub struct Recorder {
    /// The newest checkpoint; none where the match began a moment ago.
    checkpoint: Option<Tick>,
    checkpoint_bytes: Vec<u8>,
    /// Every frame after that.
    frames: Vec<u8>,
    /// How much of them is handed over.
    handed_bytes: usize,
    handed_to: Tick,
    /// The last frame's tick.
    newest: Tick,
    next_checkpoint: Tick,
    checkpoint_every: u64,
}

impl Recorder {
    /// For a match that goes on from `base`: a checkpoint with the frames after it, all of them in the
    /// journal. `checkpoint_every` is in ticks.
    pub fn new(base: Base, newest: Tick, checkpoint_every: u64, phase: u64) -> Self {
        let since = base.checkpoint.unwrap_or(Tick(0));
        // Different matches take their checkpoints at different ticks.
        let wait = checkpoint_every - (since.0 + phase) % checkpoint_every;
        Self {
            checkpoint: base.checkpoint,
            checkpoint_bytes: base.checkpoint_bytes,
            handed_bytes: base.frames.len(),
            frames: base.frames,
            handed_to: newest,
            newest,
            next_checkpoint: since + wait,
            checkpoint_every,
        }
    }

    /// Where the next frame is written; it becomes part of the recording by [`Recorder::note`].
    pub fn frames_mut(&mut self) -> &mut Vec<u8> {
        &mut self.frames
    }

    /// The frame of this tick was written.
    pub fn note(&mut self, tick: Tick) {
        debug_assert_eq!(tick, self.newest + 1, "frames follow each other");
        self.newest = tick;
    }

    /// Whether the state as it is now is to be written down, before anything enters it.
    pub fn checkpoint_is_due(&self) -> bool {
        self.newest >= self.next_checkpoint
    }

    /// Whether so much waits for the journal that the match must not go on.
    pub fn is_full(&self) -> bool {
        self.frames.len() - self.handed_bytes >= FRAMES_IN_MEMORY_BYTES_MAX
    }

    /// Hands over what is new; `encode` appends the state as it was after the newest frame, where nothing has
    /// entered since. A batch that is full takes nothing: what is here stays here until the next time.
    pub fn hand_over(
        &mut self,
        whose: (MatchId, Epoch),
        batch: &mut JournalBatch,
        encode: Option<impl FnOnce(&mut Vec<u8>)>,
    ) {
        if batch.is_full() {
            return;
        }
        if self.newest > self.handed_to {
            let ticks = (self.handed_to + 1, self.newest);
            let new = &self.frames[self.handed_bytes..];
            batch.push(whose, JournalItemKind::Frames, ticks, |out| out.extend_from_slice(new));
            self.handed_bytes = self.frames.len();
            self.handed_to = self.newest;
        }
        if let Some(encode) = encode
            && self.checkpoint_is_due()
        {
            self.next_checkpoint = self.next_checkpoint + self.checkpoint_every;
            let at = (self.newest, self.newest);
            let bytes = batch.push(whose, JournalItemKind::Checkpoint, at, encode);
            if bytes.len() > CHECKPOINT_BYTES_MAX {
                // The journal leaves it out, and says so; the match is rebuilt from the one before.
                return;
            }
            self.checkpoint = Some(self.newest);
            self.checkpoint_bytes.clear();
            self.checkpoint_bytes.extend_from_slice(bytes);
            self.frames.clear();
            self.handed_bytes = 0;
        }
    }

    /// Whether nothing waits to be handed over.
    pub fn is_handed_over(&self) -> bool {
        self.handed_to == self.newest
    }

    /// Takes the recording apart, to rebuild the match from it.
    pub fn into_base(self) -> Base {
        Base {
            checkpoint: self.checkpoint,
            checkpoint_bytes: self.checkpoint_bytes,
            frames: self.frames,
        }
    }
}

/// What a match is rebuilt from.
#[derive(Clone, Debug, Default)]
pub struct Base {
    /// The tick of the checkpoint; `None`: from the beginning.
    pub checkpoint: Option<Tick>,
    /// Its bytes.
    pub checkpoint_bytes: Vec<u8>,
    /// Every frame after it.
    pub frames: Vec<u8>,
}
