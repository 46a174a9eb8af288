//! Who sees what: audiences, and a grid over the entities that are seen by distance.

use matchkeep_shared::glam::Vec3;
use matchkeep_shared::ids::Slot;
use matchkeep_shared::world::{Audience, World};

use super::entity_set::EntitySet;

/// An entity a client already holds stays in sight until this much further away, so that one at the
/// border does not come and go.
const HYSTERESIS: f32 = 1.125;
/// Cells along each axis at most; larger maps get larger cells.
const CELLS_PER_AXIS_MAX: usize = 64;
/// Coordinates beyond this are taken for this (game units).
const COORDINATE_MAX: f32 = 1.0e6;

/// Which entities of a world one viewer sees. Kept from tick to tick for its memory alone.
#[derive(Default)]
pub(super) struct Interest {
    grid: Grid,
    everyone: EntitySet,
    by_slot: Vec<u16>,
    viewpoint: Option<Vec3>,
    sees: EntitySet,
    keeps: EntitySet,
}

/// How one viewer sees one entity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sight {
    /// Only if it was seen before.
    Fringe,
    /// By distance; 0 is right here, 255 the border.
    Near(u8),
    /// Everyone sees it.
    Everyone,
    /// Chosen viewers see it: usually what is the viewer's own.
    Chosen,
}

/// Entities seen by distance, sorted into square cells over the ground plane.
#[derive(Default)]
struct Grid {
    near: Vec<Near>,
    /// The same, cell by cell.
    by_cell: Vec<Near>,
    /// Where each cell begins in `by_cell`; one more at the end.
    cell_starts: Vec<u32>,
    columns: usize,
    rows: usize,
    min_x: f32,
    min_y: f32,
    cell_size: f32,
}

#[derive(Clone, Copy, Default)]
struct Near {
    at: Vec3,
    sees_squared: f32,
    /// With [`HYSTERESIS`].
    keeps_squared: f32,
    entity: u16,
}

impl Near {
    fn new(entity: usize, at: Vec3, radius: f32) -> Self {
        let radius = radius.max(0.0);
        let keeps = radius * HYSTERESIS;
        let (sees_squared, keeps_squared) = (radius * radius, keeps * keeps);
        Self { at, sees_squared, keeps_squared, entity: entity as u16 }
    }
}

impl Interest {
    /// Sorts the entities of a world, once per tick.
    pub(super) fn index(&mut self, world: &World) {
        self.everyone.reset(world.len());
        self.by_slot.clear();
        self.grid.near.clear();
        for entity in 0..world.len() {
            match world.audience(entity) {
                Audience::Everyone => self.everyone.insert(entity),
                Audience::Slots(_) => self.by_slot.push(entity as u16),
                Audience::Near { at, radius } => {
                    let limit = Vec3::splat(COORDINATE_MAX);
                    let at = at.clamp(-limit, limit);
                    self.grid.near.push(Near::new(entity, at, radius));
                }
            }
        }
        self.grid.sort();
    }

    /// Finds what the viewer in `slot` sees from `viewpoint`; ask the others afterwards.
    pub(super) fn look(&mut self, world: &World, slot: Slot, viewpoint: Option<Vec3>) {
        let Self { grid, everyone, by_slot, sees, keeps, .. } = self;
        self.viewpoint = viewpoint;
        sees.copy_from(everyone);
        for entity in by_slot.iter().copied().map(usize::from) {
            if let Audience::Slots(slots) = world.audience(entity)
                && slots.contains(slot)
            {
                sees.insert(entity);
            }
        }
        keeps.copy_from(sees);
        if let Some(viewpoint) = viewpoint {
            grid.around(viewpoint, |near| {
                let distance_squared = near.at.distance_squared(viewpoint);
                let entity = usize::from(near.entity);
                sees.insert_if(entity, distance_squared <= near.sees_squared);
                keeps.insert_if(entity, distance_squared <= near.keeps_squared);
            });
        }
    }

    /// What the viewer sees.
    pub(super) fn sees(&self) -> &EntitySet {
        &self.sees
    }

    /// What the viewer sees, and what stays in sight though it is a little further away.
    pub(super) fn keeps(&self) -> &EntitySet {
        &self.keeps
    }

    /// How the viewer sees the entity at this index of the world, which is one of [`Interest::keeps`].
    pub(super) fn sight(&self, world: &World, entity: usize) -> Sight {
        match (world.audience(entity), self.viewpoint) {
            (Audience::Everyone, _) => Sight::Everyone,
            (Audience::Slots(_), _) => Sight::Chosen,
            (Audience::Near { at, radius }, Some(viewpoint)) => {
                let distance = at.distance(viewpoint);
                if distance > radius {
                    return Sight::Fringe;
                }
                Sight::Near((distance / radius.max(1.0) * 255.0) as u8)
            }
            (Audience::Near { .. }, None) => Sight::Fringe,
        }
    }
}

