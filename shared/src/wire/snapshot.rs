//! The head of the server's datagram: which tick, against which baseline, and how the inputs fare.

use super::Malformed;
use super::bits::{BitReader, BitWriter};
use crate::limits::BASELINE_TICKS_MAX;

/// First byte of a server's datagram.
pub const KIND_SNAPSHOT: u8 = 2;
/// Width of the distance to the baseline; 0 means none.
const BASELINE_BITS: u32 = 7;
const _: () = assert!(BASELINE_TICKS_MAX < 1 << BASELINE_BITS);

/// What the server says about a client's inputs, in every snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct InputFeedback {
    /// How many ticks before the snapshot's the newest input that was applied at its own tick lies;
    /// `None` where there is none within 254.
    pub newest_applied_age: Option<u8>,
    /// Bit `i`: the input of the tick `i` before the snapshot's was missing and substituted.
    pub substituted: u16,
    /// How long before its deadline the newest input arrived, in units of 100 us; negative where late.
    pub margin_100us: i16,
}

/// The head of a snapshot datagram. Ticks and epoch are truncated as on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotHead {
    /// The low 8 bits of the epoch.
    pub epoch_low8: u8,
    /// The low bits of the tick after whose step the snapshot was taken.
    pub tick_low16: u16,
    /// How many ticks before this snapshot the baseline was; `None`: against nothing. 1 to
    /// [`BASELINE_TICKS_MAX`].
    pub baseline_age: Option<u8>,
    /// How the client's inputs fare.
    pub feedback: InputFeedback,
    /// How many ticks the durable tick is behind this one; `None` where the match keeps no journal.
    pub durable_lag: Option<u32>,
    /// The match stands still at this tick and asks for no inputs; it keeps sending.
    pub paused: bool,
    /// A hash of the whole state at this tick, where the server was told to send it: for tests of
    /// recovery.
    pub state_hash: Option<u64>,
}

impl SnapshotHead {
    /// The most bits a head can have.
    pub const BITS_MAX: usize =
        8 + 8 + 16 + BASELINE_BITS as usize + 8 + 16 + 16 + 1 + 40 + 1 + 1 + 64;

    /// Appends the head.
    pub fn encode(&self, w: &mut BitWriter<'_>) {
        w.write(KIND_SNAPSHOT.into(), 8);
        w.write(self.epoch_low8.into(), 8);
        w.write(self.tick_low16.into(), 16);
        w.write(self.baseline_age.unwrap_or(0).into(), BASELINE_BITS);
        w.write(self.feedback.newest_applied_age.unwrap_or(255).into(), 8);
        w.write(self.feedback.substituted.into(), 16);
        w.write((self.feedback.margin_100us as u16).into(), 16);
        w.flag(self.durable_lag.is_some());
        if let Some(lag) = self.durable_lag {
            w.varint(lag);
        }
        w.flag(self.paused);
        w.flag(self.state_hash.is_some());
        if let Some(hash) = self.state_hash {
            w.write(hash & u64::from(u32::MAX), 32);
            w.write(hash >> 32, 32);
        }
    }

    /// Reads the head; the entities follow.
    ///
    /// # Errors
    /// [`Malformed`] where the bits are no snapshot's.
    pub fn decode(r: &mut BitReader<'_>) -> Result<Self, Malformed> {
        if r.read(8)? != u64::from(KIND_SNAPSHOT) {
            return Err(Malformed("snapshot: kind"));
        }
        let epoch_low8 = r.read(8)? as u8;
        let tick_low16 = r.read(16)? as u16;
        let age = r.read(BASELINE_BITS)? as u8;
        if u64::from(age) > BASELINE_TICKS_MAX {
            return Err(Malformed("snapshot: baseline too old"));
        }
        let applied = r.read(8)? as u8;
        let substituted = r.read(16)? as u16;
        let margin_100us = r.read(16)? as u16 as i16;
        let durable_lag = if r.flag()? { Some(r.varint()?) } else { None };
        let paused = r.flag()?;
        let has_hash = r.flag()?;
        let state_hash = if has_hash { Some(r.read(32)? | r.read(32)? << 32) } else { None };
        Ok(Self {
            epoch_low8,
            tick_low16,
            baseline_age: (age > 0).then_some(age),
            feedback: InputFeedback {
                newest_applied_age: (applied != 255).then_some(applied),
                substituted,
                margin_100us,
            },
            durable_lag,
            paused,
            state_hash,
        })
    }
}
