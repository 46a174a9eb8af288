//! What a shard shows of its matches and players: plain values with their units in the names.
//!
//! Owns: the shapes, and how they look in JSON. Must not know: how they are come by, and who looks.

use std::net::SocketAddr;
use std::str::FromStr;

use matchkeep_shared::ids::{Epoch, MatchId, PlayerId, ShardId, Slot};
use matchkeep_shared::time::Tick;
use serde::{Deserialize, Serialize};

use crate::matches::inputs::InputCounts;

/// Where a match on a shard is in its life.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum MatchStage {
    /// It ticks.
    Running,
    /// It stands still on an operator's word.
    Paused,
    /// It stands still because it was too slow for too long; an operator lets it go on.
    Runaway,
    /// It stands still until its journal is nearer; then it goes on by itself.
    Waiting,
    /// Its game died; it goes on in its next epoch.
    Restarting,
    /// It ended; its result is on the way to stable storage.
    Ending,
    /// Its result was told; it goes when its players left.
    Ended,
}

impl MatchStage {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Running,
        Self::Paused,
        Self::Runaway,
        Self::Waiting,
        Self::Restarting,
        Self::Ending,
        Self::Ended,
    ];

    /// Its name in JSON and for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Runaway => "runaway",
            Self::Waiting => "waiting",
            Self::Restarting => "restarting",
            Self::Ending => "ending",
            Self::Ended => "ended",
        }
    }
}

/// No stage has this name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("allowed are {all}", all = MatchStage::ALL.map(MatchStage::label).join(", "))]
pub struct NoStage;

impl FromStr for MatchStage {
    type Err = NoStage;

    fn from_str(label: &str) -> Result<Self, NoStage> {
        Self::ALL.into_iter().find(|stage| stage.label() == label).ok_or(NoStage)
    }
}

/// Which matches are wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RowFilter {
    /// Only those whose ID is above this one's.
    pub after: Option<MatchId>,
    /// At most so many, by ascending ID.
    pub limit: usize,
    /// Only those of this mode.
    pub mode: Option<String>,
    /// Only those in this stage.
    pub stage: Option<MatchStage>,
}

/// A match in a list.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MatchRow {
    /// Its ID.
    #[serde(with = "matchkeep_shared::ids::match_id_text")]
    #[schema(value_type = String, example = "0123456789abc")]
    pub id: MatchId,
    /// The operator's mode it is played in.
    pub mode: String,
    /// Where it is played.
    pub shard: ShardId,
    /// Where it is in its life.
    pub stage: MatchStage,
    /// Its epoch.
    pub epoch: Epoch,
    /// The steps made so far.
    pub tick: Tick,
    /// Steps in a second.
    pub tick_rate_hz: u16,
    /// Players connected now.
    pub players: usize,
    /// Places held for players who lost the connection.
    pub held: usize,
    /// Places in all.
    pub places: usize,
    /// What is replicated.
    pub entities: usize,
    /// From the start of a step to its last datagram handed to the kernel, on average over the last ticks.
    pub tick_cost_us: f64,
    /// From a tick's deadline to the start of its step, on average over the last ticks.
    pub tick_late_us: f64,
    /// How many ticks the durable one is behind; none where there is no journal.
    pub durable_lag_ticks: Option<u32>,
}

/// One match as far as its shard knows it, without its state.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MatchView {
    /// What stands in a list too.
    #[serde(flatten)]
    pub row: MatchRow,
    /// What the phases of a tick cost; none before the first tick that was looked at.
    pub phases: Option<PhaseCosts>,
    /// Who has a place, by slot.
    pub players_seen: Vec<PlayerView>,
}

/// What the phases of a tick cost on average, over the last ones that were looked at.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PhaseCosts {
    /// A tick's share of what the shard spends on receiving, for all of its matches.
    pub receive_us: f64,
    /// Places that ran out are freed, and inputs are taken from their buffers.
    pub inputs_us: f64,
    /// The game's own step.
    pub step_us: f64,
    /// The world is quantised, and each client's snapshot and events are made.
    pub replicate_us: f64,
    /// The state is hashed, and what entered goes to the journal's queue.
    pub journal_us: f64,
    /// Packets are sealed and handed to the kernel.
    pub send_us: f64,
    /// How many ticks were looked at so far.
    pub ticks_seen: u64,
}

/// A player in a match.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlayerView {
    /// The account.
    pub player: PlayerId,
    /// The account's name; a shard does not know it.
    pub name: Option<String>,
    /// The place.
    pub slot: Slot,
    /// Whether the player is connected; else the place is held.
    pub connected: bool,
    /// The connection, where there is one.
    pub link: Option<LinkView>,
    /// How early the newest input came before its tick; negative: late. None before there was one.
    pub input_margin_us: Option<i32>,
    /// How the player's inputs fared.
    pub inputs: InputCounts,
    /// Why the player's last connection to this place ended, if one did.
    pub last_disconnect: Option<String>,
}

/// A player's connection.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LinkView {
    /// Where the player is.
    #[schema(value_type = String)]
    pub address: SocketAddr,
    /// The round trip, smoothed.
    pub rtt_us: u64,
    /// The shortest one.
    pub rtt_min_us: u64,
    /// Packets sent to the player.
    pub packets_sent: u64,
    /// Those of them that were lost.
    pub packets_lost: u64,
    /// UDP datagrams sent to the player.
    pub udp_sent: u64,
    /// Bytes of those.
    pub udp_sent_bytes: u64,
    /// UDP datagrams that came.
    pub udp_received: u64,
    /// Bytes of those.
    pub udp_received_bytes: u64,
    /// Snapshots sent and the other datagrams of the protocol.
    pub datagrams_sent: u64,
    /// Datagrams of the protocol that came: inputs and acknowledgements.
    pub datagrams_received: u64,
}

impl LinkView {
    /// The share of packets to the player that were lost, 0 to 1.
    pub fn loss(&self) -> f64 {
        self.packets_lost as f64 / self.packets_sent.max(1) as f64
    }
}
