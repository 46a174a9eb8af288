//! A client's connection to a match: QUIC around a [`MatchSession`].

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::EntityId;
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::ALPN_MATCH;
use matchkeep_shared::wire::lobby::Assignment;
use matchkeep_shared::wire::message::Credential;
use quinn::{Connection, Endpoint, RecvStream, SendStream};
use tokio::time::Sleep;

use super::{ClientError, Fingerprint, close, connect, ended, now};
use crate::netcode::{MatchEvent, MatchSession, SessionCounts, join_message, leave_message};

/// What a runtime's timer can tell apart, halved.
const TIMER_PRECISION: Duration = Duration::from_micros(500);
/// What is read from the stream at once, in bytes.
const READ_BYTES: usize = 16 * 1024;

/// A player in a match.
pub struct MatchClient<G: Game> {
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
    stream_ended: bool,
    session: MatchSession<G>,
    datagram: Vec<u8>,
    /// Goes off when the next input is due.
    timer: Pin<Box<Sleep>>,
}

impl<G: Game> MatchClient<G> {
    /// Goes where the lobby said, with the ticket it gave. The first event is
    /// [`MatchEvent::Joined`].
    ///
    /// # Errors
    /// [`ClientError`]: nobody there, another certificate. What the server thinks of the ticket comes
    /// from [`MatchClient::next`].
    pub async fn join(endpoint: &Endpoint, assignment: Assignment) -> Result<Self, ClientError> {
        let Assignment { address, port, fingerprint, ticket, .. } = assignment;
        let unnamed = || ClientError::Connection {
            address: SocketAddr::from(([0, 0, 0, 0], port)),
            cause: "the assignment names no address".into(),
        };
        let address = SocketAddr::new(address.ok_or_else(unnamed)?, port);
        let connection = connect(endpoint, address, Fingerprint(fingerprint), ALPN_MATCH).await?;
        let opened = connection.open_bi().await;
        let (mut send, receive) = opened.map_err(|error| ended(address, &error))?;
        if send.write_all(&join_message::<G>(Credential::Ticket(ticket))).await.is_err() {
            return Err(ended(address, &connection.closed().await));
        }
        let session = MatchSession::default();
        let timer = Box::pin(tokio::time::sleep(Duration::ZERO));
        let datagram = Vec::new();
        Ok(Self { connection, send, receive, stream_ended: false, session, datagram, timer })
    }

    /// Waits for what happens next. On [`MatchEvent::InputDue`] answer with [`MatchClient::send_input`].
    /// May be dropped and called again without losing anything.
    ///
    /// # Errors
    /// [`ClientError`]: the match is over for this player, and why.
    pub async fn next(&mut self) -> Result<MatchEvent<G>, ClientError> {
        loop {
            let due = {
                let now = now();
                if let Some(event) = self.session.poll_event(now) {
                    return Ok(event);
                }
                self.session.next_due()
            };
            if let Some(due) = due {
                self.set_timer(due.into());
            }
            tokio::select! {
                biased;
                datagram = self.connection.read_datagram() => match datagram {
                    Ok(datagram) => {
                        self.session.set_round_trip(self.connection.rtt());
                        let result = self.session.handle_datagram(now(), &datagram);
                        self.checked(result)?;
                    }
                    // What the stream still holds was sent before the end: it counts.
                    Err(error) => {
                        self.drain().await?;
                        if let Some(event) = self.session.poll_event(now()) {
                            return Ok(event);
                        }
                        return Err(ended(self.connection.remote_address(), &error));
                    }
                },
                chunk = self.receive.read_chunk(READ_BYTES, true), if !self.stream_ended => match chunk {
                    Ok(Some(chunk)) => {
                        self.session.set_round_trip(self.connection.rtt());
                        let result = self.session.handle_stream(now(), &chunk.bytes);
                        self.checked(result)?;
                    }
                    Ok(None) | Err(_) => self.stream_ended = true,
                },
                () = &mut self.timer, if due.is_some() => {}
            }
        }
    }

    /// Every snapshot moves the deadline a little; setting a timer costs more than being off by less than
    /// it can tell apart.
    fn set_timer(&mut self, due: tokio::time::Instant) {
        let set = self.timer.deadline();
        let is_near = due.max(set) - due.min(set) < TIMER_PRECISION;
        if self.timer.is_elapsed() || !is_near {
            self.timer.as_mut().reset(due);
        }
    }

    /// Sends the input that was due for `tick`, and what was acknowledged with it.
    pub fn send_input(&mut self, tick: Tick, input: G::Input) {
        self.datagram.clear();
        self.session.push_input(tick, input, &mut self.datagram);
        if !self.datagram.is_empty() {
            // A datagram that cannot go is a lost one: the next carries the same inputs again.
            let _ = self.connection.send_datagram(Bytes::copy_from_slice(&self.datagram));
        }
    }

    /// The newest snapshot: its tick and what the player sees.
    pub fn snapshot(&self) -> Option<(Tick, impl Iterator<Item = (EntityId, G::Entity)> + '_)> {
        self.session.snapshot()
    }

    /// What passed between this client and the server so far.
    pub fn counts(&self) -> SessionCounts {
        self.session.counts()
    }

    /// The QUIC connection, for its statistics.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Gives up the place and says goodbye.
    pub async fn leave(mut self) {
        // If the server is gone already, so is the place.
        let _ = self.send.write_all(&leave_message()).await;
        close(&self.connection, DisconnectReason::Left);
    }

    /// Ends the connection without giving up the place, as a lost network would.
    pub fn abandon(self) {
        close(&self.connection, DisconnectReason::ConnectionLost);
    }

    async fn drain(&mut self) -> Result<(), ClientError> {
        while !self.stream_ended {
            match self.receive.read_chunk(READ_BYTES, true).await {
                Ok(Some(chunk)) => {
                    let result = self.session.handle_stream(now(), &chunk.bytes);
                    self.checked(result)?;
                }
                Ok(None) | Err(_) => self.stream_ended = true,
            }
        }
        Ok(())
    }

    fn checked<T>(
        &self,
        result: Result<T, crate::netcode::ProtocolError>,
    ) -> Result<T, ClientError> {
        if result.is_err() {
            close(&self.connection, DisconnectReason::MalformedMessage);
        }
        Ok(result?)
    }
}
