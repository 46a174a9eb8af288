//! What somebody asks, checked: queries, IDs, bodies.
//!
//! Owns: what is wrong with a question, in words and as a status. Must not know: what is asked.
//!
//! Every web page that the operator looks at can send requests to a loopback address, where nobody may need a
//! token. So whatever changes something must come as JSON, which a page of another origin cannot send unasked, and
//! to an address or `localhost`, which a page whose name was pointed here does not. Who shows a token is no such
//! page, and names the server as its certificate does.

use std::net::IpAddr;

use axum::body::Bytes;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::LIST_ROWS_MAX;
use serde::de::DeserializeOwned;

use super::error;
use crate::access::Caller;

/// What somebody asked, or what they are told instead.
pub(super) type Checked<T> = Result<T, Box<Response>>;

/// It is wrong, and so it must be.
pub(super) fn bad(what: impl ToString) -> Box<Response> {
    Box::new(error(StatusCode::BAD_REQUEST, what))
}

/// The parameters.
pub(super) fn query<T>(asked: Result<Query<T>, QueryRejection>) -> Checked<T> {
    asked.map(|Query(query)| query).map_err(|rejected| bad(rejected.body_text()))
}

/// How many rows are wanted.
pub(super) fn limit(limit: Option<usize>) -> Checked<usize> {
    let limit = limit.unwrap_or(LIST_ROWS_MAX);
    if (1..=LIST_ROWS_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(bad(format!("limit = {limit}: allowed are 1 to {LIST_ROWS_MAX}")))
}

/// The match in a path.
pub(super) fn match_id(id: &str) -> Checked<MatchId> {
    id.parse().map_err(bad)
}

/// The JSON body of a request that changes something.
pub(super) fn body<T: DeserializeOwned>(
    caller: &Caller,
    headers: &HeaderMap,
    body: &Bytes,
) -> Checked<T> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if !caller.has_token() && !text(header::HOST).is_some_and(is_here) {
        let fault = "the Host must be an address or `localhost`: no web page steers a server";
        return Err(Box::new(error(StatusCode::FORBIDDEN, fault)));
    }
    let kind = text(header::CONTENT_TYPE).and_then(|kind| kind.split(';').next());
    if kind.is_none_or(|kind| kind.trim() != "application/json") {
        let fault = "the body must be JSON, with `Content-Type: application/json`";
        return Err(Box::new(error(StatusCode::UNSUPPORTED_MEDIA_TYPE, fault)));
    }
    let bytes: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(bytes).map_err(|fault| bad(format!("the body: {fault}")))
}

/// Whether a host is named by its address, or is this machine.
fn is_here(host: &str) -> bool {
    let Ok(authority) = host.parse::<Uri>() else { return false };
    authority.host().is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Keyring, Right};

    #[test]
    fn a_page_whose_name_was_pointed_here_is_told_from_an_operator() {
        for host in ["127.0.0.1:7780", "127.0.0.1", "[::1]:7780", "localhost:7780", "LOCALHOST"] {
            assert!(is_here(host), "{host}");
        }
        for host in ["example.com:7780", "localhost.example.com", "", "127.0.0.1.example.com:1"] {
            assert!(!is_here(host), "{host}");
        }
    }

    #[test]
    fn a_body_is_json_and_says_so() {
        let headers = |kind: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "127.0.0.1:7780".parse().expect("a host"));
            if let Some(kind) = kind {
                headers.insert(header::CONTENT_TYPE, kind.parse().expect("a type"));
            }
            headers
        };
        let status = |kind, text: &'static str| {
            let caller = Keyring::new(Vec::new(), true).admit(None, Right::Operate, 0);
            let caller = caller.expect("it is open");
            let checked =
                body::<Vec<u8>>(&caller, &headers(kind), &Bytes::from_static(text.as_bytes()));
            checked.map_err(|response| response.status().as_u16())
        };
        let json = Some("application/json; charset=utf-8");
        assert_eq!(status(json, "[1]"), Ok(vec![1]));
        assert_eq!(status(json, "[1"), Err(400));
        assert_eq!(status(Some("text/plain"), "[1]"), Err(415));
        assert_eq!(status(None, "[1]"), Err(415));
    }
}
