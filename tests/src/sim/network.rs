//! The network: packets that are lost, late, early, twice, broken, or back from the past.

use std::time::{Duration, Instant};

use matchkeep_shared::rng::Rng;

use super::plan::Weather;
use super::tally::Tally;

/// How much later a packet comes that overtakes nobody any more.
const REPLAY_MS_MAX: u32 = 4_000;

/// Between every client and the server.
#[derive(Debug)]
pub struct Network {
    rng: Rng,
    /// How it is now.
    pub weather: Weather,
    /// The latest arrival so far: a packet before that has overtaken one.
    latest: Option<Instant>,
}

impl Network {
    /// With this weather.
    pub fn new(seed: u64, weather: Weather) -> Self {
        Self { rng: Rng::new(seed), weather, latest: None }
    }

    /// When the packet arrives, and as what: not at all, once or more than once.
    pub fn carry(
        &mut self,
        now: Instant,
        bytes: Vec<u8>,
        tally: &mut Tally,
        mut arrive: impl FnMut(Instant, Vec<u8>),
    ) {
        let Weather { loss_permille, twice_per_10k, corrupt_per_10k, replay_per_10k, .. } =
            self.weather;
        if self.rng.below(1000) < loss_permille {
            tally.count("packet_lost");
            return;
        }
        let mut bytes = bytes;
        if self.rng.below(10_000) < replay_per_10k {
            tally.count("old_packet_replayed");
            let later = Duration::from_millis(self.rng.below(REPLAY_MS_MAX).into());
            arrive(now + self.weather.delay + later, bytes.clone());
        }
        if self.rng.below(10_000) < twice_per_10k {
            tally.count("packet_duplicated");
            arrive(now + self.delay(), bytes.clone());
        }
        if self.rng.below(10_000) < corrupt_per_10k && !bytes.is_empty() {
            tally.count("packet_corrupted");
            let bit = self.rng.below(bytes.len() as u32 * 8);
            bytes[bit as usize / 8] ^= 1 << (bit % 8);
        }
        let at = now + self.delay();
        if self.latest.is_some_and(|latest| at < latest) && self.weather.jitter.as_millis() > 1 {
            tally.count("packet_overtaken");
        }
        self.latest = self.latest.max(Some(at));
        arrive(at, bytes);
    }

    /// When a message of the lobby arrives; `None` where the connection failed over it.
    pub fn carry_lobby(&mut self, now: Instant, tally: &mut Tally) -> Option<Instant> {
        if self.rng.below(1000) < self.weather.lobby_loss_permille {
            tally.count("lobby_message_lost");
            return None;
        }
        Some(now + self.delay())
    }

    fn delay(&mut self) -> Duration {
        let jitter_us = self.weather.jitter.as_micros() as u32;
        self.weather.delay + Duration::from_micros(self.rng.below(jitter_us.max(1)).into())
    }
}
