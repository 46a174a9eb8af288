//! The queue in SQLite.
//!
//! Owns: its statements, and the number of each change. Must not know: transactions.

use matchkeep_shared::ids::{MatchId, PlayerId};
use matchkeep_shared::limits::{
    QUEUE_CHANGES_MAX, QUEUE_FORGOTTEN_MAX, QUEUE_PROMISES_MAX, QUEUE_TICKETS_MAX,
};
use rusqlite::{Connection, OptionalExtension, Row};

use super::super::directory::StoreError;
use super::super::query::{QueryError, number};
use super::super::ratings;
use super::super::sqlite::integer;
use crate::matchmaking::{
    FormMatch, Formed, LobbyId, Member, NewTicket, Promised, QueueEnd, QueueState, QueueTicket,
    QueueTicketId, Queued, Taken,
};

const TICKET: &str = "
    SELECT id, mode, state, queued_unix_ms, ended_unix_ms, match, team, lobby, change
    FROM queue_tickets";
/// Whether none of a party has been in another one since.
const IS_NEWEST: &str = "
    NOT EXISTS (SELECT 1 FROM queue_members AS own JOIN queue_members AS newer
        ON newer.player = own.player AND newer.ticket > own.ticket
        WHERE own.ticket = queue_tickets.id)";

pub(in super::super) fn enqueue(
    connection: &Connection,
    new: &NewTicket,
) -> Result<Queued, QueryError> {
    let players = party(connection, &new.members)?;
    let mut waiting_of = connection
        .prepare_cached("SELECT ticket FROM queue_members WHERE player = ? AND waits = 1")?;
    let mut found = Vec::new();
    for player in &players {
        let ticket: Option<i64> = waiting_of.query_row([player], |row| row.get(0)).optional()?;
        found.extend(ticket);
    }
    if let Some(&id) = found.first() {
        let known = find(connection, id)?;
        return if is_same_party(&known.ticket, new) {
            Ok(known)
        } else {
            let waits = |member: &&Member| new.members.contains(&member.player);
            let member = known.ticket.members.iter().find(waits);
            let player = member.map(|member| member.name.clone()).unwrap_or_default();
            Err(StoreError::WaitsElsewhere { player, ticket: known.ticket.id }.into())
        };
    }
    if let Some(taken) = taken_before(connection, players[0], new)? {
        return Ok(taken);
    }
    let waiting: u64 = connection
        .prepare_cached("SELECT waiting FROM queue")?
        .query_row((), |row| row.get::<_, i64>(0))?
        .unsigned_abs();
    if waiting >= QUEUE_TICKETS_MAX {
        return Err(StoreError::QueueCrowded.into());
    }
    let queued = integer("queued_unix_ms", new.queued_unix_ms)?;
    let change = next_change(connection, 1)?;
    let id = connection
        .prepare_cached(
            "INSERT INTO queue_tickets (mode, state, queued_unix_ms, change)
             VALUES (?, 'waiting', ?, ?)",
        )?
        .insert((&new.mode, queued, change))?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO queue_members (ticket, position, player, waits) VALUES (?, ?, ?, 1)",
    )?;
    for (position, player) in players.iter().enumerate() {
        insert.execute((id, position as i64, player))?;
    }
    find(connection, id)
}

/// The same party, taken for a match that goes on, or that is promised.
fn taken_before(
    connection: &Connection,
    leader: i64,
    new: &NewTicket,
) -> Result<Option<Queued>, QueryError> {
    let newest = newest_of(connection, leader)?;
    let Some(known) = newest.map(|id| find(connection, id)).transpose()? else { return Ok(None) };
    let QueueState::Taken(taken) = known.state else { return Ok(None) };
    if new.done_with == Some(taken.match_id) || !is_same_party(&known.ticket, new) {
        return Ok(None);
    }
    let sql = "SELECT state = 'running' FROM matches WHERE id = ?";
    let mut statement = connection.prepare_cached(sql)?;
    let goes_on = statement.query_row([taken.match_id.to_string()], |row| row.get(0)).optional()?;
    Ok(goes_on.unwrap_or(true).then_some(known))
}

/// The party that a player was in last.
fn newest_of(connection: &Connection, player: i64) -> Result<Option<i64>, QueryError> {
    let sql = "SELECT ticket FROM queue_members WHERE player = ? ORDER BY ticket DESC LIMIT 1";
    Ok(connection.prepare_cached(sql)?.query_row([player], |row| row.get(0)).optional()?)
}

/// The players of a new party, each with an account and there once.
fn party(connection: &Connection, members: &[PlayerId]) -> Result<Vec<i64>, QueryError> {
    if members.is_empty() {
        return Err(StoreError::PartyInvalid { why: "nobody is in it".to_owned() }.into());
    }
    let mut account = connection.prepare_cached("SELECT 1 FROM players WHERE id = ?")?;
    let mut players: Vec<i64> = Vec::with_capacity(members.len());
    for player in members {
        let why = |why| StoreError::PartyInvalid { why: format!("player {player} {why}") };
        let id = i64::try_from(player.0).map_err(|_| why("has no account"))?;
        if players.contains(&id) {
            return Err(why("is in it twice").into());
        }
        if !account.exists([id])? {
            return Err(why("has no account").into());
        }
        players.push(id);
    }
    Ok(players)
}

