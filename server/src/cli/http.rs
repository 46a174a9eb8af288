//! Asking a running server's admin interface.

use std::net::SocketAddr;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::admin::ErrorDocument;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest text.
const TEXT_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    /// Nobody is there.
    #[error("no server answers at {0}")]
    Unreachable(SocketAddr),
    /// The server knows of nothing there.
    #[error("{0}")]
    Unknown(String),
    /// The server says why not.
    #[error("{0}")]
    Refused(String),
    /// The server cannot now, or failed at it.
    #[error("{0}")]
    Failed(String),
}

impl HttpError {
    /// Whether the asker asked for what cannot be.
    pub(super) fn is_misplaced(&self) -> bool {
        !matches!(self, Self::Failed(_))
    }
}

/// The JSON document at `path` of the admin interface at `admin`.
pub(super) fn get<T: DeserializeOwned>(admin: SocketAddr, path: &str) -> Result<T, HttpError> {
    parsed(admin, path, &get_bytes(admin, path, TEXT_BYTES_MAX)?)
}

/// The JSON document at `path`, which is not there before `lasts` is over.
pub(super) fn get_after<T: DeserializeOwned>(
    admin: SocketAddr,
    path: &str,
    lasts: Duration,
) -> Result<T, HttpError> {
    let unreachable = |_| HttpError::Unreachable(admin);
    let response =
        agent(lasts + TIMEOUT).get(format!("http://{admin}{path}")).call().map_err(unreachable)?;
    let body = body_of(admin, response, TEXT_BYTES_MAX)?;
    serde_json::from_slice(&body)
        .map_err(|e| HttpError::Refused(format!("http://{admin}{path} is no answer of ours: {e}")))
}

/// The JSON document at `path`; `None` where the server knows of none.
pub(super) fn find<T: DeserializeOwned>(
    admin: SocketAddr,
    path: &str,
) -> Result<Option<T>, HttpError> {
    match get(admin, path) {
        Err(HttpError::Unknown(_)) => Ok(None),
        found => found.map(Some),
    }
}

/// The text at `path` of the admin interface at `admin`.
pub(super) fn get_text(admin: SocketAddr, path: &str) -> Result<String, HttpError> {
    let body = get_bytes(admin, path, TEXT_BYTES_MAX)?;
    let no_text = |_| HttpError::Refused(format!("http://{admin}{path} is no text"));
    String::from_utf8(body).map_err(no_text)
}

/// What is at `path`, of so many bytes at most.
pub(super) fn get_bytes(
    admin: SocketAddr,
    path: &str,
    bytes_max: usize,
) -> Result<Vec<u8>, HttpError> {
    let unreachable = |_| HttpError::Unreachable(admin);
    let response =
        agent(TIMEOUT).get(format!("http://{admin}{path}")).call().map_err(unreachable)?;
    body_of(admin, response, bytes_max)
}

/// What came of sending `body` to `path`.
pub(super) fn post<T: DeserializeOwned>(
    admin: SocketAddr,
    path: &str,
    body: &Value,
) -> Result<T, HttpError> {
    let request = agent(TIMEOUT).post(format!("http://{admin}{path}"));
    let request = request.header("Content-Type", "application/json");
    let response = request.send(body.to_string()).map_err(|_| HttpError::Unreachable(admin))?;
    parsed(admin, path, &body_of(admin, response, TEXT_BYTES_MAX)?)
}

fn parsed<T: DeserializeOwned>(admin: SocketAddr, path: &str, body: &[u8]) -> Result<T, HttpError> {
    serde_json::from_slice(body)
        .map_err(|e| HttpError::Refused(format!("http://{admin}{path} is no answer of ours: {e}")))
}

fn agent(within: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(within))
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into()
}

fn body_of(
    admin: SocketAddr,
    mut response: ureq::http::Response<ureq::Body>,
    bytes_max: usize,
) -> Result<Vec<u8>, HttpError> {
    let body = response.body_mut().with_config().limit(bytes_max as u64 + 1).read_to_vec();
    let body = body.map_err(|_| HttpError::Unreachable(admin))?;
    let status = response.status();
    if status.is_success() {
        return Ok(body);
    }
    let error = serde_json::from_slice::<ErrorDocument>(&body).map(|document| document.error);
    let error = error.unwrap_or_else(|_| status.to_string());
    Err(match status.as_u16() {
        404 => HttpError::Unknown(error),
        500.. => HttpError::Failed(error),
        _ => HttpError::Refused(error),
    })
}
