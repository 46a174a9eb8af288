//! `matchkeep bots`: players without a person, on a running server.

use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use matchkeep_client::bots::recording::Recording;
use matchkeep_client::bots::swarm::{self, SwarmPlan, SwarmProgress, SwarmReport};
use matchkeep_client::bots::{BotKind, Playable};
use matchkeep_client::transport::{Fingerprint, Trust};
use matchkeep_shared::limits::{NAME_BYTES_MAX, RECORDING_BYTES_MAX};
use serde_json::json;
use tokio::sync::mpsc;

use super::lobby_place::LobbyPlace;
use super::{CliError, default_data, runtime};
use crate::data_dir::DataDir;
use crate::node::Endpoints;

/// Bots of one process.
pub(super) const BOTS_MAX: usize = 4096;

#[derive(Debug, Args)]
pub(super) struct BotsArgs {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 8)]
    count: usize,
    /// What they do
    #[arg(long, value_enum, default_value_t = Kind::Fight)]
    kind: Kind,
    /// Recording that `trace` bots follow, one recorded player each
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Mode to play; the server's first by default
    #[arg(long, value_name = "NAME", default_value = "")]
    mode: String,
    /// Leave after so many seconds; by default they stay until the match ends
    #[arg(long, value_name = "S")]
    seconds: Option<u64>,
    /// Data folder of the server, which says where it is and what certificate it shows
    /// [default: matchkeep-data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The lobby: a name or an address, and the port
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "data")]
    lobby: Option<LobbyPlace>,
    /// Fingerprint of the lobby's certificate; without it the certificate must be for the lobby's name
    #[arg(long, value_name = "HEX", requires = "lobby")]
    fingerprint: Option<String>,
    /// Certificates that vouch for the lobby's name (PEM) [default: those that browsers trust]
    #[arg(long, value_name = "FILE", requires = "lobby", conflicts_with = "fingerprint")]
    lobby_ca: Option<PathBuf>,
    /// Names begin with this
    #[arg(long, value_name = "NAME", default_value = "bot")]
    name: String,
    /// Makes two swarms differ
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Kind {
    /// Play to win
    Fight,
    /// Move, aim and fire as in a recording
    Trace,
    /// Stand there
    Idle,
}

pub(super) fn run<G: Playable>(args: BotsArgs) -> Result<(), CliError> {
    if !(1..=BOTS_MAX).contains(&args.count) {
        return Err(CliError::flag("count", args.count, format!("allowed are 1 to {BOTS_MAX}")));
    }
    if args.mode.len() > NAME_BYTES_MAX {
        return Err(CliError::flag("mode", &args.mode, "no mode has so long a name"));
    }
    let kinds = match (args.kind, &args.trace) {
        (Kind::Fight, None) => vec![BotKind::Fight; args.count],
        (Kind::Idle, None) => vec![BotKind::Idle; args.count],
        (Kind::Trace, Some(path)) => trace_bots(&read_recording(path)?, args.count),
        (Kind::Trace, None) => {
            return Err(CliError::flag("kind", "trace", "needs a recording: add --trace FILE"));
        }
        (_, Some(path)) => {
            return Err(CliError::flag("trace", path.display(), "is for --kind trace"));
        }
    };
    let (lobby, trust) = match &args.lobby {
        Some(place) => {
            let trust = match &args.fingerprint {
                Some(hex) => {
                    let fingerprint = hex.parse::<Fingerprint>();
                    let error = |e| CliError::Usage(format!("--fingerprint: {e}"));
                    fingerprint.map_err(error)?.into()
                }
                None => place.trust(args.lobby_ca.as_deref())?,
            };
            (place.resolve()?, trust)
        }
        None => find_server(&args.data.unwrap_or_else(default_data))?,
    };
    let plan = SwarmPlan {
        lobby,
        trust,
        mode: args.mode,
        kinds,
        name: args.name,
        seed: args.seed,
        play_for: args.seconds.map(Duration::from_secs),
        come_back: true,
        observer: None,
    };
    // Nobody listens: the report at the end says it all.
    let (events, _) = mpsc::unbounded_channel();
    let progress = Arc::new(SwarmProgress::default());
    let report = runtime()?.block_on(swarm::run::<G>(plan, progress, events));
    let report = report.map_err(CliError::failed)?;
    if args.json {
        println!("{}", document(&report));
    } else {
        print!("{}", describe(&report));
    }
    match report.failures.first() {
        None => Ok(()),
        Some(first) if report.joined == 0 => Err(CliError::failed(first)),
        Some(first) => {
            let failures = report.failures.len();
            Err(CliError::Failed(format!("{failures} bots did not finish; the first: {first}")))
        }
    }
}

