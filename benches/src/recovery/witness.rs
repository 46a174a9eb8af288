//! What the bots were shown: every tick's hash, the newest tick and the newest durable one of each match, and
//! when each bot saw an epoch for the first time.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use matchkeep_client::netcode::SnapshotInfo;
use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::time::Tick;

/// What the bots saw of one match.
#[derive(Clone, Debug)]
pub struct Seen {
    /// By epoch and tick: the hash that was told, and by how many bots it was seen.
    pub hashes: BTreeMap<(Epoch, Tick), (u64, u64)>,
    /// Bots that were told another hash than the first one, for the same epoch and tick.
    pub contradictions: u64,
    /// The newest tick.
    pub newest: Tick,
    /// The newest tick that was said to be durable.
    pub durable: Tick,
    /// The newest epoch.
    pub epoch: Epoch,
    /// Where the newest epoch went on from, as the bots were told.
    pub resumed: BTreeMap<Epoch, Tick>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            hashes: BTreeMap::new(),
            contradictions: 0,
            newest: Tick(0),
            durable: Tick(0),
            epoch: Epoch(0),
            resumed: BTreeMap::new(),
        }
    }
}

/// What one bot saw last.
#[derive(Clone, Copy, Debug)]
pub struct LastSeen {
    /// In which match.
    pub match_id: MatchId,
    /// The newest epoch.
    pub epoch: Epoch,
    /// When its first snapshot came.
    pub since: Instant,
}

/// What all bots saw.
#[derive(Debug, Default)]
pub struct Witness(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    matches: BTreeMap<MatchId, Seen>,
    bots: BTreeMap<usize, LastSeen>,
    /// Bots that wait for the first snapshot of a new epoch, and where it goes on from.
    rolled_back: BTreeMap<usize, Tick>,
}

impl Witness {
    /// A bot got a snapshot.
    pub fn note(&self, bot: usize, match_id: MatchId, info: &SnapshotInfo) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = inner.matches.entry(match_id).or_default();
        if let Some(hash) = info.state_hash {
            let (first, count) = seen.hashes.entry((info.epoch, info.tick)).or_insert((hash, 0));
            *count += 1;
            seen.contradictions += u64::from(*first != hash);
        }
        if info.epoch > seen.epoch {
            // What was seen beyond its beginning did not happen.
            (seen.epoch, seen.newest) = (info.epoch, info.tick);
        }
        seen.newest = seen.newest.max(info.tick);
        seen.durable = seen.durable.max(info.durable.unwrap_or_default());
        let last = LastSeen { match_id, epoch: info.epoch, since: info.at };
        if let Some(to) = inner.rolled_back.remove(&bot)
            && let Some(seen) = inner.matches.get_mut(&match_id)
        {
            seen.resumed.entry(info.epoch).or_insert(to);
        }
        let entry = inner.bots.entry(bot).or_insert(last);
        if info.epoch > entry.epoch {
            *entry = last;
        }
    }

    /// A bot was told that its match went on from a tick; the epoch is that of its next snapshot.
    pub fn note_rolled_back(&self, bot: usize, to: Tick) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.rolled_back.insert(bot, to);
    }

    /// What is known now, of each match.
    pub fn matches(&self) -> BTreeMap<MatchId, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).matches.clone()
    }

    /// The newest tick and the newest durable one of each match.
    pub fn ticks(&self) -> BTreeMap<MatchId, (Tick, Tick)> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.matches.iter().map(|(id, seen)| (*id, (seen.newest, seen.durable))).collect()
    }

    /// What each bot saw last.
    pub fn bots(&self) -> BTreeMap<usize, LastSeen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bots.clone()
    }
}
