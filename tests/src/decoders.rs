//! Every decoder of bytes from strangers and from files, each as a function of bytes alone. Fuzzers, corpora and
//! property tests call them; a decoder passes when it returns.
//!
//! Each also says what must hold of what it accepts: it encodes again, and to what it was.

mod content;
mod journal;
mod session;

use std::sync::OnceLock;
use std::time::Duration;

use matchkeep_client::bots::recording::Recording;
use matchkeep_server::tickets::{TicketVerifier, VerifyingKey};
use matchkeep_shared::Game;
use matchkeep_shared::arena::{Arena, ArenaConfig, ArenaEvent, ArenaInput, Map};
use matchkeep_shared::encoding::{decode, encode};
use matchkeep_shared::limits::{CLIENT_MESSAGE_BYTES_MAX, SERVER_MESSAGE_BYTES_MAX};
use matchkeep_shared::schema::{Entity, Kind};
use matchkeep_shared::ticket::{SIGNING_CONTEXT, is_player_name};
use matchkeep_shared::time::TickRate;
use matchkeep_shared::wire::bits::BitReader;
use matchkeep_shared::wire::client::ClientDatagram;
use matchkeep_shared::wire::codec::{CodecId, View, decode_entities};
use matchkeep_shared::wire::frame::FrameReader;
use matchkeep_shared::wire::lobby::{LobbyMessage, LobbyRequest};
use matchkeep_shared::wire::message::{ClientMessage, ServerMessage};
use matchkeep_shared::wire::snapshot::SnapshotHead;
use ring::signature::{Ed25519KeyPair, KeyPair};

use crate::samples;
pub use content::{
    FRAME_PLACES, journal_checkpoint, journal_frames, journal_header, journal_incident,
    journal_result,
};
pub use journal::{checksum, journal_page, journal_record, journal_script};
pub use session::{script, session};

/// A decoder: passes when it returns.
pub type Decoder = fn(&[u8]);

/// Every decoder, by the name its fuzz target and its corpus have.
pub const DECODERS: &[(&str, Decoder)] = &[
    ("client_datagram", client_datagram),
    ("snapshot", snapshot),
    ("client_message", client_message),
    ("server_message", server_message),
    ("lobby_request", lobby_request),
    ("lobby_message", lobby_message),
    ("frames", frames),
    ("ticket", ticket),
    ("session", session),
    ("event", event),
    ("config", config),
    ("recording", recording),
    ("map", map),
    ("journal_record", journal_record),
    ("journal_page", journal_page),
    ("journal_header", journal_header),
    ("journal_frames", journal_frames),
    ("journal_checkpoint", journal_checkpoint),
    ("journal_incident", journal_incident),
    ("journal_result", journal_result),
];

/// A client's datagram, as a shard reads it. What is accepted is never longer than it must be by more than
/// inputs that are repeated in full.
pub fn client_datagram(bytes: &[u8]) {
    if let Ok(datagram) = ClientDatagram::<ArenaInput>::decode(bytes) {
        let mut again = Vec::new();
        datagram.encode(&mut again);
        assert!(again.len() <= bytes.len());
        let read = ClientDatagram::<ArenaInput>::decode(&again);
        assert_eq!(read.expect("what was accepted is accepted"), datagram);
    }
}

const KINDS: &[Kind] = <Arena as Game>::Entity::KINDS;

/// A snapshot, as a client reads it: once against nothing and once against what it may hold.
pub fn snapshot(bytes: &[u8]) {
    static BASELINE: OnceLock<View> = OnceLock::new();
    let baseline = BASELINE.get_or_init(|| {
        let mut view = View::default();
        decode_view(&samples::snapshots()[0], None, &mut view);
        assert!(!view.is_empty(), "a sample is valid");
        view
    });
    let mut view = View::default();
    decode_view(bytes, None, &mut view);
    decode_view(bytes, Some(baseline), &mut view);
}

fn decode_view(bytes: &[u8], baseline: Option<&View>, view: &mut View) {
    let mut reader = BitReader::new(bytes);
    let Ok(_) = SnapshotHead::decode(&mut reader) else { return };
    if decode_entities(CodecId::PLAIN, KINDS, reader, baseline, view).is_ok() {
        let ids: Vec<_> = view.iter(KINDS).map(|(id, ..)| id).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "ascending");
        for (_, kind, fields) in view.iter(KINDS) {
            if let Some(entity) = <Arena as Game>::Entity::read(kind, fields) {
                assert_eq!(entity.kind(), kind);
            }
        }
    }
}

