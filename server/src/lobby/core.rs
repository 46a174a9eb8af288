//! The lobby as a state machine: no socket, no clock, no store.
//!
//! What comes in is here, and what is known of who is in. Who they are: `entering`; places in matches: `assigning`;
//! matches that only those find who know of them: `private`; looking for a match: `queueing`, `queued` and `taking`;
//! parties that do so together: `grouping`.

mod assigning;
mod entering;
mod grouping;
mod private;
mod queued;
mod queueing;
mod taking;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{MatchId, PlayerId, ShardId};
use matchkeep_shared::limits::{LOBBY_CONNECTIONS_PER_PLAYER_MAX, NO_ROOM_PAUSE};
use matchkeep_shared::ticket::{BINDING_BYTES, Validity};
use matchkeep_shared::wire::lobby::{LobbyMessage, LobbyReply, LobbyRequest};
use matchkeep_shared::wire::message::GameVersion;

use super::hall::Hall;
use super::parties::Parties;
use super::placement::{Placement, Venue};
use super::reader::Reader;
use crate::accounts::{Account, AccountKey, Barred, Provider};
use crate::matchmaking::{LobbyId, ModeRules, QueueAsk, QueueTicket};
use crate::reservations::{PrivateMatch, Reserved};
use crate::shard::message::ShardEvent;
use crate::tickets::TicketSigner;
pub use entering::Newer;

/// Names one lobby connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnectionKey(pub u64);

/// What the lobby knows of a mode.
#[derive(Clone, Debug)]
pub struct ModeEntry {
    /// Its name.
    pub name: String,
    /// How its matches are formed.
    pub rules: ModeRules,
}

/// Where a shard is reached.
#[derive(Clone, Copy, Debug)]
pub struct ShardEntry {
    /// Which shard.
    pub shard: ShardId,
    /// Its UDP port.
    pub port: u16,
    /// SHA-256 of the certificate it shows.
    pub fingerprint: [u8; 32],
}

/// What a lobby needs to begin.
pub struct LobbyConfig {
    /// Which of those who work on the store it is: what this one promised, it keeps first.
    pub lobby: LobbyId,
    /// The game that is played here.
    pub game: GameVersion,
    /// Its modes; the first is the default.
    pub modes: Vec<ModeEntry>,
    /// The node's shards.
    pub shards: Vec<ShardEntry>,
    /// The address to tell clients; `None`: where they found the lobby.
    pub address: Option<std::net::IpAddr>,
    /// Signs tickets.
    pub signer: TicketSigner,
    /// Who says who players are; `None`: they do.
    pub provider: Option<Provider>,
    /// 64 random bits that nobody can guess.
    pub random: Box<dyn FnMut() -> u64 + Send>,
}

/// What the lobby wants done.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// Say something: the answer to a request, or news.
    Say {
        /// To whom.
        to: ConnectionKey,
        /// What.
        message: LobbyMessage,
    },
    /// Find out which account this is; [`Lobby::handle_account`] takes the answer.
    LookUp {
        /// For whom.
        to: ConnectionKey,
        /// By what it is known.
        key: AccountKey,
    },
    /// Write down that a player wants a private match; [`Lobby::handle_reserved`] takes the answer.
    Reserve {
        /// For whom.
        to: ConnectionKey,
        /// Index of its mode.
        mode: usize,
        /// The match.
        wanted: PrivateMatch,
    },
    /// Ask this of the queue; [`Lobby::handle_queue`] takes the answer.
    Queue {
        /// Who waits for it, where somebody does.
        to: Option<ConnectionKey>,
        /// What.
        ask: QueueAsk,
    },
    /// Make a match on a shard.
    Create {
        /// Where.
        shard: ShardId,
        /// The match.
        match_id: MatchId,
        /// Index of its mode.
        mode: usize,
        /// The seed of its random numbers.
        seed: u64,
        /// Whether its result counts for its players' ratings.
        is_rated: bool,
    },
    /// Tell a shard that a player gave up the place.
    Release {
        /// Where.
        shard: ShardId,
        /// The match.
        match_id: MatchId,
        /// The player.
        player: PlayerId,
    },
    /// End a connection.
    Close {
        /// Which.
        connection: ConnectionKey,
        /// Why.
        reason: DisconnectReason,
        /// What a person should know beyond that.
        text: Option<String>,
    },
}

