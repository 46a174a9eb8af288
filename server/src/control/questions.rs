//! Questions about running matches, and orders to them, on their way to the shard that has them.
//!
//! Owns: what can be asked, which shard is asked, how long an answer may take, what is logged of an order.
//! Must not know: how an answer is shown, and what a shard does for it.

use std::net::SocketAddr;
use std::time::Duration;

use matchkeep_shared::Game;
use matchkeep_shared::ids::{MatchId, ShardId};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::{Control, ControlEvent, NodeStats};
use crate::matches::state::MatchState;
use crate::shard::message::Command;
use crate::shard::order::{Order, OrderRefused, Ordered};
use crate::shard::stats::ShardStats;
use crate::shard::thread::ShardHandle;
use crate::shard::timeline::{NoTimeline, Timeline};
use crate::shard::view::{MatchRow, MatchView, RowFilter};
use crate::travel::{Picture, TravelError, picture, view_state};

/// How long a shard may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Where an answer goes.
pub type Reply<T> = oneshot::Sender<Result<T, Unanswered>>;

/// What can be asked of a running node.
#[derive(Debug)]
pub enum Question {
    /// Which matches are there?
    List {
        /// Those that are wanted.
        filter: RowFilter,
        /// By ascending ID.
        reply: Reply<Vec<MatchRow>>,
    },
    /// How is this match, and how are its players?
    Inspect {
        /// The match.
        match_id: MatchId,
        /// All that its shard knows.
        reply: Reply<Box<MatchView>>,
    },
    /// What is the state of this match?
    State {
        /// The match.
        match_id: MatchId,
        /// As [`view_state`] makes it.
        reply: Reply<Value>,
    },
    /// How does this match look from above?
    Picture {
        /// The match.
        match_id: MatchId,
        /// As the game draws it.
        reply: Reply<Picture>,
    },
    /// Do this to a match.
    Order {
        /// The match.
        match_id: MatchId,
        /// What.
        order: Order,
        /// Who wants it, for the log.
        by: String,
        /// What came of it.
        reply: Reply<Ordered>,
    },
    /// When do the phases of this match's ticks begin and end?
    Record {
        /// The match.
        match_id: MatchId,
        /// For how long, from now on.
        lasts: Duration,
        /// Answered when that is over.
        reply: Reply<Timeline>,
    },
    /// How is the node?
    Node(Reply<NodeView>),
}

/// A node as a whole.
#[derive(Clone, Debug)]
pub struct NodeView {
    /// The game's name.
    pub game: &'static str,
    /// The version of its rules.
    pub rules_version: u32,
    /// Whether players may come.
    pub is_ready: bool,
    /// Since the node was started.
    pub running: Duration,
    /// Its shards, in order.
    pub shards: Vec<ShardView>,
}

/// A shard of a node.
#[derive(Clone, Debug)]
pub struct ShardView {
    /// Which.
    pub shard: ShardId,
    /// Where it listens.
    pub address: SocketAddr,
    /// What the kernel granted as receive buffer, in bytes.
    pub receive_buffer_bytes: usize,
    /// What it counted.
    pub stats: Box<ShardStats>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// No match of the node has this ID.
    #[error(
        "there is no running match {0}: `match ls` lists those there are, `history show {0}` shows one that ended"
    )]
    Unknown(MatchId),
    /// It is known, and no shard has it now.
    #[error("match {match_id} is {stage}: ask again in a moment")]
    NotThere {
        /// The match.
        match_id: MatchId,
        /// What becomes of it.
        stage: &'static str,
    },
    /// Its shard does not do that.
    #[error(transparent)]
    Refused(OrderRefused),
    /// Its shard records enough already.
    #[error(transparent)]
    NoTimeline(NoTimeline),
    /// The shard's queue is full.
    #[error("shard {0} has too much to do to take this: ask again in a moment")]
    Busy(ShardId),
    /// The shard says nothing.
    #[error(
        "shard {0} did not answer within {seconds} s; an order may still be carried out",
        seconds = ANSWER_WITHIN.as_secs()
    )]
    Silent(ShardId),
    /// There is nobody to ask any more.
    #[error("the server is stopping")]
    Stopping,
    /// The state cannot be shown.
    #[error(transparent)]
    NoJson(#[from] TravelError),
    /// The game panicked when it was shown.
    #[error("the game panicked when its state was shown: {0}")]
    Panicked(String),
}

