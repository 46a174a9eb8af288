//! The bots' part: as those of [`load`](crate::load::bots), and asked now and then how many are still playing.

use std::io::BufRead;
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::load::bots::{InMatches, join};
use crate::load::child::{end_with_parent, say};
use crate::machine::pin_process;

pub use crate::load::bots::BotsArgs;

/// What the parent wants to know: how many play.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Count;

/// Plays the part, until the parent closes its end or ends it.
///
/// # Errors
/// Where the bots' sockets cannot be made.
pub fn run(args: &BotsArgs) -> anyhow::Result<()> {
    end_with_parent()?;
    pin_process(args.core)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let played = runtime.block_on(play(args));
    // What still plays is of no interest any more.
    runtime.shutdown_background();
    played
}

async fn play(args: &BotsArgs) -> anyhow::Result<()> {
    // They play until they are dropped.
    let swarms = join(args).await?;
    say(&InMatches { players: swarms.joined })?;
    let (sender, mut asked) = mpsc::channel(1);
    std::thread::Builder::new().name("questions".into()).spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            let Ok(count) = serde_json::from_str::<Count>(&line) else { return };
            if sender.blocking_send(count).is_err() {
                return;
            }
        }
    })?;
    while let Some(Count) = asked.recv().await {
        let playing = swarms.progress.iter().map(|swarm| swarm.playing.load(Ordering::Relaxed));
        say(&InMatches { players: playing.sum::<u64>() as usize })?;
    }
    Ok(())
}
