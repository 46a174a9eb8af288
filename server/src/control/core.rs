//! Control as a state machine: what the node knows of its matches beyond a shard, and what follows from what.
//!
//! Lobby requests, shard reports, the store's answers and time go in; commands, store requests and answers
//! come out by polling. Must not know: sockets, tasks, threads, and how anything is written.
//!
//! What comes in is here, but for the store's answers (`storing`) and the journal's reports
//! (`journaling`); what a match goes through beside playing is `returning` and `dying`.

mod action;
mod counters;
mod dying;
mod journaling;
mod ledger;
mod returning;
mod rotation;
mod storing;
mod vouching;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::encoding::encode;
use matchkeep_shared::ids::{Epoch, MatchId, PlayerId, ShardId};
use matchkeep_shared::wire::lobby::LobbyRequest;

use super::{Farewell, LobbySaid};
use crate::accounts::Barred;
use crate::journal::{Entry, JournalItem};
use crate::lobby::core::{Action, ConnectionKey, Lobby};
use crate::matches::header::MatchHeader;
use crate::matches::{Deaths, MatchSpec};
use crate::recovery::Recovered;
use crate::settings::Mode;
use crate::shard::message::{Command, NewHost, ShardEvent};
use crate::store::{FinishedMatch, NewMatch};
use ledger::{Ledger, Stage};
use rotation::Rotation;
use vouching::Waiting;

pub use action::{ControlAction, Note, Showing, StoreAnswer, StoreRequest};
pub use counters::ControlCounters;
pub use storing::StoreFailed;

/// Control without its shell.
pub struct ControlCore<G: Game> {
    lobby: Lobby,
    modes: Vec<Mode<G::Config>>,
    shards: Vec<ShardId>,
    is_journaled: bool,
    /// A new key that not every shard believes yet.
    rotation: Option<Rotation>,
    matches: BTreeMap<MatchId, Ledger<G>>,
    /// Of the process before, and not back yet.
    returning: usize,
    /// Matches whose hung step was noted and is not in the journal yet.
    noted: BTreeSet<MatchId>,
    is_ready: bool,
    disk_is_full: bool,
    retries: VecDeque<(u64, Note)>,
    /// Newer tokens that the store could not judge yet.
    waiting: BTreeMap<(MatchId, PlayerId), Waiting>,
    actions: VecDeque<ControlAction<G>>,
    counters: ControlCounters,
}

/// A match that the lobby wants.
struct Wanted {
    match_id: MatchId,
    /// Index of its mode.
    mode: usize,
    seed: u64,
    is_rated: bool,
}

/// What control needs to begin.
pub struct ControlConfig<G: Game> {
    /// The lobby.
    pub lobby: Lobby,
    /// The modes, in the lobby's order.
    pub modes: Vec<Mode<G::Config>>,
    /// The shards.
    pub shards: Vec<ShardId>,
    /// Whether matches are journaled.
    pub is_journaled: bool,
}

impl<G: Game> ControlCore<G> {
    /// A node that begins with what was recovered.
    pub fn new(config: ControlConfig<G>, recovered: Recovered<G>, now_unix_ms: u64) -> Self {
        let ControlConfig { lobby, modes, shards, is_journaled } = config;
        let mut core = Self {
            lobby,
            modes,
            shards,
            is_journaled,
            rotation: None,
            matches: BTreeMap::new(),
            returning: recovered.matches.len(),
            noted: BTreeSet::new(),
            is_ready: false,
            disk_is_full: false,
            retries: VecDeque::new(),
            waiting: BTreeMap::new(),
            actions: VecDeque::new(),
            counters: ControlCounters::default(),
        };
        core.counters.matches_foreign = recovered.foreign;
        for finished in recovered.finished {
            core.counters.results_pending += 1;
            core.note(Note::Result(Box::new(finished)));
        }
        for (match_id, why) in recovered.quarantined {
            core.set_aside(match_id, why);
        }
        for (nth, returning) in recovered.matches.into_iter().enumerate() {
            core.bring_back(now_unix_ms, nth, returning);
        }
        if core.noted.is_empty() {
            // What it said is in the journal already, or its match does not go on.
            core.actions.push_back(ControlAction::ForgetNote);
        }
        core.check_ready();
        core
    }

    /// The counters.
    pub fn counters(&self) -> &ControlCounters {
        &self.counters
    }

    /// Whether every match of the process before is back or given up.
    pub fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// Whether results are on their way to the store.
    pub fn has_pending_results(&self) -> bool {
        self.counters.results_pending > 0
    }

