//! A client that keeps to no rule but QUIC's: any bytes in any order, and the reason it is sent away
//! with. It trusts whatever certificate it is shown.

mod boundless;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use matchkeep_client::netcode::join_message;
use matchkeep_client::transport::tuning::{Side, transport_config};
use matchkeep_shared::arena::{Arena, ArenaInput};
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::Epoch;
use matchkeep_shared::limits::SERVER_MESSAGE_BYTES_MAX;
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::ALPN_MATCH;
use matchkeep_shared::wire::bits::BitReader;
use matchkeep_shared::wire::client::{Ack, ClientDatagram};
use matchkeep_shared::wire::frame::FrameReader;
use matchkeep_shared::wire::message::{Credential, ServerMessage, Welcome};
use matchkeep_shared::wire::snapshot::SnapshotHead;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream, TransportConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use crate::server::TestServer;
use crate::within;

/// How long a server may take to end a connection, beyond what the test itself waits for.
const END_SECONDS: u64 = 15;

/// A connection to a shard or a lobby.
pub struct Raw {
    /// The connection.
    pub connection: Connection,
    /// The stream, once it was opened.
    stream: Option<(SendStream, RecvStream)>,
    reader: FrameReader,
    // Dropped with the connection: one socket for each.
    _socket: Endpoint,
}

impl Raw {
    /// Connects to whatever is there.
    ///
    /// # Errors
    /// What QUIC says.
    ///
    /// # Panics
    /// Where the system has no sockets, or nothing happens.
    pub async fn connect(address: SocketAddr, alpn: &[u8]) -> Result<Self, ConnectionError> {
        let crypto = QuicClientConfig::try_from(tls(alpn)).expect("TLS 1.3");
        let mut config = quinn::ClientConfig::new(Arc::new(crypto));
        config.transport_config(transport_config(Side::Client));
        Self::connect_with(address, config).await
    }

    /// Connects to a shard, ready to send datagrams larger than the shard said it takes.
    ///
    /// # Panics
    /// Where nobody is there.
    pub async fn connect_boundless(address: SocketAddr, udp_payload: u16) -> Self {
        let crypto = QuicClientConfig::try_from(tls(ALPN_MATCH)).expect("TLS 1.3");
        let mut config = quinn::ClientConfig::new(boundless::ignore_payload_limit(crypto));
        let mut transport = TransportConfig::default();
        transport.initial_mtu(udp_payload).mtu_discovery_config(None);
        config.transport_config(Arc::new(transport));
        Self::connect_with(address, config).await.expect("the shard answers")
    }

    async fn connect_with(
        address: SocketAddr,
        config: quinn::ClientConfig,
    ) -> Result<Self, ConnectionError> {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let socket = Endpoint::client(any_port).expect("a socket");
        let connecting = socket.connect_with(config, address, "anybody").expect("an address");
        let connection = within(END_SECONDS, "a handshake", connecting).await?;
        Ok(Self { connection, stream: None, reader: FrameReader::default(), _socket: socket })
    }

    /// Connects to the server's shard.
    ///
    /// # Panics
    /// Where nobody is there.
    pub async fn to_shard(server: &TestServer) -> Self {
        Self::connect(server.shard(), ALPN_MATCH).await.expect("the shard answers")
    }

    /// Joins a match of the mode with a ticket of the lobby, and waits for the welcome.
    ///
    /// # Panics
    /// Where it does not come.
    pub async fn join(server: &TestServer, name: &str, mode: &str) -> (Self, Welcome) {
        let mut raw = Self::to_shard(server).await;
        let welcome = raw.join_with(server.place(name, mode).await.ticket).await;
        (raw, welcome)
    }

    /// Joins with a ticket, and waits for the welcome.
    ///
    /// # Panics
    /// Where it does not come.
    pub async fn join_with(&mut self, ticket: Vec<u8>) -> Welcome {
        self.write(&join_message::<Arena>(Credential::Ticket(ticket))).await;
        match self.message().await {
            ServerMessage::Welcome(welcome) => welcome,
            other => panic!("the first message is {other:?}"),
        }
    }

