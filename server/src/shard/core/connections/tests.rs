//! First packets, from real clients that are strangers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use matchkeep_client::link::endpoint_config;
use matchkeep_client::transport::{Fingerprint, Trust, client_config};
use matchkeep_shared::arena::Arena;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::{
    FIRST_PACKET_COST, FIRST_PACKET_WAIT_MAX, HANDSHAKE_FORGOTTEN, HANDSHAKE_WAIT_MAX,
    HANDSHAKES_WAITING_RETRY,
};
use matchkeep_shared::time::TickRate;
use matchkeep_shared::wire::ALPN_MATCH;
use quinn_proto::crypto::rustls::QuicClientConfig;
use quinn_proto::{ClientConfig, Endpoint};

use crate::shard::core::Core;
use crate::shard::core::tests::{core_config, spec};
use crate::shard::message::{Command, MatchPolicy, NewHost};

const MOMENT: Duration = Duration::from_micros(1);

/// A shard that is open and has one match, the time, and when the match is due.
struct World {
    core: Core<Arena>,
    now: Instant,
    due: Instant,
}

impl World {
    fn new() -> Self {
        let config = core_config();
        let now = config.now;
        let mut core = Core::new(config);
        let spec = spec(MatchId(9), "duel");
        let policy = MatchPolicy::default();
        core.handle_command(now, Command::Create(Box::new(NewHost { spec, policy })));
        core.handle_command(now, Command::Open);
        let due = core.next_deadline().expect("it is to tick");
        Self { core, now, due }
    }

    /// A client's first packet comes.
    fn knock(&mut self, port: u16) {
        self.knock_times(port, 1);
    }

    /// It comes so many times.
    fn knock_times(&mut self, port: u16, times: usize) {
        let trust = Trust::Pinned(Fingerprint([0; 32]));
        let crypto = QuicClientConfig::try_from(client_config(&trust, ALPN_MATCH));
        let config = ClientConfig::new(Arc::new(crypto.expect("TLS 1.3")));
        let mut endpoint = Endpoint::new(Arc::new(endpoint_config(None)), None, false, None);
        let shard = SocketAddr::from(([127, 0, 0, 1], 1));
        let (_, mut quic) = endpoint.connect(self.now, config, shard, "shard").expect("an address");
        let mut packet = Vec::new();
        let transmit = quic.poll_transmit(self.now, 1, &mut packet);
        assert!(transmit.is_some(), "a first packet");
        let from = SocketAddr::from(([192, 0, 2, 1], port));
        for _ in 0..times {
            self.core.handle_datagram(self.now, from, None, None, BytesMut::from(&*packet));
        }
    }

    fn admit_at(&mut self, at: Instant) {
        self.now = at;
        self.core.admit(at);
    }

    fn strangers(&self) -> usize {
        self.core.strangers.waiting.len()
    }
}

#[test]
fn a_first_packet_waits_while_a_tick_is_near_and_is_looked_into_when_it_is_over() {
    let mut world = World::new();
    world.now = world.due - FIRST_PACKET_COST / 2;
    world.knock(1);
    world.admit_at(world.now);
    assert_eq!(world.strangers(), 1);
    assert_eq!(world.core.stats.handshakes, 0);
    assert_eq!(world.core.next_wake(world.now), Some(world.due), "nothing to do before");

    let due = world.due;
    world.core.run_tick(due, &|| due).expect("it is due");
    assert_eq!(world.core.next_wake(due), Some(due), "now there is time");
    world.admit_at(due);
    assert_eq!(world.strangers(), 0);
    assert_eq!(world.core.stats.handshakes, 1, "it is a newcomer's");
}

#[test]
fn where_there_never_is_time_it_is_served_in_the_end() {
    let mut world = World::new();
    world.now = world.due;
    let came = world.now;
    world.knock(1);
    world.admit_at(came + HANDSHAKE_WAIT_MAX - MOMENT);
    assert_eq!(world.strangers(), 1);
    world.admit_at(came + HANDSHAKE_WAIT_MAX);
    assert_eq!(world.strangers(), 0);
    assert_eq!(world.core.stats.handshakes, 1, "it does not begin to wait anew");
}

#[test]
fn one_after_the_other_is_looked_into_and_what_waited_too_long_is_forgotten() {
    let mut world = World::new();
    world.now = world.due;
    let came = world.now;
    world.knock(1);
    world.knock(2);
    world.knock(3);
    world.admit_at(came + HANDSHAKE_WAIT_MAX);
    assert_eq!(world.strangers(), 2, "one in each pass");
    world.admit_at(came + HANDSHAKE_FORGOTTEN);
    assert_eq!(world.strangers(), 0);
    assert_eq!(world.core.stats.handshakes_forgotten, 2);
    assert_eq!(world.core.stats.handshakes, 1);
}

#[test]
fn who_comes_again_keeps_nobody_waiting() {
    let mut world = World::new();
    world.now = world.due - TickRate::default().period() / 2;
    world.knock_times(1, 4);
    world.knock(2);
    world.admit_at(world.now);
    assert_eq!(world.strangers(), 4, "one is somebody new's");
    world.admit_at(world.now);
    assert_eq!(world.strangers(), 0);
    assert_eq!(world.core.stats.handshakes, 2);
}

#[test]
fn with_many_on_trust_the_next_is_asked_to_prove_its_address_and_waits_longer_for_that() {
    let mut world = World::new();
    world.now = world.due - TickRate::default().period() / 2;
    for nth in 0..HANDSHAKES_WAITING_RETRY {
        world.knock(nth as u16 + 1);
        world.admit_at(world.now);
    }
    assert_eq!(world.core.stats.handshakes, HANDSHAKES_WAITING_RETRY as u64);
    world.now = world.due;
    let came = world.now;
    world.knock(0);
    world.admit_at(came + FIRST_PACKET_WAIT_MAX - MOMENT);
    assert_eq!(world.strangers(), 1);
    world.admit_at(came + FIRST_PACKET_WAIT_MAX);
    assert_eq!(world.strangers(), 0);
    assert_eq!(world.core.stats.handshakes, HANDSHAKES_WAITING_RETRY as u64);
    assert_eq!(world.core.stats.refusals.retried, 1);
}
