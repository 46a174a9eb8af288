//! A shard's socket: batches in, single packets out, both counted.

use std::io;
use std::net::UdpSocket;
use std::time::Instant;

use matchkeep_client::transport::packets::{BATCH_SIZE, Datagram, Packets, none_if_transient};
use matchkeep_shared::Game;
use quinn_udp::UdpSockRef;

use super::now;
use crate::shard::core::Core;

/// How much of the receive pool is set aside at once, in bytes.
const POOL_BYTES: usize = 256 * 1024;
/// Datagrams taken before it is looked whether a tick is due.
const DATAGRAMS_PER_LOOK: usize = 32;

/// The socket, with the memory that receiving and sending use again and again.
pub(super) struct Udp {
    pub(super) socket: UdpSocket,
    packets: Packets,
    /// The last batch was a full one.
    may_have_more: bool,
    send: Vec<u8>,
}

impl Udp {
    /// Around a bound socket.
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        let packets = Packets::new(&socket, POOL_BYTES)?;
        Ok(Self { socket, packets, may_have_more: false, send: Vec::new() })
    }

    /// What the kernel granted as receive buffer, in bytes.
    pub(super) fn receive_buffer_bytes(&self) -> io::Result<usize> {
        self.packets.receive_buffer_bytes(UdpSockRef::from(&self.socket))
    }

    /// Takes no more than [`DATAGRAMS_PER_LOOK`]; says whether more may wait. The kernel joins datagrams: what it
    /// gives at once can be many times as much, and the rest of it is for the next time.
    pub(super) fn receive<G: Game>(&mut self, core: &mut Core<G>) -> io::Result<bool> {
        if self.packets.is_empty() {
            let received = self.packets.receive(UdpSockRef::from(&self.socket));
            let received = received.or_else(none_if_transient)?;
            self.may_have_more = received == BATCH_SIZE;
        }
        let now = now();
        for Datagram { from, to, ecn, bytes } in self.packets.received().take(DATAGRAMS_PER_LOOK) {
            core.handle_datagram(now, from, to, ecn, bytes);
        }
        Ok(self.has_left() || self.may_have_more)
    }

    /// Whether something was received and not handed over, of which the socket says nothing any more.
    pub(super) fn has_left(&self) -> bool {
        !self.packets.is_empty()
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
