//! Who plays with whom: the parties of a new match.
//!
//! Owns: gathering a group around the party that waited longest. Must not know: running matches, wishes.
//!
//! Parties are taken from the nearest rating outwards, up to the window of the one that waited longest; one
//! that does not fit beside those taken is passed over. Large parties can stand in each other's way (two of
//! three leave no place for a third one of two in teams of four), so without success it is tried again
//! without the largest, down to single players. What cannot be found so is found when somebody else comes.
//!
//! Nobody is gathered where the sizes of all who wait say that it leads nowhere: however many trios wait, they
//! don't fill teams of four.

use super::packing::Packing;
use super::pool::{Pool, Waiting};
use super::rules::ModeRules;
use super::steps::Steps;
use super::sums::Sums;
use super::teams::{Split, split};

/// What is charged for finding where a party stands in the order of one size's ratings, in steps.
const STEPS_PER_CLASS: usize = 8;
/// And for all else about a match that is tried.
const STEPS_PER_TRY: usize = 32;

/// Parties for one match, the oldest first, each with its team.
#[derive(Debug, PartialEq)]
pub(super) struct Group {
    pub(super) tickets: Vec<(Waiting, usize)>,
    pub(super) players: usize,
}

/// Looks for matches in one pool. The pool may lose parties meanwhile, but gets none.
#[derive(Debug)]
pub(super) struct Forming<'a> {
    rules: ModeRules,
    steps: &'a mut Steps,
    /// For each size of a party, how many players a match with it can have; `None` is not known yet.
    ceilings: Vec<Option<usize>>,
}

impl<'a> Forming<'a> {
    /// Matches by these rules.
    pub(super) fn new(rules: ModeRules, steps: &'a mut Steps) -> Self {
        Self { rules, steps, ceilings: vec![None; rules.party_max()] }
    }

    /// What it has cost.
    pub(super) fn steps(&self) -> &Steps {
        self.steps
    }

    /// The match that the party `anchor`, which is free, can have now; `None` where it waits on.
    ///
    /// `may_be_partial`: whether one that is not full may be formed.
    pub(super) fn form(
        &mut self,
        pool: &Pool,
        anchor: &Waiting,
        now_unix_ms: u64,
        may_be_partial: bool,
    ) -> Option<Group> {
        self.steps.begin();
        self.steps.take(STEPS_PER_TRY);
        let rules = self.rules;
        let waited_ms = anchor.waited_ms(now_unix_ms);
        let may_be_partial = may_be_partial && rules.is_filled_up(waited_ms);
        let least = if may_be_partial { rules.form_min } else { rules.places };
        if self.ceiling(pool, anchor.size) < least {
            return None;
        }
        let window = rules.window(waited_ms);
        let mut size_max = rules.party_max();
        let mut best: Option<Gathered> = None;
        loop {
            let gathered = self.gather(pool, anchor, window, size_max);
            let (left, largest, refused) =
                (gathered.packing.left(), gathered.largest(), gathered.refused);
            if best.as_ref().is_none_or(|best| left < best.packing.left()) {
                best = Some(gathered);
            }
            // Only who was passed over can come in for somebody larger.
            match (largest, refused) {
                (Some(largest), Some(refused)) if left > 0 && refused < largest => {
                    size_max = largest - 1;
                }
                _ => break,
            }
        }
        let best = best.filter(|best| rules.places - best.packing.left() >= least)?;
        let group = self.group(best);
        // Some are gone: more may be known not to be possible.
        self.ceilings.fill(None);
        group
    }

    /// The most players that a match with a party of this size can have, with any of those who wait: what its
    /// team can be filled up to, and each other one; and no more than all of them make up.
    fn ceiling(&mut self, pool: &Pool, size: usize) -> usize {
        if let Some(known) = self.ceilings[size - 1] {
            return known;
        }
        let (sides, side_places) = self.rules.sides();
        let mut sums = Sums::default();
        for other in 1..=self.rules.party_max() {
            let count = pool.free_of(other).saturating_sub(usize::from(other == size));
            sums = sums.with_many(other, count);
        }
        self.steps.take(self.rules.party_max());
        let own = size + sums.most_within(side_places - size);
        let others = sums.with(size).most_within(side_places);
        let all = size + sums.most_within(self.rules.places - size);
        let ceiling = all.min(own + (sides - 1) * others);
        self.ceilings[size - 1] = Some(ceiling);
        ceiling
    }

    /// The nearest that fit, the anchor first. Each step takes a party or some sizes out of the search, so it is
    /// short however many wait.
    fn gather(&mut self, pool: &Pool, anchor: &Waiting, window: f64, size_max: usize) -> Gathered {
        let (sides, side_places) = self.rules.sides();
        let mut nearest = pool.nearest_to(anchor);
        nearest.close_from(size_max + 1);
        self.steps.take(STEPS_PER_CLASS * nearest.classes());
        let mut packing = Packing::new(sides, side_places);
        let fits = packing.add(anchor.size, self.steps);
        debug_assert!(fits, "a party that no team has room for is refused at the door");
        let mut gathered = Gathered { tickets: vec![*anchor], packing, refused: None };
        while gathered.packing.left() > 0 {
            self.steps.take(1 + nearest.classes());
            let Some(next) = nearest.next_within(window) else { break };
            if gathered.packing.add(next.size, self.steps) {
                gathered.tickets.push(next);
            } else {
                // Where it has no room a larger one has none, nor later, beside more.
                nearest.close_from(next.size);
                gathered.refused = Some(next.size);
            }
        }
        gathered
    }

    /// Splits them into teams; `None` where a team would be too small to begin with.
    fn group(&mut self, gathered: Gathered) -> Option<Group> {
        let Gathered { tickets, packing, .. } = gathered;
        let (teams, places) = self.rules.sides();
        let parties: Vec<(usize, f64)> = tickets.iter().map(|t| (t.size, t.strength)).collect();
        let wanted = Split { teams, places, least: self.rules.side_min() };
        let chosen = split(&parties, &wanted, &packing, self.steps)?;
        let players = tickets.iter().map(|ticket| ticket.size).sum();
        let mut tickets: Vec<_> = tickets.into_iter().zip(chosen).collect();
        tickets[1..].sort_by_key(|(ticket, _)| (ticket.queued_unix_ms, ticket.id));
        Some(Group { tickets, players })
    }
}

struct Gathered {
    /// The anchor first.
    tickets: Vec<Waiting>,
    packing: Packing,
    /// The smallest party that was passed over.
    refused: Option<usize>,
}

impl Gathered {
    /// The largest that was taken, but for the anchor.
    fn largest(&self) -> Option<usize> {
        self.tickets[1..].iter().map(|ticket| ticket.size).max()
    }
}

#[cfg(test)]
mod tests;
