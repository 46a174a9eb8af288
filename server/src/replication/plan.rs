//! One datagram's plan: what happens to each entity that does not stay as the client has it, and what of that
//! fits.

use std::ops::Range;

use matchkeep_shared::limits::{BASELINE_TICKS_MAX, ENTITIES_PER_VIEW_MAX};
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::bits::BitWriter;
use matchkeep_shared::wire::plain;
use matchkeep_shared::world::World;

use super::Sources;
use super::client::{Held, SentView, Stale};
use super::encoder::{Change, Encoder, Run};
use super::entity_set::{EntitySet, ones};
use super::interest::Sight;
use super::since::Since;

/// What a datagram is a delta against.
pub(super) struct Baseline<'a> {
    pub(super) view: &'a SentView,
    pub(super) since: &'a Since,
}

/// What happens to one entity in the datagram being made. Those that stay as they are have none.
#[derive(Clone, Copy)]
struct Op {
    action: Action,
    /// How many entities of the baseline stay as they are between the operation before and this one.
    keeps_before: u16,
    /// The entity's index in the world; of no meaning for a removal.
    entity: u16,
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

/// What goes into one datagram. Kept from tick to tick for its memory alone.
#[derive(Default)]
pub(super) struct Plan {
    /// What happens to entities of the baseline, in its order.
    old: Vec<Op>,
    /// Entities of the baseline that stay as they are after the last of those.
    keeps_after: u16,
    /// The entities new to the client, by ascending ID.
    new: Vec<Op>,
    /// The entities of the baseline that there still are, by their indices in the newest world.
    before: EntitySet,
    /// Those of them that may not stay as they are.
    touched: EntitySet,
    /// Where not all fits: the operations by urgency; those past the end of `old` are in `new`.
    ranking: Vec<(u32, u16)>,
}

impl Plan {
    /// Lists what the client should be told, and what it holds (`after`) once it was; says how many bits
    /// that takes.
    pub(super) fn draw_up(
        &mut self,
        sources: &Sources<'_>,
        encoder: &mut Encoder,
        baseline: Option<&Baseline<'_>>,
        after: &mut Held,
    ) -> usize {
        let entities = sources.world.len();
        self.old.clear();
        self.new.clear();
        // For all there is, and not for all this client has seen so far: else each of these grows by
        // itself whenever a client first sees more at once.
        self.new.reserve(entities);
        self.before.reset(entities);
        after.entities.reset(entities);
        after.stale.clear();
        after.stale.reserve(entities);
        let mut bits = plain::END_BITS;
        self.keeps_after = 0;
        if let Some(baseline) = baseline {
            self.old.reserve(baseline.view.held.entities.words().len() * 64 + entities);
            bits += self.draw_up_old(sources, encoder, baseline, after);
        }
        bits + self.draw_up_new(sources, encoder, after)
    }

