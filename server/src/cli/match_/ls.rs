//! `matchkeep match ls`: which matches run.

use std::cmp::Ordering;

use clap::{Args, ValueEnum};

use crate::cli::CliError;
use crate::cli::place::Place;
use crate::cli::running::Running;
use crate::cli::table::{Align, table};
use crate::cli::watch::{Watch, show};
use crate::shard::view::{MatchRow, MatchStage};

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only matches of this mode
    #[arg(long, value_name = "NAME")]
    mode: Option<String>,
    /// Only matches in this stage: running, paused, runaway, waiting, restarting, ending or ended
    #[arg(long, value_name = "STAGE")]
    stage: Option<MatchStage>,
    /// By what they are sorted; numbers with the largest first
    #[arg(long, value_name = "KEY", default_value = "id")]
    sort: SortKey,
    /// The other way round
    #[arg(long)]
    reverse: bool,
    /// At most so many, after sorting
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    watch: Watch,
}

/// What a list is sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum SortKey {
    Id,
    Mode,
    Stage,
    Shard,
    Players,
    Entities,
    Tick,
    Cost,
    Late,
    Lag,
}

impl SortKey {
    fn compare(self, a: &MatchRow, b: &MatchRow) -> Ordering {
        let order = match self {
            Self::Id => Ordering::Equal,
            Self::Mode => a.mode.cmp(&b.mode),
            Self::Stage => a.stage.cmp(&b.stage),
            Self::Shard => a.shard.cmp(&b.shard),
            Self::Players => b.players.cmp(&a.players),
            Self::Entities => b.entities.cmp(&a.entities),
            Self::Tick => b.tick.cmp(&a.tick),
            Self::Cost => b.tick_cost_us.total_cmp(&a.tick_cost_us),
            Self::Late => b.tick_late_us.total_cmp(&a.tick_late_us),
            Self::Lag => b.durable_lag_ticks.cmp(&a.durable_lag_ticks),
        };
        order.then(a.id.cmp(&b.id))
    }
}

pub(super) fn run(list: &ListArgs, place: &Place) -> Result<(), CliError> {
    // A mode's name is plain by rule, so that it can stand in a URL as it is.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if let Some(mode) = list.mode.as_deref().filter(|mode| !mode.chars().all(is_plain)) {
        return Err(CliError::flag("mode", mode, "no mode has such a name"));
    }
    let server = Running::find(place)?;
    let look = || {
        let mut rows = server.matches(list.mode.as_deref(), list.stage)?;
        rows.sort_by(|a, b| list.sort.compare(a, b));
        if list.reverse {
            rows.reverse();
        }
        rows.truncate(list.limit.unwrap_or(usize::MAX));
        Ok(rows)
    };
    show(list.watch.every, place.json, look, |rows| rows_table(rows))
}

fn rows_table(rows: &[MatchRow]) -> String {
    if rows.is_empty() {
        return "no matches\n".to_owned();
    }
    let head = [
        ("MATCH", Align::Left),
        ("MODE", Align::Left),
        ("STAGE", Align::Left),
        ("PLAYERS", Align::Right),
        ("TICK", Align::Right),
        ("HZ", Align::Right),
        ("COST US", Align::Right),
        ("LATE US", Align::Right),
        ("LAG TICKS", Align::Right),
        ("ENTITIES", Align::Right),
        ("SHARD", Align::Right),
        ("EPOCH", Align::Right),
    ];
    let row = |row: &MatchRow| {
        let held = if row.held > 0 { format!("+{}", row.held) } else { String::new() };
        vec![
            row.id.to_string(),
            row.mode.clone(),
            row.stage.label().to_owned(),
            format!("{}{held}/{}", row.players, row.places),
            row.tick.to_string(),
            row.tick_rate_hz.to_string(),
            format!("{:.0}", row.tick_cost_us),
            format!("{:.0}", row.tick_late_us),
            row.durable_lag_ticks.map_or_else(|| "-".to_owned(), |lag| lag.to_string()),
            row.entities.to_string(),
            row.shard.to_string(),
            row.epoch.to_string(),
        ]
    };
    table(&head, &rows.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use matchkeep_shared::ids::{Epoch, MatchId, ShardId};
    use matchkeep_shared::time::Tick;

    use super::*;

    #[test]
    fn numbers_sort_with_the_largest_first_and_equals_by_id() {
        let row = |id: u64, players: usize, cost: f64| MatchRow {
            id: MatchId(id),
            mode: "ffa".into(),
            shard: ShardId(0),
            stage: MatchStage::Running,
            epoch: Epoch(1),
            tick: Tick(id),
            tick_rate_hz: 60,
            players,
            held: 0,
            places: 8,
            entities: 1,
            tick_cost_us: cost,
            tick_late_us: 0.0,
            durable_lag_ticks: None,
        };
        let rows = [row(1, 3, 9.5), row(2, 5, 1.0), row(3, 3, 20.0)];
        let sorted = |key: SortKey| {
            let mut rows = rows.clone();
            rows.sort_by(|a, b| key.compare(a, b));
            rows.map(|row| row.id.0)
        };
        assert_eq!(sorted(SortKey::Id), [1, 2, 3]);
        assert_eq!(sorted(SortKey::Players), [2, 1, 3]);
        assert_eq!(sorted(SortKey::Cost), [3, 1, 2]);
        assert_eq!(sorted(SortKey::Tick), [3, 2, 1]);
        assert_eq!(sorted(SortKey::Mode), [1, 2, 3]);
    }
}
