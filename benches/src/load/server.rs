//! The server's part: the real node with one shard, all its threads on one core, and the counters of one
//! window.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use matchkeep_server::control::NodeStats;
use matchkeep_server::matchmaking::ModeRules;
use matchkeep_server::node::{self, Endpoints, Node};
use matchkeep_server::settings::{Admission, Kept, Mode, Settings};
use matchkeep_server::shard::message::MatchPolicy;
use matchkeep_server::shard::stats::Distribution;
use matchkeep_shared::arena::{Arena, ArenaConfig};
use matchkeep_shared::time::TickRate;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::child::{end_with_parent, say};
use crate::machine::{pin_process, process_cpu};
use crate::rehearsal::Rehearsal;
use crate::{heap, play};

/// The mode that is played.
pub const MODE: &str = "load";
/// Ticks that the match plays by which a match's memory is measured: more than baselines are kept.
const MEMORY_TICKS: u64 = 300;

/// Where and what the server runs.
#[derive(Clone, Debug, Args)]
pub struct ServerArgs {
    #[arg(long)]
    core: usize,
    #[arg(long)]
    per_match: usize,
    #[arg(long)]
    hz: u16,
    #[arg(long)]
    data: PathBuf,
    #[arg(long, action = clap::ArgAction::Set)]
    journal: bool,
    /// Whether it lets in only so many from one address, as a server does without another word.
    #[arg(long, action = clap::ArgAction::Set, default_value_t = false)]
    limited: bool,
}

/// What the parent tells the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Order {
    /// The window begins.
    Begin,
    /// The window ends: answer with a [`Window`].
    End,
    /// Send the players away and end.
    Stop,
}

/// The first thing a server says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ready {
    /// Where its lobby is.
    pub lobby: SocketAddr,
    /// The certificate the lobby shows.
    pub fingerprint: String,
    /// Where its shards are.
    pub shards: Vec<SocketAddr>,
}

/// What the server did in the window. Times of ticks are in microseconds, each with how often.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it; units are in them")]
pub struct Window {
    pub seconds: f64,
    /// Connected at its end.
    pub players: u64,
    /// The sum, over the ticks that ran, of the players in each: each of them had one input due.
    pub player_ticks: u64,
    pub inputs_applied: u64,
    pub cpu_us: f64,
    pub allocations: u64,
    pub ticks: u64,
    pub ticks_skipped: u64,
    pub tick_lateness_us: Vec<(u64, u64)>,
    pub tick_sent_us: Vec<(u64, u64)>,
    pub tick_work_us: Vec<(u64, u64)>,
    pub udp_received: u64,
    pub udp_received_bytes: u64,
    pub udp_sent: u64,
    pub udp_sent_bytes: u64,
    pub udp_dropped: u64,
    /// First packets that the lobby or a shard met: let in to their handshake, asked to prove their address, refused,
    /// or left to try again.
    pub first_packets: u64,
    /// What was turned away, or went for a reason, by its name.
    pub turned_away: BTreeMap<String, u64>,
    /// Heap that one match takes with its players' replication, measured on one played in memory.
    pub match_bytes: u64,
    /// Heap at the beginning of the window beyond that of the server before anyone came, less the matches,
    /// for each player: QUIC, TLS, the session, and what the shard and lobby keep of each.
    pub connection_bytes: u64,
}

/// Plays the part.
///
/// # Errors
/// Where the node does not start, or ends by itself.
pub fn run(args: &ServerArgs) -> anyhow::Result<()> {
    end_with_parent()?;
    pin_process(args.core)?;
    let rate = TickRate::try_from(args.hz)?;
    let config = play::config(args.per_match);
    let match_bytes = match_bytes(config.clone(), rate);
    let runtime = node::runtime()?;
    let settings = settings(args, rate, config);
    let served = runtime.block_on(serve(settings, match_bytes));
    runtime.shutdown_background();
    served
}

/// One shard on any free ports, one mode.
fn settings(args: &ServerArgs, rate: TickRate, config: ArenaConfig) -> Settings<ArenaConfig> {
    let mode = Mode {
        name: MODE.into(),
        rules: ModeRules::immediate(args.per_match),
        rate,
        hold: Duration::from_secs(1),
        policy: MatchPolicy::default(),
        map: None,
        config,
    };
    Settings {
        data: args.data.clone(),
        host: Ipv4Addr::LOCALHOST.into(),
        lobby_port: 0,
        shard_port: 0,
        lobby_tls: None,
        admin: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        admin_tls: None,
        identity: None,
        admission: if args.limited { Admission::default() } else { Admission::ANY },
        shards: 1,
        // The whole process is.
        pin: false,
        journal: args.journal,
        journal_kept: Kept::default(),
        state_hashes: false,
        modes: vec![mode],
    }
}

/// The heap that one match takes, clients' views and baselines included; the map is every match's.
fn match_bytes(config: ArenaConfig, rate: TickRate) -> u64 {
    let before = heap::counts().live_bytes;
    let mut rehearsal = Rehearsal::new(config, rate);
    rehearsal.play(MEMORY_TICKS);
    let game = rehearsal.into_game();
    let after = heap::counts().live_bytes;
    drop(game);
    (after - before).max(0) as u64
}

