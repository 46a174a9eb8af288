//! A server that keeps to a script: it lets players in, sends empty snapshots, and goes away when told to.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use matchkeep_shared::arena::{Arena, ArenaConfig};
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::encoding::encode;
use matchkeep_shared::game::{Game, MapSource, ModeSpec};
use matchkeep_shared::ids::{Epoch, MatchId, PlayerId, Slot};
use matchkeep_shared::limits::{CLIENT_MESSAGE_BYTES_MAX, SERVER_MESSAGE_BYTES_MAX};
use matchkeep_shared::time::{Tick, TickRate};
use matchkeep_shared::wire::ALPN_MATCH;
use matchkeep_shared::wire::bits::BitWriter;
use matchkeep_shared::wire::codec::CodecId;
use matchkeep_shared::wire::frame::{FrameReader, write_frame};
use matchkeep_shared::wire::message::{ClientMessage, Credential, ServerMessage, Welcome};
use matchkeep_shared::wire::plain;
use matchkeep_shared::wire::snapshot::{InputFeedback, SnapshotHead};
use quinn_proto::crypto::rustls::QuicServerConfig;
use quinn_proto::{
    ConnectionHandle, DatagramEvent, Dir, Endpoint, Event, ServerConfig, StreamEvent, StreamId,
    VarInt,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::link::{Place, endpoint_config};
use crate::transport::Fingerprint;
use crate::transport::tuning::{Side, transport_config};

pub(super) const MATCH: MatchId = MatchId(7);
pub(super) const HOLD: Duration = Duration::from_secs(10);

struct Keys {
    config: Arc<ServerConfig>,
    fingerprint: Fingerprint,
}

fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let made = rcgen::generate_simple_self_signed(vec!["matchkeep".into()]);
        let made = made.expect("a certificate is made");
        let certificate = made.cert.der().clone();
        let fingerprint = Fingerprint::of(&certificate);
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider has TLS 1.3");
        let mut tls = tls
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("key and certificate belong together");
        tls.alpn_protocols = vec![ALPN_MATCH.to_vec()];
        let crypto = QuicServerConfig::try_from(tls).expect("TLS 1.3");
        let mut config = ServerConfig::with_crypto(Arc::new(crypto));
        config.transport_config(transport_config(Side::Server));
        Keys { config: Arc::new(config), fingerprint }
    })
}

fn config() -> &'static Vec<u8> {
    static CONFIG: OnceLock<Vec<u8>> = OnceLock::new();
    CONFIG.get_or_init(|| {
        let map = Some(MapSource::Named("duel"));
        let rules = toml::Table::new();
        let mode = ModeSpec { players_max: 4, players_min: 1, teams: 0, map, rules: &rules };
        let config: ArenaConfig = Arena::configure(&mode).expect("sound");
        encode(&config)
    })
}

/// One connection, as the server sees it.
struct Peer {
    quic: quinn_proto::Connection,
    remote: SocketAddr,
    stream: Option<StreamId>,
    reader: FrameReader,
}

/// The server.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    endpoint: Endpoint,
    peers: Vec<Option<Peer>>,
    /// Who has the place.
    seat: Option<ConnectionHandle>,
    pub(super) epoch: Epoch,
    pub(super) tick: Tick,
    pub(super) resumed: Tick,
    pub(super) paused: bool,
    pub(super) slot: Slot,
    pub(super) durable_lag: Option<u32>,
    /// Sends no snapshots, but QUIC answers.
    pub(super) mute: bool,
    /// What joins are answered with instead of a welcome.
    pub(super) refusal: Option<DisconnectReason>,
    /// The credentials that came, in order.
    pub(super) credentials: Vec<Credential>,
    next_tick: Instant,
    seed: u64,
}

impl Server {
    pub(super) fn new(now: Instant, address: SocketAddr) -> Self {
        let mut server = Self {
            address,
            endpoint: endpoint(1),
            peers: Vec::new(),
            seat: None,
            epoch: Epoch(1),
            tick: Tick(100),
            resumed: Tick(0),
            paused: false,
            slot: Slot(2),
            durable_lag: None,
            mute: false,
            refusal: None,
            credentials: Vec::new(),
            next_tick: now,
            seed: 1,
        };
        server.next_tick = now + server.rate().period();
        server
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        keys().fingerprint
    }

