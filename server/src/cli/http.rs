//! Asking a running server's admin interface.

use std::net::SocketAddr;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::admin::ErrorDocument;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    /// Nobody is there.
    #[error("no server answers at {0}")]
    Unreachable(SocketAddr),
    /// The server says why not.
    #[error("{0}")]
    Refused(String),
}

/// The JSON document at `path` of the admin interface at `admin`.
pub(super) fn get<T: DeserializeOwned>(admin: SocketAddr, path: &str) -> Result<T, HttpError> {
    let body = get_text(admin, path)?;
    serde_json::from_str(&body)
        .map_err(|e| HttpError::Refused(format!("http://{admin}{path} is no answer of ours: {e}")))
}

/// The text at `path` of the admin interface at `admin`.
pub(super) fn get_text(admin: SocketAddr, path: &str) -> Result<String, HttpError> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into();
    let unreachable = |_| HttpError::Unreachable(admin);
    let mut response = agent.get(format!("http://{admin}{path}")).call().map_err(unreachable)?;
    let body = response.body_mut().read_to_string().map_err(unreachable)?;
    if response.status().is_success() {
        return Ok(body);
    }
    let error = serde_json::from_str::<ErrorDocument>(&body).map(|document| document.error);
    Err(HttpError::Refused(error.unwrap_or_else(|_| response.status().to_string())))
}
