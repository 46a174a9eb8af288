//! The client's datagram, one per tick: what it acknowledges and its newest inputs.

use super::Malformed;
use super::bits::{BitReader, BitWriter};
use crate::game::Input;
use crate::ids::Epoch;
use crate::limits::INPUTS_PER_DATAGRAM_MAX;
use crate::time::Tick;

/// First byte of a client's datagram.
pub const KIND_CLIENT: u8 = 1;
/// Width of the number of inputs.
const COUNT_BITS: u32 = 3;
const _: () = assert!(INPUTS_PER_DATAGRAM_MAX < 1 << COUNT_BITS);

/// Which snapshots of the named epoch a client holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ack {
    /// The low bits of the newest snapshot's tick.
    pub newest_low16: u16,
    /// Bit `i`: the snapshot `i + 1` ticks before the newest is held too.
    pub before: u32,
}

/// A client's datagram, decoded. Ticks are truncated as on the wire: only the session knows which they
/// are near to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ClientDatagram<I> {
    /// The low 8 bits of the epoch that acknowledgement and inputs belong to.
    pub epoch_low8: u8,
    /// What the client holds; `None` where it holds nothing of this epoch.
    pub ack: Option<Ack>,
    /// The low bits of the tick of the newest input.
    pub newest_low16: u16,
    count: u8,
    /// Newest first, each one tick before the one in front of it.
    inputs: [I; INPUTS_PER_DATAGRAM_MAX],
}

impl<I: Input> ClientDatagram<I> {
    /// A datagram of this epoch with the inputs up to `newest`, newest first; those past
    /// [`INPUTS_PER_DATAGRAM_MAX`] are left out.
    pub fn new(epoch: Epoch, ack: Option<Ack>, newest: Tick, inputs: &[I]) -> Self {
        let mut array = [I::default(); INPUTS_PER_DATAGRAM_MAX];
        let count = inputs.len().min(INPUTS_PER_DATAGRAM_MAX);
        array[..count].copy_from_slice(&inputs[..count]);
        let newest_low16 = newest.low16();
        Self { epoch_low8: epoch.0 as u8, ack, newest_low16, count: count as u8, inputs: array }
    }

    /// The inputs, newest first.
    pub fn inputs(&self) -> &[I] {
        &self.inputs[..usize::from(self.count)]
    }

    /// Appends the datagram's bytes to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut w = BitWriter::new(out);
        w.write(KIND_CLIENT.into(), 8);
        w.write(self.epoch_low8.into(), 8);
        w.flag(self.ack.is_some());
        if let Some(ack) = self.ack {
            w.write(ack.newest_low16.into(), 16);
            w.write(ack.before.into(), 32);
        }
        w.write(self.count.into(), COUNT_BITS);
        let mut newer: Option<&I> = None;
        for input in self.inputs() {
            match newer {
                None => w.write(self.newest_low16.into(), 16),
                Some(newer) => w.flag(newer != input),
            }
            if newer != Some(input) {
                input.encode(&mut w);
            }
            newer = Some(input);
        }
        w.finish();
    }

    /// Decodes a whole datagram.
    ///
    /// # Errors
    /// [`Malformed`] where it is no client datagram; the sender is sent away.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = BitReader::new(bytes);
        if r.read(8)? != u64::from(KIND_CLIENT) {
            return Err(Malformed("client datagram: kind"));
        }
        let epoch_low8 = r.read(8)? as u8;
        let ack = if r.flag()? {
            Some(Ack { newest_low16: r.read(16)? as u16, before: r.read(32)? as u32 })
        } else {
            None
        };
        let count = r.read(COUNT_BITS)? as u8;
        if usize::from(count) > INPUTS_PER_DATAGRAM_MAX {
            return Err(Malformed("client datagram: number of inputs"));
        }
        let mut inputs = [I::default(); INPUTS_PER_DATAGRAM_MAX];
        let mut newest_low16 = 0;
        for i in 0..usize::from(count) {
            let whole = if i == 0 {
                newest_low16 = r.read(16)? as u16;
                true
            } else {
                r.flag()?
            };
            inputs[i] = if whole { I::decode(&mut r)? } else { inputs[i - 1] };
        }
        r.finish()?;
        Ok(Self { epoch_low8, ack, newest_low16, count, inputs })
    }
}