    /// Writes into the stream, which is opened by that. What the server does not read any more is lost.
    ///
    /// # Panics
    /// Where no stream can be opened.
    pub async fn write(&mut self, bytes: &[u8]) {
        if self.stream.is_none() {
            let opened = within(END_SECONDS, "a stream", self.connection.open_bi()).await;
            self.stream = Some(opened.expect("the server allows one"));
        }
        if let Some((send, _)) = &mut self.stream {
            let _ = send.write_all(bytes).await;
        }
    }

    /// The next message on the stream.
    ///
    /// # Panics
    /// Where none comes.
    pub async fn message(&mut self) -> ServerMessage {
        let (_, receive) = self.stream.as_mut().expect("the stream is open");
        let read = async {
            loop {
                let message = self.reader.next(SERVER_MESSAGE_BYTES_MAX).expect("within bounds");
                if let Some(message) = message {
                    return ServerMessage::decode(message).expect("a message");
                }
                let chunk = receive.read_chunk(4096, true).await;
                let chunk = chunk.expect("the stream goes on").expect("the stream goes on");
                self.reader.extend(&chunk.bytes);
            }
        };
        within(END_SECONDS, "a message", read).await
    }

    /// Sends a datagram.
    ///
    /// # Panics
    /// Where QUIC does not take it, except for a connection that ended.
    pub fn datagram(&self, bytes: &[u8]) {
        let sent = self.connection.send_datagram(Bytes::copy_from_slice(bytes));
        if let Err(error) = sent {
            let ended = matches!(error, quinn::SendDatagramError::ConnectionLost(_));
            assert!(ended, "a datagram of {} bytes: {error}", bytes.len());
        }
    }

    /// Sends the inputs up to `newest`, newest first.
    pub fn inputs(&self, ack: Option<Ack>, newest: Tick, inputs: &[ArenaInput]) {
        let mut bytes = Vec::new();
        ClientDatagram::new(Epoch(1), ack, newest, inputs).encode(&mut bytes);
        self.datagram(&bytes);
    }

    /// The next snapshot: its head, and its length in bytes.
    ///
    /// # Errors
    /// Why there are no more.
    ///
    /// # Panics
    /// Where it is none.
    pub async fn snapshot(&self) -> Result<(SnapshotHead, usize), ConnectionError> {
        let bytes = within(END_SECONDS, "a snapshot", self.connection.read_datagram()).await?;
        let head = SnapshotHead::decode(&mut BitReader::new(&bytes)).expect("a snapshot");
        Ok((head, bytes.len()))
    }

    /// Waits for the server to end the connection, and says with which reason it did.
    ///
    /// # Panics
    /// Where it does not, or ends it in another way.
    pub async fn ended(&self) -> DisconnectReason {
        self.ended_within(END_SECONDS).await
    }

    /// As [`ended`](Self::ended), with more time.
    ///
    /// # Panics
    /// As there.
    pub async fn ended_within(&self, seconds: u64) -> DisconnectReason {
        match within(seconds, "the end", self.connection.closed()).await {
            ConnectionError::ApplicationClosed(close) => {
                DisconnectReason::from_code(close.error_code.into_inner()).expect("a code of ours")
            }
            other => panic!("the connection ended otherwise: {other}"),
        }
    }

    /// Whether the connection lives still after a while.
    pub async fn lives_for(&self, time: Duration) -> bool {
        tokio::time::timeout(time, self.connection.closed()).await.is_err()
    }

    /// The certificate the server showed.
    ///
    /// # Panics
    /// Where it showed none.
    pub fn certificate(&self) -> CertificateDer<'static> {
        let identity = self.connection.peer_identity().expect("TLS shows one");
        let chain = identity.downcast::<Vec<CertificateDer<'static>>>().expect("rustls' form");
        chain[0].clone()
    }
}

/// TLS that trusts anybody.
fn tls(alpn: &[u8]) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring has TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting))
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    config
}

#[derive(Debug)]
struct Trusting;

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519, SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
