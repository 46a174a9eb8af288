//! `matchkeep history`: stored matches, from the running server or from a data folder alone.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::LIST_ROWS_MAX;

use super::http::{self, HttpError};
use super::table::{Align, table};
use super::{CliError, default_data};
use crate::data_dir::{DataDir, DataDirError};
use crate::node::Endpoints;
use crate::settings::ADMIN_PORT;
use crate::store::{History, ListFilter, MatchRecord, MatchState, MatchSummary, StoreError};

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    #[command(subcommand)]
    verb: HistoryVerb,
    /// Data folder of the server; read directly where no server runs on it
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
    /// Admin address of a running server [default: 127.0.0.1:7780]
    #[arg(long, value_name = "ADDR", global = true, conflicts_with = "data")]
    admin: Option<SocketAddr>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum HistoryVerb {
    /// List matches, newest first
    Ls(ListArgs),
    /// Show one match with its players
    Show {
        /// The match's ID
        id: String,
    },
}

#[derive(Debug, Args)]
struct ListArgs {
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

/// Where matches are read from.
pub(super) enum Source {
    Server(SocketAddr),
    Folder(Box<History>),
}

impl Source {
    /// The server where one runs, else the folder.
    fn open(data: Option<PathBuf>, admin: Option<SocketAddr>) -> Result<Self, CliError> {
        if let Some(admin) = admin {
            return Ok(Self::Server(admin));
        }
        if let Some(data) = data {
            let folder = DataDir::inspect(&data)?;
            if let Some(endpoints) = folder.endpoints::<Endpoints>()?
                && http::get_text(endpoints.admin, "/livez").is_ok()
            {
                return Ok(Self::Server(endpoints.admin));
            }
            let history = History::open(&data).map_err(|e| CliError::Usage(e.to_string()))?;
            return Ok(Self::Folder(Box::new(history)));
        }
        let admin = SocketAddr::from(([127, 0, 0, 1], ADMIN_PORT));
        if http::get_text(admin, "/livez").is_ok() {
            return Ok(Self::Server(admin));
        }
        // Without a word about where, the folder that `serve` uses by default is meant.
        match DataDir::inspect(&default_data()) {
            Ok(_) => Self::open(Some(default_data()), None),
            Err(DataDirError::Missing { .. }) => Err(CliError::Usage(format!(
                "no server answers at {admin}, and there is no data folder `{}` here: name the \
                 folder with --data or the server with --admin",
                default_data().display()
            ))),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn list(&self, filter: &ListFilter) -> Result<Vec<MatchSummary>, CliError> {
        match self {
            Self::Folder(history) => history.list(filter).map_err(store_error),
            Self::Server(admin) => {
                let mut path = format!("/v1/history?limit={}", filter.limit);
                if let Some(before) = filter.before {
                    path += &format!("&before={before}");
                }
                if let Some(mode) = &filter.mode {
                    path += &format!("&mode={mode}");
                }
                if let Some(state) = filter.state {
                    path += &format!("&state={}", state.label());
                }
                http::get(*admin, &path).map_err(http_error)
            }
        }
    }

    pub(super) fn show(&self, id: MatchId) -> Result<MatchRecord, CliError> {
        match self {
            Self::Folder(history) => history.show(id).map_err(store_error),
            Self::Server(admin) => {
                http::get(*admin, &format!("/v1/history/{id}")).map_err(http_error)
            }
        }
    }
}

fn store_error(error: StoreError) -> CliError {
    match error {
        StoreError::UnknownMatch(_) => CliError::Usage(error.to_string()),
        error => CliError::failed(error),
    }
}

fn http_error(error: HttpError) -> CliError {
    CliError::Usage(error.to_string())
}

pub(super) fn run(args: HistoryArgs) -> Result<(), CliError> {
    match args.verb {
        HistoryVerb::Ls(list) => {
            let filter = list.filter()?;
            let matches = Source::open(args.data, args.admin)?.list(&filter)?;
            if args.json {
                print_json(&matches)
            } else if matches.is_empty() {
                println!("no matches");
                Ok(())
            } else {
                print!("{}", list_table(&matches));
                Ok(())
            }
        }
        HistoryVerb::Show { id } => {
            let id: MatchId = id.parse().map_err(|e| CliError::Usage(format!("{e}")))?;
            let record = Source::open(args.data, args.admin)?.show(id)?;
            if args.json {
                print_json(&record)
            } else {
                print!("{}", describe(&record));
                Ok(())
            }
        }
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

fn print_json<T: serde::Serialize>(value: &T) -> Result<(), CliError> {
    println!("{}", serde_json::to_string_pretty(value).map_err(CliError::failed)?);
    Ok(())
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

/// One match for a person: what it was, then its scoreboard.
pub(super) fn describe(record: &MatchRecord) -> String {
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

/// A moment of Unix time as `2026-01-31 23:59:58`.
fn utc(unix_ms: u64) -> String {
    let seconds = unix_ms / 1000;
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    // Days to a date, by counting in eras of 400 years that begin on 1 March.
    let shifted = days as i64 + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_dates() {
        assert_eq!(utc(0), "1970-01-01 00:00:00");
        assert_eq!(utc(951_782_399_000), "2000-02-28 23:59:59");
        assert_eq!(utc(951_868_799_000), "2000-02-29 23:59:59");
        assert_eq!(utc(1_795_296_000_000), "2026-11-21 21:20:00");
    }
}
