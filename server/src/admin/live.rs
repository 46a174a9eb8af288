//! Live views: the node or a match, again and again, as server-sent events.
//!
//! Owns: when it is looked, how many look at once, and when a stream ends. Must not know: what is seen.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use matchkeep_shared::limits::{LIVE_EVERY_MAX, LIVE_EVERY_MIN, LIVE_STREAMS_MAX};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::MissedTickBehavior;

use super::access::Gate;
use super::openapi::{MatchPath, NoMatch, Refused, Wrong};
use super::request::{Checked, bad, match_id, query};
use super::{Admin, ErrorDocument, error, matches, node, unanswered};
use crate::control::questions::Unanswered;

/// From one look to the next, where whoever asks does not say.
const EVERY: Duration = Duration::from_secs(1);

/// Room for streams.
pub(super) fn room() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(LIVE_STREAMS_MAX))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LiveQuery {
    /// From one look to the next, in milliseconds.
    #[param(minimum = 100, maximum = 60_000)]
    every_ms: Option<u64>,
}

impl LiveQuery {
    fn every(&self) -> Checked<Duration> {
        let every = self.every_ms.map_or(EVERY, Duration::from_millis);
        if (LIVE_EVERY_MIN..=LIVE_EVERY_MAX).contains(&every) {
            return Ok(every);
        }
        let (least, most) = (LIVE_EVERY_MIN.as_millis(), LIVE_EVERY_MAX.as_millis());
        Err(bad(format!("every_ms = {}: allowed are {least} to {most}", every.as_millis())))
    }
}

/// The running server and its shards, again and again.
///
/// Server-sent events: `node` with what `/v1/node` answers, `late` with an error where a look failed and the next
/// one may not, `gone` with an error when the token is not good any more; with it the stream ends.
#[utoipa::path(
    get,
    path = "/v1/node/live",
    tag = "node",
    params(LiveQuery),
    responses(
        (status = 200, description = "Events, until one of both goes", body = String, content_type = "text/event-stream"),
        (status = 429, description = "There are enough streams already", body = ErrorDocument),
        Wrong,
        Refused,
    ),
)]
pub(super) async fn of_node(
    State(admin): State<Admin>,
    headers: HeaderMap,
    asked: Result<Query<LiveQuery>, QueryRejection>,
) -> Response {
    let every = match query(asked).and_then(|asked| asked.every()) {
        Ok(every) => every,
        Err(response) => return *response,
    };
    let looks = admin.clone();
    live(&admin, headers, "node", every, move || node::look(looks.clone())).await
}

/// A running match with its players, again and again.
///
/// Server-sent events: `match` with what `/v1/matches/{id}` answers, `late` with an error where a look failed and
/// the next one may not, `gone` with an error when the match is over or the token is not good any more; with it the stream ends.
#[utoipa::path(
    get,
    path = "/v1/matches/{id}/live",
    tag = "matches",
    params(MatchPath, LiveQuery),
    responses(
        (status = 200, description = "Events, until the match is over or one of both goes", body = String, content_type = "text/event-stream"),
        (status = 429, description = "There are enough streams already", body = ErrorDocument),
        NoMatch,
        Wrong,
        Refused,
    ),
)]
pub(super) async fn of_match(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    headers: HeaderMap,
    asked: Result<Query<LiveQuery>, QueryRejection>,
) -> Response {
    let asked = match_id(&id).and_then(|id| Ok((id, query(asked)?.every()?)));
    let (id, every) = match asked {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    let looks = admin.clone();
    live(&admin, headers, "match", every, move || matches::look(looks.clone(), id)).await
}

/// Looks now and every so often, and tells under this name, for as long as what the headers show is good.
async fn live<T, L>(
    admin: &Admin,
    headers: HeaderMap,
    name: &'static str,
    every: Duration,
    look: impl Fn() -> L + Send + 'static,
) -> Response
where
    T: Serialize + Send + 'static,
    L: Future<Output = Result<T, Unanswered>> + Send,
{
    let Ok(place) = Arc::clone(&admin.live).try_acquire_owned() else {
        let why =
            format!("{LIVE_STREAMS_MAX} live views are open, as many as there may be: close one");
        return error(StatusCode::TOO_MANY_REQUESTS, why);
    };
    // What cannot be seen at all is said with a status.
    let first = match look().await {
        Ok(first) => first,
        Err(why) => return unanswered(&why),
    };
    let mut times = tokio::time::interval(every);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The place is given back with the stream.
    let viewer = Viewer { gate: admin.gate.clone(), headers, _place: place };
    let begin = Some((Some(first), times, look, viewer));
    let events = stream::unfold(begin, move |state| async move {
        let (first, mut times, look, viewer) = state?;
        times.tick().await;
        let gone =
            |why: &dyn ToString| (Event::default().event("gone").json_data(document(why)), true);
        let (event, is_over) = match (viewer.gate.admits_reading(&viewer.headers), first) {
            (Err(denied), _) => gone(&denied),
            (Ok(()), Some(first)) => (Event::default().event(name).json_data(first), false),
            (Ok(()), None) => match look().await {
                Ok(seen) => (Event::default().event(name).json_data(seen), false),
                Err(why @ (Unanswered::Unknown(_) | Unanswered::Stopping)) => gone(&why),
                Err(why) => (Event::default().event("late").json_data(document(&why)), false),
            },
        };
        Some((event, (!is_over).then_some((None, times, look, viewer))))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

fn document(why: &dyn ToString) -> ErrorDocument {
    ErrorDocument { error: why.to_string() }
}

/// Whoever looks: by what it was let in, and its place among those who look.
struct Viewer {
    gate: Gate,
    headers: HeaderMap,
    _place: OwnedSemaphorePermit,
}
