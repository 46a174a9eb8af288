//! Valid bytes of every kind that crosses the network or lies in a journal: what corpora begin with and what tests damage.

mod content;

use std::sync::OnceLock;

use matchkeep_client::netcode::{identity_message, join_message, leave_message};
use matchkeep_server::matches::{Match, MatchOptions};
use matchkeep_shared::Game;
use matchkeep_shared::arena::{
    Arena, ArenaConfig, ArenaEvent, ArenaInput, Phase, RosterEntry, Weapon,
};
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::encoding::encode;
use matchkeep_shared::game::{ModeSpec, Outcome, PlayerInfo, PlayerResult};
use matchkeep_shared::ids::{Epoch, MatchId, PlayerId, Slot};
use matchkeep_shared::limits::SERVER_MESSAGE_BYTES_MAX;
use matchkeep_shared::ticket::{TicketClaims, TokenClaims, Validity};
use matchkeep_shared::time::{Tick, TickRate};
use matchkeep_shared::wire::client::{Ack, ClientDatagram};
use matchkeep_shared::wire::codec::CodecId;
use matchkeep_shared::wire::frame::write_frame;
use matchkeep_shared::wire::lobby::{
    Assignment, LobbyMessage, LobbyReply, LobbyRequest, Party, PartyMember, Queued, Who,
};
use matchkeep_shared::wire::message::{
    ClientMessage, Credential, GameVersion, Join, ServerMessage, Welcome,
};

pub use content::{
    checkpoint, checkpoints, incidents, journal_frames, journal_headers, outcomes, spec,
};

/// A mode's configuration with these places and without an end.
///
/// # Panics
/// Never: the rules are sound.
pub fn config(players: usize) -> ArenaConfig {
    let rules = "frag_limit = 0\ntime_limit_seconds = 7200".parse().expect("TOML");
    let (players_max, players_min) = (players, players);
    let mode = ModeSpec { players_max, players_min, teams: 0, map: None, rules: &rules };
    Arena::configure(&mode).expect("the rules are sound")
}

/// A match of the arena with every place taken, before its first tick.
///
/// # Panics
/// Never: there are as many places as players.
pub fn full_match(players: usize, journaled: bool) -> Match<Arena> {
    let mut game = Match::new(spec(players), MatchOptions { journaled, ..MatchOptions::default() });
    for i in 1..=players as u64 {
        let player = PlayerInfo { id: PlayerId(i), name: format!("player{i}"), team: None };
        game.join(&player, None).expect("a place is free");
    }
    game
}

/// Snapshots of one client of one match: each against the one before, the first against nothing.
pub fn snapshots() -> &'static [Vec<u8>] {
    static SNAPSHOTS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    SNAPSHOTS.get_or_init(|| {
        let mut game = full_match(4, false);
        let mut snapshots = Vec::new();
        for tick in 1..=40_u64 {
            let input = ArenaInput { forward: 127, fire: true, ..ArenaInput::default() };
            let ack = (tick > 1).then(|| Ack { newest_low16: Tick(tick - 1).low16(), before: 0 });
            for slot in 0..4 {
                let datagram = ClientDatagram::new(Epoch(1), ack, Tick(tick), &[input]);
                game.receive(Slot(slot), &datagram, |_| 0);
            }
            game.step(&mut Vec::new());
            for slot in 0..4 {
                let mut snapshot = Vec::new();
                game.encode_snapshot(Slot(slot), 1200, false, &mut snapshot);
                if slot == 0 {
                    snapshots.push(snapshot);
                }
            }
        }
        snapshots
    })
}

/// Client datagrams.
pub fn client_datagrams() -> Vec<Vec<u8>> {
    let run = ArenaInput { yaw: 9000, pitch: 65_000, forward: 127, ..ArenaInput::default() };
    let fire = ArenaInput { fire: true, weapon: Some(Weapon::RocketLauncher), ..run };
    let ack = Some(Ack { newest_low16: 12, before: 0b1011 });
    let datagram = |ack, inputs: &[ArenaInput]| {
        let mut bytes = Vec::new();
        ClientDatagram::new(Epoch(1), ack, Tick(70_000), inputs).encode(&mut bytes);
        bytes
    };
    vec![
        datagram(None, &[]),
        datagram(ack, &[run, run, run, run]),
        datagram(ack, &[fire, run, fire]),
        datagram(None, &[ArenaInput::default()]),
    ]
}

/// Messages of a client, without their frames.
pub fn client_messages() -> Vec<Vec<u8>> {
    let join = Join {
        game: GameVersion::of::<Arena>(),
        codecs: vec![CodecId(9), CodecId::PLAIN],
        credential: Credential::Ticket(ticket_claims().remove(0)),
    };
    let back = Join { credential: Credential::Token(token_claims().remove(0)), ..join.clone() };
    vec![
        encode(&ClientMessage::Join(join)),
        encode(&ClientMessage::Join(back)),
        encode(&ClientMessage::Leave),
    ]
}

/// A welcome to a match of the arena.
pub fn welcome() -> ServerMessage {
    ServerMessage::Welcome(Welcome {
        match_id: MatchId(7),
        player: PlayerId(1),
        slot: Slot(0),
        epoch: Epoch(1),
        tick: Tick(0),
        resumed: Tick(0),
        rate: TickRate::default(),
        hold_ms: 30_000,
        token: vec![5; 90],
        codec: CodecId::PLAIN,
        config: encode(&config(4)),
    })
}

/// A result.
pub fn outcome() -> Outcome {
    let player = |id, place, score| PlayerResult {
        player: PlayerId(id),
        name: format!("player{id}"),
        team: (id == 2).then_some(1),
        place,
        score,
        stats: vec![("shots".into(), 12), ("hits".into(), -3)],
    };
    Outcome { reason: "time limit".into(), players: vec![player(1, 1, 20), player(2, 2, -1)] }
}

