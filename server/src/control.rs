//! Control: the one task that knows the whole node. It carries the lobby's wishes to shards and store,
//! and what shards and store answer back to the lobby. It never touches a tick.
//!
//! [`core`] decides, as a state machine; this is its shell: channels, timers and the store's futures.
//! Everything that can wake it is a [`ControlEvent`], a shard's report or the journal's news.

pub(crate) mod barring;
pub mod core;
mod creations;
pub(crate) mod keys;
pub mod questions;
pub(crate) mod retention;
mod stats;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::ShardId;
use matchkeep_shared::wire::lobby::{LobbyMessage, LobbyRequest};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;
use tracing::Span;

use self::core::{ControlAction, ControlCore, Note, StoreAnswer, StoreFailed, StoreRequest};
pub(crate) use self::creations::Creations;
use self::questions::Question;
pub use self::stats::NodeStats;
use crate::accounts::Barred;
use crate::journal::{JournalItem, JournalReport};
use crate::lobby::core::ConnectionKey;
use crate::lobby::door::Door;
use crate::shard::message::{Command, Report};
use crate::shard::thread::ShardHandle;
use crate::spans;
use crate::store::{JournalHandle, NotTaken, Pending, Store, StoreError};
use crate::tickets::TicketKeys;
use crate::wall::{clock_skew_ms, unix_ms, world_unix_ms};

/// What is said over a lobby connection: a message, or why it ends.
pub type LobbySaid = Result<LobbyMessage, Farewell>;

/// Why a lobby connection ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Farewell {
    /// For programs.
    pub reason: DisconnectReason,
    /// For a person, where there is more to say than the reason does.
    pub text: Option<String>,
}

impl From<DisconnectReason> for Farewell {
    fn from(reason: DisconnectReason) -> Self {
        Self { reason, text: None }
    }
}

/// How often control looks after what only time changes.
const HOUSEKEEPING: Duration = Duration::from_millis(250);
/// How often reports are looked for while the shards stop.
const STOP_POLL: Duration = Duration::from_millis(10);
/// How long a stopping node waits for the store to take the last results.
const RESULTS_WITHIN: Duration = Duration::from_secs(10);

/// Everything that can wake control, beside the shards' reports.
#[derive(Debug)]
pub enum ControlEvent {
    /// There is a new lobby connection.
    LobbyOpened {
        /// Which.
        key: ConnectionKey,
        /// Where it takes what is said.
        said: mpsc::Sender<LobbySaid>,
    },
    /// A lobby connection asks for something.
    LobbyRequest {
        /// Which.
        from: ConnectionKey,
        /// What.
        request: LobbyRequest,
        /// What of it is within.
        span: Span,
    },
    /// A lobby connection is gone.
    LobbyGone(ConnectionKey),
    /// The store has an answer.
    Store(StoreAnswer),
    /// Who may not go on as they are, as the store has it now.
    Barred(Barred),
    /// There is a new key that tickets are signed with.
    Keys(TicketKeys),
    /// Somebody wants the counters.
    Stats(oneshot::Sender<NodeStats>),
    /// Somebody wants to see running matches, or wants something of one.
    Ask(Question),
    /// Somebody wants to know whether players may come.
    Ready(oneshot::Sender<bool>),
    /// The operator wants the node to stop.
    Shutdown,
}

/// The state of the control task.
pub(crate) struct Control<G: Game> {
    pub(crate) core: ControlCore<G>,
    pub(crate) shards: Vec<ShardHandle<G>>,
    pub(crate) store: Store,
    pub(crate) journal: JournalHandle,
    pub(crate) reports: Receiver<Report>,
    /// What the journal says by itself.
    pub(crate) news: Receiver<JournalReport>,
    /// Reports or news came.
    pub(crate) reported: Arc<Notify>,
    pub(crate) inbox: mpsc::Receiver<ControlEvent>,
    /// For tasks that wait for the store on control's behalf.
    pub(crate) sender: mpsc::Sender<ControlEvent>,
    /// Where the watchdog of the process before may have left a note.
    pub(crate) folder: PathBuf,
    /// When the node was started, and how long it took until players could come.
    pub(crate) started: Instant,
    pub(crate) recovery: Option<Duration>,
    /// Resolves when players may come.
    pub(crate) ready: Option<oneshot::Sender<()>>,
    /// Who was turned away from the lobby.
    pub(crate) door: Arc<Door>,
    /// The lobby's connections.
    pub(crate) connections: HashMap<ConnectionKey, mpsc::Sender<LobbySaid>>,
    /// Matches that are being made.
    pub(crate) creations: Creations,
    /// Commands that a shard had no room for, to be tried again.
    pub(crate) undelivered: VecDeque<(ShardId, Command<G>)>,
    /// What the journal had no room for, to be tried again.
    pub(crate) unjournaled: VecDeque<JournalItem>,
}

/// Why control ended.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// A shard's thread ended by itself.
    #[error("shard {0} stopped by itself; its matches go on when the server is started again")]
    ShardDied(ShardId),
    /// A shard did not stop as it should.
    #[error("shard {0} did not stop as it should: {1}")]
    ShardFailed(ShardId, std::io::Error),
    /// The store can no longer be trusted.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<StoreFailed> for ControlError {
    fn from(failed: StoreFailed) -> Self {
        Self::Store(failed.0)
    }
}

