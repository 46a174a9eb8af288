//! What has become of an earlier world, worked out once for all clients whose baseline is of its tick.

use matchkeep_shared::time::Tick;

use super::entity_set::EntitySet;
use super::{Changes, History};
use matchkeep_shared::world::World;

/// From the world of one earlier tick to the newest.
#[derive(Default)]
pub(super) struct Since {
    base: Tick,
    /// Whether entities have come or gone: where not, an entity's index is what it was.
    is_moved: bool,
    /// By the index of an entity in the earlier world: its index in the newest, or [`GONE`].
    moved: Vec<u16>,
    /// Entities of the earlier world that are no more, by ascending ID.
    gone: Vec<Gone>,
    /// Entities of the newest world that are not as they were.
    changed: EntitySet,
}

/// An entity that is no more.
#[derive(Clone, Copy)]
pub(super) struct Gone {
    /// Its index in the earlier world.
    pub(super) was: u16,
    /// How many entities of the newest world have a lower ID.
    pub(super) position: u16,
}

/// Stands for an index where there is no entity any more.
const GONE: u16 = u16::MAX;

impl Since {
    fn work_out(&mut self, before: &World, changes: &Changes, world: &World) {
        self.base = before.tick();
        self.moved.clear();
        self.gone.clear();
        self.changed.reset(world.len());
        let (old_ids, ids) = (before.ids(), world.ids());
        self.is_moved = old_ids != ids;
        for (word, at) in self.changed.words_mut().iter_mut().zip(changes.at.chunks(64)) {
            *word = at.iter().rev().fold(0, |word, at| word << 1 | u64::from(*at > self.base));
        }
        if !self.is_moved {
            return;
        }
        let mut next = 0;
        for (was, id) in old_ids.iter().enumerate() {
            while ids.get(next).is_some_and(|new| new < id) {
                next += 1;
            }
            if ids.get(next) == Some(id) {
                self.moved.push(next as u16);
            } else {
                self.moved.push(GONE);
                self.gone.push(Gone { was: was as u16, position: next as u16 });
            }
        }
    }

    /// Entities of the newest world that are not as they were, and those that were not there.
    pub(super) fn changed(&self) -> &EntitySet {
        &self.changed
    }

    /// Entities of the earlier world that are no more, by ascending ID.
    pub(super) fn gone(&self) -> &[Gone] {
        &self.gone
    }

    /// The index in the newest world of an entity of the earlier one.
    pub(super) fn index(&self, was: usize) -> Option<usize> {
        if !self.is_moved {
            return Some(was);
        }
        Some(self.moved[was]).filter(|index| *index != GONE).map(usize::from)
    }

    /// A set of entities of the earlier world, as indices in the newest. `into` is for it already.
    pub(super) fn carry(&self, set: &EntitySet, into: &mut EntitySet) {
        if !self.is_moved {
            into.copy_from(set);
            return;
        }
        for was in set.iter() {
            if let Some(index) = self.index(was) {
                into.insert(index);
            }
        }
    }
}

/// Those of one tick. Most clients have one of a few baselines.
#[derive(Default)]
pub(super) struct Sinces {
    /// The first `used` are of this tick; the others are there for their memory.
    all: Vec<Since>,
    used: usize,
}

impl Sinces {
    /// Forgets the last tick.
    pub(super) fn begin(&mut self) {
        self.used = 0;
    }

    /// From the world at `base` to the newest; `None` where that is forgotten.
    pub(super) fn get(
        &mut self,
        base: Tick,
        history: &History,
        changes: &Changes,
        world: &World,
    ) -> Option<&Since> {
        let known = self.all[..self.used].iter().position(|since| since.base == base);
        let index = match known {
            Some(index) => index,
            None => {
                let before = history.at(base)?;
                if self.used == self.all.len() {
                    self.all.push(Since::default());
                }
                self.all[self.used].work_out(before, changes, world);
                self.used += 1;
                self.used - 1
            }
        };
        Some(&self.all[index])
    }
}
