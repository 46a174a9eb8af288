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

/// Snapshots kept; twice what a server may refer to, so that none is gone too early.
const KEPT: usize = 2 * BASELINE_TICKS_MAX as usize;

// What is acknowledged is still held: the bit field reaches less far back than the views do.
const _: () = assert!(u32::BITS < KEPT as u32);

/// The snapshots of one epoch of a match.
pub(super) struct Views {
    epoch: Epoch,
    /// By tick, modulo [`KEPT`].
    kept: Vec<Option<(Tick, View)>>,
    newest: Option<Tick>,
    /// Bit `i`: the snapshot `i + 1` ticks before the newest is held.
    before: u32,
    /// What truncated ticks are near to.
    near: Tick,
    /// Memory for the next one.
    spare: View,
}

/// What became of a datagram.
pub(super) enum Received {
    /// A snapshot newer than all before it.
    Newer { tick: Tick, head: SnapshotHead },
    /// A snapshot that was overtaken by a newer one; a possible baseline all the same.
    Older,
    /// The newest tick once more, from a match that stands still.
    StandsStill,
    /// Of an epoch above the one we were told of.
    UnknownEpoch,
    /// Of no use: an old epoch, a baseline that is gone, or known already.
    Dropped,
}

impl Views {
    pub(super) fn new(epoch: Epoch, near: Tick) -> Self {
        let kept = (0..KEPT).map(|_| None).collect();
        Self { epoch, kept, newest: None, before: 0, near, spare: View::default() }
    }

    fn slot(tick: Tick) -> usize {
        (tick.0 % KEPT as u64) as usize
    }

    fn at(&self, tick: Tick) -> Option<&View> {
        let kept = self.kept[Self::slot(tick)].as_ref();
        kept.filter(|(t, _)| *t == tick).map(|(_, view)| view)
    }

    /// Takes a snapshot datagram in.
    ///
    /// # Errors
    /// [`Malformed`] where it is none.
    pub(super) fn receive(
        &mut self,
        kinds: &[Kind],
        codec: CodecId,
        bytes: &[u8],
    ) -> Result<Received, Malformed> {
        let mut reader = BitReader::new(bytes);
        let head = SnapshotHead::decode(&mut reader)?;
        // The low bits of the epoch: a little ahead is a restart, anything else is the past.
        match head.epoch_low8.wrapping_sub(self.epoch.0 as u8) as i8 {
            0 => {}
            1.. => return Ok(Received::UnknownEpoch),
            _ => return Ok(Received::Dropped),
        }
        let tick = Tick::from_low16(head.tick_low16, self.near);
        if self.at(tick).is_some() {
            let stands_still = head.paused && self.newest == Some(tick);
            return Ok(if stands_still { Received::StandsStill } else { Received::Dropped });
        }
        // So late that its place belongs to a newer one.
        if self.newest.is_some_and(|newest| newest.since(tick) >= KEPT as i64) {
            return Ok(Received::Dropped);
        }
        let base = head.baseline_age.map(|age| tick - u64::from(age));
        let baseline = base.and_then(|base| self.at(base));
        if base.is_some() && baseline.is_none() {
            return Ok(Received::Dropped);
        }
        let mut view = std::mem::take(&mut self.spare);
        let baseline = base.and_then(|base| self.at(base));
        decode_entities(codec, kinds, reader, baseline, &mut view)?;
        let former = self.kept[Self::slot(tick)].replace((tick, view));
        if let Some((_, view)) = former {
            self.spare = view;
        }
        match self.newest.map(|newest| tick.since(newest)) {
            Some(ahead) if ahead < 0 => {
                self.before |= bit(-ahead);
                return Ok(Received::Older);
            }
            Some(ahead) => {
                let shifted = self.before.checked_shl(u32::try_from(ahead).unwrap_or(u32::MAX));
                self.before = shifted.unwrap_or(0) | bit(ahead);
            }
            None => {}
        }
        self.newest = Some(tick);
        self.near = tick;
        Ok(Received::Newer { tick, head })
    }

    /// The newest snapshot's tick.
    pub(super) fn newest_tick(&self) -> Option<Tick> {
        self.newest
    }

    /// The newest snapshot.
    pub(super) fn newest(&self) -> Option<(Tick, &View)> {
        let newest = self.newest?;
        Some((newest, self.at(newest)?))
    }

