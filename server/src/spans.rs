//! The spans of a node: all that a trace shows of it, each with its name and attributes. `docs/OPERATIONS.md` lists
//! them.
//!
//! They stand at what operators and players ask for, and at what a node does once. Must not know: who takes them, if
//! anybody does; where nobody does they cost a look at an atomic. Nothing in a tick makes one.

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{MatchId, ShardId};
use matchkeep_shared::wire::lobby::{LobbyReply, LobbyRequest};
use tracing::{Span, field, info_span};

use crate::control::core::{Note, StoreRequest};
use crate::matchmaking::QueueAsk;
use crate::store::StoreError;

/// By this they are known from all other spans; none of them is printed with a line of the log.
pub(crate) const TARGET: &str = "matchkeep::spans";
/// The field that names a span, where its name is only known when it begins.
pub(crate) const NAME: &str = "otel.name";
/// The field that says that somebody else waits for it.
pub(crate) const IS_ASKED: &str = "otel.is_asked";
/// The field that says that it is over, while something that was begun within it is still under way: it is sent now,
/// with what was recorded until now.
pub(crate) const IS_OVER: &str = "otel.is_over";
/// The field that says what went wrong.
pub(crate) const FAULT: &str = "otel.fault";

/// From the start of the process until players may come.
pub(crate) fn start() -> Span {
    info_span!(target: TARGET, "node start", otel.is_over = field::Empty)
}

/// They may come. Tasks of the node that were begun within it hold the span until the process ends.
pub(crate) fn started(span: &Span) {
    span.record(IS_OVER, true);
}

/// What is left of the process before is read and judged.
pub(crate) fn recovery() -> Span {
    info_span!(
        target: TARGET,
        "recovery",
        matches.returning = field::Empty,
        matches.finished = field::Empty,
        matches.quarantined = field::Empty,
        matches.foreign = field::Empty,
    )
}

/// A player's client asks the lobby.
pub(crate) fn lobby_request(request: &LobbyRequest) -> Span {
    let (kind, match_id) = match request {
        LobbyRequest::Authenticate { .. } => ("authenticate", None),
        LobbyRequest::FindMatch { .. } => ("find_match", None),
        LobbyRequest::Locate { match_id } => ("locate", Some(match_id)),
        LobbyRequest::Leave { match_id } => ("leave", Some(match_id)),
        LobbyRequest::CreatePrivate { .. } => ("create_private", None),
        LobbyRequest::JoinPrivate { .. } => ("join_private", None),
        LobbyRequest::Cancel => ("cancel", None),
        LobbyRequest::OpenParty => ("open_party", None),
        LobbyRequest::JoinParty { .. } => ("join_party", None),
        LobbyRequest::LeaveParty => ("leave_party", None),
    };
    let span = info_span!(
        target: TARGET,
        "lobby request",
        otel.name = field::Empty,
        otel.is_asked = true,
        otel.is_over = field::Empty,
        otel.fault = field::Empty,
        lobby.kind = kind,
        lobby.outcome = field::Empty,
        r#match.id = match_id.map(field::display),
    );
    if !span.is_disabled() {
        span.record(NAME, format!("lobby {kind}"));
    }
    span
}

/// What the lobby answered; a refusal is an answer.
pub(crate) fn lobby_answered(span: &Span, reply: &LobbyReply) {
    if span.is_disabled() {
        return;
    }
    let outcome = match reply {
        LobbyReply::Authenticated { .. } => "authenticated",
        LobbyReply::Assigned(assignment) => {
            span.record("match.id", field::display(assignment.match_id));
            "assigned"
        }
        LobbyReply::Queued(_) => "queued",
        LobbyReply::Unqueued { .. } => "unqueued",
        LobbyReply::Party(_) => "party",
        LobbyReply::Left => "left",
        LobbyReply::Refused { reason } => reason.label(),
    };
    span.record("lobby.outcome", outcome);
    span.record(IS_OVER, true);
}

/// The lobby ended the connection, which is a fault of the request that has no answer yet, if there is one.
pub(crate) fn lobby_closed(span: &Span, reason: DisconnectReason) {
    span.record(FAULT, reason.text());
    span.record("lobby.outcome", reason.label());
    span.record(IS_OVER, true);
}

/// A match is made: from the decision until its shard has it.
pub(crate) fn match_creation(match_id: MatchId, mode: &str, shard: ShardId) -> Span {
    info_span!(
        target: TARGET,
        "match create",
        otel.fault = field::Empty,
        r#match.id = %match_id,
        r#match.mode = mode,
        shard = shard.0,
    )
}

/// Control has the store write something, or look up an account, and waits for it to be durable.
pub(crate) fn store_request(request: &StoreRequest) -> Span {
    let (kind, match_id) = match request {
        StoreRequest::Account { .. } => ("account", None),
        StoreRequest::Vouch { showing, .. } => ("vouch", Some(showing.match_id)),
        StoreRequest::Reserve { wanted, .. } => ("reserve", Some(wanted.match_id)),
        StoreRequest::Queue { ask, .. } => match ask {
            QueueAsk::Enqueue(_) => ("enqueue", None),
            QueueAsk::End { .. } => ("unqueue", None),
            QueueAsk::Form { form, .. } => ("form", Some(form.match_id)),
            // Nobody waits for these, and they come all the time.
            QueueAsk::Changes { .. }
            | QueueAsk::Promised { .. }
            | QueueAsk::Ratings { .. }
            | QueueAsk::Forget { .. } => return Span::none(),
        },
        StoreRequest::Note(Note::Create(new)) => ("create", Some(new.id)),
        StoreRequest::Note(Note::Quarantine { match_id, .. }) => ("quarantine", Some(*match_id)),
        StoreRequest::Note(Note::Result(finished)) => ("result", Some(finished.id)),
    };
    info_span!(
        target: TARGET,
        "store write",
        otel.fault = field::Empty,
        store.kind = kind,
        r#match.id = match_id.map(field::display),
    )
}

/// What came of that.
pub(crate) fn store_answered(span: &Span, error: Option<&StoreError>) {
    if let Some(error) = error {
        span.record(FAULT, field::display(error));
    }
}

/// Somebody asks the admin interface, for what this route gives; `None` where there is none. A method that is none of
/// HTTP's own is not told: strangers choose it.
pub(crate) fn admin_request(method: &str, route: Option<&str>) -> Span {
    let method = match method {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "PATCH" | "OPTIONS") => known,
        _ => "_OTHER",
    };
    let span = info_span!(
        target: TARGET,
        "admin request",
        otel.name = field::Empty,
        otel.is_asked = true,
        otel.is_over = field::Empty,
        otel.fault = field::Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = field::Empty,
    );
    if let Some(route) = route.filter(|_| !span.is_disabled()) {
        span.record(NAME, format!("{method} {route}"));
    }
    span
}

/// With which status that was answered.
pub(crate) fn admin_answered(span: &Span, status: u16) {
    span.record("http.response.status_code", status);
    if status >= 500 {
        span.record(FAULT, format!("status {status}"));
    }
    span.record(IS_OVER, true);
}
