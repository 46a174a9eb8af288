//! Clients: the product's own core behind each socket, scripted players, and what each of them was told.

mod judging;
mod player;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use matchkeep_client::link::{
    ComeBack, Core, CoreConfig, LinkError, Place, PlayerEvent, PlayerKey, endpoint_config,
};
use matchkeep_client::netcode::MatchEvent;
use matchkeep_server::control::LobbySaid;
use matchkeep_shared::arena::ArenaInput;
use matchkeep_shared::ids::{Epoch, MatchId, PlayerId, Slot};
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::lobby::LobbyRequest;

use super::game::{CURSE, Fragile};
use super::lobby::{Dialogue, Heard, Want};
use super::node::Machine;
use super::script;
use super::trace::Trace;
use super::witness::{Invariant, Witness};

pub use player::Player;

/// The mode everyone plays.
pub const MODE: &str = "arena";
/// The mode whose game dies for good.
pub const FUSED_MODE: &str = "fused";
/// By match, player, epoch and tick: what was sent. Not by slot: in a match that stands still one player
/// may leave and another one come before the tick that both have sent for.
pub type Sent = BTreeMap<(MatchId, PlayerId, Epoch, Tick), ArenaInput>;

/// One socket and its players.
pub struct Client {
    pub(super) core: Core<Fragile>,
    /// Its address.
    pub address: SocketAddr,
    inbox: VecDeque<(SocketAddr, Vec<u8>)>,
    /// Its players.
    pub players: Vec<Player>,
    asleep_until: Option<Instant>,
    /// Somebody had a wish: what follows from it is to be sent.
    is_touched: bool,
    /// Nothing it sends arrives until then.
    pub cut_up: Option<Instant>,
    /// Nothing arrives at it until then.
    pub cut_down: Option<Instant>,
}

/// What a turn of a client has at hand.
pub struct ClientTurn<'a> {
    /// Now.
    pub now: Instant,
    /// From the beginning.
    pub at: Duration,
    /// Who sees everything.
    pub witness: &'a mut Witness,
    /// Where lines go.
    pub trace: &'a mut Trace,
    /// What lasts.
    pub machine: &'a Machine,
    /// Inputs sent.
    pub inputs: &'a mut Sent,
    /// Numbers lobby connections.
    pub connections: &'a mut u64,
    /// Packets to send, and where to.
    pub packets: &'a mut Vec<(SocketAddr, Vec<u8>)>,
    /// Requests to the lobby: over which connection, whose.
    pub requests: &'a mut Vec<(u64, LobbyRequest)>,
}

impl Client {
    /// A socket with players of these numbers; the first `fused` of all play the game that dies.
    pub fn new(
        index: usize,
        seed: u64,
        numbers: std::ops::Range<usize>,
        fused: usize,
        now: Instant,
    ) -> Self {
        let core = Core::new(CoreConfig {
            endpoint: endpoint_config(Some(seed)).into(),
            seed,
            seeded_ids: true,
            input_slack: Duration::ZERO,
        });
        let players = numbers.map(|number| Player::new(number, now, number < fused)).collect();
        let address = SocketAddr::from(([10, 1, 0, index as u8 + 1], 4000));
        Self {
            core,
            address,
            inbox: VecDeque::new(),
            players,
            asleep_until: None,
            is_touched: false,
            cut_up: None,
            cut_down: None,
        }
    }

    /// A datagram arrived.
    pub fn receive(&mut self, from: SocketAddr, bytes: Vec<u8>) {
        self.inbox.push_back((from, bytes));
    }

    /// The process gets no CPU until then.
    pub fn sleep(&mut self, until: Instant) {
        self.asleep_until = self.asleep_until.max(Some(until));
    }

    /// When it wants to run.
    pub fn wake(&mut self, now: Instant) -> Option<Instant> {
        let arrived = (self.is_touched || !self.inbox.is_empty()).then_some(now);
        let lobby = self.players.iter().filter_map(|player| player.dialogue.as_ref());
        let lobby = lobby.map(Dialogue::wake).min();
        let wake = [arrived, lobby, self.core.next_wake()].into_iter().flatten().min()?;
        Some(wake.max(self.asleep_until.unwrap_or(wake)))
    }

    /// The lobby answers.
    pub fn hear_lobby(&mut self, turn: &mut ClientTurn<'_>, connection: u64, answer: LobbySaid) {
        let now = turn.now;
        self.is_touched = true;
        for player in &mut self.players {
            let Some(dialogue) = &mut player.dialogue else { continue };
            if dialogue.connection() != Some(connection) {
                continue;
            }
            let number = player.number;
            turn.trace
                .note(turn.at, format_args!("player {number} hears of the lobby: {answer:?}"));
            match dialogue.hear(now, connection, answer.clone()) {
                Heard::Ask(request) => turn.requests.push((connection, request)),
                Heard::Wait => {}
                Heard::No(reason) => {
                    player.dialogue = None;
                    if let Some(key) = player.key {
                        self.core.give_up(now, key, LinkError::Disconnected(reason));
                    }
                }
                Heard::Place(assignment) => {
                    let Some(place) = Place::of(assignment) else { continue };
                    player.dialogue = None;
                    match player.key {
                        Some(key) => self.core.redirect(now, key, place),
                        None => {
                            player.seat = Some((place.match_id, Slot(0)));
                            let joined = self.core.join(now, place, ComeBack::ByLobby);
                            player.key = Some(joined.expect("the address is one"));
                        }
                    }
                }
            }
        }
    }

