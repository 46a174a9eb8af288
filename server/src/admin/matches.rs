//! Running matches: which there are, one with its players, its state, and what is ordered of it.
//!
//! Owns: the routes and their documents. Must not know: shards. Names of players are looked up in the
//! store, for a shard does not know them.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use matchkeep_shared::ids::{MatchId, PlayerId};
use matchkeep_shared::limits::TIMELINE_SECONDS_MAX;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::audit::arguments;
use super::openapi::{MatchPath, NoMatch, NoOrder, Refused, Wrong};
use super::request::{Checked, bad, body, limit, match_id, query};
use super::{Admin, ErrorDocument, error, unanswered};
use crate::access::Caller;
use crate::control::questions::{Question, Unanswered};
use crate::shard::order::Order;
use crate::shard::timeline::Timeline;
use crate::shard::view::{MatchRow, MatchStage, MatchView, NoStage, RowFilter};
use crate::store::{AuditEntry, AuditOutcome, History};
use crate::travel::{Picture, select};
use crate::wall::unix_ms;

/// How long a timeline is, where whoever asks does not say.
const TIMELINE_SECONDS: u64 = 5;
/// Why a match ended, where whoever ended it does not say.
const ENDED: &str = "ended by an operator";

/// What came of an order, as programs read it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct OrderedDocument {
    /// The order's name.
    pub(crate) order: String,
    /// How many connected players were told, where the order is to tell them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) told: Option<usize>,
    /// The match afterwards.
    #[serde(rename = "match")]
    pub(crate) row: MatchRow,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// At most so many rows.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Only those whose ID is above this one's.
    after: Option<String>,
    /// Only those of this mode.
    mode: Option<String>,
    /// Only those in this stage.
    #[param(value_type = Option<MatchStage>, inline)]
    stage: Option<String>,
}

impl ListQuery {
    fn filter(self) -> Checked<RowFilter> {
        let after = self.after.as_deref().map(str::parse::<MatchId>).transpose();
        let after = after.map_err(|invalid| bad(format!("after: {invalid}")))?;
        let stage = |label: String| {
            label.parse().map_err(|unknown: NoStage| bad(format!("stage = {label}: {unknown}")))
        };
        let stage = self.stage.map(stage).transpose()?;
        Ok(RowFilter { after, limit: limit(self.limit)?, mode: self.mode, stage })
    }
}

/// Running matches, by ascending ID. The last row's ID is the `after` of the next page.
#[utoipa::path(
    get,
    path = "/v1/matches",
    tag = "matches",
    params(ListQuery),
    responses((status = 200, description = "Matches", body = Vec<MatchRow>), Wrong, Refused),
)]
pub(super) async fn list(
    State(admin): State<Admin>,
    asked: Result<Query<ListQuery>, QueryRejection>,
) -> Response {
    let filter = match query(asked).and_then(ListQuery::filter) {
        Ok(filter) => filter,
        Err(response) => return *response,
    };
    match admin.ask(|reply| Question::List { filter, reply }).await {
        Ok(rows) => Json(rows).into_response(),
        Err(why) => unanswered(&why),
    }
}

/// A running match with its players and what its ticks cost.
#[utoipa::path(
    get,
    path = "/v1/matches/{id}",
    tag = "matches",
    params(MatchPath),
    responses((status = 200, description = "The match", body = MatchView), NoMatch, Wrong, Refused),
)]
pub(super) async fn show(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    let match_id = match match_id(&id) {
        Ok(id) => id,
        Err(response) => return *response,
    };
    match look(admin, match_id).await {
        Ok(view) => Json(view).into_response(),
        Err(why) => unanswered(&why),
    }
}

/// The match as it is now.
pub(super) async fn look(admin: Admin, match_id: MatchId) -> Result<Box<MatchView>, Unanswered> {
    let view = admin.ask(|reply| Question::Inspect { match_id, reply }).await?;
    Ok(named(admin, view).await)
}

