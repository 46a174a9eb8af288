//! A client's connection to the lobby: one request at a time, one answer for each.

use std::net::SocketAddr;

use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{MatchId, PlayerId};
use matchkeep_shared::limits::LOBBY_MESSAGE_BYTES_MAX;
use matchkeep_shared::wire::ALPN_LOBBY;
use matchkeep_shared::wire::frame::{FrameReader, write_frame};
use matchkeep_shared::wire::lobby::{Assignment, LobbyMessage, LobbyReply, LobbyRequest, Who};
use matchkeep_shared::wire::message::GameVersion;
use quinn::{Connection, Endpoint, RecvStream, SendStream};

use super::{ClientError, Secret, Trust, close, connect, ended};
use crate::netcode::ProtocolError;

/// What is read from the stream at once, in bytes.
const READ_BYTES: usize = 1024;

/// A connection to the lobby, authenticated.
#[derive(Debug)]
pub struct LobbyClient {
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
    reader: FrameReader,
    player: PlayerId,
    secret: Secret,
}

impl LobbyClient {
    /// Connects to the lobby at `address`, which is known by its certificate's fingerprint or by its name, as a player of
    /// the game `G`: a name, or what an identity provider says.
    ///
    /// # Errors
    /// [`ClientError`]: nobody there, another certificate, another game, a name that is none, somebody who is not
    /// let in.
    pub async fn connect<G: Game>(
        endpoint: &Endpoint,
        address: SocketAddr,
        trust: impl Into<Trust>,
        who: impl Into<Who>,
    ) -> Result<Self, ClientError> {
        let secret = Secret::random().ok_or_else(no_random_numbers)?;
        let connection = connect(endpoint, address, &trust.into(), ALPN_LOBBY).await?;
        let opened = connection.open_bi().await;
        let (send, receive) = opened.map_err(|error| ended(address, &error))?;
        let reader = FrameReader::default();
        let player = PlayerId(0);
        let mut lobby = Self { connection, send, receive, reader, player, secret };
        lobby.authenticate::<G>(who.into()).await?;
        Ok(lobby)
    }

    /// Shows a newer token of the same player, before the one before it ends.
    ///
    /// # Errors
    /// [`ClientError`] where it is not believed.
    pub async fn refresh<G: Game>(&mut self, token: String) -> Result<(), ClientError> {
        self.authenticate::<G>(Who::Identity(token)).await
    }

    async fn authenticate<G: Game>(&mut self, who: Who) -> Result<(), ClientError> {
        let (game, binding) = (GameVersion::of::<G>(), self.secret.binding());
        match self.request(&LobbyRequest::Authenticate { game, who, binding }).await? {
            LobbyReply::Authenticated { player } => self.player = player,
            _ => return Err(out_of_place()),
        }
        Ok(())
    }

    /// The player's account.
    pub fn player(&self) -> PlayerId {
        self.player
    }

    /// Asks for a place in a match of this mode; the empty name is the server's first mode.
    ///
    /// # Errors
    /// [`ClientError`]: no such mode, no room.
    pub async fn find_match(&mut self, mode: &str) -> Result<Assignment, ClientError> {
        self.assigned(&LobbyRequest::FindMatch { mode: mode.to_owned() }).await
    }

    /// Asks where a match is: to join it, or to come back to it.
    ///
    /// # Errors
    /// [`ClientError`]: no such match, no place in it.
    pub async fn locate(&mut self, match_id: MatchId) -> Result<Assignment, ClientError> {
        self.assigned(&LobbyRequest::Locate { match_id }).await
    }

    /// Asks for a private match of this mode; its code is in the answer. The same request again, also over a later
    /// connection, leads to the same match.
    ///
    /// # Errors
    /// [`ClientError`]: no such mode, no room; the match of this request is over.
    pub async fn create_private(
        &mut self,
        request: u64,
        mode: &str,
    ) -> Result<Assignment, ClientError> {
        self.assigned(&LobbyRequest::CreatePrivate { request, mode: mode.to_owned() }).await
    }

    /// Asks for a place in a private match.
    ///
    /// # Errors
    /// [`ClientError`]: no match has this code, no place in it.
    pub async fn join_private(&mut self, code: &str) -> Result<Assignment, ClientError> {
        self.assigned(&LobbyRequest::JoinPrivate { code: code.to_owned() }).await
    }

    /// Gives up the place in a match.
    ///
    /// # Errors
    /// [`ClientError`] where the lobby is gone.
    pub async fn leave(&mut self, match_id: MatchId) -> Result<(), ClientError> {
        match self.request(&LobbyRequest::Leave { match_id }).await? {
            LobbyReply::Left => Ok(()),
            _ => Err(out_of_place()),
        }
    }

    /// Says goodbye.
    pub fn close(self) {
        close(&self.connection, DisconnectReason::Left);
    }

    async fn assigned(&mut self, request: &LobbyRequest) -> Result<Assignment, ClientError> {
        match self.request(request).await? {
            LobbyReply::Assigned(mut assignment) => {
                // A lobby that listens everywhere names no address: its shards are where it was found.
                assignment.address.get_or_insert(self.connection.remote_address().ip());
                assignment.ticket = self.secret.show(assignment.ticket);
                Ok(assignment)
            }
            _ => Err(out_of_place()),
        }
    }

    async fn request(&mut self, request: &LobbyRequest) -> Result<LobbyReply, ClientError> {
        let address = self.connection.remote_address();
        let mut frame = Vec::new();
        write_frame(request, LOBBY_MESSAGE_BYTES_MAX, &mut frame).map_err(|_| out_of_place())?;
        let written = self.send.write_all(&frame).await;
        if written.is_err() {
            return Err(ended(address, &self.connection.closed().await));
        }
        loop {
            let next = self.reader.next(LOBBY_MESSAGE_BYTES_MAX);
            if let Some(message) = next.map_err(ProtocolError::from)? {
                let message = LobbyMessage::decode(message).map_err(ProtocolError::from)?;
                return match message {
                    LobbyMessage::Answer(LobbyReply::Refused { reason }) => {
                        Err(ClientError::Refused(reason))
                    }
                    LobbyMessage::Answer(reply) => Ok(reply),
                    // Nobody here waits for any.
                    LobbyMessage::News(_) => continue,
                };
            }
            match self.receive.read_chunk(READ_BYTES, true).await {
                Ok(Some(chunk)) => self.reader.extend(&chunk.bytes),
                Ok(None) | Err(_) => {
                    return Err(ended(address, &self.connection.closed().await));
                }
            }
        }
    }
}

fn no_random_numbers() -> ClientError {
    std::io::Error::other("the system has no random numbers").into()
}

fn out_of_place() -> ClientError {
    ProtocolError::Unexpected("an answer to another question").into()
}
