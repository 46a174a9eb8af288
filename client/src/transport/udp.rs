//! A UDP socket for a core: batches in, single packets out. Knows nothing of what they mean.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use matchkeep_shared::Game;
use quinn_udp::UdpSockRef;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::packets::{Datagram, Packets, none_if_transient};
use crate::link::Core;

/// How much of the receive pool is set aside at once, in bytes.
const POOL_BYTES: usize = 64 * 1024;
/// Batches received in one go: with more waiting, what is due goes on in between.
const BATCHES_MAX: usize = 16;

/// A socket, with the memory that receiving and sending use again and again.
pub(crate) struct Udp {
    socket: UdpSocket,
    packets: Packets,
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
        let packets = Packets::new(&socket, POOL_BYTES)?;
        Ok(Self { socket: UdpSocket::from_std(socket)?, packets, send: Vec::new() })
    }

    /// What the kernel granted as receive buffer, in bytes.
    pub(crate) fn receive_buffer_bytes(&self) -> io::Result<usize> {
        self.packets.receive_buffer_bytes(UdpSockRef::from(&self.socket))
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
        let Self { socket, packets, .. } = self;
        let received =
            socket.try_io(Interest::READABLE, || packets.receive(UdpSockRef::from(&*socket)));
        let received = received.or_else(none_if_transient)?;
        let now = now();
        for Datagram { from, to, ecn, bytes } in packets.received() {
            core.handle_datagram(now, from, to, ecn, bytes);
        }
        Ok(received)
    }

    /// Sends what the core wants sent.
    pub(crate) fn send_all<G: Game>(&mut self, core: &mut Core<G>, now: Instant) {
        loop {
            self.send.clear();
            let Some(transmit) = core.poll_transmit(now, &mut self.send) else { return };
            // What the kernel does not take is a lost packet, for QUIC to notice.
            let _ = self.packets.send(UdpSockRef::from(&self.socket), &transmit, &self.send);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the transport is where a client's sockets are made")]
fn bind(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    std::net::UdpSocket::bind(address)
}
