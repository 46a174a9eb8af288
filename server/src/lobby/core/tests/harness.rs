//! A lobby with everything around it that answers: accounts, shards that make matches at once, and a queue whose answers a
//! test can put in any order.

use super::table::Table;
use super::*;
use crate::accounts::Standing;
use crate::identity::ServerIdentity;
use crate::matchmaking::{LobbyId, QueueSaid};

/// When it begins, in milliseconds of Unix time.
pub(super) const NOW: u64 = 1_000_000;

pub(super) struct Harness {
    pub(super) lobby: Lobby,
    pub(super) game: GameVersion,
    /// Every match asked for, and on which shard.
    pub(super) created: Vec<(MatchId, ShardId)>,
    /// What is written down of private matches.
    pub(super) reserved: Vec<PrivateMatch>,
    /// The queue as the store has it.
    pub(super) table: Table,
    /// Writes of the queue wait in `asked`, for a test to choose their order.
    pub(super) is_slow: bool,
    pub(super) asked: Vec<Asked>,
    /// What becomes of matches that the lobby wants.
    pub(super) making: Making,
    /// Everything that was said, in order.
    pub(super) said: Vec<(u64, LobbyMessage)>,
    pub(super) now: u64,
}

/// What becomes of a match that the lobby wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Making {
    AtOnce,
    /// A test says when it is there.
    Later,
    /// The shard has no room.
    Refused,
}

/// What was asked of the queue, by whom, and what the store said once it had it.
pub(super) struct Asked {
    pub(super) to: Option<ConnectionKey>,
    pub(super) ask: QueueAsk,
    pub(super) said: Option<Result<QueueSaid, DisconnectReason>>,
}

pub(super) fn game() -> GameVersion {
    GameVersion { name: "test".into(), rules: 1, schema: 2 }
}

pub(super) fn enter(game: GameVersion, name: &str) -> LobbyRequest {
    LobbyRequest::Authenticate { game, who: name.into(), binding: [7; BINDING_BYTES] }
}

impl Harness {
    /// A lobby that knows all that is in the queue: nothing.
    pub(super) fn new() -> Self {
        let mut harness = Self::on(Table::default());
        harness.pass(0);
        harness
    }

    /// A lobby that begins on this queue.
    pub(super) fn on(table: Table) -> Self {
        let mut counter = 1_000 * table.rows.len() as u64;
        let shard =
            |i| ShardEntry { shard: ShardId(i), port: 7778 + i, fingerprint: [i as u8; 32] };
        let mode = |name: &str, rules| ModeEntry { name: name.into(), rules };
        let immediate = |name, places| mode(name, ModeRules::immediate(places));
        let slow = ModeRules { fill_seconds: 30, wait_seconds_max: 120, ..ModeRules::immediate(4) };
        let pair = ModeRules { form_min: 2, ..ModeRules::immediate(2) };
        let squad = ModeRules {
            teams: 2,
            form_min: 4,
            is_rated: true,
            window_start: 2.0,
            ..ModeRules::immediate(4)
        };
        let lobby = Lobby::new(LobbyConfig {
            lobby: LobbyId(0),
            game: game(),
            modes: vec![
                immediate("duel", 2),
                immediate("ffa", 8),
                immediate("four", 4),
                mode("slow", slow),
                mode("pair", pair),
                mode("squad", squad),
            ],
            shards: vec![shard(0), shard(1)],
            address: None,
            signer: ServerIdentity::ephemeral().expect("keys").ticket_signer(),
            provider: None,
            random: Box::new(move || {
                counter += 1;
                counter
            }),
        });
        Self {
            lobby,
            game: game(),
            created: Vec::new(),
            reserved: Vec::new(),
            table,
            is_slow: false,
            asked: Vec::new(),
            making: Making::AtOnce,
            said: Vec::new(),
            now: NOW,
        }
    }

    /// Time passes, and what the lobby wants then is done.
    pub(super) fn pass(&mut self, ms: u64) {
        self.now += ms;
        self.lobby.handle_time(self.now);
        self.settle(ConnectionKey(0));
    }

    /// The store does what was asked of it; nobody hears of that yet.
    pub(super) fn write(&mut self, is_it: impl Fn(&QueueAsk) -> bool) {
        let waits = |asked: &&mut Asked| asked.said.is_none() && is_it(&asked.ask);
        let asked = self.asked.iter_mut().find(waits).expect("it was asked");
        asked.said = Some(self.table.carry_out(&asked.ask));
    }

    /// The lobby hears what came of it.
    pub(super) fn answer(&mut self, is_it: impl Fn(&QueueAsk) -> bool) {
        let index = self.asked.iter().position(|asked| asked.said.is_some() && is_it(&asked.ask));
        let Asked { to, ask, said } = self.asked.remove(index.expect("it was written"));
        self.lobby.handle_queue(self.now, to, ask, said.expect("it was written"));
        self.settle(ConnectionKey(0));
    }

    /// Both, for all that waits, in the order of the asking.
    pub(super) fn answer_all(&mut self) {
        while !self.asked.is_empty() {
            let is_first = |_: &QueueAsk| true;
            if self.asked[0].said.is_none() {
                self.write(is_first);
            }
            self.answer(is_first);
        }
    }

