//! What a match's ticks cost and how late they are, over the last minute.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Sparkline, Widget};

use super::{Tint, line, split_left, split_top};
use crate::cli::screen::minute::Minute;
use crate::cli::screen::watched::WatchedMatch;

pub(super) fn draw_figures(model: &WatchedMatch, tint: Tint, area: Rect, buffer: &mut Buffer) {
    let Some(view) = &model.view else { return };
    let row = &view.row;
    let period_us = 1e6 / f64::from(row.tick_rate_hz.max(1));
    let share = row.tick_cost_us / period_us * 100.0;
    let cost = format!("tick cost {:.0} us, {share:.1} % of the tick", row.tick_cost_us);
    let late = format!("lateness {:.0} us", row.tick_late_us);
    let (left, right) = split_left(area, area.width / 2);
    draw_figure(&cost, &model.cost_us, tint, left, buffer);
    draw_figure(&late, &model.late_us, tint, right, buffer);
}

fn draw_figure(text: &str, minute: &Minute, tint: Tint, area: Rect, buffer: &mut Buffer) {
    let (head, bars) = split_top(area, 1);
    let max = minute.max();
    line(buffer, head, 0, &format!("{text}; most in a minute {max}"), tint.head());
    if bars.is_empty() {
        return;
    }
    let steps = minute.steps(bars.width.into());
    Sparkline::default().data(steps).max(max.max(1)).style(tint.figure()).render(bars, buffer);
}
