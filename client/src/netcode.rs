//! One player's side of a match, sans-IO: stream bytes, datagrams and `now` go in, datagrams and events
//! come out. Knows no socket and reads no clock; [`crate::link`] puts QUIC around it.

mod clock;
mod event;
mod playing;
mod views;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use matchkeep_shared::Game;
use matchkeep_shared::encoding::decode;
use matchkeep_shared::ids::{EntityId, Epoch, Slot};
use matchkeep_shared::limits::{CLIENT_MESSAGE_BYTES_MAX, SERVER_MESSAGE_BYTES_MAX};
use matchkeep_shared::schema::Entity;
use matchkeep_shared::time::{Tick, TickRate};
use matchkeep_shared::wire::codec::CodecId;
use matchkeep_shared::wire::frame::{FrameReader, write_frame};
use matchkeep_shared::wire::message::{
    ClientMessage, Credential, GameVersion, Join, ServerMessage, Welcome,
};

pub use event::{Joined, MatchEvent, SessionCounts, SnapshotInfo};

use playing::Playing;

/// Something a server sent that is none of the protocol. The connection is of no use any more.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    /// A stream message that does not decode.
    #[error("the server sent a message that cannot be decoded: {0}")]
    Message(#[from] matchkeep_shared::encoding::DecodeError),
    /// A stream message above the limit.
    #[error("the server sent {0}")]
    Oversized(#[from] matchkeep_shared::wire::frame::Oversized),
    /// A message that has no place here.
    #[error("the server sent a message out of place: {0}")]
    Unexpected(&'static str),
    /// A snapshot that does not decode.
    #[error("the server sent a {0}")]
    Snapshot(#[from] matchkeep_shared::wire::Malformed),
}

/// One player in one match, over one connection after the other.
pub struct MatchSession<G: Game> {
    reader: FrameReader,
    /// Whether the connection's first message, its welcome, is there.
    welcomed: bool,
    playing: Option<Box<Playing<G>>>,
    events: VecDeque<MatchEvent<G>>,
    counts: SessionCounts,
    has_ended: bool,
}

impl<G: Game> Default for MatchSession<G> {
    fn default() -> Self {
        Self {
            reader: FrameReader::default(),
            welcomed: false,
            playing: None,
            events: VecDeque::new(),
            counts: SessionCounts::default(),
            has_ended: false,
        }
    }
}

/// The bytes a client writes into its stream first.
pub fn join_message<G: Game>(credential: Credential) -> Vec<u8> {
    let game = GameVersion::of::<G>();
    let join = Join { game, codecs: vec![CodecId::PLAIN], credential };
    frame(&ClientMessage::Join(join))
}

/// The bytes that say goodbye; the place is given up.
pub fn leave_message() -> Vec<u8> {
    frame(&ClientMessage::Leave)
}

/// The bytes that show a newer token of the identity provider.
pub fn identity_message(token: String) -> Vec<u8> {
    frame(&ClientMessage::Identity { token })
}

fn frame(message: &ClientMessage) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_frame(message, CLIENT_MESSAGE_BYTES_MAX, &mut bytes)
        .expect("a client's messages are shorter than a frame");
    bytes
}

impl<G: Game> MatchSession<G> {
    /// A new connection takes over: the next message is its welcome, and what it says of the match that is
    /// played goes on from what is known.
    pub fn begin_connection(&mut self) {
        self.reader = FrameReader::default();
        self.welcomed = false;
    }

    /// A second connection takes over with this message, its welcome; where it is none, the match goes on
    /// over the one before. For those who cut streams into messages themselves.
    ///
    /// # Errors
    /// [`ProtocolError`]: close the second connection.
    pub fn take_over(&mut self, now: Instant, welcome: &[u8]) -> Result<(), ProtocolError> {
        let before = std::mem::replace(&mut self.welcomed, false);
        let taken = self.handle_message(now, welcome);
        if taken.is_err() {
            self.welcomed = before;
        }
        taken
    }

    /// Bytes of the stream arrived.
    ///
    /// # Errors
    /// [`ProtocolError`]: close the connection.
    pub fn handle_stream(&mut self, now: Instant, bytes: &[u8]) -> Result<(), ProtocolError> {
        let mut reader = std::mem::take(&mut self.reader);
        reader.extend(bytes);
        let mut taken = Ok(());
        while taken.is_ok()
            && let Some(message) = reader.next(SERVER_MESSAGE_BYTES_MAX)?
        {
            taken = self.handle_message(now, message);
        }
        self.reader = reader;
        taken
    }

    /// A whole message of the stream arrived, for those who cut it into messages themselves.
    ///
    /// # Errors
    /// [`ProtocolError`]: close the connection.
    pub fn handle_message(&mut self, now: Instant, bytes: &[u8]) -> Result<(), ProtocolError> {
        let message = ServerMessage::decode(bytes)?;
        let message = match message {
            ServerMessage::Welcome(welcome) => return self.enter(now, welcome),
            message => message,
        };
        let playing = self.playing.as_mut().filter(|_| self.welcomed);
        let playing = playing.ok_or(ProtocolError::Unexpected("something before the welcome"))?;
        match message {
            ServerMessage::Event { epoch, tick, event } if epoch == playing.epoch => {
                let event = decode::<G::Event, SERVER_MESSAGE_BYTES_MAX>("event", &event)?;
                self.events.push_back(MatchEvent::Event { tick, event });
            }
            ServerMessage::Ended { epoch, tick, outcome } if epoch == playing.epoch => {
                self.has_ended = true;
                self.events.push_back(MatchEvent::Ended { tick, outcome });
            }
            // Of another epoch: what it says did not happen.
            ServerMessage::Event { .. } | ServerMessage::Ended { .. } => {}
            ServerMessage::Token(token) => playing.token = token,
            ServerMessage::Notice { text } => self.events.push_back(MatchEvent::Notice(text)),
            ServerMessage::Resumed { epoch, tick } => {
                playing.enter_epoch(epoch, tick, &mut self.events, &mut self.counts);
            }
            ServerMessage::Welcome(_) => {}
        }
        Ok(())
    }

    fn enter(&mut self, now: Instant, welcome: Welcome) -> Result<(), ProtocolError> {
        if std::mem::replace(&mut self.welcomed, true) {
            return Err(ProtocolError::Unexpected("a second welcome"));
        }
        let Some(playing) = &mut self.playing else {
            self.events.push_back(Self::joined(&welcome)?);
            self.playing = Some(Box::new(Playing::new(now, welcome)));
            return Ok(());
        };
        if welcome.match_id != playing.match_id {
            return Err(ProtocolError::Unexpected("a welcome to another match"));
        }
        if welcome.epoch < playing.epoch {
            return Err(ProtocolError::Unexpected("a welcome to an epoch that is over"));
        }
        let joined = match welcome.slot == playing.slot {
            true => None,
            // The place was lost, and this is another one.
            false => Some(Self::joined(&welcome)?),
        };
        playing.come_back(now, welcome, &mut self.events, &mut self.counts);
        self.events.extend(joined);
        Ok(())
    }

    fn joined(welcome: &Welcome) -> Result<MatchEvent<G>, ProtocolError> {
        let config = decode::<G::Config, SERVER_MESSAGE_BYTES_MAX>("config", &welcome.config)?;
        Ok(MatchEvent::Joined(Box::new(Joined {
            match_id: welcome.match_id,
            player: welcome.player,
            slot: welcome.slot,
            rate: welcome.rate,
            tick: welcome.tick,
            config,
        })))
    }

    /// A datagram arrived.
    ///
    /// # Errors
    /// [`ProtocolError`]: close the connection.
    pub fn handle_datagram(&mut self, now: Instant, bytes: &[u8]) -> Result<(), ProtocolError> {
        // The welcome may still be on its way; the snapshots before it cannot be used.
        let Some(playing) = self.playing.as_mut().filter(|_| self.welcomed) else { return Ok(()) };
        playing.receive(now, bytes, &mut self.events, &mut self.counts)
    }

    /// Nothing was heard for too long, or the connection ended, and a way back is being tried. The game is
    /// told, once, until snapshots come again.
    pub fn interrupt(&mut self) {
        if let Some(playing) = &mut self.playing {
            playing.interrupt(&mut self.events, &mut self.counts);
        }
    }

    /// Whether a round trip as the transport measures it would be of use to the session now.
    pub fn needs_round_trip(&self) -> bool {
        self.playing.as_ref().is_some_and(|playing| playing.clock.needs_round_trip())
    }

    /// Tells the session how long a packet takes there and back, as the transport measured it.
    pub fn set_round_trip(&mut self, round_trip: Duration) {
        if let Some(playing) = &mut self.playing {
            playing.clock.set_round_trip(round_trip);
        }
    }

    /// The next thing that happened, or an input that is due.
    pub fn poll_event(&mut self, now: Instant) -> Option<MatchEvent<G>> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        self.playing.as_mut()?.poll_due(now).map(MatchEvent::InputDue)
    }

    /// Whether something happened that was not polled yet.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// When the next input is due, as far as is known.
    pub fn next_due(&self) -> Option<Instant> {
        self.playing.as_ref()?.next_due()
    }

    /// The input that was due: the datagram to send is appended to `out`.
    pub fn push_input(&mut self, tick: Tick, input: G::Input, out: &mut Vec<u8>) {
        let Some(playing) = &mut self.playing else { return };
        if playing.push_input(tick, input, out) {
            self.counts.inputs_sent += 1;
        }
    }

    /// The newest snapshot's tick and entities; `None` before the first one.
    pub fn snapshot(&self) -> Option<(Tick, impl Iterator<Item = (EntityId, G::Entity)> + '_)> {
        let (tick, view) = self.playing.as_ref()?.views.newest()?;
        let entities = view.iter(G::Entity::KINDS);
        let entities =
            entities.filter_map(|(id, kind, fields)| Some((id, G::Entity::read(kind, fields)?)));
        Some((tick, entities))
    }

    /// What the newest snapshot's head said; `None` before the first one.
    pub fn newest(&self) -> Option<SnapshotInfo> {
        self.playing.as_ref()?.newest
    }

    /// All up to this tick was durable when the newest snapshot was sent; `None` where that is not known.
    pub fn durable_tick(&self) -> Option<Tick> {
        self.newest()?.durable
    }

    /// The highest durable tick that any snapshot named: no restart may ever go back beyond it.
    pub fn durable_tick_highest(&self) -> Option<Tick> {
        self.playing.as_ref()?.durable_highest
    }

    /// When the server last showed that the match is alive: a welcome, a newer snapshot, the same one of a
    /// match that stands still, or one of an epoch that we are yet to be told of. `None` before the first.
    pub fn last_sign_of_life(&self) -> Option<Instant> {
        self.playing.as_ref().map(|playing| playing.heard)
    }

    /// Whether nothing was heard for a while and snapshots are yet to come again.
    pub fn is_interrupted(&self) -> bool {
        self.playing.as_ref().is_some_and(|playing| playing.is_interrupted())
    }

    /// What brings the player back to the place; the newest one given.
    pub fn token(&self) -> Option<&[u8]> {
        self.playing.as_ref().map(|playing| playing.token.as_slice())
    }

    /// For how long the place is held for a player who lost the connection.
    pub fn hold(&self) -> Option<Duration> {
        self.playing.as_ref().map(|playing| playing.hold)
    }

    /// The match's tick rate, once known.
    pub fn rate(&self) -> Option<TickRate> {
        self.playing.as_ref().map(|playing| playing.rate)
    }

    /// The match's epoch as far as is known: inputs are for its ticks.
    pub fn epoch(&self) -> Option<Epoch> {
        self.playing.as_ref().map(|playing| playing.epoch)
    }

    /// The player's place, once known.
    pub fn slot(&self) -> Option<Slot> {
        self.playing.as_ref().map(|playing| playing.slot)
    }

    /// Whether the result of the match was told.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// What passed so far.
    pub fn counts(&self) -> SessionCounts {
        self.counts
    }
}
