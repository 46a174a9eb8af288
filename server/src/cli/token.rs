//! `matchkeep token`: who may use the admin interface. These verbs work on the data folder, so whoever may
//! write there decides; a server at work on it sees what changed within two seconds.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use matchkeep_shared::limits::TOKEN_DAYS_MAX;
use serde::Serialize;

use super::table::{Align, table};
use super::{CliError, default_data, emit, print_json};
use crate::access::{Right, Secret, Token, check_name};
use crate::data_dir::{DataDir, DataDirError};
use crate::date::utc;
use crate::store::{History, StoreOpenError, TokenBook, TokenError};
use crate::wall::unix_ms;

/// What stands below the verbs of `token`.
pub(super) const TOKEN_HELP: &str = "\
Whoever shows a token may use the admin interface: to `read`, or to `operate`, which is to read and to give orders. \
Before the first one is made nobody on this machine needs any; from then on everybody does.

A token is printed once. Verbs find it in MATCHKEEP_TOKEN or by --token-file; other programs send it as \
`Authorization: Bearer TOKEN`.

Examples:
  matchkeep token make ada --right operate > ~/.matchkeep-token
  matchkeep token make prometheus --right read --days 365
  matchkeep match ls --token-file ~/.matchkeep-token";

#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    verb: TokenVerb,
    /// Data folder of the server, whether it runs or not [default: matchkeep-data]
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum TokenVerb {
    /// Make a token and print it, this once; makes the data folder where there is none
    Make {
        /// Whose it is: letters, digits, `.`, `-` and `_`
        name: String,
        /// What it allows: read, or operate, which includes it
        #[arg(long, value_name = "RIGHT")]
        right: Right,
        /// Days for which it is good [default: until it is revoked]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(TOKEN_DAYS_MAX)))]
        days: Option<u32>,
    },
    /// List the tokens: their names, not what is secret of them
    Ls,
    /// Revoke a token: nobody is let in with it any more
    Revoke {
        /// Whose
        name: String,
    },
}

/// A token as programs read it.
#[derive(Serialize)]
struct TokenDocument<'a> {
    name: &'a str,
    right: Right,
    made_unix_ms: u64,
    expires_unix_ms: Option<u64>,
    expired: bool,
    /// Only where it was just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

impl<'a> TokenDocument<'a> {
    fn new(token: &'a Token, secret: Option<&'a Secret>) -> Self {
        Self {
            name: &token.name,
            right: token.right,
            made_unix_ms: token.made_unix_ms,
            expires_unix_ms: token.expires_unix_ms,
            expired: token.is_expired(unix_ms()),
            token: secret.map(Secret::reveal),
        }
    }
}

pub(super) fn run(args: TokenArgs) -> Result<(), CliError> {
    let data = args.data.unwrap_or_else(default_data);
    match args.verb {
        TokenVerb::Make { name, right, days } => make(&data, name, right, days, args.json),
        TokenVerb::Ls => ls(&data, args.json),
        TokenVerb::Revoke { name } => revoke(&data, &name, args.json),
    }
}

fn make(
    data: &Path,
    name: String,
    right: Right,
    days: Option<u32>,
    json: bool,
) -> Result<(), CliError> {
    // Before anything is made on the disk.
    check_name(&name).map_err(TokenError::from)?;
    let secret = Secret::random().map_err(CliError::failed)?;
    let made_unix_ms = unix_ms();
    let expires_unix_ms = days.map(|days| made_unix_ms + u64::from(days) * 24 * 60 * 60 * 1000);
    let token = Token { name, right, hash: secret.hash(), made_unix_ms, expires_unix_ms };
    let (mut book, _lock) = open(data)?;
    book.make(&token)?;
    if json {
        return print_json(&TokenDocument::new(&token, Some(&secret)));
    }
    // The token alone on standard output: it can be sent to a file as it is.
    emit(&format!("{}\n", secret.reveal()))?;
    let until = match expires_unix_ms {
        Some(ms) => format!("expires {} UTC", utc(ms)),
        None => "does not expire".to_owned(),
    };
    eprintln!(
        "The token `{}` may {right} and {until}. It is shown this once: keep it where others cannot read it.",
        token.name
    );
    Ok(())
}

fn ls(data: &Path, json: bool) -> Result<(), CliError> {
    DataDir::inspect(data)?;
    let history = History::open(data).map_err(|error| CliError::Usage(error.to_string()))?;
    let kept = history.tokens().map_err(CliError::failed)?.kept;
    if json {
        let document = |token| TokenDocument::new(token, None);
        return print_json(&kept.iter().map(document).collect::<Vec<_>>());
    }
    if kept.is_empty() {
        return emit("no tokens\n");
    }
    let now = unix_ms();
    let row = |token: &Token| {
        let expires = match token.expires_unix_ms {
            None => "never".to_owned(),
            Some(ms) if token.is_expired(now) => format!("{}, expired", utc(ms)),
            Some(ms) => utc(ms),
        };
        vec![token.name.clone(), token.right.to_string(), utc(token.made_unix_ms), expires]
    };
    let head = ["NAME", "RIGHT", "MADE (UTC)", "EXPIRES"].map(|title| (title, Align::Left));
    emit(&table(&head, &kept.iter().map(row).collect::<Vec<_>>()))
}

fn revoke(data: &Path, name: &str, json: bool) -> Result<(), CliError> {
    DataDir::inspect(data)?;
    let (mut book, _lock) = open(data)?;
    book.revoke(name, unix_ms())?;
    if json {
        return print_json(&serde_json::json!({ "name": name, "revoked": true }));
    }
    emit(&format!("the token `{name}` is revoked\n"))
}

/// The tokens of a folder. A database that is to be made or brought up to date is this process's alone
/// meanwhile; otherwise a server may have it open.
fn open(data: &Path) -> Result<(TokenBook, Option<DataDir>), CliError> {
    let unusable = |error: StoreOpenError| CliError::Usage(error.to_string());
    match DataDir::inspect(data) {
        Ok(_) => match TokenBook::beside(data) {
            Ok(book) => return Ok((book, None)),
            Err(StoreOpenError::Missing { .. } | StoreOpenError::OlderVersion { .. }) => {}
            Err(error) => return Err(unusable(error)),
        },
        Err(DataDirError::Missing { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let lock = DataDir::open(data)?;
    let book = TokenBook::open(data).map_err(unusable)?;
    Ok((book, Some(lock)))
}

impl From<TokenError> for CliError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Store(error) => Self::failed(error),
            error => Self::Usage(error.to_string()),
        }
    }
}
