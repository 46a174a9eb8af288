//! The admin interface: HTTP, with TLS where it is reached from elsewhere. A file for each noun: who is let in, health and
//! counters, running matches, the node, history, journals.
//!
//! Owns: the routes, how an error looks, and who is answered at all. Must not know: what a shard does for
//! an answer.

mod access;
mod audit;
mod health;
mod history;
pub(crate) mod journals;
pub(crate) mod matches;
pub mod metrics;
pub(crate) mod node;
mod request;
pub mod stats;
pub(crate) mod tls;

use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use axum::serve::Listener;
use matchkeep_shared::limits::ADMIN_BODY_BYTES_MAX;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::control::questions::{self, Question, Reply, Unanswered};
use crate::control::{ControlEvent, NodeStats};
use crate::node::Endpoints;
use crate::shard::order::OrderRefused;
use crate::store::Store;
pub(crate) use access::Gate;
use metrics::Metrics;
use tls::{Certificate, TlsListener};

/// What every answer is made from.
#[derive(Clone)]
pub(crate) struct Admin {
    control: mpsc::Sender<ControlEvent>,
    store: Store,
    gate: Gate,
    data: PathBuf,
    endpoints: Endpoints,
    metrics: Arc<Mutex<Metrics>>,
}

impl Admin {
    /// For the node that is reached there, with its data in `data`.
    pub(crate) fn new(
        control: mpsc::Sender<ControlEvent>,
        store: Store,
        gate: Gate,
        data: PathBuf,
        endpoints: Endpoints,
    ) -> Self {
        let metrics = Arc::new(Mutex::new(Metrics::new()));
        Self { control, store, gate, data, endpoints, metrics }
    }

    /// Asks control, and waits for the answer.
    async fn ask<T>(&self, question: impl FnOnce(Reply<T>) -> Question) -> Result<T, Unanswered> {
        questions::put(&self.control, question).await
    }
}

/// The node's counters; `None` where it is stopping.
pub(crate) async fn stats(control: &mpsc::Sender<ControlEvent>) -> Option<NodeStats> {
    let (sender, receiver) = oneshot::channel();
    control.send(ControlEvent::Stats(sender)).await.ok()?;
    receiver.await.ok()
}

/// Serves the admin interface on a bound socket, until the runtime ends; with a certificate by TLS alone.
pub(crate) fn serve(
    socket: TcpListener,
    admin: Admin,
    certificate: Option<Certificate>,
) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(socket)?;
    // What is in here is answered to nobody who is not let in.
    let guarded = Router::new()
        .route("/metrics", get(health::prometheus))
        .route("/v1/stats", get(health::stats_document))
        .route("/v1/node", get(node::show))
        .route("/v1/matches", get(matches::list))
        .route("/v1/matches/{id}", get(matches::show))
        .route("/v1/matches/{id}/state", get(matches::state))
        .route("/v1/matches/{id}/timeline", get(matches::timeline))
        .route("/v1/matches/{id}/view", get(matches::view))
        .route("/v1/matches/{id}/say", post(matches::say))
        .route("/v1/matches/{id}/kick", post(matches::kick))
        .route("/v1/matches/{id}/pause", post(matches::pause))
        .route("/v1/matches/{id}/resume", post(matches::resume))
        .route("/v1/matches/{id}/end", post(matches::end))
        .route("/v1/matches/{id}/journal", get(journals::entry))
        .route("/v1/matches/{id}/journal/records", get(journals::records))
        .route("/v1/history", get(history::list))
        .route("/v1/history/{id}", get(history::show))
        .route("/v1/journals", get(journals::list))
        .route("/v1/audit", get(audit::list))
        .route_layer(middleware::from_fn_with_state(admin.clone(), access::guard));
    let router = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(health::ready))
        .merge(guarded)
        .layer(DefaultBodyLimit::max(ADMIN_BODY_BYTES_MAX))
        .with_state(admin);
    match certificate {
        Some(certificate) => run(TlsListener::new(listener, certificate)?, router),
        None => run(listener, router),
    }
    Ok(())
}

fn run<L>(listener: L, router: Router)
where
    L: Listener,
    L::Addr: std::fmt::Debug,
{
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the admin interface ended");
        }
    });
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
    unanswered(&Unanswered::Stopping)
}

/// No answer, with the status that says whose fault it is.
fn unanswered(why: &Unanswered) -> Response {
    let status = match why {
        Unanswered::Unknown(_)
        | Unanswered::Refused(OrderRefused::UnknownMatch | OrderRefused::NoSuchPlayer(_)) => {
            StatusCode::NOT_FOUND
        }
        Unanswered::NotThere { .. } | Unanswered::Refused(_) => StatusCode::CONFLICT,
        Unanswered::NoTimeline(_) => StatusCode::TOO_MANY_REQUESTS,
        Unanswered::Busy(_) | Unanswered::Silent(_) | Unanswered::Stopping => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Unanswered::NoJson(_) | Unanswered::Panicked(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    error(status, why)
}
