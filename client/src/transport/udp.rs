//! A UDP socket for a core: batches in, single packets out. Knows nothing of what they mean.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use bytes::BytesMut;
use matchkeep_shared::Game;
use matchkeep_shared::limits::SOCKET_BUFFER_BYTES;
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSockRef, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::link::Core;

/// The largest UDP payload that is received whole; QUIC sends no larger one to us.
const UDP_PAYLOAD_BYTES_MAX: usize = 1500;
/// How much of the receive pool is set aside at once, in bytes.
const POOL_BYTES: usize = 64 * 1024;
/// Batches received in one go: with more waiting, what is due goes on in between.
const BATCHES_MAX: usize = 16;

/// A socket, with the memory that receiving and sending use again and again.
pub(crate) struct Udp {
    socket: UdpSocket,
    state: UdpSocketState,
    /// One stretch for each message of a batch, long enough for datagrams the kernel has joined.
    receive: Vec<u8>,
    stretch: usize,
    pool: BytesMut,
    send: Vec<u8>,
}

/// The address to bind a socket to that is to reach `to`.
pub(super) fn any_address(to: IpAddr) -> SocketAddr {
    let any = match to {
        IpAddr::V4(to) if to.is_loopback() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(any, 0)
}

impl Udp {
    /// A socket that reaches `to`.
    ///
    /// # Errors
    /// Where the system has none.
    pub(crate) fn to(to: IpAddr) -> io::Result<Self> {
        let socket = bind(any_address(to))?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        // A smaller buffer than asked for is no error.
        let _ = state.set_recv_buffer_size(UdpSockRef::from(&socket), SOCKET_BUFFER_BYTES);
        let _ = state.set_send_buffer_size(UdpSockRef::from(&socket), SOCKET_BUFFER_BYTES);
        let socket = UdpSocket::from_std(socket)?;
        let stretch = UDP_PAYLOAD_BYTES_MAX * state.gro_segments();
        let receive = vec![0; stretch * BATCH_SIZE];
        let (pool, send) = (BytesMut::new(), Vec::new());
        Ok(Self { socket, state, receive, stretch, pool, send })
    }

    /// What the kernel granted as receive buffer, in bytes.
    pub(crate) fn receive_buffer_bytes(&self) -> io::Result<usize> {
        self.state.recv_buffer_size(UdpSockRef::from(&self.socket))
    }

    /// Waits until something can be received.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Hands what has come to the core.
    ///
    /// # Errors
    /// Where the socket is of no use any more.
    pub(crate) fn receive<G: Game>(
        &mut self,
        core: &mut Core<G>,
        now: impl Fn() -> Instant,
    ) -> io::Result<()> {
        // Until there is nothing: only then does the runtime know that it is to wait again.
        for _ in 0..BATCHES_MAX {
            if self.receive_batch(core, &now)? == 0 {
                break;
            }
        }
        Ok(())
    }

    fn receive_batch<G: Game>(
        &mut self,
        core: &mut Core<G>,
        now: &impl Fn() -> Instant,
    ) -> io::Result<usize> {
        let Self { socket, state, receive, stretch, pool, .. } = self;
        let mut stretches = receive.chunks_exact_mut(*stretch);
        let mut buffers: [IoSliceMut<'_>; BATCH_SIZE] = std::array::from_fn(|_| {
            IoSliceMut::new(stretches.next().expect("one stretch for each message of a batch"))
        });
        let mut meta = [RecvMeta::default(); BATCH_SIZE];
        let received = socket.try_io(Interest::READABLE, || {
            state.recv(UdpSockRef::from(&*socket), &mut buffers, &mut meta)
        });
        let received = match received {
            Ok(received) => received,
            Err(error) if is_transient(&error) => return Ok(0),
            Err(error) => return Err(error),
        };
        let now = now();
        for (buffer, meta) in buffers.iter().zip(&meta).take(received) {
            for datagram in buffer[..meta.len].chunks(meta.stride.max(1)) {
                if pool.capacity() < datagram.len() {
                    // Takes back its memory where all that was cut from it is gone.
                    pool.reserve(POOL_BYTES);
                }
                pool.extend_from_slice(datagram);
                let ecn = meta.ecn.and_then(|ecn| quinn_proto::EcnCodepoint::from_bits(ecn as u8));
                core.handle_datagram(now, meta.addr, meta.dst_ip, ecn, pool.split());
            }
        }
        Ok(received)
    }

    /// Sends what the core wants sent.
    pub(crate) fn send_all<G: Game>(&mut self, core: &mut Core<G>, now: Instant) {
        loop {
            self.send.clear();
            let Some(transmit) = core.poll_transmit(now, &mut self.send) else { return };
            // What the kernel does not take is a lost packet, for QUIC to notice.
            let _ = self.state.try_send(
                UdpSockRef::from(&self.socket),
                &quinn_udp::Transmit {
                    destination: transmit.destination,
                    ecn: transmit.ecn.and_then(|ecn| quinn_udp::EcnCodepoint::from_bits(ecn as u8)),
                    contents: &self.send[..transmit.size],
                    segment_size: transmit.segment_size,
                    src_ip: transmit.src_ip,
                },
            );
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the transport is where a client's sockets are made")]
fn bind(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    std::net::UdpSocket::bind(address)
}

/// Errors that say something about one datagram or peer, not about the socket.
fn is_transient(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkUnreachable,
        WouldBlock,
    };
    matches!(
        error.kind(),
        WouldBlock
            | Interrupted
            | ConnectionReset
            | ConnectionRefused
            | HostUnreachable
            | NetworkUnreachable
    )
}
