//! What a core's shell does with a UDP socket, on both sides of the network: a batch of messages in, one packet
//! out. Knows neither who waits for the socket nor what the bytes mean.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::Range;

use bytes::BytesMut;
use matchkeep_shared::limits::SOCKET_BUFFER_BYTES;
use quinn_proto::{EcnCodepoint, Transmit};
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};

pub use quinn_udp::BATCH_SIZE;

/// The largest UDP payload that is received whole; QUIC sends no larger one to us.
const UDP_PAYLOAD_BYTES_MAX: usize = 1500;

/// What is known of one socket, and the memory that receiving from it uses again and again.
pub struct Packets {
    state: UdpSocketState,
    /// Whether the socket is bound to all of the machine's addresses.
    is_any_address: bool,
    /// One stretch for each message of a batch, long enough for datagrams the kernel has joined.
    receive: Vec<u8>,
    stretch: usize,
    /// Of the messages of a batch.
    meta: [RecvMeta; BATCH_SIZE],
    /// The messages that were received and not given out.
    messages: Range<usize>,
    /// How much of the first of them was given out, in bytes.
    given: usize,
    pool: BytesMut,
    pool_bytes: usize,
}

/// A datagram that came.
#[derive(Debug)]
pub struct Datagram {
    /// From where.
    pub from: SocketAddr,
    /// To which address of this machine, where the socket has several: an answer must come from it.
    pub to: Option<IpAddr>,
    /// What routers on the way said of congestion.
    pub ecn: Option<EcnCodepoint>,
    /// Its payload.
    pub bytes: BytesMut,
}

impl Packets {
    /// For this socket, which gets the buffers of ours, as far as the kernel grants them. `pool_bytes` is how
    /// much memory for payloads is set aside at once.
    ///
    /// # Errors
    /// Where the kernel refuses the socket's options.
    pub fn new(socket: &UdpSocket, pool_bytes: usize) -> io::Result<Self> {
        let state = UdpSocketState::new(UdpSockRef::from(socket))?;
        // A smaller buffer than asked for is no error: `receive_buffer_bytes` says what was granted.
        let _ = state.set_recv_buffer_size(UdpSockRef::from(socket), SOCKET_BUFFER_BYTES);
        let _ = state.set_send_buffer_size(UdpSockRef::from(socket), SOCKET_BUFFER_BYTES);
        let stretch = UDP_PAYLOAD_BYTES_MAX * state.gro_segments();
        Ok(Self {
            state,
            is_any_address: socket.local_addr()?.ip().is_unspecified(),
            receive: vec![0; stretch * BATCH_SIZE],
            stretch,
            meta: [RecvMeta::default(); BATCH_SIZE],
            messages: 0..0,
            given: 0,
            pool: BytesMut::new(),
            pool_bytes,
        })
    }

    /// What the kernel granted as receive buffer, in bytes.
    ///
    /// # Errors
    /// Where it does not say.
    pub fn receive_buffer_bytes(&self, socket: UdpSockRef<'_>) -> io::Result<usize> {
        self.state.recv_buffer_size(socket)
    }

    /// Takes one batch, for [`received`](Self::received), in place of what is left of the one before; says how many
    /// messages it was. A full one ([`BATCH_SIZE`]) means that more may wait.
    ///
    /// # Errors
    /// The kernel's; [`none_if_transient`] tells which are no harm.
    pub fn receive(&mut self, socket: UdpSockRef<'_>) -> io::Result<usize> {
        (self.messages, self.given) = (0..0, 0);
        let mut stretches = self.receive.chunks_exact_mut(self.stretch);
        let mut buffers: [IoSliceMut<'_>; BATCH_SIZE] = std::array::from_fn(|_| {
            IoSliceMut::new(stretches.next().expect("one stretch for each message of a batch"))
        });
        let received = self.state.recv(socket, &mut buffers, &mut self.meta)?;
        self.messages = 0..received;
        Ok(received)
    }

    /// The datagrams of the batch that was received, each once: who stops goes on where that was.
    pub fn received(&mut self) -> impl Iterator<Item = Datagram> {
        std::iter::from_fn(|| self.next())
    }

    /// Whether all that was received was given out.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    fn next(&mut self) -> Option<Datagram> {
        if self.messages.is_empty() {
            return None;
        }
        let nth = self.messages.start;
        let meta = &self.meta[nth];
        // The kernel joins datagrams of one size, of which the last may be shorter.
        let end = meta.len.min(self.given + meta.stride.max(1));
        let payload = &self.receive[nth * self.stretch..][self.given..end];
        if self.pool.capacity() < payload.len() {
            // Takes back its memory where all that was cut from it is gone.
            self.pool.reserve(self.pool_bytes);
        }
        self.pool.extend_from_slice(payload);
        let datagram = Datagram {
            from: meta.addr,
            // Where there is one address alone, naming it would cost with every packet sent.
            to: meta.dst_ip.filter(|_| self.is_any_address),
            ecn: meta.ecn.and_then(|ecn| EcnCodepoint::from_bits(ecn as u8)),
            bytes: self.pool.split(),
        };
        self.given = end;
        if end == meta.len {
            (self.messages.start, self.given) = (nth + 1, 0);
        }
        Some(datagram)
    }

    /// Sends one packet, or several of one size that QUIC has joined; `contents` begins with it.
    ///
    /// # Errors
    /// Where the kernel does not take it: a lost packet, for QUIC to notice.
    pub fn send(
        &self,
        socket: UdpSockRef<'_>,
        transmit: &Transmit,
        contents: &[u8],
    ) -> io::Result<()> {
        self.state.try_send(
            socket,
            &quinn_udp::Transmit {
                destination: transmit.destination,
                ecn: transmit.ecn.and_then(|ecn| quinn_udp::EcnCodepoint::from_bits(ecn as u8)),
                contents: &contents[..transmit.size],
                segment_size: transmit.segment_size,
                src_ip: transmit.src_ip,
            },
        )
    }
}

/// No message came, where an error says something about one datagram or peer and not about the socket.
///
/// # Errors
/// The error, where the socket is of no use any more.
pub fn none_if_transient(error: io::Error) -> io::Result<usize> {
    use io::ErrorKind::{
        ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkUnreachable,
        WouldBlock,
    };
    match error.kind() {
        WouldBlock | Interrupted | ConnectionReset | ConnectionRefused | HostUnreachable
        | NetworkUnreachable => Ok(0),
        _ => Err(error),
    }
}
