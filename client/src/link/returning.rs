//! Joining, coming back and leaving: which connections a player has, and why.
//!
//! A player who comes back opens a second connection beside the old one. What shows life first wins: a
//! snapshot on the old one before the new one asked to join, or the welcome on the new one. From the join
//! on there is no way back to the old one, for the server replaces it.

use std::time::Instant;

use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use quinn_proto::ConnectionHandle;

use super::connection::Link;
use super::player::Player;
use super::way_back::Step;
use super::{ComeBack, Core, LinkError, Place, PlayerKey};
use crate::netcode::join_message;

/// What TLS calls every server.
const NAME: &str = "matchkeep";

/// What the end of a connection means for the way back.
enum Meaning {
    /// The place may still be there: try again.
    TryAgain,
    /// What opens it is of no use, or it is elsewhere.
    AskLobby,
    /// The match is over; how it ended may still be told.
    MatchOver,
    /// The end.
    Final,
}

impl Meaning {
    fn of(why: &LinkError) -> Self {
        use DisconnectReason as R;
        match why {
            LinkError::Disconnected(reason) => match reason {
                R::TokenExpired
                | R::TokenInvalid
                | R::TicketExpired
                | R::TicketUsed
                | R::TicketInvalid
                // The game may have a newer one by now, and the lobby says whether that is good.
                | R::IdentityExpired
                | R::MatchUnknown => Self::AskLobby,
                R::MatchOver => Self::MatchOver,
                reason if reason.may_come_back() => Self::TryAgain,
                _ => Self::Final,
            },
            // Somebody else is there now, or the server was given another certificate.
            LinkError::Untrusted(_) => Self::AskLobby,
            // A broken network, or a server that is half up.
            LinkError::Failed(_) | LinkError::Protocol(_) => Self::TryAgain,
        }
    }
}

impl<G: Game> Core<G> {
    /// Adds a player who goes where the lobby said.
    ///
    /// # Errors
    /// [`LinkError`] where there can be no connection to such an address.
    pub fn join(
        &mut self,
        now: Instant,
        place: Place,
        come_back: ComeBack,
    ) -> Result<PlayerKey, LinkError> {
        let free = self.players.iter().position(Option::is_none);
        let key = free.unwrap_or(self.players.len());
        if key == self.players.len() {
            self.players.push(None);
        }
        let mut player = Box::new(Player::new(place, come_back, &mut self.rng));
        player.current = Some(self.connect(now, key, &mut player, false)?);
        self.players[key] = Some(player);
        Ok(PlayerKey(key))
    }

    /// The lobby's answer to [`PlayerEvent::NeedTicket`]: the match is here.
    pub fn redirect(&mut self, now: Instant, key: PlayerKey, place: Place) {
        let Some(Some(player)) = self.players.get_mut(key.0) else { return };
        player.asked = false;
        let Some(known) = player.known().filter(|_| !player.is_over) else { return };
        let Some(way) = player.way.as_mut().filter(|way| way.is_sought()) else { return };
        let Place { match_id, address, fingerprint, ticket } = place;
        let moved = (address, fingerprint) != (player.place.address, player.place.fingerprint);
        // A try that goes on at the old address is let be; the ticket is for the next one.
        let begins = way.is_asking() || (moved && !way.is_answered(now));
        player.ticket = Some(ticket);
        player.place = Place { match_id, address, fingerprint, ticket: Vec::new() };
        if begins {
            way.try_now(now, &known);
            self.begin_attempt(now, key.0);
        }
    }

    /// The lobby's other answer: the match is not to be had any more, and why.
    pub fn give_up(&mut self, now: Instant, key: PlayerKey, why: LinkError) {
        let Some(Some(player)) = self.players.get_mut(key.0) else { return };
        player.asked = false;
        // The old connection may have recovered meanwhile, or a try be answered.
        let way = player.way.as_ref().filter(|_| !player.is_over);
        if way.is_some_and(|way| way.is_sought() && !way.is_answered(now)) {
            self.end_player(now, key.0, why);
        }
    }

    /// Gives up the place and says goodbye. Nothing more is told.
    pub fn leave(&mut self, now: Instant, key: PlayerKey) {
        self.close_player(now, key.0, DisconnectReason::Left);
    }

    /// Ends the connections without giving up the place, as a lost network would. Nothing more is told.
    pub fn abandon(&mut self, now: Instant, key: PlayerKey) {
        self.close_player(now, key.0, DisconnectReason::ConnectionLost);
    }

