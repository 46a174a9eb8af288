//! What is kept of who changed something: each order has its row before it is given, and what came of it after.
//!
//! Owns: `GET /v1/audit`, and that no order is carried out without a row on its way to the store. Must not
//! know: how rows are stored, and what an order does.

use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use ring::rand::{SecureRandom, SystemRandom};
use serde::Deserialize;
use serde_json::{Value, json};

use super::openapi::{Refused, Wrong};
use super::request::{limit, query};
use super::{Admin, error, history};
use crate::control::questions::Unanswered;
use crate::shard::order::Order;
use crate::store::{AuditEntry, AuditFilter, AuditKey, AuditOutcome, AuditRow, StoreError};

/// How often it is tried to note an outcome for which the store had no room.
const TRY_AGAIN: Duration = Duration::from_millis(50);

/// Why an order is refused for want of a row.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unrecorded {
    #[error("the order is refused, for it cannot be noted in the audit log: {0}")]
    Store(#[from] StoreError),
    #[error("the order is refused, for the system gave no random number for the audit log")]
    NoRandomness,
}

impl Unrecorded {
    pub(super) fn response(&self) -> Response {
        error(StatusCode::SERVICE_UNAVAILABLE, self)
    }
}

impl Admin {
    /// Sends a row on its way. It waits for no disk; a row that is lost there is in the log in full.
    pub(super) fn record(&self, entry: AuditEntry) -> Result<AuditKey, Unrecorded> {
        let mut bytes = [0; 8];
        SystemRandom::new().fill(&mut bytes).map_err(|_| Unrecorded::NoRandomness)?;
        let key = AuditKey(u64::from_le_bytes(bytes));
        let written = self.store.audit(key, entry.clone())?;
        tokio::spawn(async move {
            if let Err(error) = written.await {
                tracing::error!(%error, ?entry, "a row of the audit log is lost");
            }
        });
        Ok(key)
    }

    /// Sends after it what came of it; returns when that is on its way.
    pub(super) async fn settle<T>(&self, key: AuditKey, answer: &Result<T, Unanswered>) {
        let (outcome, why) = match answer {
            Ok(_) => (AuditOutcome::Done, None),
            Err(why @ (Unanswered::Silent(_) | Unanswered::Stopping)) => {
                (AuditOutcome::Unknown, Some(why.to_string()))
            }
            Err(why) => (AuditOutcome::Refused, Some(why.to_string())),
        };
        loop {
            match self.store.settle_audit(key, outcome, why.clone()) {
                Err(StoreError::QueueFull) => tokio::time::sleep(TRY_AGAIN).await,
                Err(error) => {
                    tracing::error!(%error, ?key, ?outcome, ?why, "an outcome is not in the audit log");
                    return;
                }
                Ok(written) => {
                    tokio::spawn(async move {
                        if let Err(error) = written.await {
                            tracing::error!(
                                %error, ?key, ?outcome, ?why, "an outcome is not in the audit log"
                            );
                        }
                    });
                    return;
                }
            }
        }
    }
}

/// What an order asks for in particular.
pub(super) fn arguments(order: &Order) -> Value {
    match order {
        Order::Say { text } => json!({ "text": text }),
        Order::Kick { player } => json!({ "player": player.0 }),
        Order::Pause | Order::Resume => json!({}),
        Order::End { reason } => json!({ "reason": reason }),
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// At most so many rows.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Only those below this number.
    before: Option<u64>,
}

/// The audit log, newest first. The last row's number is the `before` of the next page.
#[utoipa::path(
    get,
    path = "/v1/audit",
    tag = "audit",
    params(ListQuery),
    responses((status = 200, description = "Rows", body = Vec<AuditRow>), Wrong, Refused),
)]
pub(super) async fn list(
    State(admin): State<Admin>,
    asked: Result<Query<ListQuery>, QueryRejection>,
) -> Response {
    let filter = query(asked)
        .and_then(|query| Ok(AuditFilter { limit: limit(query.limit)?, before: query.before }));
    match filter {
        Ok(filter) => history::ask(admin, move |history| history.audit(&filter)).await,
        Err(response) => *response,
    }
}
