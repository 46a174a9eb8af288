//! The attacks, each a file, and the attacker's part: prepare, say so, wait for the word, attack for so long, say what
//! was done and what came back.

mod first;
mod garbage;
mod optimistic;
mod player;
mod slow;
mod streams;
mod valid;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, ValueEnum};
use matchkeep_client::transport::{Fingerprint, LobbyClient, endpoint};
use matchkeep_shared::arena::Arena;
use matchkeep_shared::wire::lobby::Assignment;
use serde::{Deserialize, Serialize};

use crate::load::child::{end_with_parent, say};
use crate::machine::pin_process;

pub(super) use valid::COPIED_PLAYS_ON;

/// What is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attack {
    /// Random bytes, 50,000 datagrams a second, to the lobby and all shards in turn
    Garbage,
    /// 50,000 a second of a joined player's own packets: again, broken, and from elsewhere; and inputs as fast as QUIC
    /// lets them out
    Valid,
    /// 2,000 handshakes begun within a second and never continued
    HalfOpen,
    /// 5,000 first packets a second from ever other addresses, as if they were somebody else's
    Spoofed,
    /// 50 connections a second whose streams are opened and left
    Streams,
    /// Players, and others at the lobby, who read nothing of what they are told
    SlowReader,
    /// Players who acknowledge what they have not received
    OptimisticAck,
}

impl Attack {
    /// All there are.
    pub const ALL: [Self; 7] = [
        Self::Garbage,
        Self::Valid,
        Self::HalfOpen,
        Self::Spoofed,
        Self::Streams,
        Self::SlowReader,
        Self::OptimisticAck,
    ];

    /// Handshakes that [`HalfOpen`](Self::HalfOpen) begins in each phase.
    pub const HANDSHAKES: u64 = 2_000;

    /// Its name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Garbage => "garbage",
            Self::Valid => "valid",
            Self::HalfOpen => "half-open",
            Self::Spoofed => "spoofed",
            Self::Streams => "streams",
            Self::SlowReader => "slow-reader",
            Self::OptimisticAck => "optimistic-ack",
        }
    }

    /// Datagrams a second that it means to send, as long as it does; 0 where their number is not what it is about.
    pub fn datagrams_per_second(self) -> u64 {
        match self {
            Self::Garbage | Self::Valid => 50_000,
            // All of them within a second.
            Self::HalfOpen => Self::HANDSHAKES,
            Self::Spoofed => 5_000,
            Self::Streams | Self::SlowReader | Self::OptimisticAck => 0,
        }
    }

    /// Gets ready: what takes time and is no attack yet.
    ///
    /// # Errors
    /// Where the server does not let it in, or the system has no sockets.
    pub fn prepare(self, target: &Target) -> anyhow::Result<Box<dyn Attacker>> {
        Ok(match self {
            Self::Garbage => Box::new(garbage::Garbage::prepare(target)?),
            Self::Valid => Box::new(valid::Valid::prepare(target)?),
            Self::HalfOpen => Box::new(first::FirstPackets::half_open(target)?),
            Self::Spoofed => Box::new(first::FirstPackets::spoofed(target)?),
            Self::Streams => Box::new(streams::Streams::prepare(target)?),
            Self::SlowReader => Box::new(slow::SlowReaders::prepare(target)?),
            Self::OptimisticAck => Box::new(optimistic::Liars::prepare(target)?),
        })
    }
}

/// Somebody who is ready to attack.
pub trait Attacker {
    /// Attacks until then.
    ///
    /// # Errors
    /// Where the system does not go along. That the server does not is what is to be seen.
    fn attack(&mut self, until: Instant, outcome: &mut Outcome) -> anyhow::Result<()>;
}

/// Who is attacked, and how much.
#[derive(Clone, Debug)]
pub struct Target {
    /// The lobby.
    pub lobby: SocketAddr,
    /// The certificate it shows.
    pub fingerprint: Fingerprint,
    /// The shards.
    pub shards: Vec<SocketAddr>,
    /// The mode that is played.
    pub mode: String,
    /// What the attacker's players are called, with a number behind.
    pub name: String,
    /// Datagrams a second at the most.
    pub rate_max: u64,
}

impl Target {
    /// Every port there is, the lobby's first.
    fn ports(&self) -> Vec<SocketAddr> {
        std::iter::once(self.lobby).chain(self.shards.iter().copied()).collect()
    }

