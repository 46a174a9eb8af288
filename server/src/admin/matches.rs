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
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::audit::arguments;
use super::request::{Checked, bad, body, limit, match_id, query};
use super::{Admin, error, unanswered};
use crate::access::Caller;
use crate::control::questions::Question;
use crate::shard::order::Order;
use crate::shard::view::{MatchRow, MatchView, NoStage, RowFilter};
use crate::store::{AuditEntry, AuditOutcome, History};
use crate::travel::select;
use crate::wall::unix_ms;

/// How long a timeline is, where whoever asks does not say.
const TIMELINE_SECONDS: u64 = 5;
/// Why a match ended, where whoever ended it does not say.
const ENDED: &str = "ended by an operator";

/// What came of an order, as programs read it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    limit: Option<usize>,
    after: Option<String>,
    mode: Option<String>,
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

/// `GET /v1/matches?limit=N&after=ID&mode=NAME&stage=STAGE`: by ascending ID. The last row's ID is the
/// cursor of the next page.
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

/// `GET /v1/matches/{id}`: one match with its players and what its ticks cost.
pub(super) async fn show(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    let match_id = match match_id(&id) {
        Ok(id) => id,
        Err(response) => return *response,
    };
    match admin.ask(|reply| Question::Inspect { match_id, reply }).await {
        Ok(view) => Json(named(admin, view).await).into_response(),
        Err(why) => unanswered(&why),
    }
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StateQuery {
    field: Option<String>,
}

/// `GET /v1/matches/{id}/state?field=PATH`: the whole match after its newest tick, or one field of it.
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

/// `GET /v1/matches/{id}/view`: the match after its newest tick, from above: walls, who is where, the score.
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimelineQuery {
    seconds: Option<u64>,
}

/// `GET /v1/matches/{id}/timeline?seconds=N`: the phases of its ticks, one by one; answered when the seconds
/// are over.
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SayBody {
    text: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KickBody {
    /// The account's ID.
    player: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoBody {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndBody {
    reason: Option<String>,
}

/// `POST /v1/matches/{id}/say`, `{"text": "..."}`: tells the players.
pub(super) async fn say(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let asked = body(&caller, &headers, &bytes).map(|SayBody { text }| Order::Say { text });
    order(admin, &caller, "say", &id, asked).await
}

/// `POST /v1/matches/{id}/kick`, `{"player": ID}`: sends a player away.
pub(super) async fn kick(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let asked = body(&caller, &headers, &bytes)
        .map(|KickBody { player }| Order::Kick { player: PlayerId(player) });
    order(admin, &caller, "kick", &id, asked).await
}

/// `POST /v1/matches/{id}/pause`: lets it stand still.
pub(super) async fn pause(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    order(
        admin,
        &caller,
        "pause",
        &id,
        body(&caller, &headers, &bytes).map(|NoBody {}| Order::Pause),
    )
    .await
}

/// `POST /v1/matches/{id}/resume`: lets it go on.
pub(super) async fn resume(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    order(
        admin,
        &caller,
        "resume",
        &id,
        body(&caller, &headers, &bytes).map(|NoBody {}| Order::Resume),
    )
    .await
}

/// `POST /v1/matches/{id}/end`, `{"reason": "..."}`: ends it as it stands.
pub(super) async fn end(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let asked = body(&caller, &headers, &bytes).map(|EndBody { reason }| Order::End {
        reason: reason.unwrap_or_else(|| ENDED.to_owned()),
    });
    order(admin, &caller, "end", &id, asked).await
}

/// Gives an order, with a row of the audit log before it and what came of it behind it. Whoever asked may go
/// away meanwhile: the row is completed all the same.
async fn order(
    admin: Admin,
    caller: &Caller,
    what: &str,
    id: &str,
    asked: Checked<Order>,
) -> Response {
    let mut row = AuditEntry {
        unix_ms: unix_ms(),
        who: caller.name().to_owned(),
        what: what.to_owned(),
        match_id: id.parse().ok(),
        arguments: asked.as_ref().map_or_else(|_| json!({}), arguments),
        outcome: AuditOutcome::Unknown,
        why: None,
    };
    let checked = match_id(id).and_then(|id| {
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
