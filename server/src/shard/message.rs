//! What control tells a shard and a shard tells control. Both ways through bounded channels; neither
//! side ever waits for the other.

use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::game::Outcome;
use matchkeep_shared::ids::{MatchId, PlayerId, ShardId};
use matchkeep_shared::time::Tick;
use tokio::sync::oneshot;

use super::stats::ShardStats;
use crate::matches::MatchSpec;

/// Control to shard.
#[derive(Debug)]
pub enum Command<G: Game> {
    /// Make a match and start its ticks. One that is there already is left alone.
    Create(Box<MatchSpec<G::Config>>),
    /// The player gives up the place, connected or held.
    Release {
        /// The match.
        match_id: MatchId,
        /// The player.
        player: PlayerId,
    },
    /// The match's result is on stable storage: tell the players.
    ResultDurable {
        /// The match.
        match_id: MatchId,
    },
    /// The match's result can never be stored: send the players away, untold.
    ResultLost {
        /// The match.
        match_id: MatchId,
    },
    /// How is the shard?
    Stats(oneshot::Sender<Box<ShardStats>>),
    /// Tell every player, then stop.
    Shutdown,
}

/// Shard to control.
#[derive(Debug)]
pub struct Report {
    /// Which shard.
    pub shard: ShardId,
    /// What happened there.
    pub event: ShardEvent,
}

/// What happens on a shard that others must know.
#[derive(Debug)]
pub enum ShardEvent {
    /// The match asked for is there.
    Created {
        /// The match.
        match_id: MatchId,
    },
    /// The shard has no room for the match asked for.
    CreateRefused {
        /// The match.
        match_id: MatchId,
    },
    /// A player took a place, or came back to it.
    Joined {
        /// The match.
        match_id: MatchId,
        /// The player.
        player: PlayerId,
    },
    /// A connection to a match ended; the place may be held.
    Disconnected {
        /// The match.
        match_id: MatchId,
        /// The player.
        player: PlayerId,
        /// Why.
        reason: DisconnectReason,
    },
    /// A place is free again.
    Left {
        /// The match.
        match_id: MatchId,
        /// The player who had it.
        player: PlayerId,
    },
    /// A match reached its end; its players hear of it once the result is durable.
    Ended {
        /// The match.
        match_id: MatchId,
        /// The last tick.
        tick: Tick,
        /// How it ended.
        outcome: Outcome,
    },
    /// A match is gone from the shard.
    Closed {
        /// The match.
        match_id: MatchId,
    },
}
