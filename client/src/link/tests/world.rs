//! A core and a scripted server under virtual time, with a network between them that can be cut.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use matchkeep_shared::arena::{Arena, ArenaInput};
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::time::Tick;

use super::server::{MATCH, Server};
use crate::link::{ComeBack, Core, CoreConfig, LinkError, PlayerEvent, PlayerKey, endpoint_config};
use crate::netcode::{MatchEvent, MatchSession, SnapshotInfo};

/// One way.
const DELAY: Duration = Duration::from_millis(5);

/// What a player was told, without what comes every tick.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Told {
    Joined,
    Interrupted,
    /// Whether over a new connection.
    Reconnected(bool),
    RolledBack(Tick, Tick),
    Paused(bool),
    Notice(String),
    NeedTicket,
    Over(DisconnectReason),
    Failed,
}

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) core: Core<Arena>,
    pub(super) player: PlayerKey,
    pub(super) server: Server,
    /// Packets under way, and when they arrive: to the server, or from it.
    there: VecDeque<(Instant, SocketAddr, Vec<u8>)>,
    back: VecDeque<(Instant, SocketAddr, Vec<u8>)>,
    /// Nothing gets through, either way.
    pub(super) cut: bool,
    /// What was told, and when.
    pub(super) told: Vec<(Instant, Told)>,
    pub(super) snapshots: Vec<SnapshotInfo>,
    pub(super) gaps: Vec<Duration>,
    pub(super) inputs: u64,
    /// Times and lengths of what the client sent.
    pub(super) sent: Vec<(Duration, usize)>,
    begun: Instant,
}

fn client_address() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 4000))
}

pub(super) fn server_address() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 2], 7778))
}

impl World {
    /// A player in a match.
    pub(super) fn playing(come_back: ComeBack) -> Self {
        let mut world = Self::new(come_back, 1);
        world.run(Duration::from_millis(500));
        assert_eq!(world.take_told(), [Told::Joined]);
        world
    }

    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin for made-up times")]
    pub(super) fn new(come_back: ComeBack, seed: u64) -> Self {
        let now = Instant::now() + Duration::from_secs(1000);
        let server = Server::new(now, server_address());
        let mut core = Core::new(CoreConfig {
            endpoint: endpoint_config(Some(seed)).into(),
            seed,
            seeded_ids: true,
            input_slack: Duration::ZERO,
        });
        let place = server.place(b"a ticket");
        let player = core.join(now, place, come_back).expect("the address is one");
        Self {
            now,
            core,
            player,
            server,
            there: VecDeque::new(),
            back: VecDeque::new(),
            cut: false,
            told: Vec::new(),
            snapshots: Vec::new(),
            gaps: Vec::new(),
            inputs: 0,
            sent: Vec::new(),
            begun: now,
        }
    }

    pub(super) fn session(&self) -> &MatchSession<Arena> {
        self.core.session(self.player).expect("never forgotten")
    }

    pub(super) fn take_told(&mut self) -> Vec<Told> {
        self.told.drain(..).map(|(_, told)| told).collect()
    }

    /// The server dies, with all that it had on its way, and is there again at once, at an earlier tick.
    pub(super) fn restart(&mut self, resumed: Tick) {
        self.back.clear();
        self.server.restart(self.now, resumed);
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.settle();
            let arrivals = [&self.there, &self.back].into_iter();
            let arrivals = arrivals.filter_map(|wire| wire.front()).map(|(at, ..)| *at);
            let wakes = [self.core.next_wake(), Some(self.server.next_wake())];
            let next = arrivals.chain(wakes.into_iter().flatten()).min().unwrap_or(end);
            if next >= end {
                self.now = end;
                return;
            }
            assert!(self.now - self.begun < Duration::from_secs(600), "it goes nowhere");
            self.now = next.max(self.now);
            self.deliver();
            self.server.handle_timeouts(self.now);
            self.core.handle_timeouts(self.now);
        }
    }

    /// Lets time pass until the player was told something; says what.
    pub(super) fn run_until_told(&mut self, most: Duration) -> Vec<Told> {
        let until = self.now + most;
        while self.told.is_empty() && self.now < until {
            self.run(Duration::from_millis(1));
        }
        self.take_told()
    }

    fn deliver(&mut self) {
        let now = self.now;
        while self.there.front().is_some_and(|(at, ..)| *at <= now) {
            let Some((_, to, bytes)) = self.there.pop_front() else { return };
            if !self.cut && to == self.server.address {
                self.server.handle_datagram(now, client_address(), BytesMut::from(&*bytes));
            }
        }
        while self.back.front().is_some_and(|(at, ..)| *at <= now) {
            let Some((_, from, bytes)) = self.back.pop_front() else { return };
            if !self.cut {
                self.core.handle_datagram(now, from, None, None, BytesMut::from(&*bytes));
            }
        }
    }

    /// Hears what there is to hear, and sends what there is to send.
    fn settle(&mut self) {
        while let Some((_, event)) = self.core.poll_event(self.now) {
            self.take(event);
        }
        let mut buffer = Vec::new();
        while let Some(transmit) = self.core.poll_transmit(self.now, &mut buffer) {
            let bytes = buffer[..transmit.size].to_vec();
            self.sent.push((self.now - self.begun, bytes.len()));
            self.there.push_back((self.now + DELAY, transmit.destination, bytes));
            buffer.clear();
        }
        let from = self.server.address;
        for (_, bytes) in self.server.poll_transmit(self.now) {
            self.back.push_back((self.now + DELAY, from, bytes));
        }
    }

    fn take(&mut self, event: PlayerEvent<Arena>) {
        let told = match event {
            PlayerEvent::Match(event) => match event {
                MatchEvent::Joined(_) => Told::Joined,
                MatchEvent::Snapshot(info) => return self.snapshots.push(info),
                MatchEvent::InputDue(tick) => {
                    self.inputs += 1;
                    return self.core.send_input(self.player, tick, ArenaInput::default());
                }
                MatchEvent::RolledBack { from, to } => Told::RolledBack(from, to),
                MatchEvent::Interrupted => Told::Interrupted,
                MatchEvent::Reconnected { gap, by_new_connection } => {
                    self.gaps.push(gap);
                    Told::Reconnected(by_new_connection)
                }
                MatchEvent::Paused(paused) => Told::Paused(paused),
                MatchEvent::Notice(text) => Told::Notice(text),
                MatchEvent::Event { .. } | MatchEvent::Ended { .. } => return,
            },
            PlayerEvent::NeedTicket { match_id } => {
                assert_eq!(match_id, MATCH);
                Told::NeedTicket
            }
            PlayerEvent::Over(LinkError::Disconnected(reason)) => Told::Over(reason),
            PlayerEvent::Over(_) => Told::Failed,
        };
        self.told.push((self.now, told));
    }
}
