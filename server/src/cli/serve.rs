//! `matchkeep serve`: a server until SIGTERM or Ctrl-C.

use std::io::Write;
use std::sync::Arc;

use clap::Args;
use matchkeep_shared::Game;
use matchkeep_shared::limits::SOCKET_BUFFER_BYTES;
use tokio::signal::unix::{SignalKind, signal};
use tracing::Instrument;

use super::admin_address::AdminAddress;
use super::config::by_origin;
use super::service::Service;
use super::settings_args::SettingsArgs;
use super::telemetry::Wanted;
use super::{CliError, log};
use crate::node::{self, Node};
use crate::settings::Settings;
use crate::spans;

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Print the addresses as one line of JSON when ready
    #[arg(long)]
    json: bool,
    /// Stop when standard input closes: for programs that start a server of their own
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

pub(super) fn run<G: Game>(args: ServeArgs) -> Result<(), CliError> {
    let layers = args.settings.layers()?;
    let (settings, _) = layers.resolve::<G>()?;
    let wanted = Wanted::from_environment()?;
    let effective = by_origin(&layers.settings()) + &wanted.describe();
    let telemetry = log::start(&layers.values(), wanted)?;
    if args.json {
        // Standard output is for the program that reads it.
        for line in effective.lines() {
            tracing::info!("settings: {line}");
        }
    } else {
        // Whoever started us may not read what we print.
        let _ = write!(std::io::stdout(), "{}{effective}", describe(&settings));
    }
    let runtime = node::runtime().map_err(CliError::failed)?;
    let served = runtime.block_on(serve::<G>(settings, args.json, args.until_stdin_closes));
    // A read of standard input that is still under way must not hold the process.
    runtime.shutdown_background();
    telemetry.stop();
    served
}

async fn serve<G: Game>(
    settings: Settings<G::Config>,
    json: bool,
    until_stdin_closes: bool,
) -> Result<(), CliError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(CliError::failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CliError::failed)?;
    let service = Arc::new(Service::from_environment());
    let starting = spans::start();
    let mut node = Node::start::<G>(settings).instrument(starting.clone()).await?;
    let telling = Arc::clone(&service);
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("stopping: SIGTERM"),
            _ = interrupt.recv() => tracing::info!("stopping: interrupted"),
            () = stdin_closed(), if until_stdin_closes => {
                tracing::info!("stopping: standard input closed");
            }
        }
        telling.tell("STOPPING=1\nSTATUS=Writing what is to be written");
    };
    tokio::pin!(stop);
    let is_stopped = tokio::select! {
        () = service.while_starting(node.ready()) => false,
        // Before matches are back: on a full disk they may be so never.
        () = &mut stop => true,
    };
    spans::started(&starting);
    if is_stopped {
        return node.run_until(std::future::ready(())).await.map_err(CliError::failed);
    }
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
            "lobby        {} (certificate {})\nshards       {}\nbuffer       {} of {} \
             bytes granted for receiving, for each shard\nadmin        {}\nready",
            endpoints.lobby,
            endpoints.lobby_fingerprint,
            shards.join(" "),
            node.receive_buffer_bytes(),
            SOCKET_BUFFER_BYTES,
            AdminAddress { authority: endpoints.admin.to_string(), is_tls: endpoints.admin_tls }
                .url(),
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
    let control = node.control();
    // Where control ended instead, nobody is told that players may come.
    if !control.is_closed() {
        service.tell("READY=1\nSTATUS=Players may come");
    }
    tokio::spawn(Arc::clone(&service).while_running(control));
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
            mode.rules.places,
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
