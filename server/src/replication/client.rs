//! What one client holds, and which part of what it should know fits into its next datagram.

use std::collections::VecDeque;

use matchkeep_shared::ids::EntityId;
use matchkeep_shared::limits::{BASELINE_TICKS_MAX, ENTITIES_PER_VIEW_MAX};
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::bits::BitWriter;
use matchkeep_shared::wire::client::Ack;
use matchkeep_shared::wire::plain;
use matchkeep_shared::wire::snapshot::SnapshotHead;
use matchkeep_shared::world::World;

use super::encoder::{Change, Encoder, Run};
use super::interest::Sight;
use super::{SnapshotFacts, Sources};

/// One client of a match.
pub(super) struct Client {
    /// What the client holds after each datagram since the one it acknowledged, oldest first: on a quick
    /// link a handful.
    sent: VecDeque<SentView>,
    /// Memory of views that are of no use any more.
    spare: Vec<Vec<Held>>,
    /// The newest datagram the client holds.
    acknowledged: Option<Tick>,
    /// A tick that was sent more than once, because the match stood still: which of its datagrams the client
    /// holds is not known, so that it is never a baseline.
    sent_again: Option<Tick>,
    plan: Plan,
}

/// What a client holds after one datagram.
struct SentView {
    tick: Tick,
    /// By ascending ID.
    held: Vec<Held>,
}

/// One entity in a client's hands.
#[derive(Clone, Copy)]
struct Held {
    id: EntityId,
    /// The tick whose version of the entity the client holds.
    version: Tick,
}

/// What happens to one entity in the datagram being made. Those that stay as they are have none.
#[derive(Clone, Copy)]
struct Op {
    action: Action,
    /// How many entities of the baseline stay as they are between the operation before and this one.
    keeps_before: u16,
    /// The entity's index in the world; of no meaning for a removal.
    entity: u16,
    /// Its index in what the client holds afterwards; of no meaning for a removal.
    held: u16,
    /// Whether it is in the datagram; where not, the client keeps what it has.
    sent: bool,
}

#[derive(Clone, Copy)]
enum Action {
    Update { run: Run, version: Tick },
    Replace { run: Run, version: Tick },
    Remove,
    Create { run: Run, tag_bits: u8 },
}

/// Kept from tick to tick for its memory alone.
#[derive(Default)]
struct Plan {
    /// What happens to entities of the baseline, in its order.
    old: Vec<Op>,
    /// Entities of the baseline that stay as they are after the last of those.
    keeps_after: u16,
    /// The entities new to the client, by ascending ID.
    new: Vec<Op>,
    /// Where not all fits: the operations by urgency; those past the end of `old` are in `new`.
    ranking: Vec<(u32, u16)>,
}

/// Marks an entity that is not held after all, because it did not fit.
const NOT_HELD: Tick = Tick(u64::MAX);

impl Client {
    pub(super) fn new() -> Self {
        Self {
            sent: VecDeque::with_capacity(BASELINE_TICKS_MAX as usize),
            spare: Vec::with_capacity(BASELINE_TICKS_MAX as usize),
            acknowledged: None,
            sent_again: None,
            plan: Plan::default(),
        }
    }

    pub(super) fn acknowledge(&mut self, ack: Ack, now: Tick) {
        let tick = Tick::from_low16(ack.newest_low16, now);
        if self.view(tick).is_some() {
            self.acknowledged = Some(tick);
            // A baseline never goes back: what is older than this one is of no use.
            while self.sent.front().is_some_and(|view| view.tick < tick) {
                self.recycle_oldest();
            }
        }
    }

    fn view(&self, tick: Tick) -> Option<&SentView> {
        let index = self.sent.binary_search_by_key(&tick, |view| view.tick).ok()?;
        self.sent.get(index)
    }

    fn recycle_oldest(&mut self) {
        if let Some(view) = self.sent.pop_front() {
            self.spare.push(view.held);
        }
    }

