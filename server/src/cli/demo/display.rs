//! What a person sees while the bots play: a bar and a live scoreboard on a terminal, lines otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use matchkeep_client::bots::swarm::SwarmProgress;
use matchkeep_shared::ids::{MatchId, Slot};

use crate::cli::is_plain;

/// How often the picture is drawn anew.
pub(super) const REFRESH: Duration = Duration::from_millis(250);
/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Players shown in the live scoreboard.
const ROWS: usize = 10;

/// The picture of one demo, on standard error.
pub(super) struct Display {
    bots: usize,
    names: BTreeMap<(MatchId, Slot), String>,
    ended: BTreeSet<MatchId>,
    started: Instant,
    /// When every bot was in its match.
    complete: Option<Instant>,
    bar: Option<ProgressBar>,
    last_line: Instant,
    seconds: u32,
}

#[expect(clippy::disallowed_methods, reason = "a display is a shell: it shows the time")]
fn now() -> Instant {
    Instant::now()
}

impl Display {
    pub(super) fn new(seconds: u32, bots: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(u64::from(seconds));
            let template = match is_plain() {
                true => "[{bar:40}] {pos}/{len} s  {msg}",
                false => "[{bar:40.cyan/blue}] {pos}/{len} s  {msg}",
            };
            let style = ProgressStyle::with_template(template);
            bar.set_style(style.expect("the template is sound").progress_chars("=> "));
            bar
        });
        let (started, last_line) = (now(), now());
        let (names, ended) = (BTreeMap::new(), BTreeSet::new());
        Self { bots, names, ended, started, complete: None, bar, last_line, seconds }
    }

    pub(super) fn joined(&mut self, match_id: MatchId, slot: Slot, name: String) {
        self.names.insert((match_id, slot), name);
        if self.names.len() == self.bots {
            self.complete = Some(now());
        }
    }

    /// Whether every bot got into its match.
    pub(super) fn is_complete(&self) -> bool {
        self.complete.is_some()
    }

    /// The server was killed and is there again.
    pub(super) fn struck(&mut self, kills: u32) {
        let line = format!("killed for the {kills}. time, and back");
        match &self.bar {
            Some(bar) => bar.println(line),
            None => eprintln!("{line}"),
        }
    }

    pub(super) fn ended(&mut self, match_id: MatchId) {
        self.ended.insert(match_id);
    }

    pub(super) fn refresh(&mut self, progress: &SwarmProgress) {
        let playing = progress.playing.load(Ordering::Relaxed);
        let matches: BTreeSet<MatchId> = self.names.keys().map(|(id, _)| *id).collect();
        let state = format!(
            "{playing} of {} bots playing, {} of {} matches over",
            self.bots,
            self.ended.len(),
            matches.len().max(1),
        );
        if let Some(bar) = &self.bar {
            let since = self.complete.map_or(0, |complete| (now() - complete).as_secs());
            bar.set_position(since.min(u64::from(self.seconds)));
            bar.set_message(format!("{state}{}", self.scoreboard(progress)));
        } else if now() - self.last_line >= LINE_EVERY {
            self.last_line = now();
            let best = self.ranking(progress).into_iter().next();
            let best = best
                .map_or_else(String::new, |(name, score)| format!(", {name} leads with {score}"));
            eprintln!("{:>4} s  {state}{best}", (now() - self.started).as_secs());
        }
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn ranking(&self, progress: &SwarmProgress) -> Vec<(&str, i64)> {
        let scores = progress.scores.lock().unwrap_or_else(PoisonError::into_inner);
        let named = scores
            .iter()
            .filter_map(|(place, score)| Some((self.names.get(place)?.as_str(), *score)));
        let mut ranking: Vec<_> = named.collect();
        ranking.sort_by_key(|(name, score)| (std::cmp::Reverse(*score), *name));
        ranking
    }

    fn scoreboard(&self, progress: &SwarmProgress) -> String {
        let rows = self.ranking(progress).into_iter().take(ROWS);
        rows.map(|(name, score)| format!("\n  {name:<24} {score:>4}")).collect()
    }
}
