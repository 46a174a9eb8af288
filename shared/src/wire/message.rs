//! The messages on the one bidirectional stream of a match connection: what must arrive.

use serde::{Deserialize, Serialize};

use super::codec::CodecId;
use crate::encoding::{DecodeError, decode};
use crate::game::{Game, Outcome};
use crate::ids::{Epoch, MatchId, PlayerId, Slot};
use crate::limits::{
    CLIENT_MESSAGE_BYTES_MAX, CODECS_OFFERED_MAX, NAME_BYTES_MAX, SERVER_MESSAGE_BYTES_MAX,
};
use crate::schema::{Entity, schema_hash};
use crate::ticket::TICKET_BYTES_MAX;
use crate::time::{Tick, TickRate};

/// Client to server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientMessage {
    /// The first message: who wants to play what, with which ticket.
    Join(Join),
    /// Goodbye: the place is given up at once.
    Leave,
}

/// What a client must say to join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// Which game the client plays.
    pub game: GameVersion,
    /// The snapshot codecs it speaks, best first.
    #[serde(deserialize_with = "crate::encoding::list")]
    pub codecs: Vec<CodecId>,
    /// What the lobby gave it.
    #[serde(deserialize_with = "crate::encoding::list")]
    pub ticket: Vec<u8>,
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
    /// How fast it ticks.
    pub rate: TickRate,
    /// The codec of the snapshots to come.
    pub codec: CodecId,
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
        if let Self::Join(join) = &message {
            let within = join.game.name.len() <= NAME_BYTES_MAX
                && join.codecs.len() <= CODECS_OFFERED_MAX
                && join.ticket.len() <= TICKET_BYTES_MAX;
            if !within {
                return Err(DecodeError::new("client message", "a part is too long"));
            }
        }
        Ok(message)
    }
}

impl ServerMessage {
    /// Decodes one message of a server.
    ///
    /// # Errors
    /// [`DecodeError`] where it is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode::<_, SERVER_MESSAGE_BYTES_MAX>("server message", bytes)
    }
}
