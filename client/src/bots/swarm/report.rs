//! What a swarm did.

use std::collections::BTreeMap;
use std::time::Duration;

use matchkeep_shared::ids::{MatchId, Slot};

use crate::link::LinkStats;
use crate::netcode::SessionCounts;

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
    /// Bots that were interrupted or rolled back, by their numbers.
    pub returns: Vec<BotReturns>,
    /// Whom bots saw, by the bots' numbers and by place.
    pub seen: Vec<Seen>,
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

/// How one bot fared where its match went away for a while.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BotReturns {
    /// Which bot, counting from 0.
    pub bot: usize,
    /// For how long no snapshots came, each time that they came again, in milliseconds.
    pub gaps_ms: Vec<f64>,
    /// Ticks that did not happen after all, each time that the match was restarted.
    pub ticks_rolled_back: Vec<u64>,
}

/// How far one bot's snapshots showed another player move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// Which bot saw it, counting from 0.
    pub bot: usize,
    /// In which match.
    pub match_id: MatchId,
    /// The other player's place.
    pub slot: Slot,
    /// How far, in the game's units of length.
    pub moved_units: f64,
}

/// What one bot did.
#[derive(Debug, Default)]
pub(super) struct BotReport {
    pub(super) counts: SessionCounts,
    pub(super) link: LinkStats,
    pub(super) joined: bool,
    pub(super) told_result: bool,
    pub(super) returns: BotReturns,
    pub(super) findings: Vec<(&'static str, f64)>,
    pub(super) seen: Vec<Seen>,
    pub(super) failure: Option<String>,
}

impl BotReturns {
    pub(super) fn note_gap(&mut self, gap: Duration) {
        self.gaps_ms.push(gap.as_secs_f64() * 1000.0);
    }
}

impl SwarmReport {
    pub(super) fn add(&mut self, bot: BotReport) {
        self.counts.add(&bot.counts);
        self.joined += u64::from(bot.joined);
        self.told_result += u64::from(bot.told_result);
        self.udp_bytes_received += bot.link.udp_bytes_received;
        self.udp_bytes_sent += bot.link.udp_bytes_sent;
        self.failures.extend(bot.failure);
        if !bot.returns.gaps_ms.is_empty() || !bot.returns.ticks_rolled_back.is_empty() {
            let place = self.returns.partition_point(|before| before.bot < bot.returns.bot);
            self.returns.insert(place, bot.returns);
        }
        if let Some(first) = bot.seen.first() {
            let place = self.seen.partition_point(|before| before.bot < first.bot);
            self.seen.splice(place..place, bot.seen);
        }
        for (name, value) in bot.findings {
            let none = Finding { bots: 0, sum: 0.0, max: f64::MIN };
            let finding = self.findings.entry(name).or_insert(none);
            finding.bots += 1;
            finding.sum += value;
            finding.max = finding.max.max(value);
        }
    }
}