/// The same mode, the same leader and the same others.
fn is_same_party(known: &QueueTicket, new: &NewTicket) -> bool {
    let of_known: Vec<PlayerId> = known.members.iter().map(|member| member.player).collect();
    let is_member = |player: &PlayerId| of_known.contains(player);
    known.mode == new.mode
        && of_known.first() == new.members.first()
        && of_known.len() == new.members.len()
        && new.members.iter().all(is_member)
}

pub(in super::super) fn cancel(
    connection: &Connection,
    id: QueueTicketId,
    end: QueueEnd,
    now_unix_ms: u64,
) -> Result<bool, QueryError> {
    let Ok(id) = integer("ticket", id.0) else { return Ok(false) };
    if state(connection, id)?.is_none_or(|(state, _)| state != "waiting") {
        return Ok(false);
    }
    let ended = integer("ended_unix_ms", now_unix_ms)?;
    let label = match end {
        QueueEnd::Cancelled => "cancelled",
        QueueEnd::GivenUp => "given_up",
    };
    let change = next_change(connection, -1)?;
    connection
        .prepare_cached(
            "UPDATE queue_tickets SET state = ?, ended_unix_ms = ?, change = ? WHERE id = ?",
        )?
        .execute((label, ended, change, id))?;
    wait_no_longer(connection, id)?;
    Ok(true)
}

pub(in super::super) fn form(
    connection: &Connection,
    form: &FormMatch,
) -> Result<Formed, QueryError> {
    let match_text = form.match_id.to_string();
    let ended = integer("ended_unix_ms", form.now_unix_ms)?;
    let (mut gone, mut wanted) = (Vec::new(), Vec::new());
    for placed in &form.tickets {
        let id = integer("ticket", placed.ticket.0).unwrap_or(-1);
        match state(connection, id)? {
            Some((state, _)) if state == "waiting" => wanted.push((id, placed.team)),
            // Written before, and the answer was lost.
            Some((state, of)) if state == "taken" && of.as_ref() == Some(&match_text) => {}
            _ => gone.push(placed.ticket),
        }
    }
    if !gone.is_empty() {
        return Ok(Formed::Refused { gone });
    }
    let mut take = connection.prepare_cached(
        "UPDATE queue_tickets
         SET state = 'taken', ended_unix_ms = ?, match = ?, team = ?, lobby = ?, change = ?
         WHERE id = ?",
    )?;
    for (id, team) in wanted {
        let change = next_change(connection, -1)?;
        // Which number a lobby has does not matter; SQLite's are signed.
        take.execute((ended, &match_text, team, form.lobby.0 as i64, change, id))?;
        wait_no_longer(connection, id)?;
    }
    Ok(Formed::Taken)
}

pub(in super::super) fn changes(
    connection: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<Queued>, QueryError> {
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let sql = format!("{TICKET} WHERE change > ? ORDER BY change LIMIT ?");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((after, limit.min(QUEUE_CHANGES_MAX) as i64))?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        changes.push(queued(connection, row)?);
    }
    Ok(changes)
}

/// For people: who waits, the longest first, and who did.
pub(in super::super) fn list(
    connection: &Connection,
    mode: Option<&str>,
    all: bool,
    limit: usize,
) -> Result<Vec<Queued>, QueryError> {
    let sql = format!(
        "{TICKET} WHERE (?1 IS NULL OR mode = ?1) AND (?2 OR state = 'waiting')
         ORDER BY state <> 'waiting', queued_unix_ms, id LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((mode, all, limit as i64))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(queued(connection, row)?);
    }
    Ok(found)
}

pub(in super::super) fn of_player(
    connection: &Connection,
    player: PlayerId,
) -> Result<Option<Queued>, QueryError> {
    let Ok(player) = integer("player", player.0) else { return Ok(None) };
    // A party that waits is newer than any that waited.
    newest_of(connection, player)?.map(|id| find(connection, id)).transpose()
}

