//! The store's one thread, and the handle to it.
//!
//! Owns: the bounded queue of writes, group commit, and answering after the commit. Must not know:
//! SQLite.
//!
//! The thread takes everything that waits into one transaction: while one flush is under way the next
//! batch gathers, so that a slow disk costs time and not throughput. An answer is sent when the commit
//! returned, and never before.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use matchkeep_shared::ids::PlayerId;
use matchkeep_shared::limits::STORE_WRITES_MAX;
use tokio::sync::oneshot;

use super::directory::{Directory, StoreError};
use super::record::{FinishedMatch, NewMatch};

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

enum Write {
    Player { name: String, now_unix_ms: u64, answer: Answer<PlayerId> },
    Create { new: Box<NewMatch>, answer: Answer<()> },
    Finish { finished: Box<FinishedMatch>, answer: Answer<()> },
    InterruptRunning { answer: Answer<()> },
}

/// A write on its way. Resolves when it is durable, or is known not to be. Dropping it does not take
/// the write back.
#[derive(Debug)]
#[must_use = "whether the write is durable is only known from here"]
pub struct Pending<T>(oneshot::Receiver<Result<T, StoreError>>);

impl<T> Pending<T> {
    /// The answer, if it is there. Ask no more once it was.
    pub fn poll_now(&mut self) -> Option<Result<T, StoreError>> {
        match self.0.try_recv() {
            Ok(answer) => Some(answer),
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => Some(Err(StoreError::Closed)),
        }
    }

    /// Waits for the answer. Not for an async task's thread, where it panics.
    ///
    /// # Errors
    /// The write's own.
    pub fn wait(self) -> Result<T, StoreError> {
        self.0.blocking_recv().unwrap_or(Err(StoreError::Closed))
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = Pin::new(&mut self.0).poll(context);
        answer.map(|answer| answer.unwrap_or(Err(StoreError::Closed)))
    }
}

/// A handle to the store's thread; clones share it. No call blocks but [`close`](Self::close).
///
/// When the last handle is dropped without `close`, what waits is still written, but nobody waits for
/// it: a process that ends first loses it.
#[derive(Clone)]
pub struct Store {
    queue: Arc<Queue>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// The one sender of all handles. Taking it away is what closes the store: everything sent before is in
/// the channel, and nothing comes after. (A sender for each handle would not do: crossbeam's bounded
/// channel keeps what it holds until the last sender is gone, so a write that came in as the thread
/// ended would never be answered.)
struct Queue(Mutex<Option<Sender<Write>>>);

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
    /// Marks what a server before left running as interrupted, and starts the thread. Also gives the
    /// number of those matches, so that it can be told.
    ///
    /// # Errors
    /// Storage's own, and [`StoreError::Broken`] where the system has no thread to give.
    pub fn open(mut directory: impl Directory + 'static) -> Result<(Self, u64), StoreError> {
        directory.begin()?;
        let interrupted = directory.interrupt_running()?;
        directory.commit()?;
        let (sender, writes) = bounded(STORE_WRITES_MAX);
        let queue = Arc::new(Queue(Mutex::new(Some(sender))));
        let close_at_end = CloseAtEnd(Arc::downgrade(&queue));
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                let _close_at_end = close_at_end;
                run(directory, &writes);
            })
            .map_err(|e| StoreError::Broken { cause: format!("no thread: {e}") })?;
        Ok((Self { queue, thread: Arc::new(Mutex::new(Some(thread))) }, interrupted))
    }

    /// The account of this name; a new one where there is none.
    ///
    /// # Errors
    /// [`StoreError::QueueFull`] and [`StoreError::Closed`]; the others come with the answer.
    pub fn player(&self, name: &str, now_unix_ms: u64) -> Result<Pending<PlayerId>, StoreError> {
        let name = name.to_owned();
        self.send(|answer| Write::Player { name, now_unix_ms, answer })
    }

    /// Notes that a match begins; see [`Directory::create`].
    ///
    /// # Errors
    /// [`StoreError::QueueFull`] and [`StoreError::Closed`]; the others come with the answer.
    pub fn create(&self, new: NewMatch) -> Result<Pending<()>, StoreError> {
        self.send(|answer| Write::Create { new: Box::new(new), answer })
    }

    /// Notes a match's result; see [`Directory::finish`]. Players are told it after the answer.
    ///
    /// # Errors
    /// [`StoreError::QueueFull`] and [`StoreError::Closed`]; the others come with the answer.
    pub fn finish(&self, finished: FinishedMatch) -> Result<Pending<()>, StoreError> {
        self.send(|answer| Write::Finish { finished: Box::new(finished), answer })
    }

    /// Marks every match that has no result as interrupted: the last write of a server that stops.
    ///
    /// # Errors
    /// [`StoreError::QueueFull`] and [`StoreError::Closed`]; the others come with the answer.
    pub fn interrupt_running(&self) -> Result<Pending<()>, StoreError> {
        self.send(|answer| Write::InterruptRunning { answer })
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
    /// [`StoreError::Broken`] where the thread died of a defect.
    pub fn close(self) -> Result<(), StoreError> {
        self.queue.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        match thread.map(JoinHandle::join) {
            Some(Err(_)) => Err(StoreError::Broken { cause: "its thread panicked".to_owned() }),
            Some(Ok(())) | None => Ok(()),
        }
    }

    fn send<T>(&self, write: impl FnOnce(Answer<T>) -> Write) -> Result<Pending<T>, StoreError> {
        let (answer, pending) = oneshot::channel();
        // Held for a `try_send`, which does not wait.
        let sender = self.queue.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = sender.as_ref() else { return Err(StoreError::Closed) };
        match sender.try_send(write(answer)) {
            Ok(()) => Ok(Pending(pending)),
            Err(TrySendError::Full(_)) => Err(StoreError::QueueFull),
            Err(TrySendError::Disconnected(_)) => Err(StoreError::Closed),
        }
    }
}

