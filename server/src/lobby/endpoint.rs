//! QUIC around the lobby: a task for each connection that carries its requests in and its answers out.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use matchkeep_client::transport::tuning::{Side, transport_config};
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::limits::{
    CONNECTIONS_PER_LOBBY_MAX, HANDSHAKES_WAITING_MAX, HANDSHAKES_WAITING_RETRY,
    INCOMING_BUFFER_BYTES, INCOMING_BUFFER_TOTAL_BYTES, JOIN_DEADLINE, LOBBY_MESSAGE_BYTES_MAX,
    LOBBY_REQUESTS_PER_SECOND_MAX,
};
use matchkeep_shared::wire::ALPN_LOBBY;
use matchkeep_shared::wire::frame::{FrameReader, write_frame};
use matchkeep_shared::wire::lobby::{LobbyReply, LobbyRequest};
use quinn::{Connection, Endpoint, RecvStream, SendStream, VarInt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::core::ConnectionKey;
use crate::control::{ControlEvent, LobbyAnswer};
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

/// Opens the lobby's endpoint on a bound socket. Call within a runtime.
///
/// # Errors
/// [`EndpointError`].
pub fn open(identity: &ServerIdentity, socket: UdpSocket) -> Result<Endpoint, EndpointError> {
    let mut config = identity.quic_server(EndpointRole::Lobby, &[ALPN_LOBBY])?;
    config
        .transport_config(transport_config(Side::Server))
        .max_incoming(HANDSHAKES_WAITING_MAX)
        .incoming_buffer_size(INCOMING_BUFFER_BYTES)
        .incoming_buffer_size_total(INCOMING_BUFFER_TOTAL_BYTES);
    let endpoint = identity.quic_endpoint(EndpointRole::Lobby);
    let runtime = Arc::new(quinn::TokioRuntime);
    Ok(Endpoint::new(endpoint, Some(config), socket, runtime)?)
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
            if let Err(reason) = converse(&connection, key, &control).await {
                connection.close(VarInt::from_u32(reason.code()), reason.text().as_bytes());
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
) -> Result<(), DisconnectReason> {
    let opened = tokio::time::timeout(JOIN_DEADLINE, connection.accept_bi()).await;
    let (mut send, mut receive) = match opened {
        Ok(Ok(streams)) => streams,
        Ok(Err(_)) => return Ok(()),
        Err(_) => return Err(DisconnectReason::JoinTimeout),
    };
    let mut reader = FrameReader::default();
    let mut window = (Instant::now(), 0);
    let mut authenticated = false;
    loop {
        let next = read_request(&mut reader, &mut receive);
        let request = if authenticated {
            tokio::select! {
                request = next => request?,
                // A second stream is none of the protocol.
                Ok(_) = connection.accept_bi() => return Err(DisconnectReason::UnexpectedMessage),
            }
        } else {
            let timed = tokio::time::timeout(JOIN_DEADLINE, next).await;
            timed.map_err(|_| DisconnectReason::JoinTimeout)??
        };
        let Some(request) = request else { return Ok(()) };
        if window.0.elapsed() > RATE_WINDOW {
            window = (Instant::now(), 0);
        }
        window.1 += 1;
        if window.1 > LOBBY_REQUESTS_PER_SECOND_MAX {
            return Err(DisconnectReason::RequestFlood);
        }
        let reply = ask(control, key, request).await?;
        authenticated |= matches!(reply, LobbyReply::Authenticated { .. });
        if !write_reply(&mut send, &reply).await {
            return Ok(());
        }
    }
}

async fn ask(
    control: &mpsc::Sender<ControlEvent>,
    from: ConnectionKey,
    request: LobbyRequest,
) -> Result<LobbyReply, DisconnectReason> {
    let (answer, answered): (oneshot::Sender<LobbyAnswer>, _) = oneshot::channel();
    let span = spans::lobby_request(&request);
    let event = ControlEvent::LobbyRequest { from, request, answer, span: span.clone() };
    control.send(event).await.map_err(|_| DisconnectReason::ServerShutdown)?;
    let answer = answered.await.map_err(|_| DisconnectReason::ServerShutdown)?;
    spans::lobby_answered(&span, &answer);
    answer
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
async fn write_reply(send: &mut SendStream, reply: &LobbyReply) -> bool {
    let mut frame = Vec::new();
    if write_frame(reply, LOBBY_MESSAGE_BYTES_MAX, &mut frame).is_err() {
        return false;
    }
    send.write_all(&frame).await.is_ok()
}