    fn rate(&self) -> TickRate {
        TickRate::default()
    }

    /// The place that the lobby assigns, with this ticket.
    pub(super) fn place(&self, ticket: &[u8]) -> Place {
        Place {
            match_id: MATCH,
            address: self.address,
            fingerprint: self.fingerprint(),
            ticket: ticket.to_vec(),
        }
    }

    /// Another process, which goes on from `resumed` and knows nothing of the connections before.
    pub(super) fn restart(&mut self, now: Instant, resumed: Tick) {
        self.seed += 1;
        self.endpoint = endpoint(self.seed);
        self.peers.clear();
        self.seat = None;
        self.epoch = Epoch(self.epoch.0 + 1);
        (self.tick, self.resumed) = (resumed, resumed);
        self.next_tick = now + self.rate().period();
    }

    /// The same process restarts the match alone, and tells its player so.
    pub(super) fn resume_in_place(&mut self, resumed: Tick) {
        self.epoch = Epoch(self.epoch.0 + 1);
        (self.tick, self.resumed) = (resumed, resumed);
        self.say(&ServerMessage::Resumed { epoch: self.epoch, tick: resumed });
    }

    /// Raises the epoch and says nothing of it.
    pub(super) fn resume_silently(&mut self) {
        self.epoch = Epoch(self.epoch.0 + 1);
    }

    /// Sends the player who has the place away.
    pub(super) fn dismiss(&mut self, now: Instant, reason: DisconnectReason) {
        if let Some(handle) = self.seat.take() {
            self.close(now, handle, reason);
        }
    }

    /// Whether somebody has the place.
    pub(super) fn is_seated(&self) -> bool {
        self.seat.is_some()
    }

    /// Says something on the player's stream.
    pub(super) fn say(&mut self, message: &ServerMessage) {
        let Some(handle) = self.seat else { return };
        let Some(Some(peer)) = self.peers.get_mut(handle.0) else { return };
        let mut frame = Vec::new();
        write_frame(message, SERVER_MESSAGE_BYTES_MAX, &mut frame).expect("it fits");
        let stream = peer.stream.expect("whoever is seated has a stream");
        let written = peer.quic.send_stream(stream).write(&frame).expect("the window is wide");
        assert_eq!(written, frame.len());
    }

    fn close(&mut self, now: Instant, handle: ConnectionHandle, reason: DisconnectReason) {
        if let Some(Some(peer)) = self.peers.get_mut(handle.0) {
            peer.quic.close(now, VarInt::from_u32(reason.code()), Bytes::new());
        }
    }

    pub(super) fn next_wake(&mut self) -> Instant {
        let peers = self.peers.iter_mut().flatten();
        let quic = peers.filter_map(|peer| peer.quic.poll_timeout()).min();
        quic.map_or(self.next_tick, |at| at.min(self.next_tick))
    }

    pub(super) fn handle_timeouts(&mut self, now: Instant) {
        for index in 0..self.peers.len() {
            if let Some(peer) = &mut self.peers[index]
                && peer.quic.poll_timeout().is_some_and(|at| at <= now)
            {
                peer.quic.handle_timeout(now);
                self.attend(now, ConnectionHandle(index));
            }
        }
        while self.next_tick <= now {
            self.next_tick += self.rate().period();
            if !self.paused {
                self.tick = self.tick + 1;
            }
            self.send_snapshot();
        }
    }

    fn send_snapshot(&mut self) {
        let Some(handle) = self.seat.filter(|_| !self.mute) else { return };
        let head = SnapshotHead {
            epoch_low8: self.epoch.0 as u8,
            tick_low16: self.tick.low16(),
            baseline_age: None,
            feedback: InputFeedback::default(),
            durable_lag: self.durable_lag,
            paused: self.paused,
            state_hash: Some(self.tick.0),
        };
        let mut bytes = Vec::new();
        let mut writer = BitWriter::new(&mut bytes);
        head.encode(&mut writer);
        plain::write_end(&mut writer);
        writer.finish();
        if let Some(Some(peer)) = self.peers.get_mut(handle.0) {
            // On a connection that ended it is lost.
            let _ = peer.quic.datagrams().send(bytes.into(), true);
        }
    }