/// One lobby connection.
#[derive(Clone, Debug)]
enum Session {
    /// The account is being looked up.
    LookingUp(Newcomer),
    Authenticated(Player),
}

/// Who asks to be let in.
#[derive(Clone, Debug)]
struct Newcomer {
    name: String,
    /// SHA-256 of the secret that is shown with tickets.
    binding: [u8; BINDING_BYTES],
    shown: Shown,
}

/// What somebody showed to be let in.
#[derive(Clone, Debug)]
struct Shown {
    /// The identity provider's own name for the player, where it is one who says so.
    subject: Option<String>,
    validity: Validity,
}

#[derive(Clone, Debug)]
struct Player {
    id: PlayerId,
    newcomer: Newcomer,
}

/// A request that cannot be judged yet.
#[derive(Clone, Debug)]
struct Held {
    from: ConnectionKey,
    request: LobbyRequest,
    since_unix_ms: u64,
}

/// How something is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Voice {
    Answer,
    News,
}

/// The lobby.
pub struct Lobby {
    config: LobbyConfig,
    placement: Placement,
    parties: Parties,
    /// Wishes for private matches that are being written: whose, and the number of each request.
    reserving: BTreeMap<ConnectionKey, (PlayerId, u64)>,
    hall: Hall,
    /// What is read of the queue.
    reader: Reader,
    /// Players of parties whose way into the queue is being written.
    enqueuing: BTreeSet<PlayerId>,
    /// Requests that cannot be judged yet, at most one of each connection.
    held: Vec<Held>,
    sessions: HashMap<ConnectionKey, Session>,
    /// The connections of each player who is in.
    online: HashMap<PlayerId, Vec<ConnectionKey>>,
    /// Players of parties who are gone, each since when.
    away: BTreeMap<PlayerId, u64>,
    /// Who waits for a match that is being made, and how it is to be told.
    waiting: Vec<(MatchId, ConnectionKey, Voice)>,
    /// Parties that this process took out of the queue for matches that are being made: those may be refused.
    taken_for: BTreeMap<MatchId, Vec<QueueTicket>>,
    /// Nothing can be written down: nobody new gets a place.
    is_storage_full: bool,
    /// No match is begun for parties until then, for there was no room for one.
    no_room_until_unix_ms: u64,
    barred: Barred,
    /// By how much the world's clock is ahead of the server's.
    clock_skew_ms: i64,
    actions: VecDeque<Action>,
}

impl Lobby {
    /// A lobby without matches.
    ///
    /// # Panics
    /// Where there is no mode or no shard, or a mode's rules cannot be: the settings were checked.
    pub fn new(config: LobbyConfig) -> Self {
        assert!(!config.modes.is_empty() && !config.shards.is_empty(), "settings were checked");
        let modes = config.modes.iter().map(|mode| (mode.name.clone(), mode.rules));
        let hall = Hall::new(modes).expect("settings were checked");
        Self {
            config,
            placement: Placement::default(),
            parties: Parties::default(),
            reserving: BTreeMap::new(),
            hall,
            reader: Reader::new(),
            enqueuing: BTreeSet::new(),
            held: Vec::new(),
            sessions: HashMap::new(),
            online: HashMap::new(),
            away: BTreeMap::new(),
            waiting: Vec::new(),
            taken_for: BTreeMap::new(),
            is_storage_full: false,
            no_room_until_unix_ms: 0,
            barred: Barred::new(),
            clock_skew_ms: 0,
            actions: VecDeque::new(),
        }
    }

    /// A connection asks for something.
    pub fn handle_request(&mut self, now_unix_ms: u64, from: ConnectionKey, request: LobbyRequest) {
        let session = self.sessions.get(&from).cloned();
        if let Some(Session::Authenticated(player)) = &session
            && player.newcomer.shown.validity.until_unix_ms <= now_unix_ms
            && !matches!(request, LobbyRequest::Authenticate { .. })
        {
            return self.close(from, DisconnectReason::IdentityExpired);
        }
        match (session, request) {
            (None, LobbyRequest::Authenticate { game, who, binding }) => {
                self.enter(now_unix_ms, from, &game, who, binding);
            }
            (Some(Session::Authenticated(player)), request) => {
                self.serve(now_unix_ms, from, player, request);
            }
            // Asking before authenticating, or before the answer.
            _ => self.close(from, DisconnectReason::UnexpectedMessage),
        }
    }