    /// Appends the snapshot to `out` and takes note of what the client will hold.
    pub(super) fn encode(
        &mut self,
        sources: &Sources<'_>,
        encoder: &mut Encoder,
        facts: &SnapshotFacts,
        out: &mut Vec<u8>,
    ) {
        let now = sources.world.tick();
        // A view as old as the history is gone, and with it the baseline it may have been.
        while self.sent.front().is_some_and(|v| now.since(v.tick) >= BASELINE_TICKS_MAX as i64) {
            self.recycle_oldest();
        }
        let is_again = self.sent.back().is_some_and(|view| view.tick == now);
        if is_again && self.acknowledged != Some(now) {
            self.sent_again = Some(now);
            if let Some(view) = self.sent.pop_back() {
                self.spare.push(view.held);
            }
        }
        let is_kept = !is_again && self.sent_again != Some(now);
        let baseline = self.acknowledged.filter(|tick| *tick < now && self.view(*tick).is_some());

        let mut plan = std::mem::take(&mut self.plan);
        let mut held = self.spare.pop().unwrap_or_default();
        held.clear();
        // For all there is, and not for all this client has seen so far: else each of the views grows by
        // itself whenever a client first sees more at once.
        held.reserve(sources.world.len());
        let before = baseline.and_then(|tick| self.view(tick)).map_or(&[][..], |view| &view.held);
        let bits = plan.draw_up(sources, encoder, before, &mut held);
        let budget = (facts.bytes_max * 8).saturating_sub(SnapshotHead::BITS_MAX);
        if bits > budget {
            plan.cut(sources, budget, &mut held);
        }

        let head = SnapshotHead {
            epoch_low8: facts.epoch.0 as u8,
            tick_low16: now.low16(),
            baseline_age: baseline.map(|tick| now.since(tick) as u8),
            feedback: facts.feedback,
            durable_lag: facts.durable_lag,
            paused: facts.paused,
            state_hash: facts.state_hash,
        };
        let start = out.len();
        let mut writer = BitWriter::new(out);
        head.encode(&mut writer);
        plan.write(sources.world, encoder, &mut writer);
        writer.finish();
        debug_assert!(out.len() - start <= facts.bytes_max, "the budget was kept");

        if is_kept {
            self.sent.push_back(SentView { tick: now, held });
        } else {
            self.spare.push(held);
        }
        self.plan = plan;
    }
}

impl Plan {
    /// Lists what the client should be told, and what it holds (`after`) once it was; says how many bits
    /// that takes.
    fn draw_up(
        &mut self,
        sources: &Sources<'_>,
        encoder: &mut Encoder,
        before: &[Held],
        after: &mut Vec<Held>,
    ) -> usize {
        let Sources { changes, world, interest, .. } = *sources;
        let now = world.tick();
        self.old.clear();
        self.old.reserve(before.len().max(world.len()));
        self.new.clear();
        self.new.reserve(world.len());
        let mut bits = plain::END_BITS;
        let mut keeps = 0;
        // Both lists ascend by ID: one walk over the two.
        let mut next = 0;
        for (entity, id) in world.ids().iter().copied().enumerate() {
            while before.get(next).is_some_and(|held| held.id < id) {
                next += 1;
                bits += self.remove(&mut keeps);
            }
            let sight = interest.sight(entity);
            let held = after.len() as u16;
            let Some(&Held { version, .. }) = before.get(next).filter(|held| held.id == id) else {
                let is_seen = !matches!(sight, Sight::Hidden | Sight::Fringe);
                // What the client holds already has its place in any case.
                let has_room = after.len() + (before.len() - next) < ENTITIES_PER_VIEW_MAX;
                if is_seen && has_room {
                    let tag_bits = plain::create_tag_bits_max(id) as u8;
                    let action = Action::Create { run: encoder.whole(sources, entity), tag_bits };
                    bits += action.bits();
                    let entity = entity as u16;
                    self.new.push(Op { action, keeps_before: 0, entity, held, sent: true });
                    after.push(Held { id, version: now });
                }
                continue;
            };
            next += 1;
            if sight == Sight::Hidden {
                bits += self.remove(&mut keeps);
                continue;
            }
            after.push(Held { id, version: now });
            if changes.none_since(entity, version) {
                keeps += 1;
                bits += plain::KEEP_BITS;
                continue;
            }
            let action = match encoder.change(sources, entity, version) {
                Change::Update(run) => Action::Update { run, version },
                Change::Unknown => Action::Replace { run: encoder.whole(sources, entity), version },
            };
            bits += action.bits();
            let keeps_before = std::mem::take(&mut keeps);
            self.old.push(Op { action, keeps_before, entity: entity as u16, held, sent: true });
        }
        for _ in next..before.len() {
            bits += self.remove(&mut keeps);
        }
        self.keeps_after = keeps;
        bits
    }

