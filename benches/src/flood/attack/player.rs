//! A joined player whom the attacker moves: a puppet in a match, with inputs as the tick rate wants them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use matchkeep_client::netcode::join_message;
use matchkeep_client::transport::{Fingerprint, Trust, client_config};
use matchkeep_shared::arena::{Arena, ArenaInput};
use matchkeep_shared::ids::Epoch;
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::ALPN_MATCH;
use matchkeep_shared::wire::client::ClientDatagram;
use matchkeep_shared::wire::message::{Credential, Welcome};
use quinn_proto::TransportConfig;
use quinn_proto::crypto::rustls::QuicClientConfig;

use super::Target;
use crate::flood::puppet::Puppet;

/// How far ahead of the match inputs are sent, in ticks.
const AHEAD_TICKS: u64 = 4;

/// Keys made of those that TLS has.
pub(super) type MakeKeys<'a> =
    &'a dyn Fn(QuicClientConfig) -> Arc<dyn quinn_proto::crypto::ClientConfig>;

/// On the way into a match: connected, and the join message written.
///
/// # Errors
/// Where the server does not let it in.
pub(super) fn ask_to_join(
    target: &Target,
    number: usize,
    transport: Arc<TransportConfig>,
    keys: MakeKeys<'_>,
) -> anyhow::Result<Puppet> {
    let place = target.place(number)?;
    let to = SocketAddr::new(place.address.unwrap_or(target.lobby.ip()), place.port);
    let tls = client_config(&Trust::Pinned(Fingerprint(place.fingerprint)), ALPN_MATCH);
    let keys = keys(QuicClientConfig::try_from(tls)?);
    let mut puppet = Puppet::connect_with(to, keys, transport)?;
    puppet.write(&join_message::<Arena>(Credential::Ticket(place.ticket)))?;
    puppet.drive()?;
    Ok(puppet)
}

/// Somebody in a match.
pub(super) struct Player {
    pub(super) puppet: Puppet,
    epoch: Epoch,
    first: Tick,
    hz: u64,
    begun: Instant,
    sent: u64,
}

impl Player {
    /// Joins a match as any player would.
    ///
    /// # Errors
    /// Where the server does not let it in.
    pub(super) fn join(
        target: &Target,
        number: usize,
        transport: Arc<TransportConfig>,
        keys: MakeKeys<'_>,
    ) -> anyhow::Result<Self> {
        let mut puppet = ask_to_join(target, number, transport, keys)?;
        let Welcome { epoch, tick, rate, .. } = puppet.welcome()?;
        let (hz, begun) = (rate.hz(), Instant::now());
        Ok(Self { puppet, epoch, first: tick + AHEAD_TICKS, hz, begun, sent: 0 })
    }

    /// A well-formed datagram with an input for the tick that is due.
    pub(super) fn input(&self) -> Vec<u8> {
        let tick = self.first + self.begun.elapsed().as_micros() as u64 * self.hz / 1_000_000;
        let mut bytes = Vec::new();
        let inputs = [ArenaInput::default(); 2];
        ClientDatagram::new(self.epoch, None, tick, &inputs).encode(&mut bytes);
        bytes
    }

    /// Plays on: what came is taken, and the input that is due is sent.
    ///
    /// # Errors
    /// Where the socket is of no use.
    pub(super) fn play(&mut self) -> anyhow::Result<()> {
        let due = self.begun.elapsed().as_micros() as u64 * self.hz / 1_000_000;
        if due > self.sent {
            self.sent = due;
            self.push(1);
        }
        self.puppet.forget();
        self.puppet.drive()?;
        Ok(())
    }

    /// Hands QUIC so many inputs for the tick that is due.
    pub(super) fn push(&mut self, number: u64) {
        for _ in 0..number {
            let input = self.input();
            // What QUIC has no room for is dropped, the oldest first.
            let _ = self.puppet.connection.datagrams().send(input.into(), true);
        }
    }
}