impl Grid {
    fn sort(&mut self) {
        let Self { near, by_cell, cell_starts, .. } = self;
        let (mut min, mut max) = (Vec3::splat(f32::MAX), Vec3::splat(f32::MIN));
        let mut reach: f32 = 1.0;
        for n in near.iter() {
            min = min.min(n.at);
            max = max.max(n.at);
            reach = reach.max(n.keeps_squared);
        }
        let reach = reach.sqrt();
        let extent = if near.is_empty() { 0.0 } else { (max.x - min.x).max(max.y - min.y) };
        // A cell as wide as anything can be seen: then a viewer looks into nine of them.
        self.cell_size = reach.max(extent / CELLS_PER_AXIS_MAX as f32);
        (self.min_x, self.min_y) = (min.x, min.y);
        let cells = |low: f32, high: f32| match near.is_empty() {
            true => 1,
            false => ((high - low) / self.cell_size) as usize + 1,
        };
        (self.columns, self.rows) = (cells(min.x, max.x), cells(min.y, max.y));
        if self.columns <= 2 && self.rows <= 2 {
            // Wherever the viewer is, that is looked into as a whole: one cell will do.
            (self.columns, self.rows) = (1, 1);
            self.cell_size = self.cell_size.max(extent * 2.0);
            by_cell.clone_from(near);
            cell_starts.clear();
            cell_starts.extend([0, near.len() as u32]);
            return;
        }

        // A counting sort: how many in each cell, then where each cell begins, then the entities.
        cell_starts.clear();
        cell_starts.resize(self.columns * self.rows + 1, 0);
        by_cell.clear();
        by_cell.resize(near.len(), Near::default());
        let cell = |n: &Near| {
            let column = ((n.at.x - min.x) / self.cell_size) as usize;
            let row = ((n.at.y - min.y) / self.cell_size) as usize;
            row * self.columns + column
        };
        for n in near.iter() {
            cell_starts[cell(n) + 1] += 1;
        }
        for c in 1..cell_starts.len() {
            cell_starts[c] += cell_starts[c - 1];
        }
        // Filled from each cell's end downwards, so that the starts are right afterwards: first move
        // each start to its cell's end.
        for c in 0..cell_starts.len() - 1 {
            cell_starts[c] = cell_starts[c + 1];
        }
        for n in near.iter().rev() {
            let start = &mut cell_starts[cell(n)];
            *start -= 1;
            by_cell[*start as usize] = *n;
        }
    }

    /// Calls `visit` for every entity in the cell of `viewpoint` and those around it.
    fn around(&self, viewpoint: Vec3, mut visit: impl FnMut(&Near)) {
        let range = |position: f32, low: f32, cells: usize| {
            let cell = ((position - low) / self.cell_size).floor() as i64;
            let first = cell.saturating_sub(1).clamp(0, cells as i64);
            first as usize..cell.saturating_add(2).clamp(first, cells as i64) as usize
        };
        let columns = range(viewpoint.x, self.min_x, self.columns);
        for row in range(viewpoint.y, self.min_y, self.rows) {
            let first = self.cell_starts[row * self.columns + columns.start];
            let end = self.cell_starts[row * self.columns + columns.end];
            self.by_cell[first as usize..end as usize].iter().for_each(&mut visit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use matchkeep_shared::ids::{EntityId, SlotSet};
    use matchkeep_shared::rng::Rng;
    use matchkeep_shared::schema::{Entity, Field, Kind};
    use matchkeep_shared::time::Tick;

    #[derive(Clone, Debug)]
    struct Dot;

    impl Entity for Dot {
        const KINDS: &'static [Kind] = &[Kind { name: "dot", fields: &[Field::uint("n", 1)] }];
        fn kind(&self) -> usize {
            0
        }
        fn write(&self, fields: &mut [u32]) {
            fields[0] = 0;
        }
        fn read(_: usize, _: &[u32]) -> Option<Self> {
            Some(Self)
        }
    }

    #[test]
    fn the_grid_finds_what_a_search_of_everything_finds() {
        let mut rng = Rng::new(1);
        let mut world = World::default();
        let mut interest = Interest::default();
        for round in 0..200 {
            let spread = [10.0, 1_000.0, 30_000.0][round % 3];
            let point = |rng: &mut Rng| {
                Vec3::new(
                    rng.range(-spread, spread),
                    rng.range(-spread, spread),
                    rng.range(0.0, 300.0),
                )
            };
            let count = rng.below(80);
            let near: Vec<(Vec3, f32)> =
                (0..count).map(|_| (point(&mut rng), rng.range(1.0, 2_000.0))).collect();
            world.fill::<Dot>(Tick(1), |w| {
                for (i, (at, radius)) in near.iter().enumerate() {
                    w.add(EntityId(i as u32), Audience::Near { at: *at, radius: *radius }, &Dot);
                }
            });
            interest.index(&world);
            let viewpoint = point(&mut rng);
            interest.look(&world, Slot(0), Some(viewpoint));
            for (i, (at, radius)) in near.iter().enumerate() {
                // Squared, as the grid has it: a root may round to the other side of the border.
                let (distance, radius) = (at.distance_squared(viewpoint), radius * radius);
                let (seen, kept) = (interest.sees().contains(i), interest.keeps().contains(i));
                assert_eq!(seen, distance <= radius, "round {round}, entity {i}");
                assert_eq!(
                    kept,
                    distance <= radius * HYSTERESIS * HYSTERESIS,
                    "round {round}, entity {i}"
                );
                if kept && (distance / radius - 1.0).abs() > 0.001 {
                    let is_near = matches!(interest.sight(&world, i), Sight::Near(_));
                    assert_eq!(is_near, seen, "round {round}, entity {i}");
                }
            }
        }
    }

    #[test]
    fn what_is_one_players_own_is_hidden_from_the_others() {
        let mut world = World::default();
        world.fill::<Dot>(Tick(1), |w| {
            w.add(EntityId(1), Audience::Slots(SlotSet::one(Slot(3))), &Dot);
            w.add(EntityId(2), Audience::Everyone, &Dot);
        });
        let mut interest = Interest::default();
        interest.index(&world);
        for (slot, seen) in [(Slot(3), &[0, 1][..]), (Slot(4), &[1][..])] {
            interest.look(&world, slot, None);
            assert_eq!(interest.sees().iter().collect::<Vec<_>>(), seen);
            assert_eq!(interest.keeps().iter().collect::<Vec<_>>(), seen);
        }
        let sights = [interest.sight(&world, 0), interest.sight(&world, 1)];
        assert_eq!(sights, [Sight::Chosen, Sight::Everyone]);
    }
}
