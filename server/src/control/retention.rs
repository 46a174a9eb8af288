//! Lets the journals of finished matches go once they are old, or take too much room. Results stay.
//!
//! Owns: when, and that one step after the other lets flushes in between. Must not know: which match is
//! next, and what a journal is made of; the store knows.

use matchkeep_shared::limits::{JOURNAL_RETAIN_EVERY, JOURNAL_RETAIN_PAUSE};
use tokio::time::MissedTickBehavior;

use crate::journal::{Retained, Retention};
use crate::settings::Kept;
use crate::store::{Store, StoreError};
use crate::wall::unix_ms;

/// Runs until the store is closed, or broken; whoever runs the node learns that elsewhere.
pub(crate) async fn run(store: Store, kept: Kept) {
    let mut rounds = tokio::time::interval(JOURNAL_RETAIN_EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        match round(&store, kept).await {
            Ok(done) if done.records > 0 => {
                let Retained { matches, records, bytes, .. } = done;
                tracing::info!(matches, records, bytes, "journals of finished matches were let go");
            }
            Ok(_) => {}
            // What a full disk or a busy one holds up is tried again in the next round.
            Err(
                error @ (StoreError::QueueFull | StoreError::Full { .. } | StoreError::Busy { .. }),
            ) => {
                tracing::warn!(%error, "journals could not be let go; later");
            }
            Err(_) => return,
        }
    }
}

/// Everything that is to go now.
async fn round(store: &Store, kept: Kept) -> Result<Retained, StoreError> {
    let mut done = Retained::default();
    loop {
        let Kept { age_max, bytes_max } = kept;
        let step = store.retain(Retention { now_unix_ms: unix_ms(), age_max, bytes_max })?.await?;
        done.matches += step.matches;
        done.records += step.records;
        done.bytes += step.bytes;
        if !step.more {
            return Ok(done);
        }
        // Between two steps the journals that are played have their flushes.
        tokio::time::sleep(JOURNAL_RETAIN_PAUSE).await;
    }
}
