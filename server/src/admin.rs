//! The admin interface: HTTP on a loopback address. Health, metrics, counters and history.

pub(crate) mod journals;
pub mod metrics;
pub mod stats;

use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::LIST_ROWS_MAX;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::control::{ControlEvent, NodeStats};
use crate::store::{History, ListFilter, MatchState, StoreError};
use metrics::Metrics;
use stats::StatsDocument;

#[derive(Clone)]
struct Admin {
    control: mpsc::Sender<ControlEvent>,
    data: PathBuf,
    metrics: Arc<Mutex<Metrics>>,
}

/// The node's counters; `None` where it is stopping.
pub(crate) async fn stats(control: &mpsc::Sender<ControlEvent>) -> Option<NodeStats> {
    let (sender, receiver) = oneshot::channel();
    control.send(ControlEvent::Stats(sender)).await.ok()?;
    receiver.await.ok()
}

/// Serves the admin interface on a bound socket, until the runtime ends.
pub(crate) fn serve(
    socket: TcpListener,
    control: mpsc::Sender<ControlEvent>,
    data: PathBuf,
) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(socket)?;
    let admin = Admin { control, data, metrics: Arc::new(Mutex::new(Metrics::new())) };
    let router = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(prometheus))
        .route("/v1/stats", get(stats_document))
        .route("/v1/history", get(list))
        .route("/v1/history/{id}", get(show))
        .route("/v1/journals", get(journals::list))
        .route("/v1/matches/{id}/journal", get(journals::entry))
        .route("/v1/matches/{id}/journal/records", get(journals::records))
        .with_state(admin);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the admin interface ended");
        }
    });
    Ok(())
}

/// An error as programs read it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ErrorDocument {
    /// What is wrong, for a person.
    pub(crate) error: String,
}

fn error(status: StatusCode, error: impl ToString) -> Response {
    (status, Json(ErrorDocument { error: error.to_string() })).into_response()
}

fn stopping() -> Response {
    error(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping")
}

/// Ready when every match of the process before is back or given up, and players may come.
async fn ready(State(admin): State<Admin>) -> Response {
    let (sender, receiver) = oneshot::channel();
    if admin.control.send(ControlEvent::Ready(sender)).await.is_err() {
        return stopping();
    }
    match receiver.await {
        Ok(true) => "ready\n".into_response(),
        Ok(false) => error(StatusCode::SERVICE_UNAVAILABLE, "matches are being brought back"),
        Err(_) => stopping(),
    }
}

async fn prometheus(State(admin): State<Admin>) -> Response {
    let Some(stats) = stats(&admin.control).await else { return stopping() };
    let text = admin.metrics.lock().await.render(&stats);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

async fn stats_document(State(admin): State<Admin>) -> Response {
    match stats(&admin.control).await {
        Some(stats) => Json(StatsDocument::from(&stats)).into_response(),
        None => stopping(),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    limit: Option<usize>,
    before: Option<String>,
    mode: Option<String>,
    state: Option<MatchState>,
}

async fn list(State(admin): State<Admin>, Query(query): Query<ListQuery>) -> Response {
    let limit = query.limit.unwrap_or(LIST_ROWS_MAX);
    if !(1..=LIST_ROWS_MAX).contains(&limit) {
        let text = format!("limit = {limit}: allowed are 1 to {LIST_ROWS_MAX}");
        return error(StatusCode::BAD_REQUEST, text);
    }
    let before = match query.before.as_deref().map(str::parse::<MatchId>).transpose() {
        Ok(before) => before,
        Err(invalid) => return error(StatusCode::BAD_REQUEST, format!("before: {invalid}")),
    };
    let filter = ListFilter { limit, before, mode: query.mode, state: query.state };
    history(admin, move |history| history.list(&filter)).await
}

async fn show(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    match id.parse::<MatchId>() {
        Ok(id) => history(admin, move |history| history.show(id)).await,
        Err(invalid) => error(StatusCode::BAD_REQUEST, invalid),
    }
}

/// Asks the history on a thread that may wait for the disk.
async fn history<T: Serialize + Send + 'static>(
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
