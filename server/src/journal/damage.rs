//! What can be wrong with a record.
//!
//! Owns: the list, and how a person reads it. Must not know: how it was found.

use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::limits::JOURNAL_PAYLOAD_BYTES_MAX;
use matchkeep_shared::time::Tick;

use super::record::{CHECKSUM_BYTES, FORMAT_VERSION, HEAD_BYTES};

/// Why a record is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It ends before its end.
    #[error("torn: {bytes} bytes of {expected}")]
    Torn {
        /// What is there.
        bytes: usize,
        /// What should be there, as far as can be told.
        expected: usize,
    },
    /// There is more than the record.
    #[error("{bytes} bytes follow it")]
    Trailing {
        /// How many more.
        bytes: usize,
    },
    /// It does not begin as a record does.
    #[error("foreign: not a journal record")]
    Foreign,
    /// A whole record in another program's format.
    #[error("version {0}: this program knows {FORMAT_VERSION}")]
    Version(u8),
    /// It claims to carry more than a record may.
    #[error("claims {0} bytes: a record carries at most {JOURNAL_PAYLOAD_BYTES_MAX}")]
    TooLarge(u32),
    /// Its bytes are not those that were written.
    #[error("checksum")]
    Checksum,
    /// There is no such kind.
    #[error("unknown kind {0}")]
    UnknownKind(u8),
    /// The two bytes kept free are not zero.
    #[error("unknown flags {0:#06x}")]
    UnknownFlags(u16),
    /// Ticks that a record of its kind cannot have.
    #[error("impossible ticks {first}-{last}")]
    Ticks {
        /// The first.
        first: Tick,
        /// The last.
        last: Tick,
    },
    /// Another match's record.
    #[error("a record of match {0}")]
    WrongMatch(MatchId),
    /// The store's own note of the record says something else.
    #[error("not what the store noted of it")]
    Mislabelled,
    /// A record that was there already, or an older one in this one's place.
    #[error("record {found} again, expected {expected}")]
    Repeated {
        /// The number that should come.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// Records are not there.
    #[error("record {expected} is missing, {found} follows")]
    Missing {
        /// The number that should come.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// It was written behind another record than the one before it.
    #[error("broken chain: written behind another record")]
    BrokenChain,
    /// Under an epoch that is over, or a claim of no higher one.
    #[error("epoch went back from {from} to {to}")]
    EpochWentBack {
        /// The epoch before.
        from: Epoch,
        /// Its own.
        to: Epoch,
    },
    /// Under an epoch that no claim began.
    #[error("epoch {to} without a claim, after {from}")]
    EpochUnclaimed {
        /// The epoch before.
        from: Epoch,
        /// Its own.
        to: Epoch,
    },
    /// Its ticks do not go on from the one before.
    #[error("tick gap: expected {expected}, found {found}")]
    TickGap {
        /// The tick that should come.
        expected: Tick,
        /// The one that came.
        found: Tick,
    },
    /// A journal begins with its header, and that is the only one.
    #[error("a header in the wrong place, or none at the beginning")]
    HeaderPlace,
    /// The journal was finished before it.
    #[error("after the end of the journal")]
    AfterFinish,
    /// What it carries does not read. Found by whoever knows what that is.
    #[error("what it carries does not read")]
    Content,
    /// Nothing is wrong with it but what comes before.
    #[error("whole, but behind what is damaged")]
    Behind,
    /// The store counts it and has it no more.
    #[error("gone from the store")]
    Gone,
}

impl Damage {
    /// Fewer bytes than the head and the checksum take.
    pub(super) fn no_head(bytes: usize) -> Self {
        Self::Torn { bytes, expected: HEAD_BYTES + CHECKSUM_BYTES }
    }
}