    fn remove(&mut self, keeps: &mut u16) -> usize {
        let keeps_before = std::mem::take(keeps);
        let action = Action::Remove;
        self.old.push(Op { action, keeps_before, entity: 0, held: 0, sent: true });
        plain::REMOVE_BITS
    }

    /// Leaves out what is least urgent until the rest fits into `budget` bits. Removals always go.
    fn cut(&mut self, sources: &Sources<'_>, budget: usize, after: &mut Vec<Held>) {
        let now = sources.world.tick();
        self.ranking.clear();
        let mut bits = plain::END_BITS + usize::from(self.keeps_after) * plain::KEEP_BITS;
        for (i, op) in self.old.iter_mut().chain(&mut self.new).enumerate() {
            bits += usize::from(op.keeps_before) * plain::KEEP_BITS;
            op.sent = false;
            let waiting = match op.action {
                Action::Remove => {
                    op.sent = true;
                    bits += plain::REMOVE_BITS;
                    continue;
                }
                Action::Update { version, .. } | Action::Replace { version, .. } => {
                    bits += plain::KEEP_BITS;
                    now.since(version).clamp(1, BASELINE_TICKS_MAX as i64) as u32
                }
                // What the client does not know of at all is worth eight ticks of waiting.
                Action::Create { .. } => 8,
            };
            // How long it waited, times how much it matters: the player's own things first, then what
            // all see, then by nearness.
            let weight = match sources.interest.sight(op.entity.into()) {
                Sight::Chosen => 1024,
                Sight::Everyone => 384,
                Sight::Near(distance) => 256 - u32::from(distance) * 3 / 4,
                Sight::Fringe | Sight::Hidden => 16,
            };
            self.ranking.push((waiting * weight, i as u16));
        }
        self.ranking.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, i) in &self.ranking {
            let i = usize::from(*i);
            let first_new = self.old.len();
            let op = if i < first_new { &mut self.old[i] } else { &mut self.new[i - first_new] };
            let kept = if i < first_new { plain::KEEP_BITS } else { 0 };
            let more = op.action.bits() - kept;
            if bits + more <= budget {
                bits += more;
                op.sent = true;
                continue;
            }
            // The client keeps the version it has, or still knows nothing of it.
            after[usize::from(op.held)].version = match op.action {
                Action::Update { version, .. } | Action::Replace { version, .. } => version,
                Action::Create { .. } | Action::Remove => NOT_HELD,
            };
        }
        after.retain(|held| held.version != NOT_HELD);
    }

    fn write(&self, world: &World, encoder: &Encoder, w: &mut BitWriter<'_>) {
        // Most entities are as they were: their zeros are written many at a time.
        let mut keeps = 0;
        for op in &self.old {
            keeps += usize::from(op.keeps_before);
            if !op.sent {
                keeps += 1;
                continue;
            }
            plain::write_keeps(std::mem::take(&mut keeps), w);
            match op.action {
                Action::Update { run, .. } => encoder.copy(run, w),
                Action::Replace { run, .. } => {
                    plain::write_replace_tag(w);
                    encoder.copy(run, w);
                }
                Action::Remove => plain::write_remove(w),
                // Stands in the other list.
                Action::Create { .. } => {}
            }
        }
        plain::write_keeps(keeps + usize::from(self.keeps_after), w);
        let mut previous = None;
        for op in self.new.iter().filter(|op| op.sent) {
            if let Action::Create { run, .. } = op.action {
                let id = world.id(op.entity.into());
                plain::write_create_tag(previous, id, w);
                encoder.copy(run, w);
                previous = Some(id);
            }
        }
        plain::write_end(w);
    }
}

impl Action {
    fn bits(&self) -> usize {
        match self {
            Self::Update { run, .. } => run.bits.into(),
            Self::Replace { run, .. } => plain::REPLACE_TAG_BITS + usize::from(run.bits),
            Self::Remove => plain::REMOVE_BITS,
            Self::Create { run, tag_bits } => usize::from(*tag_bits) + usize::from(run.bits),
        }
    }
}
