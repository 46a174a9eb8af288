//! A shard's thread, played: the passes of `shard/thread.rs` around the product's core, without socket and
//! clock.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use matchkeep_server::journal::DurableTicks;
use matchkeep_server::shard::core::Core;
use matchkeep_server::shard::journaling::HandOver;
use matchkeep_server::shard::message::{Command, ShardEvent};
use matchkeep_server::shard::thread::{COMMANDS_PER_PASS_MAX, JOURNAL_GRACE, STOP_GRACE};
use matchkeep_shared::ids::ShardId;
use matchkeep_shared::limits::{
    FRAMES_IN_MEMORY_BYTES_MAX, JOURNAL_BATCH_BYTES_MAX, SHARD_REPORTS_MAX,
};

use super::game::Fragile;
use super::store::Store;
use super::trace::Trace;
use super::witness::{Invariant, Witness};

/// What a pass with a replay takes: long enough to be interrupted.
const REPLAY_PASS: Duration = Duration::from_millis(2);

/// A shard between its queues.
pub struct Shard {
    pub(super) core: Core<Fragile>,
    inbox: VecDeque<(SocketAddr, Vec<u8>)>,
    commands: VecDeque<(Instant, Command<Fragile>)>,
    told: VecDeque<(Instant, DurableTicks)>,
    hand_over: HandOver,
    stop_by: Option<Instant>,
    busy_until: Option<Instant>,
    /// It has wound down.
    pub has_ended: bool,
}

/// What a turn has at hand.
pub struct Turn<'a> {
    /// Now.
    pub now: Instant,
    /// By the wall clock of the process.
    pub unix_ms: u64,
    /// From the beginning of everything.
    pub at: Duration,
    /// Which process this is.
    pub process: u32,
    /// Who sees everything.
    pub witness: &'a mut Witness,
    /// Where lines go.
    pub trace: &'a mut Trace,
    /// Packets to send: from which shard, to whom.
    pub sent: &'a mut Vec<(usize, SocketAddr, Vec<u8>)>,
}

impl Shard {
    /// Around a core.
    pub fn new(core: Core<Fragile>) -> Self {
        Self {
            core,
            inbox: VecDeque::new(),
            commands: VecDeque::new(),
            told: VecDeque::new(),
            hand_over: HandOver::default(),
            stop_by: None,
            busy_until: None,
            has_ended: false,
        }
    }

    /// A datagram is there.
    pub fn receive(&mut self, from: SocketAddr, bytes: Vec<u8>) {
        if !self.has_ended {
            self.inbox.push_back((from, bytes));
        }
    }

    /// Control wants something; the shard hears of it `at` that time, in order.
    pub fn command(&mut self, at: Instant, command: Command<Fragile>) {
        let at = self.commands.back().map_or(at, |(last, _)| at.max(*last));
        self.commands.push_back((at, command));
    }

    /// The journal tells what is durable; the shard hears of it `at` that time at the earliest.
    pub fn tell(&mut self, at: Instant, ticks: DurableTicks) {
        self.told.push_back((at, ticks));
    }

    /// The thread gets no CPU until then.
    pub fn stall(&mut self, until: Instant) {
        self.busy_until = self.busy_until.max(Some(until));
    }

    /// When it wants to run.
    pub fn wake(&mut self, now: Instant) -> Option<Instant> {
        if self.has_ended {
            return None;
        }
        let arrived = (!self.inbox.is_empty()).then_some(now);
        let command = self.commands.front().map(|(at, _)| *at);
        let core = self.core.next_wake(now);
        let stop = self.stop_by.filter(|by| *by > now);
        let wakes = [arrived, command, core, self.hand_over.wake(), stop];
        let wake = wakes.into_iter().flatten().min()?;
        Some(wake.max(self.busy_until.unwrap_or(wake)))
    }

    /// One pass, if it is due. The order is the real shell's.
    pub fn turn(
        &mut self,
        turn: &mut Turn<'_>,
        store: &mut Store,
        reports: &mut VecDeque<(ShardId, ShardEvent)>,
    ) {
        let now = turn.now;
        if self.wake(now).is_none_or(|wake| wake > now) {
            return;
        }
        self.busy_until = None;
        self.core.set_wall_clock(turn.unix_ms);
        while let Some((from, bytes)) = self.inbox.pop_front() {
            self.core.handle_datagram(now, from, None, None, BytesMut::from(&bytes[..]));
        }
        self.take_commands(now);
        while let Some((_, ticks)) = self.told.pop_front_if(|(at, _)| *at <= now) {
            self.core.note_durable(&ticks);
        }
        if self.core.is_replaying() {
            self.core.replay_some(&|| now);
            self.busy_until = Some(now + REPLAY_PASS);
        }
        self.core.handle_timeouts(now);
        self.run_tick(turn);
        self.core.admit(now);
        self.send_all(turn);
        self.hand_over_journal(turn, store);
        self.hand_over_reports(turn, reports);
        let is_written = !self.core.has_for_journal();
        let is_over = |by: Instant| {
            (is_written && (self.core.has_stopped() || now >= by)) || now >= by + JOURNAL_GRACE
        };
        self.has_ended = self.stop_by.is_some_and(is_over);
    }

