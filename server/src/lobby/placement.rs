//! Which matches there are, who has a place in them, and where a new one goes.

use std::collections::{BTreeMap, BTreeSet};

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{MatchId, PlayerId, ShardId};
use matchkeep_shared::limits::RESERVATION;

/// All matches of a node.
#[derive(Debug, Default)]
pub(super) struct Placement {
    matches: BTreeMap<MatchId, Placed>,
    /// Matches whose places are not what they were when it was last asked.
    changed: BTreeSet<MatchId>,
}

/// Where a match is, and for how many.
#[derive(Clone, Debug)]
pub(super) struct Venue {
    pub(super) mode: usize,
    pub(super) shard: ShardId,
    pub(super) places: usize,
    /// Teams of equal size; 0 where everyone plays for themselves.
    pub(super) teams: u8,
    /// What it is joined with; nobody is sent to it who does not ask for it.
    pub(super) code: Option<String>,
}

/// One match as the lobby knows it.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) venue: Venue,
    seats: BTreeMap<PlayerId, Seat>,
    stage: Stage,
}

/// What matchmaking says of a player whom it sends to a match.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chosen {
    pub(super) team: Option<u8>,
    /// How good the player is.
    pub(super) mean: f64,
}

/// What a player has of a match. Both at once where one who sits asked for another ticket.
#[derive(Clone, Copy, Default, Debug)]
struct Seat {
    /// The shard said that the player sits there, or that the place is held.
    taken: bool,
    /// A ticket is out; the place is kept free until it ends.
    promised_until_unix_ms: Option<u64>,
    team: Option<u8>,
    /// How good the player is, where matchmaking knows.
    mean: Option<f64>,
}

/// A match that takes players, as far as matchmaking goes.
#[derive(Debug, PartialEq)]
pub(super) struct Vacancy {
    pub(super) mode: usize,
    /// Of each team; one number without teams.
    pub(super) free: Vec<usize>,
    pub(super) mean: Option<f64>,
    pub(super) players: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Creating,
    /// It was made by the process before; who has a place there is not known yet.
    Returning,
    Running,
    Over,
}

impl Placement {
    /// A match was asked for on this shard.
    pub(super) fn add(&mut self, id: MatchId, venue: Venue) {
        self.matches.insert(id, Placed { venue, seats: BTreeMap::new(), stage: Stage::Creating });
        self.changed.insert(id);
    }

    /// A match of the process before is on its way back to this shard.
    pub(super) fn expect(&mut self, id: MatchId, venue: Venue) {
        self.matches.insert(id, Placed { venue, seats: BTreeMap::new(), stage: Stage::Returning });
    }

    /// The match is there.
    pub(super) fn created(&mut self, id: MatchId) {
        if let Some(placed) = self.matches.get_mut(&id) {
            placed.stage = Stage::Running;
        }
    }

    /// The match goes on, with these players in it.
    pub(super) fn resumed(&mut self, id: MatchId, players: &[(PlayerId, Option<u8>)]) {
        let Some(placed) = self.matches.get_mut(&id) else { return };
        self.changed.insert(id);
        placed.stage = Stage::Running;
        for seat in placed.seats.values_mut() {
            seat.taken = false;
        }
        for (player, team) in players {
            let seat = placed.seats.entry(*player).or_default();
            (seat.taken, seat.team) = (true, *team);
        }
        placed.seats.retain(|_, seat| seat.taken || seat.promised_until_unix_ms.is_some());
    }

    /// The match takes nobody any more.
    pub(super) fn over(&mut self, id: MatchId) {
        if let Some(placed) = self.matches.get_mut(&id) {
            placed.stage = Stage::Over;
            self.changed.insert(id);
        }
    }

    /// The match is gone.
    pub(super) fn remove(&mut self, id: MatchId) {
        self.matches.remove(&id);
        self.changed.insert(id);
    }

    /// The match with this ID.
    pub(super) fn find(&self, id: MatchId) -> Option<&Placed> {
        self.matches.get(&id)
    }

    /// The private match with this code.
    pub(super) fn find_code(&self, code: &str) -> Option<MatchId> {
        let mut matches = self.matches.iter();
        matches.find(|(_, placed)| placed.venue.code.as_deref() == Some(code)).map(|(id, _)| *id)
    }

    /// The match of a mode that a player should go to: the one they have a place in, else the fullest
    /// that has a free one.
    pub(super) fn choose(&self, mode: usize, player: PlayerId) -> Option<MatchId> {
        let open = || {
            let of_mode = self.open_of(mode);
            of_mode.filter(|(_, placed)| placed.seats.len() < placed.venue.places)
        };
        let fullest =
            || open().max_by_key(|(id, placed)| (placed.seats.len(), std::cmp::Reverse(**id)));
        self.own(mode, player).or_else(|| fullest().map(|(id, _)| *id))
    }

    /// The match of a mode that a player has a place in.
    pub(super) fn own(&self, mode: usize, player: PlayerId) -> Option<MatchId> {
        // A promise in a match that has more seats than places may not hold: the shard decides, and who
        // was refused there is not sent back.
        let holds =
            |placed: &Placed, seat: &Seat| seat.taken || placed.seats.len() <= placed.venue.places;
        let has_place =
            |placed: &Placed| placed.seats.get(&player).is_some_and(|seat| holds(placed, seat));
        self.open_of(mode).find(|(_, placed)| has_place(placed)).map(|(id, _)| *id)
    }

    /// Matches of a mode that anybody may be sent to, full ones among them.
    fn open_of(&self, mode: usize) -> impl Iterator<Item = (&MatchId, &Placed)> {
        let of_mode = self.matches.iter().filter(move |(_, placed)| placed.venue.mode == mode);
        of_mode.filter(|(_, placed)| placed.stage != Stage::Over && placed.venue.code.is_none())
    }

