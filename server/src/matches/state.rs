//! The part of a match that is played again: the game, who sits where, and since when somebody is away.
//!
//! Owns: everything that decides what the next step does. What enters it does so as an [`Entry`] or as
//! the inputs of a step, live and in a replay through the same functions: that is what makes a replay exact.
//! Must not know: connections, buffers, clients, and what is written where.

use matchkeep_shared::Game;
use matchkeep_shared::encoding::{DecodeError, decode, encode_into, hash_bytes};
use matchkeep_shared::game::{Events, Inputs, Outcome, PlayerInfo};
use matchkeep_shared::ids::{PlayerId, Slot};
use matchkeep_shared::limits::{CHECKPOINT_BYTES_MAX, EMPTY_MATCH, TICKET_VALID};
use matchkeep_shared::time::Tick;
use serde::{Deserialize, Serialize};

use super::MatchSpec;

/// What enters a match between two steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// A player takes a free place.
    Join {
        /// Which.
        slot: Slot,
        /// Who.
        player: PlayerInfo,
        /// The ticket that was used up.
        ticket: Option<UsedTicket>,
    },
    /// A player gives the place up.
    Leave {
        /// Which place.
        slot: Slot,
    },
    /// A player's connection is gone.
    Lost {
        /// Of the player in this place.
        slot: Slot,
    },
    /// A player is back, or there once more.
    Regained {
        /// In which place.
        slot: Slot,
        /// The ticket that was used up; none where a token served.
        ticket: Option<UsedTicket>,
    },
    /// The match is ended from outside, as it stands.
    End {
        /// Why, in a few words.
        reason: String,
    },
}

/// A ticket that is good no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedTicket {
    /// Its ID.
    pub id: [u8; 16],
    /// When it would have ended by itself, in milliseconds of Unix time.
    pub expires_unix_ms: u64,
}

/// A place that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seat {
    player: PlayerId,
    /// The team that matchmaking chose, counting from 0.
    team: Option<u8>,
    /// The tick after whose step the connection was lost; the place is held for the player.
    lost: Option<Tick>,
}

/// A match as it is after a tick.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct MatchState<G: Game> {
    tick: Tick,
    game: G,
    #[serde(deserialize_with = "matchkeep_shared::encoding::list")]
    seats: Vec<Option<Seat>>,
    /// The last tick at which somebody had a place.
    last_taken: Tick,
    outcome: Option<Outcome>,
    /// Somebody wants the match to end with the next step.
    ending: Option<String>,
    /// The tickets that were used up and have not ended yet, each with the tick after which it was: a match
    /// that goes on elsewhere must not take them again.
    #[serde(deserialize_with = "matchkeep_shared::encoding::list")]
    used_tickets: Vec<(Tick, UsedTicket)>,
}

impl<G: Game> MatchState<G> {
    /// A match before its first tick.
    pub fn new(spec: &MatchSpec<G::Config>) -> Self {
        Self {
            tick: Tick(0),
            game: G::new(&spec.config, spec.rate, spec.seed),
            seats: vec![None; spec.places],
            last_taken: Tick(0),
            outcome: None,
            ending: None,
            used_tickets: Vec::new(),
        }
    }

    /// The number of steps so far.
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// The game's state.
    pub fn game(&self) -> &G {
        &self.game
    }

    /// The result, once the match has ended.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// The number of places.
    pub fn places(&self) -> usize {
        self.seats.len()
    }

    /// Who has a place, connected or held.
    pub fn player(&self, slot: Slot) -> Option<PlayerId> {
        self.seat(slot).map(|seat| seat.player)
    }

