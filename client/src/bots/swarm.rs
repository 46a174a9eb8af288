//! Many bots at once, over real QUIC: each finds its match through the lobby and plays until it ends.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::game::{Input, Outcome};
use matchkeep_shared::ids::{EntityId, MatchId, Slot};
use matchkeep_shared::time::Tick;
use quinn::Endpoint;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::{BotKind, Brain, BrainStart, Playable};
use crate::netcode::{MatchEvent, SessionCounts};
use crate::transport::{ClientError, Fingerprint, LobbyClient, MatchClient, endpoint};

/// Bots that share one UDP socket: as many as the kernel's ordinary receive buffer serves.
const BOTS_PER_SOCKET: usize = 16;
/// Bots on their way into their matches at the same time.
const JOINING_MAX: usize = 16;

/// How long the goodbyes may take at the end.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// One in so many snapshots is looked at for the scores.
const SCORES_EVERY: u64 = 60;

/// A swarm to be.
#[derive(Clone, Debug)]
pub struct SwarmPlan {
    /// The lobby.
    pub lobby: SocketAddr,
    /// The certificate it shows.
    pub fingerprint: Fingerprint,
    /// The mode to play; empty for the server's first.
    pub mode: String,
    /// What each bot does; as many bots as entries.
    pub kinds: Vec<BotKind>,
    /// Names begin with this; a number follows.
    pub name: String,
    /// Makes two swarms differ.
    pub seed: u64,
    /// Bots leave after this, whatever their match does; `None`: they stay until it ends.
    pub play_for: Option<Duration>,
}

/// What bots say while they play.
#[derive(Clone, Debug)]
pub enum SwarmEvent {
    /// A bot is in a match.
    Joined {
        /// Which bot, counting from 0.
        bot: usize,
        /// Its name.
        name: String,
        /// Which match.
        match_id: MatchId,
        /// Its place there.
        slot: Slot,
    },
    /// A bot was told the stored result of its match.
    Ended {
        /// Which match.
        match_id: MatchId,
        /// How it ended.
        outcome: Arc<Outcome>,
    },
}

/// Counters of a swarm that can be read while it plays.
#[derive(Debug, Default)]
pub struct SwarmProgress {
    /// Bots in a match now.
    pub playing: AtomicU64,
    /// Snapshots received by all.
    pub snapshots: AtomicU64,
    /// The score of each place of each match, as of late.
    pub scores: Mutex<BTreeMap<(MatchId, Slot), i64>>,
}

/// What a swarm did.
#[derive(Debug, Default)]
pub struct SwarmReport {
    /// Inputs made, snapshots received and so on, of all bots.
    pub counts: SessionCounts,
    /// Bots that were in a match.
    pub joined: u64,
    /// Bots that were told the stored result.
    pub told_result: u64,
    /// UDP payload bytes received by all.
    pub udp_bytes_received: u64,
    /// UDP payload bytes sent by all.
    pub udp_bytes_sent: u64,
    /// What did not go as planned.
    pub failures: Vec<String>,
    /// What the brains found out, by name: how many said so, their sum, the largest.
    pub findings: BTreeMap<&'static str, Finding>,
}

/// One finding, over all bots.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// Bots that had it.
    pub bots: u64,
    /// The sum of their values.
    pub sum: f64,
    /// The largest value.
    pub max: f64,
}