    /// A place in a match, with a ticket, by way of the lobby as any player.
    ///
    /// # Errors
    /// Where there is none.
    fn place(&self, number: usize) -> anyhow::Result<Assignment> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let socket = endpoint(self.lobby.ip())?;
            let name = format!("{}{number}", self.name);
            let mut lobby =
                LobbyClient::connect::<Arena>(&socket, self.lobby, self.fingerprint, name.as_str())
                    .await?;
            let place = lobby.find_match(&self.mode).await?;
            lobby.close();
            socket.wait_idle().await;
            Ok(place)
        })
    }
}

/// What an attack came to, as the attacker saw it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// How long it took, in seconds.
    pub seconds: f64,
    /// UDP datagrams sent.
    pub datagrams_sent: u64,
    /// Those of them that were sent at a pace, and from the first to the last of them, in seconds;
    pub paced_sent: u64,
    /// both 0 where the attack has no pace.
    pub paced_seconds: f64,
    /// UDP payload sent from addresses that have proved nothing, in bytes, and what came there of the server;
    pub unproved_sent_bytes: u64,
    /// both 0 where that is not what it is about.
    pub unproved_received_bytes: u64,
    /// Connections that were opened.
    pub connections: u64,
    /// How the attacker's connections ended, by reason.
    pub ended: BTreeMap<String, u64>,
    /// What else there is to count.
    pub counts: BTreeMap<String, u64>,
}

impl Outcome {
    /// Datagrams a second: where the attack has a pace, those that it is about, as long as they were sent.
    pub fn datagrams_per_second(&self) -> f64 {
        if self.paced_seconds > 0.0 {
            self.paced_sent as f64 / self.paced_seconds
        } else {
            self.datagrams_sent as f64 / self.seconds
        }
    }

    /// So many more were sent at the pace that began then.
    fn pace(&mut self, sent: u64, begun: Instant) {
        self.paced_sent += sent;
        self.paced_seconds = begun.elapsed().as_secs_f64();
    }

    fn count(&mut self, what: &str, number: u64) {
        *self.counts.entry(what.to_owned()).or_default() += number;
    }

    fn end(&mut self, reason: String) {
        *self.ended.entry(reason).or_default() += 1;
    }
}

/// Attacks for so long.
///
/// # Errors
/// Those of [`Attacker::attack`].
pub fn attack_for(attacker: &mut dyn Attacker, time: Duration) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let begun = Instant::now();
    attacker.attack(begun + time, &mut outcome)?;
    outcome.seconds = begun.elapsed().as_secs_f64();
    Ok(outcome)
}

/// Whom the attacker's part attacks.
#[derive(Clone, Debug, Args)]
pub struct AttackArgs {
    #[arg(long)]
    core: usize,
    #[arg(long)]
    kind: Attack,
    #[arg(long)]
    lobby: SocketAddr,
    #[arg(long)]
    fingerprint: String,
    #[arg(long)]
    shard: Vec<SocketAddr>,
    #[arg(long)]
    mode: String,
    #[arg(long)]
    name: String,
    #[arg(long)]
    rate_max: u64,
    #[arg(long)]
    seconds: u64,
}

/// The attacker is ready, and what the parent answers: go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ready;

/// Plays the part.
///
/// # Errors
/// Where it cannot be prepared, or the system does not go along.
pub fn run(args: &AttackArgs) -> anyhow::Result<()> {
    end_with_parent()?;
    pin_process(args.core)?;
    let addresses = || std::iter::once(&args.lobby).chain(&args.shard);
    let is_here = addresses().all(|address| address.ip().is_loopback());
    anyhow::ensure!(is_here, "{:?}: nothing but this machine is attacked", addresses());
    let target = Target {
        lobby: args.lobby,
        fingerprint: args.fingerprint.parse()?,
        shards: args.shard.clone(),
        mode: args.mode.clone(),
        name: args.name.clone(),
        rate_max: args.rate_max,
    };
    let mut attacker = args.kind.prepare(&target).context("preparing")?;
    say(&Ready)?;
    let line = std::io::stdin().lock().lines().next().context("the parent is gone")??;
    serde_json::from_str::<Ready>(&line)?;
    say(&attack_for(attacker.as_mut(), Duration::from_secs(args.seconds))?)
}
