//! Matches on the shard: from the command that makes one to the last player's leave, and the tick.

use std::cmp::Reverse;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::encoding::encode;
use matchkeep_shared::game::Outcome;
use matchkeep_shared::ids::{Epoch, MatchId, Slot, SlotSet};
use matchkeep_shared::limits::{
    ENDED_LINGER, MATCHES_PER_SHARD_MAX, PHASES_EVERY_TICKS, SERVER_MESSAGE_BYTES_MAX,
};
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::frame::write_frame;
use matchkeep_shared::wire::message::ServerMessage;

use super::phases::Laps;
use super::{
    ASK_AGAIN_TICKS, Core, Host, Pace, RENEW_TOKENS_TICKS, Schedule, Session, Stage, TickRun,
    Tokens,
};
use crate::matches::{Match, Phase, said};
use crate::shard::message::{MatchPolicy, NewHost, ShardEvent};

impl<G: Game> Core<G> {
    pub(super) fn create(&mut self, now: Instant, new: NewHost<G>) {
        let NewHost { spec, policy } = new;
        let match_id = spec.id;
        if self.by_match.contains_key(&match_id) {
            self.reports.push_back(ShardEvent::Created { match_id });
            return;
        }
        if self.stopping || self.by_match.len() == MATCHES_PER_SHARD_MAX {
            self.reports.push_back(ShardEvent::CreateRefused { match_id });
            return;
        }
        let options = self.options.clone();
        let made = self.options.heartbeat.during(match_id, Tick(0), || {
            catch_unwind(AssertUnwindSafe(|| Match::new(spec, options)))
        });
        match made {
            Ok(game) => {
                self.seat_host(now, game, policy);
                self.reports.push_back(ShardEvent::Created { match_id });
            }
            Err(panic) => {
                let cause = format!("the game panicked when it was to begin: {}", said(&*panic));
                self.reports.push_back(ShardEvent::Unplayable { match_id, cause });
            }
        }
    }

