//! One match's places: who has them, who may get them, and what is left.
//!
//! Owns: what follows from the seats that are there. Must not know: other matches, the time.

use std::collections::BTreeMap;

use matchkeep_shared::ids::PlayerId;

use super::{Placed, Seat, Stage, Venue};

/// A match that takes players, as far as matchmaking goes.
#[derive(Debug, PartialEq)]
pub(in crate::lobby) struct Vacancy {
    pub(in crate::lobby) mode: usize,
    /// Of each team; one number without teams.
    pub(in crate::lobby) free: Vec<usize>,
    pub(in crate::lobby) mean: Option<f64>,
    pub(in crate::lobby) players: usize,
}

impl Placed {
    pub(super) fn new(venue: Venue, stage: Stage) -> Self {
        Self { venue, seats: BTreeMap::new(), stage, is_unrated: false }
    }

    /// Whether the shard has not said yet that the match is there.
    pub(in crate::lobby) fn is_being_made(&self) -> bool {
        matches!(self.stage, Stage::Creating | Stage::Returning)
    }

    /// Whether it was made by the process before, and who has a place there is not known yet.
    pub(in crate::lobby) fn is_returning(&self) -> bool {
        self.stage == Stage::Returning
    }

    /// Whether the player sits there, or the place is held.
    pub(in crate::lobby) fn has_seat(&self, player: PlayerId) -> bool {
        self.seats.get(&player).is_some_and(|seat| seat.taken)
    }

    /// Whether the player has a place, or was promised one. A promise in a match that has more seats than places, since
    /// somebody else came into the place before a restart, may not hold: the shard decides, and nobody is sent there
    /// again and again.
    pub(in crate::lobby) fn expects(&self, player: PlayerId) -> bool {
        let holds = self.seats.len() <= self.venue.places;
        self.seats.get(&player).is_some_and(|seat| seat.taken || (holds && seat.is_had()))
    }

    /// The player's team, in a match with teams.
    pub(in crate::lobby) fn team_of(&self, player: PlayerId) -> Option<u8> {
        self.seats.get(&player).and_then(|seat| seat.team)
    }

    /// Whether so many more have room, and so many in a team where one is named.
    pub(super) fn has_room(&self, players: usize, of_team: usize, team: Option<u8>) -> bool {
        let in_all = self.seats.len() + players <= self.venue.places;
        let free = self.free(false);
        // Of a mode that is gone it is not known which teams there are.
        let team = team.filter(|_| self.venue.teams > 0);
        let in_team = team
            .is_none_or(|team| free.get(usize::from(team)).is_some_and(|free| *free >= of_team));
        in_all && in_team
    }

    /// Those who sit there and of whom it is not known how good they are.
    pub(super) fn unrated(&self) -> Vec<PlayerId> {
        let unrated = self.seats.iter().filter(|(_, seat)| seat.taken && seat.mean.is_none());
        unrated.map(|(player, _)| *player).collect()
    }

    /// The first of the teams with the most free places; none without teams.
    pub(super) fn emptiest_team(&self) -> Option<u8> {
        let free = self.free(false);
        let teams = (0..self.venue.teams).zip(&free);
        teams.max_by_key(|(team, free)| (**free, std::cmp::Reverse(*team))).map(|(team, _)| team)
    }

    /// Free places of each team; one number without teams. Places that are reserved are free where they `may_be_asked_for`:
    /// matchmaking counts by itself what it asked for.
    pub(super) fn free(&self, may_be_asked_for: bool) -> Vec<usize> {
        let sides = usize::from(self.venue.teams).max(1);
        let mut free = vec![self.venue.places / sides; sides];
        let mut of_unknown = 0;
        for seat in self.seats.values() {
            let reserved = seat.reserved_for.filter(|_| !may_be_asked_for).map(|(_, team)| team);
            // Who has a place in another team keeps it until it is written that they change.
            let had = seat.is_had().then_some(seat.team);
            for team in [had, reserved.filter(|team| had != Some(*team))].into_iter().flatten() {
                match team.map(usize::from).filter(|team| *team < sides) {
                    Some(side) => free[side] = free[side].saturating_sub(1),
                    None => of_unknown += 1,
                }
            }
        }
        // Whose team nobody knows is taken to be where most room is.
        for _ in 0..of_unknown {
            let roomiest = (0..sides).max_by_key(|side| free[*side]).unwrap_or(0);
            free[roomiest] = free[roomiest].saturating_sub(1);
        }
        free
    }

    /// What matchmaking may know of it; `None` where it sends nobody there.
    pub(super) fn vacancy(&self) -> Option<Vacancy> {
        let goes_on = matches!(self.stage, Stage::Creating | Stage::Running);
        let takes = goes_on && self.venue.private.is_none() && !self.is_unrated;
        let free = self.free(true);
        if !takes || free.iter().all(|free| *free == 0) {
            return None;
        }
        let had = || self.seats.values().filter(|seat| seat.is_had());
        let known: Vec<f64> = had().filter_map(|seat| seat.mean).collect();
        let mean = (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64);
        Some(Vacancy { mode: self.venue.mode, free, mean, players: had().count() })
    }
}

impl Seat {
    /// Whether the player has the place, and not only may get it.
    pub(super) fn is_had(&self) -> bool {
        self.taken || self.promised_until_unix_ms.is_some()
    }

    /// Whether nobody has anything of it.
    pub(super) fn is_free(&self) -> bool {
        !self.is_had() && self.reserved_for.is_none()
    }
}
