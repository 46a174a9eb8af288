//! The shard as a state machine: no socket, no clock, no thread.
//!
//! What can happen to it is closed: a datagram ([`Core::handle_datagram`]), a command
//! ([`Core::handle_command`]), time ([`Core::handle_timeouts`], [`Core::admit`], [`Core::run_tick`]).
//! What it wants is polled: [`Core::poll_transmit`], [`Core::poll_report`], [`Core::next_wake`].

mod connections;
mod hosting;
mod identity;
mod joining;
mod journaling;
mod phases;
mod restarting;
mod standing;
mod steering;
mod timelines;
mod viewing;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use matchkeep_client::link::timers::Timers;
use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{MatchId, PlayerId, ShardId};
use matchkeep_shared::time::Tick;
use quinn_proto::{
    ConnectionHandle, ConnectionIdGenerator, Endpoint, EndpointConfig, ServerConfig, Transmit,
};

use super::admission::Admission;
use super::message::{Command, MatchPolicy, ShardEvent};
use super::schedule::Schedule;
use super::session::Session;
use super::stats::ShardStats;
use super::strangers::Strangers;
use super::tokens::Tokens;
use crate::accounts::Barred;
use crate::matches::recorder::JournalBatch;
use crate::matches::{Match, MatchOptions};
use crate::rates::{Rate, Rates};
use crate::tickets::{TicketKeys, TicketVerifier, UsedTickets};
use restarting::Returning;
use standing::Pace;

/// What a shard needs to know to begin.
pub struct CoreConfig {
    /// Which shard this is.
    pub shard: ShardId,
    /// QUIC's settings for the endpoint.
    pub endpoint: Arc<EndpointConfig>,
    /// Knows the connection IDs that `endpoint` gives.
    pub ids: Box<dyn ConnectionIdGenerator>,
    /// QUIC's settings for the connections, certificate included.
    pub server: Arc<ServerConfig>,
    /// Know good tickets, and sign the tokens that bring players back.
    pub keys: TicketKeys,
    /// What its matches are told.
    pub options: MatchOptions,
    /// How many connections each address may open.
    pub connections: Rate,
    /// How often each player may show a newer identity.
    pub identities: Rate,
    /// When the shard begins.
    pub now: Instant,
}

/// A shard without its shell.
pub struct Core<G: Game> {
    shard: ShardId,
    started: Instant,
    /// Unix time in milliseconds, for what outlives the process: tickets.
    wall_unix_ms: u64,
    tickets: TicketVerifier,
    tokens: Tokens,
    used_tickets: UsedTickets,

    endpoint: Endpoint,
    strangers: Strangers,
    admission: Admission,
    /// How often players show newer identities.
    identities: Rates<PlayerId>,
    /// By connection handle.
    connections: Vec<Option<Box<Connection>>>,
    connection_count: usize,
    timers: Timers,
    /// Connections that may have something to send.
    dirty: VecDeque<ConnectionHandle>,
    /// Packets that belong to no connection, ready to go.
    responses: VecDeque<(Transmit, Vec<u8>)>,

    options: MatchOptions,
    hosts: Vec<Option<Host<G>>>,
    /// Matches on their way back.
    returning: VecDeque<Returning<G>>,
    /// What is on its way from the matches to the journal.
    outgoing: JournalBatch,
    /// Matches have frames that are not in there.
    frames_wait: bool,
    /// The first host whose frames are not gathered in this round.
    gather_from: usize,
    by_match: HashMap<MatchId, usize>,
    matches_made: u64,
    /// The next deadline of each match, and of nothing else.
    due: BinaryHeap<Reverse<(Instant, usize, MatchId)>>,

    /// What somebody wants to see of ticks one by one.
    timelines: Vec<timelines::Recording>,
    reports: VecDeque<ShardEvent>,
    stats: ShardStats,
    stopping: bool,
    /// Handshakes wait until the matches of the process before are back.
    is_open: bool,
    /// Nothing can be written down: nobody new takes a place.
    is_storage_full: bool,
    /// What these were given before is void.
    barred: Barred,

    /// Memory that ticks use again and again.
    scratch: Scratch,
}

