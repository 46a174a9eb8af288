//! What a match's journal says about the match itself, first of all.
//!
//! Owns: the payload of a journal's header. Must not know: the record around it.

use matchkeep_shared::Game;
use matchkeep_shared::encoding::{DecodeError, decode, encode};
use matchkeep_shared::limits::{CHECKPOINT_BYTES_MAX, PLAYERS_PER_MATCH_MAX};
use serde::{Deserialize, Serialize};

use super::MatchSpec;

/// The version of frames, checkpoints and this header. A build that writes others has another number.
pub const CONTENT_VERSION: u32 = 2;
/// The most bytes that a `u32` takes encoded.
const NUMBER_BYTES_MAX: usize = 5;

/// A match as its journal introduces it. Readable whatever the game.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchHeader {
    /// [`CONTENT_VERSION`] of the build that wrote it.
    pub content_version: u32,
    /// The game's name.
    pub game: String,
    /// The version of its rules.
    pub rules_version: u32,
    /// The map, in a game that has maps.
    pub map: Option<String>,
    /// When the match began, in milliseconds of Unix time.
    pub created_unix_ms: u64,
    /// The [`MatchSpec`], encoded.
    #[serde(deserialize_with = "matchkeep_shared::encoding::list")]
    spec: Vec<u8>,
}

/// Why a match is not this build's to go on with.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// The bytes are no header.
    #[error("the header cannot be read: {0}")]
    Unreadable(#[from] DecodeError),
    /// More places than any match has.
    #[error("the header has {0} places: a match has at most {PLAYERS_PER_MATCH_MAX}")]
    Places(usize),
    /// Another build's match.
    #[error("it was played with {theirs}; this build plays {ours}")]
    Foreign {
        /// What the header says.
        theirs: String,
        /// What this build would say.
        ours: String,
    },
}

impl MatchHeader {
    /// The header of a match of `G`.
    pub fn new<G: Game>(
        spec: &MatchSpec<G::Config>,
        map: Option<String>,
        created_unix_ms: u64,
    ) -> Self {
        Self {
            content_version: CONTENT_VERSION,
            game: G::NAME.to_owned(),
            rules_version: G::RULES_VERSION,
            map,
            created_unix_ms,
            spec: encode(spec),
        }
    }

    /// Reads a header.
    ///
    /// # Errors
    /// [`HeaderError::Foreign`] where it is of a content version that cannot be read here,
    /// [`HeaderError::Unreadable`] where it is of this build's and damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        decode::<Self, CHECKPOINT_BYTES_MAX>("header", bytes).map_err(|error| {
            match first_number(bytes) {
                Some(version) if version != CONTENT_VERSION => HeaderError::Foreign {
                    theirs: format!("journal version {version}"),
                    ours: format!("journal version {CONTENT_VERSION}"),
                },
                _ => HeaderError::Unreadable(error),
            }
        })
    }

    /// What the match is made of, if this build plays its game by its rules.
    ///
    /// # Errors
    /// [`HeaderError`].
    pub fn spec<G: Game>(&self) -> Result<MatchSpec<G::Config>, HeaderError> {
        self.spec_if::<G>(self.rules_version == G::RULES_VERSION)
    }

    /// What the match is made of, if this build plays its game, by whatever rules: to compare two builds.
    ///
    /// # Errors
    /// [`HeaderError`].
    pub fn spec_by_any_rules<G: Game>(&self) -> Result<MatchSpec<G::Config>, HeaderError> {
        self.spec_if::<G>(true)
    }

    fn spec_if<G: Game>(&self, rules_fit: bool) -> Result<MatchSpec<G::Config>, HeaderError> {
        let name = |game: &str, rules: u32, content: u32| {
            format!("{game}, rules version {rules}, journal version {content}")
        };
        let theirs = name(&self.game, self.rules_version, self.content_version);
        let ours = name(G::NAME, G::RULES_VERSION, CONTENT_VERSION);
        let fits = rules_fit && self.game == G::NAME && self.content_version == CONTENT_VERSION;
        if !fits {
            return Err(HeaderError::Foreign { theirs, ours });
        }
        let spec = decode::<MatchSpec<G::Config>, CHECKPOINT_BYTES_MAX>("match", &self.spec)?;
        // It decides how much is allocated.
        if spec.places > PLAYERS_PER_MATCH_MAX {
            return Err(HeaderError::Places(spec.places));
        }
        Ok(spec)
    }
}

/// The number that a header begins with: in one of whichever version, the version.
fn first_number(bytes: &[u8]) -> Option<u32> {
    // No encoded number begins with another one.
    let begins = (1..=NUMBER_BYTES_MAX).filter_map(|length| bytes.get(..length));
    begins.filter_map(|begin| decode::<u32, NUMBER_BYTES_MAX>("version", begin).ok()).next()
}
