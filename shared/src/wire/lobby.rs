//! The messages of a lobby connection, on one bidirectional stream: requests, one answer for each in order, and
//! news, which come unasked.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::message::GameVersion;
use crate::disconnect::DisconnectReason;
use crate::encoding::{DecodeError, decode};
use crate::ids::{MatchId, PlayerId};
use crate::limits::{
    IDENTITY_BYTES_MAX, JOIN_CODE_BYTES_MAX, LOBBY_MESSAGE_BYTES_MAX, NAME_BYTES_MAX,
    PLAYER_NAME_BYTES_MAX,
};
use crate::ticket::BINDING_BYTES;

/// Client to lobby.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LobbyRequest {
    /// First of all: who asks. Once more later, with a newer identity of the same player.
    Authenticate {
        /// Which game the client plays.
        game: GameVersion,
        /// Who it is.
        who: Who,
        /// SHA-256 of a secret that the client made up and shows with its tickets: what somebody else reads of one
        /// is of no use.
        binding: [u8; BINDING_BYTES],
    },
    /// A place in a match of this mode, for the whole party of whoever leads one: a running one with free places
    /// first, else a new one. Who has to wait for it is told, and gets the place as news. The same again, also of
    /// another connection, goes on waiting.
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
    /// A match of this mode that nobody is sent to who does not name it. The same request again leads to the same
    /// match, also after its answer was lost.
    CreatePrivate {
        /// The client's own number for this request, another one for another match.
        request: u64,
        /// The mode's name; empty for the server's first.
        mode: String,
    },
    /// A place in the private match of this code.
    JoinPrivate {
        /// What its creator was told.
        code: String,
    },
    /// Waits no longer for a match, with the whole party.
    Cancel,
    /// A party of one, with a code by which others come into it. Who is in one stays in it.
    OpenParty,
    /// Into the party of this code, and out of another.
    JoinParty {
        /// What those who are in it were told.
        code: String,
    },
    /// Out of the party. Its next player leads it where the leader goes.
    LeaveParty,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Who {
    /// Whoever says so; for development, on a loopback address.
    Name(String),
    /// Whoever the studio's identity provider says: a JSON Web Token, in its compact form.
    Identity(String),
}

impl From<&str> for Who {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<&String> for Who {
    fn from(name: &String) -> Self {
        Self::Name(name.clone())
    }
}

/// Lobby to client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LobbyMessage {
    /// To the oldest request that has no answer yet.
    Answer(LobbyReply),
    /// To none.
    News(LobbyReply),
}

/// What the lobby says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LobbyReply {
    /// The answer to [`LobbyRequest::Authenticate`].
    Authenticated {
        /// The account.
        player: PlayerId,
    },
    /// A place: the answer to whoever asks for one.
    Assigned(Assignment),
    /// The answer to [`LobbyRequest::Leave`].
    Left,
    /// The request was understood and cannot be granted; the connection goes on. As news: a match that was found cannot
    /// be played.
    Refused {
        /// Why.
        reason: DisconnectReason,
    },
    /// The party waits for a match: the answer to its leader, and news to the others.
    Queued(Queued),
    /// The party waits no longer: the answer to [`LobbyRequest::Cancel`], else news.
    Unqueued {
        /// Why.
        reason: DisconnectReason,
    },
    /// The party as it is now, `None` out of any: the answer to whoever asks about parties, and news to the others in
    /// it.
    Party(Option<Party>),
}

/// A party that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    /// The mode.
    pub mode: String,
    /// How long it has waited, in milliseconds.
    pub waited_ms: u64,
    /// How long it waits at most, in milliseconds: by then it is told of a match, or that there is none.
    pub limit_ms: u64,
}

/// Players who go into matches together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// What others come in with.
    pub code: String,
    /// Who is in it, the leader first.
    #[serde(deserialize_with = "crate::encoding::list")]
    pub members: Vec<PartyMember>,
}

/// Somebody in a party.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyMember {
    /// The account.
    pub player: PlayerId,
    /// The name the player is shown under.
    pub name: String,
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
    /// Of a private match: what others join it with.
    pub code: Option<String>,
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
            Self::Authenticate { game, who, binding: _ } => {
                let fits = match who {
                    Who::Name(name) => name.len() <= 4 * PLAYER_NAME_BYTES_MAX,
                    Who::Identity(token) => token.len() <= IDENTITY_BYTES_MAX,
                };
                game.name.len() <= NAME_BYTES_MAX && fits
            }
            Self::FindMatch { mode } | Self::CreatePrivate { mode, .. } => {
                mode.len() <= NAME_BYTES_MAX
            }
            Self::JoinPrivate { code } | Self::JoinParty { code } => {
                code.len() <= JOIN_CODE_BYTES_MAX
            }
            Self::Locate { .. }
            | Self::Leave { .. }
            | Self::Cancel
            | Self::OpenParty
            | Self::LeaveParty => true,
        };
        if !within {
            return Err(DecodeError::new("lobby request", "a part is too long"));
        }
        Ok(request)
    }
}

impl LobbyMessage {
    /// Decodes one message of the lobby.
    ///
    /// # Errors
    /// [`DecodeError`] where it is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode::<_, LOBBY_MESSAGE_BYTES_MAX>("lobby message", bytes)
    }
}