    pub(super) fn handle_datagram(&mut self, now: Instant, remote: SocketAddr, data: BytesMut) {
        let mut response = Vec::new();
        match self.endpoint.handle(now, remote, None, None, data, &mut response) {
            Some(DatagramEvent::NewConnection(incoming)) => {
                let Ok((handle, quic)) = self.endpoint.accept(incoming, now, &mut response, None)
                else {
                    return;
                };
                if self.peers.len() <= handle.0 {
                    self.peers.resize_with(handle.0 + 1, || None);
                }
                let peer = Peer { quic, remote, stream: None, reader: FrameReader::default() };
                self.peers[handle.0] = Some(peer);
                self.attend(now, handle);
            }
            Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                if let Some(Some(peer)) = self.peers.get_mut(handle.0) {
                    peer.quic.handle_event(event);
                    self.attend(now, handle);
                }
            }
            Some(DatagramEvent::Response(_)) | None => {}
        }
    }

    fn attend(&mut self, now: Instant, handle: ConnectionHandle) {
        let Some(mut peer) = self.peers[handle.0].take() else { return };
        let mut joins = Vec::new();
        while let Some(event) = peer.quic.poll() {
            match event {
                Event::Stream(StreamEvent::Opened { dir: Dir::Bi }) => {
                    peer.stream = peer.quic.streams().accept(Dir::Bi);
                    joins.extend(peer.read());
                }
                Event::Stream(StreamEvent::Readable { .. }) => joins.extend(peer.read()),
                Event::DatagramReceived => while peer.quic.datagrams().recv().is_some() {},
                Event::ConnectionLost { .. } if self.seat == Some(handle) => self.seat = None,
                _ => {}
            }
        }
        let mut drained = false;
        while let Some(event) = peer.quic.poll_endpoint_events() {
            drained |= event.is_drained();
            if let Some(event) = self.endpoint.handle_event(handle, event) {
                peer.quic.handle_event(event);
            }
        }
        self.peers[handle.0] = Some(peer);
        for join in joins {
            self.join(now, handle, join);
        }
        if drained {
            self.peers[handle.0] = None;
        }
    }

    fn join(&mut self, now: Instant, handle: ConnectionHandle, credential: Credential) {
        self.credentials.push(credential);
        if let Some(reason) = self.refusal {
            return self.close(now, handle, reason);
        }
        let older = self.seat.replace(handle);
        self.say(&ServerMessage::Welcome(Welcome {
            match_id: MATCH,
            player: PlayerId(1),
            slot: self.slot,
            epoch: self.epoch,
            tick: self.tick,
            resumed: self.resumed,
            rate: self.rate(),
            codec: CodecId::PLAIN,
            hold_ms: HOLD.as_millis() as u32,
            token: format!("token {}", self.epoch.0).into_bytes(),
            config: config().clone(),
        }));
        if let Some(older) = older {
            self.close(now, older, DisconnectReason::Replaced);
        }
    }

    /// Packets to send, and where to.
    pub(super) fn poll_transmit(&mut self, now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut packets = Vec::new();
        for peer in self.peers.iter_mut().flatten() {
            let mut buffer = Vec::new();
            while let Some(transmit) = peer.quic.poll_transmit(now, 1, &mut buffer) {
                packets.push((peer.remote, buffer[..transmit.size].to_vec()));
                buffer.clear();
            }
        }
        packets
    }
}

impl Peer {
    fn read(&mut self) -> Vec<Credential> {
        let Some(stream) = self.stream else { return Vec::new() };
        let mut receive = self.quic.recv_stream(stream);
        if let Ok(mut chunks) = receive.read(true) {
            while let Ok(Some(chunk)) = chunks.next(usize::MAX) {
                self.reader.extend(&chunk.bytes);
            }
            let _ = chunks.finalize();
        }
        let mut joins = Vec::new();
        while let Some(message) = self.reader.next(CLIENT_MESSAGE_BYTES_MAX).expect("within bounds")
        {
            match ClientMessage::decode(message).expect("a message") {
                ClientMessage::Join(join) => joins.push(join.credential),
                ClientMessage::Leave | ClientMessage::Identity { .. } => {}
            }
        }
        joins
    }
}

fn endpoint(seed: u64) -> Endpoint {
    let config = Arc::new(endpoint_config(Some(1000 + seed)));
    Endpoint::new(config, Some(Arc::clone(&keys().config)), true, None)
}