    /// A match begins to tick here.
    pub(super) fn seat_host(&mut self, now: Instant, game: Match<G>, policy: MatchPolicy) {
        let spec = game.spec();
        let match_id = spec.id;
        let (tick, nth) = (game.tick(), self.matches_made);
        let schedule = Schedule::new(spec.rate, tick, now, self.started, nth);
        self.matches_made += 1;
        let (sessions, last_disconnects) = (vec![None; spec.places], vec![None; spec.places]);
        let (pace, stage) = (Pace::default(), Stage::Running);
        let host = Host { game, policy, pace, schedule, sessions, last_disconnects, stage };
        let free = self.hosts.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            self.hosts.push(None);
            self.hosts.len() - 1
        });
        self.due.push(Reverse((host.schedule.deadline(host.game.tick() + 1), index, match_id)));
        self.hosts[index] = Some(host);
        self.by_match.insert(match_id, index);
    }

    /// Runs the tick that is due first.
    ///
    /// 1. what is overdue beyond catching up is given up, and counted
    /// 2. the match steps: time-outs, inputs, the game, the world quantised once
    /// 3. what entered it is kept for the journal; a state that is due goes there now
    /// 4. snapshots go to every client, unless the next tick is due already and will send newer ones; ten times a second they
    ///    go in any case, for where a shard has more to do than it can there is always a next tick
    /// 5. events go to their streams
    /// 6. a result goes to the journal; players hear of it when it is durable
    ///
    /// `clock` says the time meanwhile; only the few ticks that are looked at closely ask it.
    pub fn run_tick(&mut self, now: Instant, clock: &dyn Fn() -> Instant) -> Option<TickRun> {
        let (match_id, tick) = self.due_tick().unwrap_or((MatchId(0), Tick(0)));
        let heartbeat = Arc::clone(&self.options.heartbeat);
        heartbeat.during(match_id, tick, || self.run_due(now, clock))
    }

    fn run_due(&mut self, now: Instant, clock: &dyn Fn() -> Instant) -> Option<TickRun> {
        let Reverse((deadline, index, match_id)) = self.due.pop()?;
        let same = |host: &Host<G>| host.game.spec().id == match_id;
        let host = self.hosts[index].as_mut().filter(|host| same(host))?;
        if let Stage::Finishing { .. } | Stage::Over { .. } = host.stage {
            self.linger(now, index);
            return None;
        }
        if host.game.death().is_some() {
            self.bury(now, index);
            return None;
        }
        if self.stands_still(now, index) {
            return None;
        }
        let host = self.hosts[index].as_mut()?;

        let tick = host.game.tick() + 1;
        self.stats.ticks_skipped += host.schedule.give_up(tick, now);
        let late = now.saturating_duration_since(deadline);
        self.stats.tick_lateness.record(late);
        host.pace.note_lateness(late);
        self.stats.ticks += 1;

        let is_looked_at = tick.0.is_multiple_of(PHASES_EVERY_TICKS)
            || self.timelines.iter().any(|timeline| timeline.is_of(match_id));
        let mut laps = is_looked_at.then(|| Laps::begin(clock()));
        let mut lap = |phase| {
            if let Some(laps) = &mut laps {
                laps.lap(phase, clock());
            }
        };
        host.game.step_watched(&mut self.scratch.expired, &mut lap);
        if host.game.death().is_some() {
            self.scratch.expired.clear();
            self.bury(now, index);
            return None;
        }
        if host.game.checkpoint_is_due() {
            host.game.hand_over(&mut self.outgoing);
        }
        self.frames_wait |= !host.game.is_handed_over();
        lap(Phase::Journal);
        let next = host.schedule.deadline(tick + 1);
        let sends = next > now || host.game.outcome().is_some() || host.pace.must_send(now);
        self.due.push(Reverse((next, index, match_id)));

        if sends {
            host.pace.note_sent(now);
            self.send_snapshots(index, false);
        }
        self.send_events(now, index);
        self.renew_tokens(now, index);
        for player in std::mem::take(&mut self.scratch.expired) {
            self.reports.push_back(ShardEvent::Left { match_id, player });
        }
        self.finish_ended(index);
        lap(Phase::Replicate);
        match (laps, self.hosts[index].as_mut()) {
            (Some(laps), Some(host)) if sends => host.pace.laps = Some(laps),
            // A tick that catches up makes no snapshots, and says nothing of what they cost.
            (Some(laps), _) => {
                for timeline in &mut self.timelines {
                    timeline.note(match_id, tick, deadline, true, laps);
                }
            }
            (None, _) => {}
        }
        Some(TickRun { host: index, deadline, started: now, sends })
    }

    pub(super) fn send_snapshots(&mut self, index: usize, paused: bool) {
        let Some(host) = &mut self.hosts[index] else { return };
        let asks_again = host.game.tick().0.is_multiple_of(ASK_AGAIN_TICKS);
        for slot in 0..host.sessions.len() {
            let Some(handle) = host.sessions[slot] else { continue };
            let Some(Some(connection)) = self.connections.get_mut(handle.0) else { continue };
            if asks_again {
                connection.datagram_bytes = connection.quic.datagrams().max_size().unwrap_or(0);
            }
            let snapshot = &mut self.scratch.snapshot;
            snapshot.clear();
            let bytes_max = connection.datagram_bytes;
            host.game.encode_snapshot(Slot(slot as u8), bytes_max, paused, snapshot);
            if snapshot.is_empty() {
                // The game died as it was looked at: the next tick finds that out.
                continue;
            }
            let bytes = Self::pooled(&mut self.scratch.pool, snapshot);
            let length = bytes.len() as u64;
            // An older one that could not go yet is stale now.
            if connection.quic.datagrams().send(bytes, true).is_ok() {
                self.stats.snapshots_sent += 1;
                self.stats.snapshot_bytes += length;
            } else {
                self.stats.snapshots_unsent += 1;
                // The path carries less than before.
                connection.datagram_bytes = connection.quic.datagrams().max_size().unwrap_or(0);
            }
            connection.ask_again |= asks_again;
            if !connection.is_dirty {
                connection.is_dirty = true;
                self.dirty.push_back(handle);
            }
        }
    }

    fn send_events(&mut self, now: Instant, index: usize) {
        let Some(host) = &self.hosts[index] else { return };
        if host.game.events().is_empty() {
            return;
        }
        let (epoch, tick) = (host.game.epoch(), host.game.tick());
        let mut frames = std::mem::take(&mut self.scratch.frames);
        frames.clear();
        // Each event becomes bytes once, whoever hears of it.
        let mut cuts: Vec<(SlotSet, usize)> = Vec::new();
        for (audience, event) in host.game.events().iter() {
            let event = encode(event);
            let written = write_frame(
                &ServerMessage::Event { epoch, tick, event },
                SERVER_MESSAGE_BYTES_MAX,
                &mut frames,
            );
            if let Err(error) = written {
                tracing::error!(match_id = %host.game.spec().id, %error, "an event was not sent");
            }
            cuts.push((*audience, frames.len()));
        }
        let sessions: Vec<_> = host.sessions.clone();
        for (slot, handle) in sessions.into_iter().enumerate() {
            let Some(handle) = handle else { continue };
            let Some(Some(connection)) = self.connections.get_mut(handle.0) else { continue };
            let Session::Playing(playing) = &mut connection.session else { continue };
            let mut start = 0;
            let mut result = Ok(());
            for (audience, end) in &cuts {
                if audience.contains(Slot(slot as u8)) && result.is_ok() {
                    result = playing.outbox.push(&frames[start..*end]);
                }
                start = *end;
            }
            playing.outbox.flush(&mut connection.quic, playing.stream);
            match result {
                Ok(()) => self.mark_dirty(handle),
                Err(reason) => self.dismiss(now, handle, reason),
            }
        }
        self.scratch.frames = frames;
    }

    /// Gives new tokens to the players whose period is over.
    fn renew_tokens(&mut self, now: Instant, index: usize) {
        let Some(host) = &self.hosts[index] else { return };
        if !host.game.tick().0.is_multiple_of(RENEW_TOKENS_TICKS) {
            return;
        }
        for slot in 0..host.sessions.len() {
            let Some(host) = &self.hosts[index] else { return };
            let Some(handle) = host.sessions[slot] else { continue };
            let slot = Slot(slot as u8);
            let period = Tokens::period(&host.game, slot);
            let Some(Some(connection)) = self.connections.get_mut(handle.0) else { continue };
            let Session::Playing(playing) = &mut connection.session else { continue };
            if playing.token_period.is_some_and(|newest| newest >= period) {
                continue;
            }
            playing.token_period = Some(period);
            let identity = playing.identity.validity;
            let token =
                self.tokens.issue(&host.game, slot, playing.player, self.wall_unix_ms, identity);
            let mut frame = Vec::new();
            let message = ServerMessage::Token(token);
            let told = match write_frame(&message, SERVER_MESSAGE_BYTES_MAX, &mut frame) {
                Ok(()) => playing.outbox.push(&frame),
                Err(_) => Err(DisconnectReason::Internal),
            };
            playing.outbox.flush(&mut connection.quic, playing.stream);
            match told {
                Ok(()) => self.mark_dirty(handle),
                Err(reason) => self.dismiss(now, handle, reason),
            }
        }
    }

    fn finish_ended(&mut self, index: usize) {
        let Some(host) = &mut self.hosts[index] else { return };
        if let Some(outcome) = host.game.outcome() {
            let outcome = outcome.clone();
            let (match_id, tick) = (host.game.spec().id, host.game.tick());
            // The end follows the frames it came from; where there is no room for it, it is tried again.
            let is_written = host.game.hand_over_end(&mut self.outgoing);
            host.stage = Stage::Finishing { is_written };
            self.frames_wait |= !is_written;
            self.reports.push_back(ShardEvent::Ended { match_id, tick, outcome });
        }
    }

    /// The result is on stable storage: now the players may know it.
    pub(super) fn tell_result(&mut self, now: Instant, match_id: MatchId) {
        let Some(index) = self.by_match.get(&match_id).copied() else { return };
        let Some(host) = &mut self.hosts[index] else { return };
        let (Stage::Finishing { .. }, Some(outcome)) = (&host.stage, host.game.outcome()) else {
            return;
        };
        let until = now + ENDED_LINGER;
        host.stage = Stage::Over { until, why: DisconnectReason::MatchOver };
        let (epoch, tick) = (host.game.epoch(), host.game.tick());
        let frame = result_frame(epoch, tick, outcome.clone());
        self.tell_players(now, index, &frame);
    }

    /// The result cannot be stored, ever: nobody is told one, and the players are sent away.
    pub(super) fn give_up_result(&mut self, now: Instant, match_id: MatchId) {
        let Some(index) = self.by_match.get(&match_id).copied() else { return };
        let Some(host) = &mut self.hosts[index] else { return };
        host.stage = Stage::Over { until: now, why: DisconnectReason::MatchOver };
        for handle in host.sessions.clone().into_iter().flatten() {
            self.dismiss(now, handle, DisconnectReason::Internal);
        }
    }

    /// An ended match waits for its result to become durable and its players to leave.
    fn linger(&mut self, now: Instant, index: usize) {
        let Some(host) = &mut self.hosts[index] else { return };
        let match_id = host.game.spec().id;
        let over = match host.stage {
            Stage::Over { until, .. } => now >= until || host.sessions.iter().all(Option::is_none),
            Stage::Finishing { is_written } => {
                if !is_written {
                    let is_written = host.game.hand_over_end(&mut self.outgoing);
                    host.stage = Stage::Finishing { is_written };
                }
                false
            }
            Stage::Running | Stage::Fallen => false,
        };
        if !over {
            let again = now + host.game.spec().rate.period();
            self.due.push(Reverse((again, index, match_id)));
            return;
        }
        for handle in host.sessions.clone().into_iter().flatten() {
            self.dismiss(now, handle, DisconnectReason::MatchEnded);
        }
        if let Some(host) = self.hosts[index].take() {
            // What the players' inputs amounted to outlives the match.
            self.stats.inputs += host.game.input_totals();
        }
        self.by_match.remove(&match_id);
        self.reports.push_back(ShardEvent::Closed { match_id });
    }

    /// Tells every player why, and steps no more. What the journal has not yet is the shell's to gather.
    pub(super) fn shut_down(&mut self, now: Instant, reason: DisconnectReason) {
        self.stopping = true;
        while let Some(incoming) = self.admission.waiting.pop() {
            self.endpoint.ignore(incoming);
        }
        for handle in 0..self.connections.len() {
            let handle = quinn_proto::ConnectionHandle(handle);
            self.dismiss(now, handle, reason);
        }
        self.due.clear();
        self.returning.clear();
    }
}

