//! First packets waiting for their handshake.
//!
//! A handshake costs a shard a fraction of a millisecond of cryptography; a thousand at once would stall
//! every match on it. So they wait here and are begun one at a time, when there is time before the next
//! deadline.
//!
//! When more come than there is time for, as after a restart, the oldest are of clients that have given up on
//! them: time for those would be taken from the ones who still wait, until they give up too. So the oldest
//! are forgotten; who is still there sends another first packet.
//!
//! A first packet says where it is from, and nobody has to believe it. So it counts for the address it names only
//! once that is proved: by a Retry's token, or by the end of the handshake. Until then it is one of a few that are
//! dealt with on trust ([`HANDSHAKES_WAITING_RETRY`]); the others are asked to prove it first, which costs the
//! shard no memory and no handshake.

use std::net::IpAddr;
use std::time::Instant;

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::limits::{
    CONNECTIONS_PER_SHARD_MAX, HANDSHAKE_COST, HANDSHAKES_WAITING_MAX, HANDSHAKES_WAITING_RETRY,
};
use quinn_proto::Incoming;

use super::waiting::Waiting;
use crate::rates::{Rate, Rates, counted_as};
use crate::refusals::Refusal;

/// The queue of one shard.
pub(super) struct Admission {
    /// Handshakes to be begun.
    pub(super) waiting: Waiting<Incoming>,
    /// Handshakes begun, and not ended, with addresses that have proved nothing.
    on_trust: usize,
    /// New connections, by address.
    rates: Rates<IpAddr>,
}

/// Whether the address of a handshake was proved when it began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Trust {
    is_proved: bool,
}

/// What to do with a first packet.
pub(super) enum Verdict {
    /// It waits.
    Queued,
    /// Its address must prove itself first.
    Retry(Incoming),
    /// There is no room, or not for this address.
    Refuse(Incoming, Refusal),
}

impl Admission {
    /// A queue with nobody in it; `rate` is for each address.
    pub(super) fn new(rate: Rate, now: Instant) -> Self {
        let waiting = Waiting::new(HANDSHAKE_COST, HANDSHAKES_WAITING_MAX);
        Self { waiting, on_trust: 0, rates: Rates::new(rate, now) }
    }

    /// Takes a first packet in that came at `since`, beside so many connections.
    pub(super) fn enter(
        &mut self,
        now: Instant,
        since: Instant,
        incoming: Incoming,
        connections: usize,
    ) -> Verdict {
        let address = counted_as(incoming.remote_address().ip());
        let waiting = self.waiting.len();
        if waiting >= HANDSHAKES_WAITING_MAX || connections + waiting >= CONNECTIONS_PER_SHARD_MAX {
            return Verdict::Refuse(incoming, Refusal::NoRoom);
        }
        if incoming.remote_address_validated() {
            if !self.rates.spend(now, &address) {
                return Verdict::Refuse(incoming, Refusal::AddressRate);
            }
        } else if self.is_crowded() || self.rates.is_spent(now, &address) {
            return Verdict::Retry(incoming);
        }
        // There is room, as was looked at above: nobody goes for it.
        let _ = self.waiting.push(since, incoming);
        Verdict::Queued
    }

    /// Whether so many are dealt with on trust that whoever comes must prove an address first.
    pub(super) fn is_crowded(&self) -> bool {
        self.waiting.len() + self.on_trust >= HANDSHAKES_WAITING_RETRY
    }

    /// The handshake of this first packet is begun.
    pub(super) fn begin(&mut self, incoming: &Incoming) -> Trust {
        let trust = Trust { is_proved: incoming.remote_address_validated() };
        self.on_trust += usize::from(!trust.is_proved);
        trust
    }

    /// A handshake ended without a connection.
    pub(super) fn fail(&mut self, trust: Trust) {
        self.on_trust -= usize::from(!trust.is_proved);
    }

    /// A handshake ended well, which proves the address: it counts from here on, where it did not before.
    ///
    /// # Errors
    /// [`DisconnectReason::ConnectionFlood`] where it is one too many.
    pub(super) fn succeed(
        &mut self,
        now: Instant,
        trust: Trust,
        address: IpAddr,
    ) -> Result<(), DisconnectReason> {
        self.fail(trust);
        if trust.is_proved || self.rates.spend(now, &counted_as(address)) {
            return Ok(());
        }
        Err(DisconnectReason::ConnectionFlood)
    }
}
