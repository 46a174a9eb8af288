//! The shells: the only part of this crate, beside the bots' swarm, that knows sockets and clocks. A
//! [`LobbyClient`] is plain quinn; a [`MatchClient`] is a socket around a [`Core`](crate::link::Core).

pub mod congestion;
mod game;
mod lobby;
pub mod packets;
pub(crate) mod return_path;
mod secret;
pub(crate) mod tls;
mod trust;
pub mod tuning;
pub(crate) mod udp;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::limits::LOBBY_MESSAGE_BYTES_MAX;
use matchkeep_shared::wire::lobby::Assignment;
use matchkeep_shared::wire::{ALPN_LOBBY, ALPN_MATCH};
use quinn::{Connection, ConnectionError, Endpoint, VarInt};

pub use game::MatchClient;
pub use lobby::{LobbyClient, LobbyNews, Sought};
pub use return_path::Return;
pub use secret::Secret;
pub use tls::{Fingerprint, FingerprintError, client_config};
pub use trust::{Roots, Trust, TrustError};

use crate::link::{LinkError, Place};
use tuning::{Side, transport_config};

/// Why a client's connection does not come about or does not go on.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server said why.
    #[error("{0}")]
    Disconnected(DisconnectReason),
    /// The lobby understood and cannot do it.
    #[error("the lobby refused: {0}")]
    Refused(DisconnectReason),
    /// QUIC itself failed.
    #[error("the connection to {address} failed: {cause}")]
    Connection {
        /// To whom.
        address: SocketAddr,
        /// What QUIC says.
        cause: String,
    },
    /// The server does not speak the protocol.
    #[error(transparent)]
    Protocol(#[from] crate::netcode::ProtocolError),
    /// A socket could not be made.
    #[error("no UDP socket: {0}")]
    Socket(#[from] std::io::Error),
}

impl ClientError {
    /// What a core found out about a match at this address.
    pub(crate) fn of(address: SocketAddr, why: LinkError) -> Self {
        match why {
            LinkError::Disconnected(reason) => Self::Disconnected(reason),
            LinkError::Untrusted(cause) | LinkError::Failed(cause) => {
                Self::Connection { address, cause }
            }
            LinkError::Protocol(error) => Self::Protocol(error),
        }
    }
}

/// The one place where a client's clock is read.
#[expect(clippy::disallowed_methods, reason = "the transport is where a client's clock is read")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// What makes two clients differ in what need not be secret.
pub(crate) fn random_seed() -> u64 {
    let mut bytes = [0; 8];
    let random = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes);
    random.map_or(0, |()| u64::from_le_bytes(bytes))
}

/// The place that a lobby assigned.
pub(crate) fn place(assignment: Assignment) -> Result<Place, ClientError> {
    let port = assignment.port;
    Place::of(assignment).ok_or_else(|| ClientError::Connection {
        address: SocketAddr::from(([0, 0, 0, 0], port)),
        cause: "the assignment names no address".into(),
    })
}

/// A UDP socket that connections to lobbies are made from. One serves many connections.
///
/// # Errors
/// Where the system has none.
pub fn endpoint(to: IpAddr) -> Result<Endpoint, ClientError> {
    Ok(Endpoint::client(udp::any_address(to))?)
}

/// Connects to a server that is known by this.
async fn connect(
    endpoint: &Endpoint,
    address: SocketAddr,
    trust: &Trust,
    alpn: &'static [u8],
) -> Result<Connection, ClientError> {
    let failed = |cause: String| ClientError::Connection { address, cause };
    let crypto = tls::client_config(trust, alpn);
    let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(crypto)
        .map_err(|error| failed(error.to_string()))?;
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(transport_config(Side::Client));
    let connecting = endpoint
        .connect_with(config, address, &trust.name())
        .map_err(|error| failed(error.to_string()))?;
    connecting.await.map_err(|error| ended(address, &error))
}

/// Why a connection ended, in our words.
fn ended(address: SocketAddr, error: &ConnectionError) -> ClientError {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            match DisconnectReason::from_code(close.error_code.into_inner()) {
                Some(reason) => ClientError::Disconnected(reason),
                None => ClientError::Connection { address, cause: error.to_string() },
            }
        }
        ConnectionError::TimedOut => ClientError::Disconnected(DisconnectReason::IdleTimeout),
        ConnectionError::LocallyClosed => ClientError::Disconnected(DisconnectReason::Left),
        other => ClientError::Connection { address, cause: other.to_string() },
    }
}

fn close(connection: &Connection, reason: DisconnectReason) {
    connection.close(VarInt::from_u32(reason.code()), reason.text().as_bytes());
}

// The messages of the lobby fit a frame.
const _: () = assert!(LOBBY_MESSAGE_BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(ALPN_LOBBY.len() <= 255 && ALPN_MATCH.len() <= 255);