/// Fills in the names of a match's players.
async fn named(admin: Admin, mut view: Box<MatchView>) -> Box<MatchView> {
    let players: Vec<PlayerId> = view.players_seen.iter().map(|seen| seen.player).collect();
    let look = move || {
        let history = History::open(&admin.data).map_err(|error| error.to_string())?;
        history.names(&players).map_err(|error| error.to_string())
    };
    let names = tokio::task::spawn_blocking(look).await;
    match names.unwrap_or_else(|panic| Err(panic.to_string())) {
        Ok(names) => {
            for (seen, name) in view.players_seen.iter_mut().zip(names) {
                seen.name = name;
            }
        }
        // The match is shown all the same.
        Err(error) => tracing::warn!(%error, "the names of players cannot be read"),
    }
    view
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StateQuery {
    /// Its path, such as `state.game.players[0].health`.
    field: Option<String>,
}

/// The whole state of a running match after its newest tick, or one field of it.
///
/// Without `field` the document has `match`, `tick`, `hash`, `state` and `entities`; with it, `field` and `value` in
/// the place of the last two.
#[utoipa::path(
    get,
    path = "/v1/matches/{id}/state",
    tag = "matches",
    params(MatchPath, StateQuery),
    responses((status = 200, description = "The state", body = Value), NoMatch, Wrong, Refused),
)]
pub(super) async fn state(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    asked: Result<Query<StateQuery>, QueryRejection>,
) -> Response {
    let (match_id, field) = match match_id(&id).and_then(|id| Ok((id, query(asked)?.field))) {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    let document = match admin.ask(|reply| Question::State { match_id, reply }).await {
        Ok(document) => document,
        Err(why) => return unanswered(&why),
    };
    let Some(path) = field else { return Json(document).into_response() };
    match select(&document, &path) {
        Ok(value) => {
            let (id, tick, hash) = (&document["match"], &document["tick"], &document["hash"]);
            Json(json!({ "match": id, "tick": tick, "hash": hash, "field": path, "value": value }))
                .into_response()
        }
        Err(nowhere) => *bad(format!("field = {path}: {nowhere}")),
    }
}

/// A running match after its newest tick, from above: walls, who is where, the score.
#[utoipa::path(
    get,
    path = "/v1/matches/{id}/view",
    tag = "matches",
    params(MatchPath),
    responses((status = 200, description = "What is to be seen", body = Picture), NoMatch, Wrong, Refused),
)]
pub(super) async fn view(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    let match_id = match match_id(&id) {
        Ok(id) => id,
        Err(response) => return *response,
    };
    match admin.ask(|reply| Question::Picture { match_id, reply }).await {
        Ok(picture) => Json(picture).into_response(),
        Err(why) => unanswered(&why),
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TimelineQuery {
    /// For how long.
    #[param(minimum = 1, maximum = 30)]
    seconds: Option<u64>,
}

/// The phases of a running match's next ticks, one by one; answered when the seconds are over.
#[utoipa::path(
    get,
    path = "/v1/matches/{id}/timeline",
    tag = "matches",
    params(MatchPath, TimelineQuery),
    responses(
        (status = 200, description = "The ticks", body = Timeline),
        (status = 429, description = "The shard records enough of them already", body = ErrorDocument),
        NoMatch,
        Wrong,
        Refused,
    ),
)]
pub(super) async fn timeline(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    asked: Result<Query<TimelineQuery>, QueryRejection>,
) -> Response {
    let asked = match_id(&id).and_then(|id| {
        let seconds = query(asked)?.seconds.unwrap_or(TIMELINE_SECONDS);
        if !(1..=TIMELINE_SECONDS_MAX).contains(&seconds) {
            let allowed = format!("allowed are 1 to {TIMELINE_SECONDS_MAX}");
            return Err(bad(format!("seconds = {seconds}: {allowed}")));
        }
        Ok((id, Duration::from_secs(seconds)))
    });
    let (match_id, lasts) = match asked {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    match admin.ask(|reply| Question::Record { match_id, lasts, reply }).await {
        Ok(timeline) => Json(timeline).into_response(),
        Err(why) => unanswered(&why),
    }
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct SayBody {
    /// What they are told.
    text: String,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct KickBody {
    /// The account's ID.
    player: u64,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NoBody {}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct EndBody {
    /// Why, as players and history are told.
    reason: Option<String>,
}

/// Tells the players of a match something.
#[utoipa::path(
    post,
    path = "/v1/matches/{id}/say",
    tag = "matches",
    params(MatchPath),
    request_body = SayBody,
    responses((status = 200, description = "It was carried out", body = OrderedDocument), NoOrder, NoMatch, Wrong, Refused),
)]
pub(super) async fn say(State(admin): State<Admin>, request: OrderRequest) -> Response {
    order(admin, "say", request, |SayBody { text }| Order::Say { text }).await
}

/// Sends a player away; the place is free at once.
#[utoipa::path(
    post,
    path = "/v1/matches/{id}/kick",
    tag = "matches",
    params(MatchPath),
    request_body = KickBody,
    responses((status = 200, description = "It was carried out", body = OrderedDocument), NoOrder, NoMatch, Wrong, Refused),
)]
pub(super) async fn kick(State(admin): State<Admin>, request: OrderRequest) -> Response {
    order(admin, "kick", request, |KickBody { player }| Order::Kick { player: PlayerId(player) })
        .await
}

