//! The client's connections to matches as a state machine: no socket, no clock, no thread. The twin of the
//! server's shard core.
//!
//! One [`Core`] stands behind one UDP socket and has any number of players. Each has a
//! [`MatchSession`] and one connection, or two while it looks for the way back to a match that fell
//! silent. What can happen is closed: a datagram ([`Core::handle_datagram`]), time
//! ([`Core::handle_timeouts`]), and what players want ([`Core::join`], [`Core::send_input`],
//! [`Core::leave`], [`Core::abandon`], [`Core::redirect`]). What it wants is polled:
//! [`Core::poll_event`], [`Core::poll_transmit`], [`Core::next_wake`].
//!
//! The same bytes at the same times with the same seed do the same, so that a test runs servers and clients
//! in one thread under virtual time.

mod connection;
mod hearing;
mod player;
mod returning;
mod setup;
pub mod timers;
mod way_back;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::rng::Rng;
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::lobby::Assignment;
use quinn_proto::{
    ConnectionHandle, DatagramEvent, EcnCodepoint, Endpoint, EndpointConfig, Transmit,
};

use crate::netcode::{MatchEvent, MatchSession, ProtocolError, identity_message};
use crate::transport::Fingerprint;

pub use connection::LinkStats;
pub use setup::endpoint_config;

use connection::Link;
use player::Player;
use setup::Configs;
use timers::Timers;

/// How long an acknowledgement alone is held back because an input will carry it.
const ACK_HOLD: Duration = Duration::from_millis(25);
/// A player's packet below this, in bytes, had room left: nothing more waited, if no datagram did.
const LAST_PACKET_BYTES_MAX: usize = 1000;
/// A connection is asked for all that QUIC has in mind once in so many inputs.
const ASK_AGAIN_INPUTS: u64 = 64;
/// By how much the deadlines of players may move before it is worth an entry.
const TIMER_TOLERANCE: Duration = Duration::from_micros(500);
/// How much of the pool that inputs are cut from is set aside at once, in bytes.
const POOL_BYTES: usize = 16 * 1024;

/// What a core needs to know to begin.
#[derive(Clone)]
pub struct CoreConfig {
    /// QUIC's settings for the endpoint; see [`endpoint_config`].
    pub endpoint: Arc<EndpointConfig>,
    /// Spreads the tries to come back of different players.
    pub seed: u64,
    /// The first IDs of connections come from the seed too: for simulations. On a network nobody must be
    /// able to guess them.
    pub seeded_ids: bool,
    /// Inputs that are due within this are asked for at once, so that those of many players are made in
    /// one go.
    pub input_slack: Duration,
}

/// Names a player of a core. Given anew after [`Core::forget`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PlayerKey(pub usize);

/// Where a match is and what opens it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The match.
    pub match_id: MatchId,
    /// Its shard.
    pub address: SocketAddr,
    /// Of the certificate that the shard shows.
    pub fingerprint: Fingerprint,
    /// The lobby's permission.
    pub ticket: Vec<u8>,
}

impl Place {
    /// The place that a lobby assigned; `None` where it names no address, which only its client can add.
    pub fn of(assignment: Assignment) -> Option<Self> {
        let Assignment { code: _, match_id, address, port, fingerprint, ticket } = assignment;
        let address = SocketAddr::new(address?, port);
        Some(Self { match_id, address, fingerprint: Fingerprint(fingerprint), ticket })
    }
}

/// What a player does when the match falls silent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ComeBack {
    /// Nothing: the end of the connection is the end.
    Never,
    /// Tries again with the token that the match gave.
    ByToken,
    /// And where the token is of no use any more, [`PlayerEvent::NeedTicket`] asks for a way through the lobby.
    ByLobby,
}

/// What a core tells about a player.
#[derive(Debug)]
pub enum PlayerEvent<G: Game> {
    /// Something of the match.
    Match(MatchEvent<G>),
    /// Ask the lobby where this match is, and answer with [`Core::redirect`] or [`Core::give_up`]. Asked
    /// once for each answer.
    NeedTicket {
        /// Which match.
        match_id: MatchId,
    },
    /// The match is over for this player. Nothing comes after it.
    Over(LinkError),
}

/// Why a match is over for a player, or a connection does not come about.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The server said why, or it is clear by itself.
    #[error("{0}")]
    Disconnected(DisconnectReason),
    /// The server is not the one whose certificate was named.
    #[error("{0}")]
    Untrusted(String),
    /// QUIC failed.
    #[error("{0}")]
    Failed(String),
    /// The server does not speak the protocol.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
}

