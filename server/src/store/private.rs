//! Private matches: which match a player's request led to, and what it is joined with.
//!
//! Owns: their SQL. Must not know: how codes are made, transactions; it runs in the caller's.

use matchkeep_shared::ids::MatchId;
use rusqlite::{Connection, OptionalExtension};

use super::directory::StoreError;
use super::query::QueryError;
use super::sqlite::integer;
use crate::reservations::{PrivateMatch, Reserved};

/// Writes down what is wanted, unless the request was there before.
pub(super) fn reserve(
    connection: &Connection,
    wanted: &PrivateMatch,
) -> Result<Reserved, QueryError> {
    let owner = integer("owner", wanted.owner.0)?;
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

/// What a match is joined with, if it is private.
pub(super) fn code(connection: &Connection, id: MatchId) -> Result<Option<String>, QueryError> {
    let code = connection
        .prepare_cached("SELECT code FROM private_matches WHERE match = ?")?
        .query_row([id.to_string()], |row| row.get(0))
        .optional()?;
    Ok(code)
}
