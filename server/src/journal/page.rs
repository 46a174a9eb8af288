//! Records on their way to another process: how a server hands a journal out, piece by piece.
//!
//! Owns: the bytes of a page. Must not know: what carries it, and whether its records are good; who reads
//! them checks each as one that was read from a disk.
//!
//! A page is one byte (1: more records lie behind it), then its records: position, number, kind, epoch,
//! first and last tick as the journal noted them, the record's length, the record. Little-endian.

use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::limits::{JOURNAL_PAGE_BYTES_MAX, JOURNAL_PAYLOAD_BYTES_MAX};
use matchkeep_shared::time::Tick;

use super::backend::{Label, Position, Stored};
use super::record::{CHECKSUM_BYTES, HEAD_BYTES, Kind};

/// What a page has beside the bytes of each record.
const NOTE_BYTES: usize = 8 + 8 + 1 + 4 + 8 + 8 + 4;
/// The largest page: one that is nearly full takes one record more.
pub const PAGE_BYTES_MAX: usize = 1
    + JOURNAL_PAGE_BYTES_MAX
    + NOTE_BYTES
    + HEAD_BYTES
    + JOURNAL_PAYLOAD_BYTES_MAX
    + CHECKSUM_BYTES;

/// Bytes that are no page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what came is no page of a journal")]
pub struct NoPage;

/// A page being written.
#[derive(Debug)]
pub struct PageWriter {
    bytes: Vec<u8>,
}

impl Default for PageWriter {
    fn default() -> Self {
        Self { bytes: vec![0] }
    }
}

impl PageWriter {
    /// Adds a record, and says whether it did: a full page takes no more, and says that there is more.
    pub fn push(&mut self, stored: &Stored<'_>) -> bool {
        if self.bytes.len() > JOURNAL_PAGE_BYTES_MAX {
            self.bytes[0] = 1;
            return false;
        }
        let Label { number, kind, epoch, first, last } = stored.label;
        let out = &mut self.bytes;
        out.extend_from_slice(&stored.position.0.to_le_bytes());
        out.extend_from_slice(&number.to_le_bytes());
        out.push(kind as u8);
        out.extend_from_slice(&epoch.0.to_le_bytes());
        out.extend_from_slice(&first.0.to_le_bytes());
        out.extend_from_slice(&last.0.to_le_bytes());
        out.extend_from_slice(&(stored.bytes.len() as u32).to_le_bytes());
        out.extend_from_slice(stored.bytes);
        true
    }

    /// The page.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// A page being read.
#[derive(Debug)]
pub struct Page<'a> {
    match_id: MatchId,
    rest: &'a [u8],
    /// Whether more records lie behind it.
    pub has_more: bool,
}

impl<'a> Page<'a> {
    /// Begins to read a page of this match's records.
    ///
    /// # Errors
    /// [`NoPage`].
    pub fn read(match_id: MatchId, mut bytes: &'a [u8]) -> Result<Self, NoPage> {
        match bytes.split_off_first() {
            Some(more @ (0 | 1)) => Ok(Self { match_id, rest: bytes, has_more: *more == 1 }),
            _ => Err(NoPage),
        }
    }

    /// The next record; `None` at the end of the page.
    ///
    /// # Errors
    /// [`NoPage`] where it is cut off.
    pub fn next_record(&mut self) -> Result<Option<Stored<'a>>, NoPage> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let position = Position(u64::from_le_bytes(self.take()?));
        let number = u64::from_le_bytes(self.take()?);
        let [kind] = self.take()?;
        let epoch = Epoch(u32::from_le_bytes(self.take()?));
        let first = Tick(u64::from_le_bytes(self.take()?));
        let last = Tick(u64::from_le_bytes(self.take()?));
        let length = u32::from_le_bytes(self.take()?) as usize;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(NoPage)?;
        self.rest = rest;
        let kind = Kind::ALL.into_iter().find(|known| *known as u8 == kind).ok_or(NoPage)?;
        let label = Label { number, kind, epoch, first, last };
        Ok(Some(Stored { match_id: self.match_id, position, label, bytes }))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], NoPage> {
        let (field, rest) = self.rest.split_first_chunk().ok_or(NoPage)?;
        self.rest = rest;
        Ok(*field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(number: u64, bytes: &[u8]) -> Stored<'_> {
        let (epoch, first, last) = (Epoch(3), Tick(number + 1), Tick(number + 4));
        let label = Label { number, kind: Kind::Frames, epoch, first, last };
        Stored { match_id: MatchId(7), position: Position(100 + number), label, bytes }
    }

    #[test]
    fn a_page_reads_back_as_written_and_cut_anywhere_it_is_none_or_shorter() {
        let mut writer = PageWriter::default();
        assert!(writer.push(&stored(0, b"abc")) && writer.push(&stored(1, b"")));
        let bytes = writer.finish();
        let read = |bytes: &[u8]| -> Result<Vec<u64>, NoPage> {
            let mut page = Page::read(MatchId(7), bytes)?;
            let mut numbers = Vec::new();
            while let Some(found) = page.next_record()? {
                let expected = stored(found.label.number, found.bytes);
                assert_eq!(found, expected);
                numbers.push(found.label.number);
            }
            Ok(numbers)
        };
        assert_eq!(read(&bytes), Ok(vec![0, 1]));
        for length in 0..bytes.len() {
            let cut = read(&bytes[..length]);
            assert!(cut.is_err() || cut.is_ok_and(|numbers| numbers.len() < 2), "{length} bytes");
        }
        assert_eq!(read(&[2]), Err(NoPage));
    }

    #[test]
    fn a_full_page_takes_no_more_and_says_that_there_is_more() {
        let large = vec![1; JOURNAL_PAGE_BYTES_MAX / 2];
        let mut writer = PageWriter::default();
        let mut taken = 0;
        while writer.push(&stored(taken, &large)) {
            taken += 1;
        }
        let bytes = writer.finish();
        assert!(taken == 2 && bytes.len() <= PAGE_BYTES_MAX, "{taken} in {} bytes", bytes.len());
        assert!(Page::read(MatchId(7), &bytes).expect("a page").has_more);
    }
}
