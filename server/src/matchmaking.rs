//! Matchmaking: which parties that wait play with each other, and where.
//!
//! Owns: the rules by which matches are formed and filled, teams and ratings. Must not know: stores, sessions,
//! shards, clocks; what is durable comes in by [`Matchmaker::handle_ticket`] and goes out as a [`Wish`].
//!
//! * [`Matchmaker`] is the state machine. Several of them, beside each other or one after the other, may work
//!   on one store: a wish is a proposal, and only who writes it down first gets it.
//! * [`ModeRules`] says what a mode's matches are like, [`QueueTicket`] is a party that waits for one.
//! * [`rate`] is what a result does to ratings.
//!
//! `docs/MATCHMAKING.md` is for who runs a server.

mod forming;
mod matchmaker;
mod open;
mod packing;
mod pool;
mod queued;
mod rating;
mod rules;
mod steps;
mod sums;
mod teams;
mod ticket;
mod wish;

pub use matchmaker::Matchmaker;
pub use open::OpenMatch;
pub use queued::{
    FormMatch, Formed, LobbyId, NewTicket, Promised, QueueAsk, QueueEnd, QueueSaid, QueueState,
    Queued, Taken,
};
pub use rating::{Finisher, Rating, rate};
pub use rules::{ModeRules, RulesError};
pub use ticket::{Member, QueueTicket, QueueTicketId, TicketError};
pub use wish::{Placed, ProposalId, Wish};
