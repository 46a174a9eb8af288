//! The messages of a lobby connection: requests and answers, in order, on one bidirectional stream.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::message::GameVersion;
use crate::disconnect::DisconnectReason;
use crate::encoding::{DecodeError, decode};
use crate::ids::{MatchId, PlayerId};
use crate::limits::{LOBBY_MESSAGE_BYTES_MAX, NAME_BYTES_MAX, PLAYER_NAME_BYTES_MAX};

/// Client to lobby.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LobbyRequest {
    /// First of all: who asks. Development form: a name is enough, on a loopback address.
    Authenticate {
        /// Which game the client plays.
        game: GameVersion,
        /// The player's name.
        name: String,
    },
    /// A place in a match of this mode: a running one with a free place first, else a new one.
    FindMatch {
        /// The mode's name; empty for the server's first.
        mode: String,
    },
    /// Where is this match? Also the way back to a place that is held.
    Locate {
        /// The match.
        match_id: MatchId,
    },
    /// Gives up the place in this match.
    Leave {
        /// The match.
        match_id: MatchId,
    },
}

/// Lobby to client, one answer for each request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LobbyReply {
    /// The answer to [`LobbyRequest::Authenticate`].
    Authenticated {
        /// The account.
        player: PlayerId,
    },
    /// The answer to [`LobbyRequest::FindMatch`] and [`LobbyRequest::Locate`].
    Assigned(Assignment),
    /// The answer to [`LobbyRequest::Leave`].
    Left,
    /// The request was understood and cannot be granted; the connection goes on.
    Refused {
        /// Why.
        reason: DisconnectReason,
    },
}

/// Where to play and with what right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The match.
    pub match_id: MatchId,
    /// The shard's address; `None`: the one the lobby was reached at.
    pub address: Option<IpAddr>,
    /// The shard's UDP port.
    pub port: u16,
    /// SHA-256 of the certificate the shard shows.
    pub fingerprint: [u8; 32],
    /// The permission to join, for the shard's eyes.
    #[serde(deserialize_with = "crate::encoding::list")]
    pub ticket: Vec<u8>,
}

impl LobbyRequest {
    /// Decodes one request, all parts within their bounds.
    ///
    /// # Errors
    /// [`DecodeError`] where it is none; the sender is sent away.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let request: Self = decode::<_, LOBBY_MESSAGE_BYTES_MAX>("lobby request", bytes)?;
        let within = match &request {
            // A name a little too long is a person's mistake and gets an answer; a huge one does not.
            Self::Authenticate { game, name } => {
                game.name.len() <= NAME_BYTES_MAX && name.len() <= 4 * PLAYER_NAME_BYTES_MAX
            }
            Self::FindMatch { mode } => mode.len() <= NAME_BYTES_MAX,
            Self::Locate { .. } | Self::Leave { .. } => true,
        };
        if !within {
            return Err(DecodeError::new("lobby request", "a part is too long"));
        }
        Ok(request)
    }
}

impl LobbyReply {
    /// Decodes one answer.
    ///
    /// # Errors
    /// [`DecodeError`] where it is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode::<_, LOBBY_MESSAGE_BYTES_MAX>("lobby reply", bytes)
    }
}
