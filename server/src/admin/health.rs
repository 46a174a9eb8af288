//! Whether the node lives and is ready, and what it counts.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use tokio::sync::oneshot;

use super::openapi::Refused;
use super::stats::StatsDocument;
use super::{Admin, ErrorDocument, error, stats, stopping};
use crate::control::ControlEvent;

/// Whether the process answers.
///
/// Nobody needs a token for it.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "health",
    security(()),
    responses((status = 200, description = "It does", body = String, content_type = "text/plain")),
)]
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// Whether players may come: every match of the process before is back or given up.
///
/// Nobody needs a token for it.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    security(()),
    responses(
        (status = 200, description = "They may", body = String, content_type = "text/plain"),
        (status = 503, description = "Not yet, or not any more", body = ErrorDocument),
    ),
)]
pub(super) async fn ready(State(admin): State<Admin>) -> Response {
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

/// All counters, for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    responses(
        (status = 200, description = "In the text format, version 0.0.4", body = String, content_type = "text/plain"),
        Refused,
    ),
)]
pub(super) async fn prometheus(State(admin): State<Admin>) -> Response {
    let Some(stats) = stats(&admin.control).await else { return stopping() };
    let text = admin.metrics.lock().await.render(&stats);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

/// The node's counters since it started.
#[utoipa::path(
    get,
    path = "/v1/stats",
    tag = "node",
    responses((status = 200, description = "The counters", body = StatsDocument), Refused),
)]
pub(super) async fn stats_document(State(admin): State<Admin>) -> Response {
    match stats(&admin.control).await {
        Some(stats) => Json(StatsDocument::from(&stats)).into_response(),
        None => stopping(),
    }
}
