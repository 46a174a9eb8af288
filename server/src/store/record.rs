//! What goes into the store and what comes out of it, as plain values.
//!
//! Owns: the shapes, and how they look in JSON (a match ID is text: JavaScript's numbers are too short
//! for it). Must not know: SQL.

use matchkeep_shared::game::Outcome;
use matchkeep_shared::ids::{MatchId, PlayerId, ShardId};
use matchkeep_shared::limits::LIST_ROWS_MAX;
use matchkeep_shared::time::{Tick, TickRate};
use serde::{Deserialize, Serialize};

/// A match that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMatch {
    /// The match.
    pub id: MatchId,
    /// The operator's mode it is played in.
    pub mode: String,
    /// The ladder whose ratings its result changes; none where it is not rated.
    pub ladder: Option<String>,
    /// The game's name.
    pub game: String,
    /// The version of the game's rules.
    pub rules_version: u32,
    /// The map's name, in a game that has maps.
    pub map: Option<String>,
    /// The shard it was placed on.
    pub shard: ShardId,
    /// Its ticks in a second.
    pub tick_rate: TickRate,
    /// When, in milliseconds of Unix time.
    pub created_unix_ms: u64,
}

#[cfg(test)]
impl NewMatch {
    /// One for tests, to which it does not matter what it is of.
    pub(crate) fn sample(id: u64) -> Self {
        Self {
            id: MatchId(id),
            mode: "duel".to_owned(),
            ladder: None,
            game: "a game".to_owned(),
            rules_version: 1,
            map: None,
            shard: ShardId(0),
            tick_rate: TickRate::default(),
            created_unix_ms: 0,
        }
    }
}

/// A match that has its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedMatch {
    /// The match.
    pub id: MatchId,
    /// Why it ended and how the players did.
    pub outcome: Outcome,
    /// Its last tick.
    pub ticks: Tick,
    /// When, in milliseconds of Unix time.
    pub ended_unix_ms: u64,
}

/// What has become of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MatchState {
    /// It is being played.
    Running,
    /// It ended and its result is known.
    Finished,
    /// The server stopped before it ended, and it has no journal to go on from.
    Interrupted,
    /// It cannot go on: it was set aside with all its data.
    Quarantined,
}

impl MatchState {
    /// Every state there is.
    pub const ALL: [Self; 4] =
        [Self::Running, Self::Finished, Self::Interrupted, Self::Quarantined];

    /// The state as the database and JSON have it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Interrupted => "interrupted",
            Self::Quarantined => "quarantined",
        }
    }

    /// The state with this label.
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.label() == label)
    }
}

/// Which matches to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListFilter {
    /// At most this many, and never more than [`LIST_ROWS_MAX`].
    pub limit: usize,
    /// Only matches created before this one: the last of the page before.
    pub before: Option<MatchId>,
    /// Only matches of this mode.
    pub mode: Option<String>,
    /// Only matches in this state.
    pub state: Option<MatchState>,
}

impl Default for ListFilter {
    /// The newest [`LIST_ROWS_MAX`].
    fn default() -> Self {
        Self { limit: LIST_ROWS_MAX, before: None, mode: None, state: None }
    }
}

/// One match in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MatchSummary {
    /// The match, as text.
    #[serde(with = "matchkeep_shared::ids::match_id_text")]
    #[schema(value_type = String, example = "0123456789abc")]
    pub id: MatchId,
    /// The operator's mode.
    pub mode: String,
    /// The game's name.
    pub game: String,
    /// The version of the game's rules.
    pub rules_version: u32,
    /// The map, in a game that has maps.
    pub map: Option<String>,
    /// The shard it was placed on.
    pub shard: ShardId,
    /// Ticks in a second.
    pub tick_rate_hz: u16,
    /// When it began, in milliseconds of Unix time.
    pub created_unix_ms: u64,
    /// When it ended, if it did.
    pub ended_unix_ms: Option<u64>,
    /// Its last tick, once it ended.
    pub ticks: Option<u64>,
    /// What has become of it.
    pub state: MatchState,
    /// Why it ended, or was interrupted.
    pub reason: Option<String>,
    /// How many players the result names; 0 before there is one.
    pub player_count: u64,
}

/// One match with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MatchRecord {
    /// What the list shows.
    #[serde(flatten)]
    pub summary: MatchSummary,
    /// Its players, best first; none before there is a result.
    pub players: Vec<PlayerRecord>,
}

/// What one player made of a match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlayerRecord {
    /// The account.
    pub player: PlayerId,
    /// The name shown during the match.
    pub name: String,
    /// The team, in a game that has them.
    pub team: Option<u8>,
    /// 1 for the best; equals share a place.
    pub place: u32,
    /// The score the place goes by.
    pub score: i64,
    /// The game's own counters, in the game's order.
    pub stats: Vec<Stat>,
}

impl PlayerRecord {
    /// The players of a result, in its order.
    pub fn list(outcome: &Outcome) -> Vec<Self> {
        let stat = |(name, value): &(String, i64)| Stat { name: name.clone(), value: *value };
        let players = outcome.players.iter().map(|result| Self {
            player: result.player,
            name: result.name.clone(),
            team: result.team,
            place: result.place,
            score: result.score,
            stats: result.stats.iter().map(stat).collect(),
        });
        players.collect()
    }
}

/// One of a game's own counters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Stat {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: i64,
}
