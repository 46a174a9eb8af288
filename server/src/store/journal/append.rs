//! Appending records, each under the epoch it names.
//!
//! Owns: those statements; the check of the epoch is in one of them. Must not know: transactions; it runs
//! in the caller's.

use std::collections::HashMap;

use matchkeep_shared::ids::MatchId;
use rusqlite::{CachedStatement, Connection};

use super::{Failure, integer, number_of, unix_ms, why_refused};
use crate::journal::{Batch, Kind, Refusal, Sealed};

/// Appends a batch; gives the matches of which nothing was taken.
pub(super) fn append(
    connection: &Connection,
    numbers: &mut HashMap<MatchId, i64>,
    batch: &Batch,
) -> Result<Vec<(MatchId, Refusal)>, Failure> {
    let mut appender = Appender::new(connection)?;
    let mut refused: Vec<(MatchId, Refusal)> = Vec::new();
    for sealed in batch.iter() {
        let match_id = sealed.head.match_id;
        if refused.iter().any(|(refused, _)| *refused == match_id) {
            continue;
        }
        if !appender.append(numbers, &sealed)? {
            // The first record of a match in a batch decides for all of them: within the transaction
            // nobody else changes its epoch, and a chain makes one after the other.
            refused.push((match_id, why_refused(connection, match_id, sealed.head.epoch)?));
        }
    }
    Ok(refused)
}

/// The statements of an append.
pub(super) struct Appender<'a> {
    connection: &'a Connection,
    next_row: i64,
    /// The check of the epoch: changes nothing where it is another, where the match is closed, or where
    /// the record is not the next one.
    advance: CachedStatement<'a>,
    insert: CachedStatement<'a>,
    checkpoint: CachedStatement<'a>,
}

impl<'a> Appender<'a> {
    pub(super) fn new(connection: &'a Connection) -> Result<Self, Failure> {
        let next_row = connection
            .prepare_cached("SELECT coalesce(max(row), 0) + 1 FROM journal_records")?
            .query_row((), |row| row.get(0))?;
        Ok(Self {
            connection,
            next_row,
            advance: connection.prepare_cached(
                "UPDATE journals SET last_row = ?3, last_tick = max(last_tick, ?4),
                    records = records + 1, bytes = bytes + ?5, incidents = incidents + ?6
                 WHERE number = ?1 AND epoch = ?2 AND state = 'open' AND records = ?7",
            )?,
            insert: connection.prepare_cached(
                "INSERT INTO journal_records
                    (row, journal, number, kind, epoch, first_tick, last_tick, bytes, record)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?,
            checkpoint: connection.prepare_cached(
                "INSERT INTO journal_checkpoints (journal, tick, row) VALUES (?, ?, ?)",
            )?,
        })
    }

    /// Appends a record if its epoch is its match's; says whether it was.
    pub(super) fn append(
        &mut self,
        numbers: &mut HashMap<MatchId, i64>,
        sealed: &Sealed<'_>,
    ) -> Result<bool, Failure> {
        let head = sealed.head;
        let number = match numbers.get(&head.match_id) {
            Some(number) => *number,
            None => {
                let Some(number) = number_of(self.connection, head.match_id)? else {
                    return Ok(false);
                };
                numbers.insert(head.match_id, number);
                number
            }
        };
        let last_tick = match head.kind {
            Kind::Incident => 0,
            _ => integer("last_tick", head.last.0)?,
        };
        let is_incident = i64::from(head.kind == Kind::Incident);
        let (row, bytes) = (self.next_row, sealed.bytes.len() as i64);
        let advanced = self.advance.execute((
            number,
            head.epoch.0,
            row,
            last_tick,
            bytes,
            is_incident,
            integer("number", head.number)?,
        ))?;
        if advanced == 0 {
            return Ok(false);
        }
        self.insert(number, sealed)?;
        if head.kind == Kind::Finish {
            let ended = unix_ms(sealed.ended_unix_ms.unwrap_or(0));
            self.connection
                .prepare_cached(
                    "UPDATE journals SET state = 'finished', ended_unix_ms = ? WHERE number = ?",
                )?
                .execute((ended, number))?;
            numbers.remove(&head.match_id);
        }
        Ok(true)
    }

    /// Inserts the row alone.
    fn insert(&mut self, number: i64, sealed: &Sealed<'_>) -> Result<(), Failure> {
        let head = sealed.head;
        let row = self.next_row;
        self.insert.execute((
            row,
            number,
            integer("number", head.number)?,
            head.kind.label(),
            head.epoch.0,
            integer("first_tick", head.first.0)?,
            integer("last_tick", head.last.0)?,
            sealed.bytes.len() as i64,
            sealed.bytes,
        ))?;
        if head.kind == Kind::Checkpoint {
            self.checkpoint.execute((number, integer("tick", head.last.0)?, row))?;
        }
        self.next_row += 1;
        Ok(())
    }
}