impl<G: Game> Control<G> {
    /// Runs until it is told to stop; then the shards and the store are closed.
    ///
    /// # Errors
    /// [`ControlError`]: the process should end and start anew.
    pub(crate) async fn run(mut self) -> Result<(), ControlError> {
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        self.core.set_clock_skew(clock_skew_ms());
        self.act();
        let outcome = loop {
            let outcome = tokio::select! {
                event = self.inbox.recv() => match event {
                    None | Some(ControlEvent::Shutdown) => break Ok(()),
                    // What shards have said already comes first: a request is judged by it.
                    Some(event) => self.take_reports().and_then(|()| self.handle(event)),
                },
                () = self.reported.notified() => Ok(()),
                _ = housekeeping.tick() => {
                    self.deliver_again();
                    self.hand_over_again();
                    self.core.set_clock_skew(clock_skew_ms());
                    self.core.handle_time(unix_ms());
                    self.creations.keep(|match_id| self.core.whereabouts(match_id).is_some());
                    if let Some(dead) = self.shards.iter().find(|shard| !shard.is_running()) {
                        break Err(ControlError::ShardDied(dead.shard));
                    }
                    Ok(())
                }
            };
            if let Err(error) = outcome.and_then(|()| self.take_reports()) {
                break Err(error);
            }
            self.act();
        };
        let stopped = self.stop(&outcome).await;
        outcome.and(stopped)
    }

    fn take_reports(&mut self) -> Result<(), ControlError> {
        while let Ok(news) = self.news.try_recv() {
            self.core.handle_journal(unix_ms(), news)?;
        }
        while let Ok(Report { shard, event }) = self.reports.try_recv() {
            self.creations.heard(&event);
            self.core.handle_report(unix_ms(), shard, event);
        }
        Ok(())
    }

    fn handle(&mut self, event: ControlEvent) -> Result<(), ControlError> {
        match event {
            ControlEvent::LobbyOpened { key, said } => drop(self.connections.insert(key, said)),
            ControlEvent::LobbyRequest { from, request, span } => {
                // What follows from it at once is seen within.
                let _within = span.enter();
                self.core.handle_request(unix_ms(), from, request);
                self.act();
            }
            ControlEvent::LobbyGone(connection) => {
                self.connections.remove(&connection);
                self.core.handle_gone(connection);
            }
            ControlEvent::Store(answer) => self.core.handle_store(unix_ms(), answer)?,
            ControlEvent::Barred(barred) => self.core.handle_barred(&barred),
            ControlEvent::Keys(keys) => self.core.handle_keys(keys),
            ControlEvent::Stats(reply) => self.gather_stats(reply),
            ControlEvent::Ask(question) => self.ask(question),
            ControlEvent::Ready(reply) => {
                // Whoever asked may have gone.
                let _ = reply.send(self.core.is_ready());
            }
            ControlEvent::Shutdown => {}
        }
        Ok(())
    }

    /// Carries out what the core wants.
    fn act(&mut self) {
        while let Some(action) = self.core.poll_action() {
            match action {
                ControlAction::Say { to, said } => {
                    // The connection may have gone meanwhile. One that takes no more is forgotten, and ends.
                    let connection = self.connections.get(&to);
                    if connection.is_some_and(|connection| connection.try_send(said).is_err()) {
                        self.connections.remove(&to);
                    }
                }
                ControlAction::ToShard { shard, command } => self.send(shard, command),
                ControlAction::ToStore(request) => {
                    let (store, sender) = (self.store.clone(), self.sender.clone());
                    let span = spans::store_request(&request);
                    tokio::spawn(async move {
                        let answer = carry_out(&store, request).await;
                        spans::store_answered(&span, answer.error());
                        drop(span);
                        let _ = sender.send(ControlEvent::Store(answer)).await;
                    });
                }
                ControlAction::Making { match_id, mode, shard } => {
                    self.creations.begin(match_id, &mode, shard);
                }
                ControlAction::ToJournal(item) => {
                    self.unjournaled.push_back(item);
                    self.hand_over_again();
                }
                ControlAction::ForgetNote => {
                    if let Err(error) = crate::watchdog::remove_note(&self.folder) {
                        tracing::warn!(%error, "the watchdog's note stays behind");
                    }
                }
                ControlAction::Ready => {
                    self.recovery = Some(self.started.elapsed());
                    if let Some(ready) = self.ready.take() {
                        let _ = ready.send(());
                    }
                }
            }
        }
    }

    /// Hands the journal what it had no room for, in order.
    fn hand_over_again(&mut self) {
        while let Some(item) = self.unjournaled.pop_front() {
            match self.journal.try_hand_over(item) {
                Ok(()) => {}
                Err(NotTaken::NoRoom(item)) => {
                    self.unjournaled.push_front(item);
                    return;
                }
                // It broke, and control will hear of it; or it was closed, and nobody waits any more.
                Err(NotTaken::Closed(_)) => {}
            }
        }
    }

