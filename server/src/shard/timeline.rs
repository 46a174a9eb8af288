//! A timeline: when each phase of a match's ticks began and ended, for some seconds.
//!
//! Owns: the shape, and why there may be none. Must not know: how it is recorded, and what draws it.

use matchkeep_shared::ids::{MatchId, ShardId};
use matchkeep_shared::limits::TIMELINES_PER_SHARD_MAX;
use matchkeep_shared::time::Tick;
use serde::{Deserialize, Serialize};

/// Some seconds of a match. Times are microseconds from the beginning of the timeline.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Timeline {
    /// The match.
    #[serde(with = "matchkeep_shared::ids::match_id_text")]
    #[schema(value_type = String, example = "0123456789abc")]
    pub id: MatchId,
    /// Where it is played.
    pub shard: ShardId,
    /// Steps in a second.
    pub tick_rate_hz: u16,
    /// How long it is.
    pub lasts_us: f64,
    /// The ticks that began in it, in order.
    pub ticks: Vec<TickSpans>,
}

/// A tick of a timeline.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TickSpans {
    /// Which.
    pub tick: Tick,
    /// When its step should have begun.
    pub deadline_us: f64,
    /// Whether it only caught up, and sent nothing.
    pub catches_up: bool,
    /// What was done, in order.
    pub spans: Vec<Span>,
}

/// A phase of a tick, or a piece of one.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Span {
    /// Its name: `inputs`, `step`, `replicate`, `journal`, `send`.
    pub phase: String,
    /// Its beginning.
    pub from_us: f64,
    /// Its end.
    pub to_us: f64,
}

/// Why there is no timeline.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoTimeline {
    /// The shard has no such match.
    #[error("there is no such match here")]
    UnknownMatch,
    /// Enough are being recorded.
    #[error(
        "the shard records {TIMELINES_PER_SHARD_MAX} timelines already: ask again when one is over"
    )]
    TooMany,
}
