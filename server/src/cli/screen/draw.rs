//! Drawing models into a buffer. Each file draws one thing; here is what they share.
//!
//! Owns: lines, tables, colours. Must not know: where a model comes from. Nothing here asks, waits or decides:
//! the same model gives the same cells, in any size of terminal.

mod figures;
mod map;
mod matches;
mod node;
mod players;
#[cfg(test)]
mod tests;

use matchkeep_shared::ids::Slot;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use crate::cli::is_plain;
pub(super) use matches::draw_match;
pub(super) use node::draw_node;

/// Colours of players, and of teams, by number.
const COLOURS: [Color; 7] = [
    Color::Cyan,
    Color::Yellow,
    Color::Green,
    Color::Magenta,
    Color::LightBlue,
    Color::LightRed,
    Color::White,
];

/// How things are set apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tint {
    Coloured,
    /// For who wants no colours: characters tell all of it.
    Plain,
}

impl Tint {
    pub(super) fn of_environment() -> Self {
        if is_plain() { Self::Plain } else { Self::Coloured }
    }

    fn style(self, style: Style) -> Style {
        if self == Self::Plain { Style::default() } else { style }
    }

    fn title(self) -> Style {
        self.style(Style::default().add_modifier(Modifier::BOLD))
    }

    fn head(self) -> Style {
        self.style(Style::default().fg(Color::Gray).add_modifier(Modifier::BOLD))
    }

    fn faint(self) -> Style {
        self.style(Style::default().fg(Color::DarkGray))
    }

    fn trouble(self) -> Style {
        self.style(Style::default().fg(Color::LightRed))
    }

    fn selected(self) -> Style {
        self.style(Style::default().add_modifier(Modifier::REVERSED))
    }

    fn figure(self) -> Style {
        self.style(Style::default().fg(Color::Cyan))
    }

    fn wall(self) -> Style {
        self.style(Style::default().fg(Color::Gray))
    }

    fn item(self) -> Style {
        self.style(Style::default().fg(Color::Green))
    }

    fn shot(self) -> Style {
        self.style(Style::default().fg(Color::LightRed).add_modifier(Modifier::BOLD))
    }

    /// A player's colour: the team's where there are teams.
    fn player(self, slot: Option<Slot>, team: Option<u8>) -> Style {
        let number = team.map(usize::from).or(slot.map(Slot::index));
        let colour = number.map_or(Color::White, |number| COLOURS[number % COLOURS.len()]);
        self.style(Style::default().fg(colour).add_modifier(Modifier::BOLD))
    }
}

/// Writes one line, cut to the area's width; a cut line ends with `…`. A row outside of the area is left out.
fn line(buffer: &mut Buffer, area: Rect, row: u16, text: &str, style: Style) {
    let area = area.intersection(buffer.area);
    if row >= area.height || area.width == 0 {
        return;
    }
    let (y, width) = (area.y + row, usize::from(area.width));
    let (end, _) = buffer.set_stringn(area.x, y, text, width, style);
    if text.chars().count() > width && end > area.x {
        buffer.set_stringn(end - 1, y, "…", 1, style);
    }
}

/// Writes the lines of a table, as many as there is room for. The first one is its head; `style` says how the
/// others look, by their number from 0.
fn lines(buffer: &mut Buffer, area: Rect, tint: Tint, text: &str, style: impl Fn(usize) -> Style) {
    for (row, text) in text.lines().take(area.height.into()).enumerate() {
        let style = row.checked_sub(1).map_or(tint.head(), &style);
        line(buffer, area, row as u16, text, style);
    }
}

/// The area's first rows, and the rest.
fn split_top(area: Rect, rows: u16) -> (Rect, Rect) {
    let rows = rows.min(area.height);
    let rest = Rect { y: area.y + rows, height: area.height - rows, ..area };
    (Rect { height: rows, ..area }, rest)
}

/// The rest, and the area's last rows.
fn split_bottom(area: Rect, rows: u16) -> (Rect, Rect) {
    let rows = rows.min(area.height);
    split_top(area, area.height - rows)
}

/// The area's first columns, and the rest.
fn split_left(area: Rect, columns: u16) -> (Rect, Rect) {
    let columns = columns.min(area.width);
    let rest = Rect { x: area.x + columns, width: area.width - columns, ..area };
    (Rect { width: columns, ..area }, rest)
}