/// Asks a node's control, and waits for the answer.
///
/// # Errors
/// [`Unanswered`] says why there is none.
pub(crate) async fn put<T>(
    control: &mpsc::Sender<ControlEvent>,
    question: impl FnOnce(Reply<T>) -> Question,
) -> Result<T, Unanswered> {
    let (sender, receiver) = oneshot::channel();
    let event = ControlEvent::Ask(question(sender));
    control.send(event).await.map_err(|_| Unanswered::Stopping)?;
    receiver.await.map_err(|_| Unanswered::Stopping)?
}

impl<G: Game> Control<G> {
    /// Sees to it that a question is answered.
    pub(super) fn ask(&self, question: Question) {
        match question {
            Question::List { filter, reply } => self.list(filter, reply),
            Question::Inspect { match_id, reply } => {
                let command = |reply| Command::Inspect { match_id, reply };
                let asked = self.ask_shard_of(match_id, command);
                tokio::spawn(async move {
                    // Whoever asked may have gone, here and below.
                    let _ = reply.send(asked.found().await);
                });
            }
            Question::State { match_id, reply } => {
                let show = move |state: &MatchState<G>| {
                    view_state(match_id, state).map_err(Unanswered::NoJson)
                };
                self.show_state(match_id, show, reply);
            }
            Question::Picture { match_id, reply } => {
                self.show_state(match_id, move |state| Ok(picture(match_id, state)), reply);
            }
            Question::Order { match_id, order, by, reply } => {
                let sent = order.clone();
                let command = |reply| Command::Order { match_id, order: sent, reply };
                let asked = self.ask_shard_of(match_id, command);
                tokio::spawn(async move {
                    let outcome = asked.ordered().await;
                    match &outcome {
                        Ok(_) => tracing::info!(%match_id, ?order, by, "order carried out"),
                        Err(why) => tracing::info!(%match_id, ?order, by, %why, "order refused"),
                    }
                    let _ = reply.send(outcome);
                });
            }
            Question::Record { match_id, lasts, reply } => {
                let command = |reply| Command::Record { match_id, lasts, reply };
                let asked = self.ask_shard_of(match_id, command);
                tokio::spawn(async move {
                    let _ = reply.send(asked.recorded(lasts).await);
                });
            }
            Question::Node(reply) => self.show_node(reply),
        }
    }

    /// Has a copy of a match's state shown. That takes milliseconds and runs the game's own code: not for a shard,
    /// and not for a thread that answers others.
    fn show_state<T: Send + 'static>(
        &self,
        match_id: MatchId,
        show: impl FnOnce(&MatchState<G>) -> Result<T, Unanswered> + Send + 'static,
        reply: Reply<T>,
    ) {
        let asked = self.ask_shard_of(match_id, |reply| Command::CopyState { match_id, reply });
        tokio::spawn(async move {
            let shown = match asked.found().await {
                Ok(state) => match tokio::task::spawn_blocking(move || show(&state)).await {
                    Ok(shown) => shown,
                    Err(panic) => Err(Unanswered::Panicked(panic.to_string())),
                },
                Err(error) => Err(error),
            };
            // Whoever asked may have gone.
            let _ = reply.send(shown);
        });
    }

    fn ask_shard_of<T>(
        &self,
        match_id: MatchId,
        command: impl FnOnce(oneshot::Sender<T>) -> Command<G>,
    ) -> Asked<T> {
        let Some((shard, stage)) = self.core.whereabouts(match_id) else {
            return Asked { match_id, stage: "", answer: Err(Unanswered::Unknown(match_id)) };
        };
        let handle = self.shards.iter().find(|handle| handle.shard == shard);
        let answer = match handle {
            Some(handle) => ask(handle, command),
            None => Err(Unanswered::Stopping),
        };
        Asked { match_id, stage, answer }
    }

    fn list(&self, filter: RowFilter, reply: Reply<Vec<MatchRow>>) {
        let limit = filter.limit;
        let list = |handle| ask(handle, |reply| Command::List { filter: filter.clone(), reply });
        let asked: Vec<_> = self.shards.iter().map(list).collect();
        tokio::spawn(async move {
            let gathered = async {
                let mut rows = Vec::new();
                for answer in asked {
                    rows.extend(answer?.wait().await?);
                }
                // Each shard's are the lowest it has: so are the lowest of all of them.
                rows.sort_unstable_by_key(|row: &MatchRow| row.id);
                rows.truncate(limit);
                Ok(rows)
            };
            let _ = reply.send(gathered.await);
        });
    }

    fn show_node(&self, reply: Reply<NodeView>) {
        let mut node = NodeView {
            game: G::NAME,
            rules_version: G::RULES_VERSION,
            is_ready: self.core.is_ready(),
            running: self.started.elapsed(),
            shards: Vec::new(),
        };
        let shard = |handle: &ShardHandle<G>| {
            (ask(handle, Command::Stats), handle.shard, handle.address, handle.receive_buffer_bytes)
        };
        let asked: Vec<_> = self.shards.iter().map(shard).collect();
        tokio::spawn(async move {
            let gathered = async {
                for (answer, shard, address, receive_buffer_bytes) in asked {
                    let mut stats = answer?.wait().await?;
                    stats.udp_dropped += crate::wall::udp_drops(address.port());
                    node.shards.push(ShardView { shard, address, receive_buffer_bytes, stats });
                }
                Ok(node)
            };
            let _ = reply.send(gathered.await);
        });
    }

    /// The counters of all shards and of control.
    pub(super) fn gather_stats(&self, reply: oneshot::Sender<NodeStats>) {
        let mut stats = NodeStats {
            control: self.core.counters().clone(),
            shards: ShardStats::default(),
            lobby: self.door.counts(),
            running: self.started.elapsed(),
            clock_skew_ms: crate::wall::clock_skew_ms(),
            recovery: self.recovery,
            journal_pending_bytes: self.journal.pending_bytes() as u64,
            store_writes_waiting: self.store.queued() as u64,
        };
        let shard = |handle| (ask(handle, Command::Stats), handle.address.port());
        let asked: Vec<_> = self.shards.iter().map(shard).collect();
        tokio::spawn(async move {
            for (answer, port) in asked {
                // A shard that does not answer is no zero: without it there is no answer at all.
                let Ok(answer) = answer else { return };
                let Ok(shard) = answer.wait().await else { return };
                stats.shards.add(&shard);
                stats.shards.udp_dropped += crate::wall::udp_drops(port);
            }
            let _ = reply.send(stats);
        });
    }
}

