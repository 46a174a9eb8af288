//! What a match died of, as its journal keeps it.

use matchkeep_shared::encoding::{DecodeError, decode};
use matchkeep_shared::limits::FRAME_BYTES_MAX;
use matchkeep_shared::time::Tick;
use serde::{Deserialize, Serialize};

/// Why a match was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IncidentCause {
    /// The game panicked.
    Panic,
    /// A step did not come back; the process was ended.
    Hung,
}

impl IncidentCause {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Panic, Self::Hung];

    /// The cause's name in metrics and JSON.
    pub fn label(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Hung => "hung",
        }
    }
}

/// The payload of an incident's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// What happened.
    pub cause: IncidentCause,
    /// In the step to this tick, or right before it.
    pub tick: Tick,
    /// What was said.
    pub text: String,
    /// The frame that may have caused it, as far as it was known; not part of the match.
    #[serde(deserialize_with = "matchkeep_shared::encoding::list")]
    pub suspect: Vec<u8>,
}

impl Incident {
    /// Reads one.
    ///
    /// # Errors
    /// [`DecodeError`] where the bytes are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode::<Self, { 2 * FRAME_BYTES_MAX }>("incident", bytes)
    }
}
