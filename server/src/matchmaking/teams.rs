//! Splitting a group into teams, parties whole.
//!
//! Owns: the most even split. Must not know: whether parties fit at all, which is `packing`; who they are.
//!
//! First the numbers of players are made as even as parties allow, then the sums of the ratings, which is how
//! the rating system adds a team up. Small groups are searched through; large ones begin with a good split and
//! swap and move parties for as long as that makes it better.

use matchkeep_shared::limits::{TEAM_CHANGES_MAX, TEAM_SPLITS_MAX};

use super::packing::{Packing, spread};
use super::steps::Steps;

/// What a split must be like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Split {
    /// So many teams,
    pub(super) teams: usize,
    /// each with so many places
    pub(super) places: usize,
    /// and so many players at least.
    pub(super) least: usize,
}

/// How uneven a split is; less is better.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub(super) struct Unevenness {
    /// Players in the largest team more than in the smallest.
    pub(super) players: usize,
    /// The same of the sums of ratings.
    pub(super) strength: f64,
}

/// How uneven this split is.
#[cfg(test)]
fn unevenness(parties: &[(usize, f64)], chosen: &[usize], teams: usize) -> Unevenness {
    of_sums(&sums(parties, chosen, teams))
}

/// Players and strength of each team.
fn sums(parties: &[(usize, f64)], chosen: &[usize], teams: usize) -> Vec<(usize, f64)> {
    let mut sums = vec![(0_usize, 0.0_f64); teams];
    for ((size, strength), team) in parties.iter().zip(chosen) {
        sums[*team].0 += size;
        sums[*team].1 += strength;
    }
    sums
}

fn of_sums(sums: &[(usize, f64)]) -> Unevenness {
    let sizes = sums.iter().map(|sum| sum.0);
    let (largest, smallest) = (sizes.clone().max().unwrap_or(0), sizes.min().unwrap_or(0));
    let most = sums.iter().map(|sum| sum.1).fold(f64::NEG_INFINITY, f64::max);
    let least = sums.iter().map(|sum| sum.1).fold(f64::INFINITY, f64::min);
    Unevenness { players: largest - smallest, strength: most - least }
}

/// The team of each party, given as size and sum of ratings; `packed` is some way in which they fit. `None` where
/// a team would have too few players.
pub(super) fn split(
    parties: &[(usize, f64)],
    wanted: &Split,
    packed: &Packing,
    steps: &mut Steps,
) -> Option<Vec<usize>> {
    let Split { teams, places, least } = *wanted;
    let ways = (teams as f64).powi(parties.len() as i32 - 1);
    let chosen = if teams == 1 {
        vec![0; parties.len()]
    } else if ways <= TEAM_SPLITS_MAX as f64 {
        search(parties, teams, places, steps)?
    } else {
        let sizes: Vec<usize> = parties.iter().map(|party| party.0).collect();
        let begin = spread(&sizes, teams, places).unwrap_or_else(|| packed.teams());
        improve(parties, begin, wanted, steps)
    };
    sums(parties, &chosen, teams).iter().all(|sum| sum.0 >= least).then_some(chosen)
}

/// The best of all splits; the first among equals.
fn search(
    parties: &[(usize, f64)],
    teams: usize,
    places: usize,
    steps: &mut Steps,
) -> Option<Vec<usize>> {
    let mut search = Search {
        parties,
        places,
        sums: vec![(0, 0.0); teams],
        chosen: vec![0; parties.len()],
        best: None,
        steps,
    };
    search.place(0, 0);
    search.best.map(|(_, chosen)| chosen)
}

struct Search<'a> {
    parties: &'a [(usize, f64)],
    places: usize,
    sums: Vec<(usize, f64)>,
    chosen: Vec<usize>,
    best: Option<(Unevenness, Vec<usize>)>,
    steps: &'a mut Steps,
}

impl Search<'_> {
    fn place(&mut self, nth: usize, used: usize) {
        self.steps.take(1);
        let Some(&(size, strength)) = self.parties.get(nth) else {
            let unevenness = of_sums(&self.sums);
            if self.best.as_ref().is_none_or(|(best, _)| unevenness < *best) {
                self.best = Some((unevenness, self.chosen.clone()));
            }
            return;
        };
        // Empty teams are the same: one of them is tried.
        for team in 0..self.sums.len().min(used + 1) {
            let before = self.sums[team];
            if before.0 + size > self.places {
                continue;
            }
            self.sums[team] = (before.0 + size, before.1 + strength);
            self.chosen[nth] = team;
            self.place(nth + 1, used.max(team + 1));
            // Put back as it was: subtracting would leave what rounding adds.
            self.sums[team] = before;
        }
    }
}

/// Swaps two parties, or moves one, while that is better.
fn improve(
    parties: &[(usize, f64)],
    chosen: Vec<usize>,
    wanted: &Split,
    steps: &mut Steps,
) -> Vec<usize> {
    let Split { teams, places, .. } = *wanted;
    let sums = sums(parties, &chosen, teams);
    let best = of_sums(&sums);
    let mut improving = Improving { parties, places, chosen, sums, best };
    let (mut changes, mut nth, mut since) = (0, 0, 0);
    // Who is no better after a round of all is as good as this gets.
    while changes < TEAM_CHANGES_MAX && since < parties.len() {
        let party = nth % parties.len();
        (nth, since) = (nth + 1, since + 1);
        for to in 0..teams {
            if improving.change(party, to, None) {
                since = 0;
            }
        }
        for back in 0..parties.len() {
            if improving.change(party, improving.chosen[back], Some(back)) {
                since = 0;
            }
        }
        changes += teams + parties.len();
    }
    steps.take(changes);
    improving.chosen
}

/// A split that gets better.
struct Improving<'a> {
    parties: &'a [(usize, f64)],
    places: usize,
    chosen: Vec<usize>,
    sums: Vec<(usize, f64)>,
    best: Unevenness,
}

impl Improving<'_> {
    /// Puts a party into another team, in exchange for one of that team where `back` names it, if this is better.
    fn change(&mut self, party: usize, to: usize, back: Option<usize>) -> bool {
        let own = self.chosen[party];
        if own == to {
            return false;
        }
        let before = (self.sums[own], self.sums[to]);
        let (size, strength) = self.parties[party];
        let (size_back, strength_back) = back.map_or((0, 0.0), |back| self.parties[back]);
        let (of_own, of_to) = before;
        self.sums[own] = (of_own.0 + size_back - size, of_own.1 + strength_back - strength);
        self.sums[to] = (of_to.0 + size - size_back, of_to.1 + strength - strength_back);
        let has_room = self.sums[own].0 <= self.places && self.sums[to].0 <= self.places;
        if has_room && of_sums(&self.sums) < self.best {
            self.put(party, to, back, own);
            // Added up anew, so that what rounding leaves of differences is never taken for better.
            let sums = sums(self.parties, &self.chosen, self.sums.len());
            let now = of_sums(&sums);
            if now < self.best {
                (self.best, self.sums) = (now, sums);
                return true;
            }
            self.put(party, own, back, to);
        }
        (self.sums[own], self.sums[to]) = before;
        false
    }

    fn put(&mut self, party: usize, to: usize, back: Option<usize>, other: usize) {
        self.chosen[party] = to;
        if let Some(back) = back {
            self.chosen[back] = other;
        }
    }
}

#[cfg(test)]
mod tests;
