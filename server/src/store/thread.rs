//! The store's one thread, and the handle to it.
//!
//! Owns: the bounded queue of writes, group commit, and answering after the commit. Must not know:
//! SQLite.
//!
//! The thread takes everything that waits into one transaction: while one flush is under way the next
//! batch gathers, so that a slow disk costs time and not throughput. An answer is sent when the commit
//! returned, and never before. Pieces of journals come by a queue of their own, from each shard once every
//! [`JOURNAL_FLUSH`](matchkeep_shared::limits::JOURNAL_FLUSH), and are written together a moment after the first of
//! them came, or at once where somebody waits.

mod batch;
mod journals;
mod queue;
mod run;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, TrySendError, bounded};
use matchkeep_shared::ids::{MatchId, PlayerId};
use matchkeep_shared::limits::{JOURNAL_ITEMS_MAX, JOURNAL_PENDING_BYTES_MAX, STORE_WRITES_MAX};

use super::audit::{AuditEntry, AuditKey, AuditOutcome};
use super::directory::{Directory, StoreError};
use super::handle::{JournalHandle, Wakes};
use super::pending::{Answer, Pending, pending};
use super::record::{FinishedMatch, NewMatch};
use crate::accounts::{Account, AccountKey};
use crate::journal::{
    Journal, JournalEntry, JournalState, Load, Recovered, Retained, Retention, Room, Unrecoverable,
};
use crate::matchmaking::{QueueAsk, QueueSaid};
use crate::reservations::{PrivateMatch, Reserved};
pub use journals::OnReport;
use journals::{Ask, Inlets, Journals};
use run::run;

/// A write to the directory.
enum Write {
    Player { name: String, now_unix_ms: u64, answer: Answer<PlayerId> },
    Account { key: AccountKey, now_unix_ms: u64, answer: Answer<Account> },
    Reserve { wanted: PrivateMatch, now_unix_ms: u64, answer: Answer<Reserved> },
    Create { new: Box<NewMatch>, answer: Answer<()> },
    Finish { finished: Box<FinishedMatch>, answer: Answer<()> },
    InterruptRunning { answer: Answer<()> },
    Quarantine { match_id: MatchId, why: String, answer: Answer<()> },
    Audit { key: AuditKey, entry: Box<AuditEntry>, answer: Answer<()> },
    Settle { key: AuditKey, outcome: AuditOutcome, why: Option<String>, answer: Answer<()> },
    Queue { ask: Box<QueueAsk>, answer: Answer<QueueSaid> },
}

enum Message {
    Write(Write),
    Quarantine { match_id: MatchId, why: String, answer: Answer<()> },
    Ask(Ask),
}

/// A handle to the store's thread; clones share it. No call blocks but [`close`](Self::close).
///
/// When the last handle is dropped without `close`, what waits is still written, but nobody waits for
/// it: a process that ends first loses it.
#[derive(Clone)]
pub struct Store {
    queue: Arc<Queue>,
    thread: Arc<Mutex<Option<JoinHandle<Option<StoreError>>>>>,
    journal: Option<JournalHandle>,
}

/// The one sender of all handles. Taking it away is what closes the store: everything sent before is in
/// the channel, and nothing comes after. (A sender for each handle would not do: crossbeam's bounded
/// channel keeps what it holds until the last sender is gone, so a write that came in as the thread
/// ended would never be answered.)
struct Queue(Mutex<Option<Sender<Message>>>);

