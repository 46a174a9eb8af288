//! Claims: the compare-and-set of a match's epoch, and the cut behind its last good record.
//!
//! Owns: those statements. Must not know: transactions; it runs in the caller's.

use matchkeep_shared::ids::Epoch;
use rusqlite::{Connection, OptionalExtension};

use super::append::Appender;
use super::{Failure, integer, number_of, unix_ms, why_refused};
use crate::journal::{Claim, Cut, Position, Refusal};

pub(super) fn claim(
    connection: &Connection,
    claim: &Claim,
) -> Result<Result<Epoch, Refusal>, Failure> {
    let epoch = claim.epoch();
    let number = match claim.expected {
        None => begin(connection, claim)?,
        Some(expected) => raise(connection, claim, expected)?,
    };
    let Some(number) = number else {
        let refusal = match claim.expected {
            Some(expected) => why_refused(connection, claim.match_id, expected)?,
            None => why_refused(connection, claim.match_id, Epoch(0))?,
        };
        return Ok(Err(refusal));
    };
    if let Some(cut) = claim.cut {
        set_aside(connection, number, epoch, cut)?;
    }
    let mut appender = Appender::new(connection)?;
    let mut numbers = [(claim.match_id, number)].into();
    for sealed in claim.records.iter() {
        if !appender.append(&mut numbers, &sealed)? {
            // The claim is durable with its record or not at all.
            return Err(Failure::damaged("claim.epoch", sealed.head.epoch));
        }
    }
    Ok(Ok(epoch))
}

/// A match that is not there yet.
fn begin(connection: &Connection, claim: &Claim) -> Result<Option<i64>, Failure> {
    let first_row: i64 = connection
        .prepare_cached("SELECT coalesce(max(row), 0) + 1 FROM journal_records")?
        .query_row((), |row| row.get(0))?;
    let inserted = connection
        .prepare_cached(
            "INSERT INTO journals (match, state, epoch, last_tick, first_row, last_row, records, bytes,
                incidents, set_aside, claimed_unix_ms)
             VALUES (?, 'open', ?, 0, ?, ?, 0, 0, 0, 0, ?)
             ON CONFLICT (match) DO NOTHING",
        )?
        .execute((
            claim.match_id.to_string(),
            claim.epoch().0,
            first_row,
            first_row,
            unix_ms(claim.unix_ms),
        ))?;
    Ok((inserted == 1).then(|| connection.last_insert_rowid()))
}

/// A match that is at the expected epoch, and where the claim cuts, at the expected end and with the record
/// that it keeps.
fn raise(connection: &Connection, claim: &Claim, expected: Epoch) -> Result<Option<i64>, Failure> {
    // A row that cannot be is one that is not there.
    let row = |position: Position| i64::try_from(position.0).unwrap_or(-1);
    let (keep, seen) = claim.cut.map(|cut| (row(cut.keep), row(cut.seen))).unzip();
    let raised = connection
        .prepare_cached(
            "UPDATE journals SET epoch = ?, claimed_unix_ms = ?
             WHERE match = ? AND epoch = ? AND state = 'open' AND last_row = coalesce(?, last_row)
                AND EXISTS (SELECT 1 FROM journal_records
                    WHERE row = coalesce(?, last_row) AND journal = journals.number)",
        )?
        .execute((
            claim.epoch().0,
            unix_ms(claim.unix_ms),
            claim.match_id.to_string(),
            expected.0,
            seen,
            keep,
        ))?;
    if raised == 0 { Ok(None) } else { number_of(connection, claim.match_id) }
}

/// Moves what lies behind the last good record, and sets the match's counts back to it.
fn set_aside(
    connection: &Connection,
    journal: i64,
    by_epoch: Epoch,
    cut: Cut,
) -> Result<(), Failure> {
    let (keep, seen) = (integer("keep", cut.keep.0)?, integer("seen", cut.seen.0)?);
    let moved = connection
        .prepare_cached(
            "INSERT INTO journal_set_aside (by_epoch, row, journal, number, kind, epoch, first_tick,
                last_tick, bytes, record)
             SELECT ?, row, journal, number, kind, epoch, first_tick, last_tick, bytes, record
             FROM journal_records WHERE row > ? AND row <= ? AND journal = ? ORDER BY row",
        )?
        .execute((by_epoch.0, keep, seen, journal))?;
    let (bytes, incidents): (i64, i64) = connection
        .prepare_cached(
            "SELECT coalesce(sum(bytes), 0), coalesce(sum(kind = 'incident'), 0)
             FROM journal_records WHERE row > ? AND row <= ? AND journal = ?",
        )?
        .query_row((keep, seen, journal), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let end: Option<(i64, i64)> = connection
        .prepare_cached(
            "SELECT number, last_tick FROM journal_records WHERE row = ? AND journal = ?",
        )?
        .query_row((keep, journal), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((number, tick)) = end else {
        return Err(Failure::damaged("claim.keep", cut.keep.0));
    };
    connection
        .prepare_cached("DELETE FROM journal_records WHERE row > ? AND row <= ? AND journal = ?")?
        .execute((keep, seen, journal))?;
    connection
        .prepare_cached("DELETE FROM journal_checkpoints WHERE journal = ? AND row > ?")?
        .execute((journal, keep))?;
    connection
        .prepare_cached(
            "UPDATE journals SET last_row = ?, last_tick = ?, records = ?, bytes = bytes - ?,
                incidents = incidents - ?, set_aside = set_aside + ?
             WHERE number = ?",
        )?
        .execute((keep, tick, number + 1, bytes, incidents, moved as i64, journal))?;
    Ok(())
}
