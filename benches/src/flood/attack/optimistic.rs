//! Players who acknowledge what they have not received, so that more is sent to them than the network carries.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use matchkeep_client::transport::tuning::{Side, transport_config};

use super::player::Player;
use super::{Attacker, Outcome, Target};
use crate::flood::pace::Pace;
use crate::flood::tamper::{Lies, tampering};

/// Players at once.
const LIARS: usize = 8;
/// How often each is moved, a second.
const MOVES_PER_SECOND: u64 = 500;
/// From the end of one until the next comes in its stead.
const COME_BACK_AFTER: Duration = Duration::from_millis(500);

pub(super) struct Liars {
    target: Target,
    liars: Vec<Liar>,
    joined: usize,
    ended: Instant,
}

struct Liar {
    player: Player,
    lies: Arc<Lies>,
}

impl Liar {
    fn join(target: &Target, number: usize) -> anyhow::Result<Self> {
        let lies = Arc::new(Lies::default());
        let keys = |inner| tampering(inner, Arc::clone(&lies));
        let player = Player::join(target, number, transport_config(Side::Client), &keys)?;
        Ok(Self { player, lies })
    }
}

impl Liars {
    pub(super) fn prepare(target: &Target) -> anyhow::Result<Self> {
        let liars = (0..LIARS).map(|number| Liar::join(target, number));
        Ok(Self {
            liars: liars.collect::<anyhow::Result<_>>()?,
            target: target.clone(),
            joined: LIARS,
            ended: Instant::now(),
        })
    }
}

impl Attacker for Liars {
    fn attack(&mut self, until: Instant, outcome: &mut Outcome) -> anyhow::Result<()> {
        let mut moves = Pace::new(MOVES_PER_SECOND);
        outcome.connections += self.liars.len() as u64;
        while Instant::now() < until {
            if moves.wait() == 0 {
                continue;
            }
            for liar in &mut self.liars {
                liar.lies.begun.store(true, Ordering::Relaxed);
                liar.player.play()?;
            }
            self.liars.retain(|liar| {
                let end = liar.player.puppet.end();
                if let Some(end) = &end {
                    count(liar, end.clone(), outcome);
                }
                end.is_none()
            });
            if self.liars.len() < LIARS && self.ended.elapsed() >= COME_BACK_AFTER {
                self.ended = Instant::now();
                self.joined += 1;
                match Liar::join(&self.target, self.joined) {
                    Ok(liar) => {
                        outcome.connections += 1;
                        self.liars.push(liar);
                    }
                    Err(error) => outcome.end(format!("not let in: {error}")),
                }
            }
        }
        for liar in self.liars.drain(..) {
            count(&liar, "still there".into(), outcome);
        }
        Ok(())
    }
}

fn count(liar: &Liar, end: String, outcome: &mut Outcome) {
    outcome.datagrams_sent += liar.player.puppet.sent;
    outcome.count("acknowledgements_of_what_did_not_come", liar.lies.told.load(Ordering::Relaxed));
    outcome.end(end);
}
