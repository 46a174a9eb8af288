//! The command line: one binary, a verb for everything. Parse, check, run, one line on error.
//!
//! Exit codes: 0 it worked; 1 it failed on the way; 2 what was asked for cannot be: a flag, a value, a
//! file, a folder, a port.

mod bots;
mod demo;
mod history;
mod http;
mod journals;
mod match_;
mod place;
mod progress;
mod serve;
mod table;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use matchkeep_client::bots::Playable;

use crate::data_dir::DataDirError;
use crate::node::StartError;
use crate::settings::SettingsError;

/// An authoritative real-time game server that keeps its matches alive.
#[derive(Debug, Parser)]
#[command(name = "matchkeep", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start a server, let bots play a match on it, and show the stored result
    Demo(demo::DemoArgs),
    /// Run a server
    Serve(serve::ServeArgs),
    /// Let bots play on a running server
    Bots(bots::BotsArgs),
    /// Look at stored matches, and prove them
    History(history::HistoryArgs),
    /// Look into one match at any of its ticks
    Match(match_::MatchArgs),
}

/// Why a verb ended badly.
#[derive(Debug, thiserror::Error)]
enum CliError {
    /// What was asked for cannot be.
    #[error("{0}")]
    Usage(String),
    /// It failed on the way.
    #[error("{0}")]
    Failed(String),
}

impl CliError {
    /// A flag whose value makes no sense.
    fn flag(flag: &str, value: impl ToString, allowed: impl ToString) -> Self {
        let (value, allowed) = (value.to_string(), allowed.to_string());
        Self::Usage(format!("--{flag} {value}: {allowed}"))
    }

    fn failed(error: impl ToString) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<SettingsError> for CliError {
    fn from(error: SettingsError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<DataDirError> for CliError {
    fn from(error: DataDirError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<StartError> for CliError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Shard(_) | StartError::Store(_) => Self::failed(error),
            error => Self::Usage(error.to_string()),
        }
    }
}

/// Runs the command line for the game `G`: `serve`, `demo`, `bots`, `history`, `match`. A studio's
/// `main` is this one call.
pub fn run<G: Playable>() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.verb {
        Verb::Demo(args) => demo::run::<G>(args),
        Verb::Serve(args) => serve::run::<G>(args),
        Verb::Bots(args) => bots::run::<G>(args),
        Verb::History(args) => history::run::<G>(args),
        Verb::Match(args) => match_::run::<G>(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(match error {
                CliError::Usage(_) => 2,
                CliError::Failed(_) => 1,
            })
        }
    }
}

fn print_json<T: serde::Serialize>(value: &T) -> Result<(), CliError> {
    emit(&(serde_json::to_string_pretty(value).map_err(CliError::failed)? + "\n"))
}

/// Writes to standard output. Whoever reads it may have enough before the end: that is no failure.
fn emit(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CliError::failed(error)),
        _ => Ok(()),
    }
}

/// The folder a verb uses when none is named.
fn default_data() -> PathBuf {
    PathBuf::from("matchkeep-data")
}

/// A runtime for the parts that are not tick engine.
fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("tokio")
        .build()
        .map_err(CliError::failed)
}
