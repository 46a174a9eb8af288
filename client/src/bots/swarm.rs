//! Many bots at once, over real QUIC: each finds its match through the lobby, plays until it ends, and comes
//! back by itself where the server goes away for a while.
//!
//! Bots that share a UDP socket share a task, in which a [`Driver`] moves all of them at once: what a bot costs
//! is its packets and its thoughts.

mod bot;
mod driver;
mod joining;
mod report;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use matchkeep_shared::game::Outcome;
use matchkeep_shared::ids::{MatchId, Slot};
use matchkeep_shared::time::Tick;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::{BotKind, Playable};
use crate::netcode::SnapshotInfo;
use crate::transport::udp::Udp;
use crate::transport::{ClientError, Return, Trust, endpoint};

pub use report::{BotReturns, Finding, Seen, SwarmReport};

use driver::Driver;
use joining::Joining;

/// Bots that share one UDP socket, however large its receive buffer is.
const BOTS_PER_SOCKET_MAX: usize = 64;
/// What of a receive buffer one bot takes, in bytes: the kernel's ordinary one serves 16.
const BUFFER_BYTES_PER_BOT: usize = 13_312;
/// Bots on their way into their matches at the same time.
const JOINING_MAX: usize = 16;
/// How long the goodbyes may take at the end.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// A swarm to be.
#[derive(Clone)]
pub struct SwarmPlan {
    /// The lobby.
    pub lobby: SocketAddr,
    /// By what it is known.
    pub trust: Trust,
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
    /// Bots that lose their match try to come back to it, for as long as their place is held.
    pub come_back: bool,
    /// Hears what bots are shown, where somebody wants to know.
    pub observer: Option<Arc<dyn Observer>>,
}

impl fmt::Debug for SwarmPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SwarmPlan({} bots at {})", self.kinds.len(), self.lobby)
    }
}

/// Hears what bots are shown as it comes, on their network threads: quick, and no I/O.
pub trait Observer: Send + Sync {
    /// A bot got a snapshot that is newer than all before it.
    fn snapshot(&self, bot: usize, match_id: MatchId, info: &SnapshotInfo);

    /// A bot was told that its match was set back; the next snapshot is of the new epoch.
    fn rolled_back(&self, bot: usize, match_id: MatchId, from: Tick, to: Tick) {
        let _ = (bot, match_id, from, to);
    }

    /// Snapshots come again.
    fn reconnected(&self, bot: usize, match_id: MatchId, gap: Duration) {
        let _ = (bot, match_id, gap);
    }
}

impl SwarmPlan {
    fn bot_name(&self, bot: usize) -> String {
        format!("{}{}", self.name, bot + 1)
    }

    fn way_back(&self, bot: usize) -> Return {
        if !self.come_back {
            return Return::Never;
        }
        let (lobby, trust) = (self.lobby, self.trust.clone());
        Return::ByLobby { lobby, trust, who: self.bot_name(bot).as_str().into() }
    }
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

/// What the bots of a swarm share.
struct Shared {
    plan: SwarmPlan,
    progress: Arc<SwarmProgress>,
    events: mpsc::UnboundedSender<SwarmEvent>,
    /// Lets so many at a time on their way.
    joining: Arc<Semaphore>,
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
    let lobby = plan.lobby.ip();
    let shared =
        Arc::new(Shared { plan, progress, events, joining: Arc::new(Semaphore::new(JOINING_MAX)) });
    let lobbies = endpoint(lobby)?;
    let mut drivers = JoinSet::new();
    let mut bots = 0..shared.plan.kinds.len();
    while !bots.is_empty() {
        let udp = Udp::to(lobby)?;
        let room = udp.receive_buffer_bytes()? / BUFFER_BYTES_PER_BOT;
        let share = bots.by_ref().take(room.clamp(1, BOTS_PER_SOCKET_MAX)).collect::<Vec<_>>();
        let joining = Joining::new(Arc::clone(&shared), lobbies.clone());
        drivers.spawn(Driver::<G>::new(Arc::clone(&shared), udp, joining, &share).run());
    }
    let mut report = SwarmReport::default();
    while let Some(done) = drivers.join_next().await {
        match done {
            Ok(bots) => bots.into_iter().for_each(|bot| report.add(bot)),
            Err(panic) => report.failures.push(format!("a socket's task failed: {panic}")),
        }
    }
    // The last goodbyes are only just written: a program that ended now would take them along.
    let _ = tokio::time::timeout(GOODBYE_MAX, lobbies.wait_idle()).await;
    Ok(report)
}

impl SwarmProgress {
    fn note_scores<G: Playable>(&self, id: MatchId, entities: impl Iterator<Item = G::Entity>) {
        let mut scores = self.scores.lock().unwrap_or_else(PoisonError::into_inner);
        for (slot, score) in entities.filter_map(|entity| G::score(&entity)) {
            scores.insert((id, slot), score);
        }
    }
}
