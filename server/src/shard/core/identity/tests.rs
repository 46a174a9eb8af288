//! What becomes of a player who shows a newer token, by what control says of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use matchkeep_client::link::endpoint_config;
use matchkeep_client::transport::{Fingerprint, Trust, client_config};
use matchkeep_shared::arena::Arena;
use matchkeep_shared::game::PlayerInfo;
use matchkeep_shared::wire::ALPN_MATCH;
use matchkeep_shared::wire::frame::FrameReader;
use quinn_proto::crypto::rustls::QuicClientConfig;
use quinn_proto::{ClientConfig, Dir, Endpoint, Side, StreamId};

use super::*;
use crate::matches::inputs::InputCounts;
use crate::shard::core::tests::{core_config, spec};
use crate::shard::message::{Command, MatchPolicy, NewHost};
use crate::shard::session::{Allowance, Outbox, Playing};

pub(crate) const MATCH: MatchId = MatchId(9);
pub(crate) const ADA: PlayerId = PlayerId(7);
const NOW_UNIX_MS: u64 = 1_000_000;
const LASTS: Duration = Duration::from_secs(60);

fn until(after: Duration) -> Validity {
    let until_unix_ms = NOW_UNIX_MS + after.as_millis() as u64;
    Validity { issued_unix_ms: NOW_UNIX_MS, until_unix_ms }
}

/// A shard on which Ada plays, over a connection that is somebody's.
pub(crate) struct World {
    pub(crate) core: Core<Arena>,
    pub(crate) now: Instant,
}

impl World {
    pub(crate) fn new() -> Self {
        let config = core_config();
        let now = config.now;
        let mut core = Core::<Arena>::new(config);
        core.set_wall_clock(NOW_UNIX_MS);
        let (spec, policy) = (spec(MATCH, "duel"), MatchPolicy::default());
        let rate = spec.rate;
        core.handle_command(now, Command::Create(Box::new(NewHost { spec, policy })));
        let host = core.by_match[&MATCH];
        let hosted = core.hosts[host].as_mut().expect("it was just made");
        let ada = PlayerInfo { id: ADA, name: "ada".into(), team: None };
        let slot = hosted.game.join(&ada, None).expect("there is room");
        hosted.sessions[slot.index()] = Some(ConnectionHandle(0));

        let trust = Trust::Pinned(Fingerprint([0; 32]));
        let crypto = QuicClientConfig::try_from(client_config(&trust, ALPN_MATCH));
        let client = ClientConfig::new(Arc::new(crypto.expect("TLS 1.3")));
        let mut endpoint = Endpoint::new(Arc::new(endpoint_config(None)), None, false, None);
        let somewhere = SocketAddr::from(([127, 0, 0, 1], 1));
        let (_, quic) = endpoint.connect(now, client, somewhere, "shard").expect("an address");
        let playing = Playing {
            host,
            slot,
            player: ADA,
            stream: StreamId::new(Side::Client, Dir::Bi, 0),
            reader: FrameReader::default(),
            outbox: Outbox::default(),
            allowance: Allowance::new(rate, now, &InputCounts::default()),
            token_period: Some(0),
            identity: Shown::new(now, NOW_UNIX_MS, until(LASTS)),
        };
        let session = Session::Playing(Box::new(playing));
        let connection = Connection {
            quic,
            session,
            is_dirty: false,
            empty_space: 0,
            datagram_bytes: 0,
            ask_again: false,
        };
        core.connections.push(Some(Box::new(connection)));
        Self { core, now }
    }

    /// Ada shows a newer token.
    fn show(&mut self) -> Result<(), DisconnectReason> {
        let mut connection = self.core.connections[0].take().expect("it is there");
        let heard = self.core.hear_identity(self.now, &mut connection, "newer".into());
        self.core.connections[0] = Some(connection);
        heard
    }

    /// Control says what it is worth.
    fn hear(&mut self, identity: Result<Validity, DisconnectReason>) {
        let (match_id, player) = (MATCH, ADA);
        let command = Command::Identified { match_id, player, identity };
        self.core.handle_command(self.now, command);
    }

    /// Until when Ada may play, while she does.
    fn plays_until(&self) -> Option<Instant> {
        match &self.core.connections[0].as_ref()?.session {
            Session::Playing(playing) => playing.identity.until,
            _ => None,
        }
    }
}

#[test]
fn a_store_that_cannot_say_sends_nobody_away() {
    let mut world = World::new();
    for why in [DisconnectReason::StorageFull, DisconnectReason::Internal] {
        assert_eq!(world.show(), Ok(()));
        world.hear(Err(why));
        assert_eq!(world.plays_until(), Some(world.now + LASTS), "what was shown before counts");
    }
    // Control asked again.
    world.hear(Ok(until(2 * LASTS)));
    assert_eq!(world.plays_until(), Some(world.now + 2 * LASTS));
}

#[test]
fn who_is_not_believed_is_sent_away_and_so_is_who_does_not_wait() {
    let mut world = World::new();
    assert_eq!(world.show(), Ok(()));
    assert_eq!(world.show(), Err(DisconnectReason::UnexpectedMessage));
    for reason in [DisconnectReason::IdentityRevoked, DisconnectReason::IdentityMismatch] {
        let mut world = World::new();
        assert_eq!(world.show(), Ok(()));
        world.hear(Err(reason));
        assert_eq!(world.plays_until(), None, "{reason:?}");
    }
    let mut world = World::new();
    world.hear(Ok(until(Duration::ZERO)));
    assert_eq!(world.plays_until(), None, "it has ended by now");
}
