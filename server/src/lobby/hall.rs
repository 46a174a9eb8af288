//! Parties that wait for a match, as the store has them, and the matchmaker that sees those of them who are here.
//!
//! Owns: which parties wait, which of them have somebody away, and what about them is on its way to the store. Must not
//! know: connections, what is said to whom, how the queue is kept.
//!
//! Answers of the store come in any order. What was asked about a party decides what becomes of it; what is read of it
//! meanwhile is looked at when that is answered. The matchmaker sees a party that is here and of which nothing says that
//! it goes.

mod waiting;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use matchkeep_shared::ids::{MatchId, PlayerId};
use matchkeep_shared::limits::{MATCHMAKING_EVERY, QUEUE_HELD, QUEUE_PAST_MAX, QUEUE_TICKETS_MAX};

use super::placement::Vacancy;
use crate::matchmaking::{
    Matchmaker, ModeRules, OpenMatch, Placed, ProposalId, QueueEnd, QueueTicket, QueueTicketId,
    Queued, RulesError, Wish,
};
use waiting::{Presence, Standing, Waiting};

/// From a party that could not be taken out of the queue to the next try, in milliseconds.
const OWED_EVERY_MS: u64 = MATCHMAKING_EVERY.as_millis() as u64;

/// Everybody who waits.
#[derive(Debug)]
pub(super) struct Hall {
    matchmaker: Matchmaker,
    modes: Vec<String>,
    parties: BTreeMap<QueueTicketId, Waiting>,
    ticket_of: HashMap<PlayerId, QueueTicketId>,
    /// The newest of those that wait no longer: none of them ever does again.
    past: BTreeSet<QueueTicketId>,
    /// The newest of those that players came together for here, and not in an ended process.
    gathered: BTreeSet<QueueTicketId>,
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
            past: BTreeSet::new(),
            gathered: BTreeSet::new(),
        })
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.parties.is_empty()
    }

    /// The party in which a player waits.
    pub(super) fn of(&self, player: PlayerId) -> Option<&QueueTicket> {
        self.find(*self.ticket_of.get(&player)?)
    }

    /// A party that waits.
    pub(super) fn find(&self, id: QueueTicketId) -> Option<&QueueTicket> {
        self.parties.get(&id).map(|waiting| &waiting.ticket)
    }

    /// Whether a party waited here, a little while ago.
    pub(super) fn is_past(&self, id: QueueTicketId) -> bool {
        self.past.contains(&id)
    }

    /// A party waits, durably; `is_here` says who is here. One that is known stays as it is, and is not told of; nor is
    /// one that is past, or older than what its players wait in now. Nobody waits twice, so older ones of its players
    /// are over.
    pub(super) fn add(
        &mut self,
        ticket: QueueTicket,
        is_here: impl Fn(PlayerId) -> bool,
    ) -> Option<&QueueTicket> {
        let id = ticket.id;
        let of_members = ticket.members.iter().filter_map(|m| self.ticket_of.get(&m.player));
        let others: BTreeSet<QueueTicketId> = of_members.copied().collect();
        if self.past.contains(&id) || others.last().is_some_and(|newest| *newest >= id) {
            return None;
        }
        for older in others {
            self.remove(older);
        }
        for member in &ticket.members {
            self.ticket_of.insert(member.player, id);
        }
        let waiting = Waiting::new(ticket);
        self.parties.insert(id, waiting);
        self.look_who_is_here(id, is_here);
        self.find(id)
    }

    /// A party waits no longer. Says also whether its players were told so already.
    pub(super) fn remove(&mut self, id: QueueTicketId) -> Option<(QueueTicket, bool)> {
        let Waiting { ticket, is_told, .. } = self.parties.remove(&id)?;
        for member in &ticket.members {
            if self.ticket_of.get(&member.player) == Some(&id) {
                self.ticket_of.remove(&member.player);
            }
        }
        self.matchmaker.handle_gone(id);
        self.passes(id);
        Some((ticket, is_told))
    }

    /// A party is known to wait no longer, whether it waited here or not.
    pub(super) fn passes(&mut self, id: QueueTicketId) {
        self.past.insert(id);
        if self.past.len() > QUEUE_PAST_MAX {
            self.past.pop_first();
        }
    }

    /// The players of a party came together here.
    pub(super) fn gathers(&mut self, id: QueueTicketId) {
        self.gathered.insert(id);
        if self.gathered.len() > QUEUE_TICKETS_MAX as usize {
            self.gathered.pop_first();
        }
    }

    /// Whether the players of a party came together here: then this lobby knows whether they still are.
    pub(super) fn is_gathered(&self, id: QueueTicketId) -> bool {
        self.gathered.contains(&id)
    }

    /// A player came or went: a party gets no match while somebody of it is away.
    pub(super) fn look_who_is_here(
        &mut self,
        id: QueueTicketId,
        is_here: impl Fn(PlayerId) -> bool,
    ) {
        let Some(waiting) = self.parties.get_mut(&id) else { return };
        let members = || waiting.ticket.members.iter();
        let here = members().all(|member| is_here(member.player));
        let some_here = members().any(|member| is_here(member.player));
        let was_here = std::mem::replace(&mut waiting.some_here, some_here);
        match (here, waiting.presence) {
            (true, Presence::Away(_)) => {
                waiting.presence = Presence::Here;
                self.offer(id);
            }
            (false, Presence::Here) => {
                waiting.presence = Presence::Away(None);
                self.matchmaker.handle_gone(id);
            }
            // It is absent since it holds somebody up: before, it may have waited elsewhere.
            (false, Presence::Away(_)) if some_here && !was_here => {
                waiting.presence = Presence::Away(None);
            }
            (true, Presence::Here) | (false, Presence::Away(_)) => {}
        }
    }

    /// The matchmaker sees a party, where it can have a match.
    fn offer(&mut self, id: QueueTicketId) {
        let Some(waiting) = self.parties.get_mut(&id).filter(|waiting| waiting.is_offered()) else {
            return;
        };
        // A mode that is gone, or has smaller teams now: it waits until its time is up.
        if let Err(error) = self.matchmaker.handle_ticket(&waiting.ticket) {
            tracing::warn!(ticket = %id, %error, "a party waits for what cannot be");
            waiting.presence = Presence::Away(None);
        }
    }

    /// Parties that are to be taken out by now, and why: somebody of them has been away for too long, their time is up
    /// while somebody is, or it could not be written before.
    pub(super) fn lost(&mut self, now_unix_ms: u64) -> Vec<(QueueTicketId, QueueEnd)> {
        let mut lost = Vec::new();
        for (id, waiting) in &mut self.parties {
            match (waiting.standing, &mut waiting.presence) {
                (Standing::Owed { end, due_unix_ms }, _) if due_unix_ms <= now_unix_ms => {
                    // Whatever it was to go for: whose time is up is told so.
                    let is_up = is_over(&self.matchmaker, &waiting.ticket, now_unix_ms);
                    lost.push((*id, if is_up { QueueEnd::GivenUp } else { end }));
                }
                (Standing::Waits, Presence::Away(since)) if waiting.proposal.is_none() => {
                    let since = *since.get_or_insert(now_unix_ms);
                    let held_ms = QUEUE_HELD.as_millis() as u64;
                    if is_over(&self.matchmaker, &waiting.ticket, now_unix_ms) {
                        lost.push((*id, QueueEnd::GivenUp));
                    } else if waiting.some_here && now_unix_ms.saturating_sub(since) >= held_ms {
                        lost.push((*id, QueueEnd::Cancelled));
                    }
                }
                _ => {}
            }
        }
        lost
    }

    /// Whether a party waited for as long as its mode lets anybody wait.
    pub(super) fn is_over(&self, id: QueueTicketId, now_unix_ms: u64) -> bool {
        self.find(id).is_some_and(|ticket| is_over(&self.matchmaker, ticket, now_unix_ms))
    }

    /// A party is being taken out. Says whether it waited and was not already.
    pub(super) fn leaves(&mut self, id: QueueTicketId) -> bool {
        let Some(waiting) = self.parties.get_mut(&id) else { return false };
        if !matches!(waiting.standing, Standing::Waits | Standing::Owed { .. }) {
            return false;
        }
        waiting.standing = Standing::Leaves;
        self.matchmaker.handle_gone(id);
        true
    }

    /// Whether a player's party is being taken out, or has to be.
    pub(super) fn is_leaving(&self, player: PlayerId) -> bool {
        let waiting = self.ticket_of.get(&player).and_then(|id| self.parties.get(id));
        let standing = waiting.map(|waiting| waiting.standing);
        matches!(standing, Some(Standing::Leaves | Standing::Owed { .. }))
    }

    /// A party could not be taken out, and waits on.
    pub(super) fn stays(&mut self, id: QueueTicketId) {
        if let Some(waiting) = self.parties.get_mut(&id) {
            waiting.standing = Standing::Waits;
            self.offer(id);
        }
    }

    /// A party could not be taken out, and has to be: that is tried again.
    pub(super) fn owes(&mut self, id: QueueTicketId, end: QueueEnd, now_unix_ms: u64) {
        if let Some(waiting) = self.parties.get_mut(&id) {
            let due_unix_ms = now_unix_ms + OWED_EVERY_MS;
            waiting.standing = Standing::Owed { end, due_unix_ms };
        }
    }

    /// The store says that these parties wait no longer.
    pub(super) fn ended(&mut self, id: QueueTicketId) {
        let Some(waiting) = self.parties.get_mut(&id) else { return };
        waiting.standing = Standing::Ended;
        self.matchmaker.handle_gone(id);
    }

    /// A party is put back into the queue, which this match took it out of. One that was thought to be through with
    /// waiting is here again.
    pub(super) fn returns(
        &mut self,
        ticket: QueueTicket,
        taken_for: MatchId,
        is_here: impl Fn(PlayerId) -> bool,
    ) {
        let id = ticket.id;
        if !self.parties.contains_key(&id) {
            self.past.remove(&id);
            self.add(ticket, is_here);
        }
        if let Some(waiting) = self.parties.get_mut(&id) {
            waiting.standing = Standing::Returns { taken_for, due_unix_ms: None };
            self.matchmaker.handle_gone(id);
        }
    }

    /// A party could not be put back. That is tried again.
    pub(super) fn returns_later(&mut self, id: QueueTicketId, now_unix_ms: u64) {
        let waiting = self.parties.get_mut(&id);
        if let Some(Standing::Returns { due_unix_ms, .. }) = waiting.map(|it| &mut it.standing) {
            *due_unix_ms = Some(now_unix_ms + OWED_EVERY_MS);
        }
    }

    /// The party of a player that is being put back into the queue, or is to be.
    pub(super) fn returning(&self, player: PlayerId) -> Option<QueueTicketId> {
        let id = *self.ticket_of.get(&player)?;
        matches!(self.parties.get(&id)?.standing, Standing::Returns { .. }).then_some(id)
    }

    /// Parties that are to be put back by now, after that could not be written, and which match took each.
    pub(super) fn stranded(&self, now_unix_ms: u64) -> Vec<(QueueTicket, MatchId)> {
        let due = |waiting: &Waiting| match waiting.standing {
            Standing::Returns { taken_for, due_unix_ms: Some(due) } if due <= now_unix_ms => {
                Some((waiting.ticket.clone(), taken_for))
            }
            _ => None,
        };
        self.parties.values().filter_map(due).collect()
    }

    /// The players of a party are told that it waits no longer. Says whether they were not before.
    pub(super) fn tells(&mut self, id: QueueTicketId) -> bool {
        let waiting = self.parties.get_mut(&id);
        waiting.is_some_and(|waiting| !std::mem::replace(&mut waiting.is_told, true))
    }

    /// Whether a player's party waits, as far as its players were told.
    pub(super) fn is_told_to_wait(&self, player: PlayerId) -> bool {
        let waiting = self.ticket_of.get(&player).and_then(|id| self.parties.get(id));
        waiting.is_some_and(|waiting| !waiting.is_told)
    }

    /// Something was read of a party. Says whether what was asked about it is to be answered first.
    pub(super) fn puts_off(&mut self, queued: &Queued) -> bool {
        let waiting = self.parties.get_mut(&queued.ticket.id);
        let Some(waiting) = waiting.filter(|waiting| waiting.is_busy()) else { return false };
        waiting.news = Some(queued.clone());
        true
    }

    /// What was read of a party and put off, where nothing is to be answered first any more.
    pub(super) fn take_news(&mut self, id: QueueTicketId) -> Option<Queued> {
        let waiting = self.parties.get_mut(&id).filter(|waiting| !waiting.is_busy())?;
        waiting.news.take()
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
                // Whoever carries it out says that it leaves.
                Wish::GiveUp { .. } => {
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

    /// The wish is written down.
    pub(super) fn accepted(&mut self, proposal: ProposalId, tickets: &[Placed]) {
        self.answered(proposal, tickets);
        self.matchmaker.handle_accepted(proposal);
    }

    /// The wish is not written down, because these parties are gone, or for a reason that may pass.
    pub(super) fn refused(
        &mut self,
        proposal: ProposalId,
        tickets: &[Placed],
        gone: &[QueueTicketId],
    ) {
        self.answered(proposal, tickets);
        for ticket in gone {
            // One that was being taken out hears of that.
            let waiting = self.parties.get(ticket);
            if waiting.is_some_and(|waiting| waiting.standing != Standing::Leaves) {
                self.ended(*ticket);
            }
        }
        self.matchmaker.handle_refused(proposal, gone);
    }

    fn answered(&mut self, proposal: ProposalId, tickets: &[Placed]) {
        for placed in tickets {
            if let Some(waiting) = self.parties.get_mut(&placed.ticket)
                && waiting.proposal == Some(proposal)
            {
                waiting.proposal = None;
            }
        }
    }
}

/// Of a mode that is gone nobody's time is up: who waits for it is away to the matchmaker.
fn is_over(matchmaker: &Matchmaker, ticket: &QueueTicket, now_unix_ms: u64) -> bool {
    let limit = matchmaker.rules(&ticket.mode).map(|rules| rules.wait_seconds_max * 1000);
    limit.is_some_and(|limit_ms| now_unix_ms.saturating_sub(ticket.queued_unix_ms) >= limit_ms)
}
