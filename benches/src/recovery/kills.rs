//! The kills: play, kill, start again, wait until everyone is back, and what that took.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use matchkeep_client::bots::BotKind;
use matchkeep_client::bots::swarm::{self, Observer, SwarmEvent, SwarmPlan};
use matchkeep_client::netcode::SnapshotInfo;
use matchkeep_client::transport::Fingerprint;
use matchkeep_shared::arena::Arena;
use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::rng::Rng;
use matchkeep_shared::time::Tick;
use tokio::sync::mpsc;

use super::plan::Plan;
use super::report::Report;
use super::server::{MODE, News};
use super::verify;
use super::witness::Witness;
use crate::load::child::Child;

/// How long a server may take to be ready, and a step of the bots.
const WITHIN: Duration = Duration::from_secs(30);
/// How long the bots may take to be back after a kill.
const BACK_WITHIN: Duration = Duration::from_secs(15);
/// Play between two kills, in milliseconds.
const PLAY_MS: std::ops::Range<u32> = 700..4_000;
/// A kill during recovery comes so long after the start, in milliseconds.
const EARLY_MS: std::ops::Range<u32> = 5..400;
/// One in so many kills hits a server that is not ready yet.
const EARLY_ONE_IN: u32 = 4;
/// What was sent before a kill may still be on its way to the bots.
const DRAIN: Duration = Duration::from_millis(50);
/// How often it is looked whether the bots are back.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What one kill led to, where the server was ready before it.
#[derive(Clone, Debug, Default)]
pub struct Kill {
    /// For each match: the newest durable tick any bot saw less the one it went on from.
    pub durable_lost: Vec<i64>,
    /// The newest tick any bot saw less the one it went on from.
    pub undurable_lost: Vec<i64>,
    /// From the start of the process to the first step of the last match, in milliseconds.
    pub ticking_ms: f64,
    /// From the server's word that it is ready to each bot's first snapshot of the new epoch, in
    /// milliseconds.
    pub fresh_ms: Vec<f64>,
    /// Bots that came back in time.
    pub back: usize,
}

/// The bots' ears.
struct Ears(Arc<Witness>);

impl Observer for Ears {
    fn snapshot(&self, bot: usize, match_id: MatchId, info: &SnapshotInfo) {
        self.0.note(bot, match_id, info);
    }

    fn rolled_back(&self, bot: usize, _: MatchId, _: Tick, to: Tick) {
        self.0.note_rolled_back(bot, to);
    }
}

/// Ports that stay the same over restarts.
#[derive(Clone, Copy, Debug)]
struct Ports {
    lobby: u16,
    shard: u16,
}

impl Ports {
    /// Ports that are free now: one, and so many in a row.
    fn free(shards: usize) -> anyhow::Result<Self> {
        let bind = |port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port));
        for _ in 0..100 {
            let (lobby, first) = (bind(0)?, bind(0)?);
            let (lobby_port, shard) = (lobby.local_addr()?.port(), first.local_addr()?.port());
            let row = (1..shards as u16).map(|i| shard.checked_add(i).map(bind));
            if row.into_iter().all(|port| matches!(port, Some(Ok(_)))) {
                return Ok(Self { lobby: lobby_port, shard });
            }
        }
        bail!("no {shards} free UDP ports in a row")
    }
}

/// Runs the whole measurement.
///
/// # Errors
/// Where a part fails or takes too long; what is measured is no error, whatever it is.
pub fn measure(plan: &Plan) -> anyhow::Result<Report> {
    let folder = tempfile::Builder::new().prefix("matchkeep-recovery-").tempdir()?;
    let data = folder.path().join("data");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let witness = Arc::new(Witness::default());
    let played = runtime.block_on(play(plan, &data, &witness));
    runtime.shutdown_timeout(Duration::from_secs(1));
    if plan.keep {
        eprintln!("the data folder stays at {}", folder.keep().join("data").display());
    }
    let (kills, early_kills, failures) = played?;
    eprintln!("replaying every match from its first tick");
    let verdict = verify::verify(&data, &witness.matches())?;
    Ok(Report::new(plan, &kills, early_kills, &verdict, failures))
}

