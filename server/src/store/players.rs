//! Players as operators see them, in `matches.db`: who they are, whether they may play.
//!
//! Owns: the accounts of identity providers, and reading what was decided about whom; deciding is [`PlayerBook`]'s.
//! Must not know: tokens, sessions, and whether a server runs.

mod book;

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::PlayerId;
use matchkeep_shared::limits::{BAN_REASON_BYTES_MAX, BARRED_MAX, LIST_ROWS_MAX};
use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};

use super::directory::StoreError;
use super::query::{QueryError, number};
use super::sqlite::integer;
use crate::accounts::{Account, Ban, Bar, Barred, Standing};

pub use book::PlayerBook;

/// A player as operators see one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlayerRow {
    /// The account.
    pub player: u64,
    /// Its name; of one that an identity provider vouches for, the name shown last.
    pub name: String,
    /// The provider's own name for the player, where there is a provider.
    pub subject: Option<String>,
    /// The provider.
    pub issuer: Option<String>,
    /// When the account was made, in milliseconds of Unix time.
    pub created_unix_ms: u64,
    /// Matches that the player has a result of.
    pub matches: u64,
    /// Why the player is banned, if so.
    pub banned: Option<String>,
    /// Until when, in milliseconds of Unix time, where the ban ends by itself.
    pub banned_until_unix_ms: Option<u64>,
    /// What was shown before this, in milliseconds of Unix time, is no longer believed.
    pub revoked_unix_ms: Option<u64>,
}

/// Why a player was not found or not changed. Nothing was changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlayerError {
    /// No account is called that.
    #[error(
        "there is no player `{0}`: name the account's number, its name, or what its identity provider calls it"
    )]
    Unknown(String),
    /// Several are.
    #[error("`{name}` may be any of the players {numbers}: name the number of one")]
    Ambiguous {
        /// As it was asked for.
        name: String,
        /// Whose it may be.
        numbers: String,
    },
    /// Why somebody is banned must be said in a few words.
    #[error(
        "the reason has {0} bytes: 1 to {BAN_REASON_BYTES_MAX} are allowed, for the player reads it"
    )]
    Reason(usize),
    /// There is no ban to lift.
    #[error("the player {0} is not banned")]
    NotBanned(PlayerId),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The account of whom a provider calls `subject`; a new one where there is none. The name to show is noted.
pub(super) fn identified(
    connection: &Connection,
    issuer: &str,
    subject: &str,
    name: &str,
    now_unix_ms: u64,
) -> Result<PlayerId, QueryError> {
    let found: Option<(i64, String)> = connection
        .prepare_cached("SELECT player, name FROM identities WHERE issuer = ? AND subject = ?")?
        .query_row((issuer, subject), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let id = match found {
        Some((id, known)) => {
            if known != name {
                connection
                    .prepare_cached("UPDATE identities SET name = ? WHERE player = ?")?
                    .execute((name, id))?;
            }
            id
        }
        None => {
            // No player can say a name with a line break in it: it is nobody else's.
            let account = format!("{subject}\n{issuer}");
            let created = integer("created_unix_ms", now_unix_ms)?;
            let id = connection
                .prepare_cached("INSERT INTO players (name, created_unix_ms) VALUES (?, ?)")?
                .insert((account, created))?;
            connection
                .prepare_cached(
                    "INSERT INTO identities (issuer, subject, player, name) VALUES (?, ?, ?, ?)",
                )?
                .execute((issuer, subject, id, name))?;
            id
        }
    };
    player(id)
}

/// An account with what operators decided about it.
pub(super) fn account(
    connection: &Connection,
    id: PlayerId,
    now_unix_ms: u64,
) -> Result<Account, QueryError> {
    let (player, now) = (integer("player", id.0)?, integer("now_unix_ms", now_unix_ms)?);
    let ban = connection
        .prepare_cached(
            "SELECT reason, until_unix_ms FROM bans
             WHERE player = ?1 AND lifted_unix_ms IS NULL AND (until_unix_ms IS NULL OR until_unix_ms > ?2)
             ORDER BY until_unix_ms IS NULL DESC, until_unix_ms DESC LIMIT 1",
        )?
        .query_row((player, now), |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<i64>>(1)?)))
        .optional()?;
    let ban =
        ban.map(|(reason, until)| Ban { reason, until_unix_ms: until.map(i64::cast_unsigned) });
    let revoked_unix_ms = connection
        .prepare_cached("SELECT unix_ms FROM revocations WHERE player = ?")?
        .query_row([player], |row| row.get::<_, i64>(0))
        .optional()?
        .map(i64::cast_unsigned);
    Ok(Account { player: id, standing: Standing { ban, revoked_unix_ms } })
}

