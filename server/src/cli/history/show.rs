//! `matchkeep history show`: one match with its players.

use matchkeep_shared::ids::MatchId;

use super::source::Source;
use crate::cli::place::Place;
use crate::cli::table::{Align, table};
use crate::cli::{CliError, print_json};
use crate::date::utc;
use crate::store::MatchRecord;

pub(super) fn run(id: MatchId, place: Place) -> Result<(), CliError> {
    let record = Source::open(&place)?.show(id)?;
    if place.json {
        return print_json(&record);
    }
    print!("{}", describe(&record));
    Ok(())
}

/// One match for a person: what it was, then its scoreboard.
pub(in crate::cli) fn describe(record: &MatchRecord) -> String {
    let m = &record.summary;
    let mut text = format!(
        "match    {}\ngame     {} (rules {}), mode {}{}\nbegan    {} UTC, {} Hz, shard {}\nstate    {}",
        m.id,
        m.game,
        m.rules_version,
        m.mode,
        m.map.as_ref().map_or_else(String::new, |map| format!(", map {map}")),
        utc(m.created_unix_ms),
        m.tick_rate_hz,
        m.shard,
        m.state.label(),
    );
    if let Some(reason) = &m.reason {
        text += &format!(": {reason}");
    }
    if let Some(ticks) = m.ticks {
        text += &format!(", after {ticks} ticks");
    }
    text += "\n";
    if record.players.is_empty() {
        return text;
    }
    let has_teams = record.players.iter().any(|player| player.team.is_some());
    let stats: Vec<&str> = record.players[0].stats.iter().map(|s| s.name.as_str()).collect();
    let mut head = vec![("#", Align::Right), ("PLAYER", Align::Left)];
    if has_teams {
        head.push(("TEAM", Align::Right));
    }
    head.push(("SCORE", Align::Right));
    let titles: Vec<String> =
        stats.iter().map(|name| name.to_uppercase().replace('_', " ")).collect();
    head.extend(titles.iter().map(|title| (title.as_str(), Align::Right)));
    let rows: Vec<Vec<String>> = record
        .players
        .iter()
        .map(|player| {
            let mut row = vec![player.place.to_string(), player.name.clone()];
            if has_teams {
                row.push(player.team.map_or_else(String::new, |team| team.to_string()));
            }
            row.push(player.score.to_string());
            for name in &stats {
                let stat = player.stats.iter().find(|stat| stat.name == *name);
                row.push(stat.map_or_else(String::new, |stat| stat.value.to_string()));
            }
            row
        })
        .collect();
    text + "\n" + &table(&head, &rows)
}
