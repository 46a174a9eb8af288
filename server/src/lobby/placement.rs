//! Which matches there are, who has a place in them, and where a new one goes.
//!
//! Owns: every match of the node, and what its places may be given for. Must not know: connections, tickets, the queue;
//! what one match says of its places is `placed`.

mod placed;

use std::collections::{BTreeMap, BTreeSet};

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{MatchId, PlayerId, ShardId};

use crate::matchmaking::{Member, QueueTicket, QueueTicketId};
use crate::reservations::PrivateMatch;
pub(super) use placed::Vacancy;

/// All matches of a node.
#[derive(Debug, Default)]
pub(super) struct Placement {
    matches: BTreeMap<MatchId, Placed>,
    /// Matches whose places are not what they were when it was last asked.
    changed: BTreeSet<MatchId>,
    /// Matches of whose players it is to be asked how good they are.
    unrated: BTreeSet<MatchId>,
}

/// Where a match is, and for how many.
#[derive(Clone, Debug)]
pub(super) struct Venue {
    pub(super) mode: usize,
    pub(super) shard: ShardId,
    pub(super) places: usize,
    /// Teams of equal size; 0 where everyone plays for themselves.
    pub(super) teams: u8,
    /// Whether its result counts for its players' ratings: it takes only those whom matchmaking sends there.
    pub(super) is_rated: bool,
    /// Of a private one: whose it is and what it is joined with. Nobody is sent to it who does not ask for it.
    pub(super) private: Option<PrivateMatch>,
}

impl Venue {
    /// What a private one is joined with.
    pub(super) fn code(&self) -> Option<&str> {
        self.private.as_ref().map(|private| private.code.as_str())
    }
}

/// One match as the lobby knows it.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) venue: Venue,
    seats: BTreeMap<PlayerId, Seat>,
    stage: Stage,
    /// How good its players are is not known, and matters: matchmaking sends nobody there meanwhile.
    is_unrated: bool,
}

/// What matchmaking says of a player whom it sends to a match.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chosen {
    pub(super) team: Option<u8>,
    /// How good the player is.
    pub(super) mean: f64,
}

