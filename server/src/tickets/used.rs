//! The memory of which tickets were used.

use std::collections::{BTreeSet, HashSet};

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::limits::USED_TICKETS_MAX;

/// The tickets used so far, each until it expires. At most
/// [`USED_TICKETS_MAX`]; when as many are still good, one more is refused rather than forgotten.
#[derive(Debug)]
pub struct UsedTickets {
    ids: HashSet<[u8; 16]>,
    by_expiry: BTreeSet<(u64, [u8; 16])>,
    /// The latest expiry among those forgotten. A clock that was set back must not make a ticket good
    /// again whose use is no longer remembered.
    forgotten_until_unix_ms: u64,
    tickets_max: usize,
}

impl Default for UsedTickets {
    fn default() -> Self {
        Self::new()
    }
}

impl UsedTickets {
    /// No ticket used yet.
    pub fn new() -> Self {
        Self::with_room_for(USED_TICKETS_MAX)
    }

    pub(super) fn with_room_for(tickets_max: usize) -> Self {
        Self {
            ids: HashSet::new(),
            by_expiry: BTreeSet::new(),
            forgotten_until_unix_ms: 0,
            tickets_max,
        }
    }

    /// Uses a verified ticket up. Also the way to tell of tickets that a journal shows as used.
    ///
    /// # Errors
    /// [`DisconnectReason::TicketUsed`] where it was used before, [`DisconnectReason::TicketExpired`]
    /// where it is over, and [`DisconnectReason::ServerFull`] where no more can be remembered.
    pub fn insert(
        &mut self,
        id: [u8; 16],
        expires_unix_ms: u64,
        now_unix_ms: u64,
    ) -> Result<(), DisconnectReason> {
        self.forget_expired(now_unix_ms);
        let expires = expires_unix_ms;
        if self.ids.contains(&id) {
            return Err(DisconnectReason::TicketUsed);
        }
        if expires <= now_unix_ms.max(self.forgotten_until_unix_ms) {
            return Err(DisconnectReason::TicketExpired);
        }
        if self.ids.len() >= self.tickets_max {
            return Err(DisconnectReason::ServerFull);
        }
        self.ids.insert(id);
        self.by_expiry.insert((expires, id));
        Ok(())
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    fn forget_expired(&mut self, now_unix_ms: u64) {
        while let Some((expires, id)) = self.by_expiry.first().copied() {
            if expires > now_unix_ms {
                break;
            }
            self.by_expiry.pop_first();
            self.ids.remove(&id);
            self.forgotten_until_unix_ms = expires;
        }
    }
}
