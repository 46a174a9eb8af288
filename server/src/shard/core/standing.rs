//! Matches that stand still: they make no steps and keep sending what is, so that nobody takes them for gone.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use matchkeep_shared::Game;
use matchkeep_shared::limits::{RUNAWAY_AFTER, TICK_BUDGET_SHARE};

use super::phases::{Laps, Phases};
use super::{Core, Host};
use crate::matches::Phase;
use crate::shard::message::{Runaway, ShardEvent};
use crate::shard::view::MatchStage;

/// How often a match sends at least, one that stands still or is always behind too: clients take a match that is silent
/// for longer than a few of these for lost.
const SENDS_AT_LEAST_EVERY: Duration = Duration::from_millis(100);
/// How much one tick weighs in the average of what ticks cost.
const COST_WEIGHT: f64 = 1.0 / 32.0;

/// What a host knows of its match's pace.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// It stands still because the journal is too far behind.
    waits_for_journal: bool,
    /// Who makes it stand still until an operator lets it go on.
    holder: Option<Holder>,
    /// It was seen to stand still, and has not gone on since.
    stood: bool,
    /// When it last sent; `None` where it is to send whatever else.
    sent: Option<Instant>,
    /// What a tick costs, on average, in seconds.
    cost: f64,
    /// Since when it costs too much.
    too_slow_since: Option<Instant>,
    is_flagged: bool,
    /// How late ticks start, on average, in seconds.
    lateness: f64,
    /// What the phases of its ticks cost.
    pub(super) phases: Phases,
    /// A tick that is looked at and has still to be sent.
    pub(super) laps: Option<Laps>,
}

/// Who makes a match stand still.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Holder {
    /// An operator.
    Operator,
    /// Its mode's policy: it was too slow for too long.
    Runaway,
}

impl Pace {
    /// Whether the match is known to be too slow.
    pub(super) fn is_flagged(&self) -> bool {
        self.is_flagged
    }

    /// Whether it stands still.
    pub(super) fn stands(&self) -> bool {
        self.waits_for_journal || self.holder.is_some()
    }

    /// Whether it stands still until an operator lets it go on.
    pub(super) fn is_held(&self) -> bool {
        self.holder.is_some()
    }

    /// An operator wants it to stand still.
    pub(super) fn hold(&mut self) {
        self.holder = Some(Holder::Operator);
    }

    /// It goes on, as far as it was held; that it was too slow is forgotten, and found again if it is.
    pub(super) fn let_go(&mut self) {
        self.holder = None;
        self.cost = 0.0;
        self.too_slow_since = None;
        self.is_flagged = false;
    }

    /// How a match with this pace is doing.
    pub(super) fn stage(&self) -> MatchStage {
        match self.holder {
            Some(Holder::Operator) => MatchStage::Paused,
            Some(Holder::Runaway) => MatchStage::Runaway,
            None if self.waits_for_journal => MatchStage::Waiting,
            None => MatchStage::Running,
        }
    }

    /// What a tick costs, on average.
    pub(super) fn cost(&self) -> Duration {
        Duration::from_secs_f64(self.cost)
    }

    /// How late ticks start, on average.
    pub(super) fn lateness(&self) -> Duration {
        Duration::from_secs_f64(self.lateness)
    }

    /// A tick starts so late.
    pub(super) fn note_lateness(&mut self, late: Duration) {
        self.lateness += (late.as_secs_f64() - self.lateness) * COST_WEIGHT;
    }

    /// Whether it must send now, also where newer snapshots are due already: players who hear nothing take it for lost.
    pub(super) fn must_send(&self, now: Instant) -> bool {
        self.sent.is_none_or(|sent| now.saturating_duration_since(sent) >= SENDS_AT_LEAST_EVERY)
    }

    /// It sends.
    pub(super) fn note_sent(&mut self, now: Instant) {
        self.sent = Some(now);
    }

    /// Whether it waits for the journal.
    pub(super) fn waits_for_journal(&self) -> bool {
        self.waits_for_journal
    }
}

impl<G: Game> Host<G> {
    /// Whether the journal is so far behind that the match must wait for it. Once it waits it does so until
    /// the journal is at most half as far behind.
    fn must_wait(&self) -> bool {
        if self.game.must_wait_for_journal() {
            return true;
        }
        let Some(limit) = self.policy.undurable_max else { return false };
        let Some(lag) = self.game.durable_lag() else { return false };
        let lag = self.game.spec().rate.elapsed(lag.into());
        lag > if self.pace.waits_for_journal { limit / 2 } else { limit }
    }
}

impl<G: Game> Core<G> {
    /// Whether a match stands still now; it has sent what is, if that was due.
    pub(super) fn stands_still(&mut self, now: Instant, index: usize) -> bool {
        let Some(host) = &mut self.hosts[index] else { return false };
        host.pace.waits_for_journal = host.must_wait();
        let stands = host.pace.stands();
        let stood = std::mem::replace(&mut host.pace.stood, stands);
        if !stands {
            if stood {
                host.pace.sent = None;
                host.schedule.go_on(host.game.tick() + 1, now);
            }
            return false;
        }
        let again = now + host.game.spec().rate.period();
        self.due.push(Reverse((again, index, host.game.spec().id)));
        if !stood {
            // At once, that it stands.
            host.pace.sent = None;
        }
        if host.pace.must_send(now) {
            host.pace.note_sent(now);
            self.send_snapshots(index, true);
        }
        true
    }

    /// What the tick that ran last took, from its step to its last datagram.
    pub fn note_cost(&mut self, now: Instant, index: usize, took: Duration) {
        let Some(host) = self.hosts.get_mut(index).and_then(Option::as_mut) else { return };
        let pace = &mut host.pace;
        if let Some(mut laps) = pace.laps.take() {
            laps.lap(Phase::Send, now);
            pace.phases.add(&laps);
            let (id, tick) = (host.game.spec().id, host.game.tick());
            let deadline = host.schedule.deadline(tick);
            for timeline in &mut self.timelines {
                timeline.note(id, tick, deadline, false, laps);
            }
        }
        pace.cost += (took.as_secs_f64() - pace.cost) * COST_WEIGHT;
        let budget = host.game.spec().rate.period().as_secs_f64() * TICK_BUDGET_SHARE;
        if pace.cost <= budget {
            pace.too_slow_since = None;
            pace.is_flagged = false;
            return;
        }
        let since = *pace.too_slow_since.get_or_insert(now);
        if pace.is_flagged || now - since < RUNAWAY_AFTER {
            return;
        }
        pace.is_flagged = true;
        let policy = host.policy.runaway;
        match policy {
            Runaway::Flag => {}
            Runaway::Pause => pace.holder = Some(Holder::Runaway),
            Runaway::End => host.game.end("too slow"),
        }
        let (match_id, cost) = (host.game.spec().id, host.pace.cost());
        self.reports.push_back(ShardEvent::RanAway { match_id, policy, cost });
    }
}
