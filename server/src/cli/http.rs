//! Asking a running server's admin interface.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use super::admin_address::AdminAddress;
use super::credentials::Credentials;
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
    Unreachable(String),
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

/// A server's admin interface, and who asks there. Displayed as its address.
#[derive(Clone)]
pub(super) struct Server {
    name: String,
    url: String,
    is_tls: bool,
    agent: ureq::Agent,
    /// The header that shows the token.
    authorization: Option<String>,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Server {
    /// The one at an address, asked with these credentials.
    pub(super) fn new(admin: &AdminAddress, credentials: &Credentials) -> Self {
        let roots = match &credentials.roots {
            Some(roots) => RootCerts::new_with_certs(roots),
            None => RootCerts::WebPki,
        };
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .proxy(None)
            .tls_config(ring_tls(roots));
        Self {
            name: admin.to_string(),
            url: admin.url(),
            is_tls: admin.is_tls,
            agent: config.build().into(),
            authorization: credentials.token.as_ref().map(|token| format!("Bearer {token}")),
        }
    }

    /// Whether it is spoken to by TLS.
    pub(super) fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Whether it is there. For this nobody needs a token.
    pub(super) fn is_alive(&self) -> bool {
        self.look().is_ok()
    }

    /// Looks whether it is there.
    pub(super) fn look(&self) -> Result<(), HttpError> {
        self.get_text("/livez").map(drop)
    }

    /// The JSON document at a path.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, HttpError> {
        self.parse(path, self.get_text(path)?.as_bytes())
    }

    /// The JSON document at a path, which is not there before `lasts` is over.
    pub(super) fn get_after<T: DeserializeOwned>(
        &self,
        path: &str,
        lasts: Duration,
    ) -> Result<T, HttpError> {
        let request = self.agent.get(format!("{}{path}", self.url));
        let request = request.config().timeout_global(Some(lasts + TIMEOUT)).build();
        let response = self.signed(request).call().map_err(|error| self.unreachable(&error))?;
        self.parse(path, &self.body_of(response, TEXT_BYTES_MAX)?)
    }

    /// The JSON document at a path; `None` where the server knows of none.
    pub(super) fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, HttpError> {
        match self.get(path) {
            Err(HttpError::Unknown(_)) => Ok(None),
            found => found.map(Some),
        }
    }

    /// The text at a path.
    pub(super) fn get_text(&self, path: &str) -> Result<String, HttpError> {
        let body = self.get_bytes(path, TEXT_BYTES_MAX)?;
        let no_text = |_| HttpError::Refused(format!("{}{path} is no text", self.url));
        String::from_utf8(body).map_err(no_text)
    }

    /// What is at a path, of so many bytes at most.
    pub(super) fn get_bytes(&self, path: &str, bytes_max: usize) -> Result<Vec<u8>, HttpError> {
        let request = self.agent.get(format!("{}{path}", self.url));
        let response = self.signed(request).call().map_err(|error| self.unreachable(&error))?;
        self.body_of(response, bytes_max)
    }

    /// What came of sending `body` to a path.
    pub(super) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<T, HttpError> {
        let request = self.agent.post(format!("{}{path}", self.url));
        let request = self.signed(request).header("Content-Type", "application/json");
        let response = request.send(body.to_string()).map_err(|error| self.unreachable(&error))?;
        self.parse(path, &self.body_of(response, TEXT_BYTES_MAX)?)
    }

    fn signed<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.authorization {
            Some(header) => request.header("Authorization", header),
            None => request,
        }
    }

    fn parse<T: DeserializeOwned>(&self, path: &str, body: &[u8]) -> Result<T, HttpError> {
        let no_answer =
            |error| HttpError::Refused(format!("{}{path} is no answer of ours: {error}", self.url));
        serde_json::from_slice(body).map_err(no_answer)
    }

    fn unreachable(&self, error: &ureq::Error) -> HttpError {
        // With TLS somebody may be there who is not known.
        HttpError::Unreachable(match self.is_tls {
            true => format!("{self} ({error})"),
            false => self.to_string(),
        })
    }

    fn body_of(
        &self,
        mut response: ureq::http::Response<ureq::Body>,
        bytes_max: usize,
    ) -> Result<Vec<u8>, HttpError> {
        let body = response.body_mut().with_config().limit(bytes_max as u64 + 1).read_to_vec();
        let body = body.map_err(|error| self.unreachable(&error))?;
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
}

/// TLS as this program speaks it, with whoever these certificates stand for.
pub(super) fn ring_tls(roots: RootCerts) -> TlsConfig {
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(roots)
        .build()
}
