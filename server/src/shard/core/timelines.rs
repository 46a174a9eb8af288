//! Timelines under way: ticks of a match that somebody wants to see one by one.
//!
//! Owns: which there are, their memory and their end. Must not know: what a phase is. While there is none a
//! tick pays for a look at an empty list.

use std::time::{Duration, Instant};

use matchkeep_shared::Game;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::TIMELINES_PER_SHARD_MAX;
use matchkeep_shared::time::Tick;

use super::Core;
use super::phases::Laps;
use crate::shard::message::TimelineReply;
use crate::shard::timeline::{NoTimeline, Span, TickSpans, Timeline};

/// A timeline under way.
#[derive(Debug)]
pub(super) struct Recording {
    match_id: MatchId,
    tick_rate_hz: u16,
    begun: Instant,
    until: Instant,
    /// Room for all of them is set aside at the beginning.
    ticks: Vec<Kept>,
    reply: TimelineReply,
}

/// A tick as it was.
#[derive(Debug)]
struct Kept {
    tick: Tick,
    deadline: Instant,
    catches_up: bool,
    laps: Laps,
}

impl<G: Game> Core<G> {
    /// Somebody wants to see the ticks of a match, from now on.
    pub(super) fn record(
        &mut self,
        now: Instant,
        match_id: MatchId,
        lasts: Duration,
        reply: TimelineReply,
    ) {
        let host = self.by_match.get(&match_id).and_then(|index| self.hosts[*index].as_ref());
        let refused = match host {
            None => Some(NoTimeline::UnknownMatch),
            Some(_) if self.timelines.len() == TIMELINES_PER_SHARD_MAX => Some(NoTimeline::TooMany),
            Some(_) => None,
        };
        let Some(host) = host.filter(|_| refused.is_none()) else {
            // Whoever asked may have gone.
            let _ = reply.send(Err(refused.unwrap_or(NoTimeline::UnknownMatch)));
            return;
        };
        let rate = host.game.spec().rate;
        // A match that catches up makes some more ticks than there are periods.
        let ticks_max = lasts.as_secs_f64() / rate.period().as_secs_f64() * 1.5 + 16.0;
        self.timelines.push(Recording {
            match_id,
            tick_rate_hz: rate.into(),
            begun: now,
            until: now + lasts,
            ticks: Vec::with_capacity(ticks_max as usize),
            reply,
        });
    }

    /// When the first timeline is over.
    pub(super) fn timeline_due(&self) -> Option<Instant> {
        self.timelines.iter().map(|timeline| timeline.until).min()
    }

    /// Hands over the timelines that are over.
    pub(super) fn finish_timelines(&mut self, now: Instant) {
        let shard = self.shard;
        for timeline in self.timelines.extract_if(.., |timeline| timeline.until <= now) {
            let us = |at: Instant| match at.checked_duration_since(timeline.begun) {
                Some(after) => after.as_secs_f64() * 1e6,
                None => (timeline.begun - at).as_secs_f64() * -1e6,
            };
            let ticks = timeline.ticks.iter().map(|kept| TickSpans {
                tick: kept.tick,
                deadline_us: us(kept.deadline),
                catches_up: kept.catches_up,
                spans: kept
                    .laps
                    .pieces()
                    .map(|(phase, from, to)| Span {
                        phase: phase.label().to_owned(),
                        from_us: us(from),
                        to_us: us(to),
                    })
                    .collect(),
            });
            // Whoever asked may have gone.
            let _ = timeline.reply.send(Ok(Timeline {
                id: timeline.match_id,
                shard,
                tick_rate_hz: timeline.tick_rate_hz,
                lasts_us: us(timeline.until),
                ticks: ticks.collect(),
            }));
        }
    }
}

impl Recording {
    /// Whether it is of this match.
    pub(super) fn is_of(&self, match_id: MatchId) -> bool {
        self.match_id == match_id
    }

    /// A tick of this match is over.
    pub(super) fn note(
        &mut self,
        match_id: MatchId,
        tick: Tick,
        deadline: Instant,
        catches_up: bool,
        laps: Laps,
    ) {
        let is_within = laps.begun() < self.until && self.ticks.len() < self.ticks.capacity();
        if self.match_id == match_id && is_within {
            self.ticks.push(Kept { tick, deadline, catches_up, laps });
        }
    }
}
