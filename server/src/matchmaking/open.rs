//! Running matches with places that a party could fill.
//!
//! Owns: which is filled first, and places that are spoken for. Must not know: shards, seats.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use matchkeep_shared::ids::MatchId;

use super::rules::ModeRules;

/// A running match with free places.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenMatch {
    /// The match.
    pub match_id: MatchId,
    /// Its mode.
    pub mode: String,
    /// Free places of each team; one number in a mode without teams.
    pub free: Vec<usize>,
    /// The mean of its players' ratings; `None` takes anybody.
    pub mean: Option<f64>,
    /// Players who have a place in it.
    pub players: usize,
}

/// Those of one mode.
#[derive(Debug, Default)]
pub(super) struct OpenMatches {
    matches: BTreeMap<MatchId, Open>,
}

#[derive(Debug)]
struct Open {
    free: Vec<usize>,
    /// Of them, what wishes that nobody answered yet are about.
    asked: Vec<usize>,
    mean: Option<f64>,
    players: usize,
}

impl Open {
    /// The team with most room for so many; the first among equals.
    fn team_for(&self, size: usize) -> Option<usize> {
        let rooms = self.free.iter().zip(&self.asked);
        let rooms = rooms.map(|(free, asked)| free.saturating_sub(*asked)).enumerate();
        let (team, room) = rooms.max_by_key(|(team, room)| (*room, Reverse(*team)))?;
        (room >= size).then_some(team)
    }

    /// Those who have a place, or may get one.
    fn players(&self) -> usize {
        self.players + self.asked.iter().sum::<usize>()
    }
}

impl OpenMatches {
    /// A match is open, or is so with other places. What is asked of it stays asked.
    pub(super) fn set(&mut self, open: &OpenMatch, rules: &ModeRules) {
        let (sides, _) = rules.sides();
        let mut free = open.free.clone();
        free.resize(sides, 0);
        let old = self.matches.remove(&open.match_id);
        let asked = old.map_or_else(|| vec![0; sides], |old| old.asked);
        let (mean, players) = (open.mean, open.players);
        self.matches.insert(open.match_id, Open { free, asked, mean, players });
    }

    /// A match takes nobody any more.
    pub(super) fn remove(&mut self, id: MatchId) {
        self.matches.remove(&id);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.matches.len()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.matches.is_empty()
    }

    /// Where a party could go: the fullest match near enough with room for all in one team, the first among
    /// equals.
    pub(super) fn find(&self, size: usize, mean: f64, window: f64) -> Option<(MatchId, usize)> {
        let near = self
            .matches
            .iter()
            .filter(|(_, open)| open.mean.is_none_or(|of_match| (of_match - mean).abs() <= window));
        let fitting = near.filter_map(|(id, open)| Some((id, open, open.team_for(size)?)));
        let best = fitting.max_by_key(|(id, open, _)| (open.players(), Reverse(**id)))?;
        Some((*best.0, best.2))
    }

    /// So many places of a team are asked for.
    pub(super) fn ask(&mut self, id: MatchId, team: usize, size: usize) {
        if let Some(asked) = self.matches.get_mut(&id).and_then(|open| open.asked.get_mut(team)) {
            *asked += size;
        }
    }

    /// What was asked for is answered. Where it was given it is no longer free.
    pub(super) fn answered(&mut self, id: MatchId, team: usize, size: usize, is_given: bool) {
        let Some(open) = self.matches.get_mut(&id) else { return };
        let (Some(asked), Some(free)) = (open.asked.get_mut(team), open.free.get_mut(team)) else {
            return;
        };
        *asked = asked.saturating_sub(size);
        if is_given {
            *free = free.saturating_sub(size);
            open.players += size;
        }
    }
}
