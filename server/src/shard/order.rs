//! What an operator may order of a running match, and why it may not be.
//!
//! Owns: the list of orders, their bounds, and the refusals' words. Must not know: who orders, and how an
//! order travels.

use matchkeep_shared::ids::PlayerId;
use matchkeep_shared::limits::{END_REASON_BYTES_MAX, NOTICE_BYTES_MAX};

use super::view::{MatchRow, MatchStage};

/// An order to one match.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Order {
    /// Tell its players something.
    Say {
        /// What; see [`Order::check`].
        text: String,
    },
    /// Send a player away; the place is free at once.
    Kick {
        /// Who.
        player: PlayerId,
    },
    /// Let it stand still.
    Pause,
    /// Let it go on, whoever made it stand still.
    Resume,
    /// End it, as it stands.
    End {
        /// Why, for the result; see [`Order::check`].
        reason: String,
    },
}

/// An order that was carried out.
#[derive(Clone, PartialEq, Debug)]
pub struct Ordered {
    /// How many connected players it was told to, where it is told to players.
    pub told: Option<usize>,
    /// The match afterwards.
    pub row: MatchRow,
}

/// Why an order was not carried out.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OrderRefused {
    /// The shard has no such match.
    #[error("there is no such match here")]
    UnknownMatch,
    /// It is there and cannot take orders.
    #[error("the match is {stage}", stage = .0.label())]
    NotRunning(MatchStage),
    /// Nobody of that account has a place.
    #[error("player {player} has no place in the match", player = .0.0)]
    NoSuchPlayer(PlayerId),
    /// It stands still already, on an operator's word or for being too slow.
    #[error("the match is {stage} already: `resume` lets it go on", stage = .0.label())]
    AlreadyPaused(MatchStage),
    /// Nobody made it stand still.
    #[error("nobody paused the match: it is {stage}", stage = .0.label())]
    NotPaused(MatchStage),
}

/// An order that no match takes.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what} {fault}")]
pub struct OrderUnfit {
    what: &'static str,
    fault: String,
}

impl Order {
    /// Its name in the log and in paths.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Say { .. } => "say",
            Self::Kick { .. } => "kick",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::End { .. } => "end",
        }
    }

    /// Whether its text is one: not empty, without control characters, within its bound.
    ///
    /// # Errors
    /// [`OrderUnfit`] names what is wrong with it, and what is allowed.
    pub fn check(&self) -> Result<(), OrderUnfit> {
        let (what, text, bytes_max) = match self {
            Self::Say { text } => ("text", text, NOTICE_BYTES_MAX),
            Self::End { reason } => ("reason", reason, END_REASON_BYTES_MAX),
            Self::Kick { .. } | Self::Pause | Self::Resume => return Ok(()),
        };
        let fault = if text.trim().is_empty() {
            "is empty".to_owned()
        } else if text.len() > bytes_max {
            format!("has {} bytes: allowed are up to {bytes_max}", text.len())
        } else if let Some(control) = text.chars().find(|c| c.is_control()) {
            format!("has the control character {control:?}: allowed is what can be printed")
        } else {
            return Ok(());
        };
        Err(OrderUnfit { what, fault })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_printable_and_within_its_bound() {
        let say = |text: &str| Order::Say { text: text.into() }.check().map_err(|e| e.to_string());
        let end =
            |text: &str| Order::End { reason: text.into() }.check().map_err(|e| e.to_string());
        assert_eq!(say("a restart in five minutes \u{2013} really"), Ok(()));
        assert_eq!(say(&"x".repeat(NOTICE_BYTES_MAX)), Ok(()));
        assert_eq!(
            say(&"x".repeat(NOTICE_BYTES_MAX + 1)),
            Err("text has 513 bytes: allowed are up to 512".into())
        );
        assert_eq!(say(" "), Err("text is empty".into()));
        assert!(say("one\x1b[2J").is_err_and(|error| error.contains("\\u{1b}")));
        assert_eq!(
            end(&"x".repeat(END_REASON_BYTES_MAX + 1)),
            Err("reason has 129 bytes: allowed are up to 128".into())
        );
        assert_eq!(Order::Pause.check(), Ok(()));
    }
}
