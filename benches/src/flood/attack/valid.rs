//! What looks like a player's packets, for it is: a joined player's own, again, broken, and from elsewhere. And a second
//! player who sends inputs as fast as QUIC lets them out.
//!
//! A packet that was sent before costs a server the whole of its cryptography before it is known to be one; so does
//! one with a flipped bit. The player they are copied from keeps to the rules, so that the connection stays.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use matchkeep_client::transport::tuning::{Side, transport_config};

use super::player::Player;
use super::{Attack, Attacker, Outcome, Target};
use crate::flood::pace::Pace;
use crate::flood::puppet::sent;

/// Inputs that the second player hands to QUIC in each burst.
const INPUTS_PER_BURST: u64 = 8;
/// From the second player's end to the next one's beginning.
const COME_BACK_AFTER: Duration = Duration::from_millis(500);
/// Ways in which a packet is sent again: as it was, broken, from elsewhere.
const WAYS: u64 = 3;

pub(super) struct Valid {
    target: Target,
    copied: Player,
    fast: Option<Player>,
    elsewhere: UdpSocket,
    joined: usize,
    ended: Instant,
    per_second: u64,
}

impl Valid {
    pub(super) fn prepare(target: &Target) -> anyhow::Result<Self> {
        let elsewhere = UdpSocket::bind((target.lobby.ip(), 0))?;
        elsewhere.set_nonblocking(true)?;
        Ok(Self {
            copied: join(target, 0)?,
            fast: Some(join(target, 1)?),
            target: target.clone(),
            elsewhere,
            joined: 2,
            ended: Instant::now(),
            per_second: Attack::Valid.datagrams_per_second().min(target.rate_max),
        })
    }

    /// The second player sends, is sent away, and comes back as somebody else.
    fn move_fast(&mut self, outcome: &mut Outcome) -> anyhow::Result<()> {
        let Some(fast) = &mut self.fast else {
            if self.ended.elapsed() >= COME_BACK_AFTER {
                self.joined += 1;
                self.fast = join(&self.target, self.joined).ok();
                self.ended = Instant::now();
            }
            return Ok(());
        };
        let before = fast.puppet.sent;
        for _ in 0..INPUTS_PER_BURST {
            // One in each packet: what is queued together may be dropped together.
            fast.push(1);
            fast.play()?;
        }
        let made = fast.puppet.sent - before;
        outcome.datagrams_sent += made;
        outcome.count("datagrams_quic_let_out", made);
        if let Some(end) = fast.puppet.end() {
            outcome.end(end);
            self.fast = None;
            self.ended = Instant::now();
        }
        Ok(())
    }
}

fn join(target: &Target, number: usize) -> anyhow::Result<Player> {
    Player::join(target, number, transport_config(Side::Client), &|keys| Arc::new(keys))
}

impl Attacker for Valid {
    fn attack(&mut self, until: Instant, outcome: &mut Outcome) -> anyhow::Result<()> {
        let to: SocketAddr = self.copied.puppet.remote()?;
        let mut pace = Pace::new(self.per_second);
        let mut nth = 0_u64;
        outcome.connections += 2;
        while Instant::now() < until {
            let due = pace.wait();
            let before = self.copied.puppet.sent;
            self.copied.play()?;
            let mut packets = self.copied.puppet.kept();
            for _ in 0..if packets.is_empty() { 0 } else { due } {
                let choice = (nth / WAYS) as usize % packets.len();
                let packet = &mut packets[choice];
                match nth % WAYS {
                    0 => self.copied.puppet.send(packet)?,
                    1 => {
                        let last = packet.len() - 1;
                        packet[last] ^= 1;
                        self.copied.puppet.send(packet)?;
                        packet[last] ^= 1;
                    }
                    _ => {
                        let left = sent(self.elsewhere.send_to(packet, to))?;
                        outcome.datagrams_sent += u64::from(left);
                    }
                }
                nth += 1;
            }
            outcome.datagrams_sent += self.copied.puppet.sent - before;
            self.move_fast(outcome)?;
        }
        outcome.end(self.copied.puppet.end().unwrap_or_else(|| "the copied one plays on".into()));
        Ok(())
    }
}
