//! A client of one connection whose every packet the attacker sees: QUIC's state machine on a socket of its own, moved
//! when the attacker likes, and left when it likes.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::BytesMut;
use matchkeep_client::transport::{Fingerprint, Trust, client_config};
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::limits::SERVER_MESSAGE_BYTES_MAX;
use matchkeep_shared::wire::frame::FrameReader;
use matchkeep_shared::wire::message::{ServerMessage, Welcome};
use quinn_proto::crypto::rustls::QuicClientConfig;
use quinn_proto::{
    ClientConfig, Connection, ConnectionError, ConnectionHandle, DatagramEvent, Dir, Endpoint,
    EndpointConfig, Event, StreamId, TransportConfig,
};

use super::batch::send_all;

/// Longer than any datagram.
const BUFFER_BYTES: usize = 2048;
/// The newest packets that are kept to be sent again.
const KEPT_PACKETS: usize = 64;
/// How long anything may take.
const WITHIN: Duration = Duration::from_secs(10);
/// How often the socket is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// One client.
pub(super) struct Puppet {
    socket: UdpSocket,
    endpoint: Endpoint,
    handle: ConnectionHandle,
    /// QUIC.
    pub(super) connection: Connection,
    stream: Option<StreamId>,
    reader: FrameReader,
    is_connected: bool,
    ended: Option<ConnectionError>,
    /// The newest packets with a short header that were sent, as they were.
    kept: VecDeque<Vec<u8>>,
    /// UDP datagrams that were sent.
    pub(super) sent: u64,
}

impl Puppet {
    /// Connects to an endpoint that shows this certificate.
    ///
    /// # Errors
    /// Where it does not get in.
    pub(super) fn connect(
        to: SocketAddr,
        fingerprint: Fingerprint,
        alpn: &[u8],
        transport: Arc<TransportConfig>,
    ) -> anyhow::Result<Self> {
        let crypto = QuicClientConfig::try_from(client_config(&Trust::Pinned(fingerprint), alpn))?;
        Self::connect_with(to, Arc::new(crypto), transport)
    }

