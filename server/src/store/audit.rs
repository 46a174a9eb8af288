//! The audit log: every change that was asked for, by whom, and what came of it.
//!
//! Owns: the shape of a row, and its SQL. Must not know: who may ask for what, and when a row is written.

use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::{AUDIT_ROWS_MAX, LIST_ROWS_MAX};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::directory::StoreError;
use super::query::{QueryError, number};
use super::sqlite::integer;
use crate::access::COMMAND_LINE;

/// What came of a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuditOutcome {
    /// It was carried out.
    Done,
    /// It was not.
    Refused,
    /// Nobody knows: no answer came in time, or the process ended first.
    Unknown,
}

impl AuditOutcome {
    /// Its name.
    pub fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }

    fn from_label(label: &str) -> Option<Self> {
        let all = [Self::Done, Self::Refused, Self::Unknown];
        all.into_iter().find(|outcome| outcome.label() == label)
    }
}

/// A change that somebody asked for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditEntry {
    /// When, in milliseconds of Unix time.
    pub unix_ms: u64,
    /// A token's name, `loopback` or `command line`.
    pub who: String,
    /// The change's name: `say`, `kick`, `pause`, `resume`, `end`, `token make`, `token revoke`.
    pub what: String,
    /// The match it was about.
    #[serde(rename = "match", with = "optional_id")]
    #[schema(value_type = Option<String>)]
    pub match_id: Option<MatchId>,
    /// What was asked for in particular.
    pub arguments: Value,
    /// What came of it.
    pub outcome: AuditOutcome,
    /// Why, where it was not carried out.
    pub why: Option<String>,
}

/// A row of the log.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditRow {
    /// Its place in the log; a later one has a higher one.
    pub number: u64,
    /// What it says.
    #[serde(flatten)]
    pub entry: AuditEntry,
}

/// Which rows are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditFilter {
    /// At most so many.
    pub limit: usize,
    /// Only those below this number.
    pub before: Option<u64>,
}

/// By which an entry is found again when its outcome is known: a random number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AuditKey(pub u64);

impl AuditKey {
    /// SQLite's integers are signed; which number it is does not matter.
    fn stored(self) -> i64 {
        self.0 as i64
    }
}

/// Notes that something was done from the command line, in the transaction in which it is done.
pub(super) fn note(
    connection: &Connection,
    what: &str,
    arguments: Value,
    now_unix_ms: u64,
) -> Result<(), QueryError> {
    let entry = AuditEntry {
        unix_ms: now_unix_ms,
        who: COMMAND_LINE.to_owned(),
        what: what.to_owned(),
        match_id: None,
        arguments,
        outcome: AuditOutcome::Done,
        why: None,
    };
    // Nothing refers to it later, so any number does that no other row has.
    let key: i64 = connection.query_row("SELECT random()", (), |row| row.get(0))?;
    add(connection, AuditKey(key as u64), &entry)
}

/// Adds a row, and lets go of those that are too many.
pub(super) fn add(
    connection: &Connection,
    key: AuditKey,
    entry: &AuditEntry,
) -> Result<(), QueryError> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO audit (key, unix_ms, who, what, match, arguments, outcome, why)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let number = insert.insert((
        key.stored(),
        integer("unix_ms", entry.unix_ms)?,
        &entry.who,
        &entry.what,
        entry.match_id.map(|id| id.to_string()),
        entry.arguments.to_string(),
        entry.outcome.label(),
        &entry.why,
    ))?;
    let too_many = number - AUDIT_ROWS_MAX as i64;
    if too_many > 0 {
        let mut delete = connection.prepare_cached("DELETE FROM audit WHERE number <= ?")?;
        delete.execute([too_many])?;
    }
    Ok(())
}

/// Notes what came of an entry.
pub(super) fn settle(
    connection: &Connection,
    key: AuditKey,
    outcome: AuditOutcome,
    why: Option<&str>,
) -> Result<(), QueryError> {
    let sql = "UPDATE audit SET outcome = ?, why = ? WHERE key = ?";
    connection.prepare_cached(sql)?.execute((outcome.label(), why, key.stored()))?;
    Ok(())
}

