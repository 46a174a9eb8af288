//! Whether parties have room in teams, parties whole.
//!
//! Owns: one way to put them in, and the search for another. Must not know: who they are, and how good.
//!
//! A party that has room beside the others is put there. Else a search puts all of them anew, one team after the
//! other. Single players go wherever there is room, so it knows how many places may stay empty beside the others,
//! and gives a team up as soon as the parties left can't fill it so far, as trios can't fill 32 places; with parties
//! that could not be put into as many teams before, too. So it is exact, and short: one that takes more than
//! `PACKING_STEPS_MAX` is taken to find nothing.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::steps::Steps;
use super::sums::Sums;

/// A match's teams as parties come into them, one after the other.
#[derive(Debug)]
pub(super) struct Packing {
    /// Places of each team.
    places: usize,
    /// Places that nobody has.
    left: usize,
    /// The parties in the order of their coming.
    sizes: Vec<usize>,
    /// The team of each, but for single players.
    teams: Vec<usize>,
    /// Places of each team that are left by parties of more than one.
    rooms: Vec<usize>,
}

impl Packing {
    /// So many teams of so many places, empty.
    pub(super) fn new(teams: usize, places: usize) -> Self {
        let (sizes, chosen) = (Vec::new(), Vec::new());
        Self { places, left: teams * places, sizes, teams: chosen, rooms: vec![places; teams] }
    }

    /// Places that nobody has.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Takes a party in, unless it has no room beside those who are in, wherever they are put.
    pub(super) fn add(&mut self, size: usize, steps: &mut Steps) -> bool {
        if size > self.left {
            return false;
        }
        if size == 1 {
            self.teams.push(0);
        } else if let Some(team) = self.fullest_for(size) {
            self.rooms[team] -= size;
            self.teams.push(team);
        } else if !self.search(size, steps) {
            return false;
        }
        self.sizes.push(size);
        self.left -= size;
        true
    }

    /// The team of each party, in the order of their coming.
    pub(super) fn teams(&self) -> Vec<usize> {
        let (mut rooms, mut teams) = (self.rooms.clone(), self.teams.clone());
        for single in (0..self.sizes.len()).filter(|party| self.sizes[*party] == 1) {
            let team = emptiest(&rooms);
            rooms[team] = rooms[team].saturating_sub(1);
            teams[single] = team;
        }
        teams
    }

    /// Where a party leaves the least room that others may need.
    fn fullest_for(&self, size: usize) -> Option<usize> {
        let fitting = (0..self.rooms.len()).filter(|team| self.rooms[*team] >= size);
        fitting.min_by_key(|team| self.rooms[*team])
    }

    /// Puts everybody anew, and this one with them.
    fn search(&mut self, size: usize, steps: &mut Steps) -> bool {
        let mut sizes = self.sizes.clone();
        sizes.push(size);
        let count = self.rooms.len();
        let Some(teams) = Search::run(&sizes, count, self.places, steps) else { return false };
        self.rooms = vec![self.places; count];
        for (size, team) in sizes.iter().zip(&teams).filter(|(size, _)| **size > 1) {
            self.rooms[*team] -= size;
        }
        self.teams = teams;
        true
    }
}

/// Parties of these sizes in so many teams, the largest first, each into the emptiest: the team of each. `None` where
/// that leaves no room for one.
pub(super) fn spread(sizes: &[usize], teams: usize, places: usize) -> Option<Vec<usize>> {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|party| Reverse(sizes[*party]));
    let (mut rooms, mut chosen) = (vec![places; teams], vec![0; sizes.len()]);
    for party in order {
        let team = emptiest(&rooms);
        rooms[team] = rooms[team].checked_sub(sizes[party])?;
        chosen[party] = team;
    }
    Some(chosen)
}

/// The first among equals.
fn emptiest(rooms: &[usize]) -> usize {
    (0..rooms.len()).max_by_key(|team| (rooms[*team], Reverse(*team))).unwrap_or(0)
}

