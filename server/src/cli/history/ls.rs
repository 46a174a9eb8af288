//! `matchkeep history ls`: which matches there are.

use clap::Args;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::LIST_ROWS_MAX;

use super::source::Source;
use crate::cli::place::Place;
use crate::cli::table::{Align, table};
use crate::cli::{CliError, print_json};
use crate::date::utc;
use crate::store::{ListFilter, MatchState, MatchSummary};

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Only matches created before this one
    #[arg(long, value_name = "ID")]
    before: Option<String>,
    /// Only matches of this mode
    #[arg(long, value_name = "NAME")]
    mode: Option<String>,
    /// Only matches in this state: running, finished, interrupted or quarantined
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
}

pub(super) fn run(list: ListArgs, place: Place) -> Result<(), CliError> {
    let json = place.json;
    let filter = list.filter()?;
    let matches = Source::open(&place)?.list(&filter)?;
    if json {
        print_json(&matches)
    } else if matches.is_empty() {
        println!("no matches");
        Ok(())
    } else {
        print!("{}", list_table(&matches));
        Ok(())
    }
}

impl ListArgs {
    fn filter(self) -> Result<ListFilter, CliError> {
        if !(1..=LIST_ROWS_MAX).contains(&self.limit) {
            let allowed = format!("allowed are 1 to {LIST_ROWS_MAX}");
            return Err(CliError::flag("limit", self.limit, allowed));
        }
        let before = self.before.as_deref().map(str::parse::<MatchId>).transpose();
        let before = before.map_err(|e| CliError::Usage(format!("--before: {e}")))?;
        let state = match self.state.as_deref() {
            None => None,
            Some(label) => Some(MatchState::from_label(label).ok_or_else(|| {
                CliError::flag(
                    "state",
                    label,
                    "allowed are running, finished, interrupted and quarantined",
                )
            })?),
        };
        // A mode's name is plain by rule, so that it can stand in a URL as it is.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if let Some(mode) = self.mode.as_deref().filter(|mode| !mode.chars().all(is_plain)) {
            return Err(CliError::flag("mode", mode, "no mode has such a name"));
        }
        Ok(ListFilter { limit: self.limit, before, mode: self.mode, state })
    }
}

fn list_table(matches: &[MatchSummary]) -> String {
    let head = [
        ("MATCH", Align::Left),
        ("MODE", Align::Left),
        ("STATE", Align::Left),
        ("BEGAN (UTC)", Align::Left),
        ("PLAYERS", Align::Right),
        ("TICKS", Align::Right),
        ("REASON", Align::Left),
    ];
    let row = |m: &MatchSummary| {
        vec![
            m.id.to_string(),
            m.mode.clone(),
            m.state.label().to_owned(),
            utc(m.created_unix_ms),
            m.player_count.to_string(),
            m.ticks.map_or_else(|| "-".to_owned(), |ticks| ticks.to_string()),
            m.reason.clone().unwrap_or_default(),
        ]
    };
    table(&head, &matches.iter().map(row).collect::<Vec<_>>())
}