    /// Everybody who has a place, connected or held, with the team that was chosen for them.
    pub fn seated(&self) -> impl Iterator<Item = (PlayerId, Option<u8>)> + '_ {
        self.seats.iter().flatten().map(|seat| (seat.player, seat.team))
    }

    /// Whether the player in `slot` is there and connected.
    pub fn is_connected(&self, slot: Slot) -> bool {
        self.seat(slot).is_some_and(|seat| seat.lost.is_none())
    }

    /// The place a player has, connected or held.
    pub fn slot_of(&self, player: PlayerId) -> Option<Slot> {
        let is_theirs = |seat: &Option<Seat>| seat.is_some_and(|seat| seat.player == player);
        Some(Slot(self.seats.iter().position(is_theirs)? as u8))
    }

    /// The first free place.
    pub fn free_slot(&self) -> Option<Slot> {
        Some(Slot(self.seats.iter().position(Option::is_none)? as u8))
    }

    /// The places that are taken, held ones among them, in order.
    pub fn taken(&self) -> impl Iterator<Item = Slot> + '_ {
        let seats = self.seats.iter().enumerate();
        seats.filter(|(_, seat)| seat.is_some()).map(|(i, _)| Slot(i as u8))
    }

    /// The tickets that were used up and may not have ended yet.
    pub fn used_tickets(&self) -> impl Iterator<Item = UsedTicket> + '_ {
        self.used_tickets.iter().map(|(_, ticket)| *ticket)
    }

    fn seat(&self, slot: Slot) -> Option<Seat> {
        self.seats.get(slot.index()).copied().flatten()
    }

    /// Something enters. What makes no sense in this state (a join to a taken place) is ignored, so that
    /// no bytes can break a match.
    pub fn apply(&mut self, entry: &Entry) {
        if let Entry::Join { ticket, .. } | Entry::Regained { ticket, .. } = entry {
            self.used_tickets.extend(ticket.map(|ticket| (self.tick, ticket)));
        }
        match entry {
            Entry::Join { slot, player, .. } => {
                if let Some(place @ None) = self.seats.get_mut(slot.index()) {
                    *place = Some(Seat { player: player.id, team: player.team, lost: None });
                    self.game.join(*slot, player);
                }
            }
            Entry::Leave { slot } => {
                if self.seats.get_mut(slot.index()).and_then(Option::take).is_some() {
                    self.game.leave(*slot);
                }
            }
            Entry::Lost { slot } => self.set_lost(*slot, Some(self.tick)),
            Entry::Regained { slot, .. } => self.set_lost(*slot, None),
            Entry::End { reason } => self.ending = Some(reason.clone()),
        }
    }

    fn set_lost(&mut self, slot: Slot, lost: Option<Tick>) {
        if let Some(Some(seat)) = self.seats.get_mut(slot.index()) {
            seat.lost = lost;
            self.game.set_connected(slot, lost.is_none());
        }
    }

    /// The next place whose hold is over at the tick to come; it is free then. Counted in ticks, not in
    /// seconds: a time-out that affects play replays exactly. Call before each step until there is none.
    pub fn expire(&mut self, hold_ticks: u64) -> Option<(Slot, PlayerId)> {
        let next = self.tick + 1;
        let over = |seat: &Option<Seat>| {
            let lost = seat.and_then(|seat| seat.lost);
            lost.is_some_and(|lost| next.since(lost) > hold_ticks as i64)
        };
        let place = self.seats.iter().position(over)?;
        let seat = self.seats[place].take()?;
        let slot = Slot(place as u8);
        self.game.leave(slot);
        Some((slot, seat.player))
    }

    /// Advances the match by one tick. Does nothing once it has ended.
    pub fn step(
        &mut self,
        spec: &MatchSpec<G::Config>,
        inputs: &Inputs<G::Input>,
        events: &mut Events<G::Event>,
    ) {
        if self.outcome.is_some() {
            return;
        }
        let tick = self.tick + 1;
        self.game.step(tick, inputs, events);
        self.tick = tick;
        // Ticks are never quicker than the clock by which tickets end.
        let valid = spec.rate.ticks_in(TICKET_VALID);
        while self.used_tickets.first().is_some_and(|(at, _)| tick.since(*at) as u64 > valid) {
            self.used_tickets.remove(0);
        }
        if self.seats.iter().any(Option::is_some) {
            self.last_taken = tick;
        }
        // The end of a match that nobody plays: whatever the game thinks of it, it must not tick for ever.
        let empty = tick.since(self.last_taken) as u64;
        let abandoned = empty >= spec.rate.ticks_in(EMPTY_MATCH);
        let ending = self.ending.take().or_else(|| abandoned.then(|| "abandoned".to_owned()));
        self.outcome = self
            .game
            .outcome()
            .or_else(|| ending.map(|reason| Outcome { reason, players: Vec::new() }));
    }

    /// Appends all of it: a checkpoint's payload.
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode_into(self, out);
    }

    /// A hash of all of it: equal states, equal hashes, on any machine. `scratch` is the caller's, so that
    /// nothing is allocated.
    pub fn hash(&self, scratch: &mut Vec<u8>) -> u64 {
        scratch.clear();
        self.encode(scratch);
        hash_bytes(scratch)
    }

    /// The state in a checkpoint's payload.
    ///
    /// # Errors
    /// [`DecodeError`] where it is none of this game's.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode::<Self, CHECKPOINT_BYTES_MAX>("checkpoint", bytes)
    }
}