    /// An operator orders the player of this number away, where it is in a match.
    pub fn may_be_kicked(&mut self, number: usize) {
        for player in self.players.iter_mut().filter(|player| player.number == number) {
            player.kicked_from = player.place().map(|(match_id, _)| match_id);
        }
    }

    /// The player says goodbye.
    pub fn leave(&mut self, now: Instant, index: usize) {
        if let Some(key) = self.players[index].key {
            self.is_touched = true;
            self.core.leave(now, key);
            self.core.forget(now, key);
            self.players[index].rest(now);
        }
    }

    /// The player's program ends without a word, and begins anew.
    pub fn abandon(&mut self, now: Instant, index: usize) {
        if let Some(key) = self.players[index].key {
            self.is_touched = true;
            self.core.forget(now, key);
            self.players[index].rest(now);
        }
    }

    /// One pass, if it is due.
    pub fn turn(&mut self, turn: &mut ClientTurn<'_>) {
        let now = turn.now;
        if self.wake(now).is_none_or(|wake| wake > now) {
            return;
        }
        self.asleep_until = None;
        self.is_touched = false;
        while let Some((from, bytes)) = self.inbox.pop_front() {
            self.core.handle_datagram(now, from, None, None, BytesMut::from(&bytes[..]));
        }
        self.core.handle_timeouts(now);
        while let Some((key, event)) = self.core.poll_event(now) {
            let index = self.players.iter().position(|player| player.key == Some(key));
            if let Some(index) = index {
                self.hear(turn, index, key, event);
            }
        }
        for player in &mut self.players {
            let Some(dialogue) = &mut player.dialogue else { continue };
            if dialogue.wake() > now {
                continue;
            }
            if dialogue.connection().is_some() {
                dialogue.failed(now);
            } else {
                *turn.connections += 1;
                let connection = *turn.connections;
                let request = dialogue.connect(now, connection, &player.name);
                turn.requests.push((connection, request));
            }
        }
        let mut buffer = Vec::new();
        while let Some(transmit) = self.core.poll_transmit(now, &mut buffer) {
            turn.packets.push((transmit.destination, buffer[..transmit.size].to_vec()));
            buffer.clear();
        }
    }

    fn hear(
        &mut self,
        turn: &mut ClientTurn<'_>,
        index: usize,
        key: PlayerKey,
        event: PlayerEvent<Fragile>,
    ) {
        let number = self.players[index].number;
        match event {
            PlayerEvent::Match(event) => self.hear_match(turn, index, key, event),
            PlayerEvent::NeedTicket { match_id } => {
                turn.trace.note(turn.at, format_args!("player {number} asks for {match_id}"));
                self.players[index].dialogue =
                    Some(Dialogue::new(Want::Locate(match_id), turn.now));
            }
            PlayerEvent::Over(why) => {
                turn.trace.note(turn.at, format_args!("player {number} is out: {why}"));
                self.judge(turn, index, key, &why);
                self.core.forget(turn.now, key);
                self.players[index].rest(turn.now);
            }
        }
    }

    fn hear_match(
        &mut self,
        turn: &mut ClientTurn<'_>,
        index: usize,
        key: PlayerKey,
        event: MatchEvent<Fragile>,
    ) {
        let player = &mut self.players[index];
        let number = player.number;
        match event {
            MatchEvent::Joined(joined) => {
                turn.trace.note(
                    turn.at,
                    format_args!("player {number} is in {} {}", joined.match_id, joined.slot),
                );
                player.seat = Some((joined.match_id, joined.slot));
                player.account = joined.player;
                let epoch = self.core.session(key).and_then(|session| session.epoch());
                player.joined = epoch.map(|epoch| (epoch, joined.tick));
                player.first_mode = None;
            }
            MatchEvent::Snapshot(_) => self.look(turn, index, key),
            MatchEvent::InputDue(tick) => {
                let Some(session) = self.core.session(key) else { return };
                let epoch = session.epoch().unwrap_or(Epoch(0));
                let Some((match_id, _)) = player.seat else { return };
                let mut input = script::input(number as u64, epoch, tick);
                if std::mem::take(&mut player.is_cursed) {
                    input = CURSE;
                }
                turn.inputs.entry((match_id, player.account, epoch, tick)).or_insert(input);
                self.core.send_input(key, tick, input);
            }
            MatchEvent::Event { tick, .. } => {
                let last = std::mem::replace(&mut player.last_event, tick);
                turn.witness.check(tick >= last, Invariant::InOrder, || {
                    format!("player {number}: an event of tick {tick} after one of {last}")
                });
            }
            MatchEvent::RolledBack { from, to } => {
                turn.trace.note(turn.at, format_args!("player {number} rolled back {from} {to}"));
                turn.witness.check(to <= from, Invariant::InOrder, || {
                    format!("player {number}: rolled back from {from} to {to}")
                });
                player.rolled_back = Some(to);
                player.last_event = player.last_event.min(to);
            }
            MatchEvent::Ended { tick, .. } => {
                turn.trace.note(turn.at, format_args!("player {number} told the end {tick}"));
                let Some((match_id, _)) = player.seat else { return };
                let is_stored = turn.machine.directory.result(match_id).is_some();
                let is_closed = turn.witness.of(match_id).is_closed;
                turn.witness.check(is_stored && is_closed, Invariant::ResultsDurable, || {
                    format!(
                        "player {number} was told the result of match {match_id}: in the directory \
                         {is_stored}, in the journal {is_closed}"
                    )
                });
            }
            MatchEvent::Interrupted
            | MatchEvent::Reconnected { .. }
            | MatchEvent::Paused(_)
            | MatchEvent::Notice(_) => {
                turn.trace.note(turn.at, format_args!("player {number} {event:?}"));
            }
        }
    }
}
