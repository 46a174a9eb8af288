//! The snapshots a client holds: the baselines of those to come, and what it acknowledges.

use matchkeep_shared::ids::Epoch;
use matchkeep_shared::limits::BASELINE_TICKS_MAX;
use matchkeep_shared::schema::Kind;
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::Malformed;
use matchkeep_shared::wire::bits::BitReader;
use matchkeep_shared::wire::client::Ack;
use matchkeep_shared::wire::codec::{CodecId, View, decode_entities};
use matchkeep_shared::wire::snapshot::SnapshotHead;

use super::Feedback;

/// Snapshots kept; twice what a server may refer to, so that none is gone too early.
const KEPT: usize = 2 * BASELINE_TICKS_MAX as usize;

/// The snapshots of one match.
pub(super) struct Views {
    /// By tick, modulo [`KEPT`].
    kept: Vec<Option<(Tick, Epoch, View)>>,
    newest: Option<Tick>,
    /// What truncated ticks are near to.
    near: Tick,
    /// Memory for the next one.
    spare: View,
}

/// What became of a datagram.
pub(super) enum Received {
    /// A snapshot newer than all before it.
    Newer { tick: Tick, epoch: Epoch, feedback: Feedback },
    /// A snapshot that was overtaken by a newer one; a possible baseline all the same.
    Older,
    /// Of no use: an old epoch, a baseline that is gone, or known already.
    Dropped,
}

impl Views {
    pub(super) fn new(near: Tick) -> Self {
        let kept = (0..KEPT).map(|_| None).collect();
        Self { kept, newest: None, near, spare: View::default() }
    }

    fn slot(tick: Tick) -> usize {
        (tick.0 % KEPT as u64) as usize
    }

    fn at(&self, tick: Tick, epoch: Epoch) -> Option<&View> {
        let kept = self.kept[Self::slot(tick)].as_ref();
        kept.filter(|(t, e, _)| *t == tick && *e == epoch).map(|(_, _, view)| view)
    }

    /// Takes a snapshot datagram in.
    ///
    /// # Errors
    /// [`Malformed`] where it is none.
    pub(super) fn receive(
        &mut self,
        kinds: &[Kind],
        codec: CodecId,
        epoch: Epoch,
        bytes: &[u8],
    ) -> Result<Received, Malformed> {
        let mut reader = BitReader::new(bytes);
        let head = SnapshotHead::decode(&mut reader)?;
        // The low bits of the epoch: a little ahead is a restart, anything else is the past.
        let ahead = head.epoch_low8.wrapping_sub(epoch.0 as u8) as i8;
        if ahead < 0 {
            return Ok(Received::Dropped);
        }
        let epoch = Epoch(epoch.0.wrapping_add(ahead as u32));
        let tick = Tick::from_low16(head.tick_low16, self.near);
        // Known already, or so late that its place belongs to a newer one.
        let is_ancient = self.newest.is_some_and(|newest| newest.since(tick) >= KEPT as i64);
        if self.at(tick, epoch).is_some() || is_ancient {
            return Ok(Received::Dropped);
        }
        let base = head.baseline_age.map(|age| tick - u64::from(age));
        if base.is_some_and(|base| self.at(base, epoch).is_none()) {
            return Ok(Received::Dropped);
        }
        let mut view = std::mem::take(&mut self.spare);
        let baseline = base.and_then(|base| self.at(base, epoch));
        decode_entities(codec, kinds, reader, baseline, &mut view)?;
        let former = self.kept[Self::slot(tick)].replace((tick, epoch, view));
        if let Some((_, _, view)) = former {
            self.spare = view;
        }
        if ahead == 0 && self.newest.is_some_and(|newest| newest >= tick) {
            return Ok(Received::Older);
        }
        self.newest = Some(tick);
        self.near = tick;
        Ok(Received::Newer { tick, epoch, feedback: head.feedback })
    }

    /// The newest snapshot.
    pub(super) fn newest(&self) -> Option<(Tick, &View)> {
        let newest = self.newest?;
        let (tick, _, view) = self.kept[Self::slot(newest)].as_ref()?;
        Some((*tick, view))
    }

    /// What the server may take as a baseline.
    pub(super) fn ack(&self) -> Option<Ack> {
        let newest = self.newest?;
        let epoch = self.kept[Self::slot(newest)].as_ref()?.1;
        let mut before = 0;
        for i in 0..u64::from(u32::BITS) {
            if newest.0 > i && self.at(newest - (i + 1), epoch).is_some() {
                before |= 1 << i;
            }
        }
        Some(Ack { newest_low16: newest.low16(), before })
    }

    /// Forgets every snapshot but those of `epoch`.
    pub(super) fn forget_other_epochs(&mut self, epoch: Epoch) {
        for kept in &mut self.kept {
            if kept.as_ref().is_some_and(|(_, e, _)| *e != epoch) {
                *kept = None;
            }
        }
        if self.newest.is_some_and(|newest| self.at(newest, epoch).is_none()) {
            self.newest = None;
        }
    }
}
