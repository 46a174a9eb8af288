//! One pair: a run of the server with its bots, then a run of the echo at the sizes the server's run had.

use std::time::Duration;

use anyhow::{Context, bail};
use serde::Serialize;

use super::bots::{Farewell, InMatches};
use super::child::Child;
use super::echo::{EchoWindow, Listening};
use super::plan::{Journal, Plan};
use super::report::summary;
use super::server::{Order, Ready, Window};
use crate::machine::{CoreWatch, stolen_share};

/// How long a part may take to be there.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How long the bots may take to get into their matches, in seconds, and as much again for each hundred.
const JOIN_SECONDS: u64 = 10;
/// How often a run is begun anew because not all bots got into their matches.
const ATTEMPTS_MAX: u32 = 3;
/// Play before the window begins: clocks settle, memory grows to what it will be.
const SETTLE: Duration = Duration::from_secs(3);
/// How long a part may take to end.
const ENDED_WITHIN: Duration = Duration::from_secs(20);

/// The two runs of a pair.
#[derive(Clone, Debug, Serialize)]
pub struct Pair {
    /// What the server did.
    pub server: Window,
    /// What the echo did.
    pub echo: EchoWindow,
    /// How much of a core was given to others meanwhile, 0 to 1, where it was most.
    pub stolen_share: f64,
}

/// Runs server and echo, one after the other.
///
/// # Errors
/// Where one of the parts fails, or takes too long.
pub fn run(plan: &Plan, measured: usize, others: usize) -> anyhow::Result<Pair> {
    let server = run_server(plan, plan.journal == Journal::On, measured, others)?;
    let cores = CoreWatch::begin(&[measured, others]);
    let echo = run_echo(plan, &server.window, measured, others).context("the echo's run")?;
    let stolen_share = server.stolen_share.max(stolen_share(&cores.shares()));
    Ok(Pair { server: server.window, echo, stolen_share })
}

/// A run of the server, seen from outside.
#[derive(Clone, Debug)]
pub struct ServerRun {
    /// What the server did.
    pub window: Window,
    /// How much of a core was given to others in the window, 0 to 1, where it was most.
    pub stolen_share: f64,
}

/// A run of the server in which all bots got into their matches.
///
/// # Errors
/// Where one of the parts fails, takes too long, or the bots do not get in again and again.
pub(super) fn run_server(
    plan: &Plan,
    journaled: bool,
    measured: usize,
    others: usize,
) -> anyhow::Result<ServerRun> {
    for _ in 0..ATTEMPTS_MAX {
        let run = try_server(plan, journaled, measured, others).context("the server's run")?;
        if let Some(run) = run {
            return Ok(run);
        }
    }
    bail!("not all bots got into their matches, {ATTEMPTS_MAX} times in a row")
}

/// One run of the server; `None` where not all bots got into their matches.
fn try_server(
    plan: &Plan,
    journaled: bool,
    measured: usize,
    others: usize,
) -> anyhow::Result<Option<ServerRun>> {
    let data = tempfile::Builder::new().prefix("matchkeep-load-").tempdir()?;
    let folder = data.path().join("data").display().to_string();
    let mut server = Child::start(
        "server",
        &[
            ("core", measured.to_string()),
            ("per-match", plan.per_match.to_string()),
            ("hz", u16::from(plan.rate).to_string()),
            ("data", folder),
            ("journal", journaled.to_string()),
        ],
    )?;
    let ready: Ready = server.hear(READY_WITHIN)?;
    let join_seconds = JOIN_SECONDS * (1 + plan.players as u64 / 100);
    let mut bots = Child::start(
        "bots",
        &[
            ("core", others.to_string()),
            ("players", plan.players.to_string()),
            ("lobby", ready.lobby.to_string()),
            ("fingerprint", ready.fingerprint),
            ("join-seconds", join_seconds.to_string()),
        ],
    )?;
    let InMatches { players } = bots.hear(Duration::from_secs(join_seconds) + ENDED_WITHIN)?;
    if players < plan.players {
        eprintln!("  {players} of {} bots got into their matches: once more", plan.players);
        return Ok(None);
    }
    std::thread::sleep(SETTLE);
    let cores = CoreWatch::begin(&[measured, others]);
    let bots_before = bots.cpu();
    server.tell(&Order::Begin)?;
    std::thread::sleep(Duration::from_secs(plan.seconds));
    server.tell(&Order::End)?;
    let window: Window = server.hear(ENDED_WITHIN)?;
    let shares = cores.shares();
    let stolen_share = stolen_share(&shares);
    let bots_cpu = bots.cpu().zip(bots_before).map(|(after, before)| after - before);
    server.tell(&Order::Stop)?;
    let farewell: Farewell = bots.hear(ENDED_WITHIN)?;
    bots.finish(ENDED_WITHIN)?;
    server.finish(ENDED_WITHIN)?;
    eprintln!(
        "  server: {:.0} inputs and {:.0} datagrams a second in, {:.0} out; the bots made {} inputs in \
         all and took {:.1} s of CPU, {:.1} us for each bot and tick in the window",
        window.inputs_applied as f64 / window.seconds,
        window.udp_received as f64 / window.seconds,
        window.udp_sent as f64 / window.seconds,
        farewell.inputs_sent,
        farewell.cpu_seconds,
        bots_cpu.unwrap_or_default().as_secs_f64() * 1e6 / window.player_ticks.max(1) as f64,
    );
    if let [Some(server_core), Some(bots_core)] = shares[..] {
        let own = window.cpu_us / window.seconds / 1e4;
        eprintln!(
            "  core {measured}: {own:.0}% the server, {:.0}% others; core {others}, with the bots: {:.0}%; \
             {:.0}% of a core stolen",
            (server_core.busy * 100.0 - own).max(0.0),
            bots_core.busy * 100.0,
            stolen_share * 100.0,
        );
    }
    if window.players != plan.players as u64 {
        eprintln!("  warning: {} players were left at the end", window.players);
    }
    for failure in &farewell.failures {
        eprintln!("  warning: {failure}");
    }
    Ok(Some(ServerRun { window, stolen_share }))
}

