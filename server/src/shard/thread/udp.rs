//! A shard's socket: batches in, single packets out, both counted.

use std::io;
use std::net::UdpSocket;
use std::time::Instant;

use matchkeep_client::transport::packets::{Datagram, Packets, none_if_transient};
use matchkeep_shared::Game;
use quinn_udp::UdpSockRef;

use super::now;
use crate::shard::core::Core;

/// How much of the receive pool is set aside at once, in bytes.
const POOL_BYTES: usize = 256 * 1024;

/// The socket, with the memory that receiving and sending use again and again.
pub(super) struct Udp {
    pub(super) socket: UdpSocket,
    packets: Packets,
    send: Vec<u8>,
}

impl Udp {
    /// Around a bound socket.
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        let packets = Packets::new(&socket, POOL_BYTES)?;
        Ok(Self { socket, packets, send: Vec::new() })
    }

    /// What the kernel granted as receive buffer, in bytes.
    pub(super) fn receive_buffer_bytes(&self) -> io::Result<usize> {
        self.packets.receive_buffer_bytes(UdpSockRef::from(&self.socket))
    }

    /// Takes one batch; says how many messages it was. A full one means that more may wait.
    pub(super) fn receive<G: Game>(&mut self, core: &mut Core<G>) -> io::Result<usize> {
        let received = self.packets.receive(UdpSockRef::from(&self.socket));
        let received = received.or_else(none_if_transient)?;
        let now = now();
        for Datagram { from, to, ecn, bytes } in self.packets.received() {
            core.handle_datagram(now, from, to, ecn, bytes);
        }
        Ok(received)
    }

    /// Sends what the core wants sent.
    pub(super) fn send_all<G: Game>(&mut self, core: &mut Core<G>, now: Instant) {
        loop {
            self.send.clear();
            let Some(transmit) = core.poll_transmit(now, &mut self.send) else { return };
            let sent = self.packets.send(UdpSockRef::from(&self.socket), &transmit, &self.send);
            let stats = core.stats_mut();
            match sent {
                Ok(()) => {
                    stats.udp_sent += 1;
                    stats.udp_sent_bytes += transmit.size as u64;
                }
                // The kernel's buffer is full, or the way is closed: a lost packet, for QUIC to notice.
                Err(_) => stats.udp_send_errors += 1,
            }
        }
    }
}
