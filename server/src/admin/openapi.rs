//! The admin interface as a document: OpenAPI, made of the routes and their types.
//!
//! Owns: what all routes have in common, and the document. Must not know: what a route answers. A route cannot
//! be served without standing in the document, for one declaration makes both.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi};

use super::{ErrorDocument, guarded, open};

/// What stands above the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Matchkeep admin interface",
        version = "1",
        description = "What a running server shows and is ordered. Units are in the names; a match's ID is 13 \
                       characters of Crockford's base 32.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    modifiers(&Token),
    security((), ("token" = [])),
    tags(
        (name = "health", description = "For whoever looks after the process"),
        (name = "node", description = "The running server"),
        (name = "matches", description = "Running matches: see and steer"),
        (name = "history", description = "Stored matches and their results"),
        (name = "journals", description = "What matches are played again from"),
        (name = "audit", description = "Who changed what"),
    ),
)]
struct Common;

/// How a token is shown.
struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
            "Needed once the first token was made, and away from loopback; `read` for GET, `operate` for POST.",
        ));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    }
}

/// A match in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it stands in the document alone")]
pub(super) struct MatchPath {
    /// The match's ID.
    #[param(example = "0123456789abc")]
    id: String,
}

/// What anybody may be told instead.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it stands in the document alone")]
pub(super) enum Refused {
    /// A token is needed, and none that is good was shown.
    #[response(status = 401)]
    NoToken(ErrorDocument),
    /// The token's right does not suffice; or an order without a token names the server by another `Host` than an
    /// address or `localhost`.
    #[response(status = 403)]
    NoRight(ErrorDocument),
    /// The server is stopping, has no room to note an order, or a shard did not answer in time; an order may still
    /// be carried out then.
    #[response(status = 503)]
    NotNow(ErrorDocument),
}

/// What whoever asks with parameters or a body may be told besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it stands in the document alone")]
pub(super) enum Wrong {
    /// A parameter or the body is wrong; the error names it, its value and what is allowed.
    #[response(status = 400)]
    Wrong(ErrorDocument),
}

/// What whoever asks for a match may be told besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it stands in the document alone")]
pub(super) enum NoMatch {
    /// There is no such match, or no such player in it.
    #[response(status = 404)]
    Unknown(ErrorDocument),
    /// The match is on no shard now, or in no state for that.
    #[response(status = 409)]
    NotSo(ErrorDocument),
}

/// What whoever gives an order may be told besides.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it stands in the document alone")]
pub(super) enum NoOrder {
    /// The body is longer than an order is.
    #[response(status = 413)]
    TooLong(ErrorDocument),
    /// The body is not said to be JSON.
    #[response(status = 415)]
    NotJson(ErrorDocument),
}

/// The document as it is served and checked in.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let mut document = Common::openapi();
    document.merge(open().merge(guarded()).into_openapi());
    let mut text = document.to_pretty_json().expect("every schema is JSON");
    text.push('\n');
    text
});

/// This document.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    tag = "node",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value), Refused),
)]
pub(super) async fn serve() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the document is checked in, and by which variable it is written.
    const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    const WRITE: &str = "MATCHKEEP_WRITE_OPENAPI";

    #[test]
    fn the_document_that_is_checked_in_is_the_one_that_is_served() {
        if std::env::var_os(WRITE).is_some() {
            std::fs::write(PATH, DOCUMENT.as_str()).expect("docs/ can be written");
        }
        let there = std::fs::read_to_string(PATH).unwrap_or_default();
        assert!(there == *DOCUMENT, "docs/openapi.json is old: run this test with {WRITE}=1");
    }
}
