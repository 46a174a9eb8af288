//! A match from above.
//!
//! A cell is about twice as high as wide: walls are drawn in half cells, which are square.

use matchkeep_shared::sketch::{Area, Height, Mark, MarkKind, Sketch};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Tint, line};
use crate::travel::Picture;

/// What shows where somebody faces, from x counter-clockwise.
const ARROWS: [&str; 8] = ["→", "↗", "↑", "↖", "←", "↙", "↓", "↘"];
/// The most of a name that stands beside its player.
const LABEL_CHARS_MAX: usize = 10;
/// On a narrower map names would hide more than they tell.
const LABEL_COLUMNS_MIN: u16 = 30;

pub(super) fn draw_map(picture: Option<&Picture>, tint: Tint, area: Rect, buffer: &mut Buffer) {
    let area = area.intersection(buffer.area);
    let Some(sketch) = picture.map(|picture| &picture.sketch) else {
        return line(buffer, area, 0, "no picture yet", tint.faint());
    };
    let Some(extent) = sketch.extent().filter(|_| !area.is_empty()) else {
        return line(buffer, area, 0, "the game shows no map", tint.faint());
    };
    let scale = Scale::new(extent, area);
    draw_walls(sketch, &scale, tint, buffer);
    let marks: Vec<(&Mark, u16, u16)> = sketch
        .marks
        .iter()
        .filter_map(|mark| {
            let (x, y) = scale.cell(mark.at)?;
            Some((mark, x, y))
        })
        .collect();
    if area.width >= LABEL_COLUMNS_MIN {
        for (mark, x, y) in &marks {
            draw_label(mark, *x, *y, tint, area, buffer);
        }
    }
    // Over all names: where somebody is counts for more than who it is.
    for (mark, x, y) in marks {
        let (symbol, style) = look(mark, tint);
        buffer[(x, y)].set_symbol(symbol).set_style(style);
    }
}

/// From the game's units to half cells.
struct Scale {
    extent: Area,
    area: Rect,
    /// Half cells for a unit.
    factor: f32,
    /// Half cells that are left free on the left, and above.
    margin: [f32; 2],
}

impl Scale {
    fn new(extent: Area, area: Rect) -> Self {
        let room = [f32::from(area.width), f32::from(area.height) * 2.0];
        // A line, or a point, is as wide as one unit.
        let size = [0, 1].map(|axis| (extent.high[axis] - extent.low[axis]).max(1.0));
        let factor = (room[0] / size[0]).min(room[1] / size[1]);
        let margin = [0, 1].map(|axis| (room[axis] - size[axis] * factor) / 2.0);
        Self { extent, area, factor, margin }
    }

    /// In half cells from the upper left corner.
    fn point(&self, at: [f32; 2]) -> [f32; 2] {
        [
            self.margin[0] + (at[0] - self.extent.low[0]) * self.factor,
            self.margin[1] + (self.extent.high[1] - at[1]) * self.factor,
        ]
    }

    /// The cell of a point; none where it is outside, or nowhere.
    fn cell(&self, at: [f32; 2]) -> Option<(u16, u16)> {
        let [x, y] = self.point(at);
        let size = [f32::from(self.area.width), f32::from(self.area.height) * 2.0];
        // What is right at the edge belongs to the last cell. Written so that NaN is outside.
        let is_inside = x >= 0.0 && y >= 0.0 && x <= size[0] && y <= size[1];
        is_inside.then(|| {
            let x = (x as u16).min(self.area.width - 1);
            let y = (y as u16 / 2).min(self.area.height - 1);
            (self.area.x + x, self.area.y + y)
        })
    }

    /// The half cells from one edge to the other, on an axis; at least one, unless all of it is outside.
    fn cover(&self, axis: usize, from: f32, to: f32) -> std::ops::Range<usize> {
        let count = [usize::from(self.area.width), usize::from(self.area.height) * 2][axis];
        if to < 0.0 || from > count as f32 {
            return 0..0;
        }
        // `as` saturates, and sends NaN to 0.
        let first = (from.round() as usize).min(count - 1);
        let end = (to.round() as usize).clamp(first + 1, count);
        first..end
    }
}

/// Walls in half cells: a full one is solid, a low one is shaded.
fn draw_walls(sketch: &Sketch, scale: &Scale, tint: Tint, buffer: &mut Buffer) {
    let (columns, rows) = (usize::from(scale.area.width), usize::from(scale.area.height));
    let mut halves: Vec<Option<Height>> = vec![None; columns * rows * 2];
    for wall in &sketch.walls {
        let low = scale.point([wall.area.low[0], wall.area.high[1]]);
        let high = scale.point([wall.area.high[0], wall.area.low[1]]);
        for y in scale.cover(1, low[1], high[1]) {
            for x in scale.cover(0, low[0], high[0]) {
                halves[y * columns + x] = Some(wall.height);
            }
        }
    }
    for row in 0..rows {
        for column in 0..columns {
            let half = |which: usize| halves[(row * 2 + which) * columns + column];
            let is_full = |which: usize| half(which) == Some(Height::Full);
            let (symbol, style) = match (is_full(0), is_full(1)) {
                (true, true) => ("█", tint.wall()),
                (true, false) => ("▀", tint.wall()),
                (false, true) => ("▄", tint.wall()),
                (false, false) if half(0).is_some() || half(1).is_some() => ("░", tint.faint()),
                (false, false) => continue,
            };
            let at = (scale.area.x + column as u16, scale.area.y + row as u16);
            buffer[at].set_symbol(symbol).set_style(style);
        }
    }
}

/// A player's name, to the right of where the player is.
fn draw_label(mark: &Mark, x: u16, y: u16, tint: Tint, area: Rect, buffer: &mut Buffer) {
    if !matches!(mark.kind, MarkKind::Player | MarkKind::Down) {
        return;
    }
    let style = match mark.kind {
        MarkKind::Player => tint.player(mark.slot, mark.team),
        _ => tint.faint(),
    };
    let room = usize::from(area.right() - x - 1).min(LABEL_CHARS_MAX);
    buffer.set_stringn(x + 1, y, &mark.label, room, style);
}

/// The character for something, and how it looks.
fn look(mark: &Mark, tint: Tint) -> (&'static str, Style) {
    match mark.kind {
        MarkKind::Player => {
            let facing = mark.facing_degrees.filter(|degrees| degrees.is_finite());
            let arrow = |degrees: f32| {
                ARROWS[((degrees.rem_euclid(360.0) / 45.0).round() as usize) % ARROWS.len()]
            };
            (facing.map_or("@", arrow), tint.player(mark.slot, mark.team))
        }
        MarkKind::Down => ("x", tint.faint()),
        MarkKind::Shot => ("*", tint.shot()),
        MarkKind::Item => ("+", tint.item()),
        MarkKind::Other => ("o", tint.player(mark.slot, mark.team)),
    }
}