    /// What a connection was told and did not look at yet.
    pub(super) fn heard(&mut self, connection: u64) -> Vec<LobbyMessage> {
        let (heard, rest) = self.said.drain(..).partition(|(to, _)| *to == connection);
        self.said = rest;
        let heard: Vec<(u64, LobbyMessage)> = heard;
        heard.into_iter().map(|(_, message)| message).collect()
    }

    /// A request that may have no answer yet.
    pub(super) fn request(&mut self, from: u64, request: LobbyRequest) -> Option<LobbyReply> {
        self.lobby.handle_request(self.now, ConnectionKey(from), request);
        self.settle(ConnectionKey(from)).map(|answer| answer.expect("the connection goes on"))
    }

    /// The players of these connections come into one party, the first one leads it.
    pub(super) fn team_up(&mut self, connections: &[u64]) {
        let opened = self.ask(connections[0], LobbyRequest::OpenParty);
        let Ok(LobbyReply::Party(Some(party))) = opened else { panic!("{opened:?}") };
        for connection in &connections[1..] {
            let join = LobbyRequest::JoinParty { code: party.code.clone() };
            assert!(matches!(self.ask(*connection, join), Ok(LobbyReply::Party(Some(_)))));
        }
    }

    /// Carries out what the lobby wants: accounts are numbered by connection.
    /// Returns the last answer to `of`.
    pub(super) fn settle(
        &mut self,
        of: ConnectionKey,
    ) -> Option<Result<LobbyReply, DisconnectReason>> {
        let mut answer = None;
        while let Some(action) = self.lobby.poll_action() {
            if let Action::Say { to, message } = &action {
                self.said.push((to.0, message.clone()));
            }
            match action {
                Action::Say { to, message: LobbyMessage::Answer(reply) } if to == of => {
                    answer = Some(Ok(reply));
                }
                Action::Close { connection, reason, .. } if connection == of => {
                    answer = Some(Err(reason));
                }
                Action::LookUp { to, .. } => {
                    let account = Account { player: PlayerId(to.0), standing: Standing::default() };
                    self.lobby.handle_account(self.now, to, Ok(account));
                }
                Action::Reserve { to, mode, wanted } => {
                    let reserved = self.reserve(wanted);
                    self.lobby.handle_reserved(self.now, to, mode, Ok(reserved));
                }
                Action::Queue { to, ask } => {
                    let writes = matches!(
                        ask,
                        QueueAsk::Enqueue(_) | QueueAsk::End { .. } | QueueAsk::Form { .. }
                    );
                    if self.is_slow && writes {
                        self.asked.push(Asked { to, ask, said: None });
                    } else {
                        let said = self.table.carry_out(&ask);
                        self.lobby.handle_queue(self.now, to, ask, said);
                    }
                }
                // Control makes none that could not be written down.
                Action::Create { match_id, .. } if self.lobby.is_storage_full => {
                    self.lobby.refuse_match(self.now, match_id, DisconnectReason::StorageFull);
                }
                Action::Create { match_id, .. } if self.making == Making::Refused => {
                    self.event(ShardEvent::CreateRefused { match_id });
                }
                Action::Create { shard, match_id, .. } => {
                    self.created.push((match_id, shard));
                    self.table.records.insert(match_id, true);
                    if self.making == Making::AtOnce {
                        self.event(ShardEvent::Created { match_id });
                    }
                }
                Action::Say { .. } | Action::Close { .. } | Action::Release { .. } => {}
            }
        }
        answer
    }

    pub(super) fn reserve(&mut self, wanted: PrivateMatch) -> Reserved {
        let key = (wanted.owner, wanted.request);
        let found = self.reserved.iter().find(|known| (known.owner, known.request) == key);
        let PrivateMatch { match_id, code, .. } = found.cloned().unwrap_or_else(|| {
            self.reserved.push(wanted.clone());
            wanted
        });
        let was_made = self.created.iter().any(|(made, _)| *made == match_id);
        Reserved { match_id, code, was_made }
    }

    pub(super) fn ask(
        &mut self,
        from: u64,
        request: LobbyRequest,
    ) -> Result<LobbyReply, DisconnectReason> {
        self.lobby.handle_request(self.now, ConnectionKey(from), request);
        self.settle(ConnectionKey(from)).expect("every request is answered")
    }

    pub(super) fn log_in(&mut self, connection: u64) {
        let name = format!("p{connection}");
        let request = enter(self.game.clone(), &name);
        let player = PlayerId(connection);
        assert_eq!(self.ask(connection, request), Ok(LobbyReply::Authenticated { player }));
    }

    pub(super) fn find(&mut self, connection: u64, mode: &str) -> Assignment {
        match self.ask(connection, LobbyRequest::FindMatch { mode: mode.into() }) {
            Ok(LobbyReply::Assigned(assignment)) => assignment,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn event(&mut self, event: ShardEvent) {
        self.lobby.handle_shard_event(self.now, &event);
    }
}
