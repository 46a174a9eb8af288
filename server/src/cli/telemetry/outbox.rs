//! What waits to be sent: a bounded queue between whoever writes and the thread that sends. Nobody waits for
//! room in it; what finds none is lost and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use matchkeep_shared::limits::TELEMETRY_RECORDS_MAX;

/// How many records were lost, for whatever reason; clones share the count.
#[derive(Clone, Debug, Default)]
pub(super) struct Lost(Arc<AtomicU64>);

impl Lost {
    pub(super) fn add(&self, records: u64) {
        self.0.fetch_add(records, Ordering::Relaxed);
    }

    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where records are put.
#[derive(Debug)]
pub(super) struct Outbox<T> {
    records: Sender<T>,
    lost: Lost,
}

impl<T> Outbox<T> {
    /// An empty one, and where what is put there comes out.
    pub(super) fn new(lost: Lost) -> (Self, Receiver<T>) {
        let (records, waiting) = bounded(TELEMETRY_RECORDS_MAX);
        (Self { records, lost }, waiting)
    }

    /// Takes a record, or counts it.
    pub(super) fn put(&self, record: T) {
        match self.records.try_send(record) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => self.lost.add(1),
            // The server ends, and what was to be sent was.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_counted_and_nobody_waits() {
        let lost = Lost::default();
        let (outbox, waiting) = Outbox::new(lost.clone());
        for record in 0..TELEMETRY_RECORDS_MAX + 3 {
            outbox.put(record);
        }
        assert_eq!(lost.count(), 3);
        assert_eq!(waiting.try_recv(), Ok(0));
        outbox.put(usize::MAX);
        assert_eq!(lost.count(), 3);
        drop(waiting);
        outbox.put(0);
        assert_eq!(lost.count(), 3);
    }
}
