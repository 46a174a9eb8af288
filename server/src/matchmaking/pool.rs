//! Those who wait for a match of one mode.
//!
//! Owns: finding them by how long they wait, by party and by rating. Must not know: rules, matches.

use std::cmp::Ordering;
use std::collections::btree_set::Range;
use std::collections::{BTreeMap, BTreeSet};
use std::iter::{Peekable, Rev};
use std::ops::Bound;

use super::ticket::{QueueTicket, QueueTicketId};

/// Parties, those that a wish is about among them.
#[derive(Debug, Default)]
pub(super) struct Pool {
    tickets: BTreeMap<QueueTicketId, Waiting>,
    /// Those no wish is about, oldest first.
    by_age: BTreeSet<Age>,
    /// The same for each size of a party, from 1 on, by rating.
    by_rating: Vec<BTreeSet<Key>>,
}

/// When a party began to wait, and which it is.
pub(super) type Age = (u64, QueueTicketId);

/// A party in the pool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Waiting {
    pub(super) id: QueueTicketId,
    pub(super) size: usize,
    /// The mean of its players' ratings.
    pub(super) mean: f64,
    /// Their sum.
    pub(super) strength: f64,
    pub(super) queued_unix_ms: u64,
    is_free: bool,
}

/// Sorts by rating, equals by age.
#[derive(Clone, Copy, Debug)]
struct Key(f64, QueueTicketId);

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0).then(self.1.cmp(&other.1))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Key {}

impl Waiting {
    /// What it is sorted by among all: when it began to wait.
    pub(super) fn age(&self) -> Age {
        (self.queued_unix_ms, self.id)
    }

    /// How long it waits.
    pub(super) fn waited_ms(&self, now_unix_ms: u64) -> u64 {
        now_unix_ms.saturating_sub(self.queued_unix_ms)
    }

    fn key(&self) -> Key {
        Key(self.mean, self.id)
    }
}

impl Pool {
    /// Takes a party in. Where ratings do not matter all count as equal, and the oldest is the nearest.
    pub(super) fn add(&mut self, ticket: &QueueTicket, is_rated: bool) {
        let mean = if is_rated { ticket.mean() } else { 0.0 };
        let waiting = Waiting {
            id: ticket.id,
            size: ticket.members.len(),
            mean,
            strength: ticket.strength(),
            queued_unix_ms: ticket.queued_unix_ms,
            is_free: false,
        };
        self.tickets.insert(ticket.id, waiting);
        self.release(ticket.id);
    }

    /// A party that is there.
    pub(super) fn find(&self, id: QueueTicketId) -> Option<&Waiting> {
        self.tickets.get(&id)
    }

    /// A wish is about it now.
    pub(super) fn hold(&mut self, id: QueueTicketId) {
        if let Some(waiting) = self.tickets.get_mut(&id)
            && waiting.is_free
        {
            waiting.is_free = false;
            self.by_age.remove(&waiting.age());
            self.by_rating[waiting.size - 1].remove(&waiting.key());
        }
    }

    /// No wish is about it any more.
    pub(super) fn release(&mut self, id: QueueTicketId) {
        if let Some(waiting) = self.tickets.get_mut(&id)
            && !waiting.is_free
        {
            waiting.is_free = true;
            self.by_age.insert(waiting.age());
            if self.by_rating.len() < waiting.size {
                self.by_rating.resize_with(waiting.size, BTreeSet::new);
            }
            self.by_rating[waiting.size - 1].insert(waiting.key());
        }
    }

    /// It waits no longer.
    pub(super) fn remove(&mut self, id: QueueTicketId) {
        self.hold(id);
        self.tickets.remove(&id);
    }

    /// Whether there is anybody no wish is about.
    pub(super) fn has_free(&self) -> bool {
        !self.by_age.is_empty()
    }

    /// How many parties of this size no wish is about.
    pub(super) fn free_of(&self, size: usize) -> usize {
        self.by_rating.get(size - 1).map_or(0, BTreeSet::len)
    }

    /// The oldest that no wish is about; where `after` names one, the oldest after that.
    pub(super) fn oldest_after(&self, after: Option<Age>) -> Option<Waiting> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let (_, id) = self.by_age.range((from, Bound::Unbounded)).next()?;
        self.tickets.get(id).copied()
    }

    /// Those no wish is about, nearest to this one first, but for itself.
    pub(super) fn nearest_to(&self, anchor: &Waiting) -> Nearest<'_> {
        let (key, unbounded) = (Bound::Excluded(anchor.key()), Bound::Unbounded);
        let classes = self.by_rating.iter().map(|set| Class {
            below: set.range((unbounded, key)).rev().peekable(),
            above: set.range((key, unbounded)).peekable(),
        });
        Nearest { pool: self, mean: anchor.mean, classes: classes.collect() }
    }
}

/// Goes through a pool from one rating outwards, on both sides and through all sizes at once.
pub(super) struct Nearest<'a> {
    pool: &'a Pool,
    mean: f64,
    classes: Vec<Class<'a>>,
}

struct Class<'a> {
    below: Peekable<Rev<Range<'a, Key>>>,
    above: Peekable<Range<'a, Key>>,
}

impl Nearest<'_> {
    /// How many sizes are looked at.
    pub(super) fn classes(&self) -> usize {
        self.classes.len()
    }

    /// No party of this size or more any longer.
    pub(super) fn close_from(&mut self, size: usize) {
        self.classes.truncate(size - 1);
    }

    /// The next one that is no further away than this.
    pub(super) fn next_within(&mut self, window: f64) -> Option<Waiting> {
        let mut best: Option<(f64, Key, usize, bool)> = None;
        for (index, class) in self.classes.iter_mut().enumerate() {
            let heads = [(class.below.peek(), true), (class.above.peek(), false)];
            for (head, is_below) in heads {
                let Some(key) = head else { continue };
                let distance = (key.0 - self.mean).abs();
                let is_nearer = best.is_none_or(|(least, other, ..)| {
                    distance.total_cmp(&least).then(key.1.cmp(&other.1)) == Ordering::Less
                });
                if distance <= window && is_nearer {
                    best = Some((distance, **key, index, is_below));
                }
            }
        }
        let (_, key, index, is_below) = best?;
        let class = &mut self.classes[index];
        if is_below {
            class.below.next();
        } else {
            class.above.next();
        }
        self.pool.find(key.1).copied()
    }
}