    /// What the server may take as a baseline.
    pub(super) fn ack(&self) -> Option<Ack> {
        let newest = self.newest?;
        Some(Ack { newest_low16: newest.low16(), before: self.before })
    }

    /// From now on snapshots are near to this tick.
    pub(super) fn come_near(&mut self, tick: Tick) {
        self.near = tick;
    }

    /// Goes over to another epoch: none of the snapshots held is of any use in it.
    pub(super) fn enter_epoch(&mut self, epoch: Epoch, near: Tick) {
        self.epoch = epoch;
        self.kept.iter_mut().for_each(|kept| *kept = None);
        self.newest = None;
        self.before = 0;
        self.near = near;
    }
}

/// The bit of the snapshot so many ticks before the newest; none where the field does not reach so far.
fn bit(ticks_before: i64) -> u32 {
    let place = u32::try_from(ticks_before - 1).unwrap_or(u32::MAX);
    1_u32.checked_shl(place).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use matchkeep_shared::rng::Rng;
    use matchkeep_shared::schema::Field;
    use matchkeep_shared::wire::bits::BitWriter;
    use matchkeep_shared::wire::plain;
    use matchkeep_shared::wire::snapshot::InputFeedback;

    const KINDS: &[Kind] = &[Kind { name: "thing", fields: &[Field::uint("field", 8)] }];

    fn datagram(epoch: u8, tick: Tick, paused: bool) -> Vec<u8> {
        let head = SnapshotHead {
            epoch_low8: epoch,
            tick_low16: tick.low16(),
            baseline_age: None,
            feedback: InputFeedback::default(),
            durable_lag: None,
            paused,
            state_hash: None,
        };
        let mut bytes = Vec::new();
        let mut writer = BitWriter::new(&mut bytes);
        head.encode(&mut writer);
        plain::write_end(&mut writer);
        writer.finish();
        bytes
    }

    fn receive(views: &mut Views, bytes: &[u8]) -> Received {
        views.receive(KINDS, CodecId::PLAIN, bytes).expect("a snapshot")
    }

    #[test]
    fn what_is_acknowledged_is_what_is_held_in_whatever_order_it_came() {
        let mut rng = Rng::new(11);
        let mut views = Views::new(Epoch(1), Tick(65_000));
        let mut tick = 65_000_i64;
        for _ in 0..5000 {
            // Mostly the next one, with holes, repeats and what was overtaken.
            tick += i64::from(rng.below(6)) - 1;
            let late = Tick((tick - i64::from(rng.below(50))) as u64);
            let came = if rng.below(3) == 0 { late } else { Tick(tick as u64) };
            receive(&mut views, &datagram(1, came, false));
            let newest = views.newest.expect("at least one came");
            let mut expected = 0;
            for i in 0..u64::from(u32::BITS) {
                expected |= u32::from(views.at(newest - (i + 1)).is_some()) << i;
            }
            let ack = views.ack().expect("at least one came");
            assert_eq!((ack.newest_low16, ack.before), (newest.low16(), expected));
        }
    }

    #[test]
    fn only_the_epoch_we_were_told_of_is_taken_in() {
        let mut views = Views::new(Epoch(255), Tick(10));
        assert!(matches!(
            receive(&mut views, &datagram(0, Tick(11), false)),
            Received::UnknownEpoch
        ));
        assert!(matches!(receive(&mut views, &datagram(254, Tick(11), false)), Received::Dropped));
        assert!(matches!(
            receive(&mut views, &datagram(255, Tick(11), false)),
            Received::Newer { .. }
        ));
        views.enter_epoch(Epoch(256), Tick(5));
        assert_eq!(views.ack(), None);
        assert!(matches!(receive(&mut views, &datagram(255, Tick(12), false)), Received::Dropped));
        assert!(matches!(
            receive(&mut views, &datagram(0, Tick(6), false)),
            Received::Newer { .. }
        ));
    }

    #[test]
    fn a_match_that_stands_still_repeats_itself() {
        let mut views = Views::new(Epoch(1), Tick(1));
        assert!(matches!(receive(&mut views, &datagram(1, Tick(9), true)), Received::Newer { .. }));
        for _ in 0..3 {
            let again = receive(&mut views, &datagram(1, Tick(9), true));
            assert!(matches!(again, Received::StandsStill));
        }
        assert!(matches!(receive(&mut views, &datagram(1, Tick(9), false)), Received::Dropped));
    }
}
