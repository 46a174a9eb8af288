//! Reading journals, the same for the writer and for readers.
//!
//! Owns: the SELECTs, and reading many matches in one pass. Must not know: who asks.

use std::collections::HashMap;
use std::ops::ControlFlow;

use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::time::Tick;
use rusqlite::{Connection, OptionalExtension, Row};

use super::{Failure, integer, number, number_of, position};
use crate::journal::{
    JournalEntry, JournalError, JournalState, Kind, Label, Load, LoadFrom, Position, Stored,
};

const ENTRY: &str = "
    SELECT match, state, epoch, last_tick,
        (SELECT max(tick) FROM journal_checkpoints WHERE journal = journals.number),
        last_row, records, bytes, set_aside, incidents, ended_unix_ms, why
    FROM journals";

const RECORDS: &str = "
    SELECT row, journal, number, kind, epoch, first_tick, last_tick, record
    FROM journal_records WHERE row BETWEEN ? AND ? ORDER BY row";

/// Reads by a connection.
pub(super) struct Reader<'a> {
    pub(super) connection: &'a Connection,
    pub(super) database: &'a str,
}

/// One match in a pass over the records.
struct Wanted {
    match_id: MatchId,
    header_row: i64,
    from_row: i64,
    last_row: i64,
}

impl Reader<'_> {
    pub(super) fn load(
        &self,
        wanted: &[Load],
        each: &mut dyn FnMut(&Stored<'_>) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.consistent(|connection| load(connection, wanted, each))
    }

    pub(super) fn load_after(
        &self,
        match_id: MatchId,
        after: Position,
        each: &mut dyn FnMut(&Stored<'_>) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.consistent(|connection| {
            let load = Load { match_id, from: LoadFrom::Beginning };
            let Some((number, found)) = find(connection, &load)? else { return Ok(()) };
            // Whoever asks may name a position that no record can have: behind it there is nothing.
            let Ok(first) = i64::try_from(after.0.saturating_add(1)) else { return Ok(()) };
            let mut one = connection.prepare_cached(RECORDS)?;
            let mut rows = one.query((first, found.last_row))?;
            while let Some(row) = rows.next()? {
                let (at, journal): (i64, i64) = (row.get(0)?, row.get(1)?);
                if journal == number && each(&stored(row, match_id, at)?).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    pub(super) fn list(
        &self,
        state: Option<JournalState>,
        each: &mut dyn FnMut(JournalEntry),
    ) -> Result<(), JournalError> {
        self.consistent(|connection| {
            let condition = if state.is_some() { "state = ?" } else { "?1 IS NULL" };
            let sql = format!("{ENTRY} WHERE {condition} ORDER BY number");
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([state.map(JournalState::label)])?;
            while let Some(row) = rows.next()? {
                each(entry(row)?);
            }
            Ok(())
        })
    }

    pub(super) fn list_after(
        &self,
        after: Option<MatchId>,
        limit: usize,
        each: &mut dyn FnMut(JournalEntry),
    ) -> Result<(), JournalError> {
        self.consistent(|connection| {
            let from = match after {
                None => Some(0),
                Some(after) => number_of(connection, after)?,
            };
            let sql = format!("{ENTRY} WHERE number > ? ORDER BY number LIMIT ?");
            let mut statement = connection.prepare_cached(&sql)?;
            // Nothing is greater than nothing.
            let mut rows = statement.query((from, limit as i64))?;
            while let Some(row) = rows.next()? {
                each(entry(row)?);
            }
            Ok(())
        })
    }

    pub(super) fn entry(&self, match_id: MatchId) -> Result<Option<JournalEntry>, JournalError> {
        self.consistent(|connection| {
            let mut statement = connection.prepare_cached(&format!("{ENTRY} WHERE match = ?"))?;
            let mut rows = statement.query([match_id.to_string()])?;
            rows.next()?.map(entry).transpose()
        })
    }

    /// Reads in one transaction: a flush that comes meanwhile is seen whole or not at all.
    fn consistent<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, JournalError> {
        let read_all = || {
            let transaction = self.connection.unchecked_transaction()?;
            read(&transaction)
        };
        read_all().map_err(|failure| failure.into_error(self.database))
    }
}

fn entry(row: &Row<'_>) -> Result<JournalEntry, Failure> {
    let id: String = row.get(0)?;
    let state: String = row.get(1)?;
    let state = JournalState::from_label(&state)
        .ok_or_else(|| Failure::damaged("journals.state", state))?;
    let optional = |what, value: Option<i64>| value.map(|value| number(what, value)).transpose();
    let records = number("records", row.get(6)?)?;
    Ok(JournalEntry {
        match_id: id.parse().map_err(|_| Failure::damaged("journals.match", id))?,
        state,
        epoch: Epoch(row.get(2)?),
        tick: Tick(number("last_tick", row.get(3)?)?),
        checkpoint: optional("tick", row.get(4)?)?.map(Tick),
        end: if records == 0 { None } else { Some(position(row.get(5)?)?) },
        records,
        bytes: number("bytes", row.get(7)?)?,
        set_aside: number("set_aside", row.get(8)?)?,
        incidents: number("incidents", row.get(9)?)?,
        ended_unix_ms: optional("ended_unix_ms", row.get(10)?)?,
        why: row.get(11)?,
    })
}

fn load(
    connection: &Connection,
    loads: &[Load],
    each: &mut dyn FnMut(&Stored<'_>) -> ControlFlow<()>,
) -> Result<(), Failure> {
    let mut wanted = HashMap::new();
    for load in loads {
        if let Some((number, found)) = find(connection, load)? {
            wanted.insert(number, found);
        }
    }
    let mut one = connection.prepare_cached(RECORDS)?;
    // The headers of those that are read from a checkpoint lie before it.
    let mut headers: Vec<i64> = wanted.values().map(|found| found.header_row).collect();
    headers.sort_unstable();
    let mut spans: Vec<(i64, i64)> = headers.into_iter().map(|row| (row, row)).collect();
    spans.extend(joined(&wanted));
    let mut is_header_pass = wanted.len();
    for (first, last) in spans {
        let headers_only = is_header_pass > 0;
        is_header_pass = is_header_pass.saturating_sub(1);
        let mut rows = one.query((first, last))?;
        while let Some(row) = rows.next()? {
            let (at, journal): (i64, i64) = (row.get(0)?, row.get(1)?);
            let Some(found) = wanted.get(&journal) else { continue };
            let is_header = at == found.header_row;
            let is_body = at >= found.from_row && at <= found.last_row && !is_header;
            let is_due = if headers_only { is_header } else { is_body };
            if is_due && each(&stored(row, found.match_id, at)?).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Where a match's records lie; `None` for a match without.
fn find(connection: &Connection, load: &Load) -> Result<Option<(i64, Wanted)>, Failure> {
    let found: Option<(i64, i64, i64, i64)> = connection
        .prepare_cached(
            "SELECT number, first_row, last_row, records FROM journals WHERE match = ?",
        )?
        .query_row([load.match_id.to_string()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((number, first_row, last_row, records)) = found else { return Ok(None) };
    if records == 0 {
        return Ok(None);
    }
    let mut from_row = first_row;
    if let LoadFrom::Checkpoint(tick) = load.from {
        let tick = integer("tick", tick.0).unwrap_or(i64::MAX);
        let checkpoint: Option<i64> = connection
            .prepare_cached(
                "SELECT row FROM journal_checkpoints WHERE journal = ? AND tick <= ?
                 ORDER BY tick DESC, row DESC LIMIT 1",
            )?
            .query_row((number, tick), |row| row.get(0))
            .optional()?;
        from_row = checkpoint.unwrap_or(first_row);
    }
    let match_id = load.match_id;
    Ok(Some((number, Wanted { match_id, header_row: first_row, from_row, last_row })))
}

/// The rows to read, as few spans as possible: what lies between two of them belongs to nobody who is
/// wanted.
fn joined(wanted: &HashMap<i64, Wanted>) -> Vec<(i64, i64)> {
    let mut spans: Vec<_> = wanted.values().map(|found| (found.from_row, found.last_row)).collect();
    spans.sort_unstable();
    spans.dedup_by(|next, before| {
        let touch = next.0 <= before.1 + 1;
        if touch {
            before.1 = before.1.max(next.1);
        }
        touch
    });
    spans
}

/// A row as it is. What cannot be is passed on as something the record is not: that is found when the two
/// are compared, and one damaged row keeps nobody else's from being read.
fn stored<'a>(row: &'a Row<'_>, match_id: MatchId, at: i64) -> Result<Stored<'a>, Failure> {
    let number = |column| row.get::<_, i64>(column).unwrap_or(-1) as u64;
    let kind = row.get_ref(3)?.as_str().ok().and_then(Kind::from_label);
    let label = Label {
        number: number(2),
        kind: kind.unwrap_or(Kind::Header),
        epoch: Epoch(number(4) as u32),
        first: Tick(number(5)),
        last: Tick(number(6)),
    };
    let bytes = row.get_ref(7)?.as_blob().unwrap_or_default();
    Ok(Stored { match_id, position: position(at)?, label, bytes })
}
