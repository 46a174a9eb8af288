//! A frame: everything that entered a match in one tick, in the order applied. `docs/JOURNAL.md` draws it.
//!
//! Owns: its bytes. Must not know: what a journal's records are, and what a frame does to a match.

use matchkeep_shared::encoding::{DecodeError, decode, encode_into};
use matchkeep_shared::game::{Input, Inputs};
use matchkeep_shared::ids::Slot;
use matchkeep_shared::limits::FRAME_BYTES_MAX;
use matchkeep_shared::wire::Malformed;
use matchkeep_shared::wire::bits::{BitReader, BitWriter};
use serde::{Deserialize, Serialize};

use super::state::Entry;

/// Set where something entered before the step.
const HAS_ENTRIES: u8 = 1;
/// Set where the hash of the state after the step follows.
const HAS_HASH: u8 = 2;

/// Why bytes are no frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// They end in the middle of one.
    #[error("a frame is cut off")]
    CutOff,
    /// A part of it cannot be what it is taken for.
    #[error("a frame holds no such thing: {0}")]
    Entries(#[from] DecodeError),
    /// The inputs are none.
    #[error("a frame holds a {0}")]
    Inputs(#[from] Malformed),
    /// Something it does not have.
    #[error("a frame has {0}")]
    Shape(&'static str),
}

/// The entries of one frame.
#[derive(Serialize, Deserialize)]
struct Entries(#[serde(deserialize_with = "matchkeep_shared::encoding::list")] Vec<Entry>);

/// One frame, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame<I> {
    /// What entered before the step, in order.
    pub entries: Vec<Entry>,
    /// The input of each place, and whether it was substituted; `None` where nobody sat.
    pub inputs: Vec<Option<(I, bool)>>,
    /// The hash of the state after the step, in some frames.
    pub hash: Option<u64>,
}

/// Memory that writing frames uses again and again.
#[derive(Debug, Default)]
pub struct FrameWriter {
    body: Vec<u8>,
    entries: Vec<u8>,
}

impl FrameWriter {
    /// Begins a frame with what entered before the step and the inputs of it. It is not written before
    /// [`FrameWriter::finish`]: a step that fails leaves nothing.
    pub fn begin<I: Input>(
        &mut self,
        entries: &[Entry],
        places: usize,
        inputs: &Inputs<I>,
        substituted: impl Fn(Slot) -> bool,
    ) {
        self.body.clear();
        self.entries.clear();
        if !entries.is_empty() {
            encode_into(&entries, &mut self.entries);
        }
        let mut bits = BitWriter::new(&mut self.body);
        for slot in (0..places).map(|place| Slot(place as u8)) {
            let input = inputs.get(slot);
            bits.flag(input.is_some());
            if let Some(input) = input {
                bits.flag(substituted(slot));
                input.encode(&mut bits);
            }
        }
        bits.finish();
    }

    /// Appends the frame that was begun.
    pub fn finish(&mut self, hash: Option<u64>, out: &mut Vec<u8>) {
        let entries = self.entries.len();
        let head = 1
            + if entries > 0 { varint_bytes(entries) + entries } else { 0 }
            + if hash.is_some() { 8 } else { 0 };
        varint(head + self.body.len(), out);
        let flags =
            if entries > 0 { HAS_ENTRIES } else { 0 } | if hash.is_some() { HAS_HASH } else { 0 };
        out.push(flags);
        if entries > 0 {
            varint(entries, out);
            out.extend_from_slice(&self.entries);
        }
        if let Some(hash) = hash {
            out.extend_from_slice(&hash.to_le_bytes());
        }
        out.extend_from_slice(&self.body);
    }
}

/// Takes the next frame's bytes off the front of `frames`; `None` at the end.
///
/// # Errors
/// [`FrameError::CutOff`] where it is not whole, [`FrameError::Shape`] where it is longer than any.
pub fn next_frame<'a>(frames: &mut &'a [u8]) -> Result<Option<&'a [u8]>, FrameError> {
    if frames.is_empty() {
        return Ok(None);
    }
    let length = read_varint(frames)?;
    if length > FRAME_BYTES_MAX {
        return Err(FrameError::Shape("more bytes than allowed"));
    }
    let (frame, rest) = frames.split_at_checked(length).ok_or(FrameError::CutOff)?;
    *frames = rest;
    Ok(Some(frame))
}

impl<I: Input> Frame<I> {
    /// Reads one frame of a match with so many places.
    ///
    /// # Errors
    /// [`FrameError`] where it is none.
    pub fn decode(mut frame: &[u8], places: usize) -> Result<Self, FrameError> {
        let flags = frame.split_off_first().copied().ok_or(FrameError::CutOff)?;
        if flags & !(HAS_ENTRIES | HAS_HASH) != 0 {
            return Err(FrameError::Shape("an unknown flag"));
        }
        let mut entries = Vec::new();
        if flags & HAS_ENTRIES != 0 {
            let length = read_varint(&mut frame)?;
            let (bytes, rest) = frame.split_at_checked(length).ok_or(FrameError::CutOff)?;
            entries = decode::<Entries, FRAME_BYTES_MAX>("entries", bytes)?.0;
            frame = rest;
        }
        let mut hash = None;
        if flags & HAS_HASH != 0 {
            let (bytes, rest) = frame.split_first_chunk().ok_or(FrameError::CutOff)?;
            hash = Some(u64::from_le_bytes(*bytes));
            frame = rest;
        }
        let mut bits = BitReader::new(frame);
        let mut inputs = Vec::with_capacity(places);
        for _ in 0..places {
            let input = if bits.flag()? {
                let substituted = bits.flag()?;
                Some((I::decode(&mut bits)?, substituted))
            } else {
                None
            };
            inputs.push(input);
        }
        bits.finish()?;
        Ok(Self { entries, inputs, hash })
    }
}

fn varint(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint_bytes(value: usize) -> usize {
    (1..).find(|bytes| value >> (7 * bytes) == 0).expect("a number ends")
}

fn read_varint(bytes: &mut &[u8]) -> Result<usize, FrameError> {
    let mut value = 0;
    for shift in (0..28).step_by(7) {
        let byte = bytes.split_off_first().copied().ok_or(FrameError::CutOff)?;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(FrameError::Shape("a length beyond all bounds"))
}