/// One connection: QUIC and what it is to us.
struct Connection {
    quic: quinn_proto::Connection,
    session: Session,
    is_dirty: bool,
    /// The room for datagrams when none waits, in bytes.
    empty_space: usize,
    /// The largest datagram the path carries, in bytes, as QUIC last said.
    datagram_bytes: usize,
    /// QUIC is to be asked until it has nothing more: for what it sends only when there is nothing else,
    /// as its probes for the path's datagram size.
    ask_again: bool,
}

/// One match and who plays it.
struct Host<G: Game> {
    game: Match<G>,
    policy: MatchPolicy,
    pace: Pace,
    schedule: Schedule,
    /// The connection of each slot, where it has one.
    sessions: Vec<Option<ConnectionHandle>>,
    /// Whose connection to each slot ended last, and why.
    last_disconnects: Vec<Option<(PlayerId, DisconnectReason)>>,
    stage: Stage,
}

/// Where a hosted match is in its life.
enum Stage {
    /// It ticks, or stands still.
    Running,
    /// Its game died; it waits for its new epoch.
    Fallen,
    /// It ended; its result is on the way to stable storage, if it is handed over already.
    Finishing { is_written: bool },
    /// Its players were told; it goes when they left or this passed. Who comes now is told why.
    Over { until: Instant, why: DisconnectReason },
}

#[derive(Default)]
struct Scratch {
    frames: Vec<u8>,
    snapshot: Vec<u8>,
    /// Snapshots are cut from here, so that not each costs an allocation.
    pool: BytesMut,
    expired: Vec<PlayerId>,
}

/// How long an acknowledgement alone is held back because a tick's packet will carry it.
const ACK_HOLD: Duration = Duration::from_millis(25);
/// A player's packet below this had room left: nothing more waited, if no datagram did.
const LAST_PACKET_BYTES_MAX: usize = 1000;
/// A player's connection is asked for all that QUIC has in mind once in so many ticks.
const ASK_AGAIN_TICKS: u64 = 64;
/// In one of so many ticks a match looks for tokens to renew.
const RENEW_TOKENS_TICKS: u64 = 16;
/// How long a report that control had no room for waits.
const REPORT_RETRY: Duration = Duration::from_millis(5);
/// How much of the snapshot pool is set aside at once, in bytes.
const POOL_BYTES: usize = 64 * 1024;

/// A tick that ran.
#[derive(Clone, Copy, Debug)]
pub struct TickRun {
    /// Which match's, for [`Core::note_cost`].
    pub host: usize,
    /// When it should have started.
    pub deadline: Instant,
    /// When it started.
    pub started: Instant,
    /// Whether its snapshots are ready to be sent; not so for ticks that catch up.
    pub sends: bool,
}

impl<G: Game> Core<G> {
    /// A shard without matches.
    pub fn new(config: CoreConfig) -> Self {
        let CoreConfig {
            shard,
            endpoint,
            ids,
            server,
            keys,
            options,
            connections,
            identities,
            now,
        } = config;
        Self {
            shard,
            started: now,
            wall_unix_ms: 0,
            tickets: keys.verifier(),
            tokens: Tokens::new(keys.signer().clone()),
            used_tickets: UsedTickets::new(),
            endpoint: Endpoint::new(endpoint, Some(server), true, None),
            strangers: Strangers::new(ids),
            admission: Admission::new(connections, now),
            identities: Rates::new(identities, now),
            connections: Vec::new(),
            connection_count: 0,
            timers: Timers::new(Duration::ZERO),
            dirty: VecDeque::new(),
            responses: VecDeque::new(),
            options,
            hosts: Vec::new(),
            returning: VecDeque::new(),
            outgoing: JournalBatch::default(),
            frames_wait: false,
            gather_from: 0,
            by_match: HashMap::new(),
            matches_made: 0,
            due: BinaryHeap::new(),
            timelines: Vec::new(),
            reports: VecDeque::new(),
            stats: ShardStats::default(),
            stopping: false,
            is_open: false,
            is_storage_full: false,
            barred: Barred::new(),
            scratch: Scratch::default(),
        }
    }

