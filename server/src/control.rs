//! Control: the one task that knows the whole node. It carries the lobby's wishes to shards and store,
//! and what shards and store answer back to the lobby. It never touches a tick.
//!
//! Everything that can wake it is a [`ControlEvent`] or a shard's report.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{MatchId, PlayerId, ShardId};
use matchkeep_shared::wire::lobby::{LobbyReply, LobbyRequest};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::lobby::core::{Action, ConnectionKey, Lobby};
use crate::matches::MatchSpec;
use crate::settings::Mode;
use crate::shard::message::{Command, Report, ShardEvent};
use crate::shard::stats::ShardStats;
use crate::shard::thread::ShardHandle;
use crate::store::{FinishedMatch, NewMatch, Store, StoreError};
use crate::wall::unix_ms;

/// The answer to a lobby request: a reply, or why the connection ends.
pub type LobbyAnswer = Result<LobbyReply, DisconnectReason>;

/// How often control looks after what only time changes.
const HOUSEKEEPING: Duration = Duration::from_millis(250);
/// How long a shard may take to say how it is.
const STATS_WITHIN: Duration = Duration::from_secs(2);
/// How often reports are looked for while the shards stop.
const STOP_POLL: Duration = Duration::from_millis(10);
/// How long a stopping node waits for the store to take the last results.
const RESULTS_WITHIN: Duration = Duration::from_secs(10);
/// How long a result that could not be stored waits before it is tried again.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// Everything that can wake control, beside the shards' reports.
#[derive(Debug)]
pub enum ControlEvent {
    /// A lobby connection asks for something.
    LobbyRequest {
        /// Which.
        from: ConnectionKey,
        /// What.
        request: LobbyRequest,
        /// Where the answer goes.
        answer: oneshot::Sender<LobbyAnswer>,
    },
    /// A lobby connection is gone.
    LobbyGone(ConnectionKey),
    /// The store found an account.
    Account {
        /// For whom.
        to: ConnectionKey,
        /// The account.
        result: Result<PlayerId, StoreError>,
    },
    /// The store took note of a match, or could not.
    MatchNoted {
        /// The match.
        new: Box<NewMatch>,
        /// How it went.
        result: Result<(), StoreError>,
    },
    /// The store has a result, or could not take it.
    ResultStored {
        /// The result.
        finished: Box<FinishedMatch>,
        /// How it went.
        result: Result<(), StoreError>,
    },
    /// Somebody wants the counters.
    Stats(oneshot::Sender<NodeStats>),
    /// The operator wants the node to stop.
    Shutdown,
}

/// All counters of a node.
#[derive(Clone, Debug, Default)]
pub struct NodeStats {
    /// Of all shards together.
    pub shards: ShardStats,
    /// Results on stable storage since the start.
    pub results_stored: u64,
    /// Results on their way there.
    pub results_pending: u64,
    /// Results that can never be stored; the log says why.
    pub results_lost: u64,
    /// Writes the store could not take.
    pub store_errors: u64,
}

/// The state of the control task.
pub(crate) struct Control<G: Game> {
    pub(crate) lobby: Lobby,
    pub(crate) modes: Vec<Mode<G::Config>>,
    pub(crate) shards: Vec<ShardHandle<G>>,
    pub(crate) store: Store,
    pub(crate) reports: Receiver<Report>,
    pub(crate) reported: Arc<Notify>,
    pub(crate) inbox: mpsc::Receiver<ControlEvent>,
    /// For tasks that wait for the store on control's behalf.
    pub(crate) sender: mpsc::Sender<ControlEvent>,
    /// Who waits for an answer of the lobby.
    pub(crate) answers: HashMap<ConnectionKey, oneshot::Sender<LobbyAnswer>>,
    pub(crate) counters: NodeStats,
    /// Commands that a shard had no room for, to be tried again.
    pub(crate) undelivered: VecDeque<(ShardId, Command<G>)>,
}

