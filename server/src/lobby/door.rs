//! Who may come in to the lobby: new connections by address, requests by player, and the count of all that was
//! turned away or refused. The lobby's twin of a shard's admission; here handshakes run beside each other and none waits.
//!
//! Shared by the tasks of all connections, so behind a lock, held for a few look-ups. Must not know: QUIC, clocks
//! (`now` is an argument), what a request wants.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::PlayerId;
use matchkeep_shared::limits::{
    CONNECTIONS_PER_LOBBY_MAX, HANDSHAKES_WAITING_MAX, LOBBY_HANDSHAKES_WAITING_RETRY,
};
use matchkeep_shared::wire::lobby::LobbyReply;

use crate::rates::{Rates, counted_as};
use crate::refusals::{Refusal, RefusalCounts};
use crate::settings::Admission;

/// The lobby's door.
#[derive(Debug)]
pub struct Door(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Handshakes that have not ended, those among them that wait for their turn to begin.
    handshaking: usize,
    connections: Rates<IpAddr>,
    requests: Rates<PlayerId>,
    counts: DoorCounts,
}

/// What the door counts.
#[derive(Clone, Debug, Default)]
pub struct DoorCounts {
    /// First packets let in to their handshake.
    pub handshakes: u64,
    /// First packets turned away.
    pub refusals: RefusalCounts,
    /// Connections that the lobby ended, by reason.
    pub ends: BTreeMap<&'static str, u64>,
    /// Refusals and ends of waiting that players were told, by reason.
    pub told: BTreeMap<&'static str, u64>,
}

/// What to do with a first packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Its handshake begins when it is its turn; [`Door::shake_hands`] is told how it ended.
    Enter,
    /// Its address must prove itself first.
    Retry,
    /// There is no room, or not for this address.
    Refuse,
}

/// Why a handshake came to nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unconnected {
    /// It took too long, as one that is left half open does.
    TimedOut,
    /// The other side gave up, or is none that can be spoken with.
    Failed,
}

impl Unconnected {
    /// Its name in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::TimedOut => DisconnectReason::JoinTimeout.label(),
            Self::Failed => "handshake_failed",
        }
    }
}

impl Door {
    /// Nobody came yet.
    pub fn new(admission: Admission, now: Instant) -> Self {
        Self(Mutex::new(State {
            handshaking: 0,
            connections: Rates::new(admission.connections, now),
            requests: Rates::new(admission.requests, now),
            counts: DoorCounts::default(),
        }))
    }

    /// A first packet, beside so many connections, from an address that is proved or not. What is not proved is not
    /// counted: anybody can name somebody else's address.
    pub fn knock(
        &self,
        now: Instant,
        address: IpAddr,
        is_proved: bool,
        connections: usize,
    ) -> Verdict {
        let mut state = self.state();
        let address = counted_as(address);
        let is_full =
            connections >= CONNECTIONS_PER_LOBBY_MAX || state.handshaking >= HANDSHAKES_WAITING_MAX;
        let refusal = if is_full {
            Some(Refusal::NoRoom)
        } else if is_proved && !state.connections.spend(now, &address) {
            Some(Refusal::AddressRate)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            state.counts.refusals.count(refusal);
            return Verdict::Refuse;
        }
        let is_crowded = state.handshaking >= LOBBY_HANDSHAKES_WAITING_RETRY;
        if !is_proved && (is_crowded || state.connections.is_spent(now, &address)) {
            state.counts.refusals.retried += 1;
            return Verdict::Retry;
        }
        state.handshaking += 1;
        state.counts.handshakes += 1;
        Verdict::Enter
    }

    /// A handshake ended: with a connection of this address, or why without. An address that was not proved before is now.
    ///
    /// # Errors
    /// [`DisconnectReason::ConnectionFlood`] where its address opened too many.
    pub fn shake_hands(
        &self,
        now: Instant,
        was_proved: bool,
        connected: Result<IpAddr, Unconnected>,
    ) -> Result<(), DisconnectReason> {
        let mut state = self.state();
        state.handshaking -= 1;
        let address = match connected {
            Ok(address) => address,
            Err(why) => {
                *state.counts.ends.entry(why.label()).or_default() += 1;
                return Ok(());
            }
        };
        if was_proved || state.connections.spend(now, &counted_as(address)) {
            return Ok(());
        }
        Err(DisconnectReason::ConnectionFlood)
    }

    /// A player asks for something, over whichever connection.
    ///
    /// # Errors
    /// [`DisconnectReason::RequestFlood`] where that is once too often.
    pub fn ask(&self, now: Instant, player: PlayerId) -> Result<(), DisconnectReason> {
        let may = self.state().requests.spend(now, &player);
        if may { Ok(()) } else { Err(DisconnectReason::RequestFlood) }
    }

    /// The lobby ended a connection.
    pub fn send_away(&self, reason: DisconnectReason) {
        *self.state().counts.ends.entry(reason.label()).or_default() += 1;
    }

    /// The lobby says something to a player: where that is why they get no match, it is counted.
    pub fn tell(&self, reply: &LobbyReply) {
        let (LobbyReply::Refused { reason } | LobbyReply::Unqueued { reason }) = reply else {
            return;
        };
        *self.state().counts.told.entry(reason.label()).or_default() += 1;
    }

