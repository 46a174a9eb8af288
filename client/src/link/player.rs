//! One player of a core: the session, the connections that lead to it, and how it fares on its way back.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::rng::Rng;
use matchkeep_shared::wire::message::Credential;
use quinn_proto::ConnectionHandle;

use super::way_back::{Known, WayBack};
use super::{ComeBack, LinkError, LinkStats, MatchSession, Place, PlayerEvent};

/// For so long after its join a try may still bring about that the older connection is replaced, even where
/// the try itself came to nothing.
const JOIN_ECHO: Duration = Duration::from_secs(10);

/// One player.
pub(super) struct Player<G: Game> {
    pub(super) place: Place,
    pub(super) session: MatchSession<G>,
    pub(super) come_back: ComeBack,
    /// The connection whose bytes are the session's.
    pub(super) current: Option<ConnectionHandle>,
    /// A second one, on its way to take over.
    pub(super) attempt: Option<ConnectionHandle>,
    /// From the first welcome on, for those who come back.
    pub(super) way: Option<WayBack>,
    /// A ticket that was not used yet.
    pub(super) ticket: Option<Vec<u8>>,
    /// The lobby was asked and did not answer yet.
    pub(super) asked: bool,
    /// When a try last said its join without being welcomed.
    pub(super) joined_at: Option<Instant>,
    /// Why the match may turn out to be lost.
    pub(super) last_reason: Option<LinkError>,
    /// Of the connection that plays or played, as measured last.
    pub(super) round_trip: Duration,
    /// What is to be told after all that the session still has to tell.
    told: VecDeque<PlayerEvent<G>>,
    pub(super) is_over: bool,
    pub(super) is_ready: bool,
    /// Of the connections that ended.
    pub(super) stats: LinkStats,
    seed: u64,
}

impl<G: Game> Player<G> {
    pub(super) fn new(mut place: Place, come_back: ComeBack, rng: &mut Rng) -> Self {
        let ticket = std::mem::take(&mut place.ticket);
        Self {
            place,
            session: MatchSession::default(),
            come_back,
            current: None,
            attempt: None,
            way: None,
            ticket: Some(ticket),
            asked: false,
            joined_at: None,
            last_reason: None,
            round_trip: Duration::ZERO,
            told: VecDeque::new(),
            is_over: false,
            is_ready: false,
            stats: LinkStats::default(),
            seed: u64::from(rng.next_u32()) << 32 | u64::from(rng.next_u32()),
        }
    }

    /// What opens the match now: a ticket where there is a new one, else the newest token.
    pub(super) fn credential(&mut self) -> Credential {
        match (self.ticket.take(), self.session.token()) {
            (Some(ticket), _) => Credential::Ticket(ticket),
            (None, token) => Credential::Token(token.unwrap_or_default().to_vec()),
        }
    }

    /// The first welcome came: from now on there is a place to come back to.
    pub(super) fn settle(&mut self, now: Instant) {
        if self.come_back != ComeBack::Never && self.way.is_none() {
            self.way = Some(WayBack::new(now, self.seed));
        }
    }

    /// What the way back goes by; `None` before the first welcome.
    pub(super) fn known(&self) -> Option<Known> {
        Some(Known {
            heard: self.session.last_sign_of_life()?,
            rate: self.session.rate()?,
            hold: self.session.hold()?,
            round_trip: self.round_trip,
        })
    }

    /// Whether the way back is looked after: not before the first welcome, and not when all is told.
    pub(super) fn may_return(&self) -> bool {
        self.way.is_some() && !self.is_over && !self.session.has_ended()
    }

    /// When the player has to be looked after by itself.
    pub(super) fn deadline(&self, input_slack: Duration) -> Option<Instant> {
        if self.is_over {
            return None;
        }
        let way = self.way.as_ref().filter(|_| self.may_return());
        let step = way.zip(self.known()).map(|(way, known)| way.next(&known));
        let input = self.session.next_due();
        let input = input.map(|due| due.checked_sub(input_slack).unwrap_or(due));
        [input, step].into_iter().flatten().min()
    }

    /// Whether being replaced is what a try of our own brought about.
    pub(super) fn replaced_itself(&self, now: Instant) -> bool {
        self.attempt.is_some() || self.joined_at.is_some_and(|at| now < at + JOIN_ECHO)
    }

    /// The next thing to tell; inputs that are due until `until` are asked for.
    pub(super) fn poll_event(&mut self, until: Instant) -> Option<PlayerEvent<G>> {
        if (!self.is_over || self.session.has_events())
            && let Some(event) = self.session.poll_event(until)
        {
            return Some(PlayerEvent::Match(event));
        }
        self.told.pop_front()
    }

    /// The end, told once.
    pub(super) fn end(&mut self, why: LinkError) {
        if !std::mem::replace(&mut self.is_over, true) {
            self.told.push_back(PlayerEvent::Over(why));
        }
    }

    /// Asks the lobby for a way, where there is one to ask and its last answer was heard.
    pub(super) fn ask_lobby(&mut self) {
        if self.come_back == ComeBack::ByLobby && !std::mem::replace(&mut self.asked, true) {
            let match_id = self.place.match_id;
            self.told.push_back(PlayerEvent::NeedTicket { match_id });
        }
    }

    /// Remembers why the match may be lost: what a server said counts more than what QUIC found.
    pub(super) fn note_reason(&mut self, why: LinkError) {
        if matches!(why, LinkError::Disconnected(_)) || self.last_reason.is_none() {
            self.last_reason = Some(why);
        }
    }

    /// The reason to give for the end, where nothing more definite is known.
    pub(super) fn take_reason(&mut self) -> LinkError {
        let silence = LinkError::Disconnected(DisconnectReason::IdleTimeout);
        self.last_reason.take().unwrap_or(silence)
    }
}
