//! What control tells a shard and a shard tells control. Both ways through bounded channels; neither
//! side ever waits for the other.

use std::time::Duration;

use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::game::Outcome;
use matchkeep_shared::ids::{Epoch, MatchId, PlayerId, ShardId};
use matchkeep_shared::ticket::Validity;
use matchkeep_shared::time::Tick;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::order::{Order, OrderRefused, Ordered};
use super::stats::ShardStats;
use super::timeline::{NoTimeline, Timeline};
use super::view::{MatchRow, MatchView, RowFilter};
use crate::accounts::Barred;
use crate::matches::recorder::Base;
use crate::matches::state::MatchState;
use crate::matches::{Death, MatchSpec};
use crate::tickets::{KeyId, TicketKeys};

/// Control to shard.
#[derive(Debug)]
pub enum Command<G: Game> {
    /// Make a match and start its ticks. One that is there already is left alone.
    Create(Box<NewHost<G>>),
    /// Bring a match back and let it go on in a new epoch, which is claimed already.
    Resume(Box<Resumption<G>>),
    /// A match that died goes on in a new epoch, which is claimed already.
    Restart {
        /// The match.
        match_id: MatchId,
        /// Its new epoch.
        epoch: Epoch,
    },
    /// A match goes on nowhere: its players are sent away and the shard forgets it.
    Drop {
        /// The match.
        match_id: MatchId,
        /// What the players are told.
        reason: DisconnectReason,
    },
    /// The matches of the process before are back: players may come in.
    Open,
    /// Whether the disk is full: meanwhile nobody new takes a place.
    StorageFull(bool),
    /// An operator wants something of a match.
    Order {
        /// The match.
        match_id: MatchId,
        /// What is wanted.
        order: Order,
        /// What came of it.
        reply: oneshot::Sender<Result<Ordered, OrderRefused>>,
    },
    /// Which matches are there?
    List {
        /// Those that are wanted.
        filter: RowFilter,
        /// By ascending ID.
        reply: oneshot::Sender<Vec<MatchRow>>,
    },
    /// How is this match, and how are its players?
    Inspect {
        /// The match.
        match_id: MatchId,
        /// `None` where it is not here.
        reply: oneshot::Sender<Option<Box<MatchView>>>,
    },
    /// What is the state of this match?
    CopyState {
        /// The match.
        match_id: MatchId,
        /// A copy of it, between two ticks; `None` where it is not here.
        reply: oneshot::Sender<Option<Box<MatchState<G>>>>,
    },
    /// When do the phases of this match's ticks begin and end, from now on?
    Record {
        /// The match.
        match_id: MatchId,
        /// For how long.
        lasts: Duration,
        /// Answered when that is over.
        reply: TimelineReply,
    },
    /// What came of a newer token that a player showed: when it is good.
    Identified {
        /// The match.
        match_id: MatchId,
        /// The player.
        player: PlayerId,
        /// Or why it is not believed.
        identity: Result<Validity, DisconnectReason>,
    },
    /// Who was banned or revoked lately, all of them: what they were given before is void.
    Bar(Barred),
    /// There is a new key: it signs from now on, and it and the one before are believed.
    Keys(TicketKeys),
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
    /// Tell every player this, then stop.
    Shutdown(DisconnectReason),
}

/// Where a timeline goes when it is over.
pub type TimelineReply = oneshot::Sender<Result<Timeline, NoTimeline>>;

/// A match to be made.
#[derive(Debug)]
pub struct NewHost<G: Game> {
    /// What it is made of.
    pub spec: MatchSpec<G::Config>,
    /// How it is run.
    pub policy: MatchPolicy,
}

/// A match that goes on.
#[derive(Debug)]
pub struct Resumption<G: Game> {
    /// What it is made of and how it is run.
    pub host: NewHost<G>,
    /// The epoch it goes on in.
    pub epoch: Epoch,
    /// What it is rebuilt from.
    pub base: Base,
}

/// How a match is run, as its mode says. Nothing of it decides what a step does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MatchPolicy {
    /// The match stands still while the durable tick is further behind than this; `None`: it plays on, as
    /// long as there is memory.
    pub undurable_max: Option<Duration>,
    /// What becomes of a match that takes more than its share of the shard for long.
    pub runaway: Runaway,
}

/// What becomes of a match that is too slow for too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runaway {
    /// It is told in the log, the metrics and `/v1`, and plays on.
    #[default]
    Flag,
    /// It stands still until an operator lets it go on or ends it.
    Pause,
    /// It ends, as it stands.
    End,
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
    /// A player shows a newer token of the identity provider.
    Identity {
        /// The match.
        match_id: MatchId,
        /// The player.
        player: PlayerId,
        /// In its compact form.
        token: String,
    },
    /// The shard believes a new key, and signs with it.
    KeysTaken(KeyId),
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
    /// A match goes on.
    Resumed {
        /// The match.
        match_id: MatchId,
        /// Its new epoch.
        epoch: Epoch,
        /// The tick it goes on from.
        tick: Tick,
        /// Who has a place in it, each with the team that was chosen for them.
        players: Vec<(PlayerId, Option<u8>)>,
    },
    /// A match cannot begin, or be brought back from what was recorded.
    Unplayable {
        /// The match.
        match_id: MatchId,
        /// Why.
        cause: String,
    },
    /// A match's game panicked; it stands until control has claimed a new epoch for it.
    Died {
        /// The match.
        match_id: MatchId,
        /// The epoch it died in.
        epoch: Epoch,
        /// How.
        death: Death,
    },
    /// A match takes more than its share of the shard, and has for a while.
    RanAway {
        /// The match.
        match_id: MatchId,
        /// What becomes of it.
        policy: Runaway,
        /// What a tick takes, on average.
        cost: Duration,
    },
    /// A match is gone from the shard.
    Closed {
        /// The match.
        match_id: MatchId,
    },
}