/// Why control ended.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// A shard's thread ended by itself.
    #[error("shard {0} stopped by itself; its matches are gone")]
    ShardDied(ShardId),
    /// The store can no longer be trusted.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<G: Game> Control<G> {
    /// Runs until it is told to stop; then the shards and the store are closed.
    ///
    /// # Errors
    /// [`ControlError`]: the process should end and start anew.
    pub(crate) async fn run(mut self) -> Result<(), ControlError> {
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        let outcome = loop {
            tokio::select! {
                event = self.inbox.recv() => match event {
                    None | Some(ControlEvent::Shutdown) => break Ok(()),
                    Some(event) => {
                        // What shards have said already comes first: a request is judged by it.
                        self.take_reports();
                        if let Err(error) = self.handle(event) {
                            break Err(error);
                        }
                    }
                },
                () = self.reported.notified() => {}
                _ = housekeeping.tick() => {
                    self.deliver_again();
                    self.lobby.handle_time(unix_ms());
                    if let Some(dead) = self.shards.iter().find(|shard| !shard.is_running()) {
                        break Err(ControlError::ShardDied(dead.shard));
                    }
                }
            }
            self.take_reports();
            self.act();
        };
        // After a failure of the store nothing more will become durable: there is nothing to wait for.
        let wait_for_results = outcome.is_ok();
        self.stop(wait_for_results).await;
        outcome
    }

    fn take_reports(&mut self) {
        while let Ok(report) = self.reports.try_recv() {
            self.handle_report(report);
        }
    }

    fn handle(&mut self, event: ControlEvent) -> Result<(), ControlError> {
        match event {
            ControlEvent::LobbyRequest { from, request, answer } => {
                self.answers.insert(from, answer);
                self.lobby.handle_request(unix_ms(), from, request);
            }
            ControlEvent::LobbyGone(connection) => {
                self.answers.remove(&connection);
                self.lobby.handle_gone(connection);
            }
            ControlEvent::Account { to, result } => {
                let account = self.noted("a player's account", result)?;
                self.lobby.handle_account(to, account);
            }
            ControlEvent::MatchNoted { new, result } => {
                let is_final = result.as_ref().is_err_and(StoreError::is_final);
                if self.noted("a match's beginning", result)?.is_none() && !is_final {
                    // The result will need it.
                    self.note_match(new, STORE_RETRY);
                }
            }
            ControlEvent::ResultStored { finished, result } => {
                let match_id = finished.id;
                let is_final = result.as_ref().is_err_and(StoreError::is_final);
                match self.noted("a match's result", result)? {
                    Some(()) => {
                        self.counters.results_pending -= 1;
                        self.counters.results_stored += 1;
                        self.tell_shards(|| Command::ResultDurable { match_id });
                    }
                    None if is_final => {
                        tracing::error!(%match_id, "the result is lost: {:?}", finished.outcome);
                        self.counters.results_pending -= 1;
                        self.counters.results_lost += 1;
                        self.tell_shards(|| Command::ResultLost { match_id });
                    }
                    // Nothing is lost: the match stays up, and nobody is told what is not durable.
                    None => self.store_result(finished, STORE_RETRY),
                }
            }
            ControlEvent::Stats(reply) => self.gather_stats(reply),
            ControlEvent::Shutdown => {}
        }
        Ok(())
    }

    /// What the store said. A store that can no longer be trusted ends the process; anything else is
    /// told in the log and counted.
    fn noted<T>(
        &mut self,
        what: &str,
        result: Result<T, StoreError>,
    ) -> Result<Option<T>, ControlError> {
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

    fn handle_report(&mut self, report: Report) {
        let Report { shard, event } = report;
        self.lobby.handle_shard_event(unix_ms(), &event);
        match event {
            ShardEvent::Ended { match_id, tick, outcome } => {
                tracing::info!(%match_id, %tick, reason = %outcome.reason, "match ended");
                let id = match_id;
                let finished = FinishedMatch { id, outcome, ticks: tick, ended_unix_ms: unix_ms() };
                self.counters.results_pending += 1;
                self.store_result(Box::new(finished), Duration::ZERO);
            }
            ShardEvent::Created { match_id } => {
                tracing::info!(%match_id, %shard, "match created");
            }
            ShardEvent::CreateRefused { match_id } => {
                tracing::warn!(%match_id, %shard, "the shard has no room for another match");
            }
            ShardEvent::Disconnected { match_id, player, reason } => {
                tracing::debug!(%match_id, %player, reason = reason.label(), "disconnected");
            }
            ShardEvent::Joined { match_id, player } => {
                tracing::debug!(%match_id, %player, "joined");
            }
            ShardEvent::Left { match_id, player } => tracing::debug!(%match_id, %player, "left"),
            ShardEvent::Closed { match_id } => tracing::debug!(%match_id, "match closed"),
        }
    }

    /// Carries out what the lobby wants.
    fn act(&mut self) {
        while let Some(action) = self.lobby.poll_action() {
            match action {
                Action::Reply { to, reply } => self.answer(to, Ok(reply)),
                Action::Close { connection, reason } => self.answer(connection, Err(reason)),
                Action::LookUp { to, name } => self.look_up(to, &name),
                Action::Create { shard, match_id, mode, seed } => {
                    self.create(shard, match_id, mode, seed);
                }
                Action::Release { shard, match_id, player } => {
                    self.send(shard, Command::Release { match_id, player });
                }
            }
        }
    }

    fn answer(&mut self, to: ConnectionKey, answer: LobbyAnswer) {
        if let Some(waiting) = self.answers.remove(&to) {
            // The connection may have gone while the answer was made.
            let _ = waiting.send(answer);
        }
    }

    fn look_up(&mut self, to: ConnectionKey, name: &str) {
        let sender = self.sender.clone();
        let pending = self.store.player(name, unix_ms());
        tokio::spawn(async move {
            let result = match pending {
                Ok(pending) => pending.await,
                Err(error) => Err(error),
            };
            let _ = sender.send(ControlEvent::Account { to, result }).await;
        });
    }

    fn create(&mut self, shard: ShardId, match_id: MatchId, mode: usize, seed: u64) {
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
            created_unix_ms: unix_ms(),
        };
        self.note_match(Box::new(new), Duration::ZERO);
        let handle = self.shards.iter().find(|handle| handle.shard == shard);
        let sent =
            handle.is_some_and(|handle| handle.send(Command::Create(Box::new(spec))).is_ok());
        if !sent {
            self.lobby.handle_shard_event(unix_ms(), &ShardEvent::CreateRefused { match_id });
        }
    }

    fn note_match(&self, new: Box<NewMatch>, wait: Duration) {
        let store = self.store.clone();
        let sender = self.sender.clone();
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            let result = match store.create((*new).clone()) {
                Ok(pending) => pending.await,
                Err(error) => Err(error),
            };
            let _ = sender.send(ControlEvent::MatchNoted { new, result }).await;
        });
    }

    fn store_result(&mut self, finished: Box<FinishedMatch>, wait: Duration) {
        let store = self.store.clone();
        let sender = self.sender.clone();
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            let result = match store.finish((*finished).clone()) {
                Ok(pending) => pending.await,
                Err(error) => Err(error),
            };
            let _ = sender.send(ControlEvent::ResultStored { finished, result }).await;
        });
    }

    /// Tells all shards something about a match; those that do not have it do not mind.
    fn tell_shards(&mut self, command: impl Fn() -> Command<G>) {
        for shard in 0..self.shards.len() {
            self.send(self.shards[shard].shard, command());
        }
    }

    /// Hands a command over; where the shard has no room it is tried again, in order.
    fn send(&mut self, shard: ShardId, command: Command<G>) {
        self.undelivered.push_back((shard, command));
        self.deliver_again();
    }

    fn deliver_again(&mut self) {
        for _ in 0..self.undelivered.len() {
            let Some((shard, command)) = self.undelivered.pop_front() else { return };
            let handle = self.shards.iter().find(|handle| handle.shard == shard);
            if let Some(Err(command)) = handle.map(|handle| handle.send(command)) {
                self.undelivered.push_back((shard, command));
            }
        }
    }

    fn gather_stats(&self, reply: oneshot::Sender<NodeStats>) {
        let mut stats = self.counters.clone();
        let mut waiting = Vec::new();
        for handle in &self.shards {
            let (sender, receiver) = oneshot::channel();
            // A shard that does not answer is no zero: without it there is no answer at all.
            if handle.send(Command::Stats(sender)).is_err() {
                return;
            }
            waiting.push((receiver, handle.address.port()));
        }
        tokio::spawn(async move {
            for (receiver, port) in waiting {
                let Ok(Ok(shard)) = tokio::time::timeout(STATS_WITHIN, receiver).await else {
                    return;
                };
                stats.shards.add(&shard);
                stats.shards.udp_dropped += crate::wall::udp_drops(port);
            }
            let _ = reply.send(stats);
        });
    }

    /// Shards first, so that their last reports come in; then what the store still has to write.
    async fn stop(mut self, wait_for_results: bool) {
        for handle in &self.shards {
            // A shard that takes no more commands has ended.
            let _ = handle.send(Command::Shutdown);
        }
        let shards = std::mem::take(&mut self.shards);
        let mut joined = tokio::task::spawn_blocking(move || {
            for handle in shards {
                let shard = handle.shard;
                if let Err(error) = handle.join() {
                    tracing::error!(%shard, %error, "a shard ended badly");
                }
            }
        });
        // Their reports are taken all the while: a full channel would hold the last ones back.
        let mut poll = tokio::time::interval(STOP_POLL);
        while !joined.is_finished() {
            tokio::select! {
                _ = &mut joined => break,
                _ = poll.tick() => self.take_reports(),
            }
        }
        self.take_reports();
        let results = async {
            while wait_for_results && self.counters.results_pending > 0 {
                let Some(event) = self.inbox.recv().await else { break };
                let is_stores = matches!(
                    event,
                    ControlEvent::ResultStored { .. } | ControlEvent::MatchNoted { .. }
                );
                if is_stores && self.handle(event).is_err() {
                    break;
                }
            }
        };
        if tokio::time::timeout(RESULTS_WITHIN, results).await.is_err() {
            let results = self.counters.results_pending;
            tracing::error!(results, "the store does not take them: these results are lost");
        }
        // What has no result now gets none from this server: its record says so at once, and not only
        // when the next one starts.
        let marked = match self.store.interrupt_running() {
            Ok(pending) => pending.await,
            Err(error) => Err(error),
        };
        if let Err(error) = marked {
            tracing::error!(%error, "the matches that were cut off could not be marked");
        }
        let store = self.store.clone();
        drop(self);
        match tokio::task::spawn_blocking(move || store.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the store did not close"),
            Err(error) => tracing::error!(%error, "the store did not close"),
        }
    }
}
