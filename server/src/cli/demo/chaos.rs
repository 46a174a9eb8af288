//! `demo --chaos`: when the server is killed, and what each player felt of it.

use std::time::Duration;

use matchkeep_client::bots::swarm::SwarmReport;
use matchkeep_shared::rng::Rng;
use serde_json::{Value, json};
use tokio::time::Instant;

/// Play between two kills, in milliseconds.
const BETWEEN_MS: std::ops::Range<u32> = 3_000..6_000;
/// The end of the play that is left alone: a kill that meets a match already over shows nothing.
const CALM_MS: u32 = 1_000;
/// The shortest play that surely sees a kill, in seconds.
pub(super) const SECONDS_MIN: u32 = (BETWEEN_MS.end + CALM_MS) / 1_000;

/// The moments at which the server is killed.
pub(super) struct Chaos {
    is_wanted: bool,
    /// Play without a kill in it, from when everybody was there.
    play: Duration,
    /// Until when a kill surely meets a match that is played.
    until: Option<Instant>,
    next: Option<Instant>,
    rng: Rng,
    kills: u32,
}

impl Chaos {
    /// Kills over so many seconds of play, where they are wanted.
    pub(super) fn new(is_wanted: bool, seconds: u32) -> Self {
        let play = Duration::from_secs(seconds.into()) - Duration::from_millis(CALM_MS.into());
        let rng = Rng::new(std::process::id().into());
        Self { is_wanted, play, until: None, next: None, rng, kills: 0 }
    }

    /// Everybody plays: it may begin.
    pub(super) fn begin(&mut self) {
        if self.is_wanted && self.until.is_none() {
            let now = Instant::now();
            self.until = Some(now + self.play);
            self.plan(now);
        }
    }

    fn plan(&mut self, now: Instant) {
        let wait = BETWEEN_MS.start + self.rng.below(BETWEEN_MS.end - BETWEEN_MS.start);
        let next = now + Duration::from_millis(wait.into());
        self.next = self.until.filter(|until| next < *until).map(|_| next);
    }

    /// Returns when it is time for a kill; never where none is wanted.
    pub(super) async fn strikes(&self) {
        match self.next {
            Some(next) => tokio::time::sleep_until(next).await,
            None => std::future::pending().await,
        }
    }

    /// The server was killed, and was away for so long: play ends later by that.
    pub(super) fn struck(&mut self, away: Duration) {
        self.kills += 1;
        self.until = self.until.map(|until| until + away);
        self.plan(Instant::now());
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
