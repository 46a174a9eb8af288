//! A collector: one request to it, and what its answer means for what was sent.

use std::time::Duration;

use matchkeep_shared::limits::TELEMETRY_ANSWER_BYTES_MAX;
use prost::Message;
use ureq::http::header::{CONTENT_TYPE, RETRY_AFTER};
use ureq::http::{HeaderName, HeaderValue, Uri};
use ureq::tls::{Certificate, RootCerts};

use super::super::http::ring_tls;
use super::message::{Answer, Partial};

/// Why something was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    /// It may be taken later.
    #[error("{why}")]
    Later {
        why: String,
        /// Not before this, where the collector says so.
        after: Option<Duration>,
    },
    /// It never will be.
    #[error("{0}")]
    Never(String),
}

/// Where one signal is sent.
pub(super) struct Collector {
    agent: ureq::Agent,
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) timeout: Duration,
}

impl Collector {
    /// At this address; known by `roots`, or by those that browsers trust.
    pub(super) fn new(
        uri: Uri,
        headers: Vec<(HeaderName, HeaderValue)>,
        timeout: Duration,
        roots: Option<Vec<Certificate<'static>>>,
    ) -> Self {
        let roots = roots.map_or(RootCerts::WebPki, |roots| RootCerts::new_with_certs(&roots));
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("OTel-OTLP-Exporter-Matchkeep/", env!("CARGO_PKG_VERSION")))
            .tls_config(ring_tls(roots));
        Self { agent: config.build().into(), uri, headers, timeout }
    }

    /// Its address as it may be shown: a query can hold a key.
    pub(super) fn address(&self) -> String {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        format!("{scheme}://{authority}{}", self.uri.path())
    }

    /// Sends a request. The answer says what of it was not taken, where that is not all.
    ///
    /// # Errors
    /// [`PostError`], where nothing of it was taken.
    pub(super) fn post(&self, body: &[u8], within: Duration) -> Result<Option<Partial>, PostError> {
        let later = |error: ureq::Error| PostError::Later { why: error.to_string(), after: None };
        let mut request = self.agent.post(&self.uri).header(CONTENT_TYPE, "application/x-protobuf");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.config().timeout_global(Some(within)).build();
        let mut response = request.send(body).map_err(later)?;
        let status = response.status();
        if !status.is_success() {
            let why = format!("it answers {status}");
            return Err(match status.as_u16() {
                429 | 502..=504 => PostError::Later { why, after: pause(response.headers()) },
                _ => PostError::Never(why),
            });
        }
        // It was taken; what cannot be read of the answer changes nothing.
        let bounded = response.body_mut().with_config().limit(TELEMETRY_ANSWER_BYTES_MAX as u64);
        let answer = bounded.read_to_vec().unwrap_or_default();
        let partial = Answer::decode(&*answer).ok().and_then(|answer| answer.partial);
        Ok(partial.filter(|partial| partial.rejected > 0))
    }
}

/// For how long a collector does not want to be asked again.
fn pause(headers: &ureq::http::HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