    /// Which shard this is.
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// Tells the shard what a wall clock shows, in milliseconds of Unix time.
    pub fn set_wall_clock(&mut self, unix_ms: u64) {
        self.wall_unix_ms = unix_ms;
    }

    /// The counters, for the shell to count what only it sees.
    pub fn stats_mut(&mut self) -> &mut ShardStats {
        &mut self.stats
    }

    /// A copy of the counters with what is true now.
    pub fn stats(&self) -> Box<ShardStats> {
        let mut stats = Box::new(self.stats.clone());
        stats.connections = self.connection_count as u64;
        for host in self.hosts.iter().flatten() {
            stats.matches += 1;
            stats.entities += host.game.entities() as u64;
            stats.matches_ticking += u64::from(host.game.tick() > host.game.resumed());
            stats.matches_hot += u64::from(host.pace.is_flagged());
            stats.matches_standing += u64::from(host.pace.stands());
            stats.matches_undurable += u64::from(host.pace.waits_for_journal());
            let lag = host.game.durable_lag().map_or(0, u64::from);
            stats.durable_lag_ticks_max = stats.durable_lag_ticks_max.max(lag);
            let lag = host.game.spec().rate.elapsed(lag);
            stats.durable_lag_max = stats.durable_lag_max.max(lag);
            stats.players += host.sessions.iter().flatten().count() as u64;
            stats.inputs += host.game.input_totals();
        }
        stats
    }

    /// Control wants something.
    pub fn handle_command(&mut self, now: Instant, command: Command<G>) {
        match command {
            Command::Create(new) => self.create(now, *new),
            Command::Resume(resumption) => self.resume(now, *resumption),
            Command::Restart { match_id, epoch } => self.restart(now, match_id, epoch),
            Command::Drop { match_id, reason } => self.drop_match(now, match_id, reason),
            Command::Open => self.is_open = true,
            Command::StorageFull(is_full) => self.is_storage_full = is_full,
            // Whoever asked may have gone; an order counts all the same.
            Command::Order { match_id, order, reply } => {
                let _ = reply.send(self.order(now, match_id, order));
            }
            Command::List { filter, reply } => {
                let _ = reply.send(self.rows(&filter));
            }
            Command::Inspect { match_id, reply } => {
                let _ = reply.send(self.view(match_id));
            }
            Command::CopyState { match_id, reply } => {
                let _ = reply.send(self.copy_state(match_id));
            }
            Command::Record { match_id, lasts, reply } => self.record(now, match_id, lasts, reply),
            Command::Identified { match_id, player, identity } => {
                self.note_identity(now, match_id, player, identity);
            }
            Command::Bar(barred) => self.bar(now, barred),
            Command::Keys(keys) => self.take_keys(&keys),
            Command::Release { match_id, player } => self.release(now, match_id, player),
            Command::ResultDurable { match_id } => self.tell_result(now, match_id),
            Command::ResultLost { match_id } => self.give_up_result(now, match_id),
            Command::Stats(reply) => {
                // Whoever asked may have gone.
                let _ = reply.send(self.stats());
            }
            Command::Shutdown(reason) => self.shut_down(now, reason),
        }
    }

    /// Deadlines of connections and timelines passed.
    pub fn handle_timeouts(&mut self, now: Instant) {
        if !self.timelines.is_empty() {
            self.finish_timelines(now);
        }
        while let Some(key) = self.timers.pop_due(now) {
            let handle = ConnectionHandle(key);
            let Some(connection) = self.connections.get_mut(key).and_then(Option::as_mut) else {
                continue;
            };
            let passed = connection.session.deadline().filter(|(at, _)| *at <= now);
            if connection.quic.poll_timeout().is_some_and(|at| at <= now) {
                connection.quic.handle_timeout(now);
            } else if passed.is_none() {
                // The deadline moved later since the entry was made, as it mostly does.
                self.rearm(handle);
                continue;
            }
            self.attend(now, handle);
            if let Some((_, reason)) = passed {
                self.dismiss(now, handle, reason);
            }
            self.mark_dirty(handle);
        }
    }