/// Who was banned, and is, or revoked since this moment: of these tickets and tokens may still be about.
pub(super) fn barred(
    connection: &Connection,
    since_unix_ms: u64,
    now_unix_ms: u64,
) -> Result<Barred, QueryError> {
    let (since, now) = (integer("since", since_unix_ms)?, integer("now", now_unix_ms)?);
    let mut barred = Barred::new();
    let mut revoked = connection.prepare_cached(
        "SELECT player, unix_ms FROM revocations WHERE unix_ms >= ? ORDER BY unix_ms DESC LIMIT ?",
    )?;
    let mut rows = revoked.query((since, BARRED_MAX as i64))?;
    while let Some(row) = rows.next()? {
        let since_unix_ms = number(row, 1, "unix_ms")?;
        let bar = Bar { reason: DisconnectReason::IdentityRevoked, since_unix_ms };
        barred.insert(player(row.get(0)?)?, bar);
    }
    let mut banned = connection.prepare_cached(
        "SELECT player, made_unix_ms FROM bans
         WHERE made_unix_ms >= ?1 AND lifted_unix_ms IS NULL AND (until_unix_ms IS NULL OR until_unix_ms > ?2)
         ORDER BY made_unix_ms DESC LIMIT ?3",
    )?;
    let mut rows = banned.query((since, now, BARRED_MAX as i64))?;
    while let Some(row) = rows.next()? {
        let since_unix_ms = number(row, 1, "made_unix_ms")?;
        let bar = Bar { reason: DisconnectReason::Banned, since_unix_ms };
        barred.insert(player(row.get(0)?)?, bar);
    }
    Ok(barred)
}

const ROWS: &str = "
    SELECT players.id, coalesce(identities.name, players.name), identities.subject, identities.issuer,
        players.created_unix_ms,
        (SELECT count(DISTINCT match) FROM match_players WHERE match_players.player = players.id)
    FROM players LEFT JOIN identities ON identities.player = players.id";

/// The player somebody means: by number, by name, or by what the provider says.
pub(super) fn find(
    connection: &Connection,
    name: &str,
    now_unix_ms: u64,
) -> Result<Result<PlayerRow, PlayerError>, QueryError> {
    let number: Option<i64> = name.parse().ok();
    let mut statement = connection.prepare(&format!(
        "{ROWS} WHERE players.id = ?1 OR players.name = ?2 OR identities.name = ?2 OR identities.subject = ?2
         ORDER BY players.id IS ?1 DESC, players.id LIMIT 10"
    ))?;
    let mut rows = statement.query((number, name))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read_row(connection, row, now_unix_ms)?);
    }
    Ok(match found.as_slice() {
        [] => Err(PlayerError::Unknown(name.chars().take(64).collect())),
        [only] => Ok(only.clone()),
        // A number is meant as one.
        [first, ..] if number.is_some_and(|number| number.cast_unsigned() == first.player) => {
            Ok(first.clone())
        }
        several => {
            let numbers: Vec<String> = several.iter().map(|row| row.player.to_string()).collect();
            Err(PlayerError::Ambiguous { name: name.to_owned(), numbers: numbers.join(", ") })
        }
    })
}

/// Players, the newest first; those before `before`, and only the banned ones where these are wanted.
pub(super) fn list(
    connection: &Connection,
    before: Option<u64>,
    limit: usize,
    banned: bool,
    now_unix_ms: u64,
) -> Result<Vec<PlayerRow>, QueryError> {
    let before = before.map_or(Ok(i64::MAX), |before| integer("before", before))?;
    let now = integer("now_unix_ms", now_unix_ms)?;
    let mut statement = connection.prepare(&format!(
        "{ROWS} WHERE players.id < ?1 AND (NOT ?2 OR EXISTS (
            SELECT 1 FROM bans WHERE bans.player = players.id AND lifted_unix_ms IS NULL
                AND (until_unix_ms IS NULL OR until_unix_ms > ?3)))
         ORDER BY players.id DESC LIMIT ?4"
    ))?;
    let mut rows = statement.query((before, banned, now, limit.min(LIST_ROWS_MAX) as i64))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read_row(connection, row, now_unix_ms)?);
    }
    Ok(found)
}

fn read_row(
    connection: &Connection,
    row: &Row<'_>,
    now_unix_ms: u64,
) -> Result<PlayerRow, QueryError> {
    let id = player(row.get(0)?)?;
    let Standing { ban, revoked_unix_ms } = account(connection, id, now_unix_ms)?.standing;
    Ok(PlayerRow {
        player: id.0,
        name: row.get(1)?,
        subject: row.get(2)?,
        issuer: row.get(3)?,
        created_unix_ms: number(row, 4, "created_unix_ms")?,
        matches: number(row, 5, "matches")?,
        banned_until_unix_ms: ban.as_ref().and_then(|ban| ban.until_unix_ms),
        banned: ban.map(|ban| ban.reason),
        revoked_unix_ms,
    })
}

fn player(id: i64) -> Result<PlayerId, QueryError> {
    let id = u64::try_from(id)
        .map_err(|_| StoreError::Damaged { what: "players.id", value: id.to_string() })?;
    Ok(PlayerId(id))
}

#[cfg(test)]
mod tests;
