//! The messages on the one bidirectional stream of a match connection: what must arrive.

use serde::{Deserialize, Serialize};

use super::codec::CodecId;
use crate::encoding::{DecodeError, decode};
use crate::game::{Game, Outcome};
use crate::ids::{Epoch, MatchId, PlayerId, Slot};
use crate::limits::{
    CLIENT_MESSAGE_BYTES_MAX, CODECS_OFFERED_MAX, IDENTITY_BYTES_MAX, NAME_BYTES_MAX,
    NOTICE_BYTES_MAX, SERVER_MESSAGE_BYTES_MAX,
};
use crate::schema::{Entity, schema_hash};
use crate::ticket::{SHOWN_TICKET_BYTES_MAX, TOKEN_BYTES_MAX};
use crate::time::{Tick, TickRate};

/// Client to server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientMessage {
    /// The first message: who wants to play what, with which ticket.
    Join(Join),
    /// Goodbye: the place is given up at once.
    Leave,
    /// A newer token of the identity provider, before the one that the lobby was shown ends.
    Identity {
        /// In its compact form.
        token: String,
    },
}

/// What a client must say to join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// Which game the client plays.
    pub game: GameVersion,
    /// The snapshot codecs it speaks, best first.
    #[serde(deserialize_with = "crate::encoding::list")]
    pub codecs: Vec<CodecId>,
    /// What gives it the right to.
    pub credential: Credential,
}

/// What opens a match to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Credential {
    /// What the lobby gave it, for a first join or to come back with, and behind it the secret whose SHA-256 the
    /// lobby was told.
    Ticket(#[serde(deserialize_with = "crate::encoding::list")] Vec<u8>),
    /// What the match itself gave it: back to the place it holds, past the lobby.
    Token(#[serde(deserialize_with = "crate::encoding::list")] Vec<u8>),
}

/// What client and server must agree on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GameVersion {
    /// [`Game::NAME`].
    pub name: String,
    /// [`Game::RULES_VERSION`].
    pub rules: u32,
    /// [`schema_hash`] of the game's entities.
    pub schema: u64,
}

impl GameVersion {
    /// The version of a game as compiled into this program.
    pub fn of<G: Game>() -> Self {
        let schema = schema_hash(G::Entity::KINDS);
        Self { name: G::NAME.to_owned(), rules: G::RULES_VERSION, schema }
    }
}

/// Server to client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerMessage {
    /// The answer to a join: the player is in.
    Welcome(Welcome),
    /// Something happened in the match.
    Event {
        /// The epoch it belongs to.
        epoch: Epoch,
        /// The tick in whose step it happened.
        tick: Tick,
        /// The game's own event, encoded.
        #[serde(deserialize_with = "crate::encoding::list")]
        event: Vec<u8>,
    },
    /// The match is over and its result is on stable storage.
    Ended {
        /// The epoch it ended in.
        epoch: Epoch,
        /// The last tick.
        tick: Tick,
        /// How it ended.
        outcome: Outcome,
    },
    /// A newer token; this one and the one before it bring the player back.
    Token(#[serde(deserialize_with = "crate::encoding::list")] Vec<u8>),
    /// The match was restarted: what was told of ticks beyond this one did not happen. Snapshots and
    /// events of the epoch follow.
    Resumed {
        /// The new epoch.
        epoch: Epoch,
        /// The tick it goes on from.
        tick: Tick,
    },
    /// Whoever runs the server has something to say to the players, whatever happens in the match.
    Notice {
        /// What, at most [`NOTICE_BYTES_MAX`] bytes.
        text: String,
    },
}

/// What a player must know to play.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The match.
    pub match_id: MatchId,
    /// The player's account.
    pub player: PlayerId,
    /// The player's place.
    pub slot: Slot,
    /// The epoch the match is in.
    pub epoch: Epoch,
    /// The number of ticks stepped so far.
    pub tick: Tick,
    /// The tick that the epoch went on from; what was told of later ones in older epochs did not happen.
    pub resumed: Tick,
    /// How fast it ticks.
    pub rate: TickRate,
    /// The codec of the snapshots to come.
    pub codec: CodecId,
    /// For how long the place is held for a player who lost the connection, in milliseconds.
    pub hold_ms: u32,
    /// Brings the player back to the place.
    #[serde(deserialize_with = "crate::encoding::list")]
    pub token: Vec<u8>,
    /// The game's configuration, encoded.
    #[serde(deserialize_with = "crate::encoding::list")]
    pub config: Vec<u8>,
}

impl ClientMessage {
    /// Decodes one message of a client, all parts within their bounds.
    ///
    /// # Errors
    /// [`DecodeError`] where it is none; the sender is sent away.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let message: Self = decode::<_, CLIENT_MESSAGE_BYTES_MAX>("client message", bytes)?;
        let within = match &message {
            Self::Join(join) => {
                let credential_fits = match &join.credential {
                    Credential::Ticket(ticket) => ticket.len() <= SHOWN_TICKET_BYTES_MAX,
                    Credential::Token(token) => token.len() <= TOKEN_BYTES_MAX,
                };
                join.game.name.len() <= NAME_BYTES_MAX
                    && join.codecs.len() <= CODECS_OFFERED_MAX
                    && credential_fits
            }
            Self::Identity { token } => token.len() <= IDENTITY_BYTES_MAX,
            Self::Leave => true,
        };
        if !within {
            return Err(DecodeError::new("client message", "a part is too long"));
        }
        Ok(message)
    }
}

impl ServerMessage {
    /// Decodes one message of a server, all parts within their bounds.
    ///
    /// # Errors
    /// [`DecodeError`] where it is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let message: Self = decode::<_, SERVER_MESSAGE_BYTES_MAX>("server message", bytes)?;
        match &message {
            Self::Notice { text } if text.len() > NOTICE_BYTES_MAX => {
                Err(DecodeError::new("server message", "a part is too long"))
            }
            _ => Ok(message),
        }
    }
}