impl Queue {
    fn close(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Closes the queue when the thread ends, by a panic too.
struct CloseAtEnd(Weak<Queue>);

impl Drop for CloseAtEnd {
    fn drop(&mut self) {
        if let Some(queue) = self.0.upgrade() {
            queue.close();
        }
    }
}

impl Store {
    /// Starts the thread without journals. First marks as interrupted what a server before left running
    /// and what has no journal; also gives the number of those matches, so that it can be told.
    ///
    /// # Errors
    /// Storage's own, and [`StoreError::Broken`] where the system has no thread to give.
    pub fn open(directory: impl Directory + 'static) -> Result<(Self, u64), StoreError> {
        Self::start(directory, None)
    }

    /// As [`open`](Self::open), with journals: [`journal`](Self::journal) hands over, `on_report` hears on the store's
    /// thread of every flush that did more than take a shard's frames.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with_journal(
        directory: impl Directory + 'static,
        journal: impl Journal + 'static,
        on_report: OnReport,
    ) -> Result<(Self, u64), StoreError> {
        Self::start(directory, Some((Box::new(journal), on_report)))
    }

    fn start(
        mut directory: impl Directory + 'static,
        journal: Option<(Box<dyn Journal>, OnReport)>,
    ) -> Result<(Self, u64), StoreError> {
        directory.begin()?;
        let interrupted = directory.interrupt_running()?;
        directory.commit()?;
        let (sender, messages) = bounded(STORE_WRITES_MAX);
        let queue = Arc::new(Queue(Mutex::new(Some(sender))));
        let close_at_end = CloseAtEnd(Arc::downgrade(&queue));
        let (journals, handle) = journal
            .map(|(journal, on_report)| {
                let (items, handed_over) = bounded(JOURNAL_ITEMS_MAX);
                let (urgent, woken) = bounded(1);
                let (complete, ready) = bounded(1);
                let room = Room::new(JOURNAL_PENDING_BYTES_MAX);
                let (calls, listeners) = (Arc::default(), Arc::default());
                let wakes = Wakes { urgent, complete, calls, listeners };
                let inlets = Inlets {
                    items: handed_over,
                    urgent: woken,
                    complete: ready,
                    calls: Arc::clone(&wakes.calls),
                    listeners: Arc::clone(&wakes.listeners),
                };
                let handle = JournalHandle::new(room, items, wakes);
                (Journals::new(journal, on_report, inlets), handle)
            })
            .unzip();
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                let _close_at_end = close_at_end;
                run(directory, journals, &messages)
            })
            .map_err(|e| StoreError::Broken { cause: format!("no thread: {e}") })?;
        let thread = Arc::new(Mutex::new(Some(thread)));
        Ok((Self { queue, thread, journal: handle }, interrupted))
    }

    /// The account of this name; a new one where there is none.
    ///
    /// # Errors
    /// [`StoreError::QueueFull`] and [`StoreError::Closed`]; the others come with the answer.
    pub fn player(&self, name: &str, now_unix_ms: u64) -> Result<Pending<PlayerId>, StoreError> {
        let name = name.to_owned();
        self.write(|answer| Write::Player { name, now_unix_ms, answer })
    }

    /// The account of a player, and whether they may play; see [`Directory::account`].
    ///
    /// # Errors
    /// [`StoreError::QueueFull`] and [`StoreError::Closed`]; the others come with the answer.
    pub fn account(
        &self,
        key: AccountKey,
        now_unix_ms: u64,
    ) -> Result<Pending<Account>, StoreError> {
        self.write(|answer| Write::Account { key, now_unix_ms, answer })
    }

    /// Writes down that a player wants a private match; see [`Directory::reserve`].
    ///
    /// # Errors
    /// [`StoreError::QueueFull`] and [`StoreError::Closed`]; the others come with the answer.
    pub fn reserve(
        &self,
        wanted: PrivateMatch,
        now_unix_ms: u64,
    ) -> Result<Pending<Reserved>, StoreError> {
        self.write(|answer| Write::Reserve { wanted, now_unix_ms, answer })
    }

    /// Notes that a match begins; see [`Directory::create`].
    ///
    /// # Errors
    /// [`StoreError::QueueFull`] and [`StoreError::Closed`]; the others come with the answer.
    pub fn create(&self, new: NewMatch) -> Result<Pending<()>, StoreError> {
        self.write(|answer| Write::Create { new: Box::new(new), answer })
    }

    /// Notes a match's result; see [`Directory::finish`]. Players are told it after the answer.
    ///
    /// # Errors
    /// [`StoreError::QueueFull`] and [`StoreError::Closed`]; the others come with the answer.
    pub fn finish(&self, finished: FinishedMatch) -> Result<Pending<()>, StoreError> {
        self.write(|answer| Write::Finish { finished: Box::new(finished), answer })
    }

    /// Adds a row to the audit log.
    ///
    /// # Errors
    /// [`StoreError::QueueFull`] and [`StoreError::Closed`]; the others come with the answer.
    pub fn audit(&self, key: AuditKey, entry: AuditEntry) -> Result<Pending<()>, StoreError> {
        self.write(|answer| Write::Audit { key, entry: Box::new(entry), answer })
    }

    /// Notes what came of what a row of the audit log is about.
    ///
    /// # Errors
    /// [`StoreError::QueueFull`] and [`StoreError::Closed`]; the others come with the answer.
    pub fn settle_audit(
        &self,
        key: AuditKey,
        outcome: AuditOutcome,
        why: Option<String>,
    ) -> Result<Pending<()>, StoreError> {
        self.write(|answer| Write::Settle { key, outcome, why, answer })
    }

    /// Marks every match that has no result and no journal as interrupted: the last write of a server
    /// that stops.
    ///
    /// # Errors
    /// [`StoreError::QueueFull`] and [`StoreError::Closed`]; the others come with the answer.
    pub fn interrupt_running(&self) -> Result<Pending<()>, StoreError> {
        self.write(|answer| Write::InterruptRunning { answer })
    }

    /// Sets a match aside for good, in the journal and in the directory; see [`Journal::quarantine`] and
    /// [`Directory::quarantine`].
    ///
    /// # Errors
    /// [`StoreError::QueueFull`] and [`StoreError::Closed`]; the others come with the answer,
    /// [`StoreError::UnknownMatch`] where one of the two does not know it.
    pub fn quarantine(&self, match_id: MatchId, why: &str) -> Result<Pending<()>, StoreError> {
        let why = why.to_owned();
        self.send(|answer| Message::Quarantine { match_id, why, answer })
    }

    /// For handing over what goes into journals; `None` where the store was opened without.
    pub fn journal(&self) -> Option<&JournalHandle> {
        self.journal.as_ref()
    }

    /// Reads matches back; what was handed over before is in it. See [`recover`](crate::journal::recover()).
    ///
    /// # Errors
    /// [`StoreError::QueueFull`] and [`StoreError::Closed`], which is also the answer without a journal;
    /// the others come with the answer.
    pub fn recover(
        &self,
        wanted: Vec<Load>,
    ) -> Result<Pending<Vec<Result<Recovered, Unrecoverable>>>, StoreError> {
        self.send(|answer| Message::Ask(Ask::Recover { wanted, answer }))
    }

    /// The journals in this state, or all. As many as there are: for a start, ask for the open ones.
    ///
    /// # Errors
    /// As [`recover`](Self::recover).
    pub fn journals(
        &self,
        state: Option<JournalState>,
    ) -> Result<Pending<Vec<JournalEntry>>, StoreError> {
        self.send(|answer| Message::Ask(Ask::List { state, answer }))
    }

    /// One step of retention; ask again while there is more.
    ///
    /// # Errors
    /// As [`recover`](Self::recover).
    pub fn retain(&self, limits: Retention) -> Result<Pending<Retained>, StoreError> {
        self.send(|answer| Message::Ask(Ask::Retain { limits, answer }))
    }

    /// How many writes wait, of at most [`STORE_WRITES_MAX`].
    pub fn queued(&self) -> usize {
        let sender = self.queue.0.lock().unwrap_or_else(PoisonError::into_inner);
        sender.as_ref().map_or(0, Sender::len)
    }

    /// Writes everything that waits, answers it and ends the thread; blocks until then. Calls on other
    /// handles get [`StoreError::Closed`] from here on. Right also where another handle closed it.
    ///
    /// # Errors
    /// [`StoreError::Broken`] where the thread died of a defect, or journals could not be written.
    pub fn close(self) -> Result<(), StoreError> {
        self.queue.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        match thread.map(JoinHandle::join) {
            Some(Err(_)) => Err(StoreError::Broken { cause: "its thread panicked".to_owned() }),
            Some(Ok(Some(unwritten))) => Err(unwritten),
            Some(Ok(None)) | None => Ok(()),
        }
    }

    fn write<T>(&self, write: impl FnOnce(Answer<T>) -> Write) -> Result<Pending<T>, StoreError> {
        self.send(|answer| Message::Write(write(answer)))
    }

    fn send<T>(
        &self,
        message: impl FnOnce(Answer<T>) -> Message,
    ) -> Result<Pending<T>, StoreError> {
        let (answer, pending) = pending();
        // Held for a `try_send`, which does not wait.
        let sender = self.queue.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = sender.as_ref() else { return Err(StoreError::Closed) };
        match sender.try_send(message(answer)) {
            Ok(()) => Ok(pending),
            Err(TrySendError::Full(_)) => Err(StoreError::QueueFull),
            Err(TrySendError::Disconnected(_)) => Err(StoreError::Closed),
        }
    }
}

#[cfg(test)]
mod tests;
