//! Retention: deleting the records of finished matches, oldest first, one bounded step at a time.
//!
//! Owns: which match is next, and the deletes. Must not know: results, beyond whether there is one; they are the
//! directory's and stay.

use matchkeep_shared::limits::JOURNAL_RETAIN_RECORDS_MAX;
use rusqlite::{Connection, OptionalExtension};

use super::{Failure, number};
use crate::journal::{Retained, Retention};

/// Deletes from the match that was finished first, if it is to go. A match that is deleted in part keeps
/// its place: what is left begins at `first_row`. One that the directory still has as running stays: its
/// result is in its journal alone.
pub(super) fn step(connection: &Connection, limits: &Retention) -> Result<Retained, Failure> {
    let oldest: Option<(i64, i64, i64, i64)> = connection
        .prepare_cached(
            "SELECT number, first_row, last_row, ended_unix_ms FROM journals INDEXED BY journals_finished
             WHERE state = 'finished'
                AND NOT EXISTS (SELECT 1 FROM matches
                    WHERE matches.id = journals.match AND matches.state = 'running')
             ORDER BY ended_unix_ms, number LIMIT 1",
        )?
        .query_row((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((journal, first_row, last_row, ended)) = oldest else {
        return Ok(Retained::default());
    };
    let age_ms = limits.now_unix_ms.saturating_sub(number("ended_unix_ms", ended)?);
    let is_old = u128::from(age_ms) > limits.age_max.as_millis();
    if !is_old && total_bytes(connection)? <= limits.bytes_max {
        return Ok(Retained::default());
    }

    let until = last_row.min(first_row.saturating_add(JOURNAL_RETAIN_RECORDS_MAX as i64 - 1));
    let range = (first_row, until, journal);
    let bytes: i64 = connection
        .prepare_cached(
            "SELECT coalesce(sum(bytes), 0) FROM journal_records
             WHERE row BETWEEN ? AND ? AND journal = ?",
        )?
        .query_row(range, |row| row.get(0))?;
    let records = connection
        .prepare_cached("DELETE FROM journal_records WHERE row BETWEEN ? AND ? AND journal = ?")?
        .execute(range)?;
    connection
        .prepare_cached("DELETE FROM journal_checkpoints WHERE journal = ? AND row <= ?")?
        .execute((journal, until))?;
    let is_done = until == last_row;
    connection
        .prepare_cached(
            "UPDATE journals SET first_row = ?, records = records - ?, bytes = bytes - ?,
                state = CASE WHEN ? THEN 'retired' ELSE state END
             WHERE number = ?",
        )?
        .execute((until + 1, records as i64, bytes, is_done, journal))?;
    Ok(Retained {
        matches: u64::from(is_done),
        records: records as u64,
        bytes: number("bytes", bytes)?,
        more: true,
    })
}

fn total_bytes(connection: &Connection) -> Result<u64, Failure> {
    let bytes: i64 = connection
        .prepare_cached(
            "SELECT coalesce(sum(bytes), 0) FROM journals
             WHERE state IN ('open', 'finished', 'quarantined')",
        )?
        .query_row((), |row| row.get(0))?;
    number("bytes", bytes)
}

#[cfg(test)]
mod tests;
