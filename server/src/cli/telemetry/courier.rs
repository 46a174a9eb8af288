//! The thread that takes records from an outbox to their collector, a batch at a time.
//!
//! A collector that does not answer is tried again, further and further apart; that it does not is said once, and once
//! that it does again. When the server ends, what waits is sent within a bound or given up.

use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, after, bounded, select};
use matchkeep_shared::limits::{
    TELEMETRY_BATCH_RECORDS_MAX, TELEMETRY_EVERY, TELEMETRY_LOSS_EVERY, TELEMETRY_PAUSE_MAX,
    TELEMETRY_PAUSE_MIN, TELEMETRY_TRIED_MAX,
};

use super::collector::{Collector, PostError};
use super::message::Resource;
use super::outbox::{Lost, Outbox};
use super::record::Record;
use super::recorder::mute_this_thread;

/// A courier at work.
pub(super) struct Courier {
    what: &'static str,
    lost: Lost,
    /// Takes the time at which everything must be over.
    stop: Sender<Instant>,
    /// Closed when it is.
    over: Receiver<()>,
}

impl Courier {
    /// Sets out for a collector; what is put into the outbox is sent there.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub(super) fn start<T: Record>(
        collector: Collector,
        resource: Resource,
    ) -> std::io::Result<(Self, Outbox<T>)> {
        let lost = Lost::default();
        let (outbox, records) = Outbox::new(lost.clone());
        let (stop, stopped) = bounded(1);
        let (alive, over) = bounded::<()>(0);
        let mut round = Round {
            collector,
            resource,
            records,
            stopped,
            stop_at: None,
            is_failing: false,
            losses: Losses { lost: lost.clone(), told: 0, told_at: None },
        };
        std::thread::Builder::new().name(format!("otlp-{}", T::NAME)).spawn(move || {
            let _alive = alive;
            mute_this_thread();
            round.run();
        })?;
        Ok((Self { what: T::NAME, lost, stop, over }, outbox))
    }

    /// Has everything sent that waits, until `deadline` at the latest.
    pub(super) fn stop_by(&self, deadline: Instant) {
        // Where the thread is gone there is nothing to be sent.
        let _ = self.stop.try_send(deadline);
    }

    /// Waits for that, and says what was lost in all.
    pub(super) fn wait_until(self, deadline: Instant) {
        let (what, lost) = (self.what, self.lost.count());
        if let Err(RecvTimeoutError::Timeout) = self.over.recv_deadline(deadline) {
            tracing::warn!(what, lost, "the collector does not answer: what waits is lost too");
            return;
        }
        let lost = self.lost.count();
        if lost > 0 {
            tracing::warn!(what, lost, "not everything reached the collector since the start");
        }
    }
}

/// What the thread works with.
struct Round<T> {
    collector: Collector,
    resource: Resource,
    records: Receiver<T>,
    stopped: Receiver<Instant>,
    /// When everything must be over, once that is known.
    stop_at: Option<Instant>,
    /// Whether it was said that the collector takes nothing.
    is_failing: bool,
    losses: Losses,
}

impl<T: Record> Round<T> {
    fn run(&mut self) {
        while let Some(batch) = self.gather() {
            self.deliver(batch);
            // What is lost at the end is told in all, by whoever waits for it.
            if self.stop_at.is_none() {
                self.losses.tell(T::NAME);
            }
        }
    }

    /// The next records, of which some are waited for, so that few requests are made; `None` where no more come.
    fn gather(&mut self) -> Option<Vec<T>> {
        let mut batch = Vec::new();
        let mut due = crossbeam_channel::never();
        while self.stop_at.is_none() && batch.len() < TELEMETRY_BATCH_RECORDS_MAX {
            select! {
                recv(self.records) -> next => {
                    if batch.is_empty() {
                        due = after(TELEMETRY_EVERY);
                    }
                    batch.extend(next);
                }
                recv(self.stopped) -> at => self.stop_at = Some(at.unwrap_or_else(|_| now())),
                recv(due) -> _ => return Some(batch),
            }
        }
        let room = TELEMETRY_BATCH_RECORDS_MAX - batch.len();
        batch.extend(self.records.try_iter().take(room));
        (!batch.is_empty()).then_some(batch)
    }

    /// Sends them until they are taken, or lost.
    fn deliver(&mut self, batch: Vec<T>) {
        let records = batch.len() as u64;
        let body = T::request(&self.resource, batch);
        let begun = now();
        let mut pause = TELEMETRY_PAUSE_MIN;
        loop {
            let left = self.stop_at.map(|at| at.saturating_duration_since(now()));
            let within =
                left.map_or(self.collector.timeout, |left| left.min(self.collector.timeout));
            if within.is_zero() {
                return self.losses.lost.add(records);
            }
            let asked_for = match self.collector.post(&body, within) {
                Ok(None) => return self.taken(),
                Ok(Some(partial)) => {
                    self.losses.lost.add(partial.rejected as u64);
                    return self.fails(&format!("it refuses some: {}", partial.why));
                }
                Err(PostError::Never(why)) => {
                    self.losses.lost.add(records);
                    return self.fails(&why);
                }
                Err(PostError::Later { why, after }) => {
                    self.fails(&why);
                    after
                }
            };
            if self.stop_at.is_some() || begun.elapsed() >= TELEMETRY_TRIED_MAX {
                return self.losses.lost.add(records);
            }
            self.losses.tell(T::NAME);
            let wait = asked_for.unwrap_or(pause).clamp(TELEMETRY_PAUSE_MIN, TELEMETRY_PAUSE_MAX);
            pause *= 2;
            select! {
                recv(self.stopped) -> at => self.stop_at = Some(at.unwrap_or_else(|_| now())),
                default(wait) => {}
            }
        }
    }

    fn taken(&mut self) {
        if std::mem::take(&mut self.is_failing) {
            let collector = self.collector.address();
            tracing::info!(what = T::NAME, collector, "the collector takes what it is sent again");
        }
    }

    fn fails(&mut self, why: &str) {
        if !std::mem::replace(&mut self.is_failing, true) {
            let collector = self.collector.address();
            tracing::warn!(
                what = T::NAME,
                collector,
                why,
                "the collector does not take what it is sent; the server goes on"
            );
        }
    }
}

/// What was lost, and what of it was said.
struct Losses {
    lost: Lost,
    told: u64,
    told_at: Option<Instant>,
}

impl Losses {
    /// Says it, now and then.
    fn tell(&mut self, what: &'static str) {
        let lost = self.lost.count();
        let is_due = self.told_at.is_none_or(|at| at.elapsed() >= TELEMETRY_LOSS_EVERY);
        if lost > self.told && is_due {
            let more = lost - self.told;
            tracing::warn!(what, more, lost, "not everything reaches the collector");
            (self.told, self.told_at) = (lost, Some(now()));
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a courier is a shell: it waits and gives up by the clock"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}