    fn take_commands(&mut self, now: Instant) {
        for _ in 0..COMMANDS_PER_PASS_MAX {
            let Some((_, command)) = self.commands.pop_front_if(|(at, _)| *at <= now) else {
                return;
            };
            if matches!(command, Command::Shutdown(_)) {
                self.stop_by = Some(now + STOP_GRACE);
            }
            self.core.handle_command(now, command);
        }
    }

    fn run_tick(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now;
        if !self.core.tick_is_due(now) {
            return;
        }
        let due = self.core.due_tick();
        let before = due.and_then(|(id, _)| self.core.match_of(id)).map(|game| game.tick());
        let Some(run) = self.core.run_tick(now, &|| now) else { return };
        let game = due.and_then(|(id, _)| self.core.match_of(id));
        if let Some(game) = game.filter(|game| Some(game.tick()) != before) {
            turn.witness.stepped(turn.process, game);
            let (id, epoch, tick) = (game.spec().id, game.epoch(), game.tick());
            let hash = game.state_hash().unwrap_or_default();
            turn.trace.note(turn.at, format_args!("tick {id} {epoch} {tick} {hash:016x}"));
        }
        self.send_all(turn);
        self.core.note_cost(now, run.host, Duration::ZERO);
    }

    fn send_all(&mut self, turn: &mut Turn<'_>) {
        let shard = usize::from(self.core.shard().0);
        let mut buffer = Vec::new();
        while let Some(transmit) = self.core.poll_transmit(turn.now, &mut buffer) {
            let bytes = buffer[..transmit.size].to_vec();
            turn.sent.push((shard, transmit.destination, bytes));
            buffer.clear();
        }
    }

    fn hand_over_journal(&mut self, turn: &mut Turn<'_>, store: &mut Store) {
        let now = turn.now;
        let bytes = self.core.outgoing().bytes.len();
        // One match's frames and checkpoint may come on top of a batch that is nearly full.
        let most = JOURNAL_BATCH_BYTES_MAX + 2 * FRAMES_IN_MEMORY_BYTES_MAX;
        turn.witness.check(bytes <= most, Invariant::Bounded, || {
            format!("{bytes} bytes wait for the journal on one shard")
        });
        let at_once = self.stop_by.is_some() || store.is_calling();
        let shard = Some(self.core.shard());
        let take = |item| store.hand_over(now, shard, item).is_ok();
        if self.hand_over.run(now, turn.unix_ms, &mut self.core, at_once, take) {
            store.complete(now);
        }
    }

    fn hand_over_reports(
        &mut self,
        turn: &mut Turn<'_>,
        reports: &mut VecDeque<(ShardId, ShardEvent)>,
    ) {
        let shard = self.core.shard();
        while let Some(event) = self.core.poll_report() {
            self.note(turn, &event);
            reports.push_back((shard, event));
        }
        let waiting = reports.len();
        turn.witness.check(waiting <= SHARD_REPORTS_MAX, Invariant::Bounded, || {
            format!("{waiting} reports wait for control")
        });
    }

    fn note(&self, turn: &mut Turn<'_>, event: &ShardEvent) {
        match event {
            ShardEvent::Resumed { match_id, epoch, tick, .. } => {
                let game = self.core.match_of(*match_id);
                turn.witness.resumed(*match_id, *epoch, *tick, game);
                turn.trace.note(turn.at, format_args!("resumed {match_id} {epoch} {tick}"));
            }
            ShardEvent::Unplayable { match_id, cause } => {
                let text = format!("match {match_id} does not come back: {cause}");
                turn.witness.violated(Invariant::Recovers, text);
            }
            ShardEvent::Died { match_id, epoch, death } => {
                let tick = death.tick;
                *turn.witness.of(*match_id).deaths.entry(tick).or_default() += 1;
                let planted = death.cause.starts_with(super::game::PLANTED);
                turn.witness.deaths_between_steps +=
                    u64::from(death.cause.starts_with(super::game::BLIND));
                turn.witness.check(planted, Invariant::NoPanic, || death.cause.clone());
                turn.trace.note(turn.at, format_args!("died {match_id} {epoch} {tick}"));
            }
            ShardEvent::Ended { match_id, tick, .. } => {
                turn.trace.note(turn.at, format_args!("ended {match_id} {tick}"));
            }
            ShardEvent::Disconnected { player, reason, .. } => {
                turn.trace.note(turn.at, format_args!("gone {player} {}", reason.label()));
            }
            ShardEvent::Joined { player, .. } => {
                turn.trace.note(turn.at, format_args!("joined {player}"));
            }
            _ => {}
        }
    }
}