    /// What was counted so far.
    pub fn counts(&self) -> DoorCounts {
        self.state().counts.clone()
    }

    /// Whoever panicked with the lock left sound counts behind.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an arbitrary origin for made-up times")]
mod tests {
    use super::*;
    use crate::rates::Rate;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    fn door(now: Instant) -> Door {
        let rate = Rate { per_second: 1, at_once: 3 };
        Door::new(Admission { connections: rate, requests: rate }, now)
    }

    #[test]
    fn who_proves_an_address_counts_and_who_only_names_it_is_asked_to() {
        let now = Instant::now();
        let door = door(now);
        for _ in 0..3 {
            assert_eq!(door.knock(now, ADDRESS, true, 0), Verdict::Enter);
            assert_eq!(door.shake_hands(now, true, Ok(ADDRESS)), Ok(()));
        }
        assert_eq!(door.knock(now, ADDRESS, true, 0), Verdict::Refuse);
        assert_eq!(door.knock(now, ADDRESS, false, 0), Verdict::Retry);
        let other = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 8));
        assert_eq!(door.knock(now, other, false, 0), Verdict::Enter);
        let DoorCounts { handshakes, refusals, .. } = door.counts();
        let RefusalCounts { retried, no_room, address_rate } = refusals;
        assert_eq!((handshakes, retried, no_room, address_rate), (4, 1, 0, 1));
        assert_eq!(refusals.total(), 2);
    }

    #[test]
    fn handshakes_that_never_end_make_strangers_prove_themselves_and_lock_nobody_out() {
        let now = Instant::now();
        let door = door(now);
        for _ in 0..LOBBY_HANDSHAKES_WAITING_RETRY {
            assert_eq!(door.knock(now, ADDRESS, false, 0), Verdict::Enter);
        }
        assert_eq!(door.knock(now, ADDRESS, false, 0), Verdict::Retry);
        assert_eq!(door.knock(now, ADDRESS, true, 0), Verdict::Enter, "who proved it comes in");
        assert_eq!(door.knock(now, ADDRESS, true, CONNECTIONS_PER_LOBBY_MAX), Verdict::Refuse);
        assert_eq!(door.shake_hands(now, false, Err(Unconnected::TimedOut)), Ok(()));
        assert_eq!(door.shake_hands(now, true, Ok(ADDRESS)), Ok(()));
        assert_eq!(door.knock(now, ADDRESS, false, 0), Verdict::Enter);
        assert_eq!(door.counts().ends.get("join_timeout"), Some(&1), "what came of it is counted");
    }

    #[test]
    fn one_too_many_in_their_handshake_are_refused_and_counted() {
        let now = Instant::now();
        let rate = Rate { per_second: 0, at_once: 1 };
        let door = Door::new(Admission { connections: rate, requests: rate }, now);
        for _ in 0..HANDSHAKES_WAITING_MAX {
            assert_eq!(door.knock(now, ADDRESS, true, 0), Verdict::Enter);
        }
        assert_eq!(door.knock(now, ADDRESS, true, 0), Verdict::Refuse);
        assert_eq!(door.counts().refusals.no_room, 1);
        assert_eq!(door.shake_hands(now, true, Err(Unconnected::Failed)), Ok(()));
        assert_eq!(door.knock(now, ADDRESS, true, 0), Verdict::Enter);
        assert_eq!(door.counts().ends.get("handshake_failed"), Some(&1));
    }

    #[test]
    fn a_handshake_that_was_begun_on_trust_counts_when_it_ends() {
        let now = Instant::now();
        let door = door(now);
        for _ in 0..4 {
            assert_eq!(door.knock(now, ADDRESS, false, 0), Verdict::Enter);
        }
        let ends: Vec<bool> =
            (0..4).map(|_| door.shake_hands(now, false, Ok(ADDRESS)).is_ok()).collect();
        assert_eq!(ends, [true, true, true, false]);
    }

    #[test]
    fn a_player_asks_so_often_over_however_many_connections() {
        let now = Instant::now();
        let door = door(now);
        let asked: Vec<bool> = (0..4).map(|_| door.ask(now, PlayerId(7)).is_ok()).collect();
        assert_eq!(asked, [true, true, true, false]);
        assert_eq!(door.ask(now, PlayerId(8)), Ok(()));
        door.send_away(DisconnectReason::RequestFlood);
        assert_eq!(door.counts().ends.get("request_flood"), Some(&1));
    }

    #[test]
    fn what_players_are_refused_is_counted_by_its_reason() {
        let door = door(Instant::now());
        let full = LobbyReply::Refused { reason: DisconnectReason::ServerFull };
        let late = LobbyReply::Unqueued { reason: DisconnectReason::QueueTimeout };
        for reply in [&full, &LobbyReply::Left, &late, &full] {
            door.tell(reply);
        }
        assert_eq!(door.counts().told, BTreeMap::from([("queue_timeout", 1), ("server_full", 2)]));
        assert_eq!(door.counts().ends, BTreeMap::new(), "the connections go on");
    }
}
