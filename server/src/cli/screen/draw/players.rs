//! Who plays, how well, and over what network.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Tint, lines as draw_lines};
use crate::cli::screen::watched::Line;
use crate::cli::table::{Align, table};
use crate::shard::view::PlayerView;

/// The longest name that is shown whole.
const NAME_CHARS_MAX: usize = 16;

pub(super) fn draw_players(lines: &[Line<'_>], tint: Tint, area: Rect, buffer: &mut Buffer) {
    if lines.is_empty() {
        return;
    }
    let has_scores = lines.iter().any(|line| line.score.is_some());
    let has_links = lines.iter().any(|line| line.seen.is_some());
    let has_teams = lines.iter().any(|line| team(line).is_some());
    let mut head = vec![("PLAYER".to_owned(), Align::Left)];
    if has_teams {
        head.push(("TEAM".to_owned(), Align::Right));
    }
    if has_scores {
        head.push(("SCORE".to_owned(), Align::Right));
    }
    if has_links {
        for title in ["RTT MS", "LOSS %", "MARGIN"] {
            head.push((title.to_owned(), Align::Right));
        }
    }
    // The game's other figures come last: they are what a narrow terminal cuts.
    let stats: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.score)
        .take(1)
        .flat_map(|score| score.stats.iter().map(|(name, _)| name.as_str()))
        .collect();
    head.extend(stats.iter().map(|name| (name.to_uppercase(), Align::Right)));
    let row = |line: &Line<'_>| {
        let mut row = vec![line.name().chars().take(NAME_CHARS_MAX).collect::<String>()];
        if has_teams {
            row.push(team(line).map_or_else(String::new, |team| team.to_string()));
        }
        if has_scores {
            row.push(line.score.map_or_else(|| "-".to_owned(), |score| score.score.to_string()));
        }
        if has_links {
            row.extend(network(line.seen));
        }
        row.extend(stats.iter().map(|name| {
            let stats = line.score.into_iter().flat_map(|score| &score.stats);
            let found = stats.into_iter().find(|(stat, _)| stat == name);
            found.map_or_else(|| "-".to_owned(), |(_, value)| value.to_string())
        }));
        row
    };
    let head: Vec<_> = head.iter().map(|(title, align)| (title.as_str(), *align)).collect();
    let text = table(&head, &lines.iter().map(row).collect::<Vec<_>>());
    let style = |row: usize| {
        let line = lines.get(row);
        line.map_or_else(Default::default, |line| tint.player(Some(line.slot), team(line)))
    };
    draw_lines(buffer, area, tint, &text, style);
}

fn team(line: &Line<'_>) -> Option<u8> {
    line.score.and_then(|score| score.team)
}

/// Round trip in ms, loss in percent, and how early inputs come in ms.
fn network(seen: Option<&PlayerView>) -> [String; 3] {
    let link = seen.and_then(|player| player.link.as_ref());
    let margin = seen.and_then(|player| player.input_margin_us);
    let shown = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        match seen {
            Some(player) if !player.connected => "held".to_owned(),
            _ => shown(link.map(|link| format!("{:.1}", link.rtt_us as f64 / 1e3))),
        },
        shown(link.map(|link| format!("{:.1}", link.loss() * 100.0))),
        shown(margin.map(|us| format!("{:.1}", f64::from(us) / 1e3))),
    ]
}
