//! `matchkeep serve`: a server until SIGTERM or Ctrl-C.

use std::io::{IsTerminal, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use matchkeep_shared::Game;
use matchkeep_shared::limits::SOCKET_BUFFER_BYTES;
use tokio::signal::unix::{SignalKind, signal};

use super::{CliError, runtime};
use crate::node::Node;
use crate::settings::{Settings, SettingsFile};

/// Flags stand above environment variables, these above the file, the file above the defaults.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Configuration file (TOML); flags and environment variables stand above it
    #[arg(long, value_name = "FILE", env = "MATCHKEEP_SERVER_CONFIG")]
    config: Option<PathBuf>,
    /// Data folder; made where there is none [default: matchkeep-data]
    #[arg(long, value_name = "DIR", env = "MATCHKEEP_SERVER_DATA")]
    data: Option<PathBuf>,
    /// Address that lobby and shards listen on [default: 127.0.0.1]
    #[arg(long, value_name = "IP", env = "MATCHKEEP_SERVER_HOST")]
    host: Option<IpAddr>,
    /// UDP port of the lobby; 0 for any [default: 7777]
    #[arg(long, value_name = "PORT", env = "MATCHKEEP_SERVER_LOBBY_PORT")]
    lobby_port: Option<u16>,
    /// UDP port of the first shard, the others follow; 0 for any [default: 7778]
    #[arg(long, value_name = "PORT", env = "MATCHKEEP_SERVER_SHARD_PORT")]
    shard_port: Option<u16>,
    /// TCP address of the admin interface [default: 127.0.0.1:7780]
    #[arg(long, value_name = "ADDR", env = "MATCHKEEP_SERVER_ADMIN")]
    admin: Option<SocketAddr>,
    /// Number of shards, each a thread [default: one per core]
    #[arg(long, value_name = "N", env = "MATCHKEEP_SERVER_SHARDS")]
    shards: Option<usize>,
    /// Pin each shard to a core of its own [default: true]
    #[arg(long, value_name = "BOOL", env = "MATCHKEEP_SERVER_PIN")]
    pin: Option<bool>,
    /// Journal matches, so that they survive the process [default: true]
    #[arg(long, value_name = "BOOL", env = "MATCHKEEP_SERVER_JOURNAL")]
    journal: Option<bool>,
    /// Days that the journal of a finished match is kept; its result stays [default: 30]
    #[arg(long, value_name = "DAYS", env = "MATCHKEEP_SERVER_JOURNAL_KEEP_DAYS")]
    journal_keep_days: Option<u32>,
    /// What all journals together may take; above that those of the matches finished first go [default: 20]
    #[arg(long, value_name = "GIB", env = "MATCHKEEP_SERVER_JOURNAL_KEEP_GIB")]
    journal_keep_gib: Option<u32>,
    /// Tell clients a hash of the state with every snapshot, for tests [default: false]
    #[arg(long, value_name = "BOOL", env = "MATCHKEEP_SERVER_STATE_HASHES", hide = true)]
    state_hashes: Option<bool>,
    /// Print the addresses as one line of JSON when ready
    #[arg(long)]
    json: bool,
    /// Stop when standard input closes: for programs that start a server of their own
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

pub(super) fn run<G: Game>(args: ServeArgs) -> Result<(), CliError> {
    start_log();
    let file = args.config.as_deref().map(SettingsFile::read).transpose()?.unwrap_or_default();
    let flags = SettingsFile {
        data: args.data,
        host: args.host,
        lobby_port: args.lobby_port,
        shard_port: args.shard_port,
        admin: args.admin,
        shards: args.shards,
        pin: args.pin,
        journal: args.journal,
        journal_keep_days: args.journal_keep_days,
        journal_keep_gib: args.journal_keep_gib,
        state_hashes: args.state_hashes,
        modes: toml::Table::new(),
    };
    let settings = flags.over(file).resolve::<G>()?;
    let runtime = runtime()?;
    let served = runtime.block_on(serve::<G>(settings, args.json, args.until_stdin_closes));
    // A read of standard input that is still under way must not hold the process.
    runtime.shutdown_background();
    served
}

async fn serve<G: Game>(
    settings: Settings<G::Config>,
    json: bool,
    until_stdin_closes: bool,
) -> Result<(), CliError> {
    let effective = describe(&settings);
    let mut terminate = signal(SignalKind::terminate()).map_err(CliError::failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CliError::failed)?;
    let mut node = Node::start::<G>(settings).await?;
    node.ready().await;
    let endpoints = node.endpoints();
    // Whoever started us may not read what we print.
    let mut out = std::io::stdout();
    let _ = if json {
        let line = serde_json::to_string(endpoints).map_err(CliError::failed)?;
        writeln!(out, "{line}")
    } else {
        let shards: Vec<String> = endpoints.shards.iter().map(ToString::to_string).collect();
        writeln!(
            out,
            "{effective}lobby        {} (certificate {})\nshards       {}\nbuffer       {} of {} \
             bytes granted for receiving, for each shard\nadmin        http://{}\nready",
            endpoints.lobby,
            endpoints.lobby_fingerprint,
            shards.join(" "),
            node.receive_buffer_bytes(),
            SOCKET_BUFFER_BYTES,
            endpoints.admin,
        )
    };
    let _ = out.flush();
    let granted = node.receive_buffer_bytes();
    if granted < SOCKET_BUFFER_BYTES {
        tracing::warn!(
            granted,
            asked = SOCKET_BUFFER_BYTES,
            "the kernel grants a small UDP receive buffer; raise net.core.rmem_max"
        );
    }
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("stopping: SIGTERM"),
            _ = interrupt.recv() => tracing::info!("stopping: interrupted"),
            () = stdin_closed(), if until_stdin_closes => {
                tracing::info!("stopping: standard input closed");
            }
        }
    };
    node.run_until(stop).await.map_err(CliError::failed)
}

/// The settings in force, a line each.
fn describe<C>(settings: &Settings<C>) -> String {
    let mut text = format!(
        "data         {}\nshards       {}{}\n",
        settings.data.display(),
        settings.shards,
        if settings.pin { ", pinned" } else { "" },
    );
    text += &if settings.journal {
        let days = settings.journal_kept.age_max.as_secs() / (24 * 60 * 60);
        let gib = settings.journal_kept.bytes_max >> 30;
        format!("journals     kept {days} days after the match, {gib} GiB in all\n")
    } else {
        "journals     none: matches end with the process\n".to_owned()
    };
    for mode in &settings.modes {
        let map = mode.map.as_deref().unwrap_or("default");
        let hold = mode.hold.as_secs();
        text += &format!(
            "mode         {}: {} places, {} Hz, map {map}, places held {hold} s\n",
            mode.name,
            mode.places,
            mode.rate.hz(),
        );
    }
    text
}

/// Returns when nobody holds the other end of standard input any more.
async fn stdin_closed() {
    let waited = tokio::task::spawn_blocking(|| {
        let mut sink = std::io::sink();
        // An unreadable standard input is a closed one.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut sink);
    });
    let _ = waited.await;
}

fn start_log() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("MATCHKEEP_LOG");
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info"));
    let is_terminal = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(is_terminal)
        .with_writer(std::io::stderr);
    // A program that embeds us may have its own log already.
    let _ = log.try_init();
}
