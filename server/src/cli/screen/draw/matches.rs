//! A match: what it looks like, who plays, and how it runs or where in its time it is.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::figures::draw_figures;
use super::map::draw_map;
use super::players::draw_players;
use super::{Tint, line, split_bottom, split_left, split_top};
use crate::cli::screen::playhead::Playhead;
use crate::cli::screen::watched::WatchedMatch;

const KEYS: &str = "Esc back   q leave";
const REPLAY_KEYS: &str =
    "space pause   left/right 5 s   Home/End   . , one tick   + - speed   q leave";
/// Narrower than this, there is no room for a table beside the map.
const BESIDE_COLUMNS_MIN: u16 = 60;
/// Lower than this, there is none for figures below it.
const FIGURES_ROWS_MIN: u16 = 14;

pub(in crate::cli::screen) fn draw_match(
    model: &WatchedMatch,
    tint: Tint,
    area: Rect,
    buffer: &mut Buffer,
) {
    let (head, rest) = split_top(area, 1);
    let (rest, foot) = split_bottom(rest, 1);
    line(buffer, head, 0, &title(model), tint.title());
    let keys = if model.playhead.is_some() { REPLAY_KEYS } else { KEYS };
    match &model.trouble {
        Some(trouble) => line(buffer, foot, 0, trouble, tint.trouble()),
        None => line(buffer, foot, 0, keys, tint.faint()),
    }
    let mut rest = rest;
    if let Some(playhead) = &model.playhead {
        let (above, bar) = split_bottom(rest, 1);
        draw_time(playhead, tint, bar, buffer);
        rest = above;
    } else if area.height >= FIGURES_ROWS_MIN {
        let (above, figures) = split_bottom(rest, 3);
        draw_figures(model, tint, figures, buffer);
        rest = above;
    }
    let lines = model.lines();
    if rest.width < BESIDE_COLUMNS_MIN {
        // The map has two thirds, the table what it needs of the rest.
        let rows = (lines.len() as u16).saturating_add(1).min(rest.height / 3);
        let (map, table) = split_bottom(rest, rows);
        draw_map(model.picture.as_ref(), tint, map, buffer);
        draw_players(&lines, tint, table, buffer);
    } else {
        let (map, table) = split_left(rest, rest.width / 2);
        draw_map(model.picture.as_ref(), tint, map, buffer);
        let (_, table) = split_left(table, 1);
        draw_players(&lines, tint, table, buffer);
    }
}

fn title(model: &WatchedMatch) -> String {
    let mut text = format!("match {}", model.id);
    if let Some(view) = &model.view {
        let row = &view.row;
        text += &format!("  {}  {}", row.mode, row.stage.label());
    }
    let Some(picture) = &model.picture else { return text + "  not seen yet" };
    text += &format!("  tick {}", picture.tick);
    match &picture.ended {
        Some(reason) => text += &format!("  ended: {reason}"),
        None if picture.sketch.status.is_empty() => {}
        None => text += &format!("  {}", picture.sketch.status),
    }
    if let Some(view) = &model.view {
        let (row, held) = (&view.row, view.row.held);
        text += &format!("  {} of {} players", row.players, row.places);
        text += &if held > 0 { format!(", {held} held") } else { String::new() };
        text += &format!("  shard {}  epoch {}", row.shard, row.epoch);
    }
    text
}

/// Where in its time the match is.
fn draw_time(playhead: &Playhead, tint: Tint, area: Rect, buffer: &mut Buffer) {
    let (tick, newest) = (playhead.tick(), playhead.newest());
    let state = match (playhead.is_paused(), playhead.is_at_end()) {
        (_, true) => "at the end",
        (true, _) => "paused",
        (false, _) => "playing",
    };
    let text = format!(
        "{state}  x{}  {} of {}  tick {tick} of {newest} ",
        playhead.speed(),
        clock(playhead.time(tick)),
        clock(playhead.time(newest)),
    );
    line(buffer, area, 0, &text, tint.figure());
    let (_, bar) = split_left(area, text.chars().count() as u16);
    let passed = (tick.0 as f64 / newest.0.max(1) as f64 * f64::from(bar.width)) as usize;
    let cells = (0..usize::from(bar.width)).map(|cell| if cell < passed { '█' } else { '░' });
    line(buffer, bar, 0, &cells.collect::<String>(), tint.figure());
}

fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}.{}", seconds / 60, seconds % 60, time.subsec_millis() / 100)
}
