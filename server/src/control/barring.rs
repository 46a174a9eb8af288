//! Looking for players who were banned or revoked, by whichever program, and telling control.
//!
//! Owns: how often, and how far back what somebody was given may still be good. Must not know: what becomes of them.

use std::path::PathBuf;
use std::time::Duration;

use matchkeep_shared::limits::{TICKET_VALID, TOKEN_VALID};
use tokio::sync::mpsc;

use super::ControlEvent;
use crate::accounts::Barred;
use crate::store::{History, StoreError, StoreOpenError};
use crate::wall::world_unix_ms;

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

/// Who is barred now. Reads from disk.
pub(crate) fn look(history: &History) -> Result<Barred, StoreError> {
    // Operators decide by the world's clock, whatever the server's says.
    let now = world_unix_ms();
    // Nothing that was given before is good any more.
    let longest = TICKET_VALID.max(TOKEN_VALID) + KNOWN_LATE_MAX;
    let since = now.saturating_sub(longest.as_millis() as u64);
    history.barred(since, now)
}

/// Looks until control has ended. What cannot be read stays as it was.
pub(crate) async fn run(folder: PathBuf, mut known: Barred, control: mpsc::Sender<ControlEvent>) {
    let mut history = None;
    let mut is_failing = false;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let (opened, folder) = (history.take(), folder.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let history = match opened {
                Some(history) => history,
                None => History::open(&folder)?,
            };
            let found = look(&history)?;
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
