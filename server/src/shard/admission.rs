//! First packets waiting for their handshake.
//!
//! A handshake costs a shard a fraction of a millisecond of cryptography; a thousand at once would stall
//! every match on it. So they wait here and are begun one at a time, when there is time before the next
//! deadline.
//!
//! When more come than there is time for, as after a restart, the oldest are of clients that have given up on
//! them: time for those would be taken from the ones who still wait, until they give up too. So the oldest
//! are forgotten; who is still there sends another first packet.

use std::collections::VecDeque;
use std::time::Instant;

use matchkeep_shared::limits::{
    HANDSHAKE_COST, HANDSHAKE_FORGOTTEN, HANDSHAKE_WAIT_MAX, HANDSHAKES_WAITING_MAX,
    HANDSHAKES_WAITING_RETRY,
};
use quinn_proto::Incoming;

/// The queue of one shard.
#[derive(Default)]
pub(super) struct Admission {
    waiting: VecDeque<(Instant, Incoming)>,
}

/// What to do with a first packet.
pub(super) enum Verdict {
    /// It waits.
    Queued,
    /// Its address must prove itself first.
    Retry(Incoming),
    /// There is no room.
    Refuse(Incoming),
}

impl Admission {
    /// Takes a first packet in; `room` says whether the shard has room for one connection more.
    pub(super) fn enter(&mut self, now: Instant, incoming: Incoming, room: bool) -> Verdict {
        if !room || self.waiting.len() >= HANDSHAKES_WAITING_MAX {
            Verdict::Refuse(incoming)
        } else if self.waiting.len() >= HANDSHAKES_WAITING_RETRY && incoming.may_retry() {
            Verdict::Retry(incoming)
        } else {
            self.waiting.push_back((now, incoming));
            Verdict::Queued
        }
    }

    /// The next handshake to begin, if there is time for it before `deadline` or it waited too long.
    pub(super) fn next(&mut self, now: Instant, deadline: Option<Instant>) -> Option<Incoming> {
        let (since, _) = self.waiting.front()?;
        let time_left = deadline.is_none_or(|deadline| deadline >= now + HANDSHAKE_COST);
        let overdue = now.saturating_duration_since(*since) >= HANDSHAKE_WAIT_MAX;
        if time_left || overdue {
            self.waiting.pop_front().map(|(_, incoming)| incoming)
        } else {
            None
        }
    }

    /// One that has waited so long that its client will have tried again, or will.
    pub(super) fn forgotten(&mut self, now: Instant) -> Option<Incoming> {
        let (since, _) = self.waiting.front()?;
        let waited = now.saturating_duration_since(*since);
        (waited >= HANDSHAKE_FORGOTTEN).then(|| self.waiting.pop_front())?.map(|(_, it)| it)
    }

    /// When the next handshake can be begun: now where there is time before `deadline`, else when it
    /// has waited long enough to be begun regardless.
    pub(super) fn ready_at(&self, now: Instant, deadline: Option<Instant>) -> Option<Instant> {
        let (since, _) = self.waiting.front()?;
        let time_left = deadline.is_none_or(|deadline| deadline >= now + HANDSHAKE_COST);
        Some(if time_left { now } else { *since + HANDSHAKE_WAIT_MAX })
    }

    /// The number of handshakes waiting.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Empties the queue, for shutdown.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Incoming> {
        self.waiting.drain(..).map(|(_, incoming)| incoming)
    }
}