/// Hands a shard a question.
fn ask<G: Game, T>(
    handle: &ShardHandle<G>,
    command: impl FnOnce(oneshot::Sender<T>) -> Command<G>,
) -> Result<Answer<T>, Unanswered> {
    let (sender, receiver) = oneshot::channel();
    handle.send(command(sender)).map_err(|_| Unanswered::Busy(handle.shard))?;
    Ok(Answer { shard: handle.shard, receiver })
}

/// What a shard was asked and has not answered yet.
struct Answer<T> {
    shard: ShardId,
    receiver: oneshot::Receiver<T>,
}

impl<T> Answer<T> {
    async fn wait(self) -> Result<T, Unanswered> {
        self.wait_after(Duration::ZERO).await
    }

    /// For an answer that is not there before `lasts` is over.
    async fn wait_after(self, lasts: Duration) -> Result<T, Unanswered> {
        match tokio::time::timeout(lasts + ANSWER_WITHIN, self.receiver).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(Unanswered::Stopping),
            Err(_) => Err(Unanswered::Silent(self.shard)),
        }
    }
}

/// What the shard of one match was asked.
struct Asked<T> {
    match_id: MatchId,
    /// What becomes of the match, where the shard does not have it.
    stage: &'static str,
    answer: Result<Answer<T>, Unanswered>,
}

impl<T> Asked<T> {
    fn not_there(match_id: MatchId, stage: &'static str) -> Unanswered {
        Unanswered::NotThere { match_id, stage }
    }
}

impl<T> Asked<Option<T>> {
    async fn found(self) -> Result<T, Unanswered> {
        let found = self.answer?.wait().await?;
        found.ok_or(Self::not_there(self.match_id, self.stage))
    }
}

impl Asked<Result<Ordered, OrderRefused>> {
    async fn ordered(self) -> Result<Ordered, Unanswered> {
        self.answer?.wait().await?.map_err(|refused| match refused {
            OrderRefused::UnknownMatch => Self::not_there(self.match_id, self.stage),
            refused => Unanswered::Refused(refused),
        })
    }
}

impl Asked<Result<Timeline, NoTimeline>> {
    async fn recorded(self, lasts: Duration) -> Result<Timeline, Unanswered> {
        self.answer?.wait_after(lasts).await?.map_err(|why| match why {
            NoTimeline::UnknownMatch => Self::not_there(self.match_id, self.stage),
            NoTimeline::TooMany => Unanswered::NoTimeline(why),
        })
    }
}
