//! Control as a state machine: what the node knows of its matches beyond a shard, and what follows from what.
//!
//! Lobby requests, shard reports, the store's answers and time go in; commands, store requests and answers
//! come out by polling. Must not know: sockets, tasks, threads, and how anything is written.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::encoding::encode;
use matchkeep_shared::ids::{Epoch, MatchId, PlayerId, ShardId};
use matchkeep_shared::limits::DEATHS_PER_TICK_MAX;
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::lobby::LobbyRequest;

use super::LobbyAnswer;
use crate::journal::{Durable, Entry, JournalError, JournalItem, JournalReport, Refused};
use crate::lobby::core::{Action, ConnectionKey, Lobby};
use crate::matches::header::MatchHeader;
use crate::matches::incident::{Incident, IncidentCause};
use crate::matches::{Death, MatchSpec};
use crate::recovery::{Recovered, Returning};
use crate::settings::Mode;
use crate::shard::message::{Command, NewHost, Resumption, ShardEvent};
use crate::store::{FinishedMatch, NewMatch, StoreError};

/// How long a write that the store could not take waits before it is tried again, in milliseconds.
const STORE_RETRY_MS: u64 = 1000;

/// What control wants of the store.
#[derive(Clone, Debug, PartialEq)]
pub enum StoreRequest {
    /// The account of a name.
    Account {
        /// For whom.
        to: ConnectionKey,
        /// The name.
        name: String,
    },
    /// The record of a match that begins.
    Create(Box<NewMatch>),
    /// A match is set aside with all its data.
    Quarantine {
        /// The match.
        match_id: MatchId,
        /// Why.
        why: String,
    },
    /// A match's result.
    Result(Box<FinishedMatch>),
}

/// What the store answers.
#[derive(Debug)]
pub enum StoreAnswer {
    /// To an account's request.
    Account {
        /// For whom.
        to: ConnectionKey,
        /// The account.
        result: Result<PlayerId, StoreError>,
    },
    /// To any other.
    Done {
        /// What was asked.
        request: StoreRequest,
        /// How it went.
        result: Result<(), StoreError>,
    },
}

/// What control wants done.
#[derive(Debug)]
pub enum ControlAction<G: Game> {
    /// Answer a lobby request.
    Answer {
        /// Whose.
        to: ConnectionKey,
        /// The answer.
        answer: LobbyAnswer,
    },
    /// Tell a shard.
    ToShard {
        /// Which.
        shard: ShardId,
        /// What.
        command: Command<G>,
    },
    /// Ask the store.
    ToStore(StoreRequest),
    /// Hand this over for the journal.
    ToJournal(JournalItem),
    /// The journal has what the watchdog of the process before noted: the note has served.
    ForgetNote,
    /// Every match of the process before is back, or was given up: players may come.
    Ready,
}

/// What control counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControlCounters {
    /// Results on stable storage since the start.
    pub results_stored: u64,
    /// Results on their way there.
    pub results_pending: u64,
    /// Results that can never be stored; the log says why.
    pub results_lost: u64,
    /// Writes the store could not take.
    pub store_errors: u64,
    /// Matches of an earlier process that went on.
    pub matches_recovered: u64,
    /// Matches that were set aside.
    pub matches_quarantined: u64,
    /// Matches left alone because they were played under other rules.
    pub matches_foreign: u64,
    /// What matches died of, by cause.
    pub deaths: BTreeMap<&'static str, u64>,
    /// Appends of an epoch that is over, refused by the store.
    pub stale_appends: u64,
}

