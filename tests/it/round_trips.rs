//! What is written is read back as it was, for every kind of bytes that crosses the network or lies in a journal.

use matchkeep_client::bots::recording::Recording;
use matchkeep_server::matches::frame::{Frame, FrameWriter, next_frame};
use matchkeep_server::matches::header::MatchHeader;
use matchkeep_server::matches::incident::{Incident, IncidentCause};
use matchkeep_server::matches::state::{Entry, MatchState, UsedTicket};
use matchkeep_shared::arena::{Arena, ArenaConfig, ArenaEvent, ArenaInput, Map, Weapon};
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::encoding::{decode, encode};
use matchkeep_shared::game::{Inputs, Outcome, PlayerInfo, PlayerResult};
use matchkeep_shared::ids::{Epoch, MatchId, PlayerId, Slot};
use matchkeep_shared::limits::{CHECKPOINT_BYTES_MAX, SERVER_MESSAGE_BYTES_MAX};
use matchkeep_shared::ticket::TOKEN_BYTES_MAX;
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::bits::{BitReader, BitWriter};
use matchkeep_shared::wire::client::{Ack, ClientDatagram};
use matchkeep_shared::wire::codec::CodecId;
use matchkeep_shared::wire::frame::FrameReader;
use matchkeep_shared::wire::lobby::{Assignment, LobbyMessage, LobbyReply, LobbyRequest, Who};
use matchkeep_shared::wire::message::{
    ClientMessage, Credential, GameVersion, Join, ServerMessage,
};
use matchkeep_shared::wire::snapshot::{InputFeedback, SnapshotHead};
use matchkeep_tests::{recordings, samples};
use proptest::option;
use proptest::prelude::*;

fn inputs() -> impl Strategy<Value = ArenaInput> {
    let axis = || -127_i8..=127;
    let weapon = option::of(prop::sample::select(Weapon::ALL.to_vec()));
    (any::<(u16, u16, bool, bool)>(), axis(), axis(), weapon).prop_map(
        |((yaw, pitch, jump, fire), forward, side, weapon)| ArenaInput {
            yaw,
            pitch,
            forward,
            side,
            jump,
            fire,
            weapon,
        },
    )
}

fn acks() -> impl Strategy<Value = Option<Ack>> {
    option::of(any::<(u16, u32)>().prop_map(|(newest_low16, before)| Ack { newest_low16, before }))
}

fn heads() -> impl Strategy<Value = SnapshotHead> {
    let feedback = (option::of(0..255_u8), any::<u16>(), any::<i16>());
    let feedback = feedback.prop_map(|(newest_applied_age, substituted, margin_100us)| {
        InputFeedback { newest_applied_age, substituted, margin_100us }
    });
    let match_facts = any::<(Option<u32>, bool, Option<u64>)>();
    (any::<(u8, u16)>(), option::of(1..=64_u8), feedback, match_facts).prop_map(
        |((epoch_low8, tick_low16), baseline_age, feedback, match_facts)| SnapshotHead {
            epoch_low8,
            tick_low16,
            baseline_age,
            feedback,
            durable_lag: match_facts.0,
            paused: match_facts.1,
            state_hash: match_facts.2,
        },
    )
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    let player = (any::<(u64, u32, i64)>(), ".{0,12}", any::<Option<u8>>()).prop_map(
        |((player, place, score), name, team)| PlayerResult {
            player: PlayerId(player),
            stats: vec![(name.clone(), score)],
            name,
            team,
            place,
            score,
        },
    );
    (".{0,20}", prop::collection::vec(player, 0..20))
        .prop_map(|(reason, players)| Outcome { reason, players })
}

fn versions() -> impl Strategy<Value = GameVersion> {
    ("[a-z0-9-]{1,32}", any::<(u32, u64)>()).prop_map(|(name, (rules, schema))| GameVersion {
        name,
        rules,
        schema,
    })
}

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..max)
}

