//! The bytes of one record: a head of fixed layout, what it carries, a checksum.
//!
//! Owns: the layout, drawn in `docs/JOURNAL.md`, and what a record is by itself. Must not know: the
//! records around it ([`super::Chain`]), and what is in the payload.

use std::fmt;

use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::limits::JOURNAL_PAYLOAD_BYTES_MAX;
use matchkeep_shared::time::Tick;
use ring::digest;

use super::damage::Damage;

/// How every record begins.
const MAGIC: [u8; 4] = *b"MKJR";
/// The layout. Raised when it changes; a program leaves records of a version it does not know as they are. All versions
/// have in common how a record begins, that it is not shorter than the head and the checksum are here, and
/// that it ends with the CRC-32 of everything before: by that another version is known from damage.
pub const FORMAT_VERSION: u8 = 1;
/// The head, in bytes.
pub const HEAD_BYTES: usize = 64;
/// The checksum at the end (CRC-32 of everything before it), in bytes.
pub const CHECKSUM_BYTES: usize = 4;
/// Where the payload's length stands in the head.
const LENGTH_AT: usize = 28;

/// What a record is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// The first: which game, which rules, which map.
    Header = 1,
    /// An epoch begins; its tick is the one it goes on from.
    Claim = 2,
    /// What entered the match in the ticks `first..=last`.
    Frames = 3,
    /// The whole state after a tick.
    Checkpoint = 4,
    /// Evidence of something that went wrong at a tick.
    Incident = 5,
    /// The result. Nothing follows it.
    Finish = 6,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Header, Self::Claim, Self::Frames, Self::Checkpoint, Self::Incident, Self::Finish];

    /// The kind as stores and people write it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Claim => "claim",
            Self::Frames => "frames",
            Self::Checkpoint => "checkpoint",
            Self::Incident => "incident",
            Self::Finish => "finish",
        }
    }

    /// The kind of this label.
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.label() == label)
    }

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

/// Names a record by all its bytes: SHA-256, the first 16 bytes of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecordHash(pub [u8; 16]);

impl RecordHash {
    /// What the first record of a journal has in the place of the one before.
    pub const NONE: Self = Self([0; 16]);

    fn of(bytes: &[u8]) -> Self {
        let digest = digest::digest(&digest::SHA256, bytes);
        let (hash, _) = digest.as_ref().split_first_chunk().expect("SHA-256 gives 32 bytes");
        Self(*hash)
    }
}

impl fmt::Debug for RecordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What the head of a record says beside the length of what it carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// What it is.
    pub kind: Kind,
    /// Whose.
    pub match_id: MatchId,
    /// Its place in the match's chain, from 0.
    pub number: u64,
    /// Under which epoch it was written.
    pub epoch: Epoch,
    /// The first tick in it.
    pub first: Tick,
    /// The last tick in it; the first again in all kinds but frames.
    pub last: Tick,
    /// The record before it.
    pub before: RecordHash,
}

impl Head {
    /// What must hold of it by itself.
    pub(super) fn check(&self) -> Result<(), Damage> {
        let (first, last) = (self.first, self.last);
        let possible = match self.kind {
            // Step 1 is the first: tick 0 is the match before any.
            Kind::Frames => first.0 >= 1 && first <= last,
            _ => first == last,
        };
        if possible { Ok(()) } else { Err(Damage::Ticks { first, last }) }
    }