/// The players of one socket, without the socket.
pub struct Core<G: Game> {
    endpoint: Endpoint,
    configs: Configs,
    rng: Rng,
    input_slack: Duration,
    /// By connection handle.
    links: Vec<Option<Box<Link>>>,
    link_count: usize,
    link_timers: Timers,
    /// Connections that may have something to send.
    dirty: VecDeque<ConnectionHandle>,
    /// Packets that belong to no connection, ready to go.
    responses: VecDeque<(Transmit, Vec<u8>)>,
    /// By player key.
    players: Vec<Option<Box<Player<G>>>>,
    player_timers: Timers,
    /// Players that may have something to tell.
    ready: VecDeque<usize>,
    /// Memory that inputs use again and again.
    scratch: Vec<u8>,
    pool: BytesMut,
}

impl<G: Game> Core<G> {
    /// A core without players.
    pub fn new(config: CoreConfig) -> Self {
        let CoreConfig { endpoint, seed, seeded_ids, input_slack } = config;
        Self {
            endpoint: Endpoint::new(endpoint, None, true, None),
            configs: Configs::new(seeded_ids.then_some(seed)),
            rng: Rng::new(seed),
            input_slack,
            links: Vec::new(),
            link_count: 0,
            link_timers: Timers::new(Duration::ZERO),
            dirty: VecDeque::new(),
            responses: VecDeque::new(),
            players: Vec::new(),
            player_timers: Timers::new(TIMER_TOLERANCE),
            ready: VecDeque::new(),
            scratch: Vec::new(),
            pool: BytesMut::new(),
        }
    }

