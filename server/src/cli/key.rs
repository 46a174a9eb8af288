//! `matchkeep key`: the keys that tickets and tokens are signed with. These verbs work on the data folder, so whoever may
//! write there decides; a server at work on it signs with a new key within seconds.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::table::{Align, table};
use super::{CliError, default_data, emit, print_json};
use crate::data_dir::DataDir;
use crate::date::utc;
use crate::identity::{FormerKey, RotateError, TicketKeyFile};
use crate::store::{AuditBook, StoreError};
use crate::wall::unix_ms;

/// What stands below the verbs of `key`.
pub(super) const KEY_HELP: &str = "\
The server signs what brings players into matches and back. A new key takes the place of the one before without sending \
anyone away: that one is believed until everything it signed is over, which takes some ten minutes.

Examples:
  matchkeep key ls
  matchkeep key rotate
  matchkeep key rotate --force      the key before the last one is void at once";

#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    verb: KeyVerb,
    /// Data folder of the server, whether it runs or not [default: matchkeep-data]
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum KeyVerb {
    /// List the keys, the newest first: what they are called, never what is secret of them
    Ls,
    /// Make a new key, which signs from now on
    Rotate {
        /// Also while the key before the last one is needed: what it signed is void then
        #[arg(long)]
        force: bool,
    },
}

/// A key as programs read it.
#[derive(Serialize)]
struct KeyRow {
    id: String,
    made_unix_ms: Option<u64>,
    state: State,
    /// When another took its place.
    replaced_unix_ms: Option<u64>,
    /// Until when it is believed; the one that signs: until it is replaced.
    until_unix_ms: Option<u64>,
}

/// What a key is good for.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Signs,
    Believed,
    Void,
}

impl KeyRow {
    fn all(file: &TicketKeyFile, now_unix_ms: u64) -> Vec<Self> {
        let current = Self {
            id: file.id().to_string(),
            made_unix_ms: file.made_unix_ms(),
            state: State::Signs,
            replaced_unix_ms: None,
            until_unix_ms: None,
        };
        let former = |key: &FormerKey| Self {
            id: key.key.id().to_string(),
            made_unix_ms: key.made_unix_ms,
            state: if now_unix_ms < key.until_unix_ms { State::Believed } else { State::Void },
            replaced_unix_ms: Some(key.replaced_unix_ms),
            until_unix_ms: Some(key.until_unix_ms),
        };
        [current].into_iter().chain(file.former().iter().map(former)).collect()
    }

    fn state_text(&self) -> String {
        let until = utc(self.until_unix_ms.unwrap_or_default());
        match self.state {
            State::Signs => "signs".to_owned(),
            State::Believed => format!("believed until {until}"),
            State::Void => format!("void since {until}"),
        }
    }
}

pub(super) fn run(args: KeyArgs) -> Result<(), CliError> {
    let data = args.data.unwrap_or_else(default_data);
    DataDir::inspect(&data)?;
    match args.verb {
        KeyVerb::Ls => ls(&data, args.json),
        KeyVerb::Rotate { force } => rotate(&data, force, args.json),
    }
}

fn ls(data: &Path, json: bool) -> Result<(), CliError> {
    let file = TicketKeyFile::read(data).map_err(RotateError::from)?;
    let rows = file.map_or_else(Vec::new, |file| KeyRow::all(&file, unix_ms()));
    if json {
        return print_json(&rows);
    }
    if rows.is_empty() {
        return emit("no keys\n");
    }
    let cells = |row: &KeyRow| {
        let made = row.made_unix_ms.map_or_else(|| "-".to_owned(), utc);
        vec![row.id.clone(), made, row.state_text()]
    };
    let head = ["KEY", "MADE (UTC)", "STATE"].map(|title| (title, Align::Left));
    emit(&table(&head, &rows.iter().map(cells).collect::<Vec<_>>()))
}

fn rotate(data: &Path, force: bool, json: bool) -> Result<(), CliError> {
    // Before the database: a folder without keys has none either.
    if TicketKeyFile::read(data).map_err(RotateError::from)?.is_none() {
        return Err(RotateError::no_keys(data).into());
    }
    let book = AuditBook::beside(data);
    let mut book = book.map_err(|error| CliError::Usage(error.to_string()))?;
    let file = book.noting("key rotate", unix_ms(), || {
        let file = TicketKeyFile::rotate(data, unix_ms(), force)?;
        let former = file.former().first().map(|former| former.key.id().to_string());
        let arguments = json!({ "id": file.id().to_string(), "former": former, "force": force });
        Ok::<_, CliError>((file, arguments))
    })?;
    let rows = KeyRow::all(&file, unix_ms());
    if json {
        return print_json(&rows);
    }
    let told = rows.iter().map(|row| match row.state {
        State::Signs => format!("the key {} signs from now on\n", row.id),
        State::Believed | State::Void => {
            format!("the key {} is {} UTC\n", row.id, row.state_text())
        }
    });
    emit(&told.take(2).collect::<String>())
}

impl From<RotateError> for CliError {
    fn from(error: RotateError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::failed(error)
    }
}