    /// Whether a match's tick is due.
    pub fn tick_is_due(&self, now: Instant) -> bool {
        self.due.peek().is_some_and(|Reverse((at, ..))| *at <= now)
    }

    /// The match that is due first, and the tick it would reach.
    pub fn due_tick(&self) -> Option<(MatchId, Tick)> {
        let Reverse((_, index, match_id)) = self.due.peek()?;
        let host = self.hosts.get(*index)?.as_ref()?;
        Some((*match_id, host.game.tick() + 1))
    }

    /// When something has to be done even if nothing arrives; in the past where it is now.
    pub fn next_wake(&mut self, now: Instant) -> Option<Instant> {
        let tick = self.next_deadline();
        let stranger = self.strangers.waiting.ready_at(now, self.spare_for_strangers());
        let handshake = self.admission.waiting.ready_at(now, self.spare_for_handshakes());
        // Control was behind: try again soon.
        let report = (!self.reports.is_empty()).then(|| now + REPORT_RETRY);
        let replay = self.is_replaying().then_some(now);
        let handshake = handshake.filter(|_| self.is_open);
        let timers = [self.timers.earliest(), self.timeline_due()];
        let times = [tick, stranger, handshake, report, replay].into_iter().chain(timers);
        times.flatten().min()
    }

    /// The next packet to send, its bytes appended to `buffer`, which must be empty.
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut Vec<u8>) -> Option<Transmit> {
        if let Some((transmit, bytes)) = self.responses.pop_front() {
            buffer.extend_from_slice(&bytes[..transmit.size]);
            return Some(transmit);
        }
        while let Some(handle) = self.dirty.front().copied() {
            if let Some(Some(connection)) = self.connections.get_mut(handle.0) {
                let transmit = connection.quic.poll_transmit(now, 1, buffer);
                // QUIC fills a packet with all that waits. For a player, whose packets are made at every
                // tick, one that is not full is taken as the last where no datagram is left: asking again
                // costs as much as a packet and finds nothing. What QUIC itself still has in mind has a
                // timer.
                let size = transmit.as_ref().map_or(0, |transmit| transmit.size);
                let is_last = size == 0
                    || (size < LAST_PACKET_BYTES_MAX
                        && !connection.ask_again
                        && matches!(connection.session, Session::Playing(_))
                        && connection.quic.datagrams().send_buffer_space()
                            >= connection.empty_space);
                if is_last {
                    connection.is_dirty = false;
                    connection.ask_again = false;
                    self.dirty.pop_front();
                    self.rearm(handle);
                }
                if transmit.is_some() {
                    return transmit;
                }
            } else {
                self.dirty.pop_front();
            }
        }
        None
    }

    /// The next thing control should know. A death waits until the journal was handed everything before it:
    /// control acts on it in the journal, behind the last frames.
    pub fn poll_report(&mut self) -> Option<ShardEvent> {
        let has_journal_all = self.outgoing.is_empty();
        self.reports
            .pop_front_if(|event| has_journal_all || !matches!(event, ShardEvent::Died { .. }))
    }

    /// Puts back a report that could not be handed over.
    pub fn return_report(&mut self, event: ShardEvent) {
        self.reports.push_front(event);
    }

    /// Whether the shard was told to stop and every connection has wound down.
    pub fn has_stopped(&self) -> bool {
        self.stopping && self.connection_count == 0
    }

    /// One of its matches, for whoever watches over them: a simulation, a test.
    pub fn match_of(&self, match_id: MatchId) -> Option<&Match<G>> {
        let index = *self.by_match.get(&match_id)?;
        Some(&self.hosts[index].as_ref()?.game)
    }

    /// When the next tick is due.
    fn next_deadline(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((at, ..))| *at)
    }

    /// The snapshot in `snapshot` as bytes that QUIC can keep.
    fn pooled(pool: &mut BytesMut, snapshot: &[u8]) -> Bytes {
        if pool.capacity() < snapshot.len() {
            // Takes back its memory where all that was cut from it is gone.
            pool.reserve(POOL_BYTES);
        }
        pool.extend_from_slice(snapshot);
        pool.split().freeze()
    }
}

#[cfg(test)]
mod tests;
