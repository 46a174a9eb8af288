//! Ratings, one for each player and ladder.
//!
//! Owns: their SQL, and which lines of a result are rated. Must not know: how a rating is made of a result;
//! that is `matchmaking`'s.

use matchkeep_shared::game::Outcome;
use matchkeep_shared::ids::PlayerId;
use rusqlite::{Connection, OptionalExtension};

use super::query::QueryError;
use super::sqlite::integer;
use crate::matchmaking::{Finisher, Rating, rate};

/// A player's rating; a newcomer's where there is none.
pub(super) fn read(
    connection: &Connection,
    ladder: &str,
    player: PlayerId,
) -> Result<Rating, QueryError> {
    let Ok(player) = integer("player", player.0) else { return Ok(Rating::default()) };
    let sql = "SELECT mean, deviation FROM ratings WHERE player = ? AND ladder = ?";
    let found = connection
        .prepare_cached(sql)?
        .query_row((player, ladder), |row| Ok(Rating { mean: row.get(0)?, deviation: row.get(1)? }))
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// What a result makes of its players' ratings. Reads only.
pub(super) fn after(
    connection: &Connection,
    ladder: &str,
    outcome: &Outcome,
) -> Result<Vec<(PlayerId, Rating)>, QueryError> {
    let mut finishers = Vec::with_capacity(outcome.players.len());
    for result in &outcome.players {
        let rating = read(connection, ladder, result.player)?;
        let (player, team, place) = (result.player, result.team, result.place);
        finishers.push(Finisher { player, rating, team, place });
    }
    Ok(rate(&finishers))
}

/// Writes them down.
pub(super) fn write(
    connection: &Connection,
    ladder: &str,
    ratings: &[(PlayerId, Rating)],
    now_unix_ms: i64,
) -> Result<(), QueryError> {
    let mut upsert = connection.prepare_cached(
        "INSERT INTO ratings (player, ladder, mean, deviation, matches, changed_unix_ms)
         VALUES (?, ?, ?, ?, 1, ?)
         ON CONFLICT (player, ladder) DO UPDATE SET mean = excluded.mean,
            deviation = excluded.deviation, matches = matches + 1,
            changed_unix_ms = excluded.changed_unix_ms",
    )?;
    for (player, rating) in ratings {
        let player = integer("player", player.0)?;
        upsert.execute((player, ladder, rating.mean, rating.deviation, now_unix_ms))?;
    }
    Ok(())
}
