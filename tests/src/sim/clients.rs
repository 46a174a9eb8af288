//! Clients: the product's own core behind each socket, scripted players, and what each of them was told.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use matchkeep_client::link::{
    ComeBack, Core, CoreConfig, LinkError, Place, PlayerEvent, PlayerKey, endpoint_config,
};
use matchkeep_client::netcode::MatchEvent;
use matchkeep_server::control::LobbyAnswer;
use matchkeep_shared::arena::ArenaInput;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{Epoch, MatchId, Slot};
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::lobby::LobbyRequest;

use super::game::{CURSE, Fragile};
use super::lobby::{Dialogue, Heard, Want};
use super::node::Machine;
use super::script;
use super::trace::Trace;
use super::witness::{Invariant, Witness};

/// The mode everyone plays.
pub const MODE: &str = "arena";
/// The mode whose game dies for good.
pub const FUSED_MODE: &str = "fused";
/// From the end of a match to the search for another one.
const REST: Duration = Duration::from_millis(400);
/// Who was told of the match so lately is not given up by it.
const LATELY: Duration = Duration::from_secs(4);

/// Snapshots in a row that may be of no use: what was under way when an epoch ended.
const USELESS_MAX: u64 = 24;

/// By match, player's slot, epoch and tick: what was sent.
pub type Sent = BTreeMap<(MatchId, Slot, Epoch, Tick), ArenaInput>;

/// One player.
#[derive(Debug)]
pub struct Player {
    /// Counted from 0.
    pub number: usize,
    name: String,
    /// In a match, or on the way into one.
    pub key: Option<PlayerKey>,
    /// What is asked of the lobby.
    pub dialogue: Option<Dialogue>,
    /// Which match, and from where.
    pub seat: Option<(MatchId, Slot)>,
    /// The next input is one that kills.
    pub is_cursed: bool,
    /// The first match is one that dies.
    first_mode: Option<&'static str>,
    /// When the place was taken, in the match's time.
    joined: Option<(Epoch, Tick)>,
    last: Option<(Epoch, Tick)>,
    last_event: Tick,
    /// Told of a rollback since the last snapshot.
    rolled_back: Option<Tick>,
    /// Snapshots that were of no use, until the last one that was.
    dropped: u64,
    /// When the last snapshot came that was news.
    pub fresh: Option<Instant>,
}

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

impl Player {
    fn new(number: usize, now: Instant, is_fused: bool) -> Self {
        let mode = if is_fused { FUSED_MODE } else { MODE };
        let at = now + Duration::from_millis(20 * number as u64);
        Self {
            number,
            name: format!("player {number}"),
            key: None,
            dialogue: Some(Dialogue::new(Want::Find(mode), at)),
            seat: None,
            is_cursed: false,
            first_mode: is_fused.then_some(FUSED_MODE),
            joined: None,
            last: None,
            last_event: Tick(0),
            rolled_back: None,
            dropped: 0,
            fresh: None,
        }
    }