async fn serve(settings: Settings<ArenaConfig>, match_bytes: u64) -> anyhow::Result<()> {
    let node = Node::start::<Arena>(settings).await?;
    let heap_empty = heap::counts().live_bytes;
    let (sender, mut orders) = mpsc::channel(1);
    std::thread::Builder::new().name("orders".into()).spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            let Ok(order) = serde_json::from_str::<Order>(&line) else { return };
            if sender.blocking_send(order).is_err() {
                return;
            }
        }
    })?;
    let endpoints = node.endpoints();
    let Endpoints { lobby, lobby_fingerprint: fingerprint, shards, .. } = endpoints.clone();
    say(&Ready { lobby, fingerprint, shards })?;
    let mut begin = None;
    // Where the parent is gone the server stops as well.
    while let Some(order) = orders.recv().await {
        match order {
            Order::Begin => begin = Some(Mark::take(&node).await?),
            Order::End => {
                let begin = begin.take().context("an end without a beginning")?;
                let end = Mark::take(&node).await?;
                let grown = begin.heap.live_bytes - heap_empty;
                say(&window(&begin, &end, match_bytes, grown))?;
            }
            Order::Stop => break,
        }
    }
    Ok(node.run_until(std::future::ready(())).await?)
}

/// Everything that counts up, at one moment.
struct Mark {
    at: Instant,
    cpu: Duration,
    heap: heap::HeapCounts,
    stats: NodeStats,
}

impl Mark {
    async fn take(node: &Node) -> anyhow::Result<Self> {
        let heap = heap::counts();
        let stats = node.stats().await.context("the node is stopping")?;
        Ok(Self { at: Instant::now(), cpu: process_cpu(), heap, stats })
    }
}

fn window(begin: &Mark, end: &Mark, match_bytes: u64, grown_bytes: i64) -> Window {
    let (old, new) = (&begin.stats.shards, &end.stats.shards);
    let applied = new.inputs.applied - old.inputs.applied;
    let connections = (grown_bytes.max(0) as u64).saturating_sub(old.matches * match_bytes);
    let times = |new: &Distribution, old: &Distribution| new.since(old).values().collect();
    Window {
        seconds: (end.at - begin.at).as_secs_f64(),
        players: new.players,
        player_ticks: applied + new.inputs.substituted - old.inputs.substituted,
        inputs_applied: applied,
        cpu_us: (end.cpu - begin.cpu).as_secs_f64() * 1e6,
        allocations: end.heap.allocations - begin.heap.allocations,
        ticks: new.ticks - old.ticks,
        ticks_skipped: new.ticks_skipped - old.ticks_skipped,
        tick_lateness_us: times(&new.tick_lateness, &old.tick_lateness),
        tick_sent_us: times(&new.tick_sent, &old.tick_sent),
        tick_work_us: times(&new.tick_work, &old.tick_work),
        udp_received: new.udp_received - old.udp_received,
        udp_received_bytes: new.udp_received_bytes - old.udp_received_bytes,
        udp_sent: new.udp_sent - old.udp_sent,
        udp_sent_bytes: new.udp_sent_bytes - old.udp_sent_bytes,
        udp_dropped: new.udp_dropped - old.udp_dropped,
        first_packets: first_packets(&end.stats) - first_packets(&begin.stats),
        turned_away: turned_away(&begin.stats, &end.stats),
        match_bytes,
        connection_bytes: connections / old.players.max(1),
    }
}

fn first_packets(stats: &NodeStats) -> u64 {
    let NodeStats { shards, lobby, .. } = stats;
    let let_in = lobby.handshakes + shards.handshakes;
    let_in + stats.refusals().total() + shards.handshakes_forgotten
}

/// What was turned away in between, as far as there was any.
fn turned_away(old: &NodeStats, new: &NodeStats) -> BTreeMap<String, u64> {
    let (before, after) = (away(old), away(new));
    let since = |(name, count): (String, u64)| {
        let more = count - before.get(&name).copied().unwrap_or(0);
        (more > 0).then_some((name, more))
    };
    after.into_iter().filter_map(since).collect()
}

fn away(stats: &NodeStats) -> BTreeMap<String, u64> {
    let NodeStats { shards, lobby, .. } = stats;
    let mut away = BTreeMap::new();
    for (place, refusals) in [("lobby", lobby.refusals), ("shard", shards.refusals)] {
        away.insert(format!("{place}_retried"), refusals.retried);
        for (reason, count) in refusals.by_reason() {
            away.insert(format!("{place}_refused_{reason}"), count);
        }
    }
    for (place, ends) in [("lobby", &lobby.ends), ("shard", &shards.disconnects)] {
        away.extend(
            ends.iter().map(|(reason, count)| (format!("{place}_closed_{reason}"), *count)),
        );
    }
    away.insert("shard_handshakes_forgotten".into(), shards.handshakes_forgotten);
    away.insert("shard_datagrams_foreign".into(), shards.udp_foreign);
    away
}
