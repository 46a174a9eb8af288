//! QUIC around the lobby: a task for each connection that carries its requests in and its answers out.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use matchkeep_client::transport::tuning::{Side, transport_config};
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::limits::{
    INCOMING_BUFFER_BYTES, INCOMING_BUFFER_TOTAL_BYTES, INCOMING_MAX, JOIN_DEADLINE,
    LOBBY_BACKLOG_MAX, LOBBY_HANDSHAKE_EVERY, LOBBY_MESSAGE_BYTES_MAX, LOBBY_READ_MAX,
    LOBBY_REQUESTS_PER_SECOND_MAX,
};
use matchkeep_shared::wire::ALPN_LOBBY;
use matchkeep_shared::wire::frame::{FrameReader, write_frame};
use matchkeep_shared::wire::lobby::{LobbyMessage, LobbyReply, LobbyRequest};
use quinn::{Connection, Endpoint, RecvStream, SendStream, ServerConfig, VarInt};
use rustls::sign::CertifiedKey;
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, MissedTickBehavior};
use tracing::Span;

use super::core::ConnectionKey;
use super::door::{Door, Unconnected, Verdict};
use crate::control::{ControlEvent, Farewell};
use crate::identity::{EndpointRole, IdentityError, ServerIdentity};
use crate::spans;

/// What is read from a stream at once, in bytes.
const READ_BYTES: usize = 1024;
/// Spread over this, so that a burst of requests is no flood.
const RATE_WINDOW: Duration = Duration::from_secs(1);

/// Why the lobby's endpoint cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// TLS or keys.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The socket.
    #[error("the lobby's socket cannot be used: {0}")]
    Socket(#[from] std::io::Error),
}

/// Opens the lobby's endpoint on a bound socket. It shows this certificate, or one of its own. Call within a runtime.
///
/// # Errors
/// [`EndpointError`].
pub fn open(
    identity: &ServerIdentity,
    shown: Option<Arc<CertifiedKey>>,
    socket: UdpSocket,
) -> Result<Endpoint, EndpointError> {
    let config = server_config(identity, shown)?;
    let endpoint = identity.quic_endpoint(EndpointRole::Lobby);
    let runtime = Arc::new(quinn::TokioRuntime);
    Ok(Endpoint::new(endpoint, Some(config), socket, runtime)?)
}

/// How connections are taken, with this certificate or one of its own.
pub(super) fn server_config(
    identity: &ServerIdentity,
    shown: Option<Arc<CertifiedKey>>,
) -> Result<ServerConfig, IdentityError> {
    let mut config = match shown {
        Some(shown) => identity.quic_server_showing(shown, EndpointRole::Lobby, &[ALPN_LOBBY])?,
        None => identity.quic_server(EndpointRole::Lobby, &[ALPN_LOBBY])?,
    };
    config
        .transport_config(transport_config(Side::Server))
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BUFFER_BYTES)
        .incoming_buffer_size_total(INCOMING_BUFFER_TOTAL_BYTES);
    Ok(config)
}