    /// As [`connect`](Self::connect), with these keys.
    ///
    /// # Errors
    /// As there.
    pub(super) fn connect_with(
        to: SocketAddr,
        crypto: Arc<dyn quinn_proto::crypto::ClientConfig>,
        transport: Arc<TransportConfig>,
    ) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(to)?;
        socket.set_nonblocking(true)?;
        let mut config = ClientConfig::new(crypto);
        config.transport_config(transport);
        let mut endpoint = Endpoint::new(Arc::new(EndpointConfig::default()), None, true, None);
        let (handle, connection) = endpoint.connect(Instant::now(), config, to, "anybody")?;
        let mut puppet = Self {
            socket,
            endpoint,
            handle,
            connection,
            stream: None,
            reader: FrameReader::default(),
            is_connected: false,
            ended: None,
            kept: VecDeque::new(),
            sent: 0,
        };
        puppet.drive_until("a handshake", |puppet| puppet.is_connected)?;
        Ok(puppet)
    }

    /// Receives, sends, and lets time pass.
    ///
    /// # Errors
    /// Where the socket is of no use.
    pub(super) fn drive(&mut self) -> io::Result<()> {
        let now = Instant::now();
        let mut buffer = [0; BUFFER_BYTES];
        loop {
            match self.socket.recv(&mut buffer) {
                Ok(bytes) => self.handle(now, &buffer[..bytes])?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Nobody is there: the connection will notice.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => break,
                Err(error) => return Err(error),
            }
        }
        if self.connection.poll_timeout().is_some_and(|at| at <= now) {
            self.connection.handle_timeout(now);
        }
        while let Some(event) = self.connection.poll_endpoint_events() {
            if let Some(event) = self.endpoint.handle_event(self.handle, event) {
                self.connection.handle_event(event);
            }
        }
        while let Some(event) = self.connection.poll() {
            match event {
                Event::Connected => self.is_connected = true,
                Event::ConnectionLost { reason } => self.ended = Some(reason),
                _ => {}
            }
        }
        let mut packet = Vec::new();
        while self.connection.poll_transmit(now, 1, &mut packet).is_some() {
            self.send(&packet)?;
            let has_short_header = packet.first().is_some_and(|first| first & 0x80 == 0);
            if has_short_header {
                if self.kept.len() == KEPT_PACKETS {
                    self.kept.pop_front();
                }
                self.kept.push_back(std::mem::take(&mut packet));
            }
            packet.clear();
        }
        Ok(())
    }

    fn handle(&mut self, now: Instant, bytes: &[u8]) -> io::Result<()> {
        let from = self.socket.peer_addr()?;
        let mut answer = Vec::new();
        let bytes = BytesMut::from(bytes);
        match self.endpoint.handle(now, from, None, None, bytes, &mut answer) {
            Some(DatagramEvent::ConnectionEvent(_, event)) => self.connection.handle_event(event),
            Some(DatagramEvent::Response(transmit)) => self.send(&answer[..transmit.size])?,
            Some(DatagramEvent::NewConnection(_)) | None => {}
        }
        Ok(())
    }

    /// Sends any bytes from where the client is.
    ///
    /// # Errors
    /// Where the socket is of no use.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sent += u64::from(sent(self.socket.send(bytes))?);
        Ok(())
    }

    /// Sends many as [`send`](Self::send) does; says how many left.
    ///
    /// # Errors
    /// Where the socket is of no use.
    pub(super) fn send_all(&mut self, datagrams: &[impl AsRef<[u8]>]) -> io::Result<u64> {
        let left = send_all(&self.socket, datagrams)?.datagrams;
        self.sent += left;
        Ok(left)
    }

    /// Where the server is.
    ///
    /// # Errors
    /// Where the socket is of no use.
    pub(super) fn remote(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()
    }

    /// The newest packets that were sent.
    pub(super) fn kept(&self) -> Vec<Vec<u8>> {
        self.kept.iter().cloned().collect()
    }

    /// Drives until something is so.
    ///
    /// # Errors
    /// Where it does not become so in time, or the connection ends before.
    pub(super) fn drive_until(
        &mut self,
        what: &str,
        mut is_so: impl FnMut(&mut Self) -> bool,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            self.drive()?;
            if is_so(self) {
                return Ok(());
            }
            if let Some(ended) = &self.ended {
                bail!("the connection ended before {what}: {ended}");
            }
            if begun.elapsed() > WITHIN {
                bail!("{what} did not come within {WITHIN:?}");
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Opens a stream and writes.
    ///
    /// # Errors
    /// Where QUIC does not take it all.
    pub(super) fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let stream = match self.stream {
            Some(stream) => stream,
            None => self.open()?,
        };
        self.stream = Some(stream);
        let taken = self.connection.send_stream(stream).write(bytes).unwrap_or(0);
        anyhow::ensure!(taken == bytes.len(), "QUIC took {taken} of {} bytes", bytes.len());
        Ok(())
    }

    /// Opens a stream.
    ///
    /// # Errors
    /// Where the server does not allow one.
    pub(super) fn open(&mut self) -> anyhow::Result<StreamId> {
        self.connection.streams().open(Dir::Bi).context("the server allows a stream")
    }

    /// Opens a stream and says a byte in it: the server hears of it by that.
    ///
    /// # Errors
    /// Where the server does not allow one.
    pub(super) fn open_heard(&mut self) -> anyhow::Result<()> {
        let stream = self.open()?;
        self.connection.send_stream(stream).write(&[0]).context("a byte goes into a stream")?;
        Ok(())
    }

    /// Waits for the welcome.
    ///
    /// # Errors
    /// Where something else comes, or nothing.
    pub(super) fn welcome(&mut self) -> anyhow::Result<Welcome> {
        let mut welcome = None;
        self.drive_until("the welcome", |puppet| {
            puppet.read();
            if let Ok(Some(message)) = puppet.reader.next(SERVER_MESSAGE_BYTES_MAX) {
                welcome = Some(ServerMessage::decode(message));
            }
            welcome.is_some()
        })?;
        match welcome {
            Some(Ok(ServerMessage::Welcome(welcome))) => Ok(welcome),
            other => bail!("no welcome, but {other:?}"),
        }
    }

    fn read(&mut self) {
        let Some(stream) = self.stream else { return };
        let mut stream = self.connection.recv_stream(stream);
        let Ok(mut chunks) = stream.read(true) else { return };
        while let Ok(Some(chunk)) = chunks.next(BUFFER_BYTES) {
            self.reader.extend(&chunk.bytes);
        }
        let _ = chunks.finalize();
    }

    /// Takes what the stream and the datagrams have, and forgets it.
    pub(super) fn forget(&mut self) {
        self.read();
        self.reader = FrameReader::default();
        while self.connection.datagrams().recv().is_some() {}
    }

    /// Why the connection ended, by a name of ours or QUIC's; `None` while it goes on.
    pub(super) fn end(&self) -> Option<String> {
        Some(match self.ended.as_ref()? {
            ConnectionError::ApplicationClosed(close) => {
                let code = close.error_code.into_inner();
                let reason = DisconnectReason::from_code(code);
                reason.map_or_else(|| format!("code {code}"), |reason| reason.label().to_owned())
            }
            ConnectionError::ConnectionClosed(close) => format!("{:?}", close.error_code),
            other => other.to_string(),
        })
    }
}

/// Whether a datagram left. What the kernel has no room for is lost, as elsewhere.
///
/// # Errors
/// Where the socket is of no use.
pub(super) fn sent(result: io::Result<usize>) -> io::Result<bool> {
    use io::ErrorKind::{ConnectionRefused, WouldBlock};
    match result {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), WouldBlock | ConnectionRefused) => Ok(false),
        Err(error) => Err(error),
    }
}
