//! Looking for players who were banned or revoked, by whichever program, and telling control.
//!
//! Owns: how often, and how far back what somebody was given may still be good. Must not know: what becomes of them.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use matchkeep_shared::limits::{TICKET_VALID, TOKEN_VALID};
use tokio::sync::mpsc;

use super::ControlEvent;
use crate::accounts::Barred;
use crate::store::{History, StoreError, StoreOpenError};
use crate::wall::{unix_ms, world_unix_ms};

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// So long after a decision tickets and tokens may still have been given against it: until the next look, by a lobby and
/// shards that are busy.
const KNOWN_LATE_MAX: Duration = Duration::from_secs(60);

/// Why it cannot be looked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error(transparent)]
    Open(#[from] StoreOpenError),
    #[error(transparent)]
    Read(#[from] StoreError),
}

/// Since when decisions still matter. Operators decide by the world's clock, which may be set; what was given ends by the
/// server's, which nobody sets.
#[derive(Debug, Default)]
pub(crate) struct LookBack {
    /// By the server's clock, in milliseconds of Unix time, how far the world's was ahead then, in milliseconds: in the time
    /// for which anything is good, and only where it was never less since.
    ahead: VecDeque<(u64, i64)>,
}

impl LookBack {
    /// The earliest time of the world's clock, in milliseconds of Unix time, at which something was decided against what
    /// may be good now. Both clocks as they are.
    fn since(&mut self, own_unix_ms: u64, world_unix_ms: u64) -> u64 {
        let now_ahead = world_unix_ms.wrapping_sub(own_unix_ms) as i64;
        while self.ahead.back().is_some_and(|(_, ahead)| *ahead >= now_ahead) {
            self.ahead.pop_back();
        }
        self.ahead.push_back((own_unix_ms, now_ahead));
        // Nothing that was given before is good any more.
        let longest = TICKET_VALID.max(TOKEN_VALID) + KNOWN_LATE_MAX;
        let since = own_unix_ms.saturating_sub(longest.as_millis() as u64);
        while self.ahead.front().is_some_and(|(at, _)| *at < since) {
            self.ahead.pop_front();
        }
        let least = self.ahead.front().map_or(now_ahead, |(_, ahead)| *ahead);
        since.saturating_add_signed(least)
    }

    /// Looks at the clocks: since when, and what the world's shows.
    fn times(&mut self) -> (u64, u64) {
        let world_unix_ms = world_unix_ms();
        (self.since(unix_ms(), world_unix_ms), world_unix_ms)
    }

    /// Who is barred now. Reads from disk.
    pub(crate) fn look(&mut self, history: &History) -> Result<Barred, StoreError> {
        let (since, now) = self.times();
        history.barred(since, now)
    }
}

/// Looks until control has ended. What cannot be read stays as it was.
pub(crate) async fn run(
    folder: PathBuf,
    mut look_back: LookBack,
    mut known: Barred,
    control: mpsc::Sender<ControlEvent>,
) {
    let mut history = None;
    let mut is_failing = false;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let (opened, folder) = (history.take(), folder.clone());
        let (since, now) = look_back.times();
        let looked = tokio::task::spawn_blocking(move || {
            let history = match opened {
                Some(history) => history,
                None => History::open(&folder)?,
            };
            let found = history.barred(since, now)?;
            Ok::<_, Unreadable>((history, found))
        });
        let looked = looked.await.map_err(|panic| panic.to_string());
        match looked.and_then(|looked| looked.map_err(|error| error.to_string())) {
            Ok((opened, found)) => {
                history = Some(opened);
                is_failing = false;
                if found != known {
                    known = found.clone();
                    if control.send(ControlEvent::Barred(found)).await.is_err() {
                        return;
                    }
                }
            }
            Err(error) => {
                if !is_failing {
                    tracing::error!(%error, "bans cannot be read; those known before stay in force");
                }
                is_failing = true;
            }
        }
        if control.is_closed() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;
    const HOUR: u64 = 3_600_000;

    /// Decides something by the world's clock, which is ahead by `before` then and by `after` from the next moment on;
    /// for how long it is found, by the server's clock, in milliseconds.
    fn found_for(before: i64, after: i64) -> u64 {
        let mut look_back = LookBack::default();
        let mut since = |own: u64, ahead| look_back.since(own, own.saturating_add_signed(ahead));
        since(NOW - 500, before);
        let decided = NOW.saturating_add_signed(before);
        let looks = (0..2 * HOUR).step_by(500);
        let mut found = looks.take_while(|late| {
            let ahead = if *late == 0 { before } else { after };
            since(NOW + late, ahead) <= decided
        });
        found.by_ref().last().unwrap_or(0)
    }

    #[test]
    fn a_decision_is_found_while_anything_from_before_is_good_whoever_sets_the_clock() {
        let valid = TICKET_VALID.max(TOKEN_VALID).as_millis() as u64;
        let hour = HOUR as i64;
        for before in [-hour, 0, hour] {
            for after in [-hour, -1, 0, 1, 800_000, hour, 24 * hour] {
                let found = found_for(before, after);
                assert!(found > valid, "{before} {after}: {found}");
            }
        }
        assert!(found_for(0, 0) < valid + HOUR, "and not for ever");
        assert!(found_for(0, hour) < valid + HOUR, "nor by a clock that was set forward");
    }

    #[test]
    fn what_is_remembered_of_the_clocks_is_bounded() {
        let mut look_back = LookBack::default();
        for late in (0..4 * HOUR).step_by(500) {
            // A clock that runs fast: each look finds it further ahead.
            look_back.since(NOW + late, NOW + late + late / 1000);
        }
        assert!(look_back.ahead.len() < 2000, "{}", look_back.ahead.len());
    }
}