/// What one bot did.
#[derive(Debug, Default)]
struct BotReport {
    counts: SessionCounts,
    joined: bool,
    told_result: bool,
    udp_bytes_received: u64,
    udp_bytes_sent: u64,
    findings: Vec<(&'static str, f64)>,
    failure: Option<String>,
}

/// Lets a swarm play; returns when every bot is done.
///
/// # Errors
/// [`ClientError`] where no socket can be made. What happens to single bots is in the report.
pub async fn run<G: Playable>(
    plan: SwarmPlan,
    progress: Arc<SwarmProgress>,
    events: mpsc::UnboundedSender<SwarmEvent>,
) -> Result<SwarmReport, ClientError> {
    let plan = Arc::new(plan);
    let joining = Arc::new(Semaphore::new(JOINING_MAX));
    let mut bots = JoinSet::new();
    let mut sockets: Vec<Endpoint> = Vec::new();
    for bot in 0..plan.kinds.len() {
        if bot % BOTS_PER_SOCKET == 0 {
            sockets.push(endpoint(plan.lobby.ip())?);
        }
        let socket = sockets.last().cloned().expect("made for the first bot");
        let (plan, joining) = (Arc::clone(&plan), Arc::clone(&joining));
        let (progress, events) = (Arc::clone(&progress), events.clone());
        bots.spawn(async move {
            let mut report = BotReport::default();
            let played = play::<G>(bot, &plan, &socket, &joining, &progress, &events, &mut report);
            if let Err(error) = played.await {
                report.failure = Some(format!("bot {bot}: {error}"));
            }
            report
        });
    }
    let mut total = SwarmReport::default();
    while let Some(bot) = bots.join_next().await {
        match bot {
            Ok(report) => total.add(report),
            Err(panic) => total.failures.push(format!("a bot's task failed: {panic}")),
        }
    }
    // The last goodbyes are only just written: a program that ended now would take them along, and the
    // places would be held.
    let idle = async {
        for socket in &sockets {
            socket.wait_idle().await;
        }
    };
    let _ = tokio::time::timeout(GOODBYE_MAX, idle).await;
    Ok(total)
}

async fn play<G: Playable>(
    bot: usize,
    plan: &SwarmPlan,
    socket: &Endpoint,
    joining: &Semaphore,
    progress: &SwarmProgress,
    events: &mpsc::UnboundedSender<SwarmEvent>,
    report: &mut BotReport,
) -> Result<(), ClientError> {
    let name = format!("{}{}", plan.name, bot + 1);
    let permit = joining.acquire().await.expect("nobody closes the semaphore");
    let mut lobby = LobbyClient::connect::<G>(socket, plan.lobby, plan.fingerprint, &name).await?;
    let assignment = lobby.find_match(&plan.mode).await?;
    let match_id = assignment.match_id;
    let mut client = MatchClient::<G>::join(socket, assignment).await?;
    // The lobby has done its part.
    lobby.close();

    let mut permit = Some(permit);
    let mut brain: Option<Box<dyn Brain<G>>> = None;
    let leave_at = plan.play_for.map(|play_for| tokio::time::Instant::now() + play_for);
    let outcome = loop {
        let event = match leave_at {
            Some(at) => match tokio::time::timeout_at(at, client.next()).await {
                Ok(event) => event,
                Err(_) => break Ok(()),
            },
            None => client.next().await,
        };
        match event {
            Ok(MatchEvent::Joined(joined)) => {
                let start = BrainStart {
                    config: &joined.config,
                    slot: joined.slot,
                    rate: joined.rate,
                    seed: plan.seed.wrapping_add(bot as u64),
                };
                brain = Some(match G::brain(&plan.kinds[bot], start) {
                    Some(brain) => brain,
                    None => Box::new(Idle),
                });
                permit = None;
                report.joined = true;
                progress.playing.fetch_add(1, Ordering::Relaxed);
                let slot = joined.slot;
                let name = name.clone();
                let _ = events.send(SwarmEvent::Joined { bot, name, match_id, slot });
            }
            Ok(MatchEvent::Snapshot(_)) => {
                let seen = progress.snapshots.fetch_add(1, Ordering::Relaxed);
                if seen.is_multiple_of(SCORES_EVERY)
                    && let Some((_, entities)) = client.snapshot()
                {
                    progress.note_scores::<G>(match_id, entities.map(|(_, entity)| entity));
                }
                if let (Some(brain), Some((tick, mut entities))) = (&mut brain, client.snapshot()) {
                    brain.see(tick, &mut entities);
                }
            }
            Ok(MatchEvent::InputDue(tick)) => {
                if let Some(brain) = &mut brain {
                    let input = brain.decide(tick);
                    client.send_input(tick, input);
                }
            }
            Ok(MatchEvent::Event { tick, event }) => {
                if let Some(brain) = &mut brain {
                    brain.hear(tick, &event);
                }
            }
            Ok(MatchEvent::RolledBack { .. }) => {}
            Ok(MatchEvent::Ended { outcome, .. }) => {
                report.told_result = true;
                let outcome = Arc::new(outcome);
                let _ = events.send(SwarmEvent::Ended { match_id, outcome });
                break Ok(());
            }
            Err(ClientError::Disconnected(DisconnectReason::MatchEnded)) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    drop(permit);
    if report.joined {
        progress.playing.fetch_sub(1, Ordering::Relaxed);
    }
    report.counts = client.counts();
    report.findings = brain.map(|brain| brain.findings()).unwrap_or_default();
    let udp = client.connection().stats();
    report.udp_bytes_received = udp.udp_rx.bytes;
    report.udp_bytes_sent = udp.udp_tx.bytes;
    client.leave().await;
    outcome
}

impl SwarmProgress {
    fn note_scores<G: Playable>(&self, id: MatchId, entities: impl Iterator<Item = G::Entity>) {
        let mut scores = self.scores.lock().unwrap_or_else(PoisonError::into_inner);
        for (slot, score) in entities.filter_map(|entity| G::score(&entity)) {
            scores.insert((id, slot), score);
        }
    }
}

impl SwarmReport {
    fn add(&mut self, bot: BotReport) {
        self.counts.inputs_sent += bot.counts.inputs_sent;
        self.counts.snapshots_received += bot.counts.snapshots_received;
        self.counts.snapshot_bytes += bot.counts.snapshot_bytes;
        self.counts.snapshots_dropped += bot.counts.snapshots_dropped;
        self.counts.inputs_substituted += bot.counts.inputs_substituted;
        self.joined += u64::from(bot.joined);
        self.told_result += u64::from(bot.told_result);
        self.udp_bytes_received += bot.udp_bytes_received;
        self.udp_bytes_sent += bot.udp_bytes_sent;
        self.failures.extend(bot.failure);
        for (name, value) in bot.findings {
            let none = Finding { bots: 0, sum: 0.0, max: f64::MIN };
            let finding = self.findings.entry(name).or_insert(none);
            finding.bots += 1;
            finding.sum += value;
            finding.max = finding.max.max(value);
        }
    }
}

/// Stands there, in any game.
struct Idle;

impl<G: Playable> Brain<G> for Idle {
    fn see(&mut self, _: Tick, _: &mut dyn Iterator<Item = (EntityId, G::Entity)>) {}

    fn decide(&mut self, _: Tick) -> G::Input {
        G::Input::default().neutral()
    }
}
