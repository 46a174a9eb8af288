//! `matchkeep player`: who plays here, and who may not. These verbs work on the data folder, so whoever may write
//! there decides; a server at work on it sees what changed within a second, and sends away whom it concerns.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use matchkeep_shared::limits::{LIST_ROWS_MAX, TOKEN_DAYS_MAX};

use super::table::{Align, fitted, table};
use super::{CliError, default_data, emit, print_json};
use crate::accounts::Ban;
use crate::data_dir::DataDir;
use crate::date::utc;
use crate::store::{History, PlayerBook, PlayerError, PlayerRow};
use crate::wall::unix_ms;

/// What stands below the verbs of `player`.
pub(super) const PLAYER_HELP: &str = "\
A player is named by the account's number, by name, or by what the identity provider calls the player.

Examples:
  matchkeep player ls --banned
  matchkeep player ban eve --reason 'aimbot' --days 7
  matchkeep player unban eve
  matchkeep player revoke user-4711      what this player showed until now is believed no longer";

#[derive(Debug, Args)]
pub(super) struct PlayerArgs {
    #[command(subcommand)]
    verb: PlayerVerb,
    /// Data folder of the server, whether it runs or not [default: matchkeep-data]
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum PlayerVerb {
    /// List players, the newest first
    Ls {
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
        /// Only those before the one of this number
        #[arg(long, value_name = "NUMBER")]
        before: Option<u64>,
        /// Only those who are banned
        #[arg(long)]
        banned: bool,
    },
    /// Show a player
    Show {
        /// Who
        player: String,
    },
    /// Ban a player: out of every match at once, and not let in before the ban ends
    Ban {
        /// Who
        player: String,
        /// Why, for the player to read
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Days until the ban ends [default: for good]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(TOKEN_DAYS_MAX)))]
        days: Option<u32>,
    },
    /// Lift a ban
    Unban {
        /// Who
        player: String,
    },
    /// Believe no longer what a player showed until now: out of every match, until they sign in again
    Revoke {
        /// Who
        player: String,
    },
}

pub(super) fn run(args: PlayerArgs) -> Result<(), CliError> {
    let data = args.data.unwrap_or_else(default_data);
    DataDir::inspect(&data)?;
    let json = args.json;
    match args.verb {
        PlayerVerb::Ls { limit, before, banned } => ls(&data, limit, before, banned, json),
        PlayerVerb::Show { player } => {
            let row = history(&data)?.player(&player, unix_ms())?;
            if json { print_json(&row) } else { emit(&shown(&row)) }
        }
        PlayerVerb::Ban { player, reason, days } => {
            let now = unix_ms();
            let until_unix_ms = days.map(|days| now + u64::from(days) * 24 * 60 * 60 * 1000);
            let row = book(&data)?.ban(&player, &Ban { reason, until_unix_ms }, now)?;
            let until = until_unix_ms
                .map_or_else(|| "for good".to_owned(), |until| format!("until {} UTC", utc(until)));
            done(&row, &format!("is banned {until}"), json)
        }
        PlayerVerb::Unban { player } => {
            done(&book(&data)?.unban(&player, unix_ms())?, "may play again", json)
        }
        PlayerVerb::Revoke { player } => {
            let row = book(&data)?.revoke(&player, unix_ms())?;
            done(&row, "must sign in again", json)
        }
    }
}

fn history(data: &Path) -> Result<History, CliError> {
    History::open(data).map_err(|error| CliError::Usage(error.to_string()))
}

fn book(data: &Path) -> Result<PlayerBook, CliError> {
    PlayerBook::beside(data).map_err(|error| CliError::Usage(error.to_string()))
}

fn ls(
    data: &Path,
    limit: usize,
    before: Option<u64>,
    banned: bool,
    json: bool,
) -> Result<(), CliError> {
    if !(1..=LIST_ROWS_MAX).contains(&limit) {
        let allowed = format!("allowed are 1 to {LIST_ROWS_MAX}");
        return Err(CliError::flag("limit", limit, allowed));
    }
    let rows = history(data)?.players(before, limit, banned, unix_ms());
    let rows = rows.map_err(CliError::failed)?;
    if json {
        return print_json(&rows);
    }
    if rows.is_empty() {
        return emit("no players\n");
    }
    let head = [
        ("NUMBER", Align::Right),
        ("NAME", Align::Left),
        ("SUBJECT", Align::Left),
        ("SINCE (UTC)", Align::Left),
        ("MATCHES", Align::Right),
        ("BANNED", Align::Left),
    ];
    let cells = |row: &PlayerRow| {
        vec![
            row.player.to_string(),
            row.name.clone(),
            row.subject.clone().unwrap_or_else(|| "-".to_owned()),
            utc(row.created_unix_ms),
            row.matches.to_string(),
            banned_text(row).unwrap_or_else(|| "-".to_owned()),
        ]
    };
    emit(&fitted(&table(&head, &rows.iter().map(cells).collect::<Vec<_>>())))
}

fn banned_text(row: &PlayerRow) -> Option<String> {
    let reason = row.banned.clone()?;
    Some(Ban { reason, until_unix_ms: row.banned_until_unix_ms }.text())
}

fn shown(row: &PlayerRow) -> String {
    let mut lines = vec![
        ("player", row.player.to_string()),
        ("name", row.name.clone()),
        ("since", format!("{} UTC", utc(row.created_unix_ms))),
        ("matches", row.matches.to_string()),
    ];
    if let (Some(subject), Some(issuer)) = (&row.subject, &row.issuer) {
        lines.push(("subject", format!("{subject} of {issuer}")));
    }
    if let Some(banned) = banned_text(row) {
        lines.push(("standing", banned));
    }
    if let Some(revoked) = row.revoked_unix_ms {
        lines.push(("revoked", format!("{} UTC", utc(revoked))));
    }
    lines.iter().map(|(what, value)| format!("{what:<10}{value}\n")).collect()
}

fn done(row: &PlayerRow, what: &str, json: bool) -> Result<(), CliError> {
    if json {
        return print_json(row);
    }
    emit(&format!("player {} ({}) {what}\n", row.player, row.name))
}

impl From<PlayerError> for CliError {
    fn from(error: PlayerError) -> Self {
        match error {
            PlayerError::Store(error) => Self::failed(error),
            error => Self::Usage(error.to_string()),
        }
    }
}