    /// Somebody who is in asks for something.
    fn serve(
        &mut self,
        now_unix_ms: u64,
        from: ConnectionKey,
        player: Player,
        request: LobbyRequest,
    ) {
        match request {
            LobbyRequest::Authenticate { who, .. } => self.refresh(now_unix_ms, from, player, who),
            LobbyRequest::FindMatch { mode } => self.find_match(now_unix_ms, from, &player, &mode),
            LobbyRequest::Locate { match_id } => self.locate(now_unix_ms, from, &player, match_id),
            LobbyRequest::Leave { match_id } => self.leave(from, &player, match_id),
            LobbyRequest::CreatePrivate { request, mode } => {
                self.reserve(now_unix_ms, from, &player, request, &mode);
            }
            LobbyRequest::JoinPrivate { code } => {
                self.join_private(now_unix_ms, from, &player, &code);
            }
            LobbyRequest::Cancel => self.cancel(now_unix_ms, from, &player),
            LobbyRequest::OpenParty => self.open_party(from, &player),
            LobbyRequest::JoinParty { code } => self.join_party(now_unix_ms, from, &player, &code),
            LobbyRequest::LeaveParty => {
                self.leave_party(now_unix_ms, player.id);
                self.reply(from, LobbyReply::Party(None));
            }
        }
    }

    /// Something happened on a shard.
    pub fn handle_shard_event(&mut self, now_unix_ms: u64, event: &ShardEvent) {
        match event {
            ShardEvent::Created { match_id } => {
                self.placement.created(*match_id);
                if self.is_storage_full {
                    // It takes nobody meanwhile.
                    self.take_back(now_unix_ms, *match_id, DisconnectReason::StorageFull);
                }
                self.taken_for.remove(match_id);
                self.assign_waiting(now_unix_ms, *match_id);
            }
            ShardEvent::CreateRefused { match_id } => {
                if self.taken_for.contains_key(match_id) {
                    // Else the same parties would be taken for the next one that is refused, as fast as can be written.
                    let pause_ms = NO_ROOM_PAUSE.as_millis() as u64;
                    self.no_room_until_unix_ms = now_unix_ms + pause_ms;
                }
                self.refuse_match(now_unix_ms, *match_id, DisconnectReason::ServerFull);
            }
            ShardEvent::Resumed { match_id, players, .. } => {
                self.placement.resumed(*match_id, players);
                self.ask_for_means();
                self.assign_waiting(now_unix_ms, *match_id);
            }
            // Control decides what becomes of it.
            ShardEvent::Unplayable { .. }
            | ShardEvent::Died { .. }
            | ShardEvent::RanAway { .. } => {}
            ShardEvent::Joined { match_id, player } => self.placement.seated(*match_id, *player),
            ShardEvent::Left { match_id, player } => self.placement.vacated(*match_id, *player),
            // The place is held; the shard says when it no longer is.
            ShardEvent::Disconnected { .. }
            | ShardEvent::Identity { .. }
            | ShardEvent::KeysTaken(_) => {}
            ShardEvent::Ended { match_id, .. } => self.placement.over(*match_id),
            ShardEvent::Closed { match_id } => self.placement.remove(*match_id),
        }
        self.matchmake(now_unix_ms);
    }

    /// A match of an earlier process is being brought back; `mode` where there still is one.
    pub fn expect_match(
        &mut self,
        match_id: MatchId,
        mode: Option<usize>,
        shard: ShardId,
        places: usize,
        private: Option<PrivateMatch>,
    ) {
        // Of a mode that is gone nobody is sent to it, and those who have a place still find it.
        let rules = mode.map(|mode| self.config.modes[mode].rules);
        let teams = rules.map_or(0, |rules| rules.teams);
        let is_rated = private.is_none() && rules.is_some_and(|rules| rules.is_rated);
        let mode = mode.unwrap_or(usize::MAX);
        let venue = Venue { mode, shard, places, teams, is_rated, private };
        self.placement.expect(match_id, venue);
    }

