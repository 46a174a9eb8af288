//! What connections have to say: from QUIC's events to the players' sessions.

use std::time::Instant;

use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::limits::SERVER_MESSAGE_BYTES_MAX;
use quinn_proto::{ConnectionHandle, Event, StreamEvent};

use super::connection::{Link, ended};
use super::{ACK_HOLD, Core, LinkError, ProtocolError};

/// What came of listening to a connection.
#[derive(Default)]
struct Attended {
    /// Something must go out before the next input.
    must_send: bool,
    /// The connection ended, and why.
    ended: Option<LinkError>,
}

impl<G: Game> Core<G> {
    pub(super) fn mark_dirty(&mut self, handle: ConnectionHandle) {
        if let Some(Some(link)) = self.links.get_mut(handle.0)
            && !link.is_dirty
        {
            link.is_dirty = true;
            self.dirty.push_back(handle);
        }
    }

    /// Sets the connection's timer to what QUIC asks for.
    pub(super) fn rearm_link(&mut self, handle: ConnectionHandle) {
        if let Some(Some(link)) = self.links.get_mut(handle.0) {
            self.link_timers.arm(handle.0, link.quic.poll_timeout());
        }
    }

    /// Hears what QUIC has to say after something happened to a connection.
    pub(super) fn attend(&mut self, now: Instant, handle: ConnectionHandle) {
        let Some(mut link) = self.links.get_mut(handle.0).and_then(Option::take) else { return };
        let mut outcome = Attended::default();
        while let Some(event) = link.quic.poll() {
            if let Err(fault) = self.hear(now, handle, &mut link, event, &mut outcome) {
                link.close(now, DisconnectReason::MalformedMessage);
                outcome.must_send = true;
                outcome.ended = Some(LinkError::Protocol(fault));
            }
        }
        let mut drained = false;
        while let Some(event) = link.quic.poll_endpoint_events() {
            drained |= event.is_drained();
            if let Some(event) = self.endpoint.handle_event(handle, event) {
                link.quic.handle_event(event);
            }
        }
        let player = link.player;
        let can_wait = !outcome.must_send && self.input_is_near(now, &link);
        if outcome.ended.is_some() || drained {
            self.retire(handle, &mut link);
        }
        if drained {
            self.link_timers.disarm(handle.0);
            self.link_count -= 1;
        } else {
            self.links[handle.0] = Some(link);
            if can_wait {
                self.rearm_link(handle);
            } else {
                self.mark_dirty(handle);
            }
        }
        let Some(key) = player else { return };
        match outcome.ended {
            Some(why) => self.connection_ended(now, key, handle, why),
            None => self.note_recovery(now, key),
        }
        if self.player_has_news(key) {
            self.mark_ready(key);
        } else {
            self.rearm_player(key);
        }
    }

    fn player_has_news(&self, key: usize) -> bool {
        let player = self.players.get(key).and_then(Option::as_ref);
        player.is_some_and(|player| player.session.has_events())
    }

    /// A player's acknowledgements travel with the next input; everything else goes now.
    fn input_is_near(&self, now: Instant, link: &Link) -> bool {
        let player = link.player.and_then(|key| self.players[key].as_ref());
        let due = player.and_then(|player| player.session.next_due());
        link.plays() && due.is_some_and(|due| due <= now + ACK_HOLD)
    }

    /// Nobody listens to the connection any more; what passed over it is remembered.
    fn retire(&mut self, handle: ConnectionHandle, link: &mut Link) {
        link.has_ended();
        let Some(key) = link.player.take() else { return };
        let Some(Some(player)) = self.players.get_mut(key) else { return };
        player.stats.add(&link.stats());
        if player.current == Some(handle) {
            player.round_trip = link.quic.rtt();
        }
    }

    /// One event of QUIC.
    ///
    /// # Errors
    /// [`ProtocolError`]: the connection must be closed.
    fn hear(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        link: &mut Link,
        event: Event,
        outcome: &mut Attended,
    ) -> Result<(), ProtocolError> {
        match event {
            Event::HandshakeDataReady | Event::DatagramsUnblocked => {}
            Event::Connected => {
                outcome.must_send = true;
                link.open();
                self.note_join(now, handle, link);
            }
            Event::ConnectionLost { reason } => {
                // What the stream still holds was sent before the end: it counts.
                let heard = self.hear_messages(now, handle, link);
                outcome.ended = Some(ended(&reason));
                return heard;
            }
            Event::DatagramReceived => {
                while let Some(datagram) = link.quic.datagrams().recv() {
                    let Some(Some(player)) = link.player.map(|key| &mut self.players[key]) else {
                        continue;
                    };
                    // Only one connection at a time speaks for the match.
                    if player.current != Some(handle) || player.is_over {
                        continue;
                    }
                    if player.session.needs_round_trip() {
                        player.session.set_round_trip(link.quic.rtt());
                    }
                    player.session.handle_datagram(now, &datagram)?;
                }
            }
            Event::Stream(StreamEvent::Readable { .. }) => {
                outcome.must_send = true;
                self.hear_messages(now, handle, link)?;
            }
            Event::Stream(StreamEvent::Writable { .. }) => {
                outcome.must_send = true;
                link.flush();
            }
            Event::Stream(_) => {}
        }
        Ok(())
    }

    fn hear_messages(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        link: &mut Link,
    ) -> Result<(), ProtocolError> {
        link.read();
        let Some(key) = link.player else { return Ok(()) };
        while let Some(message) = link.reader.next(SERVER_MESSAGE_BYTES_MAX)? {
            let Some(Some(player)) = self.players.get_mut(key) else { return Ok(()) };
            if player.is_over {
                return Ok(());
            }
            // The first message of a connection says that it was let in.
            let takes_over = player.attempt == Some(handle);
            if takes_over {
                player.session.take_over(now, message)?;
                self.take_over(now, key, handle);
            } else {
                player.session.handle_message(now, message)?;
                player.settle(now);
            }
        }
        Ok(())
    }
}
