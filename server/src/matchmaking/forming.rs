//! Who plays with whom: the parties of a new match.
//!
//! Owns: gathering a group around the party that waited longest. Must not know: running matches, wishes.
//!
//! Parties are taken from the nearest rating outwards, up to the window of the one that waited longest; one
//! that does not fit beside those taken is passed over. Large parties can stand in each other's way (two of
//! three leave no place for a third one of two in teams of four), so without success it is tried again
//! without the largest, down to single players. What cannot be found so is found when somebody else comes.

use super::pool::{Pool, Waiting};
use super::rules::ModeRules;
use super::teams::{fits, split};

/// Parties for one match, the oldest first, each with its team.
#[derive(Debug, PartialEq)]
pub(super) struct Group {
    pub(super) tickets: Vec<(Waiting, usize)>,
    pub(super) players: usize,
}

/// The match that the party `anchor` can have now; `None` where it waits on.
///
/// `may_be_partial`: whether one that is not full may be formed.
pub(super) fn form(
    pool: &Pool,
    rules: &ModeRules,
    anchor: &Waiting,
    now_unix_ms: u64,
    may_be_partial: bool,
) -> Option<Group> {
    let waited_ms = anchor.waited_ms(now_unix_ms);
    let window = rules.window(waited_ms);
    let mut partial: Option<Vec<Waiting>> = None;
    for size_max in (1..=rules.party_max()).rev() {
        let gathered = gather(pool, rules, anchor, window, size_max);
        if players(&gathered.tickets) == rules.places {
            return group(rules, gathered.tickets);
        }
        let is_larger = partial.as_ref().is_none_or(|p| players(p) < players(&gathered.tickets));
        if is_larger {
            partial = Some(gathered.tickets);
        }
        if !gathered.was_in_the_way {
            break;
        }
    }
    let partial = partial?;
    let is_enough = players(&partial) >= rules.form_min;
    if may_be_partial && is_enough && rules.is_filled_up(waited_ms) {
        group(rules, partial)
    } else {
        None
    }
}

fn players(tickets: &[Waiting]) -> usize {
    tickets.iter().map(|ticket| ticket.size).sum()
}

struct Gathered {
    tickets: Vec<Waiting>,
    /// Whether somebody was passed over.
    was_in_the_way: bool,
}

/// The nearest that fit, the anchor first. Each step takes a party or a whole size out of the search, so it is
/// short however many wait.
fn gather(
    pool: &Pool,
    rules: &ModeRules,
    anchor: &Waiting,
    window: f64,
    size_max: usize,
) -> Gathered {
    let (sides, side_places) = rules.sides();
    let mut nearest = pool.nearest_to(anchor);
    for size in size_max + 1..=rules.party_max() {
        nearest.close(size);
    }
    let mut gathered = Gathered { tickets: vec![*anchor], was_in_the_way: false };
    let mut sizes = vec![anchor.size];
    while sizes.iter().sum::<usize>() < rules.places {
        let Some(next) = nearest.next_within(window) else { break };
        sizes.push(next.size);
        if fits(&sizes, sides, side_places) {
            gathered.tickets.push(next);
        } else {
            sizes.pop();
            gathered.was_in_the_way = true;
            // What does not fit now fits less when more are taken.
            nearest.close(next.size);
        }
    }
    gathered
}

/// Splits them into teams; `None` where a team would be too small to begin with.
fn group(rules: &ModeRules, tickets: Vec<Waiting>) -> Option<Group> {
    let (sides, side_places) = rules.sides();
    let parties: Vec<(usize, f64)> = tickets.iter().map(|t| (t.size, t.strength)).collect();
    let teams = split(&parties, sides, side_places, rules.side_min())?;
    let players = players(&tickets);
    let mut tickets: Vec<_> = tickets.into_iter().zip(teams).collect();
    tickets[1..].sort_by_key(|(ticket, _)| (ticket.queued_unix_ms, ticket.id));
    Some(Group { tickets, players })
}
