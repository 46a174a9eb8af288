//! QUIC around the lobby: a task for each connection that carries its requests in and its answers out.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use matchkeep_client::transport::tuning::{Side, transport_config};
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::limits::{
    CONNECTIONS_PER_LOBBY_MAX, HANDSHAKES_WAITING_MAX, HANDSHAKES_WAITING_RETRY,
    INCOMING_BUFFER_BYTES, INCOMING_BUFFER_TOTAL_BYTES, JOIN_DEADLINE, LOBBY_BACKLOG_MAX,
    LOBBY_MESSAGE_BYTES_MAX, LOBBY_REQUESTS_PER_SECOND_MAX,
};
use matchkeep_shared::wire::ALPN_LOBBY;
use matchkeep_shared::wire::frame::{FrameReader, write_frame};
use matchkeep_shared::wire::lobby::{LobbyMessage, LobbyReply, LobbyRequest};
use quinn::{Connection, Endpoint, RecvStream, SendStream, ServerConfig, VarInt};
use rustls::sign::CertifiedKey;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::Span;

use super::core::ConnectionKey;
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
        .max_incoming(HANDSHAKES_WAITING_MAX)
        .incoming_buffer_size(INCOMING_BUFFER_BYTES)
        .incoming_buffer_size_total(INCOMING_BUFFER_TOTAL_BYTES);
    Ok(config)
}

/// Serves connections until the endpoint is closed.
pub async fn serve(endpoint: Endpoint, control: mpsc::Sender<ControlEvent>) {
    let next_key = AtomicU64::new(1);
    let handshaking = Arc::new(AtomicUsize::new(0));
    while let Some(incoming) = endpoint.accept().await {
        let waiting = handshaking.load(Ordering::Relaxed);
        if endpoint.open_connections() >= CONNECTIONS_PER_LOBBY_MAX {
            incoming.refuse();
            continue;
        }
        if waiting >= HANDSHAKES_WAITING_RETRY && incoming.may_retry() {
            // Where it may retry, it can; an error would hand it back to be refused.
            if let Err(error) = incoming.retry() {
                error.into_incoming().refuse();
            }
            continue;
        }
        let key = ConnectionKey(next_key.fetch_add(1, Ordering::Relaxed));
        let control = control.clone();
        let handshaking = Arc::clone(&handshaking);
        handshaking.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            let connected = match incoming.accept() {
                Ok(connecting) => tokio::time::timeout(JOIN_DEADLINE, connecting).await,
                Err(error) => Ok(Err(error)),
            };
            handshaking.fetch_sub(1, Ordering::Relaxed);
            let Ok(Ok(connection)) = connected else { return };
            if let Err(Farewell { reason, text }) = converse(&connection, key, &control).await {
                let text = text.as_deref().unwrap_or(reason.text());
                connection.close(VarInt::from_u32(reason.code()), text.as_bytes());
            }
            // Control may be gone already at shutdown.
            let _ = control.send(ControlEvent::LobbyGone(key)).await;
        });
    }
}

/// One connection's conversation; returns when the client ends it.
///
/// # Errors
/// Why the server ends it.
async fn converse(
    connection: &Connection,
    key: ConnectionKey,
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
    let mut authenticated = false;
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
                if let LobbyMessage::Answer(reply) = &message {
                    awaits_answer = false;
                    spans::lobby_answered(&span, reply);
                    span = Span::none();
                    authenticated |= matches!(reply, LobbyReply::Authenticated { .. });
                }
                if !write(&mut send, &message).await {
                    return Ok(());
                }
            }
            // A second stream is none of the protocol.
            Ok(_) = connection.accept_bi() => return Err(DisconnectReason::UnexpectedMessage.into()),
            () = tokio::time::sleep_until(deadline), if !authenticated => {
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