/// What a server says on the stream, without frames.
pub fn server_messages() -> Vec<ServerMessage> {
    let (epoch, tick) = (Epoch(1), Tick(600));
    let event = arena_events().remove(0);
    vec![
        welcome(),
        ServerMessage::Event { epoch, tick, event },
        ServerMessage::Ended { epoch, tick, outcome: outcome() },
        ServerMessage::Notice { text: "a restart in five minutes".into() },
    ]
}

/// Events of the arena.
pub fn arena_events() -> Vec<Vec<u8>> {
    let entry = RosterEntry { slot: Slot(3), player: PlayerId(4), name: "Ada".into(), team: 0 };
    let (killer, victim) = (Some(Slot(1)), Slot(2));
    [
        ArenaEvent::Roster(vec![entry.clone(), entry]),
        ArenaEvent::Frag { killer, victim, weapon: Some(Weapon::Railgun) },
        ArenaEvent::Hit { attacker: Slot(1), victim, damage: 80, weapon: Weapon::Shotgun },
        ArenaEvent::Phase(Phase::Playing),
    ]
    .iter()
    .map(encode)
    .collect()
}

/// Requests to a lobby, without frames.
pub fn lobby_requests() -> Vec<Vec<u8>> {
    let (game, match_id) = (GameVersion::of::<Arena>(), MatchId(7));
    [
        LobbyRequest::Authenticate { game: game.clone(), who: "Ada".into(), binding: [5; 32] },
        LobbyRequest::Authenticate {
            game,
            who: Who::Identity("e30.e30.".into()),
            binding: [0; 32],
        },
        LobbyRequest::FindMatch { mode: "duel".into() },
        LobbyRequest::Locate { match_id },
        LobbyRequest::Leave { match_id },
        LobbyRequest::CreatePrivate { request: 7, mode: "duel".into() },
        LobbyRequest::JoinPrivate { code: "KLMNPQRS".into() },
        LobbyRequest::Cancel,
        LobbyRequest::OpenParty,
        LobbyRequest::JoinParty { code: "TUVWXYZ2".into() },
        LobbyRequest::LeaveParty,
    ]
    .iter()
    .map(encode)
    .collect()
}

fn member(player: u64, name: &str) -> PartyMember {
    PartyMember { player: PlayerId(player), name: name.into() }
}

/// What a lobby says, without frames.
pub fn lobby_messages() -> Vec<Vec<u8>> {
    let assignment = Assignment {
        match_id: MatchId(7),
        address: Some([127, 0, 0, 1].into()),
        port: 7778,
        fingerprint: [9; 32],
        code: Some("KLMNPQRS".into()),
        ticket: vec![1; 120],
    };
    [
        LobbyMessage::Answer(LobbyReply::Authenticated { player: PlayerId(300) }),
        LobbyMessage::Answer(LobbyReply::Assigned(assignment.clone())),
        LobbyMessage::Answer(LobbyReply::Left),
        LobbyMessage::Answer(LobbyReply::Refused { reason: DisconnectReason::MatchFull }),
        LobbyMessage::News(LobbyReply::Assigned(Assignment { code: None, ..assignment })),
        LobbyMessage::Answer(LobbyReply::Queued(Queued {
            mode: "squad".into(),
            waited_ms: 10_000,
            limit_ms: 120_000,
        })),
        LobbyMessage::News(LobbyReply::Unqueued { reason: DisconnectReason::QueueTimeout }),
        LobbyMessage::Answer(LobbyReply::Party(None)),
        LobbyMessage::News(LobbyReply::Party(Some(Party {
            code: "TUVWXYZ2".into(),
            members: vec![member(300, "Ada"), member(7, "Bob")],
        }))),
    ]
    .iter()
    .map(encode)
    .collect()
}

/// What tickets say, without their signatures.
pub fn ticket_claims() -> Vec<Vec<u8>> {
    let claims = |player, name: &str| TicketClaims {
        id: [player as u8; 16],
        match_id: MatchId(u64::MAX - player),
        player: PlayerId(player),
        name: name.into(),
        expires_unix_ms: 1_800_000_000_000,
        binding: [player as u8; 32],
        identity: Validity { issued_unix_ms: 7 * player, until_unix_ms: u64::MAX - player },
        team: (player % 2 == 0).then_some(player as u8),
    };
    vec![encode(&claims(1, "Ada")), encode(&claims(77, "a name of 24 letters, ok"))]
}

/// What tokens say, without their signatures.
pub fn token_claims() -> Vec<Vec<u8>> {
    let claims = |player: u64| TokenClaims {
        match_id: MatchId(u64::MAX - player),
        player: PlayerId(player),
        slot: Slot(player as u8),
        period: 300 * player,
        expires_unix_ms: 1_800_000_000_000,
        identity: Validity {
            issued_unix_ms: 1_700_000_000_000,
            until_unix_ms: 1_800_000_000_000 + player,
        },
    };
    vec![encode(&claims(1)), encode(&claims(77))]
}

/// Streams of framed messages, as clients write them.
pub fn streams() -> Vec<Vec<u8>> {
    let join = join_message::<Arena>(Credential::Ticket(vec![3; 100]));
    let identity = identity_message("e30.e30.".into());
    vec![[join.clone(), identity, leave_message()].concat(), join, leave_message()]
}

/// A server message with its length in front.
///
/// # Panics
/// Where it is longer than allowed.
pub fn framed(message: &ServerMessage) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_frame(message, SERVER_MESSAGE_BYTES_MAX, &mut bytes).expect("short enough");
    bytes
}
