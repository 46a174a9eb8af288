//! What one client holds, and which part of what it should know fits into its next datagram.

use matchkeep_shared::ids::EntityId;
use matchkeep_shared::limits::{BASELINE_TICKS_MAX, ENTITIES_PER_VIEW_MAX};
use matchkeep_shared::schema::Kind;
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::bits::BitWriter;
use matchkeep_shared::wire::client::Ack;
use matchkeep_shared::wire::plain;
use matchkeep_shared::wire::snapshot::SnapshotHead;
use matchkeep_shared::world::World;

use super::encoder::{Change, Encoder, Run};
use super::interest::{Interest, Sight};
use super::{History, SnapshotFacts};

/// Memory for this many entities is set aside in each view from the beginning.
const VIEW_RESERVE: usize = 64;

/// One client of a match.
pub(super) struct Client {
    /// What the client holds after each of the last datagrams, by tick.
    sent: Vec<SentView>,
    /// The newest datagram the client holds.
    acknowledged: Option<Tick>,
    plan: Plan,
}

/// What a client holds after one datagram.
#[derive(Default)]
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

/// What happens to one entity in the datagram being made.
#[derive(Clone, Copy)]
struct Op {
    /// Its index in the world; of no meaning for a removal.
    entity: u16,
    action: Action,
    /// Whether it is in the datagram; where not, the client keeps what it has.
    sent: bool,
}

#[derive(Clone, Copy)]
enum Action {
    Unchanged,
    Update { run: Run, version: Tick },
    Replace { run: Run, version: Tick },
    Remove,
    Create { run: Run, tag_bits: u8 },
}

/// Kept from tick to tick for its memory alone.
#[derive(Default)]
struct Plan {
    /// In the order of the wire: one for each entity of the baseline, then the new ones.
    ops: Vec<Op>,
    /// Where not all fits: the operations by urgency.
    ranking: Vec<(u32, u16)>,
}

impl Client {
    pub(super) fn new() -> Self {
        let view = || SentView { tick: Tick(0), held: Vec::with_capacity(VIEW_RESERVE) };
        Self {
            sent: (0..BASELINE_TICKS_MAX).map(|_| view()).collect(),
            acknowledged: None,
            plan: Plan::default(),
        }
    }

    pub(super) fn acknowledge(&mut self, ack: Ack, now: Tick) {
        let tick = Tick::from_low16(ack.newest_low16, now);
        let was_sent = tick.0 > 0 && self.view(tick).is_some();
        if was_sent && self.acknowledged.is_none_or(|newest| tick > newest) {
            self.acknowledged = Some(tick);
        }
    }

    fn view(&self, tick: Tick) -> Option<&SentView> {
        Some(&self.sent[History::slot(tick)]).filter(|view| view.tick == tick)
    }

    /// Appends the snapshot of `world` to `out` and takes note of what the client will hold.
    #[expect(clippy::too_many_arguments, reason = "the parts of one replicator, borrowed apart")]
    pub(super) fn encode(
        &mut self,
        kinds: &[Kind],
        history: &History,
        world: &World,
        interest: &Interest,
        encoder: &mut Encoder,
        facts: &SnapshotFacts,
        out: &mut Vec<u8>,
    ) {
        let now = world.tick();
        // The slot of this tick's own view is about to be overwritten: a baseline that old is gone.
        let baseline =
            self.acknowledged.filter(|tick| now.since(*tick) < BASELINE_TICKS_MAX as i64);
        let baseline = baseline.filter(|tick| self.view(*tick).is_some());

        let mut plan = std::mem::take(&mut self.plan);
        let held = baseline.and_then(|tick| self.view(tick)).map_or(&[][..], |view| &view.held);
        let bits = plan.draw_up(kinds, history, world, interest, encoder, held);
        let budget = (facts.bytes_max * 8).saturating_sub(SnapshotHead::BITS_MAX);
        if bits > budget {
            plan.cut(world, interest, budget);
        }

        let head = SnapshotHead {
            epoch_low8: facts.epoch.0 as u8,
            tick_low16: now.low16(),
            baseline_age: baseline.map(|tick| now.since(tick) as u8),
            feedback: facts.feedback,
            durable_lag: facts.durable_lag,
        };
        let start = out.len();
        let mut writer = BitWriter::new(out);
        head.encode(&mut writer);
        plan.write(world, encoder, &mut writer);
        writer.finish();
        debug_assert!(out.len() - start <= facts.bytes_max, "the budget was kept");

        let view = &mut self.sent[History::slot(now)];
        view.tick = now;
        plan.view_after(world, &mut view.held);
        self.plan = plan;
    }
}

