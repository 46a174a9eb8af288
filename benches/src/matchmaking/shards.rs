//! Matches where they are played: who sits in them, when they end, and what becomes of them when their node dies.
//!
//! Owns: places in matches, as shards give them to whoever shows a ticket, and what a journal would keep. Must not
//! know: lobbies, parties, what matchmaking meant.
//!
//! As in a node a match is claimed first, which one node alone can do, and made then. A node that comes back brings
//! those it claimed with it, with everybody who had a place for longer than the journal takes.

use std::collections::{BTreeMap, BTreeSet};

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{MatchId, PlayerId, ShardId};
use matchkeep_shared::rng::Rng;

/// A match takes so long, and up to as long again.
const MATCH_MS: u64 = 120_000;
/// What happened so short a time ago is not in the journal yet.
const DURABLE_AFTER_MS: u64 = 50;

/// All matches of all nodes.
#[derive(Debug, Default)]
pub(super) struct Shards {
    matches: BTreeMap<MatchId, Hosted>,
    /// Those that were played: no ID is given twice.
    played: BTreeSet<MatchId>,
}

/// A match of a node.
#[derive(Debug)]
pub(super) struct Hosted {
    pub(super) node: usize,
    pub(super) shard: ShardId,
    pub(super) created_unix_ms: u64,
    pub(super) seats: BTreeMap<PlayerId, Seat>,
    pub(super) stage: Stage,
    /// Counts how often it went on; ends that were meant before that are void.
    pub(super) epoch: u32,
    /// When it ends, as long as it runs; else how long it still takes.
    ends_ms: u64,
}

/// A player's place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat {
    pub(super) team: Option<u8>,
    since_ms: u64,
}

/// How far a match is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// It is its node's, and is being made or brought back.
    Claimed,
    Runs,
    /// Its result is not stored yet.
    Over,
}

/// Why somebody has no place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NoPlace {
    /// Nothing answers: the node is down, or the match not back.
    Silent,
    /// The match says no.
    Refused(DisconnectReason),
}

impl Shards {
    /// A node wants to make a match. Says whether it is its own now.
    pub(super) fn claim(&mut self, id: MatchId, node: usize, shard: ShardId, now_ms: u64) -> bool {
        let is_free = !self.matches.contains_key(&id) && !self.played.contains(&id);
        if is_free {
            let (seats, stage) = (BTreeMap::new(), Stage::Claimed);
            let hosted =
                Hosted { node, shard, created_unix_ms: now_ms, seats, stage, epoch: 0, ends_ms: 0 };
            self.matches.insert(id, hosted);
        }
        is_free
    }

    /// A claimed match runs from now on. When it ends, and of which going-on that is.
    pub(super) fn run(&mut self, id: MatchId, now_ms: u64, rng: &mut Rng) -> Option<(u64, u32)> {
        let hosted = self.matches.get_mut(&id).filter(|hosted| hosted.stage == Stage::Claimed)?;
        if hosted.epoch == 0 {
            hosted.ends_ms = MATCH_MS + u64::from(rng.below(MATCH_MS as u32));
        }
        (hosted.stage, hosted.epoch) = (Stage::Runs, hosted.epoch + 1);
        hosted.ends_ms += now_ms;
        Some((hosted.ends_ms, hosted.epoch))
    }

    /// A match.
    pub(super) fn find(&self, id: MatchId) -> Option<&Hosted> {
        self.matches.get(&id)
    }

    /// Those of a node.
    pub(super) fn of(&self, node: usize) -> impl Iterator<Item = (MatchId, &Hosted)> {
        let own = self.matches.iter().filter(move |(_, hosted)| hosted.node == node);
        own.map(|(id, hosted)| (*id, hosted))
    }

    /// A player shows a ticket that is good.
    ///
    /// # Errors
    /// Why it opens nothing.
    pub(super) fn join(
        &mut self,
        id: MatchId,
        player: PlayerId,
        team: Option<u8>,
        places: usize,
        now_ms: u64,
    ) -> Result<(), NoPlace> {
        let refused = |reason| Err(NoPlace::Refused(reason));
        // One that is stored is gone.
        let Some(hosted) = self.matches.get_mut(&id) else {
            return refused(DisconnectReason::MatchUnknown);
        };
        match hosted.stage {
            Stage::Claimed => return Err(NoPlace::Silent),
            Stage::Over => return refused(DisconnectReason::MatchOver),
            Stage::Runs => {}
        }
        if !hosted.seats.contains_key(&player) {
            if hosted.seats.len() >= places {
                return refused(DisconnectReason::MatchFull);
            }
            hosted.seats.insert(player, Seat { team, since_ms: now_ms });
        }
        Ok(())
    }

    /// A match ends, where it was not interrupted since that was planned.
    pub(super) fn end(&mut self, id: MatchId, epoch: u32) -> Option<&Hosted> {
        let hosted = self.matches.get_mut(&id)?;
        if hosted.stage != Stage::Runs || hosted.epoch != epoch {
            return None;
        }
        hosted.stage = Stage::Over;
        Some(hosted)
    }

    /// Its result is stored: nobody needs it any more.
    pub(super) fn close(&mut self, id: MatchId) {
        self.matches.remove(&id);
        self.played.insert(id);
    }

    /// A node died: its matches stand. Those whose places were not durable lose them.
    pub(super) fn stop(&mut self, node: usize, now_ms: u64) -> Vec<(MatchId, PlayerId)> {
        let mut undone = Vec::new();
        for (id, hosted) in &mut self.matches {
            if hosted.node != node || hosted.stage != Stage::Runs {
                continue;
            }
            hosted.stage = Stage::Claimed;
            hosted.ends_ms = hosted.ends_ms.saturating_sub(now_ms);
            hosted.seats.retain(|player, seat| {
                let is_durable = now_ms >= seat.since_ms + DURABLE_AFTER_MS;
                if !is_durable {
                    undone.push((*id, *player));
                }
                is_durable
            });
        }
        undone
    }
}