    /// A UDP datagram arrived.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        local_ip: Option<IpAddr>,
        ecn: Option<EcnCodepoint>,
        data: BytesMut,
    ) {
        let mut response = Vec::new();
        match self.endpoint.handle(now, remote, local_ip, ecn, data, &mut response) {
            Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                if let Some(Some(link)) = self.links.get_mut(handle.0) {
                    link.quic.handle_event(event);
                    self.note_answer(now, handle);
                    self.attend(now, handle);
                }
            }
            // Nobody connects to a client.
            Some(DatagramEvent::NewConnection(incoming)) => self.endpoint.ignore(incoming),
            Some(DatagramEvent::Response(transmit)) => {
                self.responses.push_back((transmit, response));
            }
            None => {}
        }
    }

    /// Deadlines passed: of connections, of inputs, of players on their way back.
    pub fn handle_timeouts(&mut self, now: Instant) {
        while let Some(key) = self.link_timers.pop_due(now) {
            let handle = ConnectionHandle(key);
            let Some(link) = self.links.get_mut(key).and_then(Option::as_mut) else { continue };
            if link.quic.poll_timeout().is_some_and(|at| at <= now) {
                link.quic.handle_timeout(now);
                self.attend(now, handle);
                self.mark_dirty(handle);
            } else {
                // The deadline moved later since the entry was made, as it mostly does.
                self.rearm_link(handle);
            }
        }
        while let Some(key) = self.player_timers.pop_due(now) {
            self.look_for_way_back(now, key);
            let Some(Some(player)) = self.players.get(key) else { continue };
            let until = now + self.input_slack;
            if player.session.next_due().is_some_and(|due| due <= until) {
                self.mark_ready(key);
            } else {
                self.rearm_player(key);
            }
        }
    }

    /// The next thing that happened to a player, or an input that is due.
    pub fn poll_event(&mut self, now: Instant) -> Option<(PlayerKey, PlayerEvent<G>)> {
        while let Some(key) = self.ready.front().copied() {
            if let Some(Some(player)) = self.players.get_mut(key) {
                if let Some(event) = player.poll_event(now + self.input_slack) {
                    return Some((PlayerKey(key), event));
                }
                player.is_ready = false;
                self.rearm_player(key);
            }
            self.ready.pop_front();
        }
        None
    }

    /// Sends the input that was due for `tick`, and what was acknowledged with it.
    pub fn send_input(&mut self, key: PlayerKey, tick: Tick, input: G::Input) {
        let Some(Some(player)) = self.players.get_mut(key.0) else { return };
        self.scratch.clear();
        player.session.push_input(tick, input, &mut self.scratch);
        let Some(handle) = player.current.filter(|_| !self.scratch.is_empty()) else { return };
        let Some(Some(link)) = self.links.get_mut(handle.0) else { return };
        if self.pool.capacity() < self.scratch.len() {
            // Takes back its memory where all that was cut from it is gone.
            self.pool.reserve(POOL_BYTES);
        }
        self.pool.extend_from_slice(&self.scratch);
        let bytes: Bytes = self.pool.split().freeze();
        // A datagram that cannot go is a lost one: the next carries the same inputs again. An older one
        // that could not go yet is stale now.
        let _ = link.quic.datagrams().send(bytes, true);
        link.ask_again |= tick.0.is_multiple_of(ASK_AGAIN_INPUTS);
        self.mark_dirty(handle);
    }

    /// Shows the match a newer token of the identity provider, where there is a connection. At most
    /// [`IDENTITY_BYTES_MAX`](matchkeep_shared::limits::IDENTITY_BYTES_MAX) bytes.
    pub fn show_identity(&mut self, key: PlayerKey, token: &str) {
        let Some(Some(player)) = self.players.get(key.0) else { return };
        let Some(handle) = player.current else { return };
        let Some(Some(link)) = self.links.get_mut(handle.0) else { return };
        link.say(&identity_message(token.to_owned()));
        self.mark_dirty(handle);
    }

    /// The next packet to send, its bytes appended to `buffer`, which must be empty.
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut Vec<u8>) -> Option<Transmit> {
        if let Some((transmit, bytes)) = self.responses.pop_front() {
            buffer.extend_from_slice(&bytes[..transmit.size]);
            return Some(transmit);
        }
        while let Some(handle) = self.dirty.front().copied() {
            let Some(Some(link)) = self.links.get_mut(handle.0) else {
                self.dirty.pop_front();
                continue;
            };
            let transmit = link.quic.poll_transmit(now, 1, buffer);
            // QUIC fills a packet with all that waits. For a player, whose packets are made at every tick,
            // one that is not full is taken as the last where no datagram is left: asking again costs as
            // much as a packet and finds nothing. What QUIC itself still has in mind has a timer.
            let size = transmit.as_ref().map_or(0, |transmit| transmit.size);
            let is_last = size == 0
                || (size < LAST_PACKET_BYTES_MAX
                    && !link.ask_again
                    && link.plays()
                    && link.quic.datagrams().send_buffer_space() >= link.empty_space);
            if is_last {
                link.is_dirty = false;
                link.ask_again = false;
                self.dirty.pop_front();
                self.rearm_link(handle);
            }
            if transmit.is_some() {
                return transmit;
            }
        }
        None
    }

    /// When something has to be done even if nothing arrives; in the past where it is now.
    pub fn next_wake(&mut self) -> Option<Instant> {
        let players = self.player_timers.earliest();
        [self.link_timers.earliest(), players].into_iter().flatten().min()
    }

    /// The player's side of the match, for its snapshots, counters and ticks.
    pub fn session(&self, key: PlayerKey) -> Option<&MatchSession<G>> {
        Some(&self.player(key)?.session)
    }

    /// What passed over the player's connections, those that ended included.
    pub fn stats(&self, key: PlayerKey) -> LinkStats {
        let Some(player) = self.player(key) else { return LinkStats::default() };
        let mut stats = player.stats;
        for handle in [player.current, player.attempt].into_iter().flatten() {
            if let Some(Some(link)) = self.links.get(handle.0) {
                stats.add(&link.stats());
            }
        }
        stats
    }

    /// Where the player's match is, as far as is known.
    pub fn place(&self, key: PlayerKey) -> Option<&Place> {
        Some(&self.player(key)?.place)
    }

    /// Whether the connection that plays is up: its handshake is done and it did not end yet.
    pub fn is_connected(&self, key: PlayerKey) -> bool {
        let current = self.player(key).and_then(|player| player.current);
        let link = current.and_then(|handle| self.links.get(handle.0)?.as_ref());
        link.is_some_and(|link| link.plays())
    }

    /// Connections that are there, those that wind down included. With none left nothing more is sent.
    pub fn connections(&self) -> usize {
        self.link_count
    }

    fn player(&self, key: PlayerKey) -> Option<&Player<G>> {
        self.players.get(key.0)?.as_deref()
    }

    fn mark_ready(&mut self, key: usize) {
        if let Some(Some(player)) = self.players.get_mut(key)
            && !player.is_ready
        {
            player.is_ready = true;
            self.ready.push_back(key);
        }
    }

    /// Sets the player's timer to the next input, or to the next step on the way back.
    fn rearm_player(&mut self, key: usize) {
        if let Some(Some(player)) = self.players.get(key) {
            let deadline = player.deadline(self.input_slack);
            self.player_timers.arm(key, deadline);
        }
    }
}

#[cfg(test)]
mod tests;