fn run(mut directory: impl Directory, writes: &Receiver<Write>) {
    let mut broken = None;
    // Ends when the queue is closed, or every handle gone, and nothing waits.
    while let Ok(first) = writes.recv() {
        let mut batch = Batch { directory: &mut directory, begun: false, failed: broken.clone() };
        let waiting = std::iter::once(first).chain(writes.try_iter()).take(STORE_WRITES_MAX);
        let applied: Vec<_> = waiting.map(|write| batch.apply(write)).collect();
        let failed = batch.commit();
        for applied in applied {
            applied.answer(failed.as_ref());
        }
        if matches!(failed, Some(StoreError::Broken { .. })) {
            broken = failed;
        }
    }
}

/// One transaction with the writes of everyone who waited.
struct Batch<'a, D> {
    directory: &'a mut D,
    begun: bool,
    failed: Option<StoreError>,
}

impl<D: Directory> Batch<'_, D> {
    fn apply(&mut self, write: Write) -> Applied {
        match write {
            Write::Player { name, now_unix_ms, answer } => {
                Applied::Player(answer, self.attempt(|d| d.player(&name, now_unix_ms)))
            }
            Write::Create { new, answer } => {
                Applied::Match(answer, self.attempt(|d| d.create(&new)))
            }
            Write::Finish { finished, answer } => {
                Applied::Match(answer, self.attempt(|d| d.finish(&finished)))
            }
            Write::InterruptRunning { answer } => {
                Applied::Match(answer, self.attempt(|d| d.interrupt_running().map(|_| ())))
            }
        }
    }

    fn attempt<T>(
        &mut self,
        write: impl FnOnce(&mut D) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let try_write = || {
            if !self.begun {
                self.directory.begin()?;
                self.begun = true;
            }
            write(self.directory)
        };
        let result = try_write();
        if let Err(error) = &result
            && !error.is_callers_fault()
        {
            self.failed = Some(error.clone());
        }
        result
    }

    /// Ends the transaction; `Some` is the error that took everyone's writes.
    fn commit(mut self) -> Option<StoreError> {
        if !self.begun {
            return self.failed;
        }
        if self.failed.is_none() {
            self.failed = self.directory.commit().err();
        }
        if self.failed.is_some()
            && let Err(worse) = self.directory.roll_back()
        {
            self.failed = Some(match worse {
                StoreError::Broken { .. } => worse,
                other => StoreError::Broken { cause: format!("rolling back: {other}") },
            });
        }
        self.failed
    }
}

/// A write that waits for its transaction's end.
enum Applied {
    Player(Answer<PlayerId>, Result<PlayerId, StoreError>),
    Match(Answer<()>, Result<(), StoreError>),
}

impl Applied {
    fn answer(self, failed: Option<&StoreError>) {
        // Whoever asked may have stopped listening; the write stands all the same.
        match self {
            Self::Player(answer, result) => drop(answer.send(outcome(result, failed))),
            Self::Match(answer, result) => drop(answer.send(outcome(result, failed))),
        }
    }
}

fn outcome<T>(result: Result<T, StoreError>, failed: Option<&StoreError>) -> Result<T, StoreError> {
    match failed {
        // Even a caller's own mistake: it was judged by what was rolled back.
        Some(failed) => Err(failed.clone()),
        None => result,
    }
}

#[cfg(test)]
mod tests;
