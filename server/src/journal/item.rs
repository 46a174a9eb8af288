//! What a match hands over for its journal.
//!
//! Owns: the shapes. Must not know: what the bytes mean.

use std::fmt;

use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::time::Tick;

use super::recover::Recovered;

/// One piece of one match's journal. Pieces of a match are handed over in order.
#[derive(Debug)]
pub struct JournalItem {
    /// Whose.
    pub match_id: MatchId,
    /// Under which epoch; for a claim, the one it asks for.
    pub epoch: Epoch,
    /// What.
    pub entry: Entry,
}

/// Appends a checkpoint's bytes, wherever it is called.
pub type Encode = Box<dyn FnOnce(&mut Vec<u8>) + Send>;

/// What a piece is.
pub enum Entry {
    /// A new match begins, under epoch 1.
    Begin {
        /// What its header carries.
        header: Vec<u8>,
        /// What its first claim carries.
        claim: Vec<u8>,
        /// When, in milliseconds of Unix time.
        unix_ms: u64,
    },
    /// A match goes on from what was recovered; what is damaged in it is set aside. The epoch must be one
    /// above [`Recovered::epoch`].
    Resume {
        /// From where.
        recovered: Box<Recovered>,
        /// What the claim carries.
        claim: Vec<u8>,
        /// When, in milliseconds of Unix time.
        unix_ms: u64,
    },
    /// A match that is written here already goes on under the next epoch, from the last tick handed over:
    /// after a panic, in the same process.
    Restart {
        /// What the claim carries.
        claim: Vec<u8>,
        /// When, in milliseconds of Unix time.
        unix_ms: u64,
    },
    /// What entered the match in these ticks. They go on from the last tick handed over.
    Frames {
        /// The first tick.
        first: Tick,
        /// The last tick.
        last: Tick,
        /// The frames, one behind the other, in a form that can be joined.
        bytes: Vec<u8>,
    },
    /// The state after the last tick handed over.
    Checkpoint {
        /// That tick.
        tick: Tick,
        /// About how long it will be, encoded, in bytes.
        bytes_hint: usize,
        /// Appends it. Runs on the writer's side.
        encode: Encode,
    },
    /// Evidence of something that went wrong.
    Incident {
        /// The tick it is about.
        tick: Tick,
        /// The evidence.
        bytes: Vec<u8>,
    },
    /// The result. Nothing of the match follows.
    Finish {
        /// The last tick, which was handed over.
        tick: Tick,
        /// The result.
        bytes: Vec<u8>,
        /// When, in milliseconds of Unix time.
        unix_ms: u64,
    },
    /// The match is no longer this node's: what was handed over before is written, then it is forgotten.
    Release,
}

impl Entry {
    /// The memory it takes, in bytes, near enough.
    pub(super) fn bytes(&self) -> usize {
        // What the head, the checksum and the places in queues take.
        const OVERHEAD_BYTES: usize = 256;
        let payload = match self {
            Self::Begin { header, claim, .. } => header.len() + claim.len(),
            Self::Resume { claim, .. } | Self::Restart { claim, .. } => claim.len(),
            Self::Checkpoint { bytes_hint, .. } => *bytes_hint,
            Self::Frames { bytes, .. }
            | Self::Incident { bytes, .. }
            | Self::Finish { bytes, .. } => bytes.len(),
            Self::Release => 0,
        };
        payload.saturating_add(OVERHEAD_BYTES)
    }

    /// Whether it begins an epoch.
    pub(super) fn is_claim(&self) -> bool {
        matches!(self, Self::Begin { .. } | Self::Resume { .. } | Self::Restart { .. })
    }

    /// Whether somebody waits for it: it is flushed at once.
    pub fn is_urgent(&self) -> bool {
        self.is_claim() || matches!(self, Self::Incident { .. } | Self::Finish { .. })
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin { .. } => f.write_str("Begin"),
            Self::Resume { recovered, .. } => write!(f, "Resume({})", recovered.tick()),
            Self::Restart { .. } => f.write_str("Restart"),
            Self::Frames { first, last, .. } => write!(f, "Frames({first}..={last})"),
            Self::Checkpoint { tick, .. } => write!(f, "Checkpoint({tick})"),
            Self::Incident { tick, .. } => write!(f, "Incident({tick})"),
            Self::Finish { tick, .. } => write!(f, "Finish({tick})"),
            Self::Release => f.write_str("Release"),
        }
    }
}
