//! Random bytes, as many as may be.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Instant;

use matchkeep_shared::rng::Rng;

use super::{Attack, Attacker, Outcome, Target};
use crate::flood::pace::Pace;
use crate::flood::puppet::sent;

/// Datagrams made beforehand.
const DATAGRAMS: usize = 4096;
/// Lengths of theirs, in bytes: from what can hardly be a packet to a full one.
const LENGTHS: std::ops::Range<u32> = 1..1400;
/// Sockets that they come from.
const SOCKETS: usize = 8;
/// Longer than any answer.
const BUFFER_BYTES: usize = 2048;

pub(super) struct Garbage {
    sockets: Vec<UdpSocket>,
    datagrams: Vec<Vec<u8>>,
    ports: Vec<SocketAddr>,
    per_second: u64,
}

impl Garbage {
    pub(super) fn prepare(target: &Target) -> anyhow::Result<Self> {
        let mut rng = Rng::new(0x6761_7262);
        let mut datagram = || {
            let length = LENGTHS.start + rng.below(LENGTHS.end - LENGTHS.start);
            (0..length).map(|_| rng.next_u32() as u8).collect()
        };
        Ok(Self {
            sockets: sockets(std::iter::repeat_n(Ipv4Addr::LOCALHOST, SOCKETS))?,
            datagrams: (0..DATAGRAMS).map(|_| datagram()).collect(),
            ports: target.ports(),
            per_second: Attack::Garbage.datagrams_per_second().min(target.rate_max),
        })
    }
}

impl Attacker for Garbage {
    fn attack(&mut self, until: Instant, outcome: &mut Outcome) -> anyhow::Result<()> {
        let mut pace = Pace::new(self.per_second);
        let mut nth = 0;
        while Instant::now() < until {
            for _ in 0..pace.wait() {
                let datagram = &self.datagrams[nth % DATAGRAMS];
                let socket = &self.sockets[nth / self.ports.len() % SOCKETS];
                if sent(socket.send_to(datagram, self.ports[nth % self.ports.len()]))? {
                    outcome.datagrams_sent += 1;
                    outcome.unproved_sent_bytes += datagram.len() as u64;
                }
                nth += 1;
            }
            listen(&self.sockets, outcome);
        }
        Ok(())
    }
}

/// Sockets at these addresses, which do not wait.
pub(super) fn sockets(addresses: impl Iterator<Item = Ipv4Addr>) -> anyhow::Result<Vec<UdpSocket>> {
    let sockets = addresses.map(|address| {
        let socket = UdpSocket::bind((address, 0))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    });
    sockets.collect()
}

/// Counts what came back.
pub(super) fn listen(sockets: &[UdpSocket], outcome: &mut Outcome) {
    let mut buffer = [0; BUFFER_BYTES];
    for socket in sockets {
        while let Ok(bytes) = socket.recv(&mut buffer) {
            outcome.unproved_received_bytes += bytes as u64;
        }
    }
}
