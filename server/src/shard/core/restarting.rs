//! Matches that come back: after the process ended, and after their game panicked.
//!
//! A match is replayed from its newest checkpoint and the frames since, a few ticks in each pass, so that the
//! other matches of the shard miss none of theirs.

use std::cmp::Reverse;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{Epoch, MatchId, Slot};
use matchkeep_shared::limits::SERVER_MESSAGE_BYTES_MAX;
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::frame::write_frame;
use matchkeep_shared::wire::message::ServerMessage;

use super::{Core, Host, Session, Stage};
use crate::matches::recorder::Base;
use crate::matches::replay::{Replay, ReplayError};
use crate::matches::{Match, said};
use crate::shard::message::{MatchPolicy, NewHost, Resumption, ShardEvent};

/// A pass of a shard replays no more once it did so for this long: players, and an order to stop, do not wait for it.
const REPLAY_PASS_MAX: Duration = Duration::from_millis(10);
/// Ticks replayed in one pass of a shard at the most.
const REPLAY_TICKS_PER_PASS: usize = 32;

/// A match on its way back.
pub(super) struct Returning<G: Game> {
    match_id: MatchId,
    epoch: Epoch,
    policy: MatchPolicy,
    base: Base,
    replay: Replay<G>,
    /// When it was ordered back.
    since: Instant,
    /// How much of the base's frames was played.
    played_bytes: usize,
}

impl<G: Game> Returning<G> {
    /// Plays the next tick; says whether there was one.
    fn play(&mut self) -> Result<bool, ReplayError> {
        let mut frames = &self.base.frames[self.played_bytes..];
        let played = self.replay.play_next(&mut frames)?;
        self.played_bytes = self.base.frames.len() - frames.len();
        Ok(played)
    }

    /// The tick that it would reach next.
    fn next_tick(&self) -> Tick {
        self.replay.state().tick() + 1
    }
}

impl<G: Game> Core<G> {
    /// A match of an earlier process goes on here.
    pub(super) fn resume(&mut self, now: Instant, resumption: Resumption<G>) {
        let Resumption { host: NewHost { spec, policy }, epoch, base } = resumption;
        self.bring_back(now, spec, policy, epoch, base);
    }

    /// A match that died goes on from the tick before.
    pub(super) fn restart(&mut self, now: Instant, match_id: MatchId, epoch: Epoch) {
        let Some(index) = self.by_match.get(&match_id).copied() else { return };
        let Some(host) = &mut self.hosts[index] else { return };
        let Some(base) = host.game.take_base() else { return };
        let (spec, policy) = (host.game.spec().clone(), host.policy);
        self.bring_back(now, spec, policy, epoch, base);
    }

    fn bring_back(
        &mut self,
        since: Instant,
        spec: crate::matches::MatchSpec<G::Config>,
        policy: MatchPolicy,
        epoch: Epoch,
        base: Base,
    ) {
        let match_id = spec.id;
        let tick = base.checkpoint.unwrap_or(Tick(0));
        let made = self.options.heartbeat.during(match_id, tick, || {
            catch_unwind(AssertUnwindSafe(|| Replay::from_base(spec, &base)))
        });
        match made {
            Ok(Ok(replay)) => {
                let played_bytes = 0;
                let returning =
                    Returning { match_id, epoch, policy, base, replay, since, played_bytes };
                self.returning.push_back(returning);
            }
            Ok(Err(error)) => self.return_failed(match_id, error.to_string()),
            Err(panic) => {
                let cause = said(&*panic);
                let cause =
                    format!("the game panicked when it was to begin at tick {tick}: {cause}");
                self.return_failed(match_id, cause);
            }
        }
    }

    /// Whether a match is on its way back.
    pub fn is_replaying(&self) -> bool {
        !self.returning.is_empty()
    }

    /// Replays ticks of the matches on their way back, each in turn, until the tick of another match is due by `clock`,
    /// or for long enough.
    pub fn replay_some(&mut self, clock: &dyn Fn() -> Instant) {
        if self.returning.is_empty() {
            return;
        }
        let begun = clock();
        let mut now = begun;
        for _ in 0..REPLAY_TICKS_PER_PASS {
            let Some(returning) = self.returning.pop_front() else { return };
            self.replay_next(now, returning);
            now = clock();
            let is_enough = now.saturating_duration_since(begun) >= REPLAY_PASS_MAX;
            if is_enough || self.tick_is_due(now) {
                return;
            }
        }
    }

    fn replay_next(&mut self, now: Instant, mut returning: Returning<G>) {
        let (match_id, tick) = (returning.match_id, returning.next_tick());
        // A game that panics in a replay is as broken as one that goes another way.
        let played = self
            .options
            .heartbeat
            .during(match_id, tick, || catch_unwind(AssertUnwindSafe(|| returning.play())));
        match played {
            Ok(Ok(true)) => self.returning.push_back(returning),
            Ok(Ok(false)) => self.go_on(now, returning),
            Ok(Err(error)) => self.return_failed(match_id, error.to_string()),
            Err(panic) => {
                let cause = said(&*panic);
                let cause = format!("the game panicked in the replay of tick {tick}: {cause}");
                self.return_failed(match_id, cause);
            }
        }
    }