/// A match as control knows it.
#[derive(Debug)]
struct Ledger<G: Game> {
    shard: ShardId,
    epoch: Epoch,
    /// How often it died at which tick; the last one counts.
    deaths: Deaths,
    /// Its journal has its end, durably.
    is_closed: bool,
    stage: Stage<G>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Deaths {
    tick: Tick,
    count: u32,
}

impl Deaths {
    fn count(&mut self, tick: Tick) -> u32 {
        if self.tick != tick {
            *self = Self { tick, count: 0 };
        }
        self.count += 1;
        self.count
    }
}

#[derive(Debug)]
enum Stage<G: Game> {
    /// Its beginning is on the way to stable storage.
    Beginning(Option<Box<NewHost<G>>>),
    /// Its epoch is being claimed, then it is replayed.
    Resuming(Option<Box<Resumption<G>>>),
    Running,
    /// It died; its next epoch is being claimed.
    Restarting,
    /// It ended; its result is being written.
    Ending(Option<Box<FinishedMatch>>),
    /// It is being set aside.
    Leaving,
}

/// Control without its shell.
pub struct ControlCore<G: Game> {
    lobby: Lobby,
    modes: Vec<Mode<G::Config>>,
    shards: Vec<ShardId>,
    is_journaled: bool,
    matches: BTreeMap<MatchId, Ledger<G>>,
    /// Of the process before, and not back yet.
    returning: usize,
    /// Matches whose hung step was noted and is not in the journal yet.
    noted: BTreeSet<MatchId>,
    is_ready: bool,
    disk_is_full: bool,
    retries: VecDeque<(u64, StoreRequest)>,
    actions: VecDeque<ControlAction<G>>,
    counters: ControlCounters,
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

/// Control cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct StoreFailed(#[from] pub StoreError);

impl<G: Game> ControlCore<G> {
    /// A node that begins with what was recovered.
    pub fn new(config: ControlConfig<G>, recovered: Recovered<G>, now_unix_ms: u64) -> Self {
        let ControlConfig { lobby, modes, shards, is_journaled } = config;
        let mut core = Self {
            lobby,
            modes,
            shards,
            is_journaled,
            matches: BTreeMap::new(),
            returning: recovered.matches.len(),
            noted: BTreeSet::new(),
            is_ready: false,
            disk_is_full: false,
            retries: VecDeque::new(),
            actions: VecDeque::new(),
            counters: ControlCounters::default(),
        };
        core.counters.matches_foreign = recovered.foreign;
        for finished in recovered.finished {
            core.counters.results_pending += 1;
            core.ask(StoreRequest::Result(Box::new(finished)));
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

    /// A match of the process before: its next epoch is claimed, then a shard replays it.
    fn bring_back(&mut self, now_unix_ms: u64, nth: usize, returning: Returning<G>) {
        let epoch = returning.epoch();
        let Returning { spec, record, is_recorded, base, deaths: died, hung, journal } = returning;
        let shard = self.shards[nth % self.shards.len()];
        if !is_recorded {
            self.ask(StoreRequest::Create(Box::new(NewMatch { shard, ..record })));
        }
        let match_id = spec.id;
        let mode = self.modes.iter().position(|mode| mode.name == spec.mode);
        self.lobby.expect_match(match_id, mode, shard, spec.places);
        let mut deaths = Deaths::default();
        for tick in died {
            deaths.count(tick);
        }
        let policy = mode.map(|mode| self.modes[mode].policy).unwrap_or_default();
        let host = NewHost { spec, policy };
        let stage = Stage::Resuming(Some(Box::new(Resumption { host, epoch, base })));
        self.matches.insert(match_id, Ledger { shard, epoch, deaths, is_closed: false, stage });
        let (claim, unix_ms) = (Vec::new(), now_unix_ms);
        self.journal(match_id, epoch, Entry::Resume { recovered: journal, claim, unix_ms });
        if let Some(hung) = hung {
            *self.counters.deaths.entry(hung.cause.label()).or_default() += 1;
            self.noted.insert(match_id);
            self.journal(
                match_id,
                epoch,
                Entry::Incident { tick: hung.tick, bytes: encode(&hung) },
            );
        }
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

    /// A lobby connection asks for something.
    pub fn handle_request(&mut self, now_unix_ms: u64, from: ConnectionKey, request: LobbyRequest) {
        self.lobby.handle_request(now_unix_ms, from, request);
        self.act(now_unix_ms);
    }

    /// A lobby connection is gone.
    pub fn handle_gone(&mut self, connection: ConnectionKey) {
        self.lobby.handle_gone(connection);
    }

    /// Time passed.
    pub fn handle_time(&mut self, now_unix_ms: u64) {
        self.lobby.handle_time(now_unix_ms);
        while self.retries.front().is_some_and(|(at, _)| *at <= now_unix_ms) {
            if let Some((_, request)) = self.retries.pop_front() {
                self.ask(request);
            }
        }
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
                    _ => self.ask(StoreRequest::Result(finished)),
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
            ShardEvent::ResumeFailed { match_id, cause } => {
                tracing::error!(%match_id, %cause, "the match cannot be brought back");
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
            ShardEvent::Closed { match_id } => {
                tracing::debug!(%match_id, "match closed");
                self.matches.remove(&match_id);
            }
        }
        self.act(now_unix_ms);
    }

    /// The store has an answer.
    ///
    /// # Errors
    /// [`StoreFailed`] where nothing can be stored any more: the process should end and start anew.
    pub fn handle_store(
        &mut self,
        now_unix_ms: u64,
        answer: StoreAnswer,
    ) -> Result<(), StoreFailed> {
        match answer {
            StoreAnswer::Account { to, result } => {
                let account = self.noted("a player's account", result)?;
                self.lobby.handle_account(to, account);
            }
            StoreAnswer::Done { request, result } => {
                let refused = result.as_ref().err().filter(|error| error.is_final()).cloned();
                let what = match &request {
                    StoreRequest::Account { .. } => "a player's account",
                    StoreRequest::Create(_) => "a match's beginning",
                    StoreRequest::Quarantine { .. } => "that a match was set aside",
                    StoreRequest::Result(_) => "a match's result",
                };
                match (self.noted(what, result)?, refused) {
                    (Some(()), _) => self.stored(request),
                    (None, Some(_)) => self.refused(request),
                    (None, None) => self.unstored(now_unix_ms, request),
                }
            }
        }
        self.act(now_unix_ms);
        Ok(())
    }

    /// The journal tells what came of a flush.
    ///
    /// # Errors
    /// [`StoreFailed`] where nothing can be stored any more.
    pub fn handle_journal(
        &mut self,
        now_unix_ms: u64,
        report: JournalReport,
    ) -> Result<(), StoreFailed> {
        match &report.trouble {
            Some(JournalError::Broken { cause }) => {
                return Err(StoreFailed(StoreError::Broken { cause: cause.clone() }));
            }
            Some(trouble) => {
                if !self.disk_is_full {
                    tracing::error!(%trouble, "nobody new comes in until the journal takes more");
                }
                self.disk_is_full = true;
            }
            None => {
                if self.disk_is_full {
                    tracing::info!("the journal takes more again");
                }
                self.disk_is_full = false;
            }
        }
        for (match_id, epoch) in report.claimed {
            self.claimed(match_id, epoch);
        }
        for (match_id, tick) in report.checkpoints_too_large {
            tracing::error!(%match_id, %tick, "the match's state is too large for a checkpoint");
        }
        for refused in report.refused {
            self.refused_by_journal(now_unix_ms, refused);
        }
        let mut durable: BTreeMap<ShardId, Vec<_>> = BTreeMap::new();
        for Durable { match_id, epoch, tick, incidents, is_finished } in report.durable {
            if incidents > 0 && self.noted.remove(&match_id) && self.noted.is_empty() {
                self.actions.push_back(ControlAction::ForgetNote);
            }
            let Some(ledger) = self.matches.get_mut(&match_id) else { continue };
            durable.entry(ledger.shard).or_default().push((match_id, epoch, tick));
            ledger.is_closed |= is_finished;
            if is_finished
                && let Stage::Ending(finished) = &mut ledger.stage
                && let Some(finished) = finished.take()
            {
                self.ask(StoreRequest::Result(finished));
            }
        }
        // Each shard hears of its own matches.
        for (shard, ticks) in durable {
            self.tell(shard, Command::Durable(ticks));
        }
        self.act(now_unix_ms);
        Ok(())
    }

    /// A match is this node's under this epoch, durably.
    fn claimed(&mut self, match_id: MatchId, epoch: Epoch) {
        let Some(ledger) = self.matches.get_mut(&match_id) else { return };
        ledger.epoch = epoch;
        let shard = ledger.shard;
        match &mut ledger.stage {
            Stage::Beginning(host) => {
                if let Some(host) = host.take() {
                    ledger.stage = Stage::Running;
                    self.tell(shard, Command::Create(host));
                }
            }
            Stage::Restarting => self.tell(shard, Command::Restart { match_id, epoch }),
            Stage::Resuming(resumption) => {
                if let Some(resumption) = resumption.take() {
                    self.tell(shard, Command::Resume(resumption));
                }
            }
            Stage::Running | Stage::Ending(_) | Stage::Leaving => {}
        }
    }

    /// Nothing more is taken of a match: whoever has it now, it is not this node.
    fn refused_by_journal(&mut self, now_unix_ms: u64, refused: Refused) {
        let Refused { match_id, epoch, why } = refused;
        let Some(ledger) = self.matches.get(&match_id) else { return };
        self.counters.stale_appends += 1;
        tracing::error!(%match_id, %epoch, %why, "the journal takes no more of the match; it stops here");
        let (shard, begins) = (ledger.shard, matches!(ledger.stage, Stage::Beginning(_)));
        // The others do not wait for one that somebody else brings back.
        if matches!(ledger.stage, Stage::Resuming(_)) {
            self.returning = self.returning.saturating_sub(1);
        }
        self.matches.remove(&match_id);
        if begins {
            self.lobby.handle_shard_event(now_unix_ms, &ShardEvent::CreateRefused { match_id });
        } else {
            self.lobby.forget_match(match_id);
            // They may find it where it is now.
            let reason = DisconnectReason::ConnectionLost;
            self.tell(shard, Command::Drop { match_id, reason });
        }
        self.check_ready();
    }

    /// The next thing to be done.
    pub fn poll_action(&mut self) -> Option<ControlAction<G>> {
        self.actions.pop_front()
    }

    fn handle_death(&mut self, now_unix_ms: u64, match_id: MatchId, epoch: Epoch, death: Death) {
        let Death { tick, cause, suspect } = death;
        *self.counters.deaths.entry(IncidentCause::Panic.label()).or_default() += 1;
        let Some(ledger) = self.matches.get_mut(&match_id) else { return };
        let deaths = ledger.deaths.count(tick);
        tracing::error!(%match_id, %epoch, %tick, deaths, %cause, "the match died");
        let incident = Incident { cause: IncidentCause::Panic, tick, text: cause.clone(), suspect };
        let incident = encode(&incident);
        if !self.is_journaled {
            self.matches.remove(&match_id);
            return;
        }
        let is_last = deaths >= DEATHS_PER_TICK_MAX;
        ledger.stage = if is_last { Stage::Leaving } else { Stage::Restarting };
        // The evidence is written in any case, behind the last frame.
        let entry = Entry::Incident { tick, bytes: incident };
        self.journal(match_id, epoch, entry);
        if is_last {
            let why = format!("died {deaths} times at tick {tick}: {cause}");
            self.set_aside(match_id, why);
        } else {
            let entry = Entry::Restart { claim: Vec::new(), unix_ms: now_unix_ms };
            self.journal(match_id, Epoch(epoch.0 + 1), entry);
        }
    }

    fn set_aside(&mut self, match_id: MatchId, why: String) {
        self.counters.matches_quarantined += 1;
        if let Some(ledger) = self.matches.get_mut(&match_id) {
            if matches!(ledger.stage, Stage::Resuming(_)) {
                self.returning = self.returning.saturating_sub(1);
            }
            ledger.stage = Stage::Leaving;
            let shard = ledger.shard;
            let reason = DisconnectReason::MatchQuarantined;
            self.tell(shard, Command::Drop { match_id, reason });
        }
        tracing::error!(%match_id, %why, "the match is set aside with its data");
        self.lobby.forget_match(match_id);
        self.ask(StoreRequest::Quarantine { match_id, why });
    }

    fn check_ready(&mut self) {
        if self.returning == 0 && !self.is_ready {
            self.is_ready = true;
            for shard in 0..self.shards.len() {
                self.tell(self.shards[shard], Command::Open);
            }
            self.actions.push_back(ControlAction::Ready);
        }
    }

    /// A request is on stable storage.
    fn stored(&mut self, request: StoreRequest) {
        match request {
            StoreRequest::Account { .. }
            | StoreRequest::Create(_)
            | StoreRequest::Quarantine { .. } => {}
            StoreRequest::Result(finished) => {
                self.counters.results_pending -= 1;
                self.counters.results_stored += 1;
                self.tell_all(&|| Command::ResultDurable { match_id: finished.id });
            }
        }
    }

    /// A request can never be carried out.
    fn refused(&mut self, request: StoreRequest) {
        match request {
            StoreRequest::Account { .. }
            | StoreRequest::Create(_)
            | StoreRequest::Quarantine { .. } => {}
            StoreRequest::Result(finished) => {
                let match_id = finished.id;
                tracing::error!(%match_id, "the result is lost: {:?}", finished.outcome);
                self.counters.results_pending -= 1;
                self.counters.results_lost += 1;
                self.tell_all(&|| Command::ResultLost { match_id });
            }
        }
    }

    /// The store has no room for a request now.
    fn unstored(&mut self, now_unix_ms: u64, request: StoreRequest) {
        match request {
            // Who asked may ask again.
            StoreRequest::Account { .. } => {}
            // Nothing is lost: the match stands, and nobody is told what is not durable. The result will
            // need the match's record.
            later @ (StoreRequest::Create(_)
            | StoreRequest::Quarantine { .. }
            | StoreRequest::Result(_)) => {
                self.retries.push_back((now_unix_ms + STORE_RETRY_MS, later));
            }
        }
    }

    /// What the store said. A store that can no longer be trusted ends the process; anything else is
    /// told in the log and counted.
    fn noted<T>(
        &mut self,
        what: &str,
        result: Result<T, StoreError>,
    ) -> Result<Option<T>, StoreFailed> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error @ (StoreError::Broken { .. } | StoreError::Closed)) => Err(error.into()),
            Err(error) => {
                self.counters.store_errors += 1;
                tracing::error!(%error, "{what} could not be stored");
                Ok(None)
            }
        }
    }

