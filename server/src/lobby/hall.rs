//! Parties that wait for a match, as the store has them, and the matchmaker that sees those of them who are here.
//!
//! Owns: which parties wait, which of them have somebody away, and which wishes are out. Must not know: connections, what
//! is said to whom, how the queue is kept.

use std::collections::{BTreeMap, HashMap};

use matchkeep_shared::ids::{MatchId, PlayerId};
use matchkeep_shared::limits::{MATCHMAKING_EVERY, QUEUE_HELD};

use super::placement::Vacancy;
use crate::matchmaking::{
    Matchmaker, ModeRules, OpenMatch, Placed, ProposalId, QueueAsk, QueueTicket, QueueTicketId,
    RulesError, Wish,
};

/// How often what is long over is let go of, and what was promised looked for, in milliseconds.
const FORGET_EVERY_MS: u64 = 60_000;

/// Everybody who waits.
#[derive(Debug)]
pub(super) struct Hall {
    matchmaker: Matchmaker,
    modes: Vec<String>,
    parties: BTreeMap<QueueTicketId, Waiting>,
    ticket_of: HashMap<PlayerId, QueueTicketId>,
    /// The last change of the queue that was read.
    pub(super) seen: u64,
    /// There is more to read than was read.
    has_more: bool,
    /// A reading is on its way; the next one is due then.
    is_reading: bool,
    read_due_unix_ms: u64,
    forget_due_unix_ms: u64,
    /// It was looked for what the process before promised.
    has_looked: bool,
}

#[derive(Debug)]
struct Waiting {
    ticket: QueueTicket,
    presence: Presence,
    /// The wish for a match that it is in.
    proposal: Option<ProposalId>,
    /// It is being taken out.
    is_leaving: bool,
}

/// Whether all of a party are here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Presence {
    Here,
    /// Since when, once that was looked at, in milliseconds of Unix time.
    Away(Option<u64>),
}

impl Hall {
    /// Nobody waits.
    ///
    /// # Errors
    /// [`RulesError`] of the first mode whose rules cannot be.
    pub(super) fn new(
        modes: impl Iterator<Item = (String, ModeRules)> + Clone,
    ) -> Result<Self, RulesError> {
        Ok(Self {
            matchmaker: Matchmaker::new(modes.clone())?,
            modes: modes.map(|(name, _)| name).collect(),
            parties: BTreeMap::new(),
            ticket_of: HashMap::new(),
            seen: 0,
            has_more: true,
            is_reading: false,
            read_due_unix_ms: 0,
            forget_due_unix_ms: 0,
            has_looked: false,
        })
    }

    /// The party in which a player waits.
    pub(super) fn of(&self, player: PlayerId) -> Option<&QueueTicket> {
        self.find(*self.ticket_of.get(&player)?)
    }

    /// A party that waits.
    pub(super) fn find(&self, id: QueueTicketId) -> Option<&QueueTicket> {
        self.parties.get(&id).map(|waiting| &waiting.ticket)
    }

    /// A party waits, durably; `is_here` says who is here. One that is known stays as it is, and is not told of.
    pub(super) fn add(
        &mut self,
        ticket: QueueTicket,
        is_here: impl Fn(PlayerId) -> bool,
    ) -> Option<&QueueTicket> {
        let id = ticket.id;
        if self.parties.contains_key(&id) {
            return None;
        }
        for member in &ticket.members {
            self.ticket_of.insert(member.player, id);
        }
        let presence = Presence::Away(None);
        let waiting = Waiting { ticket, presence, proposal: None, is_leaving: false };
        self.parties.insert(id, waiting);
        self.look_who_is_here(id, is_here);
        self.find(id)
    }

    /// A party waits no longer.
    pub(super) fn remove(&mut self, id: QueueTicketId) -> Option<QueueTicket> {
        let Waiting { ticket, .. } = self.parties.remove(&id)?;
        for member in &ticket.members {
            if self.ticket_of.get(&member.player) == Some(&id) {
                self.ticket_of.remove(&member.player);
            }
        }
        self.matchmaker.handle_gone(id);
        Some(ticket)
    }

    /// A player came or went: a party gets no match while somebody of it is away.
    pub(super) fn look_who_is_here(
        &mut self,
        id: QueueTicketId,
        is_here: impl Fn(PlayerId) -> bool,
    ) {
        let Some(waiting) = self.parties.get_mut(&id) else { return };
        let here = waiting.ticket.members.iter().all(|member| is_here(member.player));
        match (here, waiting.presence) {
            (true, Presence::Away(_)) => {
                waiting.presence = Presence::Here;
                // A mode that is gone, or has smaller teams now: it waits until its time is up.
                if let Err(error) = self.matchmaker.handle_ticket(&waiting.ticket) {
                    tracing::warn!(ticket = %id, %error, "a party waits for what cannot be");
                    waiting.presence = Presence::Away(None);
                }
            }
            (false, Presence::Here) => {
                waiting.presence = Presence::Away(None);
                self.matchmaker.handle_gone(id);
            }
            (true, Presence::Here) | (false, Presence::Away(_)) => {}
        }
    }

