//! One player: what it is about, and what it was told last.

use std::time::{Duration, Instant};

use matchkeep_client::link::PlayerKey;
use matchkeep_shared::ids::{Epoch, MatchId, PlayerId, Slot};
use matchkeep_shared::time::Tick;

use super::{FUSED_MODE, MODE};
use crate::sim::lobby::{Dialogue, Want};

/// From the end of a match to the search for another one.
const REST: Duration = Duration::from_millis(400);

/// One player.
#[derive(Debug)]
pub struct Player {
    /// Counted from 0.
    pub number: usize,
    pub(super) name: String,
    /// In a match, or on the way into one.
    pub key: Option<PlayerKey>,
    /// What is asked of the lobby.
    pub dialogue: Option<Dialogue>,
    /// Which match, and from where.
    pub seat: Option<(MatchId, Slot)>,
    /// Who the lobby took the player for, since the first match.
    pub(super) account: PlayerId,
    /// The next input is one that kills.
    pub is_cursed: bool,
    /// An operator ordered the player away, from this match.
    pub(super) kicked_from: Option<MatchId>,
    /// The first match is one that dies.
    pub(super) first_mode: Option<&'static str>,
    /// When the place was taken, in the match's time.
    pub(super) joined: Option<(Epoch, Tick)>,
    pub(super) last: Option<(Epoch, Tick)>,
    pub(super) last_event: Tick,
    /// Told of a rollback since the last snapshot.
    pub(super) rolled_back: Option<Tick>,
    /// Snapshots that were of no use, until the last one that was.
    pub(super) dropped: u64,
    /// When the last snapshot came that was news.
    pub fresh: Option<Instant>,
}

impl Player {
    /// Looks for a match soon, each number a little later than the one before.
    pub(super) fn new(number: usize, now: Instant, is_fused: bool) -> Self {
        let mode = if is_fused { FUSED_MODE } else { MODE };
        let at = now + Duration::from_millis(20 * number as u64);
        Self {
            number,
            name: format!("player {number}"),
            key: None,
            dialogue: Some(Dialogue::new(Want::Find(mode), at)),
            seat: None,
            account: PlayerId(0),
            is_cursed: false,
            kicked_from: None,
            first_mode: is_fused.then_some(FUSED_MODE),
            joined: None,
            last: None,
            last_event: Tick(0),
            rolled_back: None,
            dropped: 0,
            fresh: None,
        }
    }

    /// The match it was let into, and as whom.
    pub fn place(&self) -> Option<(MatchId, PlayerId)> {
        self.joined?;
        self.seat.map(|(match_id, _)| (match_id, self.account))
    }

    /// Not in a match any more; another one is looked for after a while.
    pub(super) fn rest(&mut self, now: Instant) {
        self.key = None;
        self.seat = None;
        (self.joined, self.last, self.rolled_back) = (None, None, None);
        self.dropped = 0;
        self.last_event = Tick(0);
        self.dialogue = Some(Dialogue::new(Want::Find(MODE), now + REST));
    }
}
