//! Matches that are being made, each with its span: from the decision until the shard says what came of it.

use std::collections::BTreeMap;

use matchkeep_shared::ids::{MatchId, ShardId};
use tracing::Span;

use crate::shard::message::ShardEvent;
use crate::spans;

/// The spans of matches that are being made; none where nobody takes spans.
#[derive(Debug, Default)]
pub(crate) struct Creations(BTreeMap<MatchId, Span>);

impl Creations {
    /// One is to be made.
    pub(super) fn begin(&mut self, match_id: MatchId, mode: &str, shard: ShardId) {
        let span = spans::match_creation(match_id, mode, shard);
        if !span.is_disabled() {
            self.0.insert(match_id, span);
        }
    }

    /// A shard says something.
    pub(super) fn heard(&mut self, event: &ShardEvent) {
        match event {
            ShardEvent::Created { match_id } => drop(self.0.remove(match_id)),
            ShardEvent::CreateRefused { match_id } => {
                if let Some(span) = self.0.remove(match_id) {
                    span.record(spans::FAULT, "the shard has no room for another match");
                }
            }
            ShardEvent::Unplayable { match_id, cause } => {
                if let Some(span) = self.0.remove(match_id) {
                    span.record(spans::FAULT, cause.as_str());
                }
            }
            _ => {}
        }
    }

    /// Those that are not known any more will not be made.
    pub(super) fn keep(&mut self, is_known: impl Fn(MatchId) -> bool) {
        self.0.retain(|match_id, span| {
            let is_known = is_known(*match_id);
            if !is_known {
                span.record(spans::FAULT, "it was given up");
            }
            is_known
        });
    }
}
