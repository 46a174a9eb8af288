//! First packets that nothing follows: handshakes left half open, and packets from addresses that are somebody else's.
//!
//! What is sent back is counted at those addresses, for a while longer than the attack: a server that repeats what
//! nobody acknowledges sends most of it later.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use matchkeep_shared::wire::{ALPN_LOBBY, ALPN_MATCH};

use super::garbage::{listen, sockets};
use super::{Attack, Attacker, Outcome, Target};
use crate::flood::initial::Initials;
use crate::flood::pace::Pace;
use crate::flood::puppet::sent;

/// Addresses that first packets come from as if they were somebody else's; all of 127.0.0.0/8 is this machine's.
const ADDRESSES: u8 = 250;
/// Sockets that handshakes are begun from.
const SOCKETS: usize = 8;
/// So long what comes back is counted after the last packet.
const LISTEN: Duration = Duration::from_secs(1);
/// Some sockets are looked at after each burst, all of them in so many.
const LISTEN_ROUNDS: usize = 25;

pub(super) struct FirstPackets {
    sockets: Vec<UdpSocket>,
    /// Where to, with what.
    ports: Vec<(SocketAddr, Initials)>,
    per_second: u64,
    /// No more than this in all.
    most: u64,
}

impl FirstPackets {
    /// A certain number, within about a second.
    pub(super) fn half_open(target: &Target) -> anyhow::Result<Self> {
        let per_second = Attack::HalfOpen.datagrams_per_second().min(target.rate_max);
        let sockets = sockets(std::iter::repeat_n(Ipv4Addr::LOCALHOST, SOCKETS))?;
        Ok(Self { sockets, ports: ports(target)?, per_second, most: Attack::HANDSHAKES })
    }

    /// As many as there is time for.
    pub(super) fn spoofed(target: &Target) -> anyhow::Result<Self> {
        let per_second = Attack::Spoofed.datagrams_per_second().min(target.rate_max);
        let addresses = (1..=ADDRESSES).map(|last| Ipv4Addr::new(127, 77, last, last));
        Ok(Self { sockets: sockets(addresses)?, ports: ports(target)?, per_second, most: u64::MAX })
    }
}

fn ports(target: &Target) -> anyhow::Result<Vec<(SocketAddr, Initials)>> {
    let port = |(nth, address): (usize, SocketAddr)| {
        let alpn = if nth == 0 { ALPN_LOBBY } else { ALPN_MATCH };
        // Other connection IDs each time: a server knows those of before.
        let seed = u64::from(std::process::id()) << 32 | u64::from(address.port());
        Ok((address, Initials::new(alpn, seed)?))
    };
    target.ports().into_iter().enumerate().map(port).collect()
}

impl Attacker for FirstPackets {
    fn attack(&mut self, until: Instant, outcome: &mut Outcome) -> anyhow::Result<()> {
        let (mut pace, begun) = (Pace::new(self.per_second), Instant::now());
        let mut packet = Vec::new();
        let mut nth = 0;
        let share = self.sockets.len().div_ceil(LISTEN_ROUNDS);
        let listened_until =
            until - LISTEN.min(until.saturating_duration_since(Instant::now()) / 4);
        let mut rounds = self.sockets.chunks(share).cycle();
        while Instant::now() < until {
            let due = pace.wait().min(self.most - outcome.paced_sent);
            let is_over = Instant::now() >= listened_until;
            for _ in 0..if is_over { 0 } else { due } {
                let ports = self.ports.len();
                let (address, initials) = &mut self.ports[nth % ports];
                initials.next(&mut packet);
                let socket = &self.sockets[nth / ports % self.sockets.len()];
                if sent(socket.send_to(&packet, *address))? {
                    outcome.datagrams_sent += 1;
                    outcome.unproved_sent_bytes += packet.len() as u64;
                    outcome.pace(1, begun);
                }
                nth += 1;
            }
            if let Some(some) = rounds.next() {
                listen(some, outcome);
            }
        }
        listen(&self.sockets, outcome);
        Ok(())
    }
}
