//! Somebody who plays on while others misbehave, and says whether it was noticed.

use std::time::Duration;

use matchkeep_client::transport::ClientError;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::player::{Player, Seen};
use crate::server::TestServer;
use crate::within;

/// How many ticks may lie between two snapshots: half a second at 60 Hz. A busy machine makes a shard
/// catch up without sending, and a client's runtime late; a match that a stranger can stop takes longer.
const GAP_TICKS_MAX: i64 = 30;

/// A player in a task of their own.
pub struct Watch {
    stop: oneshot::Sender<()>,
    task: JoinHandle<(Player, Result<(), ClientError>)>,
}

/// What such a player saw.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// The snapshots.
    pub seen: Seen,
    /// Inputs made.
    pub inputs_sent: u64,
    /// Snapshots that said that the newest input was missing.
    pub inputs_substituted: u64,
}

impl Watch {
    /// Joins a match of the mode and plays until told to stop.
    pub async fn join(server: &TestServer, mode: &str) -> Self {
        Self::over(Player::join(server, "witness", mode).await).await
    }

    /// Lets a player play until told to stop, once the first snapshots came.
    ///
    /// # Panics
    /// Where none come.
    pub async fn over(mut player: Player) -> Self {
        player.play(Duration::from_millis(500)).await.expect("the match goes on");
        assert!(player.seen.snapshots > 0, "no snapshot in half a second");
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let played = tokio::select! {
                error = player.play_to_the_end(300) => Err(error),
                _ = stopped => Ok(()),
            };
            (player, played)
        });
        Self { stop, task }
    }

    /// Stops, leaves, and says what was seen.
    ///
    /// # Panics
    /// Where the player did not stay in the match.
    pub async fn finish(self) -> Report {
        // Where the task has ended already, it says so below.
        let _ = self.stop.send(());
        let (player, played) = within(10, "the witness", self.task).await.expect("no panic");
        played.expect("whoever misbehaved, the others stay");
        let counts = player.counts();
        let seen = player.seen;
        player.leave().await;
        let (inputs_sent, inputs_substituted) = (counts.inputs_sent, counts.inputs_substituted);
        Report { seen, inputs_sent, inputs_substituted }
    }
}

impl Report {
    /// Says that the match went on as if nothing had happened.
    ///
    /// # Panics
    /// Where it did not.
    pub fn assert_undisturbed(&self) {
        assert!(self.seen.widest_gap <= GAP_TICKS_MAX, "{self:?}");
        assert!(self.seen.snapshots > 20, "{self:?}");
        assert!(self.inputs_substituted * 2 < self.seen.snapshots, "{self:?}");
    }
}