/// Lets a match stand still until it is resumed.
#[utoipa::path(
    post,
    path = "/v1/matches/{id}/pause",
    tag = "matches",
    params(MatchPath),
    request_body = NoBody,
    responses((status = 200, description = "It was carried out", body = OrderedDocument), NoOrder, NoMatch, Wrong, Refused),
)]
pub(super) async fn pause(State(admin): State<Admin>, request: OrderRequest) -> Response {
    order(admin, "pause", request, |NoBody {}| Order::Pause).await
}

/// Lets a match go on.
#[utoipa::path(
    post,
    path = "/v1/matches/{id}/resume",
    tag = "matches",
    params(MatchPath),
    request_body = NoBody,
    responses((status = 200, description = "It was carried out", body = OrderedDocument), NoOrder, NoMatch, Wrong, Refused),
)]
pub(super) async fn resume(State(admin): State<Admin>, request: OrderRequest) -> Response {
    order(admin, "resume", request, |NoBody {}| Order::Resume).await
}

/// Ends a match as it stands.
#[utoipa::path(
    post,
    path = "/v1/matches/{id}/end",
    tag = "matches",
    params(MatchPath),
    request_body = EndBody,
    responses((status = 200, description = "It was carried out", body = OrderedDocument), NoOrder, NoMatch, Wrong, Refused),
)]
pub(super) async fn end(State(admin): State<Admin>, request: OrderRequest) -> Response {
    order(admin, "end", request, |EndBody { reason }| Order::End {
        reason: reason.unwrap_or_else(|| ENDED.to_owned()),
    })
    .await
}

/// Who gives an order, to which match, with which body.
type OrderRequest = (Extension<Caller>, Path<String>, HeaderMap, Bytes);

/// Gives the order that `read` makes of the body, with a row of the audit log before it and what came of it behind
/// it. Whoever asked may go away meanwhile: the row is completed all the same.
async fn order<B: DeserializeOwned>(
    admin: Admin,
    what: &str,
    (Extension(caller), Path(id), headers, bytes): OrderRequest,
    read: impl FnOnce(B) -> Order,
) -> Response {
    let asked = body(&caller, &headers, &bytes).map(read);
    let mut row = AuditEntry {
        unix_ms: unix_ms(),
        who: caller.name().to_owned(),
        what: what.to_owned(),
        match_id: id.parse().ok(),
        arguments: asked.as_ref().map_or_else(|_| json!({}), arguments),
        outcome: AuditOutcome::Unknown,
        why: None,
    };
    let checked = match_id(&id).and_then(|id| {
        let order = asked?;
        order.check().map_err(bad)?;
        Ok((id, order))
    });
    let (match_id, order) = match checked {
        Ok(checked) => checked,
        Err(response) => {
            row.outcome = AuditOutcome::Refused;
            row.why = Some(format!("answered {}", response.status()));
            return match admin.record(row) {
                Ok(_) => *response,
                Err(unrecorded) => unrecorded.response(),
            };
        }
    };
    let key = match admin.record(row) {
        Ok(key) => key,
        Err(unrecorded) => return unrecorded.response(),
    };
    let (label, by) = (order.label().to_owned(), caller.name().to_owned());
    let carried_out = tokio::spawn(async move {
        let answer = admin.ask(|reply| Question::Order { match_id, order, by, reply }).await;
        admin.settle(key, &answer).await;
        answer
    });
    match carried_out.await {
        Ok(Ok(done)) => {
            Json(OrderedDocument { order: label, told: done.told, row: done.row }).into_response()
        }
        Ok(Err(why)) => unanswered(&why),
        Err(panic) => error(StatusCode::INTERNAL_SERVER_ERROR, panic),
    }
}
