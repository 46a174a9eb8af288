//! What one client holds after each datagram, and what its next one is a delta against.

use matchkeep_shared::limits::BASELINE_TICKS_MAX;
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::bits::BitWriter;
use matchkeep_shared::wire::client::Ack;
use matchkeep_shared::wire::snapshot::SnapshotHead;

use super::encoder::Encoder;
use super::entity_set::EntitySet;
use super::plan::{Baseline, Plan};
use super::since::Sinces;
use super::{SnapshotFacts, Sources};

/// One client of a match.
pub(super) struct Client {
    /// What the client holds after each datagram since the one it acknowledged, oldest first: on a quick
    /// link a handful, and then moving them up costs less than memory that is never the same.
    sent: Vec<SentView>,
    /// Memory of views that are of no use any more.
    spare: Vec<Held>,
    /// The newest datagram the client holds; where it is not forgotten, the first of `sent`.
    acknowledged: Option<Tick>,
    /// A tick that was sent more than once, because the match stood still: which of its datagrams the client
    /// holds is not known, so that it is never a baseline.
    sent_again: Option<Tick>,
    plan: Plan,
}

/// What a client holds after one datagram.
pub(super) struct SentView {
    pub(super) tick: Tick,
    /// The oldest tick that something of it is of.
    oldest: Tick,
    pub(super) held: Held,
}

/// The entities in a client's hands, by their indices in the world of the datagram's tick.
#[derive(Default)]
pub(super) struct Held {
    pub(super) entities: EntitySet,
    /// Those of them that the client holds as they were at an earlier tick, ascending; mostly none.
    pub(super) stale: Vec<Stale>,
}

/// An entity whose news did not fit into the datagram.
#[derive(Clone, Copy)]
pub(super) struct Stale {
    pub(super) entity: u16,
    /// How many ticks ago it was as the client holds it.
    pub(super) age: u16,
}

impl Client {
    pub(super) fn new() -> Self {
        Self {
            sent: Vec::with_capacity(BASELINE_TICKS_MAX as usize),
            spare: Vec::with_capacity(BASELINE_TICKS_MAX as usize),
            acknowledged: None,
            sent_again: None,
            plan: Plan::default(),
        }
    }

    pub(super) fn acknowledge(&mut self, ack: Ack, now: Tick) {
        let tick = Tick::from_low16(ack.newest_low16, now);
        if self.was_sent(tick) {
            self.acknowledged = Some(tick);
            // A baseline never goes back: what is older than this one is of no use.
            self.forget_before(tick);
        }
    }

    fn was_sent(&self, tick: Tick) -> bool {
        let Some(oldest) = self.sent.first() else { return false };
        // Where a datagram was sent at every tick, as is usual, its place is known.
        let expected = usize::try_from(tick.since(oldest.tick)).ok();
        let expected = expected.and_then(|index| self.sent.get(index));
        expected.is_some_and(|view| view.tick == tick)
            || self.sent.binary_search_by_key(&tick, |view| view.tick).is_ok()
    }

    fn forget_before(&mut self, tick: Tick) {
        let forgotten = self.sent.partition_point(|view| view.tick < tick);
        self.spare.extend(self.sent.drain(..forgotten).map(|view| view.held));
    }

    /// The oldest tick that the client may hold something of.
    pub(super) fn needed(&self) -> Tick {
        self.sent.iter().map(|view| view.oldest).min().unwrap_or(Tick(u64::MAX))
    }

    /// Appends the snapshot to `out` and takes note of what the client will hold.
    pub(super) fn encode(
        &mut self,
        sources: &Sources<'_>,
        sinces: &mut Sinces,
        encoder: &mut Encoder,
        facts: &SnapshotFacts,
        out: &mut Vec<u8>,
    ) {
        let Sources { history, changes, world, .. } = *sources;
        let now = world.tick();
        // A view as old as the history is gone, and with it the baseline it may have been.
        self.forget_before(Tick((now.0 + 1).saturating_sub(BASELINE_TICKS_MAX)));
        let is_again = self.sent.last().is_some_and(|view| view.tick == now);
        if is_again && self.acknowledged != Some(now) {
            self.sent_again = Some(now);
            if let Some(view) = self.sent.pop() {
                self.spare.push(view.held);
            }
        }
        let is_kept = !is_again && self.sent_again != Some(now);
        let baseline = self
            .sent
            .first()
            .filter(|view| view.tick < now && self.acknowledged == Some(view.tick));
        let baseline = baseline.and_then(|view| {
            let since = sinces.get(view.tick, history, changes, world)?;
            Some(Baseline { view, since })
        });

        let mut held = self.spare.pop().unwrap_or_default();
        let bits = self.plan.draw_up(sources, encoder, baseline.as_ref(), &mut held);
        let budget = (facts.bytes_max * 8).saturating_sub(SnapshotHead::BITS_MAX);
        if bits > budget {
            self.plan.cut(sources, budget, &mut held);
        }

        let head = SnapshotHead {
            epoch_low8: facts.epoch.0 as u8,
            tick_low16: now.low16(),
            baseline_age: baseline.map(|baseline| now.since(baseline.view.tick) as u8),
            feedback: facts.feedback,
            durable_lag: facts.durable_lag,
            paused: facts.paused,
            state_hash: facts.state_hash,
        };
        let start = out.len();
        let mut writer = BitWriter::new(out);
        head.encode(&mut writer);
        self.plan.write(world, encoder, &mut writer);
        writer.finish();
        debug_assert!(out.len() - start <= facts.bytes_max, "the budget was kept");

        if is_kept {
            let age = held.stale.iter().map(|stale| u64::from(stale.age)).max().unwrap_or(0);
            self.sent.push(SentView { tick: now, oldest: Tick(now.0.saturating_sub(age)), held });
        } else {
            self.spare.push(held);
        }
    }
}