    fn return_failed(&mut self, match_id: MatchId, cause: String) {
        self.reports.push_back(ShardEvent::Unplayable { match_id, cause });
    }

    /// The replay is done: the match ticks again.
    fn go_on(&mut self, now: Instant, returning: Returning<G>) {
        let Returning { match_id, epoch, policy, base, replay, since, .. } = returning;
        let (spec, state) = replay.finish();
        for ticket in state.used_tickets() {
            let (id, expires) = (ticket.id, ticket.expires_unix_ms);
            // That it is over by now, or known already, is as good.
            let _ = self.used_tickets.insert(id, expires, self.wall_unix_ms);
        }
        let game = Match::resume(spec, epoch, state, base, self.options.clone());
        let tick = game.tick();
        let players = game.state().seated().collect();
        match self.by_match.get(&match_id).copied() {
            Some(index) => self.replace_game(now, index, game),
            None => self.seat_host(now, game, policy),
        }
        self.stats.matches_resumed += 1;
        self.stats.match_recovery.record(now.saturating_duration_since(since));
        self.reports.push_back(ShardEvent::Resumed { match_id, epoch, tick, players });
    }

    /// The match is rebuilt under the connections of its players.
    fn replace_game(&mut self, now: Instant, index: usize, game: Match<G>) {
        let Some(host) = &mut self.hosts[index] else { return };
        // What the players' inputs amounted to outlives the game that died.
        self.stats.inputs += host.game.input_totals();
        host.game = game;
        host.stage = Stage::Running;
        host.schedule.go_on(host.game.tick() + 1, now);
        let (epoch, tick) = (host.game.epoch(), host.game.resumed());
        let mut frame = Vec::new();
        let message = ServerMessage::Resumed { epoch, tick };
        let written = write_frame(&message, SERVER_MESSAGE_BYTES_MAX, &mut frame);
        debug_assert!(written.is_ok(), "two numbers fit a message");
        for slot in 0..host.sessions.len() {
            let Some(host) = &mut self.hosts[index] else { return };
            let Some(handle) = host.sessions[slot] else { continue };
            let slot = Slot(slot as u8);
            let Some(Some(connection)) = self.connections.get_mut(handle.0) else { continue };
            let Session::Playing(playing) = &mut connection.session else { continue };
            // Whoever took the place in what did not happen is no player of this match.
            let told = if host.game.state().player(slot) == Some(playing.player) {
                host.game.rejoin(slot, None);
                playing.allowance.count_anew(&host.game.input_counts(slot).unwrap_or_default());
                playing.outbox.push(&frame)
            } else {
                host.sessions[slot.index()] = None;
                Err(DisconnectReason::JoinUndone)
            };
            playing.outbox.flush(&mut connection.quic, playing.stream);
            match told {
                Ok(()) => self.mark_dirty(handle),
                Err(reason) => self.dismiss(now, handle, reason),
            }
        }
    }

    /// The match goes on nowhere; what is stored of it stays.
    pub(super) fn drop_match(&mut self, now: Instant, match_id: MatchId, reason: DisconnectReason) {
        self.returning.retain(|returning| returning.match_id != match_id);
        let Some(index) = self.by_match.get(&match_id).copied() else { return };
        let Some(host) = &mut self.hosts[index] else { return };
        host.stage = Stage::Over { until: now, why: reason };
        for handle in host.sessions.clone().into_iter().flatten() {
            self.dismiss(now, handle, reason);
        }
    }

    /// A match whose game died: what is recorded goes to the journal, then control is told.
    pub(super) fn bury(&mut self, now: Instant, index: usize) {
        let Some(host) = &mut self.hosts[index] else { return };
        let match_id = host.game.spec().id;
        self.due.push(Reverse((now + host.game.spec().rate.period(), index, match_id)));
        match host.stage {
            Stage::Running => {
                host.game.hand_over(&mut self.outgoing);
                if !host.game.is_handed_over() {
                    return;
                }
                host.stage = Stage::Fallen;
                // Its players wait for what control does about it.
                self.outgoing.hurry();
            }
            Stage::Fallen | Stage::Finishing { .. } | Stage::Over { .. } => return,
        }
        let Some(death) = host.game.death().cloned() else { return };
        let epoch = host.game.epoch();
        self.stats.matches_died += 1;
        let is_journaled = host.game.is_journaled();
        self.reports.push_back(ShardEvent::Died { match_id, epoch, death });
        if !is_journaled {
            // There is nothing to rebuild it from.
            self.drop_match(now, match_id, DisconnectReason::Internal);
        }
    }
}

impl<G: Game> Host<G> {
    /// Whether the match ticks.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Running) && self.game.death().is_none()
    }
}

#[cfg(test)]
mod tests;
