//! Who is let in: what the store knows of tokens, asked for each request.
//!
//! Owns: the keyring as it is now, looked for in the store once a second, and the answers to who is not let
//! in. Must not know: what is asked for. A request that changes nothing needs the right to read, any other one
//! the right to operate.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use matchkeep_shared::ids::MatchId;
use serde_json::json;
use tokio::sync::watch;

use super::{Admin, error};
use crate::access::{Denied, Keyring, Right};
use crate::store::{AuditEntry, AuditOutcome, History, StoreError, StoreOpenError};
use crate::wall::unix_ms;

/// How often tokens that were made or revoked are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The tokens as they are now; clones share them.
#[derive(Clone)]
pub(crate) struct Gate {
    keyring: watch::Receiver<Arc<Keyring>>,
}

/// Why the tokens cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokensUnreadable {
    #[error(transparent)]
    Open(#[from] StoreOpenError),
    #[error(transparent)]
    Read(#[from] StoreError),
}

impl Gate {
    /// For the tokens of this folder, which has a database. Where only this machine reaches the interface, nobody
    /// needs one before the first was made.
    pub(crate) fn open(folder: &Path, is_loopback: bool) -> Result<Self, TokensUnreadable> {
        let keyring = Arc::new(look(&History::open(folder)?, is_loopback)?);
        let (sender, receiver) = watch::channel(keyring);
        tokio::spawn(look_again(folder.to_owned(), is_loopback, sender));
        Ok(Self { keyring: receiver })
    }

    /// Whether whoever shows this may still look.
    pub(super) fn admits_reading(&self, headers: &HeaderMap) -> Result<(), Denied> {
        let keyring = Arc::clone(&self.keyring.borrow());
        keyring.admit(shown(headers), Right::Read, unix_ms()).map(|_| ())
    }

    /// Whether somebody has a token with which to operate.
    pub(crate) fn has_operator(&self) -> bool {
        self.keyring.borrow().has(Right::Operate, unix_ms())
    }
}

fn look(history: &History, is_loopback: bool) -> Result<Keyring, StoreError> {
    let tokens = history.tokens()?;
    Ok(Keyring::new(tokens.kept, is_loopback && !tokens.were_made))
}

/// Looks for changes as long as somebody is let in by them. What cannot be read stays as it was.
async fn look_again(folder: PathBuf, is_loopback: bool, keyring: watch::Sender<Arc<Keyring>>) {
    let folder = Arc::new(folder);
    let mut history = None;
    let mut is_failing = false;
    loop {
        tokio::select! {
            () = keyring.closed() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let (opened, folder) = (history.take(), Arc::clone(&folder));
        let looked = tokio::task::spawn_blocking(move || {
            let history = match opened {
                Some(history) => history,
                None => History::open(&folder)?,
            };
            let found = look(&history, is_loopback)?;
            Ok::<_, TokensUnreadable>((history, found))
        });
        let looked = looked.await.map_err(|panic| panic.to_string());
        match looked.and_then(|looked| looked.map_err(|error| error.to_string())) {
            Ok((opened, found)) => {
                history = Some(opened);
                is_failing = false;
                keyring.send_replace(Arc::new(found));
            }
            Err(error) => {
                if !is_failing {
                    tracing::error!(%error, "tokens cannot be read; those known before stay in force");
                }
                is_failing = true;
            }
        }
    }
}

/// Lets a request pass, with who makes it, or says why not.
pub(super) async fn guard(
    State(admin): State<Admin>,
    mut request: Request,
    next: Next,
) -> Response {
    let needed = match *request.method() {
        Method::GET | Method::HEAD => Right::Read,
        _ => Right::Operate,
    };
    let keyring = Arc::clone(&admin.gate.keyring.borrow());
    match keyring.admit(shown(request.headers()), needed, unix_ms()) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(denied) => {
            if needed == Right::Operate
                && let Some(row) = row_of(&denied, request.uri().path())
                && let Err(unrecorded) = admin.record(row)
            {
                return unrecorded.response();
            }
            refuse(&denied)
        }
    }
}

/// What the audit log says of a change that somebody may not make; nothing of strangers, who could fill it.
fn row_of(denied: &Denied, path: &str) -> Option<AuditEntry> {
    let who = match denied {
        Denied::Insufficient { name, .. } | Denied::Expired(name) => name.clone(),
        Denied::Missing | Denied::Unknown => return None,
    };
    let mut parts = path.trim_start_matches("/v1/matches/").split('/');
    let match_id = parts.next()?.parse::<MatchId>().ok();
    Some(AuditEntry {
        unix_ms: unix_ms(),
        who,
        what: parts.next()?.to_owned(),
        match_id,
        arguments: json!({}),
        outcome: AuditOutcome::Refused,
        why: Some(denied.to_string()),
    })
}

/// The token in a request.
fn shown(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn refuse(denied: &Denied) -> Response {
    if matches!(denied, Denied::Insufficient { .. }) {
        return error(StatusCode::FORBIDDEN, denied);
    }
    let mut response = error(StatusCode::UNAUTHORIZED, denied);
    let scheme = HeaderValue::from_static("Bearer");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_bearers() {
        for (value, expected) in [
            ("Bearer mkt_1", Some("mkt_1")),
            ("bearer  mkt_1", Some("mkt_1")),
            ("Basic mkt_1", None),
            ("mkt_1", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().expect("a value"));
            assert_eq!(shown(&headers), expected, "{value}");
        }
        assert_eq!(shown(&HeaderMap::new()), None);
    }
}