/// A message of a client, as a shard reads it.
pub fn client_message(bytes: &[u8]) {
    if let Ok(message) = ClientMessage::decode(bytes) {
        let again = ClientMessage::decode(&encode(&message));
        assert_eq!(again.expect("what was accepted is accepted"), message);
    }
}

/// A message of a server, as a client reads it.
pub fn server_message(bytes: &[u8]) {
    if let Ok(message) = ServerMessage::decode(bytes) {
        let again = ServerMessage::decode(&encode(&message));
        assert_eq!(again.expect("what was accepted is accepted"), message);
    }
}

/// A request, as a lobby reads it.
pub fn lobby_request(bytes: &[u8]) {
    if let Ok(request) = LobbyRequest::decode(bytes) {
        let again = LobbyRequest::decode(&encode(&request));
        assert_eq!(again.expect("what was accepted is accepted"), request);
    }
}

/// A message, as a lobby's client reads it.
pub fn lobby_message(bytes: &[u8]) {
    if let Ok(message) = LobbyMessage::decode(bytes) {
        let again = LobbyMessage::decode(&encode(&message));
        assert_eq!(again.expect("what was accepted is accepted"), message);
    }
}

/// A stream cut into messages. The first byte says in pieces of which length it arrives.
pub fn frames(bytes: &[u8]) {
    let Some((piece, stream)) = bytes.split_first() else { return };
    let mut reader = FrameReader::default();
    for piece in stream.chunks(usize::from(*piece).max(1)) {
        reader.extend(piece);
        loop {
            match reader.next(CLIENT_MESSAGE_BYTES_MAX) {
                Ok(Some(message)) => client_message(message),
                Ok(None) => break,
                Err(_) => return,
            }
        }
        assert!(reader.waiting_bytes() < CLIENT_MESSAGE_BYTES_MAX + 2);
    }
}

/// A ticket, as a shard reads it: once as it comes, and once under a good signature, so that what is
/// behind the signature is reached too.
pub fn ticket(bytes: &[u8]) {
    static KEY: OnceLock<Ed25519KeyPair> = OnceLock::new();
    let key = KEY.get_or_init(|| {
        Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("32 bytes are a seed")
    });
    let public = VerifyingKey(key.public_key().as_ref().try_into().expect("32 bytes"));
    let verifier = TicketVerifier::new(public);
    assert!(verifier.verify(bytes, 0).is_err(), "nobody guesses a signature");
    let said = [&public.id().0, bytes].concat();
    let signature = key.sign(&[SIGNING_CONTEXT, &said].concat());
    // A minute before the samples end.
    let now_unix_ms = 1_800_000_000_000 - 60_000;
    if let Ok(claims) = verifier.verify(&[&said, signature.as_ref()].concat(), now_unix_ms) {
        assert!(is_player_name(&claims.name));
    }
}

/// An event of the arena, as a client reads it.
pub fn event(bytes: &[u8]) {
    if let Ok(event) = decode::<ArenaEvent, SERVER_MESSAGE_BYTES_MAX>("event", bytes) {
        let again = decode::<ArenaEvent, SERVER_MESSAGE_BYTES_MAX>("event", &encode(&event));
        assert_eq!(again.expect("what was accepted is accepted"), event);
    }
}

/// The arena's configuration, as a client reads it: a match can be made of what is accepted.
pub fn config(bytes: &[u8]) {
    if let Ok(config) = decode::<ArenaConfig, SERVER_MESSAGE_BYTES_MAX>("config", bytes) {
        let arena = Arena::new(&config, TickRate::default(), 1);
        assert!(arena.outcome().is_none());
    }
}

/// A recording, as programs read it from a file.
pub fn recording(bytes: &[u8]) {
    if let Ok(recording) = Recording::parse(bytes) {
        let end = recording.duration();
        for at in [Duration::ZERO, end / 2, end, end + Duration::from_millis(5)] {
            let sample = recording.sample(recording.players() - 1, at);
            assert!(sample.position.is_finite());
            let _ = recording.presses(0, at, at + Duration::from_millis(16));
        }
    }
}

/// A map, as a server reads it from a file.
pub fn map(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(map) = Map::parse(text)
    {
        assert!(!map.spawns().is_empty());
    }
}
