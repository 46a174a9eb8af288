//! One attack: a server and bots of its own, and calm and attack in turn.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::attack::{Attack, Outcome, Ready as Word};
use super::bots::Count;
use super::plan::Plan;
use super::report::{Measured, Pair};
use crate::load::bots::InMatches;
use crate::load::child::Child;
use crate::load::repeats::Repeats;
use crate::load::report::summary;
use crate::load::server::{MODE, Order, Ready, Window};
use crate::machine::{CoreWatch, stolen_share};

/// How long a part may take to be there, to answer, and to end.
const WITHIN: Duration = Duration::from_secs(30);
/// How long the bots may take to get into their matches, in seconds, and as much again for each hundred.
const JOIN_SECONDS: u64 = 20;
/// Play before the first phase: clocks settle, memory grows to what it will be.
const SETTLE: Duration = Duration::from_secs(3);
/// Between two phases: what is on its way arrives.
const REST: Duration = Duration::from_millis(500);
/// How often it is looked what the server has in memory.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The parts at work.
struct Parts {
    server: Child,
    bots: Child,
    ready: Ready,
    others: usize,
}

/// Measures one attack.
///
/// # Errors
/// Where one of the parts fails, or takes too long.
pub(super) fn measure(
    plan: &Plan,
    attack: Attack,
    measured: usize,
    others: usize,
) -> anyhow::Result<Measured> {
    let name = attack.name();
    let data = tempfile::Builder::new().prefix("matchkeep-flood-").tempdir()?;
    let folder = data.path().join("data").display().to_string();
    let mut parts = begin(plan, folder, measured, others).with_context(|| name.to_owned())?;
    std::thread::sleep(SETTLE);
    let rss_bytes = parts.server.rss_bytes().context("the server is gone")?;
    let mut repeats = Repeats::new(plan.stolen_max, plan.pairs);
    let mut outcomes = Vec::new();
    let (mut turned_away, mut rss_max) = (BTreeMap::<String, u64>::new(), 0);
    let mut pairs = Vec::new();
    let mut attacks = 0;
    for number in 1..=plan.pairs {
        let pair = || {
            attacks += 1;
            let cores = CoreWatch::begin(&[measured, others]);
            let calm = parts.calm(plan)?;
            let (attacked, outcome, rss) = parts.attack(plan, attack, attacks)?;
            std::thread::sleep(REST);
            rss_max = rss.max(rss_max);
            for (what, count) in &attacked.turned_away {
                *turned_away.entry(what.clone()).or_default() += count;
            }
            let pair = Pair {
                calm_lateness_p99_us: summary(calm.tick_lateness_us.iter()).p99,
                attack_lateness_p99_us: summary(attacked.tick_lateness_us.iter()).p99,
                datagrams_per_second: outcome.datagrams_per_second(),
                first_packets_met: attacked.first_packets,
                udp_dropped: attacked.udp_dropped,
                ticks_skipped: attacked.ticks_skipped,
                stolen_share: stolen_share(&cores.shares()),
            };
            outcomes.push(outcome);
            eprintln!("  {name}, pair {number}: {}", pair.line());
            Ok(pair)
        };
        pairs.push(repeats.until_quiet(number, pair, |pair| pair.stolen_share)?);
    }
    let bots_lost = (plan.bots as u64).saturating_sub(parts.playing()?);
    parts.end()?;
    let asked = attack.datagrams_per_second().min(plan.rate_max);
    Ok(Measured::new(
        attack,
        asked,
        pairs,
        &outcomes,
        turned_away,
        rss_max.saturating_sub(rss_bytes),
        bots_lost,
    ))
}

fn begin(plan: &Plan, data: String, measured: usize, others: usize) -> anyhow::Result<Parts> {
    let mut server = Child::start(
        "server",
        &[
            ("core", measured.to_string()),
            ("per-match", plan.per_match.to_string()),
            ("hz", "60".to_owned()),
            ("data", data),
            ("journal", "true".to_owned()),
            ("limited", "true".to_owned()),
        ],
    )?;
    let ready: Ready = server.hear(WITHIN)?;
    let join_seconds = JOIN_SECONDS * (1 + plan.bots as u64 / 100);
    let mut bots = Child::start(
        "bots",
        &[
            ("core", others.to_string()),
            ("players", plan.bots.to_string()),
            ("lobby", ready.lobby.to_string()),
            ("fingerprint", ready.fingerprint.clone()),
            ("join-seconds", join_seconds.to_string()),
        ],
    )?;
    let InMatches { players } = bots.hear(Duration::from_secs(join_seconds) + WITHIN)?;
    anyhow::ensure!(players == plan.bots, "{players} of {} bots got into matches", plan.bots);
    Ok(Parts { server, bots, ready, others })
}

impl Parts {
    /// A phase without an attack.
    fn calm(&mut self, plan: &Plan) -> anyhow::Result<Window> {
        self.server.tell(&Order::Begin)?;
        std::thread::sleep(Duration::from_secs(plan.seconds));
        self.server.tell(&Order::End)?;
        self.server.hear(WITHIN)
    }

    /// A phase of attack: what the server did, what the attacker saw, and the most that the server had in memory.
    fn attack(
        &mut self,
        plan: &Plan,
        attack: Attack,
        number: usize,
    ) -> anyhow::Result<(Window, Outcome, u64)> {
        let mut flags = vec![
            ("core", self.others.to_string()),
            ("kind", attack.name().to_owned()),
            ("lobby", self.ready.lobby.to_string()),
            ("fingerprint", self.ready.fingerprint.clone()),
            ("mode", MODE.to_owned()),
            ("name", format!("eve{number}-")),
            ("rate-max", plan.rate_max.to_string()),
            ("seconds", plan.seconds.to_string()),
        ];
        flags.extend(self.ready.shards.iter().map(|shard| ("shard", shard.to_string())));
        let mut attacker = Child::start("attack", &flags)?;
        let Word = attacker.hear(2 * WITHIN)?;
        self.server.tell(&Order::Begin)?;
        attacker.tell(&Word)?;
        let (begun, mut rss_bytes) = (Instant::now(), 0);
        while begun.elapsed() < Duration::from_secs(plan.seconds) {
            std::thread::sleep(LOOK_EVERY);
            rss_bytes = rss_bytes.max(self.server.rss_bytes().context("the server is gone")?);
        }
        self.server.tell(&Order::End)?;
        let window: Window = self.server.hear(WITHIN)?;
        let outcome: Outcome = attacker.hear(WITHIN)?;
        attacker.finish(WITHIN)?;
        Ok((window, outcome, rss_bytes))
    }

    /// Bots that play now.
    fn playing(&mut self) -> anyhow::Result<u64> {
        self.bots.tell(&Count)?;
        let InMatches { players } = self.bots.hear(WITHIN)?;
        Ok(players as u64)
    }

    fn end(mut self) -> anyhow::Result<()> {
        self.bots.close_input();
        self.bots.finish(WITHIN)?;
        self.server.tell(&Order::Stop)?;
        self.server.finish(WITHIN)
    }
}