fn run_echo(
    plan: &Plan,
    server: &Window,
    measured: usize,
    others: usize,
) -> anyhow::Result<EchoWindow> {
    // The same bytes for each player and tick, in one datagram each way.
    let per_tick = |bytes: u64| bytes / server.player_ticks.max(1);
    let common = [
        ("players", plan.players.to_string()),
        ("per-match", plan.per_match.to_string()),
        ("hz", u16::from(plan.rate).to_string()),
    ];
    let mut flags = common.to_vec();
    flags.push(("core", measured.to_string()));
    flags.push(("seconds", plan.seconds.to_string()));
    flags.push(("bytes", per_tick(server.udp_sent_bytes).to_string()));
    let mut echo = Child::start("echo", &flags)?;
    let listening: Listening = echo.hear(READY_WITHIN)?;
    let mut flags = common.to_vec();
    flags.push(("core", others.to_string()));
    flags.push(("bytes", per_tick(server.udp_received_bytes).to_string()));
    flags.push(("to", listening.at.to_string()));
    let clients = Child::start("echo-clients", &flags)?;
    let window: EchoWindow = echo.hear(READY_WITHIN + Duration::from_secs(2 * plan.seconds))?;
    echo.finish(ENDED_WITHIN)?;
    drop(clients);
    eprintln!(
        "  echo: {} bytes in, {} out; {} datagrams received, {} sent, {} not sent",
        per_tick(server.udp_received_bytes),
        per_tick(server.udp_sent_bytes),
        window.received,
        window.sent,
        window.unsent,
    );
    Ok(window)
}

impl Pair {
    /// Microseconds of the server's CPU for each player and tick.
    pub fn server_us(&self) -> f64 {
        self.server.cpu_us / self.server.player_ticks.max(1) as f64
    }

    /// Microseconds of the echo's CPU for each client and tick.
    pub fn echo_us(&self) -> f64 {
        self.echo.cpu_us / self.echo.sent.max(1) as f64
    }

    /// How many times as much the server takes.
    pub fn ratio(&self) -> f64 {
        self.server_us() / self.echo_us()
    }

    /// Inputs that were there at their tick, of those due: one for each player and tick. An input that a
    /// bot was too slow to make counts as not delivered.
    pub fn delivered_share(&self) -> f64 {
        self.server.inputs_applied as f64 / self.server.player_ticks.max(1) as f64
    }

    /// The pair in one line.
    pub fn line(&self) -> String {
        format!(
            "server {:.2} us, raw UDP {:.2} us for each player and tick: ratio {:.2}; {:.2}% of inputs in \
             time, tick lateness p99 {} us, {} ticks skipped; {:.1}% of a core stolen",
            self.server_us(),
            self.echo_us(),
            self.ratio(),
            self.delivered_share() * 100.0,
            summary(self.server.tick_lateness_us.iter()).p99,
            self.server.ticks_skipped,
            self.stolen_share * 100.0,
        )
    }
}