    /// Appends a record with this head to `out`; `payload` appends what it carries.
    ///
    /// # Errors
    /// The payload's length in bytes where it is more than [`JOURNAL_PAYLOAD_BYTES_MAX`]; `out` is then as
    /// it was.
    pub fn encode(
        &self,
        payload: impl FnOnce(&mut Vec<u8>),
        out: &mut Vec<u8>,
    ) -> Result<RecordHash, usize> {
        let start = out.len();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[FORMAT_VERSION, self.kind as u8, 0, 0]);
        out.extend_from_slice(&self.match_id.0.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.epoch.0.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.first.0.to_le_bytes());
        out.extend_from_slice(&self.last.0.to_le_bytes());
        out.extend_from_slice(&self.before.0);
        debug_assert_eq!(out.len() - start, HEAD_BYTES);
        payload(out);
        let length = out.len() - start - HEAD_BYTES;
        if length > JOURNAL_PAYLOAD_BYTES_MAX {
            out.truncate(start);
            return Err(length);
        }
        let length_at = start + LENGTH_AT;
        out[length_at..length_at + 4].copy_from_slice(&(length as u32).to_le_bytes());
        let checksum = crc32fast::hash(&out[start..]);
        out.extend_from_slice(&checksum.to_le_bytes());
        Ok(RecordHash::of(&out[start..]))
    }
}

/// One record, read from bytes and whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// Its head.
    pub head: Head,
    /// What it carries.
    pub payload: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> Record<'a> {
    /// Reads the one record that `bytes` are. Takes no memory.
    ///
    /// # Errors
    /// What is wrong with it by itself; [`super::Chain`] says what is wrong with its place.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Damage> {
        let mut reader = Reader(bytes);
        // A record that was cut off says so; bytes that never were one say that.
        let magic = &bytes[..bytes.len().min(MAGIC.len())];
        if !MAGIC.starts_with(magic) {
            return Err(Damage::Foreign);
        }
        if bytes.len() < HEAD_BYTES + CHECKSUM_BYTES {
            return Err(Damage::no_head(bytes.len()));
        }
        let _: [u8; 4] = reader.take();
        let [version, kind, flags_low, flags_high] = reader.take();
        if version != FORMAT_VERSION {
            // Nothing else of another layout is known, its length least of all.
            let (checked, checksum) = bytes.split_at(bytes.len() - CHECKSUM_BYTES);
            let is_whole = is_checksum(checksum, checked);
            return Err(if is_whole { Damage::Version(version) } else { Damage::Checksum });
        }
        let match_id = MatchId(u64::from_le_bytes(reader.take()));
        let number = u64::from_le_bytes(reader.take());
        let epoch = Epoch(u32::from_le_bytes(reader.take()));
        let length = u32::from_le_bytes(reader.take());
        let first = Tick(u64::from_le_bytes(reader.take()));
        let last = Tick(u64::from_le_bytes(reader.take()));
        let before = RecordHash(reader.take());

        if length as usize > JOURNAL_PAYLOAD_BYTES_MAX {
            return Err(Damage::TooLarge(length));
        }
        let expected = HEAD_BYTES + length as usize + CHECKSUM_BYTES;
        if bytes.len() < expected {
            return Err(Damage::Torn { bytes: bytes.len(), expected });
        }
        if bytes.len() > expected {
            return Err(Damage::Trailing { bytes: bytes.len() - expected });
        }
        let (checked, checksum) = bytes.split_at(expected - CHECKSUM_BYTES);
        if !is_checksum(checksum, checked) {
            return Err(Damage::Checksum);
        }
        let kind = Kind::from_byte(kind).ok_or(Damage::UnknownKind(kind))?;
        let flags = u16::from_le_bytes([flags_low, flags_high]);
        if flags != 0 {
            return Err(Damage::UnknownFlags(flags));
        }
        let head = Head { kind, match_id, number, epoch, first, last, before };
        head.check()?;
        Ok(Self { head, payload: &checked[HEAD_BYTES..], bytes })
    }

    /// What the next record names it by.
    pub fn hash(&self) -> RecordHash {
        RecordHash::of(self.bytes)
    }
}

fn is_checksum(checksum: &[u8], of: &[u8]) -> bool {
    crc32fast::hash(of).to_le_bytes() == checksum
}

/// Fixed fields off the front of bytes that are long enough.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_first_chunk().expect("the head's length was checked");
        self.0 = rest;
        *field
    }
}

#[cfg(test)]
mod tests;