/// Rows, newest first.
pub(super) fn list(
    connection: &Connection,
    filter: &AuditFilter,
) -> Result<Vec<AuditRow>, QueryError> {
    let before = filter.before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
    let mut statement = connection.prepare(
        "SELECT number, unix_ms, who, what, match, arguments, outcome, why FROM audit
         WHERE number < ? ORDER BY number DESC LIMIT ?",
    )?;
    let mut rows = statement.query((before, filter.limit.min(LIST_ROWS_MAX) as i64))?;
    let mut list = Vec::new();
    while let Some(row) = rows.next()? {
        let damaged = |what, value: &str| StoreError::Damaged { what, value: value.to_owned() };
        let id: Option<String> = row.get(4)?;
        let id = id.map(|id| id.parse().map_err(|_| damaged("audit.match", &id))).transpose()?;
        let arguments: String = row.get(5)?;
        let outcome: String = row.get(6)?;
        let entry = AuditEntry {
            unix_ms: number(row, 1, "audit.unix_ms")?,
            who: row.get(2)?,
            what: row.get(3)?,
            match_id: id,
            arguments: serde_json::from_str(&arguments)
                .map_err(|_| damaged("audit.arguments", &arguments))?,
            outcome: AuditOutcome::from_label(&outcome)
                .ok_or_else(|| damaged("audit.outcome", &outcome))?,
            why: row.get(7)?,
        };
        list.push(AuditRow { number: number(row, 0, "audit.number")?, entry });
    }
    Ok(list)
}

/// A match's ID as text, where there is one.
mod optional_id {
    use matchkeep_shared::ids::MatchId;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        id: &Option<MatchId>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        id.map(|id| id.to_string()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<MatchId>, D::Error> {
        let id = Option::<String>::deserialize(deserializer)?;
        id.map(|id| id.parse().map_err(D::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{History, SqliteDirectory, Store};
    use super::*;

    fn entry(what: &str) -> AuditEntry {
        AuditEntry {
            unix_ms: 7,
            who: "ada".to_owned(),
            what: what.to_owned(),
            match_id: Some(MatchId(5)),
            arguments: json!({ "text": "a \"word\"" }),
            outcome: AuditOutcome::Unknown,
            why: None,
        }
    }

    #[test]
    fn what_was_asked_for_is_there_before_its_outcome() {
        let folder = tempfile::tempdir().expect("the system has a temporary folder");
        let directory = SqliteDirectory::open(folder.path()).expect("made");
        let (store, _) = Store::open(directory).expect("started");
        let history = History::open(folder.path()).expect("there");
        let list = |limit, before| history.audit(&AuditFilter { limit, before }).expect("readable");
        for (n, what) in ["say", "kick", "end"].into_iter().enumerate() {
            let key = AuditKey(u64::MAX - n as u64);
            store.audit(key, entry(what)).expect("room").wait().expect("durable");
        }
        let rows = list(10, None);
        assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [3, 2, 1]);
        assert_eq!(rows[0].entry, entry("end"));

        let why = Some("there is no such player".to_owned());
        let settled = store.settle_audit(AuditKey(u64::MAX - 1), AuditOutcome::Refused, why);
        settled.expect("room").wait().expect("durable");
        let kick = &list(1, Some(3))[0];
        assert_eq!((kick.number, kick.entry.what.as_str()), (2, "kick"));
        assert_eq!(kick.entry.outcome, AuditOutcome::Refused);
        assert_eq!(kick.entry.why.as_deref(), Some("there is no such player"));
        assert_eq!(list(10, None)[0].entry.outcome, AuditOutcome::Unknown);
        assert_eq!(list(10, Some(2)).len(), 1);
        assert_eq!(list(10, Some(u64::MAX)).len(), 3);

        let json = serde_json::to_value(kick).expect("JSON");
        assert_eq!((&json["match"], &json["what"]), (&json!("0000000000005"), &json!("kick")));
        assert_eq!(&serde_json::from_value::<AuditRow>(json).expect("reads back"), kick);
        store.close().expect("closed");
    }
}