impl Plan {
    /// Lists what the client should be told, and says how many bits that takes.
    fn draw_up(
        &mut self,
        kinds: &[Kind],
        history: &History,
        world: &World,
        interest: &Interest,
        encoder: &mut Encoder,
        held: &[Held],
    ) -> usize {
        self.ops.clear();
        let mut bits = plain::END_BITS;
        // Both lists ascend by ID; `entity` runs along the world. New entities come after the old ones.
        let mut entity = 0;
        for held in held {
            while entity < world.len() && world.id(entity) < held.id {
                entity += 1;
            }
            let there = entity < world.len() && world.id(entity) == held.id;
            let action = if !there || interest.sight(entity) == Sight::Hidden {
                Action::Remove
            } else {
                let version = held.version;
                match encoder.change(kinds, history, world, entity, version) {
                    Change::None => Action::Unchanged,
                    Change::Update(run) => Action::Update { run, version },
                    Change::Unknown => {
                        Action::Replace { run: encoder.whole(kinds, world, entity), version }
                    }
                }
            };
            bits += action.bits();
            self.ops.push(Op { entity: entity as u16, action, sent: true });
        }
        let mut old = held.iter().peekable();
        let mut count = self.ops.iter().filter(|op| !matches!(op.action, Action::Remove)).count();
        for entity in 0..world.len() {
            let id = world.id(entity);
            while old.next_if(|held| held.id < id).is_some() {}
            let seen = !matches!(interest.sight(entity), Sight::Hidden | Sight::Fringe);
            let known = old.peek().is_some_and(|held| held.id == id);
            if !seen || known || count == ENTITIES_PER_VIEW_MAX {
                continue;
            }
            count += 1;
            let tag_bits = plain::create_tag_bits_max(id) as u8;
            let action = Action::Create { run: encoder.whole(kinds, world, entity), tag_bits };
            bits += action.bits();
            self.ops.push(Op { entity: entity as u16, action, sent: true });
        }
        bits
    }

    /// Leaves out what is least urgent until the rest fits into `budget` bits. Removals always go.
    fn cut(&mut self, world: &World, interest: &Interest, budget: usize) {
        let now = world.tick();
        self.ranking.clear();
        let mut bits = plain::END_BITS;
        for (i, op) in self.ops.iter_mut().enumerate() {
            op.sent = false;
            let waiting = match op.action {
                Action::Unchanged | Action::Remove => {
                    op.sent = true;
                    bits += op.action.bits();
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
            let weight = match interest.sight(op.entity.into()) {
                Sight::Chosen => 1024,
                Sight::Everyone => 384,
                Sight::Near(distance) => 256 - u32::from(distance) * 3 / 4,
                Sight::Fringe | Sight::Hidden => 16,
            };
            self.ranking.push((waiting * weight, i as u16));
        }
        self.ranking.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, i) in &self.ranking {
            let op = &mut self.ops[usize::from(*i)];
            let kept =
                if matches!(op.action, Action::Create { .. }) { 0 } else { plain::KEEP_BITS };
            let more = op.action.bits() - kept;
            if bits + more <= budget {
                bits += more;
                op.sent = true;
            }
        }
    }

    fn write(&self, world: &World, encoder: &Encoder, w: &mut BitWriter<'_>) {
        let mut previous = None;
        for op in &self.ops {
            match op.action {
                Action::Remove => plain::write_remove(w),
                Action::Create { run, .. } => {
                    if op.sent {
                        let id = world.id(op.entity.into());
                        plain::write_create_tag(previous, id, w);
                        encoder.copy(run, w);
                        previous = Some(id);
                    }
                }
                Action::Update { run, .. } if op.sent => encoder.copy(run, w),
                Action::Replace { run, .. } if op.sent => {
                    plain::write_replace_tag(w);
                    encoder.copy(run, w);
                }
                Action::Unchanged | Action::Update { .. } | Action::Replace { .. } => {
                    plain::write_keep(w);
                }
            }
        }
        plain::write_end(w);
    }

    /// What the client holds after this datagram, by ascending ID.
    fn view_after(&self, world: &World, held: &mut Vec<Held>) {
        held.clear();
        let now = world.tick();
        let mut push = |op: &Op| {
            let version = match op.action {
                Action::Remove => return,
                Action::Create { .. } if !op.sent => return,
                Action::Update { version, .. } | Action::Replace { version, .. } if !op.sent => {
                    version
                }
                _ => now,
            };
            held.push(Held { id: world.id(op.entity.into()), version });
        };
        // Old and new ones ascend each; merge them.
        let is_new = |op: &&Op| matches!(op.action, Action::Create { .. });
        let first_new = self.ops.iter().position(|op| is_new(&op)).unwrap_or(self.ops.len());
        let (old, new) = self.ops.split_at(first_new);
        let mut new = new.iter().peekable();
        for op in old {
            while let Some(created) = new.next_if(|created| created.entity < op.entity) {
                push(created);
            }
            push(op);
        }
        new.for_each(push);
    }
}

impl Action {
    fn bits(&self) -> usize {
        match self {
            Self::Unchanged => plain::KEEP_BITS,
            Self::Update { run, .. } => run.bits.into(),
            Self::Replace { run, .. } => plain::REPLACE_TAG_BITS + usize::from(run.bits),
            Self::Remove => plain::REMOVE_BITS,
            Self::Create { run, tag_bits } => usize::from(*tag_bits) + usize::from(run.bits),
        }
    }
}
