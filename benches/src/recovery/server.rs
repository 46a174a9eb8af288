//! The server's part: a node on given ports and a given folder, until it is killed.

use std::io::BufRead;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use matchkeep_server::matchmaking::ModeRules;
use matchkeep_server::node::Node;
use matchkeep_server::settings::{Admission, Kept, Mode, Settings};
use matchkeep_server::shard::message::MatchPolicy;
use matchkeep_shared::arena::Arena;
use matchkeep_shared::time::TickRate;
use serde::{Deserialize, Serialize};

use crate::load::child::{end_with_parent, say};
use crate::play;

/// The mode's name.
pub const MODE: &str = "recovery";
/// How often the server looks whether its matches tick.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Where the server is, and what it plays.
#[derive(Clone, Debug, Args)]
pub struct ServerArgs {
    #[arg(long)]
    per_match: usize,
    #[arg(long)]
    hz: u16,
    #[arg(long)]
    shards: usize,
    #[arg(long)]
    lobby_port: u16,
    #[arg(long)]
    shard_port: u16,
    #[arg(long)]
    data: PathBuf,
}

/// What the server says of itself, in this order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum News {
    /// Every match is back, and players may come.
    Ready {
        /// Where its lobby is.
        lobby: SocketAddr,
        /// The certificate the lobby shows.
        fingerprint: String,
        /// Matches of the process before that went on.
        recovered: u64,
        /// Matches that were set aside.
        quarantined: u64,
    },
    /// Every match that went on has made a step.
    Ticking,
}

/// Plays the part.
///
/// # Errors
/// Where the node does not start, or ends by itself.
pub fn run(args: &ServerArgs) -> anyhow::Result<()> {
    end_with_parent()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mode = Mode {
        name: MODE.into(),
        rules: ModeRules::immediate(args.per_match),
        rate: TickRate::try_from(args.hz)?,
        hold: Duration::from_secs(60),
        policy: MatchPolicy::default(),
        map: None,
        config: play::config(args.per_match),
    };
    let settings = Settings {
        data: args.data.clone(),
        host: Ipv4Addr::LOCALHOST.into(),
        lobby_port: args.lobby_port,
        shard_port: args.shard_port,
        lobby_tls: None,
        admin: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        admin_tls: None,
        identity: None,
        // All bots come from one address, again and again.
        admission: Admission::ANY,
        shards: args.shards,
        pin: false,
        journal: true,
        journal_kept: Kept::default(),
        state_hashes: true,
        modes: vec![mode],
    };
    let served = runtime.block_on(serve(settings));
    runtime.shutdown_background();
    served
}

async fn serve(
    settings: Settings<<Arena as matchkeep_shared::Game>::Config>,
) -> anyhow::Result<()> {
    let mut node = Node::start::<Arena>(settings).await?;
    node.ready().await;
    let endpoints = node.endpoints().clone();
    let control = node.stats().await.map(|stats| stats.control).unwrap_or_default();
    let recovered = control.matches_recovered;
    say(&News::Ready {
        lobby: endpoints.lobby,
        fingerprint: endpoints.lobby_fingerprint,
        recovered,
        quarantined: control.matches_quarantined,
    })?;
    if recovered > 0 {
        while node.stats().await.is_some_and(|stats| stats.shards.matches_ticking < recovered) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        say(&News::Ticking)?;
    }
    // Until the parent closes our input, or kills us.
    let closed = tokio::task::spawn_blocking(|| std::io::stdin().lock().lines().count());
    Ok(node.run_until(async { drop(closed.await) }).await?)
}
