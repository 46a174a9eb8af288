//! `demo --chaos`: when the server is killed, and what each player felt of it.

use std::time::Duration;

use matchkeep_client::bots::swarm::SwarmReport;
use matchkeep_shared::rng::Rng;
use serde_json::{Value, json};
use tokio::time::Instant;

/// Play between two kills, in milliseconds.
const BETWEEN_MS: std::ops::Range<u32> = 3_000..6_000;

/// The moments at which the server is killed.
pub(super) struct Chaos {
    is_wanted: bool,
    next: Option<Instant>,
    rng: Rng,
    kills: u32,
}

impl Chaos {
    pub(super) fn new(is_wanted: bool) -> Self {
        Self { is_wanted, next: None, rng: Rng::new(std::process::id().into()), kills: 0 }
    }

    /// Everybody plays: it may begin.
    pub(super) fn begin(&mut self) {
        if self.is_wanted && self.next.is_none() {
            let wait = BETWEEN_MS.start + self.rng.below(BETWEEN_MS.end - BETWEEN_MS.start);
            self.next = Some(Instant::now() + Duration::from_millis(wait.into()));
        }
    }

    /// Returns when it is time for a kill; never where none is wanted.
    pub(super) async fn strikes(&self) {
        match self.next {
            Some(next) => tokio::time::sleep_until(next).await,
            None => std::future::pending().await,
        }
    }

    /// The server was killed.
    pub(super) fn struck(&mut self) {
        self.kills += 1;
        self.next = None;
        self.begin();
    }

    pub(super) fn kills(&self) -> u32 {
        self.kills
    }
}

/// What each player felt, for a person.
pub(super) fn table(kills: u32, report: &SwarmReport) -> String {
    let mut text = format!(
        "the server was killed {kills} times; what each player felt:\n\n  {:<10} {:<44} ticks \
         rolled back\n",
        "player", "gaps without a new picture, in ms"
    );
    for returns in &report.returns {
        let gaps: Vec<String> = returns.gaps_ms.iter().map(|gap| format!("{gap:.0}")).collect();
        let ticks: Vec<String> = returns.ticks_rolled_back.iter().map(u64::to_string).collect();
        text += &format!(
            "  {:<10} {:<44} {}\n",
            format!("bot{}", returns.bot + 1),
            gaps.join(" "),
            ticks.join(" ")
        );
    }
    text
}

/// The same for a program.
pub(super) fn add_to(document: &mut Value, kills: u32, report: &SwarmReport) {
    document["kills"] = kills.into();
    let players = report.returns.iter().map(|returns| {
        json!({
            "player": format!("bot{}", returns.bot + 1),
            "gaps_ms": returns.gaps_ms,
            "ticks_rolled_back": returns.ticks_rolled_back,
        })
    });
    document["felt"] = players.collect();
}