    /// Forgets a player; one who is still playing abandons the match.
    pub fn forget(&mut self, now: Instant, key: PlayerKey) {
        self.abandon(now, key);
        if let Some(player) = self.players.get_mut(key.0) {
            *player = None;
            self.player_timers.disarm(key.0);
        }
    }

    fn close_player(&mut self, now: Instant, key: usize, reason: DisconnectReason) {
        let Some(Some(player)) = self.players.get_mut(key) else { return };
        player.is_over = true;
        let (current, attempt) = (player.current.take(), player.attempt.take());
        for handle in [current, attempt].into_iter().flatten() {
            self.close_link(now, handle, reason);
        }
    }

    fn end_player(&mut self, now: Instant, key: usize, why: LinkError) {
        let Some(Some(player)) = self.players.get_mut(key) else { return };
        player.end(why);
        self.close_player(now, key, DisconnectReason::ConnectionLost);
        self.mark_ready(key);
    }

    /// A connection with the join message that is to go over it.
    fn connect(
        &mut self,
        now: Instant,
        key: usize,
        player: &mut Player<G>,
        comes_back: bool,
    ) -> Result<ConnectionHandle, LinkError> {
        let config = self.configs.of(player.place.fingerprint, comes_back);
        // The name is of no meaning: the certificate is known by its fingerprint.
        let connected = self.endpoint.connect(now, config, player.place.address, NAME);
        let (handle, quic) = connected.map_err(|error| LinkError::Failed(error.to_string()))?;
        if self.links.len() <= handle.0 {
            self.links.resize_with(handle.0 + 1, || None);
        }
        let join = join_message::<G>(player.credential());
        self.links[handle.0] = Some(Box::new(Link::new(quic, key, join)));
        self.link_count += 1;
        self.mark_dirty(handle);
        Ok(handle)
    }

    /// Says goodbye over a connection that nobody listens to any more.
    fn close_link(&mut self, now: Instant, handle: ConnectionHandle, reason: DisconnectReason) {
        let Some(Some(link)) = self.links.get_mut(handle.0) else { return };
        if let Some(key) = link.player.take()
            && let Some(Some(player)) = self.players.get_mut(key)
        {
            player.stats.add(&link.stats());
        }
        link.close(now, reason);
        self.mark_dirty(handle);
    }

    /// A packet came over this connection: where it is a try, the server is there.
    pub(super) fn note_answer(&mut self, now: Instant, handle: ConnectionHandle) {
        let link = self.links.get(handle.0).and_then(Option::as_ref);
        let Some((key, is_open)) = link.and_then(|link| Some((link.player?, link.plays()))) else {
            return;
        };
        if let Some(Some(player)) = self.players.get_mut(key)
            && player.attempt == Some(handle)
            && let Some(known) = player.known()
            && let Some(way) = &mut player.way
        {
            way.answered(now, &known, is_open);
        }
    }

    /// The join went out over this connection.
    pub(super) fn note_join(&mut self, now: Instant, handle: ConnectionHandle, link: &Link) {
        if let Some(Some(player)) = link.player.map(|key| &mut self.players[key])
            && player.attempt == Some(handle)
        {
            player.joined_at = Some(now);
        }
    }

    /// A try was let in: from now on it is the connection.
    pub(super) fn take_over(&mut self, now: Instant, key: usize, handle: ConnectionHandle) {
        let Some(Some(player)) = self.players.get_mut(key) else { return };
        player.attempt = None;
        player.joined_at = None;
        let older = player.current.replace(handle);
        if let Some(way) = &mut player.way {
            way.welcomed(now);
        }
        if let Some(older) = older {
            self.close_link(now, older, DisconnectReason::ConnectionLost);
        }
    }

    /// Whether the match is heard of again; then the way back is no longer looked for.
    pub(super) fn note_recovery(&mut self, now: Instant, key: usize) {
        let Some(Some(player)) = self.players.get_mut(key) else { return };
        let Some(way) = player.way.as_mut() else { return };
        if player.session.is_interrupted() || (way.is_settled() && player.attempt.is_none()) {
            return;
        }
        way.recovered(now);
        player.last_reason = None;
        // A try that asked to join is beyond recall; it is followed through.
        let attempt = player.attempt.filter(|handle| {
            let link = self.links.get(handle.0).and_then(Option::as_ref);
            !link.is_some_and(|link| link.plays())
        });
        if let Some(attempt) = attempt {
            player.attempt = None;
            self.close_link(now, attempt, DisconnectReason::ConnectionLost);
        }
    }