/// A result as its players are told it. Where very many came and went the list is cut to what a message
/// holds, best first; the store has all of it.
fn result_frame(epoch: Epoch, tick: Tick, mut outcome: Outcome) -> Vec<u8> {
    let mut frame = Vec::new();
    loop {
        let message = ServerMessage::Ended { epoch, tick, outcome: outcome.clone() };
        let written = write_frame(&message, SERVER_MESSAGE_BYTES_MAX, &mut frame);
        if written.is_ok() || outcome.players.is_empty() {
            return frame;
        }
        outcome.players.truncate(outcome.players.len() * 3 / 4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use matchkeep_shared::game::PlayerResult;
    use matchkeep_shared::ids::PlayerId;
    use matchkeep_shared::wire::frame::FrameReader;

    #[test]
    fn a_result_with_thousands_of_players_is_cut_to_what_a_message_holds() {
        let player = |i: u32| PlayerResult {
            player: PlayerId(i.into()),
            name: format!("a player with a long name {i}"),
            team: None,
            place: i,
            score: 0,
            stats: vec![("some statistic".into(), 1); 8],
        };
        let outcome = Outcome { reason: "end".into(), players: (1..=2000).map(player).collect() };
        let frame = result_frame(Epoch(1), Tick(9), outcome);
        let mut reader = FrameReader::default();
        reader.extend(&frame);
        let message = reader.next(SERVER_MESSAGE_BYTES_MAX).expect("fits").expect("whole");
        let decoded = ServerMessage::decode(message).expect("decodes");
        let ServerMessage::Ended { outcome, .. } = decoded else { panic!("{decoded:?}") };
        assert!(outcome.players.len() > 50, "{}", outcome.players.len());
        assert_eq!(outcome.players[0].place, 1);
    }
}