pub(in super::super) fn promised(
    connection: &Connection,
    after: Option<MatchId>,
) -> Result<Vec<Promised>, QueryError> {
    // A match without one of its parties would split who plays together: whole matches are counted, not parties. What
    // somebody looked for after it is what they have now: for them the promise is over.
    let sql = format!(
        "{TICKET} WHERE state = 'taken' AND {IS_NEWEST} AND match IN (
            SELECT DISTINCT match FROM queue_tickets
            WHERE state = 'taken' AND (?1 IS NULL OR match > ?1)
                AND NOT EXISTS (SELECT 1 FROM matches WHERE matches.id = queue_tickets.match)
                AND {IS_NEWEST}
            ORDER BY match LIMIT ?2)
         ORDER BY match, id"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let after = after.map(|after| after.to_string());
    let mut rows = statement.query((after, QUEUE_PROMISES_MAX as i64))?;
    let mut promised: Vec<Promised> = Vec::new();
    while let Some(row) = rows.next()? {
        let Queued { ticket, state, .. } = queued(connection, row)?;
        let QueueState::Taken(Taken { match_id, team, lobby, unix_ms }) = state else { continue };
        match promised.last_mut().filter(|known| known.match_id == match_id) {
            Some(known) => known.tickets.push((ticket, team)),
            None => {
                let tickets = vec![(ticket, team)];
                promised.push(Promised { match_id, lobby, unix_ms, tickets });
            }
        }
    }
    Ok(promised)
}

pub(in super::super) fn forget(
    connection: &Connection,
    before_unix_ms: u64,
) -> Result<u64, QueryError> {
    let before = i64::try_from(before_unix_ms).unwrap_or(i64::MAX);
    let mut old = connection.prepare_cached(
        "SELECT id FROM queue_tickets WHERE state <> 'waiting' AND ended_unix_ms < ?
         ORDER BY ended_unix_ms LIMIT ?",
    )?;
    let ids: Vec<i64> = old
        .query_map((before, QUEUE_FORGOTTEN_MAX as i64), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in &ids {
        connection.prepare_cached("DELETE FROM queue_members WHERE ticket = ?")?.execute([id])?;
        connection.prepare_cached("DELETE FROM queue_tickets WHERE id = ?")?.execute([id])?;
    }
    Ok(ids.len() as u64)
}

/// The next change's number; `waiting` more wait after it.
fn next_change(connection: &Connection, waiting: i64) -> Result<i64, QueryError> {
    let sql = "UPDATE queue SET change = change + 1, waiting = waiting + ? RETURNING change";
    Ok(connection.prepare_cached(sql)?.query_row([waiting], |row| row.get(0))?)
}

fn wait_no_longer(connection: &Connection, id: i64) -> Result<(), QueryError> {
    let sql = "UPDATE queue_members SET waits = 0 WHERE ticket = ?";
    connection.prepare_cached(sql)?.execute([id])?;
    Ok(())
}

/// A party's state and match.
fn state(connection: &Connection, id: i64) -> Result<Option<(String, Option<String>)>, QueryError> {
    let sql = "SELECT state, match FROM queue_tickets WHERE id = ?";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

fn find(connection: &Connection, id: i64) -> Result<Queued, QueryError> {
    let mut statement = connection.prepare_cached(&format!("{TICKET} WHERE id = ?"))?;
    let mut rows = statement.query([id])?;
    match rows.next()? {
        Some(row) => queued(connection, row),
        None => {
            let value = id.to_string();
            Err(StoreError::Damaged { what: "queue_members.ticket", value }.into())
        }
    }
}

/// A row of [`TICKET`] with its members.
fn queued(connection: &Connection, row: &Row<'_>) -> Result<Queued, QueryError> {
    let id = QueueTicketId(number(row, 0, "queue_tickets.id")?);
    let mode: String = row.get(1)?;
    let state = match row.get::<_, String>(2)?.as_str() {
        "waiting" => QueueState::Waiting,
        "cancelled" => QueueState::Cancelled,
        "given_up" => QueueState::GivenUp,
        _ => QueueState::Taken(taken(row)?),
    };
    let mut statement = connection.prepare_cached(
        "SELECT player, name FROM queue_members JOIN players ON players.id = player
         WHERE ticket = ? ORDER BY position",
    )?;
    let mut rows = statement.query([row.get::<_, i64>(0)?])?;
    let mut members = Vec::new();
    while let Some(row) = rows.next()? {
        let player = PlayerId(number(row, 0, "queue_members.player")?);
        let rating = ratings::read(connection, &mode, player)?;
        members.push(Member { player, name: row.get(1)?, rating });
    }
    let queued_unix_ms = number(row, 3, "queue_tickets.queued_unix_ms")?;
    let ticket = QueueTicket { id, mode, members, queued_unix_ms };
    Ok(Queued { ticket, state, change: number(row, 8, "queue_tickets.change")? })
}

fn taken(row: &Row<'_>) -> Result<Taken, QueryError> {
    let text: String = row.get(5)?;
    let match_id: Result<MatchId, _> = text.parse();
    Ok(Taken {
        match_id: match_id
            .map_err(|_| StoreError::Damaged { what: "queue_tickets.match", value: text })?,
        team: match row.get::<_, Option<i64>>(6)? {
            Some(_) => Some(number(row, 6, "queue_tickets.team")?),
            None => None,
        },
        lobby: LobbyId(row.get::<_, i64>(7)? as u64),
        unix_ms: number(row, 4, "queue_tickets.ended_unix_ms")?,
    })
}