/// Where the server of a data folder is, and how it is known.
fn find_server(data: &Path) -> Result<(SocketAddr, Trust), CliError> {
    let folder = DataDir::inspect(data)?;
    let endpoints = folder.endpoints::<Endpoints>()?.ok_or_else(|| {
        let data = data.display();
        CliError::Usage(format!(
            "no server runs on `{data}`: start one with `matchkeep serve --data {data}`, or name \
             another with --lobby"
        ))
    })?;
    let fingerprint = endpoints.lobby_fingerprint.parse::<Fingerprint>();
    Ok((endpoints.lobby, fingerprint.map_err(|e| CliError::Usage(e.to_string()))?.into()))
}

/// Reads a recording by path.
pub(super) fn read_recording(path: &Path) -> Result<Arc<Recording>, CliError> {
    let error = |cause: String| CliError::flag("trace", path.display(), cause);
    let file = std::fs::File::open(path).map_err(|e| error(e.to_string()))?;
    let mut bytes = Vec::new();
    let limit = RECORDING_BYTES_MAX as u64;
    file.take(limit).read_to_end(&mut bytes).map_err(|e| error(e.to_string()))?;
    Recording::parse(&bytes).map(Arc::new).map_err(|e| error(e.to_string()))
}

/// `count` bots that follow the players of a recording in turn.
pub(super) fn trace_bots(recording: &Arc<Recording>, count: usize) -> Vec<BotKind> {
    let player =
        |i| BotKind::Trace { recording: Arc::clone(recording), player: i % recording.players() };
    (0..count).map(player).collect()
}

fn document(report: &SwarmReport) -> serde_json::Value {
    let findings: serde_json::Map<String, serde_json::Value> = report
        .findings
        .iter()
        .map(|(name, f)| {
            ((*name).to_owned(), json!({ "bots": f.bots, "sum": f.sum, "max": f.max }))
        })
        .collect();
    json!({
        "bots_joined": report.joined,
        "bots_told_result": report.told_result,
        "inputs_sent": report.counts.inputs_sent,
        "inputs_substituted": report.counts.inputs_substituted,
        "snapshots_received": report.counts.snapshots_received,
        "snapshots_dropped": report.counts.snapshots_dropped,
        "snapshot_bytes": report.counts.snapshot_bytes,
        "interruptions": report.counts.interruptions,
        "reconnects": report.counts.reconnects,
        "ticks_rolled_back": report.counts.ticks_rolled_back,
        "returns": report.returns.iter().map(|bot| json!({
            "bot": bot.bot,
            "gaps_ms": bot.gaps_ms,
            "ticks_rolled_back": bot.ticks_rolled_back,
        })).collect::<Vec<_>>(),
        "seen": report.seen.iter().map(|seen| json!({
            "bot": seen.bot,
            "match": seen.match_id.to_string(),
            "slot": seen.slot,
            "moved_units": seen.moved_units,
        })).collect::<Vec<_>>(),
        "udp_bytes_received": report.udp_bytes_received,
        "udp_bytes_sent": report.udp_bytes_sent,
        "findings": findings,
        "failures": report.failures,
    })
}

fn describe(report: &SwarmReport) -> String {
    let counts = &report.counts;
    format!(
        "bots in a match       {}\ntold a stored result  {}\ninputs sent           {}\nsnapshots received    \
         {} ({} bytes)\n",
        report.joined,
        report.told_result,
        counts.inputs_sent,
        counts.snapshots_received,
        counts.snapshot_bytes,
    )
}