    /// Time passed for a player who may have to come back.
    pub(super) fn look_for_way_back(&mut self, now: Instant, key: usize) {
        let Some(Some(player)) = self.players.get_mut(key) else { return };
        if !player.may_return() {
            return;
        }
        let Some(known) = player.known() else { return };
        let Some(way) = &mut player.way else { return };
        match way.poll(now, &known) {
            Step::Wait => {}
            Step::Try => {
                if way.may_be_elsewhere() {
                    player.ask_lobby();
                }
                player.session.interrupt();
                self.mark_ready(key);
                self.begin_attempt(now, key);
            }
            Step::Probe => {
                if let Some(handle) = player.attempt
                    && let Some(Some(link)) = self.links.get_mut(handle.0)
                    && link.plays()
                {
                    link.quic.ping();
                    self.mark_dirty(handle);
                }
            }
            Step::GiveUp => {
                let why = player.take_reason();
                self.end_player(now, key, why);
            }
        }
    }

    /// Opens a second connection; one that did not get anywhere makes room.
    fn begin_attempt(&mut self, now: Instant, key: usize) {
        let Some(mut player) = self.players.get_mut(key).and_then(Option::take) else { return };
        if let Some(stale) = player.attempt.take() {
            if let Some(Some(link)) = self.links.get_mut(stale.0) {
                link.player = None;
                player.stats.add(&link.stats());
            }
            self.close_link(now, stale, DisconnectReason::ConnectionLost);
        }
        if let Some(Some(link)) = player.current.and_then(|handle| self.links.get(handle.0)) {
            player.round_trip = link.quic.rtt();
        }
        match self.connect(now, key, &mut player, true) {
            Ok(attempt) => player.attempt = Some(attempt),
            // No more connections can be made: later.
            Err(why) => player.note_reason(why),
        }
        self.players[key] = Some(player);
        self.rearm_player(key);
    }

    /// A connection of the player's ended by itself.
    pub(super) fn connection_ended(
        &mut self,
        now: Instant,
        key: usize,
        handle: ConnectionHandle,
        why: LinkError,
    ) {
        let Some(Some(player)) = self.players.get_mut(key) else { return };
        if player.current == Some(handle) {
            self.current_ended(now, key, why);
        } else if player.attempt == Some(handle) {
            player.attempt = None;
            self.attempt_ended(now, key, why);
        }
        self.mark_ready(key);
    }

    fn current_ended(&mut self, now: Instant, key: usize, why: LinkError) {
        let Some(Some(player)) = self.players.get_mut(key) else { return };
        player.current = None;
        if !player.may_return() || matches!(why, LinkError::Protocol(_)) {
            return self.end_player(now, key, why);
        }
        let replaced = matches!(why, LinkError::Disconnected(DisconnectReason::Replaced));
        let by_itself = replaced && player.replaced_itself(now);
        if !by_itself && !matches!(Meaning::of(&why), Meaning::TryAgain) {
            return self.end_player(now, key, why);
        }
        player.session.interrupt();
        if !replaced {
            player.note_reason(why);
        }
        let Some(known) = player.known() else { return };
        let Some(way) = &mut player.way else { return };
        // What is under way goes on: a try, or the question to the lobby.
        if player.attempt.is_none() && !way.is_sought() {
            way.try_now(now, &known);
            self.begin_attempt(now, key);
        } else if !way.is_sought() {
            way.await_try(now, &known);
        } else if way.awaits_last_word() {
            let why = LinkError::Disconnected(DisconnectReason::MatchOver);
            self.end_player(now, key, why);
        }
    }

    fn attempt_ended(&mut self, now: Instant, key: usize, why: LinkError) {
        let Some(Some(player)) = self.players.get_mut(key) else { return };
        let Some(way) = player.way.as_mut() else { return };
        if !way.is_sought() {
            // The old connection recovered; whatever became of the try.
            return;
        }
        match Meaning::of(&why) {
            Meaning::TryAgain => {
                way.failed(now);
                player.note_reason(why);
            }
            Meaning::AskLobby if player.come_back == ComeBack::ByLobby => {
                way.ask();
                player.ask_lobby();
                player.note_reason(why);
            }
            Meaning::MatchOver if player.current.is_some() => way.await_last_word(),
            Meaning::AskLobby | Meaning::MatchOver | Meaning::Final => {
                self.end_player(now, key, why);
            }
        }
    }
}
