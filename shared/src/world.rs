//! A match as clients may see it at one tick: every entity quantised once, in arrays all clients share.

use glam::Vec3;

use crate::ids::{EntityId, SlotSet};
use crate::limits::ENTITIES_PER_MATCH_MAX;
use crate::schema::{Entity, Kind};
use crate::time::Tick;

/// Who may see an entity. Decided once per entity and tick, not once per client.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Audience {
    /// Everyone, wherever they are: the clock, the score.
    Everyone,
    /// These players only: what only its owner may know, what only a team may see.
    Slots(SlotSet),
    /// Everyone whose viewpoint is within `radius` of `at`, in the game's units.
    Near {
        /// Where the entity is.
        at: Vec3,
        /// How far it can be seen.
        radius: f32,
    },
}

/// All entities at one tick, quantised, in ascending order of their IDs.
#[derive(Clone, Debug, Default)]
pub struct World {
    tick: Tick,
    /// What the game added, in its order.
    rows: Vec<Row>,
    /// The quantised fields of all rows, one after the other.
    fields: Vec<u32>,
    /// Indices into `rows`, by ascending ID.
    order: Vec<u16>,
    /// The IDs in that order: what merges and searches run over.
    ids: Vec<EntityId>,
    /// Who may see each row. Apart from the rows, for a world of the past needs it no more.
    audiences: Vec<Audience>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    id: EntityId,
    first_field: u32,
    kind: u8,
}

/// One entity of a [`World`].
#[derive(Clone, Copy, Debug)]
pub struct EntityRow<'a> {
    /// Its ID.
    pub id: EntityId,
    /// The index of its kind in the game's schema.
    pub kind: u8,
    /// Its quantised fields.
    pub fields: &'a [u32],
}

impl World {
    /// The tick after whose step this was taken.
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// The number of entities.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is no entity.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The entity at `index` in the order of IDs.
    ///
    /// # Panics
    /// Where `index` is not below [`World::len`].
    pub fn entity(&self, index: usize, kinds: &[Kind]) -> EntityRow<'_> {
        let Row { id, first_field, kind } = self.rows[usize::from(self.order[index])];
        let first = first_field as usize;
        let fields = &self.fields[first..first + kinds[usize::from(kind)].fields.len()];
        EntityRow { id, kind, fields }
    }

    /// The ID of the entity at `index` in the order of IDs.
    ///
    /// # Panics
    /// Where `index` is not below [`World::len`].
    pub fn id(&self, index: usize) -> EntityId {
        self.ids[index]
    }

    /// All IDs, ascending.
    pub fn ids(&self) -> &[EntityId] {
        &self.ids
    }

    /// Who may see the entity at `index` in the order of IDs.
    ///
    /// # Panics
    /// Where `index` is not below [`World::len`], or the world was retired.
    pub fn audience(&self, index: usize) -> Audience {
        self.audiences[usize::from(self.order[index])]
    }

    /// Gives up who may see what, and hands the memory to the next world: this one is only compared with
    /// from now on.
    pub fn retire_for(&mut self, next: &mut World) {
        next.audiences = std::mem::take(&mut self.audiences);
    }

    /// The index of the entity `id`, where there is one.
    pub fn find(&self, id: EntityId) -> Option<usize> {
        self.ids.binary_search(&id).ok()
    }

    /// Empties the world and fills it from a game, as of `tick`. Keeps its memory.
    ///
    /// # Panics
    /// Where the game used one ID twice: a defect of the game.
    pub fn fill<E: Entity>(&mut self, tick: Tick, replicate: impl FnOnce(&mut WorldWriter<'_, E>)) {
        self.tick = tick;
        self.rows.clear();
        self.fields.clear();
        self.order.clear();
        self.audiences.clear();
        replicate(&mut WorldWriter { world: self, entity: std::marker::PhantomData });
        self.order.extend(0..self.rows.len() as u16);
        let rows = &self.rows;
        self.order.sort_unstable_by_key(|row| rows[usize::from(*row)].id);
        self.ids.clear();
        self.ids.extend(self.order.iter().map(|row| rows[usize::from(*row)].id));
        let twice = self.ids.windows(2).any(|pair| pair[0] == pair[1]);
        assert!(!twice, "the game gave one entity ID to two entities");
    }
}

/// Takes the entities of a game in any order; see [`crate::game::Game::replicate`].
pub struct WorldWriter<'a, E> {
    world: &'a mut World,
    entity: std::marker::PhantomData<fn(&E)>,
}

impl<E: Entity> WorldWriter<'_, E> {
    /// Adds an entity. One past [`ENTITIES_PER_MATCH_MAX`] is not shown to anyone; the number shown is in
    /// the metrics.
    pub fn add(&mut self, id: EntityId, audience: Audience, entity: &E) {
        let World { rows, fields, audiences, .. } = &mut *self.world;
        if rows.len() == ENTITIES_PER_MATCH_MAX {
            return;
        }
        let kind = entity.kind();
        let spec = E::KINDS[kind].fields;
        let first = fields.len();
        fields.resize(first + spec.len(), 0);
        entity.write(&mut fields[first..]);
        for (value, field) in fields[first..].iter_mut().zip(spec) {
            *value &= field.max();
        }
        rows.push(Row { id, first_field: first as u32, kind: kind as u8 });
        audiences.push(audience);
    }
}
