//! A client's connection to the lobby: one request at a time, one answer for each, and news in between.

use std::collections::VecDeque;
use std::net::SocketAddr;

use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{MatchId, PlayerId};
use matchkeep_shared::limits::{LOBBY_BACKLOG_MAX, LOBBY_MESSAGE_BYTES_MAX};
use matchkeep_shared::wire::ALPN_LOBBY;
use matchkeep_shared::wire::frame::{FrameReader, write_frame};
use matchkeep_shared::wire::lobby::{
    Assignment, LobbyMessage, LobbyReply, LobbyRequest, Party, Queued, Who,
};
use matchkeep_shared::wire::message::GameVersion;
use quinn::{Connection, Endpoint, RecvStream, SendStream};

use super::{ClientError, Secret, Trust, close, connect, ended};
use crate::netcode::ProtocolError;

/// What is read from the stream at once, in bytes.
const READ_BYTES: usize = 1024;

/// What the lobby says unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LobbyNews {
    /// The party has a match: where this player's place is.
    Assigned(Assignment),
    /// The party waits for a match.
    Queued(Queued),
    /// The party waits no longer.
    Unqueued(DisconnectReason),
    /// The match that was found cannot be played.
    Refused(DisconnectReason),
    /// The party as it is now.
    Party(Option<Party>),
}

/// What comes of looking for a match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sought {
    /// A place at once.
    Found(Assignment),
    /// It comes as [`LobbyNews`].
    Waits(Queued),
}

/// A connection to the lobby, authenticated.
#[derive(Debug)]
pub struct LobbyClient {
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
    reader: FrameReader,
    /// News that came while an answer was waited for.
    news: VecDeque<LobbyReply>,
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
        let (reader, news) = (FrameReader::default(), VecDeque::new());
        let player = PlayerId(0);
        let mut lobby = Self { connection, send, receive, reader, news, player, secret };
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

    /// Looks for a match of this mode and waits for it, with the party of whoever leads one; the empty name is the
    /// server's first mode.
    ///
    /// # Errors
    /// [`ClientError`]: no such mode, no room, nobody to play with for as long as the mode lets anybody wait.
    pub async fn find_match(&mut self, mode: &str) -> Result<Assignment, ClientError> {
        if let Sought::Found(assignment) = self.seek(mode).await? {
            return Ok(assignment);
        }
        self.found().await
    }

    /// Waits for the match that the party waits for.
    ///
    /// # Errors
    /// [`ClientError`]: it waits no longer, or the lobby is gone.
    pub async fn found(&mut self) -> Result<Assignment, ClientError> {
        loop {
            match self.news().await? {
                LobbyNews::Assigned(assignment) => return Ok(assignment),
                LobbyNews::Unqueued(reason) | LobbyNews::Refused(reason) => {
                    return Err(ClientError::Refused(reason));
                }
                LobbyNews::Queued(_) | LobbyNews::Party(_) => {}
            }
        }
    }

    /// Looks for a match of this mode; who has to wait for it hears of it by [`news`](Self::news).
    ///
    /// # Errors
    /// [`ClientError`]: no such mode, no room.
    pub async fn seek(&mut self, mode: &str) -> Result<Sought, ClientError> {
        let reply = self.request(&LobbyRequest::FindMatch { mode: mode.to_owned() }).await?;
        // What came before this answer is of an earlier search, whose end would pass for this one's. Where it is
        // refused, that search may go on.
        drop_search_news(&mut self.news);
        match reply {
            LobbyReply::Assigned(assignment) => Ok(Sought::Found(self.completed(assignment))),
            LobbyReply::Queued(queued) => Ok(Sought::Waits(queued)),
            _ => Err(out_of_place()),
        }
    }

    /// Waits for a match no longer, with the whole party.
    ///
    /// # Errors
    /// [`ClientError`]: nobody waited, or a match was found just before.
    pub async fn cancel(&mut self) -> Result<(), ClientError> {
        match self.request(&LobbyRequest::Cancel).await? {
            LobbyReply::Unqueued { .. } => Ok(()),
            _ => Err(out_of_place()),
        }
    }

