//! Connections: from the first packet to the last, and what QUIC has to say in between.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::Slot;
use matchkeep_shared::limits::{
    CLIENT_DATAGRAM_BYTES_MAX, FIRST_PACKET_COST, FIRST_PACKET_WAIT_MAX,
    FIRST_PACKETS_PER_PASS_MAX, HANDSHAKE_WAIT_MAX,
};
use matchkeep_shared::wire::client::ClientDatagram;
use matchkeep_shared::wire::frame::FrameReader;
use quinn_proto::{
    ConnectionError, ConnectionHandle, DatagramEvent, Dir, EcnCodepoint, Event, Incoming,
    StreamEvent, VarInt,
};

use super::{ACK_HOLD, Connection, Core};
use crate::refusals::Refusal;
use crate::shard::admission::Verdict;
use crate::shard::message::ShardEvent;
use crate::shard::session::Session;
use crate::shard::strangers::Packet;
use crate::shard::waiting::Spare;

impl<G: Game> Core<G> {
    /// A UDP datagram arrived.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        local_ip: Option<IpAddr>,
        ecn: Option<EcnCodepoint>,
        data: BytesMut,
    ) {
        self.stats.udp_received += 1;
        self.stats.udp_received_bytes += data.len() as u64;
        let is_first = self.strangers.is_first(&data);
        let packet = Packet { from: remote, to: local_ip, ecn, bytes: data };
        if is_first {
            let forgot = self.strangers.push(now, packet);
            self.stats.handshakes_forgotten += u64::from(forgot);
        } else {
            self.look_into(now, now, packet);
        }
    }

    /// Gives a datagram to QUIC that came at `since`; says whether it is somebody new's.
    fn look_into(&mut self, now: Instant, since: Instant, packet: Packet) -> bool {
        let Packet { from, to, ecn, bytes } = packet;
        let mut response = Vec::new();
        match self.endpoint.handle(now, from, to, ecn, bytes, &mut response) {
            Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                if let Some(Some(connection)) = self.connections.get_mut(handle.0) {
                    connection.quic.handle_event(event);
                    self.attend(now, handle);
                }
            }
            Some(DatagramEvent::NewConnection(incoming)) => {
                self.enter(now, since, incoming);
                return true;
            }
            Some(DatagramEvent::Response(transmit)) => {
                self.stats.udp_foreign += 1;
                self.responses.push_back((transmit, response));
            }
            None => self.stats.udp_foreign += 1,
        }
        false
    }

    /// A first packet that came at `since`: it waits for its handshake, or is turned away.
    pub(super) fn enter(&mut self, now: Instant, since: Instant, incoming: Incoming) {
        let verdict = if self.stopping {
            Verdict::Refuse(incoming, Refusal::NoRoom)
        } else {
            self.admission.enter(now, since, incoming, self.connection_count)
        };
        let mut bytes = Vec::new();
        let transmit = match verdict {
            Verdict::Queued => return,
            Verdict::Refuse(incoming, refusal) => {
                self.stats.refusals.count(refusal);
                self.endpoint.refuse(incoming, &mut bytes)
            }
            Verdict::Retry(incoming) => match self.endpoint.retry(incoming, &mut bytes) {
                Ok(transmit) => {
                    self.stats.refusals.retried += 1;
                    transmit
                }
                Err(error) => {
                    bytes.clear();
                    self.stats.refusals.count(Refusal::NoRoom);
                    self.endpoint.refuse(error.into_incoming(), &mut bytes)
                }
            },
        };
        self.stats.handshakes_deferred += 1;
        self.responses.push_back((transmit, bytes));
    }

    /// Does for strangers what there is time for: looks into the first packet that waited longest, and begins the
    /// handshake that did.
    pub fn admit(&mut self, now: Instant) {
        while self.strangers.waiting.forgotten(now).is_some() {
            self.stats.handshakes_forgotten += 1;
        }
        let mut begun = now;
        let spare = self.spare_for_strangers();
        // One again and again costs next to nothing: its handshake waits, or is under way.
        for _ in 0..FIRST_PACKETS_PER_PASS_MAX {
            let Some((since, packet)) = self.strangers.waiting.next(now, spare) else { break };
            if self.look_into(now, since, packet) {
                begun += FIRST_PACKET_COST;
                break;
            }
        }
        if !self.is_open {
            return;
        }
        while let Some(incoming) = self.admission.waiting.forgotten(now) {
            self.stats.handshakes_forgotten += 1;
            self.endpoint.ignore(incoming);
        }
        let spare = self.spare_for_handshakes();
        if let Some((_, incoming)) = self.admission.waiting.next(begun, spare) {
            self.begin(now, incoming);
        }
    }

    /// The time there is to look into first packets. Of those that can only be asked to prove an address more wait
    /// for longer: such come in floods.
    pub(super) fn spare_for_strangers(&self) -> Spare {
        let is_crowded = self.admission.is_crowded();
        let wait_max = if is_crowded { FIRST_PACKET_WAIT_MAX } else { HANDSHAKE_WAIT_MAX };
        Spare { deadline: self.next_deadline(), wait_max }
    }

    /// The time there is for handshakes.
    pub(super) fn spare_for_handshakes(&self) -> Spare {
        Spare { deadline: self.next_deadline(), wait_max: HANDSHAKE_WAIT_MAX }
    }

    fn begin(&mut self, now: Instant, incoming: Incoming) {
        self.stats.handshakes += 1;
        let mut response = Vec::new();
        let trust = self.admission.begin(&incoming);
        match self.endpoint.accept(incoming, now, &mut response, None) {
            Ok((handle, quic)) => {
                if self.connections.len() <= handle.0 {
                    self.connections.resize_with(handle.0 + 1, || None);
                }
                let session = Session::new(now, trust);
                let mut quic = quic;
                let empty_space = quic.datagrams().send_buffer_space();
                let connection = Connection {
                    quic,
                    session,
                    is_dirty: false,
                    empty_space,
                    datagram_bytes: 0,
                    ask_again: false,
                };
                self.connections[handle.0] = Some(Box::new(connection));
                self.connection_count += 1;
                self.attend(now, handle);
                self.mark_dirty(handle);
            }
            Err(error) => {
                self.admission.fail(trust);
                if let Some(transmit) = error.response {
                    self.responses.push_back((transmit, response));
                }
            }
        }
    }

    pub(super) fn mark_dirty(&mut self, handle: ConnectionHandle) {
        if let Some(Some(connection)) = self.connections.get_mut(handle.0)
            && !connection.is_dirty
        {
            connection.is_dirty = true;
            self.dirty.push_back(handle);
        }
    }

    /// Sets the connection's timer to what QUIC and the session ask for.
    pub(super) fn rearm(&mut self, handle: ConnectionHandle) {
        if let Some(Some(connection)) = self.connections.get_mut(handle.0) {
            let deadline = connection.session.deadline().map(|(at, _)| at);
            let times = [connection.quic.poll_timeout(), deadline];
            self.timers.arm(handle.0, times.into_iter().flatten().min());
        }
    }

    /// Hears what QUIC has to say after something happened to a connection.
    pub(super) fn attend(&mut self, now: Instant, handle: ConnectionHandle) {
        let Some(mut connection) = self.connections.get_mut(handle.0).and_then(Option::take) else {
            return;
        };
        let mut outcome = Attended::default();
        while let Some(event) = connection.quic.poll() {
            let result = self.hear(now, handle, &mut connection, event, &mut outcome);
            if let Err(reason) = result {
                self.close(now, handle, &mut connection, reason);
                outcome.must_send = true;
            }
        }
        let mut drained = false;
        while let Some(event) = connection.quic.poll_endpoint_events() {
            drained |= event.is_drained();
            if let Some(event) = self.endpoint.handle_event(handle, event) {
                connection.quic.handle_event(event);
            }
        }
        if drained {
            self.timers.disarm(handle.0);
            self.connection_count -= 1;
            return;
        }
        // A player's acknowledgements travel with the next tick's snapshot; everything else goes now.
        let can_wait = match &connection.session {
            Session::Playing(playing) if !outcome.must_send => {
                let host = self.hosts[playing.host].as_ref();
                host.is_some_and(|host| {
                    let next = host.schedule.deadline(host.game.tick() + 1);
                    host.is_running() && next <= now + ACK_HOLD
                })
            }
            _ => false,
        };
        self.connections[handle.0] = Some(connection);
        // What waits for the tick needs no timer either: the one that is set goes off early at the worst.
        if !can_wait {
            self.mark_dirty(handle);
        }
    }

    /// One event of QUIC.
    ///
    /// # Errors
    /// Why the connection must be closed.
    fn hear(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        connection: &mut Connection,
        event: Event,
        outcome: &mut Attended,
    ) -> Result<(), DisconnectReason> {
        match event {
            Event::HandshakeDataReady | Event::DatagramsUnblocked => {}
            Event::Connected => {
                outcome.must_send = true;
                if let Session::Handshaking { deadline, trust } = connection.session {
                    let reader = FrameReader::default();
                    connection.session = Session::Joining { deadline, stream: None, reader };
                    let address = connection.quic.remote_address().ip();
                    self.admission.succeed(now, trust, address)?;
                }
            }
            Event::ConnectionLost { reason } => self.lost(connection, handle, &reason),
            Event::DatagramReceived => {
                while let Some(datagram) = connection.quic.datagrams().recv() {
                    self.hear_datagram(now, connection, &datagram)?;
                }
            }
            Event::Stream(event) => {
                outcome.must_send = true;
                self.hear_stream(now, handle, connection, event)?;
            }
        }
        Ok(())
    }

    fn hear_datagram(
        &mut self,
        now: Instant,
        connection: &mut Connection,
        datagram: &[u8],
    ) -> Result<(), DisconnectReason> {
        let playing = match &mut connection.session {
            Session::Playing(playing) => playing,
            // What was on its way when the session ended.
            Session::Closing => return Ok(()),
            Session::Handshaking { .. } | Session::Joining { .. } => {
                return Err(DisconnectReason::UnexpectedMessage);
            }
        };
        playing.allowance.spend(now)?;
        if datagram.len() > CLIENT_DATAGRAM_BYTES_MAX {
            return Err(DisconnectReason::OversizedDatagram);
        }
        let decoded = ClientDatagram::<G::Input>::decode(datagram)
            .map_err(|_| DisconnectReason::MalformedDatagram)?;
        let Some(host) = &mut self.hosts[playing.host] else { return Ok(()) };
        let schedule = host.schedule;
        host.game.receive(playing.slot, &decoded, |tick| schedule.margin_100us(tick, now));
        // The match dropped it, if so: it names ticks of another history.
        let is_stale = decoded.epoch_low8 != host.game.epoch().0 as u8;
        self.stats.datagrams_stale += u64::from(is_stale);
        let counts = host.game.input_counts(playing.slot).unwrap_or_default();
        playing.allowance.check_refused(&counts)
    }

    fn hear_stream(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        connection: &mut Connection,
        event: StreamEvent,
    ) -> Result<(), DisconnectReason> {
        match event {
            StreamEvent::Opened { dir: Dir::Bi } => {
                while let Some(opened) = connection.quic.streams().accept(Dir::Bi) {
                    match &mut connection.session {
                        Session::Joining { stream: stream @ None, .. } => *stream = Some(opened),
                        Session::Closing => return Ok(()),
                        // The protocol has one stream; QUIC allows a second so that this is said.
                        _ => return Err(DisconnectReason::UnexpectedMessage),
                    }
                    self.read_stream(now, handle, connection, opened)?;
                }
            }
            StreamEvent::Readable { id } => self.read_stream(now, handle, connection, id)?,
            StreamEvent::Writable { id } => {
                if let Session::Playing(playing) = &mut connection.session
                    && playing.stream == id
                {
                    playing.outbox.flush(&mut connection.quic, id);
                }
            }
            StreamEvent::Opened { dir: Dir::Uni }
            | StreamEvent::Finished { .. }
            | StreamEvent::Stopped { .. }
            | StreamEvent::Available { .. } => {}
        }
        Ok(())
    }

    /// The connection is gone by itself: its player's place is held, or given up on a goodbye.
    fn lost(
        &mut self,
        connection: &mut Connection,
        handle: ConnectionHandle,
        why: &ConnectionError,
    ) {
        let reason = match why {
            ConnectionError::ApplicationClosed(close) => {
                DisconnectReason::from_code(close.error_code.into_inner())
                    .unwrap_or(DisconnectReason::ConnectionLost)
            }
            ConnectionError::TimedOut => DisconnectReason::IdleTimeout,
            ConnectionError::TransportError(_) => DisconnectReason::TransportViolation,
            _ => DisconnectReason::ConnectionLost,
        };
        self.end_session(handle, connection, reason);
    }

    /// Sends the peer away, with a reason it will read.
    pub(super) fn close(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        connection: &mut Connection,
        reason: DisconnectReason,
    ) {
        if matches!(connection.session, Session::Closing) {
            return;
        }
        let text = Bytes::from_static(reason.text().as_bytes());
        connection.quic.close(now, VarInt::from_u32(reason.code()), text);
        self.end_session(handle, connection, reason);
    }

    /// Sends the peer of a handle away.
    pub(super) fn dismiss(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        reason: DisconnectReason,
    ) {
        if let Some(mut connection) = self.connections.get_mut(handle.0).and_then(Option::take) {
            self.close(now, handle, &mut connection, reason);
            self.connections[handle.0] = Some(connection);
            self.mark_dirty(handle);
        }
    }

    /// The session is over, whoever ended it.
    fn end_session(
        &mut self,
        handle: ConnectionHandle,
        connection: &mut Connection,
        reason: DisconnectReason,
    ) {
        let session = std::mem::replace(&mut connection.session, Session::Closing);
        if matches!(session, Session::Closing) {
            return;
        }
        self.stats.count_disconnect(reason);
        if let Session::Handshaking { trust, .. } = session {
            self.admission.fail(trust);
        }
        let Session::Playing(playing) = session else { return };
        let Some(host) = &mut self.hosts[playing.host] else { return };
        let Slot(slot) = playing.slot;
        if host.sessions[usize::from(slot)] != Some(handle) {
            // A newer session of the same player has the place.
            return;
        }
        host.sessions[usize::from(slot)] = None;
        let match_id = host.game.spec().id;
        let player = playing.player;
        self.reports.push_back(ShardEvent::Disconnected { match_id, player, reason });
        host.last_disconnects[usize::from(slot)] = Some((playing.player, reason));
        host.game.disconnect(playing.slot);
        let gives_up = matches!(
            reason,
            DisconnectReason::Left | DisconnectReason::Kicked | DisconnectReason::Banned
        );
        if gives_up {
            self.vacate(playing.host, playing.slot);
        }
    }
}

/// What came of attending to a connection.
#[derive(Default)]
struct Attended {
    /// Something must go out before the next tick.
    must_send: bool,
}

#[cfg(test)]
mod tests;
