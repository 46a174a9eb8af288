//! An answer of the store's thread that is still to come.
//!
//! Owns: waiting for it, in a task, in a thread or by asking. Must not know: what was asked.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::directory::StoreError;

/// Where the thread puts an answer.
pub(super) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// A place for an answer, and the answer to wait for.
pub(super) fn pending<T>() -> (Answer<T>, Pending<T>) {
    let (answer, pending) = oneshot::channel();
    (answer, Pending(pending))
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