async fn play(
    plan: &Plan,
    data: &Path,
    witness: &Arc<Witness>,
) -> anyhow::Result<(Vec<Kill>, usize, Vec<String>)> {
    let ports = Ports::free(plan.shards)?;
    let mut rng = Rng::new(plan.seed);
    let mut server = start(plan, ports, data)?;
    let (lobby, fingerprint, _) = ready(&mut server)?;
    let players = plan.matches * plan.per_match;
    let (events, mut happened) = mpsc::unbounded_channel();
    let swarm = SwarmPlan {
        lobby,
        trust: fingerprint.parse::<Fingerprint>()?.into(),
        mode: MODE.into(),
        kinds: vec![BotKind::Fight; players],
        name: "bot".into(),
        seed: plan.seed,
        play_for: None,
        come_back: true,
        observer: Some(Arc::new(Ears(Arc::clone(witness)))),
    };
    let swarm = tokio::spawn(swarm::run::<Arena>(swarm, Arc::default(), events));
    let mut joined = 0;
    while joined < players {
        match tokio::time::timeout(WITHIN, happened.recv()).await {
            Ok(Some(SwarmEvent::Joined { .. })) => joined += 1,
            Ok(Some(SwarmEvent::Ended { .. })) => bail!("a match ended by itself"),
            Ok(None) | Err(_) => bail!("{joined} of {players} bots got into their matches"),
        }
    }
    eprintln!("{players} bots play {} matches", plan.matches);

    let mut kills = Vec::new();
    let mut early_kills = 0;
    for number in 1..=plan.kills {
        let play_ms = PLAY_MS.start + rng.below(PLAY_MS.end - PLAY_MS.start);
        tokio::time::sleep(Duration::from_millis(play_ms.into())).await;
        // SIGKILL, and whatever it was doing is not done.
        drop(server);
        tokio::time::sleep(DRAIN).await;
        let before = witness.ticks();
        let epochs: BTreeMap<MatchId, Epoch> =
            witness.matches().iter().map(|(id, seen)| (*id, seen.epoch)).collect();
        if rng.below(EARLY_ONE_IN) == 0 {
            let early_ms = EARLY_MS.start + rng.below(EARLY_MS.end - EARLY_MS.start);
            let doomed = start(plan, ports, data)?;
            tokio::time::sleep(Duration::from_millis(early_ms.into())).await;
            drop(doomed);
            early_kills += 1;
        }
        let started = Instant::now();
        server = start(plan, ports, data)?;
        let (_, _, recovered) = tokio::task::block_in_place(|| ready(&mut server))?;
        let ready_at = Instant::now();
        let news = tokio::task::block_in_place(|| server.hear::<News>(WITHIN))?;
        ensure!(matches!(news, News::Ticking), "the server said {news:?}");
        let ticking_ms = started.elapsed().as_secs_f64() * 1000.0;
        let is_back = |witness: &Witness| {
            let bots = witness.bots();
            let back = bots.values().filter(|last| last.epoch > epochs[&last.match_id]);
            back.count()
        };
        while is_back(witness) < players && ready_at.elapsed() < BACK_WITHIN {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let kill = judge(witness, &before, &epochs, ready_at, ticking_ms);
        eprintln!(
            "kill {number}: {recovered} matches ticking after {ticking_ms:.0} ms, {} of {players} bots \
             back, the last {:.0} ms after the server was ready; {} ticks undone at most",
            kill.back,
            kill.fresh_ms.iter().copied().fold(0.0, f64::max),
            kill.undurable_lost.iter().copied().max().unwrap_or(0).max(0),
        );
        kills.push(kill);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    swarm.abort();
    // An orderly end, so that the journal has everything the bots saw.
    server.close_input();
    tokio::task::block_in_place(|| server.finish(WITHIN))?;
    Ok((kills, early_kills, Vec::new()))
}

fn judge(
    witness: &Witness,
    before: &BTreeMap<MatchId, (Tick, Tick)>,
    epochs: &BTreeMap<MatchId, Epoch>,
    ready_at: Instant,
    ticking_ms: f64,
) -> Kill {
    let mut kill = Kill { ticking_ms, ..Kill::default() };
    for (id, seen) in witness.matches() {
        let Some((newest, durable)) = before.get(&id) else { continue };
        // By the newest epoch: a server killed early may have begun one that nobody saw.
        let Some((_, resumed)) = seen.resumed.last_key_value() else { continue };
        if seen.epoch > epochs[&id] {
            kill.durable_lost.push(durable.since(*resumed));
            kill.undurable_lost.push(newest.since(*resumed));
        }
    }
    for last in witness.bots().values() {
        if last.epoch > epochs[&last.match_id] {
            kill.back += 1;
            let fresh = last.since.saturating_duration_since(ready_at);
            kill.fresh_ms.push(fresh.as_secs_f64() * 1000.0);
        }
    }
    kill
}

fn start(plan: &Plan, ports: Ports, data: &Path) -> anyhow::Result<Child> {
    Child::start(
        "server",
        &[
            ("per-match", plan.per_match.to_string()),
            ("hz", u16::from(plan.rate).to_string()),
            ("shards", plan.shards.to_string()),
            ("lobby-port", ports.lobby.to_string()),
            ("shard-port", ports.shard.to_string()),
            ("data", data.display().to_string()),
        ],
    )
}

/// Waits until a server is ready: where its lobby is, the certificate, and how many matches came back.
fn ready(server: &mut Child) -> anyhow::Result<(std::net::SocketAddr, String, u64)> {
    match server.hear::<News>(WITHIN).context("the server's start")? {
        News::Ready { lobby, fingerprint, recovered, quarantined } => {
            if quarantined > 0 {
                eprintln!("  warning: {quarantined} matches were set aside");
            }
            Ok((lobby, fingerprint, recovered))
        }
        News::Ticking => bail!("the server ticks before it is ready"),
    }
}
