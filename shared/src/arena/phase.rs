//! The phases of a match and why it ends. Knows the clock, not the play.

use serde::{Deserialize, Serialize};

use crate::arena::Arena;
use crate::arena::entity::ClockView;
use crate::arena::event::ArenaEvent;
use crate::game::Events;
use crate::ids::Slot;
use crate::time::Tick;

/// What a match is doing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub enum Phase {
    /// Waiting for enough players; they play, nothing counts.
    #[default]
    Warmup,
    /// Everyone is in place; nobody fires or picks up.
    Countdown,
    /// It counts.
    Playing,
    /// Over.
    Ended,
}

impl Phase {
    /// All of them, in the order of their number on the wire.
    pub const ALL: [Self; 4] = [Self::Warmup, Self::Countdown, Self::Playing, Self::Ended];
}

/// Why a match ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum EndReason {
    FragLimit,
    TimeLimit,
    Abandoned,
}

impl EndReason {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::FragLimit => "frag limit",
            Self::TimeLimit => "time limit",
            Self::Abandoned => "abandoned",
        }
    }
}

/// How far a match has come.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) phase: Phase,
    /// When the phase ends by itself, if it does.
    pub(crate) ends: Option<Tick>,
    pub(crate) reason: Option<EndReason>,
    /// Since when nobody has a place; the first tick of a match at the latest.
    pub(crate) empty_since: Option<Tick>,
    /// Whether anybody ever had a place.
    pub(crate) joined: bool,
}

/// A match that everyone left ends after so many seconds;
const ABANDONED_SECONDS: u64 = 60;
/// one to which nobody ever came, after so many.
const NEVER_JOINED_SECONDS: u64 = 120;

impl Arena {
    /// Whether what happens now goes into the score.
    pub(super) fn counts(&self) -> bool {
        self.progress.phase == Phase::Playing
    }

    /// Begins the next phase where it is due.
    pub(super) fn advance_phase(&mut self, events: &mut Events<ArenaEvent>) {
        let tick = self.tick;
        let players = self.players.iter().flatten().count();
        if self.is_abandoned(players) {
            return self.end(EndReason::Abandoned, events);
        }
        let due = self.progress.ends.is_some_and(|ends| tick >= ends);
        match self.progress.phase {
            Phase::Warmup if players == 0 => self.progress.ends = None,
            Phase::Warmup => {
                let warmup = self.ticks(self.config.warmup_seconds_max);
                let ends = *self.progress.ends.get_or_insert(tick + warmup);
                if tick >= ends || players >= usize::from(self.config.players_min) {
                    self.begin_countdown(events);
                }
            }
            Phase::Countdown if due => {
                let limit = self.config.time_limit_seconds;
                self.progress.ends = (limit > 0).then(|| tick + self.ticks(limit));
                self.enter(Phase::Playing, events);
            }
            Phase::Playing if due => self.end(EndReason::TimeLimit, events),
            Phase::Countdown | Phase::Playing | Phase::Ended => {}
        }
    }

    /// Ends the match where somebody has won.
    pub(super) fn check_frag_limit(&mut self, events: &mut Events<ArenaEvent>) {
        let limit = i32::from(self.config.frag_limit);
        if limit == 0 || !self.counts() {
            return;
        }
        let best_player = self.players.iter().flatten().map(|player| player.stats.frags).max();
        let best_team = self.team_frags.into_iter().max();
        let best = if self.config.teams == 0 { best_player } else { best_team };
        if best.is_some_and(|best| best >= limit) {
            self.end(EndReason::FragLimit, events);
        }
    }

    fn is_abandoned(&mut self, players: usize) -> bool {
        if players > 0 {
            self.progress.joined = true;
            self.progress.empty_since = None;
            return false;
        }
        let since = *self.progress.empty_since.get_or_insert(self.tick);
        let seconds = if self.progress.joined { ABANDONED_SECONDS } else { NEVER_JOINED_SECONDS };
        self.tick >= since + seconds * self.rate.hz()
    }

    /// Puts everyone and everything in place.
    fn begin_countdown(&mut self, events: &mut Events<ArenaEvent>) {
        self.progress.ends = Some(self.tick + self.ticks(self.config.countdown_seconds));
        self.rockets.retain(|_| false);
        for pickup in &mut self.pickups {
            pickup.back_at = None;
        }
        for index in 0..self.players.len() {
            self.spawn(Slot(index as u8));
        }
        self.enter(Phase::Countdown, events);
    }

    fn end(&mut self, reason: EndReason, events: &mut Events<ArenaEvent>) {
        self.progress.reason = Some(reason);
        self.progress.ends = None;
        self.enter(Phase::Ended, events);
    }

    fn enter(&mut self, phase: Phase, events: &mut Events<ArenaEvent>) {
        self.progress.phase = phase;
        events.tell_all(ArenaEvent::Phase(phase));
    }

    fn ticks(&self, seconds: u16) -> u64 {
        u64::from(seconds) * self.rate.hz()
    }

    /// The clock as players see it.
    pub(super) fn clock(&self) -> ClockView {
        let seconds_left = self.progress.ends.map(|ends| {
            let ticks = ends.since(self.tick).max(0) as u64;
            ticks.div_ceil(self.rate.hz()).min(u64::from(u16::MAX)) as u16
        });
        ClockView { phase: self.progress.phase, seconds_left, frag_limit: self.config.frag_limit }
    }
}
