//! What looks like a player's packets, for it is: a joined player's own, again, broken, and from elsewhere. And a second
//! player who sends inputs as fast as QUIC lets them out.
//!
//! A packet that was sent before costs a server the whole of its cryptography before it is known to be one; so does
//! one with a flipped bit. The player they are copied from keeps to the rules, so that the connection stays.

use std::borrow::Cow;
use std::net::UdpSocket;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use matchkeep_client::transport::tuning::{Side, transport_config};

use super::player::Player;
use super::{Attack, Attacker, Outcome, Target};
use crate::flood::batch::send_all;
use crate::flood::pace::Pace;

/// Inputs that the second player hands to QUIC in each burst.
const INPUTS_PER_BURST: u64 = 8;
/// From the second player's end to the next one's beginning.
const COME_BACK_AFTER: Duration = Duration::from_millis(500);
/// How the player whose packets are copied is to end: not at all.
pub(in crate::flood) const COPIED_PLAYS_ON: &str = "the copied one plays on";
/// Ways in which a packet is sent again: as it was, broken, from elsewhere.
const WAYS: u64 = 3;

pub(super) struct Valid {
    target: Target,
    copied: Player,
    /// Copies made so far.
    copies: u64,
    elsewhere: UdpSocket,
    fast: Fast,
    joined: usize,
    per_second: u64,
}

/// The second player, and whoever comes after.
enum Fast {
    Plays(Box<Player>),
    /// Since then.
    Away(Instant),
    /// On a thread of its own: to come in takes longer than the copies may wait.
    Comes(JoinHandle<anyhow::Result<Player>>),
}

impl Valid {
    pub(super) fn prepare(target: &Target) -> anyhow::Result<Self> {
        let copied = join(target, 0)?;
        let elsewhere = UdpSocket::bind((target.lobby.ip(), 0))?;
        elsewhere.connect(copied.puppet.remote()?)?;
        elsewhere.set_nonblocking(true)?;
        Ok(Self {
            target: target.clone(),
            copied,
            copies: 0,
            elsewhere,
            fast: Fast::Plays(Box::new(join(target, 1)?)),
            joined: 2,
            per_second: Attack::Valid.datagrams_per_second().min(target.rate_max),
        })
    }

    /// The second player sends, is sent away, and comes back as somebody else.
    fn move_fast(&mut self, outcome: &mut Outcome) -> anyhow::Result<()> {
        let fast = match &mut self.fast {
            Fast::Plays(player) => player,
            Fast::Away(since) if since.elapsed() >= COME_BACK_AFTER => {
                self.joined += 1;
                let (target, number) = (self.target.clone(), self.joined);
                let thread = std::thread::Builder::new().name("joining".into());
                self.fast = Fast::Comes(thread.spawn(move || join(&target, number))?);
                return Ok(());
            }
            Fast::Comes(thread) if thread.is_finished() => {
                self.let_in(outcome);
                return Ok(());
            }
            Fast::Away(_) | Fast::Comes(_) => return Ok(()),
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
            self.fast = Fast::Away(Instant::now());
        }
        Ok(())
    }

    /// Whoever is on the way in plays; waits for that, if need be.
    fn let_in(&mut self, outcome: &mut Outcome) {
        self.fast = match std::mem::replace(&mut self.fast, Fast::Away(Instant::now())) {
            Fast::Comes(thread) => match thread.join() {
                Ok(Ok(player)) => {
                    outcome.connections += 1;
                    Fast::Plays(Box::new(player))
                }
                Ok(Err(error)) => {
                    outcome.end(format!("not let in: {error}"));
                    Fast::Away(Instant::now())
                }
                Err(panic) => std::panic::resume_unwind(panic),
            },
            other => other,
        };
    }

    /// Sends so many copies of what the first player sent; says how many left.
    fn send_copies(&mut self, number: u64) -> anyhow::Result<u64> {
        let packets = self.copied.puppet.kept();
        if packets.is_empty() {
            return Ok(0);
        }
        let (mut from_there, mut from_elsewhere) = (Vec::new(), Vec::new());
        for nth in self.copies..self.copies + number {
            let packet = packets[(nth / WAYS) as usize % packets.len()].as_slice();
            match nth % WAYS {
                0 => from_there.push(Cow::Borrowed(packet)),
                1 => from_there.push(Cow::Owned(broken(packet))),
                _ => from_elsewhere.push(packet),
            }
        }
        self.copies += number;
        let left = self.copied.puppet.send_all(&from_there)?;
        Ok(left + send_all(&self.elsewhere, &from_elsewhere)?.datagrams)
    }
}

/// A packet with a flipped bit in its seal.
fn broken(packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    if let Some(last) = packet.last_mut() {
        *last ^= 1;
    }
    packet
}

fn join(target: &Target, number: usize) -> anyhow::Result<Player> {
    Player::join(target, number, transport_config(Side::Client), &|keys| Arc::new(keys))
}

impl Attacker for Valid {
    fn attack(&mut self, until: Instant, outcome: &mut Outcome) -> anyhow::Result<()> {
        let (mut pace, begun) = (Pace::new(self.per_second), Instant::now());
        outcome.connections += 2;
        while Instant::now() < until {
            let due = pace.wait();
            let before = self.copied.puppet.sent;
            self.copied.play()?;
            outcome.datagrams_sent += self.copied.puppet.sent - before;
            let copies = self.send_copies(due)?;
            outcome.datagrams_sent += copies;
            outcome.pace(copies, begun);
            self.move_fast(outcome)?;
        }
        outcome.count("copies", outcome.paced_sent);
        let end = self.copied.puppet.end().map(|end| format!("the copied one: {end}"));
        outcome.end(end.unwrap_or_else(|| COPIED_PLAYS_ON.into()));
        self.let_in(outcome);
        Ok(())
    }
}
