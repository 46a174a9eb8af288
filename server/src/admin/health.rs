//! Whether the node lives and is ready, and what it counts.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use tokio::sync::oneshot;

use super::stats::StatsDocument;
use super::{Admin, error, stats, stopping};
use crate::control::ControlEvent;

/// Ready when every match of the process before is back or given up, and players may come.
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

/// `GET /metrics`, for Prometheus.
pub(super) async fn prometheus(State(admin): State<Admin>) -> Response {
    let Some(stats) = stats(&admin.control).await else { return stopping() };
    let text = admin.metrics.lock().await.render(&stats);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

/// `GET /v1/stats`: the same as JSON.
pub(super) async fn stats_document(State(admin): State<Admin>) -> Response {
    match stats(&admin.control).await {
        Some(stats) => Json(StatsDocument::from(&stats)).into_response(),
        None => stopping(),
    }
}
