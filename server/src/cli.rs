//! The command line: one binary, a verb for everything. Parse, check, run, one line on error.
//!
//! Exit codes: 0 it worked; 1 it failed on the way; 2 what was asked for cannot be: a flag, a value, a
//! file, a folder, a port.

mod admin_address;
mod audit;
mod bots;
mod config;
mod credentials;
mod demo;
mod history;
mod http;
mod journals;
mod key;
mod lobby_place;
mod log;
mod manual;
mod match_;
mod node;
mod place;
mod player;
mod progress;
mod queue;
mod running;
mod screen;
mod serve;
mod service;
mod settings_args;
mod table;
mod telemetry;
mod token;
mod top;
mod watch;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use matchkeep_client::bots::Playable;

use crate::data_dir::DataDirError;
use crate::node::StartError;
use crate::settings::SettingsError;

/// What stands below the verbs: where to begin, and what programs rely on.
const AFTER_HELP: &str = "\
Examples:
  matchkeep demo                          a server, eight bots and a stored result in a minute
  matchkeep serve --config FILE           a server, until SIGTERM or Ctrl-C
  matchkeep config show --config FILE     what it would run with, and where each value is from
  matchkeep bots --count 16 --seconds 60  players without a person, on a running server
  matchkeep match ls --watch              running matches, looked at once a second
  matchkeep top                           a running server on the screen
  matchkeep match say ID 'one more map'   tell the players of one something
  matchkeep history ls --json             stored matches, for a program
  matchkeep player ban eve --reason TEXT  out at once, and not let in again
  matchkeep token make ada --right read   from now on the admin interface asks for a token
  matchkeep completions bash              for /etc/bash_completion.d/matchkeep

Exit codes:
  0  it worked
  1  it failed on the way
  2  what was asked for cannot be: a flag, a value, a file, a folder, a port

Environment:
  MATCHKEEP_SERVER_*  the settings of `serve`, one for each flag
  MATCHKEEP_TOKEN     the token that a verb shows a server; --token-file names a file instead
  NO_COLOR            set to anything, nothing is coloured
  OTEL_*              where `serve` sends traces and logs, as OpenTelemetry names it; unset: nowhere";

/// An authoritative real-time game server that keeps its matches alive.
#[derive(Debug, Parser)]
#[command(
    name = "matchkeep",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = AFTER_HELP
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start a server, let bots play a match on it, and show the stored result
    Demo(demo::DemoArgs),
    /// Run a server
    #[command(after_help = settings_args::SETTINGS_HELP)]
    Serve(serve::ServeArgs),
    /// Let bots play on a running server
    Bots(bots::BotsArgs),
    /// Look at stored matches, and prove them
    History(history::HistoryArgs),
    /// See and steer running matches, and look into any match at any of its ticks
    #[command(after_help = match_::MATCH_HELP)]
    Match(match_::MatchArgs),
    /// Watch the running server: its shards, and its matches with the dearest first
    #[command(after_help = top::TOP_HELP)]
    Top(top::TopArgs),
    /// See the running server and its shards
    Node(node::NodeArgs),
    /// See who plays here, and who may not
    #[command(after_help = player::PLAYER_HELP)]
    Player(player::PlayerArgs),
    /// See who waits for a match
    #[command(after_help = queue::QUEUE_HELP)]
    Queue(queue::QueueArgs),
    /// Make, list and revoke the tokens that open the admin interface
    #[command(after_help = token::TOKEN_HELP)]
    Token(token::TokenArgs),
    /// See and rotate the keys that tickets are signed with
    #[command(after_help = key::KEY_HELP)]
    Key(key::KeyArgs),
    /// See who changed what
    Audit(audit::AuditArgs),
    /// Check or show the settings that a server would run with
    Config(config::ConfigArgs),
    /// Print the completions of a shell
    Completions(manual::CompletionsArgs),
    /// Print the manual page, or write one for each verb
    Man(manual::ManArgs),
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
            StartError::Shard(_) | StartError::Store(_) | StartError::Tokens(_) => {
                Self::failed(error)
            }
            error => Self::Usage(error.to_string()),
        }
    }
}

/// Runs the command line for the game `G`, with all its verbs. A studio's `main` is this one call.
pub fn run<G: Playable>() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.verb {
        Verb::Demo(args) => demo::run::<G>(args),
        Verb::Serve(args) => serve::run::<G>(args),
        Verb::Bots(args) => bots::run::<G>(args),
        Verb::History(args) => history::run::<G>(args),
        Verb::Match(args) => match_::run::<G>(args),
        Verb::Top(args) => top::run(&args),
        Verb::Node(args) => node::run(args),
        Verb::Player(args) => player::run(args),
        Verb::Queue(args) => queue::run(args),
        Verb::Token(args) => token::run(args),
        Verb::Key(args) => key::run(args),
        Verb::Audit(args) => audit::run(args),
        Verb::Config(args) => config::run::<G>(args),
        Verb::Completions(args) => manual::completions(Cli::command(), &args),
        Verb::Man(args) => manual::man(Cli::command(), &args),
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
    emit_to_reader(text).map(|_| ())
}

/// As [`emit`]; says whether somebody still reads.
fn emit_to_reader(text: &str) -> Result<bool, CliError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(CliError::failed(error)),
    }
}

/// The folder a verb uses when none is named.
fn default_data() -> PathBuf {
    PathBuf::from("matchkeep-data")
}

/// Whether whoever runs the program wants no colours: <https://no-color.org>.
fn is_plain() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// A runtime for the parts that are not tick engine.
fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("tokio")
        .build()
        .map_err(CliError::failed)
}
