//! The bots' part: `fight` bots over real QUIC, all on the other core, until the server sends them away.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use matchkeep_client::bots::BotKind;
use matchkeep_client::bots::swarm::{self, SwarmEvent, SwarmPlan, SwarmProgress, SwarmReport};
use matchkeep_client::transport::{ClientError, Fingerprint};
use matchkeep_shared::arena::Arena;
use matchkeep_shared::disconnect::DisconnectReason;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::child::{end_with_parent, say};
use super::server::MODE;
use crate::machine::{pin_process, process_cpu};

/// Where the bots go.
#[derive(Clone, Debug, Args)]
pub struct BotsArgs {
    #[arg(long)]
    pub(crate) core: usize,
    #[arg(long)]
    players: usize,
    #[arg(long)]
    lobby: SocketAddr,
    #[arg(long)]
    fingerprint: String,
    /// From the start to the last bot in its match.
    #[arg(long)]
    join_seconds: u64,
}

/// The first thing the bots say: how many are in their matches. Where that is not all of them there is no
/// more to come.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct InMatches {
    /// How many.
    pub players: usize,
}

/// The last thing the bots say, when the server has sent them away.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Farewell {
    /// Inputs made from the first to the last tick, joining and warming up included.
    pub inputs_sent: u64,
    /// Snapshots received in the same time.
    pub snapshots_received: u64,
    /// CPU time of the process, in seconds.
    pub cpu_seconds: f64,
    /// What went wrong, for the first few bots.
    pub failures: Vec<String>,
}

/// Failures that are told.
const FAILURES_TOLD: usize = 5;
/// Bots that share a UDP socket and join at the same time. The next ones start when these are in: a herd's
/// handshakes would keep the process from its sockets for so long that the kernel drops what comes.
pub const BATCH: usize = 20;

/// Plays the part.
///
/// # Errors
/// Where the bots' sockets cannot be made.
pub fn run(args: &BotsArgs) -> anyhow::Result<()> {
    end_with_parent()?;
    pin_process(args.core)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(play(args))
}

/// Bots on their way.
pub(crate) struct Swarms {
    /// The swarms that play.
    pub(crate) running: JoinSet<Result<SwarmReport, ClientError>>,
    /// Of each swarm.
    pub(crate) progress: Vec<Arc<SwarmProgress>>,
    /// Bots that got into their matches.
    pub(crate) joined: usize,
}

/// Lets the bots join, some at a time; returns when all are in, or the time is up.
///
/// # Errors
/// Where the fingerprint is none.
pub(crate) async fn join(args: &BotsArgs) -> anyhow::Result<Swarms> {
    let fingerprint = args.fingerprint.parse::<Fingerprint>()?;
    let join_by = Instant::now() + Duration::from_secs(args.join_seconds);
    let (events, mut happened) = mpsc::unbounded_channel();
    let (mut running, mut progress, mut joined) = (JoinSet::new(), Vec::new(), 0);
    for first in (0..args.players).step_by(BATCH) {
        let count = BATCH.min(args.players - first);
        let plan = SwarmPlan {
            lobby: args.lobby,
            trust: fingerprint.into(),
            mode: MODE.into(),
            kinds: vec![BotKind::Fight; count],
            name: format!("bot{}-", first / BATCH + 1),
            seed: first as u64 + 1,
            play_for: None,
            // The server stops at the end and does not come back.
            come_back: false,
            observer: None,
        };
        let seen = Arc::<SwarmProgress>::default();
        progress.push(Arc::clone(&seen));
        running.spawn(swarm::run::<Arena>(plan, seen, events.clone()));
        while joined < first + count {
            match tokio::time::timeout_at(join_by, happened.recv()).await {
                Ok(Some(SwarmEvent::Joined { .. })) => joined += 1,
                Ok(Some(SwarmEvent::Ended { .. })) => {}
                Ok(None) | Err(_) => return Ok(Swarms { running, progress, joined }),
            }
        }
    }
    Ok(Swarms { running, progress, joined })
}

async fn play(args: &BotsArgs) -> anyhow::Result<()> {
    let Swarms { running: mut swarms, joined, .. } = join(args).await?;
    say(&InMatches { players: joined })?;
    if joined < args.players {
        return Ok(());
    }
    let mut farewell = Farewell::default();
    while let Some(swarm) = swarms.join_next().await {
        let report = swarm??;
        farewell.inputs_sent += report.counts.inputs_sent;
        farewell.snapshots_received += report.counts.snapshots_received;
        // That the server stopped is how it should end.
        let expected = DisconnectReason::ServerShutdown.text();
        let failures = report.failures.into_iter().filter(|failure| !failure.contains(expected));
        farewell.failures.extend(failures);
    }
    farewell.failures.truncate(FAILURES_TOLD);
    farewell.cpu_seconds = process_cpu().as_secs_f64();
    say(&farewell)
}