    /// Parties of which somebody has been away for too long.
    pub(super) fn lost(&mut self, now_unix_ms: u64) -> Vec<QueueTicketId> {
        let mut lost = Vec::new();
        for (id, waiting) in &mut self.parties {
            if let Presence::Away(since) = &mut waiting.presence {
                let since = *since.get_or_insert(now_unix_ms);
                let is_over = now_unix_ms.saturating_sub(since) >= QUEUE_HELD.as_millis() as u64;
                if is_over && !waiting.is_leaving && waiting.proposal.is_none() {
                    lost.push(*id);
                }
            }
        }
        lost
    }

    /// A party is being taken out. Says whether it was not already.
    pub(super) fn leaves(&mut self, id: QueueTicketId) -> bool {
        match self.parties.get_mut(&id) {
            Some(waiting) => !std::mem::replace(&mut waiting.is_leaving, true),
            None => false,
        }
    }

    /// A party could not be taken out.
    pub(super) fn stays(&mut self, id: QueueTicketId) {
        if let Some(waiting) = self.parties.get_mut(&id) {
            waiting.is_leaving = false;
        }
    }

    /// Whether something of this lobby's own about the party is on its way to the store.
    pub(super) fn is_busy(&self, id: QueueTicketId) -> bool {
        let waiting = self.parties.get(&id);
        waiting.is_some_and(|waiting| waiting.is_leaving || waiting.proposal.is_some())
    }

    /// A match has these places now, or takes nobody.
    pub(super) fn set_vacancy(&mut self, match_id: MatchId, vacancy: Option<Vacancy>) {
        let named = vacancy.and_then(|vacancy| {
            let mode = self.modes.get(vacancy.mode)?.clone();
            let Vacancy { free, mean, players, .. } = vacancy;
            Some(OpenMatch { match_id, mode, free, mean, players })
        });
        match named {
            Some(open) => self.matchmaker.handle_open_match(&open),
            None => self.matchmaker.handle_closed_match(match_id),
        }
    }

    /// What the matchmaker wants by now.
    pub(super) fn wishes(&mut self, now_unix_ms: u64) -> Vec<Wish> {
        self.matchmaker.handle_time(now_unix_ms);
        let mut wishes = Vec::new();
        while let Some(wish) = self.matchmaker.poll() {
            let (proposal, tickets): (_, &[Placed]) = match &wish {
                Wish::Form { proposal, tickets, .. } => (*proposal, tickets),
                Wish::Fill { proposal, ticket, .. } => (*proposal, std::slice::from_ref(ticket)),
                Wish::GiveUp { ticket } => {
                    // The matchmaker has forgotten it: where it stays, it is handed in again.
                    if let Some(waiting) = self.parties.get_mut(ticket) {
                        waiting.presence = Presence::Away(None);
                    }
                    wishes.push(wish);
                    continue;
                }
            };
            for placed in tickets {
                if let Some(waiting) = self.parties.get_mut(&placed.ticket) {
                    waiting.proposal = Some(proposal);
                }
            }
            wishes.push(wish);
        }
        wishes
    }

    /// The wish that these parties are in, which is answered with this.
    pub(super) fn take_proposal(&mut self, tickets: &[Placed]) -> Option<ProposalId> {
        let mut proposal = None;
        for placed in tickets {
            if let Some(waiting) = self.parties.get_mut(&placed.ticket) {
                proposal = waiting.proposal.take().or(proposal);
            }
        }
        proposal
    }

    /// The wish is written down.
    pub(super) fn accepted(&mut self, proposal: ProposalId) {
        self.matchmaker.handle_accepted(proposal);
    }

    /// The wish is not written down, because these parties are gone, or for a reason that may pass.
    pub(super) fn refused(&mut self, proposal: ProposalId, gone: &[QueueTicketId]) {
        for ticket in gone {
            self.remove(*ticket);
        }
        self.matchmaker.handle_refused(proposal, gone);
    }

    /// What is to be read or let go of by now.
    pub(super) fn chores(&mut self, now_unix_ms: u64, kept_ms: u64) -> Vec<QueueAsk> {
        let mut chores = Vec::new();
        let is_due = self.read_due_unix_ms <= now_unix_ms && !self.parties.is_empty();
        if (is_due || self.has_more) && !self.is_reading {
            self.is_reading = true;
            self.read_due_unix_ms = now_unix_ms + MATCHMAKING_EVERY.as_millis() as u64;
            chores.push(QueueAsk::Changes { after: self.seen });
        }
        if self.forget_due_unix_ms <= now_unix_ms {
            self.forget_due_unix_ms = now_unix_ms + FORGET_EVERY_MS;
            // What a process promised and did not live to keep, at the start above all.
            chores.push(QueueAsk::Promised);
            chores.push(QueueAsk::Forget { before_unix_ms: now_unix_ms.saturating_sub(kept_ms) });
        }
        chores
    }

    /// It was looked for promises. Says whether that was the first time.
    pub(super) fn looks_first(&mut self) -> bool {
        !std::mem::replace(&mut self.has_looked, true)
    }

    /// A reading is over, up to this change; `is_all`: there is no more.
    pub(super) fn has_read(&mut self, up_to: Option<u64>, is_all: bool) {
        self.is_reading = false;
        self.seen = up_to.unwrap_or(self.seen);
        self.has_more = !is_all;
    }

    /// What was long over was let go of, and there is more of it.
    pub(super) fn has_more_to_forget(&mut self) {
        self.forget_due_unix_ms = 0;
    }
}
