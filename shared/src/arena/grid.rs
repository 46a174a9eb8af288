//! Which solids are near: a flat grid over the map, so that a sweep looks at a few and not at all.
//! Derived from the map, never stored.

use glam::Vec3;

use crate::arena::map::Solid;
use crate::arena::trace::Sweep;

/// The side of a cell, in units: four players wide, about what one passes in a third of a second.
const CELL: f32 = 128.0;

/// Solids by the cells they touch. The grid is flat: maps are wide and low.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    origin_x: f32,
    origin_y: f32,
    columns: usize,
    rows: usize,
    /// Where a cell's list begins in `items`; one more at the end.
    starts: Vec<u32>,
    items: Vec<u16>,
}

impl Grid {
    /// `low` and `high` enclose all solids, of which there are fewer than 65,536.
    pub(crate) fn new(solids: &[Solid], low: Vec3, high: Vec3) -> Self {
        let cells = |length: f32| (length / CELL) as usize + 1;
        let (columns, rows) = (cells(high.x - low.x), cells(high.y - low.y));
        let mut grid = Self {
            origin_x: low.x,
            origin_y: low.y,
            columns,
            rows,
            starts: vec![0; columns * rows + 1],
            items: Vec::new(),
        };
        // How many in each cell, then where each cell begins, then the solids: by ascending index in each.
        for solid in solids {
            grid.cells(solid).for_each(|cell| grid.starts[cell + 1] += 1);
        }
        for cell in 0..columns * rows {
            grid.starts[cell + 1] += grid.starts[cell];
        }
        let mut next = grid.starts.clone();
        grid.items.resize(next[columns * rows] as usize, 0);
        for (index, solid) in solids.iter().enumerate() {
            for cell in grid.cells(solid) {
                grid.items[next[cell] as usize] = index as u16;
                next[cell] += 1;
            }
        }
        grid
    }

    /// The cells that a solid touches: a column's rows lie next to each other.
    fn cells(&self, solid: &Solid) -> impl Iterator<Item = usize> + use<> {
        let columns = self.column(solid.min.x)..=self.column(solid.max.x);
        let (low, high, rows) = (self.row(solid.min.y), self.row(solid.max.y), self.rows);
        columns.flat_map(move |column| (low..=high).map(move |row| column * rows + row))
    }

    // `as` saturates: what is beyond the map belongs to the cell at its edge.
    fn column(&self, x: f32) -> usize {
        (((x - self.origin_x) / CELL) as usize).min(self.columns - 1)
    }

    fn row(&self, y: f32) -> usize {
        (((y - self.origin_y) / CELL) as usize).min(self.rows - 1)
    }

    /// Lets `sweep` meet every solid it may touch. Walks the columns in the sweep's direction and stops
    /// behind the first hit.
    pub(crate) fn sweep(&self, solids: &[Solid], start: Vec3, end: Vec3, sweep: &mut Sweep) {
        let (first, last) = (self.column(sweep.low().x), self.column(sweep.high().x));
        let (low_row, high_row) = (self.row(sweep.low().y), self.row(sweep.high().y));
        if first == last || low_row == high_row {
            for column in first..=last {
                self.meet(solids, column, low_row, high_row, sweep);
            }
            return;
        }
        // How far the box reaches around the line, and the line itself as y over x.
        let reach_low = sweep.low() - start.min(end);
        let reach_high = sweep.high() - start.max(end);
        let way = end - start;
        for step in 0..=last - first {
            let column = if way.x >= 0.0 { first + step } else { last - step };
            let left = self.origin_x + column as f32 * CELL - reach_high.x;
            let right = self.origin_x + (column + 1) as f32 * CELL - reach_low.x;
            let (mut enter, mut leave) = (0.0, 1.0);
            if way.x != 0.0 {
                let (a, b) = ((left - start.x) / way.x, (right - start.x) / way.x);
                (enter, leave) = (a.min(b).clamp(0.0, 1.0), a.max(b).clamp(0.0, 1.0));
                // The outermost columns also hold what lies beyond the map.
                if column == 0 || column + 1 == self.columns {
                    (enter, leave) = (0.0, 1.0);
                }
            }
            if enter > sweep.fraction() {
                continue;
            }
            let (a, b) = (start.y + way.y * enter, start.y + way.y * leave);
            // One unit more than rounding could take away.
            let (low, high) = (a.min(b) + reach_low.y - 1.0, a.max(b) + reach_high.y + 1.0);
            self.meet(solids, column, self.row(low), self.row(high), sweep);
        }
    }

    fn meet(&self, solids: &[Solid], column: usize, first: usize, last: usize, sweep: &mut Sweep) {
        // Rows of a column lie next to each other, so their lists do too.
        let from = self.starts[column * self.rows + first] as usize;
        let to = self.starts[column * self.rows + last + 1] as usize;
        for index in &self.items[from..to] {
            sweep.meet(&solids[usize::from(*index)]);
        }
    }
}