    /// A party with a code by which others come into it; the one that the player is in, if any.
    ///
    /// # Errors
    /// [`ClientError`] where the lobby is gone.
    pub async fn open_party(&mut self) -> Result<Party, ClientError> {
        self.party(&LobbyRequest::OpenParty).await?.ok_or_else(out_of_place)
    }

    /// Into the party of this code, and out of another.
    ///
    /// # Errors
    /// [`ClientError`]: no party has this code, it is full.
    pub async fn join_party(&mut self, code: &str) -> Result<Party, ClientError> {
        let joined = self.party(&LobbyRequest::JoinParty { code: code.to_owned() }).await?;
        joined.ok_or_else(out_of_place)
    }

    /// Out of the party.
    ///
    /// # Errors
    /// [`ClientError`] where the lobby is gone.
    pub async fn leave_party(&mut self) -> Result<(), ClientError> {
        self.party(&LobbyRequest::LeaveParty).await.map(drop)
    }

    async fn party(&mut self, request: &LobbyRequest) -> Result<Option<Party>, ClientError> {
        match self.request(request).await? {
            LobbyReply::Party(party) => Ok(party),
            _ => Err(out_of_place()),
        }
    }

    /// The next that the lobby says unasked. Nothing is lost where the future is dropped before its end.
    ///
    /// # Errors
    /// [`ClientError`] where the lobby is gone.
    pub async fn news(&mut self) -> Result<LobbyNews, ClientError> {
        let reply = match self.news.pop_front() {
            Some(reply) => reply,
            None => match self.hear().await? {
                LobbyMessage::News(reply) => reply,
                LobbyMessage::Answer(_) => return Err(out_of_place()),
            },
        };
        Ok(match reply {
            LobbyReply::Assigned(assignment) => LobbyNews::Assigned(self.completed(assignment)),
            LobbyReply::Queued(queued) => LobbyNews::Queued(queued),
            LobbyReply::Unqueued { reason } => LobbyNews::Unqueued(reason),
            LobbyReply::Refused { reason } => LobbyNews::Refused(reason),
            LobbyReply::Party(party) => LobbyNews::Party(party),
            LobbyReply::Authenticated { .. } | LobbyReply::Left => return Err(out_of_place()),
        })
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
            LobbyReply::Assigned(assignment) => Ok(self.completed(assignment)),
            _ => Err(out_of_place()),
        }
    }

    /// As a match takes it.
    fn completed(&self, mut assignment: Assignment) -> Assignment {
        // A lobby that listens everywhere names no address: its shards are where it was found.
        assignment.address.get_or_insert(self.connection.remote_address().ip());
        assignment.ticket = self.secret.show(assignment.ticket);
        assignment
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
            match self.hear().await? {
                LobbyMessage::Answer(LobbyReply::Refused { reason }) => {
                    return Err(ClientError::Refused(reason));
                }
                LobbyMessage::Answer(reply) => return Ok(reply),
                LobbyMessage::News(reply) => {
                    if matches!(reply, LobbyReply::Queued(_)) {
                        drop_search_news(&mut self.news);
                    }
                    // Who never asks for news needs the last of them at most.
                    if self.news.len() >= LOBBY_BACKLOG_MAX {
                        self.news.pop_front();
                    }
                    self.news.push_back(reply);
                }
            }
        }
    }

    /// The next message, whatever it is.
    async fn hear(&mut self) -> Result<LobbyMessage, ClientError> {
        let address = self.connection.remote_address();
        loop {
            let next = self.reader.next(LOBBY_MESSAGE_BYTES_MAX);
            if let Some(message) = next.map_err(ProtocolError::from)? {
                return Ok(LobbyMessage::decode(message).map_err(ProtocolError::from)?);
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

/// Forgets what was said of searches so far: what came before a Queued is of an earlier waiting. A party outlasts them.
fn drop_search_news(news: &mut VecDeque<LobbyReply>) {
    news.retain(|reply| matches!(reply, LobbyReply::Party(_)));
}

fn no_random_numbers() -> ClientError {
    std::io::Error::other("the system has no random numbers").into()
}

fn out_of_place() -> ClientError {
    ProtocolError::Unexpected("an answer to another question").into()
}
