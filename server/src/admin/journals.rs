//! Journals for other processes: which there are, and their records as they lie.
//!
//! Owns: the routes, and how a journal's entry looks in JSON. Must not know: what records carry. Whoever
//! replays a match does it in the game's own program, from these bytes.

use std::ops::ControlFlow;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::limits::LIST_ROWS_MAX;
use matchkeep_shared::time::Tick;
use serde::{Deserialize, Serialize};

use super::openapi::{MatchPath, NoMatch, Refused, Wrong};
use super::request::{bad, match_id, query};
use super::{Admin, error};
use crate::journal::{
    JournalEntry, JournalError, JournalReader, JournalState, Load, LoadFrom, PageWriter, Position,
};
use crate::store::SqliteJournalReader;

/// A journal's entry as programs read it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct JournalDocument {
    #[serde(rename = "match")]
    match_id: String,
    state: String,
    epoch: Epoch,
    tick: Tick,
    checkpoint: Option<Tick>,
    end: Option<u64>,
    records: u64,
    bytes: u64,
    set_aside: u64,
    incidents: u64,
    ended_unix_ms: Option<u64>,
    why: Option<String>,
}

impl From<JournalEntry> for JournalDocument {
    fn from(entry: JournalEntry) -> Self {
        Self {
            match_id: entry.match_id.to_string(),
            state: entry.state.label().to_owned(),
            epoch: entry.epoch,
            tick: entry.tick,
            checkpoint: entry.checkpoint,
            end: entry.end.map(|end| end.0),
            records: entry.records,
            bytes: entry.bytes,
            set_aside: entry.set_aside,
            incidents: entry.incidents,
            ended_unix_ms: entry.ended_unix_ms,
            why: entry.why,
        }
    }
}

impl JournalDocument {
    /// The entry; `None` where a match or a state is none.
    pub(crate) fn entry(self) -> Option<JournalEntry> {
        Some(JournalEntry {
            match_id: self.match_id.parse().ok()?,
            state: JournalState::from_label(&self.state)?,
            epoch: self.epoch,
            tick: self.tick,
            checkpoint: self.checkpoint,
            end: self.end.map(Position),
            records: self.records,
            bytes: self.bytes,
            set_aside: self.set_aside,
            incidents: self.incidents,
            ended_unix_ms: self.ended_unix_ms,
            why: self.why,
        })
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only those claimed first after this match was.
    after: Option<String>,
}

/// Journals, the first claimed first; a page is 1000 rows. The last row's match is the `after` of the next one.
#[utoipa::path(
    get,
    path = "/v1/journals",
    tag = "journals",
    params(ListQuery),
    responses((status = 200, description = "Journals", body = Vec<JournalDocument>), Wrong, Refused),
)]
pub(super) async fn list(
    State(admin): State<Admin>,
    asked: Result<Query<ListQuery>, QueryRejection>,
) -> Response {
    let after = query(asked).and_then(|query| {
        let after = query.after.as_deref().map(str::parse::<MatchId>).transpose();
        after.map_err(|invalid| bad(format!("after: {invalid}")))
    });
    let after = match after {
        Ok(after) => after,
        Err(response) => return *response,
    };
    ask(admin, move |journal| {
        let mut page = Vec::new();
        journal.list_after(after, LIST_ROWS_MAX, &mut |entry| {
            page.push(JournalDocument::from(entry));
        })?;
        Ok(Json(page).into_response())
    })
    .await
}

/// What is known of a match's journal.
#[utoipa::path(
    get,
    path = "/v1/matches/{id}/journal",
    tag = "journals",
    params(MatchPath),
    responses((status = 200, description = "The journal", body = JournalDocument), NoMatch, Wrong, Refused),
)]
pub(super) async fn entry(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    let id = match match_id(&id) {
        Ok(id) => id,
        Err(response) => return *response,
    };
    ask(admin, move |journal| match journal.entry(id)? {
        Some(entry) => Ok(Json(JournalDocument::from(entry)).into_response()),
        None => Ok(unknown(id)),
    })
    .await
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RecordsQuery {
    /// The header, then everything from the newest checkpoint at or before this tick.
    checkpoint: Option<u64>,
    /// Everything behind this position.
    after: Option<u64>,
}

/// Records of a match's journal in order, as they are stored: from the first, from a checkpoint or behind a position; as many as a page takes.
#[utoipa::path(
    get,
    path = "/v1/matches/{id}/journal/records",
    tag = "journals",
    params(MatchPath, RecordsQuery),
    responses(
        (status = 200, description = "A page, as docs/JOURNAL.md draws it", body = Vec<u8>, content_type = "application/octet-stream"),
        NoMatch,
        Wrong,
        Refused,
    ),
)]
pub(super) async fn records(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    asked: Result<Query<RecordsQuery>, QueryRejection>,
) -> Response {
    let asked = match_id(&id).and_then(|id| {
        let query = query(asked)?;
        if query.after.is_some() && query.checkpoint.is_some() {
            return Err(bad("after and checkpoint: allowed is one of them"));
        }
        Ok((id, query))
    });
    let (id, query) = match asked {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    ask(admin, move |journal| {
        if journal.entry(id)?.is_none() {
            return Ok(unknown(id));
        }
        let mut page = PageWriter::default();
        let mut each = |stored: &crate::journal::Stored<'_>| {
            if page.push(stored) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        match (query.after, query.checkpoint) {
            (Some(after), _) => journal.load_after(id, Position(after), &mut each)?,
            (None, checkpoint) => {
                let from =
                    checkpoint.map_or(LoadFrom::Beginning, |tick| LoadFrom::Checkpoint(Tick(tick)));
                journal.load_while(&[Load { match_id: id, from }], &mut each)?;
            }
        }
        let bytes = Bytes::from(page.finish());
        Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
    })
    .await
}

fn unknown(id: MatchId) -> Response {
    error(StatusCode::NOT_FOUND, format!("there is no journal of match {id}"))
}

/// Asks the journal on a thread that may wait for the disk.
async fn ask(
    admin: Admin,
    ask: impl FnOnce(&SqliteJournalReader) -> Result<Response, JournalError> + Send + 'static,
) -> Response {
    let internal = StatusCode::INTERNAL_SERVER_ERROR;
    let answer = tokio::task::spawn_blocking(move || {
        let journal = match SqliteJournalReader::open(&admin.data) {
            Ok(journal) => journal,
            Err(cause) => return error(internal, cause),
        };
        ask(&journal).unwrap_or_else(|cause| error(internal, cause))
    });
    answer.await.unwrap_or_else(|panic| error(internal, panic))
}