    /// Carries out what the lobby wants.
    fn act(&mut self, now_unix_ms: u64) {
        while let Some(action) = self.lobby.poll_action() {
            match action {
                Action::Reply { to, reply } => self.answer(to, Ok(reply)),
                Action::Close { connection, reason } => self.answer(connection, Err(reason)),
                Action::LookUp { to, name } => self.ask(StoreRequest::Account { to, name }),
                Action::Create { shard, match_id, mode, seed } => {
                    self.create(now_unix_ms, shard, match_id, mode, seed);
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
        match_id: MatchId,
        mode: usize,
        seed: u64,
    ) {
        if self.disk_is_full {
            self.lobby.refuse_match(match_id, DisconnectReason::StorageFull);
            return;
        }
        let mode = &self.modes[mode];
        let spec = MatchSpec {
            id: match_id,
            mode: mode.name.clone(),
            places: mode.places,
            rate: mode.rate,
            hold_ticks: mode.rate.ticks_in(mode.hold),
            config: mode.config.clone(),
            seed,
        };
        let new = NewMatch {
            id: match_id,
            mode: mode.name.clone(),
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
        self.ask(StoreRequest::Create(Box::new(new)));
        let stage = if self.is_journaled {
            // It is made when its journal is there: nothing is played that nobody owns.
            let (header, claim) = (encode(&header), Vec::new());
            let begin = Entry::Begin { header, claim, unix_ms: now_unix_ms };
            self.journal(match_id, epoch, begin);
            Stage::Beginning(Some(host))
        } else {
            self.tell(shard, Command::Create(host));
            Stage::Running
        };
        self.matches.insert(match_id, Ledger { shard, epoch, deaths, is_closed: false, stage });
    }

    fn journal(&mut self, match_id: MatchId, epoch: Epoch, entry: Entry) {
        let item = JournalItem { match_id, epoch, entry };
        self.actions.push_back(ControlAction::ToJournal(item));
    }

    fn answer(&mut self, to: ConnectionKey, answer: LobbyAnswer) {
        self.actions.push_back(ControlAction::Answer { to, answer });
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
