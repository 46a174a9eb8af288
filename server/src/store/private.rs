//! Private matches: which match a player's request led to, and what it is joined with.
//!
//! Owns: their SQL. Must not know: how codes are made, transactions; it runs in the caller's.

use matchkeep_shared::ids::{MatchId, PlayerId};
use matchkeep_shared::limits::PRIVATE_MATCH_KEPT;
use rusqlite::Connection;

use super::directory::StoreError;
use super::query::{QueryError, number};
use super::sqlite::integer;
use crate::reservations::{PrivateMatch, Reserved};

/// Writes down what is wanted, unless the request was there before, and lets go of what is long over.
pub(super) fn reserve(
    connection: &Connection,
    wanted: &PrivateMatch,
    now_unix_ms: u64,
) -> Result<Reserved, QueryError> {
    let owner = integer("owner", wanted.owner.0)?;
    let kept_ms = PRIVATE_MATCH_KEPT.as_millis() as u64;
    connection
        .prepare_cached(
            "DELETE FROM private_matches WHERE owner = ?1
                AND match IN (SELECT id FROM matches WHERE ended_unix_ms < ?2)",
        )?
        .execute((owner, integer("now_unix_ms", now_unix_ms.saturating_sub(kept_ms))?))?;
    // A number for a client's own use: SQLite keeps its bits, and nobody sorts by it.
    let request = wanted.request.cast_signed();
    connection
        .prepare_cached(
            "INSERT INTO private_matches (owner, request, match, code) VALUES (?, ?, ?, ?)
             ON CONFLICT (owner, request) DO NOTHING",
        )?
        .execute((owner, request, wanted.match_id.to_string(), &wanted.code))?;
    let (match_id, code, was_made): (String, String, bool) = connection
        .prepare_cached(
            "SELECT match, code, EXISTS (SELECT 1 FROM matches WHERE matches.id = match)
             FROM private_matches WHERE owner = ? AND request = ?",
        )?
        .query_row((owner, request), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let match_id = match_id
        .parse()
        .map_err(|_| StoreError::Damaged { what: "private_matches.match", value: match_id })?;
    Ok(Reserved { match_id, code, was_made })
}

/// Which request led to a match, if it is private.
pub(super) fn find(
    connection: &Connection,
    id: MatchId,
) -> Result<Option<PrivateMatch>, QueryError> {
    let mut statement = connection
        .prepare_cached("SELECT owner, request, code FROM private_matches WHERE match = ?")?;
    let mut rows = statement.query([id.to_string()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let owner = PlayerId(number(row, 0, "private_matches.owner")?);
    let request = row.get::<_, i64>(1)?.cast_unsigned();
    Ok(Some(PrivateMatch { owner, request, match_id: id, code: row.get(2)? }))
}
