//! Reading matches, the same for the writer and for readers.
//!
//! Owns: the SELECTs and turning rows into records. Must not know: who asks, and how it was opened.

use matchkeep_shared::ids::{MatchId, PlayerId, ShardId};
use matchkeep_shared::limits::LIST_ROWS_MAX;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::directory::StoreError;
use super::record::{ListFilter, MatchRecord, MatchState, MatchSummary, PlayerRecord, Stat};

/// A failed read: SQLite's error, or a value that cannot be.
pub(super) enum QueryError {
    Sqlite(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for QueryError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for QueryError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

const SUMMARY: &str = "
    SELECT id, mode, game, rules_version, map, shard, tick_rate_hz, created_unix_ms, ended_unix_ms,
        ticks, state, reason,
        (SELECT count(*) FROM match_players WHERE match_players.match = matches.id)
    FROM matches";

pub(super) fn list(
    connection: &Connection,
    filter: &ListFilter,
) -> Result<Vec<MatchSummary>, QueryError> {
    let mut conditions = Vec::new();
    let mut values = Vec::new();
    if let Some(before) = filter.before {
        let number: Option<i64> = connection
            .prepare("SELECT number FROM matches WHERE id = ?")?
            .query_row([before.to_string()], |row| row.get(0))
            .optional()?;
        conditions.push("number < ?");
        values.push(Value::Integer(number.ok_or(StoreError::UnknownMatch(before))?));
    }
    if let Some(mode) = &filter.mode {
        conditions.push("mode = ?");
        values.push(Value::Text(mode.clone()));
    }
    if let Some(state) = filter.state {
        conditions.push("state = ?");
        values.push(Value::Text(state.label().to_owned()));
    }
    let condition =
        if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") };
    let sql = format!("{SUMMARY} WHERE {condition} ORDER BY number DESC LIMIT ?");
    values.push(Value::Integer(filter.limit.min(LIST_ROWS_MAX) as i64));

    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut list = Vec::new();
    while let Some(row) = rows.next()? {
        list.push(summary(row)?);
    }
    Ok(list)
}

pub(super) fn show(connection: &Connection, id: MatchId) -> Result<MatchRecord, QueryError> {
    let mut statement = connection.prepare(&format!("{SUMMARY} WHERE id = ?"))?;
    let mut rows = statement.query([id.to_string()])?;
    let summary = match rows.next()? {
        Some(row) => summary(row)?,
        None => return Err(StoreError::UnknownMatch(id).into()),
    };
    let players = players(connection, id)?;
    Ok(MatchRecord { summary, players })
}

pub(super) fn names(
    connection: &Connection,
    players: &[PlayerId],
) -> Result<Vec<Option<String>>, QueryError> {
    let mut statement = connection.prepare("SELECT name FROM players WHERE id = ?")?;
    let name = |player: &PlayerId| {
        let id = i64::try_from(player.0).unwrap_or(-1);
        Ok(statement.query_row([id], |row| row.get(0)).optional()?)
    };
    players.iter().map(name).collect()
}

fn players(connection: &Connection, id: MatchId) -> Result<Vec<PlayerRecord>, QueryError> {
    let mut statement = connection.prepare(
        "SELECT position, player, name, team, place, score FROM match_players
         WHERE match = ? ORDER BY position",
    )?;
    let mut stats = connection.prepare(
        "SELECT name, value FROM player_stats WHERE match = ? AND position = ? ORDER BY nth",
    )?;
    let match_text = id.to_string();
    let mut rows = statement.query([&match_text])?;
    let mut players = Vec::new();
    while let Some(row) = rows.next()? {
        let position: i64 = row.get(0)?;
        let stats = stats.query_map((&match_text, position), |row| {
            Ok(Stat { name: row.get(0)?, value: row.get(1)? })
        })?;
        players.push(PlayerRecord {
            player: PlayerId(number(row, 1, "player")?),
            name: row.get(2)?,
            team: match row.get::<_, Option<i64>>(3)? {
                Some(_) => Some(number(row, 3, "team")?),
                None => None,
            },
            place: number(row, 4, "place")?,
            score: row.get(5)?,
            stats: stats.collect::<Result<_, _>>()?,
        });
    }
    Ok(players)
}

fn summary(row: &Row<'_>) -> Result<MatchSummary, QueryError> {
    let id: String = row.get(0)?;
    let state: String = row.get(10)?;
    Ok(MatchSummary {
        id: id.parse().map_err(|_| StoreError::Damaged { what: "matches.id", value: id })?,
        mode: row.get(1)?,
        game: row.get(2)?,
        rules_version: number(row, 3, "rules_version")?,
        map: row.get(4)?,
        shard: ShardId(number(row, 5, "shard")?),
        tick_rate_hz: number(row, 6, "tick_rate_hz")?,
        created_unix_ms: number(row, 7, "created_unix_ms")?,
        ended_unix_ms: match row.get::<_, Option<i64>>(8)? {
            Some(_) => Some(number(row, 8, "ended_unix_ms")?),
            None => None,
        },
        ticks: match row.get::<_, Option<i64>>(9)? {
            Some(_) => Some(number(row, 9, "ticks")?),
            None => None,
        },
        state: MatchState::from_label(&state)
            .ok_or(StoreError::Damaged { what: "matches.state", value: state })?,
        reason: row.get(11)?,
        player_count: number(row, 12, "player_count")?,
    })
}

/// A column as the type it was written from. An operator's UPDATE may have made it something else.
pub(super) fn number<T: TryFrom<i64>>(
    row: &Row<'_>,
    column: usize,
    what: &'static str,
) -> Result<T, QueryError> {
    let value: i64 = row.get(column)?;
    let number = T::try_from(value);
    number.map_err(|_| StoreError::Damaged { what, value: value.to_string() }.into())
}