    /// Tickets are signed with another key from now on, which every shard believes already.
    pub fn set_signer(&mut self, signer: TicketSigner) {
        self.config.signer = signer;
    }

    /// Whether there is room to write down what is played. Without it nobody new gets a place; who has one
    /// still finds the way back.
    pub fn set_storage_full(&mut self, is_full: bool) {
        self.is_storage_full = is_full;
    }

    /// A match cannot be made. Whoever was taken for it out of the queue waits on.
    pub fn refuse_match(&mut self, now_unix_ms: u64, match_id: MatchId, reason: DisconnectReason) {
        self.placement.remove(match_id);
        self.take_back(now_unix_ms, match_id, reason);
    }

    /// A match goes on nowhere.
    pub fn forget_match(&mut self, match_id: MatchId) {
        self.placement.remove(match_id);
        self.taken_for.remove(&match_id);
        let reason = DisconnectReason::MatchQuarantined;
        for (to, voice) in self.take_waiting(match_id) {
            self.say(to, voice, LobbyReply::Refused { reason });
        }
    }

    /// Time passed.
    pub fn handle_time(&mut self, now_unix_ms: u64) {
        self.end_expired(now_unix_ms);
        self.placement.expire(now_unix_ms);
        self.keep_hall(now_unix_ms);
        self.refuse_held(now_unix_ms);
    }

    /// A connection is gone. Promised places stay promised: the player may be on the way.
    pub fn handle_gone(&mut self, connection: ConnectionKey) {
        self.forget_session(connection);
        self.waiting.retain(|(_, waiting, _)| *waiting != connection);
    }

    /// The next thing to be done.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The mode of this name; the first one's is the empty name too.
    fn mode(&self, name: &str) -> Option<usize> {
        let modes = &self.config.modes;
        if name.is_empty() { Some(0) } else { modes.iter().position(|mode| mode.name == name) }
    }

    fn say(&mut self, to: ConnectionKey, voice: Voice, reply: LobbyReply) {
        let message = match voice {
            Voice::Answer => LobbyMessage::Answer(reply),
            Voice::News => LobbyMessage::News(reply),
        };
        self.actions.push_back(Action::Say { to, message });
    }

    fn reply(&mut self, to: ConnectionKey, reply: LobbyReply) {
        self.say(to, Voice::Answer, reply);
    }

    /// Tells a player something unasked, on every connection but one.
    fn tell(&mut self, player: PlayerId, but: Option<ConnectionKey>, reply: &LobbyReply) {
        let connections = self.online.get(&player).cloned().unwrap_or_default();
        for to in connections.into_iter().filter(|to| Some(*to) != but) {
            self.say(to, Voice::News, reply.clone());
        }
    }

    /// A player is in.
    fn remember_session(&mut self, connection: ConnectionKey, player: Player) {
        let connections = self.online.entry(player.id).or_default();
        if !connections.contains(&connection) {
            connections.push(connection);
        }
        let crowded = connections.len() > LOBBY_CONNECTIONS_PER_PLAYER_MAX;
        let oldest = crowded.then(|| connections[0]);
        self.sessions.insert(connection, Session::Authenticated(player));
        // One player does not fill the lobby.
        if let Some(oldest) = oldest {
            self.close(oldest, DisconnectReason::Replaced);
        }
    }

    /// A connection is over.
    fn forget_session(&mut self, connection: ConnectionKey) {
        self.held.retain(|held| held.from != connection);
        let Some(Session::Authenticated(player)) = self.sessions.remove(&connection) else {
            return;
        };
        if let Some(connections) = self.online.get_mut(&player.id) {
            connections.retain(|known| *known != connection);
            if connections.is_empty() {
                self.online.remove(&player.id);
                self.look_who_is_here(player.id);
            }
        }
    }

    fn refuse(&mut self, to: ConnectionKey, reason: DisconnectReason) {
        self.reply(to, LobbyReply::Refused { reason });
    }

    fn close(&mut self, connection: ConnectionKey, reason: DisconnectReason) {
        self.close_saying(connection, reason, None);
    }

    fn close_saying(
        &mut self,
        connection: ConnectionKey,
        reason: DisconnectReason,
        text: Option<String>,
    ) {
        self.forget_session(connection);
        self.actions.push_back(Action::Close { connection, reason, text });
    }
}

#[cfg(test)]
mod tests;
