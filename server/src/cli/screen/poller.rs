//! A look at something, again and again, on a thread of its own: a slow server must not hold up keys.
//!
//! Owns: when to look. Must not know: at what.

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::cli::CliError;

/// Looks until it is dropped.
pub(super) struct Poller<T> {
    news: Receiver<Result<T, CliError>>,
    _stop: Sender<()>,
}

impl<T: Send + 'static> Poller<T> {
    /// Looks now, and `every` so often after the last look.
    pub(super) fn start(
        every: Duration,
        mut look: impl FnMut() -> Result<T, CliError> + Send + 'static,
    ) -> Result<Self, CliError> {
        let (sender, news) = bounded(1);
        let (_stop, stopped) = bounded::<()>(0);
        let body = move || {
            while sender.send(look()).is_ok() {
                if stopped.recv_timeout(every) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("poller".to_owned());
        thread.spawn(body).map_err(CliError::failed)?;
        Ok(Self { news, _stop })
    }

    /// What the newest look found, if there was one since.
    pub(super) fn news(&self) -> Option<Result<T, CliError>> {
        self.news.try_iter().last()
    }
}