/// What a player has of a match. Several at once where one who sits asked for another ticket, say.
#[derive(Clone, Copy, Default, Debug)]
struct Seat {
    /// The shard said that the player sits there, or that the place is held.
    taken: bool,
    /// A ticket is out; the place is kept free until it ends.
    promised_until_unix_ms: Option<u64>,
    /// The party whose way there is being written down, and its team; the place is kept free until that is answered.
    reserved_for: Option<(QueueTicketId, Option<u8>)>,
    team: Option<u8>,
    /// How good the player is, where matchmaking knows.
    mean: Option<f64>,
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
        self.matches.insert(id, Placed::new(venue, Stage::Creating));
        self.changed.insert(id);
    }

    /// A match of the process before is on its way back to this shard.
    pub(super) fn expect(&mut self, id: MatchId, venue: Venue) {
        self.matches.insert(id, Placed::new(venue, Stage::Returning));
    }

    /// The match is there.
    pub(super) fn created(&mut self, id: MatchId) {
        if let Some(placed) = self.matches.get_mut(&id) {
            placed.stage = Stage::Running;
        }
    }

    /// The match goes on, with these players in it. Where it counts for ratings, and how good one of them is is not
    /// known, that is to be asked first.
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
        placed.seats.retain(|_, seat| !seat.is_free());
        placed.is_unrated = placed.venue.is_rated && !placed.unrated().is_empty();
        if placed.is_unrated {
            self.unrated.insert(id);
        }
    }

    /// The next match of whose players it is to be asked how good they are, with its mode and those players. Each is
    /// handed out once, and again after [`set_means`](Self::set_means).
    pub(super) fn poll_unrated(&mut self) -> Option<(MatchId, usize, Vec<PlayerId>)> {
        while let Some(id) = self.unrated.pop_first() {
            let Some(placed) = self.matches.get(&id) else { continue };
            return Some((id, placed.venue.mode, placed.unrated()));
        }
        None
    }

    /// How good players of a match are; where nobody said it, or of others, it is to be asked again.
    pub(super) fn set_means(&mut self, id: MatchId, means: &[(PlayerId, f64)]) {
        let Some(placed) = self.matches.get_mut(&id) else { return };
        for (player, mean) in means {
            if let Some(seat) = placed.seats.get_mut(player) {
                seat.mean = Some(*mean);
            }
        }
        placed.is_unrated = !placed.unrated().is_empty();
        if placed.is_unrated {
            self.unrated.insert(id);
        }
        self.changed.insert(id);
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
        matches.find(|(_, placed)| placed.venue.code() == Some(code)).map(|(id, _)| *id)
    }

    /// The private matches of a player that are not over.
    pub(super) fn private_of(&self, owner: PlayerId) -> impl Iterator<Item = &PrivateMatch> {
        let go_on = self.matches.values().filter(|placed| placed.stage != Stage::Over);
        let private = go_on.filter_map(|placed| placed.venue.private.as_ref());
        private.filter(move |private| private.owner == owner)
    }

    /// The match of a mode that a player should go to: the one they have a place in, else the fullest
    /// that has a free one.
    pub(super) fn choose(&self, mode: usize, player: PlayerId) -> Option<MatchId> {
        // A place that is reserved is nobody else's.
        let open = || {
            let of_mode = self.open_of(mode);
            of_mode.filter(|(_, placed)| placed.seats.len() < placed.venue.places)
        };
        let fullest =
            || open().max_by_key(|(id, placed)| (placed.seats.len(), std::cmp::Reverse(**id)));
        self.own(mode, player).or_else(|| fullest().map(|(id, _)| *id))
    }

    /// The match of a mode that a player has a place in: where they sit, before any that they were promised.
    pub(super) fn own(&self, mode: usize, player: PlayerId) -> Option<MatchId> {
        let sits = self.open_of(mode).find(|(_, placed)| placed.has_seat(player));
        let own = sits.or_else(|| self.open_of(mode).find(|(_, placed)| placed.expects(player)));
        own.map(|(id, _)| *id)
    }

    /// Matches of a mode that anybody may be sent to, full ones among them.
    fn open_of(&self, mode: usize) -> impl Iterator<Item = (&MatchId, &Placed)> {
        let of_mode = self.matches.iter().filter(move |(_, placed)| placed.venue.mode == mode);
        of_mode.filter(|(_, placed)| placed.stage != Stage::Over && placed.venue.private.is_none())
    }

    /// Keeps a place for a player until then, in milliseconds of Unix time; the one they have, if any. Where matchmaking
    /// did not choose a team it is the emptiest.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn promise(
        &mut self,
        id: MatchId,
        player: PlayerId,
        chosen: Option<Chosen>,
        until_unix_ms: u64,
    ) -> Result<(), DisconnectReason> {
        let placed = self.matches.get_mut(&id).ok_or(DisconnectReason::MatchUnknown)?;
        // Who sits there hears from the match that it is over, when that is durable.
        if placed.stage == Stage::Over && !placed.has_seat(player) {
            return Err(DisconnectReason::MatchOver);
        }
        if !placed.seats.contains_key(&player) {
            if !placed.has_room(1, 1, chosen.and_then(|chosen| chosen.team)) {
                return Err(DisconnectReason::MatchFull);
            }
            let team = chosen.map_or_else(|| placed.emptiest_team(), |chosen| chosen.team);
            let seat = Seat { team, mean: chosen.map(|chosen| chosen.mean), ..Seat::default() };
            placed.seats.insert(player, seat);
        }
        let seat = placed.seats.get_mut(&player).expect("it was just put there");
        if !seat.is_had() {
            self.changed.insert(id);
        }
        // One that is made later may be for an earlier wish.
        seat.promised_until_unix_ms = seat.promised_until_unix_ms.max(Some(until_unix_ms));
        Ok(())
    }

    /// Reserves places for a party whose way to a match is being written down: in one team for all of it, or for nobody.
    /// They are nobody else's until [`confirm`](Self::confirm) or [`release`](Self::release). To matchmaking they are
    /// free still, for it counts by itself what it asked for. Says whether there was room.
    pub(super) fn reserve(&mut self, id: MatchId, party: &QueueTicket, team: Option<u8>) -> bool {
        let Some(placed) = self.matches.get_mut(&id) else { return false };
        let seat_of = |member: &Member| placed.seats.get(&member.player);
        let newcomers = party.members.iter().filter(|member| seat_of(member).is_none()).count();
        // Who has a place there already, in another team, comes into this one with the others.
        let is_other = |member: &&Member| seat_of(member).is_none_or(|seat| seat.team != team);
        let of_team = party.members.iter().filter(is_other).count();
        if placed.stage == Stage::Over || !placed.has_room(newcomers, of_team, team) {
            return false;
        }
        for Member { player, rating, .. } in &party.members {
            let new = Seat { team, mean: Some(rating.mean), ..Seat::default() };
            placed.seats.entry(*player).or_insert(new).reserved_for = Some((party.id, team));
        }
        true
    }

    /// The party has its places, durably: they are kept until then, in milliseconds of Unix time. Says whether the match
    /// takes it; it may be over by now, or gone.
    pub(super) fn confirm(
        &mut self,
        id: MatchId,
        party: QueueTicketId,
        until_unix_ms: u64,
    ) -> bool {
        let Some(placed) = self.matches.get_mut(&id) else { return false };
        if placed.stage == Stage::Over {
            self.release(id, party);
            return false;
        }
        for seat in placed.seats.values_mut() {
            let Some((_, team)) = seat.reserved_for.take_if(|(id, _)| *id == party) else {
                continue;
            };
            // Who sits is where the match has put them.
            if !seat.taken {
                seat.team = team;
            }
            seat.promised_until_unix_ms = seat.promised_until_unix_ms.max(Some(until_unix_ms));
        }
        self.changed.insert(id);
        true
    }

    /// The party does not go there. To matchmaking its places were free all the while, so nothing changed: told so, it would
    /// ask again at once for what cannot be written.
    pub(super) fn release(&mut self, id: MatchId, party: QueueTicketId) {
        let Some(placed) = self.matches.get_mut(&id) else { return };
        placed.seats.retain(|_, seat| {
            seat.reserved_for = seat.reserved_for.filter(|(reserved, _)| *reserved != party);
            !seat.is_free()
        });
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
            if seat.is_free() {
                placed.seats.remove(&player);
            }
            self.changed.insert(id);
        }
    }

    /// The player is not led there after all: what was promised is void.
    pub(super) fn withdraw(&mut self, id: MatchId, player: PlayerId) {
        let Some(placed) = self.matches.get_mut(&id) else { return };
        if let Some(seat) = placed.seats.get_mut(&player) {
            seat.promised_until_unix_ms = None;
        }
        placed.seats.retain(|_, seat| !seat.is_free());
        self.changed.insert(id);
    }

    /// Promises whose tickets ended unused are void.
    pub(super) fn expire(&mut self, now_unix_ms: u64) {
        for (id, placed) in &mut self.matches {
            let mut is_changed = false;
            placed.seats.retain(|_, seat| {
                let before = seat.promised_until_unix_ms;
                seat.promised_until_unix_ms = before.filter(|until| *until > now_unix_ms);
                is_changed |= seat.promised_until_unix_ms != before;
                !seat.is_free()
            });
            if is_changed {
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
