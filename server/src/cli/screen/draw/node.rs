//! A node: its shards, then its matches.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Tint, line, lines, split_bottom, split_top};
use crate::admin::node::ShardDocument;
use crate::cli::node::up;
use crate::cli::screen::node::{CostRow, NodeModel};
use crate::cli::table::{Align, table};

const KEYS: &str = "up/down select   Enter open   s sort   q leave";

pub(in crate::cli::screen) fn draw_node(
    model: &NodeModel,
    tint: Tint,
    area: Rect,
    buffer: &mut Buffer,
) {
    let (head, rest) = split_top(area, 1);
    let (rest, foot) = split_bottom(rest, 1);
    line(buffer, head, 0, &title(model), tint.title());
    match &model.trouble {
        Some(trouble) => line(buffer, foot, 0, trouble, tint.trouble()),
        None => line(buffer, foot, 0, KEYS, tint.faint()),
    }
    // Shards have their head and a third of the room at most; an empty line comes before the matches.
    let shards = &model.sample.node.shards;
    let rows = (shards.len() as u16).saturating_add(1).min((rest.height / 3).max(2));
    let (top, rest) = split_top(rest, rows);
    draw_shards(shards, &model.sample.matches, tint, top, buffer);
    let (_, rest) = split_top(rest, u16::from(rest.height > 6));
    draw_matches(model, tint, rest, buffer);
}

fn title(model: &NodeModel) -> String {
    let node = &model.sample.node;
    format!(
        "{} (rules {})  pid {}  up {}  {} matches  {} players  by {}{}",
        node.game,
        node.rules_version,
        node.pid,
        up(node.running_ms),
        node.matches,
        node.players,
        model.sort.label(),
        if node.ready { "" } else { "  matches are being brought back" },
    )
}

fn draw_shards(
    shards: &[ShardDocument],
    matches: &[CostRow],
    tint: Tint,
    area: Rect,
    buffer: &mut Buffer,
) {
    let head = [
        ("SHARD", Align::Right),
        ("MATCHES", Align::Right),
        ("PLAYERS", Align::Right),
        ("% OF CORE", Align::Right),
        ("LATE P50 US", Align::Right),
        ("P99", Align::Right),
        ("SKIPPED", Align::Right),
        ("DROPPED", Align::Right),
        ("ADDRESS", Align::Left),
    ];
    let row = |shard: &ShardDocument| {
        let of_shard = matches.iter().filter(|seen| seen.row.shard == shard.shard);
        // From 0.0 on: the sum of nothing is -0.0, and would be shown so.
        let share = of_shard.fold(0.0, |sum, seen| sum + seen.tick_share);
        vec![
            shard.shard.to_string(),
            shard.matches.to_string(),
            shard.players.to_string(),
            format!("{:.1}", share * 100.0),
            shard.tick_lateness_us.p50.to_string(),
            shard.tick_lateness_us.p99.to_string(),
            shard.ticks_skipped.to_string(),
            shard.udp_dropped.to_string(),
            shard.address.to_string(),
        ]
    };
    let text = table(&head, &shards.iter().map(row).collect::<Vec<_>>());
    lines(buffer, area, tint, &text, |_| Style::default());
}

fn draw_matches(model: &NodeModel, tint: Tint, area: Rect, buffer: &mut Buffer) {
    let matches = &model.sample.matches;
    if matches.is_empty() {
        return line(buffer, area, 0, "no matches", Style::default());
    }
    // As far down as the selection needs.
    let room = usize::from(area.height.saturating_sub(1));
    let selected = model.position().unwrap_or(0);
    let first = (selected + 1).saturating_sub(room);
    let head = [
        ("  MATCH", Align::Left),
        ("MODE", Align::Left),
        ("STAGE", Align::Left),
        ("PLAYERS", Align::Right),
        ("% OF TICK", Align::Right),
        ("COST US", Align::Right),
        ("LATE US", Align::Right),
        ("LAG", Align::Right),
        ("HZ", Align::Right),
        ("SHARD", Align::Right),
        ("TICK", Align::Right),
        ("ENTITIES", Align::Right),
    ];
    let row = |(at, seen): (usize, &CostRow)| {
        let row = &seen.row;
        let held = if row.held > 0 { format!("+{}", row.held) } else { String::new() };
        vec![
            format!("{} {}", if at == selected { '>' } else { ' ' }, row.id),
            row.mode.clone(),
            row.stage.label().to_owned(),
            format!("{}{held}/{}", row.players, row.places),
            format!("{:.2}", seen.tick_share * 100.0),
            format!("{:.0}", row.tick_cost_us),
            format!("{:.0}", row.tick_late_us),
            row.durable_lag_ticks.map_or_else(|| "-".to_owned(), |lag| lag.to_string()),
            row.tick_rate_hz.to_string(),
            row.shard.to_string(),
            row.tick.to_string(),
            row.entities.to_string(),
        ]
    };
    let rows: Vec<_> = matches.iter().enumerate().skip(first).take(room).map(row).collect();
    let style = |row| if row + first == selected { tint.selected() } else { Style::default() };
    lines(buffer, area, tint, &table(&head, &rows), style);
}