    /// Keeps a place for a player for as long as a ticket is good; the one they have, if any. Where matchmaking did
    /// not choose a team it is the emptiest.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn promise(
        &mut self,
        id: MatchId,
        player: PlayerId,
        chosen: Option<Chosen>,
        now_unix_ms: u64,
    ) -> Result<(), DisconnectReason> {
        let placed = self.matches.get_mut(&id).ok_or(DisconnectReason::MatchUnknown)?;
        // Who sits there hears from the match that it is over, when that is durable.
        if placed.stage == Stage::Over && !placed.has_seat(player) {
            return Err(DisconnectReason::MatchOver);
        }
        let until_unix_ms = now_unix_ms + RESERVATION.as_millis() as u64;
        let is_known = placed.seats.contains_key(&player);
        if !is_known {
            if placed.seats.len() >= placed.venue.places {
                return Err(DisconnectReason::MatchFull);
            }
            let team = chosen.map_or_else(|| placed.emptiest_team(), |chosen| chosen.team);
            let seat = Seat { team, mean: chosen.map(|chosen| chosen.mean), ..Seat::default() };
            placed.seats.insert(player, seat);
            self.changed.insert(id);
        }
        if let Some(seat) = placed.seats.get_mut(&player) {
            seat.promised_until_unix_ms = Some(until_unix_ms);
        }
        Ok(())
    }

    /// The next match whose places are not what they were, with those it has now; `None` with it where it takes
    /// nobody.
    pub(super) fn poll_changed(&mut self) -> Option<(MatchId, Option<Vacancy>)> {
        let id = self.changed.pop_first()?;
        Some((id, self.matches.get(&id).and_then(Placed::vacancy)))
    }

    /// The shard says that the player sits: the ticket is used.
    pub(super) fn seated(&mut self, id: MatchId, player: PlayerId) {
        if let Some(placed) = self.matches.get_mut(&id) {
            let seat = placed.seats.entry(player).or_default();
            (seat.taken, seat.promised_until_unix_ms) = (true, None);
            self.changed.insert(id);
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
                self.changed.insert(id);
            }
        }
    }

    /// Promises whose tickets ended unused are void.
    pub(super) fn expire(&mut self, now_unix_ms: u64) {
        for (id, placed) in &mut self.matches {
            let before = placed.seats.len();
            placed.seats.retain(|_, seat| {
                seat.promised_until_unix_ms =
                    seat.promised_until_unix_ms.filter(|until| *until > now_unix_ms);
                seat.taken || seat.promised_until_unix_ms.is_some()
            });
            if placed.seats.len() != before {
                self.changed.insert(*id);
            }
        }
    }

    /// The number of places on a shard, for finding the one with the fewest.
    pub(super) fn load(&self, shard: ShardId) -> usize {
        let here = self.matches.values().filter(|placed| placed.venue.shard == shard);
        here.filter(|placed| placed.stage != Stage::Over).map(|placed| placed.venue.places).sum()
    }
}

impl Placed {
    /// Whether the shard has not said yet that the match is there.
    pub(super) fn is_being_made(&self) -> bool {
        matches!(self.stage, Stage::Creating | Stage::Returning)
    }

    /// Whether it was made by the process before, and who has a place there is not known yet.
    pub(super) fn is_returning(&self) -> bool {
        self.stage == Stage::Returning
    }

    /// Whether the player sits there, or the place is held.
    pub(super) fn has_seat(&self, player: PlayerId) -> bool {
        self.seats.get(&player).is_some_and(|seat| seat.taken)
    }

    /// Whether the player has a place, or was promised one.
    pub(super) fn expects(&self, player: PlayerId) -> bool {
        self.seats.contains_key(&player)
    }

    /// The player's team, in a match with teams.
    pub(super) fn team_of(&self, player: PlayerId) -> Option<u8> {
        self.seats.get(&player).and_then(|seat| seat.team)
    }

    /// The first of the teams with the most free places; none without teams.
    fn emptiest_team(&self) -> Option<u8> {
        let free = self.free();
        let teams = (0..self.venue.teams).zip(&free);
        teams.max_by_key(|(team, free)| (**free, std::cmp::Reverse(*team))).map(|(team, _)| team)
    }

    /// Free places of each team; one number without teams.
    fn free(&self) -> Vec<usize> {
        let sides = usize::from(self.venue.teams).max(1);
        let mut free = vec![self.venue.places / sides; sides];
        // Whose team nobody knows is taken to be where most room is.
        let of_unknown = self.seats.values().filter(|seat| seat.team.is_none());
        for seat in self.seats.values().filter(|seat| seat.team.is_some()).chain(of_unknown) {
            let known = seat.team.map(usize::from).filter(|team| *team < sides);
            let roomiest = || (0..sides).max_by_key(|side| free[*side]).unwrap_or(0);
            let side = known.unwrap_or_else(roomiest);
            free[side] = free[side].saturating_sub(1);
        }
        free
    }

    /// What matchmaking may know of it; `None` where it sends nobody there.
    fn vacancy(&self) -> Option<Vacancy> {
        let goes_on = matches!(self.stage, Stage::Creating | Stage::Running);
        let takes = goes_on && self.venue.code.is_none();
        let free = self.free();
        if !takes || free.iter().all(|free| *free == 0) {
            return None;
        }
        let known: Vec<f64> = self.seats.values().filter_map(|seat| seat.mean).collect();
        let mean = (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64);
        Some(Vacancy { mode: self.venue.mode, free, mean, players: self.seats.len() })
    }
}