    /// What becomes of the entities of the baseline. Most of them stay as they are: those that do not are
    /// found 64 at a time, and the others are counted.
    fn draw_up_old(
        &mut self,
        sources: &Sources<'_>,
        encoder: &mut Encoder,
        baseline: &Baseline<'_>,
        after: &mut Held,
    ) -> usize {
        let Sources { changes, world, interest, .. } = *sources;
        let Baseline { view, since } = *baseline;
        let held = &view.held;
        let Self { old, before, touched, .. } = self;
        since.carry(&held.entities, before);
        let (before, keeps) = (&*before, interest.keeps());
        touched.reset(world.len());
        let (after, touches) = (after.entities.words_mut(), touched.words_mut());
        let (before_words, changed) = (before.words(), since.changed().words());
        for (i, (before, keeps)) in before_words.iter().zip(keeps.words()).enumerate() {
            after[i] = before & keeps;
            touches[i] = before & (!keeps | changed[i]);
        }
        let stale = held.stale.iter().filter_map(|stale| {
            let entity = since.index(stale.entity.into())?;
            Some((entity, view.tick - u64::from(stale.age)))
        });
        stale.clone().for_each(|(entity, _)| touched.insert(entity));

        let mut bits = 0;
        // Those below have their operation, or are counted among those that have none.
        let mut next = 0;
        let mut push = |entities: Range<usize>, action: Action| {
            let keeps_before = before.count_in(next..entities.start) as u16;
            next = entities.end;
            bits += usize::from(keeps_before) * plain::KEEP_BITS + action.bits();
            let entity = entities.start as u16;
            old.push(Op { action, keeps_before, entity, sent: true });
        };
        let gone = since.gone().iter().filter(|gone| held.entities.contains(gone.was.into()));
        let mut gone = gone.map(|gone| usize::from(gone.position)).peekable();
        let mut stale = stale.peekable();
        for entity in touched.iter() {
            while let Some(position) = gone.next_if(|position| *position <= entity) {
                push(position..position, Action::Remove);
            }
            let version =
                stale.next_if(|stale| stale.0 == entity).map_or(view.tick, |stale| stale.1);
            let action = if !keeps.contains(entity) {
                Action::Remove
            } else if changes.none_since(entity, version) {
                continue;
            } else {
                match encoder.change(sources, entity, version) {
                    Change::Update(run) => Action::Update { run, version },
                    Change::Unknown => {
                        Action::Replace { run: encoder.whole(sources, entity), version }
                    }
                }
            };
            push(entity..entity + 1, action);
        }
        for position in gone {
            push(position..position, Action::Remove);
        }
        self.keeps_after = before.count_in(next..world.len()) as u16;
        bits + usize::from(self.keeps_after) * plain::KEEP_BITS
    }

    /// What the client sees and did not hold.
    fn draw_up_new(
        &mut self,
        sources: &Sources<'_>,
        encoder: &mut Encoder,
        after: &mut Held,
    ) -> usize {
        let Sources { world, interest, .. } = *sources;
        let mut bits = 0;
        // What the client holds already has its place in any case.
        let mut room =
            ENTITIES_PER_VIEW_MAX.saturating_sub(after.entities.count_in(0..world.len()));
        let words = interest.sees().words().iter().zip(self.before.words());
        for (i, (sees, before)) in words.enumerate() {
            for entity in ones(sees & !before).map(|bit| i * 64 + bit).take(room) {
                let tag_bits = plain::create_tag_bits_max(world.id(entity)) as u8;
                let action = Action::Create { run: encoder.whole(sources, entity), tag_bits };
                bits += action.bits();
                room -= 1;
                after.entities.insert(entity);
                self.new.push(Op { action, keeps_before: 0, entity: entity as u16, sent: true });
            }
        }
        bits
    }

    /// Leaves out what is least urgent until the rest fits into `budget` bits. Removals always go.
    pub(super) fn cut(&mut self, sources: &Sources<'_>, budget: usize, after: &mut Held) {
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
            let weight = match sources.interest.sight(sources.world, op.entity.into()) {
                Sight::Chosen => 1024,
                Sight::Everyone => 384,
                Sight::Near(distance) => 256 - u32::from(distance) * 3 / 4,
                Sight::Fringe => 16,
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
            }
        }
        // The client keeps the version it has, or still knows nothing of it.
        for op in self.old.iter().filter(|op| !op.sent) {
            if let Action::Update { version, .. } | Action::Replace { version, .. } = op.action {
                let age = now.since(version).clamp(1, i64::from(u16::MAX)) as u16;
                after.stale.push(Stale { entity: op.entity, age });
            }
        }
        for op in self.new.iter().filter(|op| !op.sent) {
            after.entities.remove(op.entity.into());
        }
    }

    /// Writes what is left of the plan.
    pub(super) fn write(&self, world: &World, encoder: &Encoder, w: &mut BitWriter<'_>) {
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
