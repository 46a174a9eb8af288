//! Random bytes, as many as may be.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Instant;

use matchkeep_shared::rng::Rng;

use super::{Attack, Attacker, Outcome, Target};
use crate::flood::batch::send_all;
use crate::flood::pace::Pace;

/// Datagrams made beforehand.
const DATAGRAMS: usize = 4096;
/// Lengths of theirs, in bytes: from what can hardly be a packet to a full one.
const LENGTHS: std::ops::Range<u32> = 1..1400;
/// Sockets that they come from, for each port; they take turns.
const SOCKETS: usize = 8;
/// Longer than any answer.
const BUFFER_BYTES: usize = 2048;

pub(super) struct Garbage {
    /// For each port those that are connected to it.
    ports: Vec<Vec<UdpSocket>>,
    datagrams: Vec<Vec<u8>>,
    per_second: u64,
}

impl Garbage {
    pub(super) fn prepare(target: &Target) -> anyhow::Result<Self> {
        let mut rng = Rng::new(0x6761_7262);
        let mut datagram = || {
            let length = LENGTHS.start + rng.below(LENGTHS.end - LENGTHS.start);
            (0..length).map(|_| rng.next_u32() as u8).collect()
        };
        let port = |port| {
            let sockets = sockets(std::iter::repeat_n(Ipv4Addr::LOCALHOST, SOCKETS))?;
            sockets.iter().try_for_each(|socket| socket.connect(port))?;
            Ok(sockets)
        };
        Ok(Self {
            ports: target.ports().into_iter().map(port).collect::<anyhow::Result<_>>()?,
            datagrams: (0..DATAGRAMS).map(|_| datagram()).collect(),
            per_second: Attack::Garbage.datagrams_per_second().min(target.rate_max),
        })
    }
}

impl Attacker for Garbage {
    fn attack(&mut self, until: Instant, outcome: &mut Outcome) -> anyhow::Result<()> {
        let (mut pace, begun) = (Pace::new(self.per_second), Instant::now());
        let (mut nth, mut turn) = (0, 0);
        while Instant::now() < until {
            let due = nth..nth + pace.wait() as usize;
            for (number, sockets) in self.ports.iter().enumerate() {
                let its_own = due.clone().filter(|nth| nth % self.ports.len() == number);
                let datagrams: Vec<&[u8]> =
                    its_own.map(|nth| self.datagrams[nth % DATAGRAMS].as_slice()).collect();
                let left = send_all(&sockets[turn % SOCKETS], &datagrams)?;
                outcome.datagrams_sent += left.datagrams;
                outcome.unproved_sent_bytes += left.bytes;
                outcome.pace(left.datagrams, begun);
                listen(sockets, outcome);
            }
            (nth, turn) = (due.end, turn + 1);
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