    /// Not in a match any more; another one is looked for after a while.
    fn rest(&mut self, now: Instant) {
        self.key = None;
        self.seat = None;
        (self.joined, self.last, self.rolled_back) = (None, None, None);
        self.dropped = 0;
        self.last_event = Tick(0);
        self.dialogue = Some(Dialogue::new(Want::Find(MODE), now + REST));
    }
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
    pub fn hear_lobby(&mut self, turn: &mut ClientTurn<'_>, connection: u64, answer: LobbyAnswer) {
        let now = turn.now;
        self.is_touched = true;
        for player in &mut self.players {
            let Some(dialogue) = &mut player.dialogue else { continue };
            if dialogue.connection() != Some(connection) {
                continue;
            }
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

    /// Whether the reason for an end is a good one.
    fn judge(&self, turn: &mut ClientTurn<'_>, index: usize, key: PlayerKey, why: &LinkError) {
        use DisconnectReason as R;
        let player = &self.players[index];
        let session = self.core.session(key);
        let was_in = session.is_some_and(|session| session.token().is_some());
        let match_id = self.core.place(key).map(|place| place.match_id);
        let Some(match_id) = match_id else { return };
        let heard = session.and_then(|session| session.last_sign_of_life());
        let lately = heard.is_some_and(|heard| turn.now - heard < LATELY);
        let known = turn.witness.of(match_id);
        let (has_ended, is_aside) = (known.is_closed || known.has_ended, known.is_aside);
        // The match was set back to before the join, and somebody else may have come first.
        let is_undone = player.joined.is_some_and(|(epoch, tick)| {
            let later = known.resumed.range(Epoch(epoch.0 + 1)..);
            later.into_iter().any(|(_, resumed)| *resumed <= tick)
        });
        let is_good = match why {
            LinkError::Disconnected(reason) => match reason {
                R::MatchEnded | R::MatchOver => has_ended,
                R::MatchQuarantined => is_aside,
                R::TicketInvalid | R::TokenInvalid | R::Kicked | R::GameMismatch => false,
                R::CodecUnknown | R::MalformedDatagram | R::OversizedDatagram => false,
                R::MalformedMessage | R::OversizedMessage | R::UnexpectedMessage => false,
                R::DatagramFlood | R::InputTooFarAhead | R::SlowReader | R::PathTooSmall => false,
                R::RequestFlood | R::NameInvalid | R::ModeUnknown | R::Internal => false,
                // Somebody who was in comes back as long as the match is there.
                _ => !was_in || !lately || has_ended || is_aside || is_undone,
            },
            LinkError::Failed(_) => !was_in || !lately,
            LinkError::Untrusted(_) | LinkError::Protocol(_) => false,
        };
        let number = player.number;
        turn.witness.check(is_good, Invariant::ReasonsRight, || {
            format!("player {number} of match {match_id} was sent away: {why} (was in: {was_in})")
        });
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
                let epoch = self.core.session(key).and_then(|session| session.epoch());
                player.joined = epoch.map(|epoch| (epoch, joined.tick));
                player.first_mode = None;
            }
            MatchEvent::Snapshot(_) => self.look(turn, index, key),
            MatchEvent::InputDue(tick) => {
                let Some(session) = self.core.session(key) else { return };
                let epoch = session.epoch().unwrap_or(Epoch(0));
                let Some((match_id, slot)) = player.seat else { return };
                let mut input = script::input(number as u64, epoch, tick);
                if std::mem::take(&mut player.is_cursed) {
                    input = CURSE;
                }
                turn.inputs.entry((match_id, slot, epoch, tick)).or_insert(input);
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
            MatchEvent::Interrupted | MatchEvent::Reconnected { .. } | MatchEvent::Paused(_) => {
                turn.trace.note(turn.at, format_args!("player {number} {event:?}"));
            }
        }
    }

    /// Compares what the player sees with what there is.
    fn look(&mut self, turn: &mut ClientTurn<'_>, index: usize, key: PlayerKey) {
        let player = &mut self.players[index];
        let number = player.number;
        let Some(session) = self.core.session(key) else { return };
        let Some(info) = session.newest() else { return };
        let Some((match_id, slot)) = player.seat else { return };
        player.fresh = Some(turn.now);
        let dropped = session.counts().snapshots_dropped;
        let useless = dropped - std::mem::replace(&mut player.dropped, dropped);
        turn.witness.check(useless <= USELESS_MAX, Invariant::ViewsRight, || {
            format!("player {number}: {useless} snapshots in a row were against what nobody holds")
        });
        let (epoch, tick) = (info.epoch, info.tick);
        let told = info.durable.unwrap_or(Tick(0));
        if player.last == Some((epoch, tick)) {
            return;
        }
        turn.trace.note(turn.at, format_args!("player {number} sees {epoch} {tick}"));
        let known = turn.witness.of(match_id);
        let acked = known.acked;
        known.told = known.told.max(told);
        let hash = known.hashes.get(&(epoch, tick)).copied();
        turn.witness.check(told <= acked, Invariant::NoDurableTickLost, || {
            format!("player {number} was told that {told} is durable, and it is {acked}")
        });
        if let Some((last_epoch, last_tick)) = player.last {
            let in_order = if epoch == last_epoch {
                tick > last_tick
            } else {
                epoch > last_epoch && player.rolled_back.is_some_and(|to| tick >= to)
            };
            turn.witness.check(in_order, Invariant::InOrder, || {
                format!("player {number}: {epoch}/{tick} after {last_epoch}/{last_tick}")
            });
        }
        player.last = Some((epoch, tick));
        player.rolled_back = None;
        if let (Some(hash), Some(shown)) = (hash, info.state_hash) {
            turn.witness.check(hash == shown, Invariant::ViewsRight, || {
                format!("player {number}: tick {epoch}/{tick} has {hash:016x}, told {shown:016x}")
            });
        }
        let Some((seen, view)) = session.snapshot() else { return };
        if let Some(truth) = turn.witness.visible(match_id, epoch, seen)
            && let Some(wrong) = truth.check(slot, view)
        {
            let text = format!("player {number} in {match_id} at {epoch}/{seen}: {wrong}");
            turn.witness.violated(Invariant::ViewsRight, text);
        }
    }
}
