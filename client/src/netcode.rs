//! One player's side of a match, sans-IO: stream bytes, datagrams and `now` go in, datagrams and events
//! come out. Knows no socket and reads no clock; [`crate::transport`] puts QUIC around it.

mod clock;
mod views;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use matchkeep_shared::Game;
use matchkeep_shared::encoding::decode;
use matchkeep_shared::game::{Input, Outcome};
use matchkeep_shared::ids::{EntityId, Epoch, MatchId, PlayerId, Slot};
use matchkeep_shared::limits::{
    CLIENT_MESSAGE_BYTES_MAX, INPUTS_PER_DATAGRAM_MAX, SERVER_MESSAGE_BYTES_MAX,
};
use matchkeep_shared::schema::Entity;
use matchkeep_shared::time::{Tick, TickRate};
use matchkeep_shared::wire::client::ClientDatagram;
use matchkeep_shared::wire::codec::CodecId;
use matchkeep_shared::wire::frame::{FrameReader, write_frame};
use matchkeep_shared::wire::message::{
    ClientMessage, Credential, GameVersion, Join, ServerMessage,
};
use matchkeep_shared::wire::snapshot::InputFeedback;

use clock::TickClock;
use views::{Received, Views};

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

/// What a match tells its player.
#[derive(Debug)]
pub enum MatchEvent<G: Game> {
    /// The player is in.
    Joined(Box<Joined<G>>),
    /// A newer snapshot is there; see [`MatchSession::snapshot`].
    Snapshot(Tick),
    /// Time to make the input for this tick and hand it to [`MatchSession::push_input`].
    InputDue(Tick),
    /// Something happened in the match.
    Event {
        /// In the step of this tick.
        tick: Tick,
        /// What it was.
        event: G::Event,
    },
    /// The match was restarted: what is known beyond `to` did not happen.
    RolledBack {
        /// The newest tick seen before.
        from: Tick,
        /// The tick the match goes on from.
        to: Tick,
    },
    /// The match is over and its result is stored.
    Ended {
        /// The last tick.
        tick: Tick,
        /// How it ended.
        outcome: Outcome,
    },
}

/// What a player knows on joining.
#[derive(Clone, Debug)]
pub struct Joined<G: Game> {
    /// The match.
    pub match_id: MatchId,
    /// The player's account.
    pub player: PlayerId,
    /// The player's place.
    pub slot: Slot,
    /// How fast the match ticks.
    pub rate: TickRate,
    /// The steps made so far.
    pub tick: Tick,
    /// The game's configuration: the map and the like.
    pub config: G::Config,
}

/// What passed between this client and the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SessionCounts {
    /// Inputs made, one a tick.
    pub inputs_sent: u64,
    /// Snapshot datagrams received and decoded.
    pub snapshots_received: u64,
    /// Bytes of those.
    pub snapshot_bytes: u64,
    /// Snapshots dropped: of an old epoch, or against a baseline that is gone.
    pub snapshots_dropped: u64,
    /// Ticks of which the server said that their input was missing.
    pub inputs_substituted: u64,
}

/// One player in one match.
pub struct MatchSession<G: Game> {
    reader: FrameReader,
    state: State<G>,
    events: VecDeque<MatchEvent<G>>,
    counts: SessionCounts,
}

enum State<G: Game> {
    /// The join message is out.
    Joining,
    Playing(Box<Playing<G>>),
}

struct Playing<G: Game> {
    epoch: Epoch,
    codec: CodecId,
    views: Views,
    clock: TickClock,
    /// The newest inputs, newest first.
    inputs: VecDeque<G::Input>,
    /// The tick of the newest input.
    newest_input: Option<Tick>,
}