/// The search, as far as it is.
struct Search<'a> {
    places: usize,
    /// Sizes of more than one that there are, the largest first,
    sizes: Vec<usize>,
    /// how many of each are in no team,
    left: Vec<usize>,
    /// and in each team.
    teams: Vec<Vec<usize>>,
    /// Teams to fill, and parties left, for which there is no way.
    failed: BTreeSet<(usize, Vec<usize>)>,
    steps: &'a mut Steps,
}

impl Search<'_> {
    /// The team of each party; single players get none.
    fn run(
        parties: &[usize],
        teams: usize,
        places: usize,
        steps: &mut Steps,
    ) -> Option<Vec<usize>> {
        let mut sizes: Vec<usize> = parties.iter().copied().filter(|size| *size > 1).collect();
        let spare = (teams * places).checked_sub(sizes.iter().sum())?;
        sizes.sort_by_key(|size| Reverse(*size));
        let left = sizes.chunk_by(|a, b| a == b).map(<[usize]>::len).collect();
        sizes.dedup();
        let (filled, failed) = (Vec::new(), BTreeSet::new());
        let mut search = Search { places, sizes, left, teams: filled, failed, steps };
        search.next_team(teams, spare).then(|| search.chosen(parties))
    }

    /// Fills so many teams, in which so many places may be left to players who come alone.
    fn next_team(&mut self, teams: usize, spare: usize) -> bool {
        let Some(largest) = self.left.iter().position(|left| *left > 0) else { return true };
        let may_go_on = self.steps.search(self.sizes.len());
        if !may_go_on || teams == 0 || self.failed.contains(&(teams, self.left.clone())) {
            return false;
        }
        let Some(room) = self.places.checked_sub(self.sizes[largest]) else { return false };
        // What parties of each size and smaller ones make up.
        let mut sums = vec![Sums::default()];
        for (size, left) in self.sizes.iter().zip(&self.left).rev() {
            sums.push(sums[sums.len() - 1].with_many(*size, *left));
        }
        sums.reverse();
        let before = self.left.clone();
        // Some team has the largest: as well this one.
        let mut own = vec![0; self.sizes.len()];
        own[largest] = 1;
        self.left[largest] -= 1;
        let team = Team { teams, spare, sums };
        if self.complete(&team, largest, room, &mut own) {
            return true;
        }
        self.left = before;
        self.failed.insert((teams, self.left.clone()));
        false
    }

    /// Decides how many of the sizes from the `nth` on come into the room that a team has left; then the teams
    /// after it.
    fn complete(&mut self, team: &Team, nth: usize, room: usize, own: &mut Vec<usize>) -> bool {
        let most = team.sums[nth].most_within(room);
        if !self.steps.search(1) || room - most > team.spare {
            return false;
        }
        let Some(&size) = self.sizes.get(nth) else {
            // Where another could come in, it is no worse in there.
            let mut others = self.sizes.iter().zip(&self.left);
            if others.any(|(size, left)| *left > 0 && *size <= room) {
                return false;
            }
            self.teams.push(own.clone());
            return self.next_team(team.teams - 1, team.spare - room) || {
                self.teams.pop();
                false
            };
        };
        for count in (0..=self.left[nth].min(room / size)).rev() {
            self.left[nth] -= count;
            own[nth] += count;
            if self.complete(team, nth + 1, room - count * size, own) {
                return true;
            }
            self.left[nth] += count;
            own[nth] -= count;
        }
        false
    }

    fn chosen(&self, parties: &[usize]) -> Vec<usize> {
        let mut teams = self.teams.clone();
        let mut team_of = |party: &usize| {
            let nth = self.sizes.iter().position(|size| size == party)?;
            let team = teams.iter().position(|team| team[nth] > 0)?;
            teams[team][nth] -= 1;
            Some(team)
        };
        parties.iter().map(|party| team_of(party).unwrap_or(0)).collect()
    }
}

/// A team that is being filled.
struct Team {
    /// How many are to be filled, this one among them.
    teams: usize,
    /// Places that may stay empty in them.
    spare: usize,
    /// What the parties that were left before it make up, without those larger than each size.
    sums: Vec<Sums>,
}

#[cfg(test)]
mod tests;
