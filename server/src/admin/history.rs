//! Stored matches.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use matchkeep_shared::ids::MatchId;
use serde::{Deserialize, Serialize};

use super::openapi::{MatchPath, NoMatch, Refused, Wrong};
use super::request::{bad, limit, match_id, query};
use super::{Admin, error};
use crate::store::{History, ListFilter, MatchRecord, MatchState, MatchSummary, StoreError};

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// At most so many rows.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Only those created before this match.
    before: Option<String>,
    /// Only those of this mode.
    mode: Option<String>,
    /// Only those in this state.
    #[param(inline)]
    state: Option<MatchState>,
}

/// Stored matches, newest first. The last row's ID is the `before` of the next page.
#[utoipa::path(
    get,
    path = "/v1/history",
    tag = "history",
    params(ListQuery),
    responses((status = 200, description = "Matches", body = Vec<MatchSummary>), Wrong, Refused),
)]
pub(super) async fn list(
    State(admin): State<Admin>,
    asked: Result<Query<ListQuery>, QueryRejection>,
) -> Response {
    let filter = query(asked).and_then(|query| {
        let before = query.before.as_deref().map(str::parse::<MatchId>).transpose();
        let before = before.map_err(|invalid| bad(format!("before: {invalid}")))?;
        let limit = limit(query.limit)?;
        Ok(ListFilter { limit, before, mode: query.mode, state: query.state })
    });
    match filter {
        Ok(filter) => ask(admin, move |history| history.list(&filter)).await,
        Err(response) => *response,
    }
}

/// A stored match with its players.
#[utoipa::path(
    get,
    path = "/v1/history/{id}",
    tag = "history",
    params(MatchPath),
    responses((status = 200, description = "The match", body = MatchRecord), NoMatch, Wrong, Refused),
)]
pub(super) async fn show(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    match match_id(&id) {
        Ok(id) => ask(admin, move |history| history.show(id)).await,
        Err(response) => *response,
    }
}

/// Asks the history on a thread that may wait for the disk.
pub(super) async fn ask<T: Serialize + Send + 'static>(
    admin: Admin,
    ask: impl FnOnce(&History) -> Result<T, StoreError> + Send + 'static,
) -> Response {
    let answer = tokio::task::spawn_blocking(move || {
        let internal = StatusCode::INTERNAL_SERVER_ERROR;
        let history = match History::open(&admin.data) {
            Ok(history) => history,
            Err(cause) => return error(internal, cause),
        };
        match ask(&history) {
            Ok(answer) => Json(answer).into_response(),
            Err(cause @ StoreError::UnknownMatch(_)) => error(StatusCode::NOT_FOUND, cause),
            Err(cause) => error(internal, cause),
        }
    });
    match answer.await {
        Ok(response) => response,
        Err(panic) => error(StatusCode::INTERNAL_SERVER_ERROR, panic),
    }
}
