//! Splitting a group into teams, parties whole.
//!
//! Owns: whether parties fit into teams at all, and the most even split. Must not know: who they are.
//!
//! First the numbers of players are made as even as parties allow, then the sums of the ratings, which is how
//! the rating system adds a team up. Small groups are searched through; large ones begin with a good split and
//! swap and move parties for as long as that makes it better.

use matchkeep_shared::limits::TEAM_SPLITS_MAX;

/// Whether parties of these sizes can be put into so many teams of so many places.
pub(super) fn fits(sizes: &[usize], teams: usize, places: usize) -> bool {
    pack(sizes, teams, places).is_some()
}

/// Some way to put them in: the team of each, parties into the emptiest that has room.
fn pack(sizes: &[usize], teams: usize, places: usize) -> Option<Vec<usize>> {
    if sizes.iter().sum::<usize>() > teams * places {
        return None;
    }
    // Single players go wherever there is room: only the others need a search, the largest first.
    let mut order: Vec<usize> = (0..sizes.len()).filter(|i| sizes[*i] > 1).collect();
    order.sort_by_key(|i| std::cmp::Reverse(sizes[*i]));
    let mut packing = Packing {
        sizes,
        order: &order,
        room: vec![places; teams],
        teams: vec![0; sizes.len()],
        steps: 0,
    };
    if !packing.place(0) {
        return None;
    }
    let Packing { mut room, teams: mut chosen, .. } = packing;
    for single in (0..sizes.len()).filter(|i| sizes[*i] == 1) {
        let team = emptiest(&room)?;
        room[team] -= 1;
        chosen[single] = team;
    }
    Some(chosen)
}

fn emptiest(room: &[usize]) -> Option<usize> {
    (0..room.len()).max_by_key(|team| (room[*team], std::cmp::Reverse(*team)))
}

struct Packing<'a> {
    sizes: &'a [usize],
    order: &'a [usize],
    room: Vec<usize>,
    teams: Vec<usize>,
    steps: usize,
}

impl Packing<'_> {
    /// Places the parties from the `nth` on. Out of steps is out of luck: they are taken not to fit.
    fn place(&mut self, nth: usize) -> bool {
        let Some(&party) = self.order.get(nth) else { return true };
        let size = self.sizes[party];
        let mut teams: Vec<usize> =
            (0..self.room.len()).filter(|t| self.room[*t] >= size).collect();
        teams.sort_by_key(|team| std::cmp::Reverse(self.room[*team]));
        // Teams with the same room are the same.
        teams.dedup_by_key(|team| self.room[*team]);
        for team in teams {
            self.steps += 1;
            if self.steps > TEAM_SPLITS_MAX {
                return false;
            }
            self.room[team] -= size;
            self.teams[party] = team;
            if self.place(nth + 1) {
                return true;
            }
            self.room[team] += size;
        }
        false
    }
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
pub(super) fn unevenness(parties: &[(usize, f64)], chosen: &[usize], teams: usize) -> Unevenness {
    let mut sums = vec![(0_usize, 0.0_f64); teams];
    for ((size, strength), team) in parties.iter().zip(chosen) {
        sums[*team].0 += size;
        sums[*team].1 += strength;
    }
    of_sums(&sums)
}

fn of_sums(sums: &[(usize, f64)]) -> Unevenness {
    let sizes = sums.iter().map(|sum| sum.0);
    let (largest, smallest) = (sizes.clone().max().unwrap_or(0), sizes.min().unwrap_or(0));
    let most = sums.iter().map(|sum| sum.1).fold(f64::NEG_INFINITY, f64::max);
    let least = sums.iter().map(|sum| sum.1).fold(f64::INFINITY, f64::min);
    Unevenness { players: largest - smallest, strength: most - least }
}

/// The team of each party, given as size and sum of ratings. `None` where they do not fit, or a team would
/// have fewer than `least` players.
pub(super) fn split(
    parties: &[(usize, f64)],
    teams: usize,
    places: usize,
    least: usize,
) -> Option<Vec<usize>> {
    if teams == 1 {
        let players: usize = parties.iter().map(|party| party.0).sum();
        return (least..=places).contains(&players).then(|| vec![0; parties.len()]);
    }
    let ways = (teams as f64).powi(parties.len() as i32 - 1);
    let chosen = if ways <= TEAM_SPLITS_MAX as f64 {
        search(parties, teams, places)?
    } else {
        let sizes: Vec<usize> = parties.iter().map(|party| party.0).collect();
        improve(parties, pack(&sizes, teams, places)?, teams, places)
    };
    let mut sizes = vec![0; teams];
    for ((size, _), team) in parties.iter().zip(&chosen) {
        sizes[*team] += size;
    }
    sizes.iter().all(|size| *size >= least).then_some(chosen)
}

/// The best of all splits; the first among equals.
fn search(parties: &[(usize, f64)], teams: usize, places: usize) -> Option<Vec<usize>> {
    let mut search = Search {
        parties,
        places,
        sums: vec![(0, 0.0); teams],
        chosen: vec![0; parties.len()],
        best: None,
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
}

impl Search<'_> {
    fn place(&mut self, nth: usize, used: usize) {
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
    mut chosen: Vec<usize>,
    teams: usize,
    places: usize,
) -> Vec<usize> {
    let mut best = unevenness(parties, &chosen, teams);
    let mut steps = 0;
    let mut since = 0;
    // Every step looks at one party; who is no better after a round of all is as good as this gets.
    while steps < TEAM_SPLITS_MAX && since < parties.len() {
        let party = steps % parties.len();
        steps += 1;
        since += 1;
        for change in changes(&chosen, party, teams) {
            let mut changed = chosen.clone();
            change.apply(&mut changed);
            let is_allowed = has_room(parties, &changed, teams, places);
            let now = unevenness(parties, &changed, teams);
            if is_allowed && now < best {
                (best, chosen, since) = (now, changed, 0);
            }
        }
    }
    chosen
}

/// What can be done about a party.
enum Change {
    Move { party: usize, to: usize },
    Swap { party: usize, with: usize },
}

impl Change {
    fn apply(&self, chosen: &mut [usize]) {
        match *self {
            Self::Move { party, to } => chosen[party] = to,
            Self::Swap { party, with } => chosen.swap(party, with),
        }
    }
}

fn changes(chosen: &[usize], party: usize, teams: usize) -> Vec<Change> {
    let own = chosen[party];
    let moves = (0..teams).filter(|to| *to != own).map(|to| Change::Move { party, to });
    let others = (0..chosen.len()).filter(|with| chosen[*with] != own);
    moves.chain(others.map(|with| Change::Swap { party, with })).collect()
}

fn has_room(parties: &[(usize, f64)], chosen: &[usize], teams: usize, places: usize) -> bool {
    let mut sizes = vec![0; teams];
    for ((size, _), team) in parties.iter().zip(chosen) {
        sizes[*team] += size;
    }
    sizes.iter().all(|size| *size <= places)
}

#[cfg(test)]
mod tests;