/// Serves connections until the endpoint is closed.
pub async fn serve(endpoint: Endpoint, door: Arc<Door>, control: mpsc::Sender<ControlEvent>) {
    let mut next_key = 1;
    // Fair: in the order in which they came. What waits for its turn does so in a task of its own, so that what comes
    // behind it is judged at once and nothing is dropped without being counted.
    let mut turns = tokio::time::interval(LOBBY_HANDSHAKE_EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let turns = Arc::new(Mutex::new(turns));
    while let Some(incoming) = endpoint.accept().await {
        let address = incoming.remote_address().ip();
        let is_proved = incoming.remote_address_validated();
        match door.knock(now(), address, is_proved, endpoint.open_connections()) {
            Verdict::Enter => {}
            Verdict::Refuse => {
                incoming.refuse();
                continue;
            }
            Verdict::Retry => {
                // What has proved nothing may be retried; an error would hand it back to be refused.
                if let Err(error) = incoming.retry() {
                    error.into_incoming().refuse();
                }
                continue;
            }
        }
        let key = ConnectionKey(next_key);
        next_key += 1;
        let (door, control, turns) = (Arc::clone(&door), control.clone(), Arc::clone(&turns));
        tokio::spawn(async move {
            let deadline = Instant::now() + JOIN_DEADLINE;
            turns.lock().await.tick().await;
            let connected = match incoming.accept() {
                Ok(connecting) => match tokio::time::timeout_at(deadline, connecting).await {
                    Ok(Ok(connection)) => Ok(connection),
                    Ok(Err(_)) => Err(Unconnected::Failed),
                    Err(_) => Err(Unconnected::TimedOut),
                },
                Err(_) => Err(Unconnected::Failed),
            };
            let address = connected.as_ref().map(|it| it.remote_address().ip()).map_err(|why| *why);
            let counted = door.shake_hands(now(), is_proved, address);
            let Ok(connection) = connected else { return };
            let conversed = match counted {
                Ok(()) => converse(&connection, key, &door, &control).await,
                Err(reason) => Err(reason.into()),
            };
            if let Err(Farewell { reason, text }) = conversed {
                door.send_away(reason);
                let text = text.as_deref().unwrap_or(reason.text());
                connection.close(VarInt::from_u32(reason.code()), text.as_bytes());
            }
            // Control may be gone already at shutdown.
            let _ = control.send(ControlEvent::LobbyGone(key)).await;
        });
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// One connection's conversation; returns when the client ends it.
///
/// # Errors
/// Why the server ends it.
async fn converse(
    connection: &Connection,
    key: ConnectionKey,
    door: &Door,
    control: &mpsc::Sender<ControlEvent>,
) -> Result<(), Farewell> {
    let deadline = Instant::now() + JOIN_DEADLINE;
    let opened = tokio::time::timeout_at(deadline, connection.accept_bi()).await;
    let (mut send, mut receive) = match opened {
        Ok(Ok(streams)) => streams,
        Ok(Err(_)) => return Ok(()),
        Err(_) => return Err(DisconnectReason::JoinTimeout.into()),
    };
    let (said, mut outbox) = mpsc::channel(LOBBY_BACKLOG_MAX);
    tell(control, ControlEvent::LobbyOpened { key, said }).await?;
    let mut reader = FrameReader::default();
    let mut window = (Instant::now(), 0);
    // The next request is read when the one before has its answer.
    let mut awaits_answer = false;
    let mut span = Span::none();
    let mut player = None;
    loop {
        tokio::select! {
            request = read_request(&mut reader, &mut receive), if !awaits_answer => {
                let Some(request) = request? else { return Ok(()) };
                if window.0.elapsed() > RATE_WINDOW {
                    window = (Instant::now(), 0);
                }
                window.1 += 1;
                if window.1 > LOBBY_REQUESTS_PER_SECOND_MAX {
                    return Err(DisconnectReason::RequestFlood.into());
                }
                if let Some(player) = player {
                    door.ask(now(), player)?;
                }
                awaits_answer = true;
                span = spans::lobby_request(&request);
                let event =
                    ControlEvent::LobbyRequest { from: key, request, span: span.clone() };
                tell(control, event).await?;
            }
            said = outbox.recv() => {
                let message = match said {
                    Some(Ok(message)) => message,
                    Some(Err(farewell)) => {
                        spans::lobby_closed(&span, farewell.reason);
                        return Err(farewell);
                    }
                    None if control.is_closed() => return Err(DisconnectReason::ServerShutdown.into()),
                    None => return Err(DisconnectReason::SlowReader.into()),
                };
                let (LobbyMessage::Answer(said) | LobbyMessage::News(said)) = &message;
                door.tell(said);
                if let LobbyMessage::Answer(reply) = &message {
                    awaits_answer = false;
                    spans::lobby_answered(&span, reply);
                    span = Span::none();
                    if let LobbyReply::Authenticated { player: id } = reply
                        && player.is_none()
                    {
                        // Who they are is known only now: to say so was a request, too.
                        door.ask(now(), *id)?;
                        player = Some(*id);
                    }
                }
                match tokio::time::timeout(LOBBY_READ_MAX, write(&mut send, &message)).await {
                    Ok(true) => {}
                    Ok(false) => return Ok(()),
                    Err(_) => return Err(DisconnectReason::SlowReader.into()),
                }
            }
            // A second stream is none of the protocol.
            Ok(_) = connection.accept_bi() => return Err(DisconnectReason::UnexpectedMessage.into()),
            () = tokio::time::sleep_until(deadline), if player.is_none() => {
                return Err(DisconnectReason::JoinTimeout.into());
            }
        }
    }
}

async fn tell(
    control: &mpsc::Sender<ControlEvent>,
    event: ControlEvent,
) -> Result<(), DisconnectReason> {
    control.send(event).await.map_err(|_| DisconnectReason::ServerShutdown)
}

/// The next request; `None` where the client is done.
async fn read_request(
    reader: &mut FrameReader,
    receive: &mut RecvStream,
) -> Result<Option<LobbyRequest>, DisconnectReason> {
    loop {
        let next = reader.next(LOBBY_MESSAGE_BYTES_MAX);
        if let Some(message) = next.map_err(|_| DisconnectReason::OversizedMessage)? {
            let request = LobbyRequest::decode(message);
            return Ok(Some(request.map_err(|_| DisconnectReason::MalformedMessage)?));
        }
        match receive.read_chunk(READ_BYTES, true).await {
            Ok(Some(chunk)) => reader.extend(&chunk.bytes),
            Ok(None) | Err(_) => return Ok(None),
        }
    }
}

/// Whether the client is still there to take it.
async fn write(send: &mut SendStream, message: &LobbyMessage) -> bool {
    let mut frame = Vec::new();
    if write_frame(message, LOBBY_MESSAGE_BYTES_MAX, &mut frame).is_err() {
        return false;
    }
    send.write_all(&frame).await.is_ok()
}
