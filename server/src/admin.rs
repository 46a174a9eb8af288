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
mod live;
pub(crate) mod matches;
pub mod metrics;
pub(crate) mod node;
mod openapi;
mod request;
pub mod stats;
pub(crate) mod tls;

use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::serve::Listener;
use matchkeep_shared::limits::ADMIN_BODY_BYTES_MAX;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot, watch};
use tracing::Instrument;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::control::questions::{self, Question, Reply, Unanswered};
use crate::control::{ControlEvent, NodeStats};
use crate::node::Endpoints;
use crate::shard::order::OrderRefused;
use crate::spans;
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
    endpoints: watch::Receiver<Endpoints>,
    metrics: Arc<Mutex<Metrics>>,
    /// Room for live views.
    live: Arc<Semaphore>,
}

impl Admin {
    /// For the node that is reached there, with its data in `data`.
    pub(crate) fn new(
        control: mpsc::Sender<ControlEvent>,
        store: Store,
        gate: Gate,
        data: PathBuf,
        endpoints: watch::Receiver<Endpoints>,
    ) -> Self {
        let metrics = Arc::new(Mutex::new(Metrics::new()));
        Self { control, store, gate, data, endpoints, metrics, live: live::room() }
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

/// What is answered to everybody.
fn open() -> OpenApiRouter<Admin> {
    OpenApiRouter::new().routes(routes!(health::live)).routes(routes!(health::ready))
}

/// What is answered to whoever is let in.
fn guarded() -> OpenApiRouter<Admin> {
    OpenApiRouter::new()
        .routes(routes!(health::prometheus))
        .routes(routes!(openapi::serve))
        .routes(routes!(health::stats_document))
        .routes(routes!(node::show))
        .routes(routes!(live::of_node))
        .routes(routes!(matches::list))
        .routes(routes!(matches::show))
        .routes(routes!(live::of_match))
        .routes(routes!(matches::state))
        .routes(routes!(matches::timeline))
        .routes(routes!(matches::view))
        .routes(routes!(matches::say))
        .routes(routes!(matches::kick))
        .routes(routes!(matches::pause))
        .routes(routes!(matches::resume))
        .routes(routes!(matches::end))
        .routes(routes!(journals::entry))
        .routes(routes!(journals::records))
        .routes(routes!(history::list))
        .routes(routes!(history::show))
        .routes(routes!(journals::list))
        .routes(routes!(audit::list))
}

/// Serves the admin interface on a bound socket, until the runtime ends; with a certificate by TLS alone.
pub(crate) fn serve(
    socket: TcpListener,
    admin: Admin,
    certificate: Option<Certificate>,
) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(socket)?;
    let guarded =
        guarded().route_layer(middleware::from_fn_with_state(admin.clone(), access::guard));
    let router = open()
        .merge(guarded)
        .fallback(async || {
            error(
                StatusCode::NOT_FOUND,
                "there is nothing at this path: /v1/openapi.json says what there is",
            )
        })
        .layer(DefaultBodyLimit::max(ADMIN_BODY_BYTES_MAX))
        .layer(middleware::from_fn(traced))
        .with_state(admin);
    let router = Router::from(router);
    match certificate {
        Some(certificate) => run(TlsListener::new(listener, certificate)?, router),
        None => run(listener, router),
    }
    Ok(())
}

/// What is asked again and again by machines, and would be all that a trace shows.
const UNTRACED: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// Answers within a span. Of a path that there is not, the path itself is not told: strangers choose it.
async fn traced(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    if route.is_some_and(|route| UNTRACED.contains(&route)) {
        return next.run(request).await;
    }
    let span = spans::admin_request(request.method().as_str(), route);
    let response = next.run(request).instrument(span.clone()).await;
    spans::admin_answered(&span, response.status().as_u16());
    response
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
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
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