    /// Where a match is played, and what becomes of it while its shard does not have it.
    pub fn whereabouts(&self, match_id: MatchId) -> Option<(ShardId, &'static str)> {
        self.matches.get(&match_id).map(|ledger| (ledger.shard, ledger.stage.label()))
    }

    /// The next thing to be done.
    pub fn poll_action(&mut self) -> Option<ControlAction<G>> {
        self.actions.pop_front()
    }

    /// A lobby connection asks for something.
    pub fn handle_request(&mut self, now_unix_ms: u64, from: ConnectionKey, request: LobbyRequest) {
        self.lobby.handle_request(now_unix_ms, from, request);
        self.act(now_unix_ms);
    }

    /// A lobby connection is gone.
    pub fn handle_gone(&mut self, connection: ConnectionKey) {
        self.lobby.handle_gone(connection);
    }

    /// By how much the world's clock is ahead of the server's, in milliseconds.
    pub fn set_clock_skew(&mut self, skew_ms: i64) {
        self.lobby.set_clock_skew(skew_ms);
    }

    /// Time passed.
    pub fn handle_time(&mut self, now_unix_ms: u64) {
        self.lobby.handle_time(now_unix_ms);
        while self.retries.front().is_some_and(|(at, _)| *at <= now_unix_ms) {
            if let Some((_, note)) = self.retries.pop_front() {
                self.note(note);
            }
        }
        self.ask_again(now_unix_ms);
        self.act(now_unix_ms);
    }

    /// Something happened on a shard.
    pub fn handle_report(&mut self, now_unix_ms: u64, shard: ShardId, event: ShardEvent) {
        self.lobby.handle_shard_event(now_unix_ms, &event);
        match event {
            ShardEvent::Ended { match_id, tick, outcome } => {
                tracing::info!(%match_id, %tick, reason = %outcome.reason, "match ended");
                let id = match_id;
                let finished =
                    FinishedMatch { id, outcome, ticks: tick, ended_unix_ms: now_unix_ms };
                self.counters.results_pending += 1;
                let finished = Box::new(finished);
                match self.matches.get_mut(&match_id) {
                    // The result is written when the journal has its end: a result without the match
                    // that led to it could not be proved.
                    Some(ledger) if self.is_journaled && !ledger.is_closed => {
                        ledger.stage = Stage::Ending(Some(finished));
                    }
                    _ => self.note(Note::Result(finished)),
                }
            }
            ShardEvent::Created { match_id } => {
                tracing::info!(%match_id, %shard, "match created");
            }
            ShardEvent::CreateRefused { match_id } => {
                tracing::warn!(%match_id, %shard, "the shard has no room for another match");
                self.matches.remove(&match_id);
            }
            ShardEvent::Resumed { match_id, epoch, tick, .. } => {
                tracing::info!(%match_id, %shard, %epoch, %tick, "match goes on");
                if let Some(ledger) = self.matches.get_mut(&match_id) {
                    if matches!(ledger.stage, Stage::Resuming(_)) {
                        self.counters.matches_recovered += 1;
                        self.returning = self.returning.saturating_sub(1);
                    }
                    ledger.stage = Stage::Running;
                }
                self.check_ready();
            }
            ShardEvent::Unplayable { match_id, cause } => {
                tracing::error!(%match_id, %cause, "the match cannot be played");
                self.set_aside(match_id, cause);
                self.check_ready();
            }
            ShardEvent::Died { match_id, epoch, death } => {
                self.handle_death(now_unix_ms, match_id, epoch, death);
            }
            ShardEvent::RanAway { match_id, policy, cost } => {
                tracing::warn!(%match_id, ?cost, ?policy, "the match takes more than its share");
            }
            ShardEvent::Disconnected { match_id, player, reason } => {
                tracing::debug!(%match_id, %player, reason = reason.label(), "disconnected");
            }
            ShardEvent::Joined { match_id, player } => {
                tracing::debug!(%match_id, %player, "joined");
            }
            ShardEvent::Left { match_id, player } => tracing::debug!(%match_id, %player, "left"),
            ShardEvent::Identity { match_id, player, token } => {
                self.hear_newer(now_unix_ms, Showing { shard, match_id, player }, token);
            }
            ShardEvent::KeysTaken(id) => self.note_keys_taken(shard, id),
            ShardEvent::Closed { match_id } => {
                tracing::debug!(%match_id, "match closed");
                self.matches.remove(&match_id);
            }
        }
        self.act(now_unix_ms);
    }

