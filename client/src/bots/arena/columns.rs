//! The ground plan of a map in squares, so that what is near is found without looking at everything.
//! Knows how far the map reaches, nothing of what is on it.

use matchkeep_shared::arena::Map;
use matchkeep_shared::glam::Vec3;

/// The side of a column, in units: two players wide.
const SPACING: f32 = 64.0;
/// Columns of one map; those of a larger one are wider.
const COLUMNS_MAX: usize = 8192;

/// The ground plan of a map, in squares around the places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns {
    low: Vec3,
    /// From the middle of one to the middle of the next.
    pub(super) spacing: f32,
    wide: usize,
    deep: usize,
}

impl Columns {
    /// The columns of a map.
    pub(super) fn new(map: &Map) -> Self {
        let (low, high) = map.bounds();
        let mut spacing = SPACING;
        loop {
            let count = |length: f32| (length / spacing) as usize + 1;
            let (wide, deep) = (count(high.x - low.x), count(high.y - low.y));
            if wide * deep <= COLUMNS_MAX {
                return Self { low, spacing, wide, deep };
            }
            spacing *= 1.25;
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.wide * self.deep
    }

    /// The number of the column over a point; beyond the map of the one at its edge.
    pub(super) fn number(&self, at: Vec3) -> usize {
        let (x, y) = self.cell(at);
        x * self.deep + y
    }

    /// The numbers of the columns over all that is between two corners.
    pub(super) fn between(&self, low: Vec3, high: Vec3) -> impl Iterator<Item = usize> + use<> {
        self.block(self.cell(low), self.cell(high))
    }

    /// The numbers of the column over a point and of those beside it.
    pub(super) fn around(&self, at: Vec3) -> impl Iterator<Item = usize> + use<> {
        let (x, y) = self.cell(at);
        let low = (x.saturating_sub(1), y.saturating_sub(1));
        self.block(low, ((x + 1).min(self.wide - 1), (y + 1).min(self.deep - 1)))
    }

    /// The middle of a column, at the height of the map's lowest corner.
    pub(super) fn middle(&self, column: usize) -> Vec3 {
        let (x, y) = (column / self.deep, column % self.deep);
        self.low + Vec3::new(x as f32 + 0.5, y as f32 + 0.5, 0.0) * self.spacing
    }

    fn block(
        &self,
        low: (usize, usize),
        high: (usize, usize),
    ) -> impl Iterator<Item = usize> + use<> {
        let deep = self.deep;
        (low.0..=high.0).flat_map(move |x| (low.1..=high.1).map(move |y| x * deep + y))
    }

    // `as` saturates: what is before the first column belongs to it.
    fn cell(&self, at: Vec3) -> (usize, usize) {
        let cell = (at - self.low) / self.spacing;
        ((cell.x as usize).min(self.wide - 1), (cell.y as usize).min(self.deep - 1))
    }
}
