//! Connections whose streams are opened and left, at the lobby and at a shard in turn: a byte in one stream, or in as
//! many as the server allows, and then not a word. (A stream without a byte is none: QUIC tells nobody of it.)

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use matchkeep_client::transport::Fingerprint;
use matchkeep_client::transport::tuning::{Side, transport_config};
use matchkeep_shared::wire::{ALPN_LOBBY, ALPN_MATCH};

use super::{Attacker, Outcome, Target};
use crate::flood::pace::Pace;
use crate::flood::puppet::Puppet;

/// Connections a second.
const PER_SECOND: u64 = 50;
/// Connections that are left to themselves before the oldest one's socket is closed.
const LEFT_MAX: usize = 200;

pub(super) struct Streams {
    ports: [(SocketAddr, Fingerprint, &'static [u8]); 2],
    per_second: u64,
    left: VecDeque<Puppet>,
}

impl Streams {
    pub(super) fn prepare(target: &Target) -> anyhow::Result<Self> {
        let place = target.place(0)?;
        let shard = SocketAddr::new(target.lobby.ip(), place.port);
        let ports = [
            (target.lobby, target.fingerprint, ALPN_LOBBY),
            (shard, Fingerprint(place.fingerprint), ALPN_MATCH),
        ];
        Ok(Self { ports, per_second: PER_SECOND.min(target.rate_max), left: VecDeque::new() })
    }

    fn open(&self, nth: u64, outcome: &mut Outcome) -> anyhow::Result<Puppet> {
        let (to, fingerprint, alpn) = self.ports[nth as usize % self.ports.len()];
        let transport = transport_config(Side::Client);
        let mut puppet = Puppet::connect(to, fingerprint, alpn, transport)?;
        outcome.connections += 1;
        let most = if (nth / 2).is_multiple_of(2) { usize::MAX } else { 1 };
        for _ in 0..most {
            let Ok(stream) = puppet.open() else { break };
            let taken = puppet.connection.send_stream(stream).write(&[0]).unwrap_or(0);
            outcome.count("streams", taken as u64);
        }
        puppet.drive()?;
        Ok(puppet)
    }
}

impl Attacker for Streams {
    fn attack(&mut self, until: Instant, outcome: &mut Outcome) -> anyhow::Result<()> {
        let mut pace = Pace::new(self.per_second);
        let mut nth = 0;
        while Instant::now() < until {
            for _ in 0..pace.wait() {
                match self.open(nth, outcome) {
                    Ok(puppet) => self.left.push_back(puppet),
                    Err(error) => outcome.end(format!("not let in: {error}")),
                }
                nth += 1;
            }
            while self.left.len() > LEFT_MAX {
                self.left.pop_front().into_iter().try_for_each(|it| look(it, outcome))?;
            }
        }
        self.left.drain(..).try_for_each(|it| look(it, outcome))
    }
}

/// What became of one that was left.
fn look(mut puppet: Puppet, outcome: &mut Outcome) -> anyhow::Result<()> {
    puppet.drive()?;
    outcome.datagrams_sent += puppet.sent;
    outcome.end(puppet.end().unwrap_or_else(|| "still there".into()));
    Ok(())
}