    /// Carries out what the lobby wants.
    fn act(&mut self, now_unix_ms: u64) {
        while let Some(action) = self.lobby.poll_action() {
            match action {
                Action::Say { to, message } => self.say(to, Ok(message)),
                Action::Close { connection, reason, text } => {
                    self.say(connection, Err(Farewell { reason, text }));
                }
                Action::LookUp { to, key } => self.ask(StoreRequest::Account { to, key }),
                Action::Reserve { to, mode, wanted } => {
                    self.ask(StoreRequest::Reserve { to, mode, wanted });
                }
                Action::Queue { to, ask } => self.ask(StoreRequest::Queue { to, ask }),
                Action::Create { shard, match_id, mode, seed, is_rated } => {
                    let new = Wanted { match_id, mode, seed, is_rated };
                    self.create(now_unix_ms, shard, new);
                }
                Action::Release { shard, match_id, player } => {
                    self.tell(shard, Command::Release { match_id, player });
                }
            }
        }
    }

    fn create(
        &mut self,
        now_unix_ms: u64,
        shard: ShardId,
        Wanted { match_id, mode, seed, is_rated }: Wanted,
    ) {
        if self.disk_is_full {
            self.lobby.refuse_match(now_unix_ms, match_id, DisconnectReason::StorageFull);
            return;
        }
        let mode = &self.modes[mode];
        let spec = MatchSpec {
            id: match_id,
            mode: mode.name.clone(),
            places: mode.rules.places,
            rate: mode.rate,
            hold_ticks: mode.rate.ticks_in(mode.hold),
            config: mode.config.clone(),
            seed,
        };
        let new = NewMatch {
            id: match_id,
            mode: mode.name.clone(),
            ladder: is_rated.then(|| mode.name.clone()),
            game: G::NAME.to_owned(),
            rules_version: G::RULES_VERSION,
            map: mode.map.clone(),
            shard,
            tick_rate: mode.rate,
            created_unix_ms: now_unix_ms,
        };
        let header = MatchHeader::new::<G>(&spec, mode.map.clone(), now_unix_ms);
        let host = Box::new(NewHost { spec, policy: mode.policy });
        let (epoch, deaths) = (Epoch(1), Deaths::default());
        let making = ControlAction::Making { match_id, mode: new.mode.clone(), shard };
        self.actions.push_back(making);
        let new = Box::new(new);
        let stage = if self.is_journaled {
            // It is made when its journal is there: nothing is played that nobody owns. Its record comes after that,
            // too: a record without a journal would stand for a match that was, and nobody made the one that was
            // promised.
            let (header, claim) = (encode(&header), Vec::new());
            let begin = Entry::Begin { header, claim, unix_ms: now_unix_ms };
            self.journal(match_id, epoch, begin);
            Stage::Beginning(Some((host, new)))
        } else {
            self.note(Note::Create(new));
            self.tell(shard, Command::Create(host));
            Stage::Running
        };
        self.matches.insert(match_id, Ledger { shard, epoch, deaths, is_closed: false, stage });
    }

    /// Who was banned or revoked lately, all of them: what they were given before is void everywhere.
    pub fn handle_barred(&mut self, barred: &Barred) {
        self.lobby.set_barred(barred.clone());
        self.tell_all(&|| Command::Bar(barred.clone()));
        // Nothing of the lobby's answers to it needs the time.
        self.act(0);
    }

    fn journal(&mut self, match_id: MatchId, epoch: Epoch, entry: Entry) {
        let item = JournalItem { match_id, epoch, entry };
        self.actions.push_back(ControlAction::ToJournal(item));
    }

    fn say(&mut self, to: ConnectionKey, said: LobbySaid) {
        self.actions.push_back(ControlAction::Say { to, said });
    }

    fn note(&mut self, note: Note) {
        self.ask(StoreRequest::Note(note));
    }

    fn ask(&mut self, request: StoreRequest) {
        self.actions.push_back(ControlAction::ToStore(request));
    }

    fn tell(&mut self, shard: ShardId, command: Command<G>) {
        self.actions.push_back(ControlAction::ToShard { shard, command });
    }

    /// Tells all shards something about a match; those that do not have it do not mind.
    fn tell_all(&mut self, command: &dyn Fn() -> Command<G>) {
        for shard in 0..self.shards.len() {
            self.tell(self.shards[shard], command());
        }
    }
}

#[cfg(test)]
mod tests;
