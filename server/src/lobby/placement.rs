//! Which matches there are, who has a place in them, and where a new one goes.

use std::collections::BTreeMap;

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{MatchId, PlayerId, ShardId};
use matchkeep_shared::limits::RESERVATION;

/// All matches of a node.
#[derive(Debug, Default)]
pub(super) struct Placement {
    matches: BTreeMap<MatchId, Placed>,
}

/// One match as the lobby knows it.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) mode: usize,
    pub(super) shard: ShardId,
    places: usize,
    /// What it is joined with; nobody is sent to it who does not ask for it.
    pub(super) code: Option<String>,
    seats: BTreeMap<PlayerId, Seat>,
    stage: Stage,
}

/// What a player has of a match. Both at once where one who sits asked for another ticket.
#[derive(Clone, Copy, Default, Debug)]
struct Seat {
    /// The shard said that the player sits there, or that the place is held.
    taken: bool,
    /// A ticket is out; the place is kept free until it ends.
    promised_until_unix_ms: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Creating,
    Running,
    Over,
}

impl Placement {
    /// A match was asked for on this shard.
    pub(super) fn add(
        &mut self,
        id: MatchId,
        mode: usize,
        shard: ShardId,
        places: usize,
        code: Option<String>,
    ) {
        let (seats, stage) = (BTreeMap::new(), Stage::Creating);
        self.matches.insert(id, Placed { mode, shard, places, code, seats, stage });
    }

    /// The match is there.
    pub(super) fn created(&mut self, id: MatchId) {
        if let Some(placed) = self.matches.get_mut(&id) {
            placed.stage = Stage::Running;
        }
    }

    /// The match goes on, with these players in it.
    pub(super) fn resumed(&mut self, id: MatchId, players: &[PlayerId]) {
        let Some(placed) = self.matches.get_mut(&id) else { return };
        placed.stage = Stage::Running;
        for seat in placed.seats.values_mut() {
            seat.taken = false;
        }
        for player in players {
            placed.seats.entry(*player).or_default().taken = true;
        }
        placed.seats.retain(|_, seat| seat.taken || seat.promised_until_unix_ms.is_some());
    }

    /// The match takes nobody any more.
    pub(super) fn over(&mut self, id: MatchId) {
        if let Some(placed) = self.matches.get_mut(&id) {
            placed.stage = Stage::Over;
        }
    }

    /// The match is gone.
    pub(super) fn remove(&mut self, id: MatchId) {
        self.matches.remove(&id);
    }

    /// The match with this ID.
    pub(super) fn find(&self, id: MatchId) -> Option<&Placed> {
        self.matches.get(&id)
    }

    /// The private match with this code.
    pub(super) fn find_code(&self, code: &str) -> Option<MatchId> {
        let mut matches = self.matches.iter();
        matches.find(|(_, placed)| placed.code.as_deref() == Some(code)).map(|(id, _)| *id)
    }

    /// The match of a mode that a player should go to: the one they have a place in, else the fullest
    /// that has a free one.
    pub(super) fn choose(&self, mode: usize, player: PlayerId) -> Option<MatchId> {
        let open = || {
            let of_mode = self.matches.iter().filter(move |(_, placed)| placed.mode == mode);
            of_mode.filter(|(_, placed)| placed.stage != Stage::Over && placed.code.is_none())
        };
        // A promise in a match that has more seats than places may not hold: the shard decides, and who
        // was refused there is not sent back.
        let holds =
            |placed: &Placed, seat: &Seat| seat.taken || placed.seats.len() <= placed.places;
        let own = open()
            .find(|(_, placed)| placed.seats.get(&player).is_some_and(|seat| holds(placed, seat)));
        let fullest = || {
            let free = open().filter(|(_, placed)| placed.seats.len() < placed.places);
            free.max_by_key(|(id, placed)| (placed.seats.len(), std::cmp::Reverse(**id)))
        };
        own.or_else(fullest).map(|(id, _)| *id)
    }

    /// Keeps a place for a player for as long as a ticket is good; the one they have, if any.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn promise(
        &mut self,
        id: MatchId,
        player: PlayerId,
        now_unix_ms: u64,
    ) -> Result<(), DisconnectReason> {
        let placed = self.matches.get_mut(&id).ok_or(DisconnectReason::MatchUnknown)?;
        // Who sits there hears from the match that it is over, when that is durable.
        if placed.stage == Stage::Over && !placed.has_seat(player) {
            return Err(DisconnectReason::MatchOver);
        }
        let until_unix_ms = now_unix_ms + RESERVATION.as_millis() as u64;
        let is_known = placed.seats.contains_key(&player);
        if !is_known && placed.seats.len() >= placed.places {
            return Err(DisconnectReason::MatchFull);
        }
        placed.seats.entry(player).or_default().promised_until_unix_ms = Some(until_unix_ms);
        Ok(())
    }

    /// The shard says that the player sits: the ticket is used.
    pub(super) fn seated(&mut self, id: MatchId, player: PlayerId) {
        if let Some(placed) = self.matches.get_mut(&id) {
            placed.seats.insert(player, Seat { taken: true, promised_until_unix_ms: None });
        }
    }

    /// The player's place is free again, as far as no ticket for it is out.
    pub(super) fn vacated(&mut self, id: MatchId, player: PlayerId) {
        if let Some(placed) = self.matches.get_mut(&id)
            && let Some(seat) = placed.seats.get_mut(&player)
        {
            seat.taken = false;
            if seat.promised_until_unix_ms.is_none() {
                placed.seats.remove(&player);
            }
        }
    }

    /// Promises whose tickets ended unused are void.
    pub(super) fn expire(&mut self, now_unix_ms: u64) {
        for placed in self.matches.values_mut() {
            placed.seats.retain(|_, seat| {
                seat.promised_until_unix_ms =
                    seat.promised_until_unix_ms.filter(|until| *until > now_unix_ms);
                seat.taken || seat.promised_until_unix_ms.is_some()
            });
        }
    }

    /// The number of places on a shard, for finding the one with the fewest.
    pub(super) fn load(&self, shard: ShardId) -> usize {
        let here = self.matches.values().filter(|placed| placed.shard == shard);
        here.filter(|placed| placed.stage != Stage::Over).map(|placed| placed.places).sum()
    }
}

impl Placed {
    /// Whether the shard has not said yet that the match is there.
    pub(super) fn is_being_made(&self) -> bool {
        self.stage == Stage::Creating
    }

    /// Whether the player sits there, or the place is held.
    pub(super) fn has_seat(&self, player: PlayerId) -> bool {
        self.seats.get(&player).is_some_and(|seat| seat.taken)
    }
}