proptest! {
    #[test]
    fn client_datagrams(
        ack in acks(), newest: u64, epoch: u32, inputs in prop::collection::vec(inputs(), 0..=4)
    ) {
        let datagram = ClientDatagram::new(Epoch(epoch), ack, Tick(newest), &inputs);
        let mut bytes = Vec::new();
        datagram.encode(&mut bytes);
        let read = ClientDatagram::<ArenaInput>::decode(&bytes).expect("it is one");
        prop_assert_eq!(read.inputs(), &*inputs);
        prop_assert_eq!((read.ack, read.epoch_low8), (ack, epoch as u8));
        prop_assert!(inputs.is_empty() || read.newest_low16 == newest as u16);
    }

    #[test]
    fn snapshot_heads(head in heads()) {
        let mut bytes = Vec::new();
        let mut writer = BitWriter::new(&mut bytes);
        head.encode(&mut writer);
        prop_assert!(writer.bits_written() <= SnapshotHead::BITS_MAX);
        writer.finish();
        prop_assert_eq!(SnapshotHead::decode(&mut BitReader::new(&bytes)), Ok(head));
    }

    #[test]
    fn client_messages(game in versions(), codecs in bytes(9), ticket in bytes(140)) {
        let codecs: Vec<_> = codecs.into_iter().map(CodecId).collect();
        let token = ticket[..ticket.len().min(TOKEN_BYTES_MAX)].to_vec();
        for credential in [Credential::Ticket(ticket), Credential::Token(token)] {
            let join = Join { game: game.clone(), codecs: codecs.clone(), credential };
            let message = ClientMessage::Join(join);
            prop_assert_eq!(ClientMessage::decode(&encode(&message)).expect("it is one"), message);
        }
    }

    #[test]
    fn server_messages(
        epoch: u32,
        tick: u64,
        event in bytes(600),
        outcome in outcomes(),
        text in ".{0,128}",
    ) {
        let (epoch, tick) = (Epoch(epoch), Tick(tick));
        for message in [
            ServerMessage::Event { epoch, tick, event: event.clone() },
            ServerMessage::Token(event),
            ServerMessage::Resumed { epoch, tick },
            ServerMessage::Ended { epoch, tick, outcome },
            ServerMessage::Notice { text },
        ] {
            prop_assert_eq!(ServerMessage::decode(&encode(&message)).expect("it is one"), message);
        }
    }

    #[test]
    fn lobby_requests(
        game in versions(), name in ".{0,12}", token in "[a-zA-Z0-9_.-]{0,3000}", id: u64,
        binding: [u8; 32], mode in "[a-z]{0,32}", code in "[A-Z0-9]{0,16}"
    ) {
        let match_id = MatchId(id);
        for request in [
            LobbyRequest::Authenticate { game: game.clone(), who: Who::Name(name), binding },
            LobbyRequest::Authenticate { game, who: Who::Identity(token), binding },
            LobbyRequest::FindMatch { mode: mode.clone() },
            LobbyRequest::CreatePrivate { request: id, mode },
            LobbyRequest::JoinPrivate { code },
            LobbyRequest::Locate { match_id },
            LobbyRequest::Leave { match_id },
        ] {
            prop_assert_eq!(LobbyRequest::decode(&encode(&request)).expect("it is one"), request);
        }
    }

    #[test]
    fn lobby_messages(
        id: u64, v4: Option<[u8; 4]>, v6: [u8; 16], port: u16, fingerprint: [u8; 32],
        code in prop::option::of("[A-Z0-9]{8}"), ticket in bytes(140), reason in prop::sample::select(DisconnectReason::ALL)
    ) {
        let address = Some(v4.map_or_else(|| v6.into(), Into::into));
        let match_id = MatchId(id);
        for reply in [
            LobbyReply::Authenticated { player: PlayerId(id) },
            LobbyReply::Assigned(Assignment { match_id, address, port, fingerprint, code, ticket }),
            LobbyReply::Refused { reason },
        ] {
            for message in [LobbyMessage::Answer(reply.clone()), LobbyMessage::News(reply)] {
                prop_assert_eq!(LobbyMessage::decode(&encode(&message)).expect("it is one"), message);
            }
        }
    }

    #[test]
    fn frames(messages in prop::collection::vec(bytes(300), 0..8), piece in 1..400_usize) {
        let mut stream = Vec::new();
        for message in &messages {
            stream.extend_from_slice(&(message.len() as u16).to_le_bytes());
            stream.extend_from_slice(message);
        }
        let mut reader = FrameReader::default();
        let mut seen = Vec::new();
        for piece in stream.chunks(piece) {
            reader.extend(piece);
            while let Some(message) = reader.next(300).expect("within the limit") {
                seen.push(message.to_vec());
            }
        }
        prop_assert_eq!(seen, messages);
    }

    #[test]
    fn events(attacker: u8, victim: u8, damage: u16, weapon in prop::sample::select(Weapon::ALL.to_vec())) {
        let (attacker, victim) = (Slot(attacker), Slot(victim));
        let event = ArenaEvent::Hit { attacker, victim, damage, weapon };
        let read = decode::<ArenaEvent, SERVER_MESSAGE_BYTES_MAX>("event", &encode(&event));
        prop_assert_eq!(read.expect("it is one"), event);
    }

    #[test]
    fn headers(
        content_version: u32, rules_version: u32, game in ".{0,32}",
        map in option::of(".{0,32}"), created_unix_ms: u64, places in 1..16_usize
    ) {
        let spec = samples::spec(places);
        let ours = MatchHeader::new::<Arena>(&spec, map, created_unix_ms);
        let read = MatchHeader::decode(&encode(&ours)).expect("it is one");
        prop_assert_eq!(&read, &ours);
        let again = read.spec::<Arena>().expect("it is this build's");
        prop_assert_eq!(encode(&again), encode(&spec));
        let mut theirs = ours;
        (theirs.content_version, theirs.rules_version) = (content_version, rules_version);
        theirs.game = game;
        let read = MatchHeader::decode(&encode(&theirs)).expect("it is one");
        prop_assert!(read == theirs && read.spec::<Arena>().is_err());
    }

    #[test]
    fn match_frames(
        ids: [u8; 16], expires_unix_ms: u64, slot in any::<u8>().prop_map(Slot), id: u64,
        text in ".{0,24}", hash: Option<u64>, substituted: [bool; 4],
        given in prop::collection::vec(option::of(inputs()), 4)
    ) {
        let ticket = Some(UsedTicket { id: ids, expires_unix_ms });
        let player = PlayerInfo { id: PlayerId(id), name: text.clone(), team: Some(slot.0) };
        let all = [
            Entry::Join { slot, player, ticket },
            Entry::Leave { slot },
            Entry::Lost { slot },
            Entry::Regained { slot, ticket: None },
            Entry::End { reason: text },
        ];
        let mut inputs = Inputs::new(given.len());
        for (slot, input) in (0..).map(Slot).zip(&given) {
            inputs.set(slot, *input);
        }
        let (mut writer, mut bytes) = (FrameWriter::default(), Vec::new());
        for entries in [&all[..], &[]] {
            writer.begin(entries, given.len(), &inputs, |slot| substituted[slot.index()]);
            writer.finish(hash, &mut bytes);
        }
        let mut rest = &*bytes;
        for entries in [&all[..], &[]] {
            let frame = next_frame(&mut rest).expect("it is whole").expect("there is one");
            let frame = Frame::<ArenaInput>::decode(frame, given.len()).expect("it is one");
            prop_assert_eq!(&*frame.entries, entries);
            prop_assert_eq!(frame.hash, hash);
            let both = given.iter().zip(substituted).map(|(input, is)| Some(((*input)?, is)));
            prop_assert_eq!(frame.inputs, both.collect::<Vec<_>>());
        }
        prop_assert!(next_frame(&mut rest).expect("nothing is left").is_none());
    }

    #[test]
    fn incidents(
        cause in prop::sample::select(IncidentCause::ALL), tick: u64, text in ".{0,200}",
        suspect in bytes(600)
    ) {
        let incident = Incident { cause, tick: Tick(tick), text, suspect };
        prop_assert_eq!(Incident::decode(&encode(&incident)).expect("it is one"), incident);
    }

    #[test]
    fn results(outcome in outcomes()) {
        let read = decode::<Outcome, CHECKPOINT_BYTES_MAX>("result", &encode(&outcome));
        prop_assert_eq!(read.expect("it is one"), outcome);
    }

    #[test]
    fn recordings_of_any_size(players in 1..9_u32, frames in 2..30_u32) {
        for bytes in [recordings::tiny(players, frames), recordings::tiny_gz(players, frames)] {
            let recording = Recording::parse(&bytes).expect("it is one");
            prop_assert_eq!(recording.players(), players as usize);
            prop_assert_eq!(recording.duration().as_millis(), u128::from(10 * (frames - 1)));
        }
    }
}

#[test]
fn checkpoints() {
    for ticks in [0, 1, 30, 300] {
        let bytes = samples::checkpoint(ticks);
        let state = MatchState::<Arena>::decode(&bytes).expect("it is one");
        assert_eq!((state.tick(), state.places()), (Tick(ticks), 2));
        let mut again = Vec::new();
        state.encode(&mut again);
        assert!(again == bytes, "after {ticks} ticks");
    }
}

#[test]
fn configurations_and_maps() {
    for players in [2, 8, 16] {
        let config = samples::config(players);
        let bytes = encode(&config);
        let read = decode::<ArenaConfig, SERVER_MESSAGE_BYTES_MAX>("config", &bytes);
        let read = read.expect("it is one");
        assert_eq!(encode(&read), bytes);
        assert_eq!(read.map.boxes(), config.map.boxes());
    }
    for name in ["duel", "large"] {
        let text = Map::builtin(name).expect("it ships with the game");
        assert_eq!(Map::parse(text).expect("it is one").name(), name);
    }
}

#[test]
fn a_version_is_the_games_own() {
    let version = GameVersion::of::<Arena>();
    assert_eq!(version.name, "arena");
    assert_eq!(GameVersion::of::<Arena>(), version);
}
