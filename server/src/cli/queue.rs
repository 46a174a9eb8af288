//! `matchkeep queue`: who waits for a match, as the data folder has it, with a server at work on it or without.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use matchkeep_shared::limits::LIST_ROWS_MAX;
use serde::Serialize;

use super::table::{Align, fitted, table};
use super::{CliError, default_data, emit, print_json};
use crate::data_dir::DataDir;
use crate::matchmaking::{QueueState, Queued};
use crate::store::History;
use crate::wall::unix_ms;

/// What stands below the verbs of `queue`.
pub(super) const QUEUE_HELP: &str = "\
Examples:
  matchkeep queue ls                     parties that wait, the one that waited longest first
  matchkeep queue ls --mode squad --all  what became of those of the last ten minutes, too";

#[derive(Debug, Args)]
pub(super) struct QueueArgs {
    #[command(subcommand)]
    verb: QueueVerb,
    /// Data folder of the server, whether it runs or not [default: matchkeep-data]
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum QueueVerb {
    /// List parties that wait for a match
    Ls {
        /// Only those of this mode
        #[arg(long, value_name = "NAME")]
        mode: Option<String>,
        /// Those too that waited until a little while ago
        #[arg(long)]
        all: bool,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
    },
}

/// A party, as it is printed.
#[derive(Debug, Serialize)]
struct Row {
    ticket: u64,
    mode: String,
    /// `waiting`, `matched`, `cancelled` or `given up`.
    state: &'static str,
    players: Vec<Player>,
    /// The mean of their ratings.
    rating: f64,
    queued_unix_ms: u64,
    /// Until now, where it waits.
    waited_ms: Option<u64>,
    #[serde(rename = "match")]
    match_id: Option<String>,
    team: Option<u8>,
}

#[derive(Debug, Serialize)]
struct Player {
    player: u64,
    name: String,
    rating: f64,
    deviation: f64,
}

impl Row {
    fn new(queued: Queued, now_unix_ms: u64) -> Self {
        let Queued { ticket, state, .. } = queued;
        let (label, taken) = match state {
            QueueState::Waiting => ("waiting", None),
            QueueState::Taken(taken) => ("matched", Some(taken)),
            QueueState::Cancelled => ("cancelled", None),
            QueueState::GivenUp => ("given up", None),
        };
        let player = |member: &crate::matchmaking::Member| Player {
            player: member.player.0,
            name: member.name.clone(),
            rating: member.rating.mean,
            deviation: member.rating.deviation,
        };
        Self {
            ticket: ticket.id.0,
            state: label,
            players: ticket.members.iter().map(player).collect(),
            rating: ticket.mean(),
            queued_unix_ms: ticket.queued_unix_ms,
            waited_ms: (state == QueueState::Waiting)
                .then(|| now_unix_ms.saturating_sub(ticket.queued_unix_ms)),
            match_id: taken.map(|taken| taken.match_id.to_string()),
            team: taken.and_then(|taken| taken.team),
            mode: ticket.mode,
        }
    }

    fn cells(&self) -> Vec<String> {
        let names: Vec<&str> = self.players.iter().map(|player| player.name.as_str()).collect();
        let waited = self.waited_ms.map(|ms| format!("{:.1} s", ms as f64 / 1000.0));
        vec![
            self.ticket.to_string(),
            self.mode.clone(),
            self.state.to_owned(),
            waited.unwrap_or_else(|| "-".to_owned()),
            format!("{:.1}", self.rating),
            self.match_id.clone().unwrap_or_else(|| "-".to_owned()),
            names.join(", "),
        ]
    }
}

pub(super) fn run(args: QueueArgs) -> Result<(), CliError> {
    let data = args.data.unwrap_or_else(default_data);
    DataDir::inspect(&data)?;
    let QueueVerb::Ls { mode, all, limit } = args.verb;
    ls(&data, mode.as_deref(), all, limit, args.json)
}

fn ls(
    data: &Path,
    mode: Option<&str>,
    all: bool,
    limit: usize,
    json: bool,
) -> Result<(), CliError> {
    if !(1..=LIST_ROWS_MAX).contains(&limit) {
        let allowed = format!("allowed are 1 to {LIST_ROWS_MAX}");
        return Err(CliError::flag("limit", limit, allowed));
    }
    let history = History::open(data).map_err(|error| CliError::Usage(error.to_string()))?;
    let now = unix_ms();
    let queued = history.queue(mode, all, limit).map_err(CliError::failed)?;
    let rows: Vec<Row> = queued.into_iter().map(|queued| Row::new(queued, now)).collect();
    if json {
        return print_json(&rows);
    }
    if rows.is_empty() {
        return emit("nobody waits\n");
    }
    let head = [
        ("TICKET", Align::Right),
        ("MODE", Align::Left),
        ("STATE", Align::Left),
        ("WAITED", Align::Right),
        ("RATING", Align::Right),
        ("MATCH", Align::Left),
        ("PLAYERS", Align::Left),
    ];
    emit(&fitted(&table(&head, &rows.iter().map(Row::cells).collect::<Vec<_>>())))
}