impl<G: Game> Default for MatchSession<G> {
    fn default() -> Self {
        Self {
            reader: FrameReader::default(),
            state: State::Joining,
            events: VecDeque::new(),
            counts: SessionCounts::default(),
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

fn frame(message: &ClientMessage) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_frame(message, CLIENT_MESSAGE_BYTES_MAX, &mut bytes)
        .expect("a client's messages are shorter than a frame");
    bytes
}

impl<G: Game> MatchSession<G> {
    /// Bytes of the stream arrived.
    ///
    /// # Errors
    /// [`ProtocolError`]: close the connection.
    pub fn handle_stream(&mut self, now: Instant, bytes: &[u8]) -> Result<(), ProtocolError> {
        self.reader.extend(bytes);
        while let Some(message) = self.reader.next(SERVER_MESSAGE_BYTES_MAX)? {
            let message = ServerMessage::decode(message)?;
            match (message, &mut self.state) {
                (ServerMessage::Welcome(welcome), State::Joining) => {
                    let config =
                        decode::<G::Config, SERVER_MESSAGE_BYTES_MAX>("config", &welcome.config)?;
                    self.state = State::Playing(Box::new(Playing {
                        epoch: welcome.epoch,
                        codec: welcome.codec,
                        views: Views::new(welcome.tick),
                        clock: TickClock::new(welcome.rate, welcome.tick, now),
                        inputs: VecDeque::with_capacity(INPUTS_PER_DATAGRAM_MAX + 1),
                        newest_input: None,
                    }));
                    self.events.push_back(MatchEvent::Joined(Box::new(Joined {
                        match_id: welcome.match_id,
                        player: welcome.player,
                        slot: welcome.slot,
                        rate: welcome.rate,
                        tick: welcome.tick,
                        config,
                    })));
                }
                (ServerMessage::Event { epoch, tick, event }, State::Playing(playing)) => {
                    if epoch >= playing.epoch {
                        let before = playing.views.newest().map(|(newest, _)| newest);
                        playing.enter_epoch(epoch, before, tick, &mut self.events);
                        let event = decode::<G::Event, SERVER_MESSAGE_BYTES_MAX>("event", &event)?;
                        self.events.push_back(MatchEvent::Event { tick, event });
                    }
                }
                (ServerMessage::Ended { epoch, tick, outcome }, State::Playing(playing)) => {
                    if epoch >= playing.epoch {
                        self.events.push_back(MatchEvent::Ended { tick, outcome });
                    }
                }
                (ServerMessage::Welcome(_), State::Playing(_)) => {
                    return Err(ProtocolError::Unexpected("a second welcome"));
                }
                (ServerMessage::Token(_) | ServerMessage::Resumed { .. }, State::Playing(_)) => {}
                (_, State::Joining) => {
                    return Err(ProtocolError::Unexpected("something before the welcome"));
                }
            }
        }
        Ok(())
    }

    /// A datagram arrived.
    ///
    /// # Errors
    /// [`ProtocolError`]: close the connection.
    pub fn handle_datagram(&mut self, now: Instant, bytes: &[u8]) -> Result<(), ProtocolError> {
        // The welcome may still be on its way; the snapshots before it cannot be used.
        let State::Playing(playing) = &mut self.state else { return Ok(()) };
        let before = playing.views.newest().map(|(newest, _)| newest);
        match playing.views.receive(G::Entity::KINDS, playing.codec, playing.epoch, bytes)? {
            Received::Newer { tick, epoch, feedback } => {
                playing.enter_epoch(epoch, before, tick, &mut self.events);
                self.counts.snapshots_received += 1;
                self.counts.snapshot_bytes += bytes.len() as u64;
                self.counts.inputs_substituted += u64::from(feedback.substituted & 1);
                let has_input = playing.newest_input.is_some();
                playing.clock.observe(tick, now, has_input.then_some(feedback));
                self.events.push_back(MatchEvent::Snapshot(tick));
            }
            Received::Older => {
                self.counts.snapshots_received += 1;
                self.counts.snapshot_bytes += bytes.len() as u64;
            }
            Received::Dropped => self.counts.snapshots_dropped += 1,
        }
        Ok(())
    }

    /// Tells the session how long a packet takes there and back, as the transport measured it.
    pub fn set_round_trip(&mut self, round_trip: Duration) {
        if let State::Playing(playing) = &mut self.state {
            playing.clock.set_round_trip(round_trip);
        }
    }

    /// The next thing that happened, or an input that is due.
    pub fn poll_event(&mut self, now: Instant) -> Option<MatchEvent<G>> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        let State::Playing(playing) = &mut self.state else { return None };
        playing.clock.poll_due(now).map(MatchEvent::InputDue)
    }

    /// When the next input is due, as far as is known.
    pub fn next_due(&self) -> Option<Instant> {
        match &self.state {
            State::Playing(playing) => playing.clock.next_due(),
            State::Joining => None,
        }
    }

    /// The input that was due: the datagram to send is appended to `out`.
    pub fn push_input(&mut self, tick: Tick, input: G::Input, out: &mut Vec<u8>) {
        let State::Playing(playing) = &mut self.state else { return };
        // A datagram's inputs are of neighbouring ticks: where some were left out, the one before counts
        // for them, without its presses.
        let gap = playing.newest_input.map_or(1, |newest| tick.since(newest));
        if gap < 1 {
            return;
        }
        for _ in 1..gap.min(INPUTS_PER_DATAGRAM_MAX as i64) {
            if let Some(before) = playing.inputs.front().copied() {
                playing.inputs.push_front(before.held());
            }
        }
        playing.inputs.push_front(input);
        playing.inputs.truncate(INPUTS_PER_DATAGRAM_MAX);
        playing.newest_input = Some(tick);
        self.counts.inputs_sent += 1;
        let inputs = playing.inputs.make_contiguous();
        ClientDatagram::new(playing.epoch, playing.views.ack(), tick, inputs).encode(out);
    }

    /// The newest snapshot's tick and entities; `None` before the first one.
    pub fn snapshot(&self) -> Option<(Tick, impl Iterator<Item = (EntityId, G::Entity)> + '_)> {
        let State::Playing(playing) = &self.state else { return None };
        let (tick, view) = playing.views.newest()?;
        let entities = view.iter(G::Entity::KINDS);
        let entities =
            entities.filter_map(|(id, kind, fields)| Some((id, G::Entity::read(kind, fields)?)));
        Some((tick, entities))
    }

    /// What passed so far.
    pub fn counts(&self) -> SessionCounts {
        self.counts
    }
}

impl<G: Game> Playing<G> {
    /// Goes over to a higher epoch: what was known of the old one beyond its end did not happen.
    fn enter_epoch(
        &mut self,
        epoch: Epoch,
        newest: Option<Tick>,
        tick: Tick,
        events: &mut VecDeque<MatchEvent<G>>,
    ) {
        if epoch <= self.epoch {
            return;
        }
        let from = newest.unwrap_or(tick);
        self.epoch = epoch;
        self.views.forget_other_epochs(epoch);
        self.inputs.clear();
        self.newest_input = None;
        self.clock.restart(tick);
        events.retain(|event| !matches!(event, MatchEvent::Snapshot(_)));
        events.push_back(MatchEvent::RolledBack { from, to: tick });
    }
}

/// What the feedback in a snapshot says, for whoever steers the clock.
type Feedback = InputFeedback;
