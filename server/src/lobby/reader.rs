//! What a lobby reads of the queue beside what it asks for by itself: what others changed, what was promised and not
//! made, and what can be let go of.
//!
//! Owns: when each of these is due, how far it is, and whether all that was there at the start is known. Must not know:
//! what follows from it.

use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::{
    MATCHMAKING_EVERY, QUEUE_CHANGES_MAX, QUEUE_FORGOTTEN_MAX, QUEUE_KEPT, QUEUE_PROMISES_MAX,
};

use crate::matchmaking::{Promised, QueueAsk, Queued};

/// How often what is long over is let go of, and what was promised looked for, in milliseconds.
const LOOK_EVERY_MS: u64 = 60_000;
const READ_EVERY_MS: u64 = MATCHMAKING_EVERY.as_millis() as u64;

/// Reads the queue, page by page.
#[derive(Debug)]
pub(super) struct Reader {
    changes: Pages<u64>,
    promises: Pages<Option<MatchId>>,
    forget_due_unix_ms: u64,
}

/// Something that is read in pages, each behind the one before.
#[derive(Debug)]
struct Pages<C> {
    /// How far it was read.
    cursor: C,
    is_asked: bool,
    /// The last page was full.
    has_more: bool,
    /// All that was there at the start was read.
    is_caught_up: bool,
    due_unix_ms: u64,
}

impl<C: Default> Default for Pages<C> {
    fn default() -> Self {
        let (cursor, is_asked, has_more) = (C::default(), false, true);
        Self { cursor, is_asked, has_more, is_caught_up: false, due_unix_ms: 0 }
    }
}

impl<C: Clone> Pages<C> {
    /// From where a page is to be read, where one is due.
    fn next(&mut self, now_unix_ms: u64) -> Option<C> {
        if self.is_asked || !self.has_more && self.due_unix_ms > now_unix_ms {
            return None;
        }
        self.is_asked = true;
        Some(self.cursor.clone())
    }

    /// A page came.
    fn turn(&mut self, cursor: C, is_full: bool, due_unix_ms: u64) {
        (self.cursor, self.is_asked, self.has_more) = (cursor, false, is_full);
        self.is_caught_up |= !is_full;
        self.due_unix_ms = due_unix_ms;
    }
}

impl Reader {
    /// Nothing was read.
    pub(super) fn new() -> Self {
        let (changes, promises) = (Pages::default(), Pages::default());
        Self { changes, promises, forget_due_unix_ms: 0 }
    }

    /// Whether all is known that was in the queue at the start: who waits, who was promised a place, and which matches
    /// were promised.
    pub(super) fn is_caught_up(&self) -> bool {
        self.changes.is_caught_up && self.promises.is_caught_up
    }

    /// Whether what is read now was there before this lobby.
    pub(super) fn reads_first(&self) -> bool {
        !self.changes.is_caught_up
    }

    /// Whether it was not yet looked through all promises.
    pub(super) fn looks_first(&self) -> bool {
        !self.promises.is_caught_up
    }

    /// What is to be asked by now. Without anybody who waits (`is_idle`) there is nobody whom changes are about.
    pub(super) fn due(&mut self, now_unix_ms: u64, is_idle: bool) -> Vec<QueueAsk> {
        let mut asks = Vec::new();
        let wants_changes = self.changes.has_more || !is_idle;
        if wants_changes && let Some(after) = self.changes.next(now_unix_ms) {
            asks.push(QueueAsk::Changes { after });
        }
        if let Some(after) = self.promises.next(now_unix_ms) {
            asks.push(QueueAsk::Promised { after });
        }
        if self.forget_due_unix_ms <= now_unix_ms {
            self.forget_due_unix_ms = now_unix_ms + LOOK_EVERY_MS;
            let before_unix_ms = now_unix_ms.saturating_sub(QUEUE_KEPT.as_millis() as u64);
            asks.push(QueueAsk::Forget { before_unix_ms });
        }
        asks
    }

    /// What became of a party is to be read as soon as can be.
    pub(super) fn read_soon(&mut self) {
        self.changes.due_unix_ms = 0;
    }

    /// A page of changes came.
    pub(super) fn has_read(&mut self, now_unix_ms: u64, changes: &[Queued]) {
        let cursor = changes.last().map_or(self.changes.cursor, |queued| queued.change);
        let is_full = changes.len() >= QUEUE_CHANGES_MAX;
        self.changes.turn(cursor, is_full, now_unix_ms + READ_EVERY_MS);
    }

    /// Changes could not be read; they are when time passed.
    pub(super) fn has_not_read(&mut self) {
        self.changes.is_asked = false;
    }

    /// A page of promises came. Behind the last one it is looked again from the first on, some time later.
    pub(super) fn has_looked(&mut self, now_unix_ms: u64, promised: &[Promised]) {
        let is_full = promised.len() >= QUEUE_PROMISES_MAX;
        let cursor = promised.last().filter(|_| is_full).map(|promised| promised.match_id);
        self.promises.turn(cursor, is_full, now_unix_ms + LOOK_EVERY_MS);
    }

    /// Promises could not be read; they are when time passed.
    pub(super) fn has_not_looked(&mut self) {
        self.promises.is_asked = false;
    }

    /// So many parties were let go of.
    pub(super) fn has_forgotten(&mut self, parties: u64) {
        if parties >= QUEUE_FORGOTTEN_MAX as u64 {
            self.forget_due_unix_ms = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_read_is_asked_again_and_nothing_is_known_before() {
        let mut reader = Reader::new();
        let asks = reader.due(0, true);
        assert_eq!(asks[..2], [QueueAsk::Changes { after: 0 }, QueueAsk::Promised { after: None }]);
        assert_eq!(reader.due(0, true), [], "each once");
        reader.has_not_read();
        reader.has_not_looked();
        assert!(!reader.is_caught_up());
        assert_eq!(reader.due(1, true), asks[..2]);
        reader.has_read(1, &[]);
        reader.has_looked(1, &[]);
        assert!(reader.is_caught_up());
        assert_eq!(reader.due(2, true), []);
        assert_eq!(reader.due(1 + READ_EVERY_MS, false), [QueueAsk::Changes { after: 0 }]);
    }

    #[test]
    fn behind_a_full_page_the_next_one_is_asked_for_at_once() {
        let mut reader = Reader::new();
        let promised = |id| Promised {
            match_id: MatchId(id),
            lobby: crate::matchmaking::LobbyId(0),
            unix_ms: 1,
            tickets: Vec::new(),
        };
        let page: Vec<Promised> = (1..=QUEUE_PROMISES_MAX as u64).map(promised).collect();
        reader.due(0, true);
        reader.has_looked(0, &page);
        assert!(reader.looks_first());
        let after = Some(MatchId(QUEUE_PROMISES_MAX as u64));
        assert_eq!(reader.due(0, true), [QueueAsk::Promised { after }]);
        reader.has_looked(0, &page[..1]);
        assert!(!reader.looks_first());
        let again = QueueAsk::Promised { after: None };
        assert!(reader.due(LOOK_EVERY_MS, true).contains(&again), "from the first on");
    }
}