    /// Hands a command over; where the shard has no room it is tried again, in order.
    fn send(&mut self, shard: ShardId, command: Command<G>) {
        self.undelivered.push_back((shard, command));
        self.deliver_again();
    }

    fn deliver_again(&mut self) {
        let mut behind = Vec::new();
        for _ in 0..self.undelivered.len() {
            let Some((shard, command)) = self.undelivered.pop_front() else { return };
            let handle = self.shards.iter().find(|handle| handle.shard == shard);
            let sent = match handle {
                // What comes later must not overtake what waits.
                Some(_) if behind.contains(&shard) => Err(command),
                Some(handle) => handle.send(command),
                None => Ok(()),
            };
            if let Err(command) = sent {
                behind.push(shard);
                self.undelivered.push_back((shard, command));
            }
        }
    }

    /// Shards first, so that their last reports come in; then what the store still has to write.
    ///
    /// # Errors
    /// The first thing that is not written as it should be.
    async fn stop(mut self, outcome: &Result<(), ControlError>) -> Result<(), ControlError> {
        // After a failure of the store nothing more will become durable: there is nothing to wait for.
        let is_orderly = outcome.is_ok();
        let reason = match outcome {
            Err(ControlError::Store(_)) => DisconnectReason::StorageFailed,
            Ok(()) | Err(ControlError::ShardDied(_) | ControlError::ShardFailed(..)) => {
                DisconnectReason::ServerShutdown
            }
        };
        let shards = std::mem::take(&mut self.shards);
        let was_told = shards.iter().map(|shard| shard.send(Command::Shutdown(reason)).is_ok());
        let was_told: Vec<bool> = was_told.collect();
        let mut joined = tokio::task::spawn_blocking(move || {
            let mut outcome = Ok(());
            for (handle, was_told) in shards.into_iter().zip(was_told) {
                let shard = handle.shard;
                if let Err(error) = handle.stop(was_told, reason) {
                    tracing::error!(%shard, %error, "a shard ended badly");
                    outcome = outcome.and(Err(ControlError::ShardFailed(shard, error)));
                }
            }
            outcome
        });
        // Their reports are taken all the while: a full channel would hold the last ones back.
        let mut poll = tokio::time::interval(STOP_POLL);
        let shards_ended = loop {
            tokio::select! {
                ended = &mut joined => break ended,
                _ = poll.tick() => {
                    let _ = self.take_reports();
                    self.act();
                }
            }
        };
        let _ = self.take_reports();
        self.act();
        let results = async {
            while is_orderly && self.core.has_pending_results() {
                tokio::select! {
                    event = self.inbox.recv() => match event {
                        Some(ControlEvent::Store(answer)) => {
                            if self.core.handle_store(unix_ms(), answer).is_err() {
                                break;
                            }
                        }
                        Some(_) => {}
                        None => break,
                    },
                    _ = poll.tick() => {
                        if self.take_reports().is_err() {
                            break;
                        }
                        self.core.handle_time(unix_ms());
                    }
                }
                self.act();
            }
        };
        if tokio::time::timeout(RESULTS_WITHIN, results).await.is_err() {
            let results = self.core.counters().results_pending;
            tracing::error!(
                results,
                "the store does not take them: these results wait for the next start"
            );
        }
        let store = self.store.clone();
        drop(self);
        let closed = tokio::task::spawn_blocking(move || store.close()).await;
        if let Ok(Err(error)) = &closed {
            tracing::error!(%error, "the store did not close");
        }
        ended(shards_ended)?;
        Ok(ended(closed)?)
    }
}

/// What a thread came to; where it panicked, this panics too.
fn ended<T>(joined: Result<T, tokio::task::JoinError>) -> T {
    joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// Asks the store and waits for its answer.
async fn carry_out(store: &Store, request: StoreRequest) -> StoreAnswer {
    match request {
        StoreRequest::Account { to, key } => {
            let result = answer(store.account(key, world_unix_ms())).await;
            StoreAnswer::Account { to, result }
        }
        StoreRequest::Vouch { showing, newer } => {
            let result = answer(store.account(newer.key.clone(), world_unix_ms())).await;
            StoreAnswer::Vouched { showing, newer, result }
        }
        StoreRequest::Reserve { to, mode, wanted } => {
            let result = answer(store.reserve(wanted, unix_ms())).await;
            StoreAnswer::Reserved { to, mode, result }
        }
        StoreRequest::Queue { to, ask } => {
            let result = answer(store.queue(ask.clone())).await;
            StoreAnswer::Queue { to, ask, result }
        }
        StoreRequest::Note(note) => {
            let pending = match &note {
                Note::Create(new) => store.create((**new).clone()),
                Note::Quarantine { match_id, why } => store.quarantine(*match_id, why),
                Note::Result(finished) => store.finish((**finished).clone()),
            };
            let result = answer(pending).await;
            StoreAnswer::Noted { note, result }
        }
    }
}

async fn answer<T>(pending: Result<Pending<T>, StoreError>) -> Result<T, StoreError> {
    pending?.await
}
