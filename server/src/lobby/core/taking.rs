//! Parties that have a match: one that is to be made, one that runs, or one that was promised before.
//!
//! Owns: what follows from parties being taken for a match, durably, or not. Must not know: why they were chosen, how
//! their players are told of parties that wait.

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{MatchId, PlayerId};
use matchkeep_shared::limits::{PROMISE_KEPT_WITHIN, RESERVATION};
use matchkeep_shared::wire::lobby::{LobbyReply, LobbyRequest};

use super::queued::reserved_until;
use super::{Lobby, Session, Voice};
use crate::lobby::placement::{Chosen, Placed as PlacedMatch};
use crate::matchmaking::{
    FormMatch, Formed, Member, NewTicket, Placed, Promised, ProposalId, QueueEnd, QueueTicket,
    Taken,
};

impl Lobby {
    /// A wish for a match is written down, or cannot be because parties are gone. `fills`: it is for a match that ran.
    pub(super) fn handle_formed(
        &mut self,
        now_unix_ms: u64,
        proposal: ProposalId,
        fills: bool,
        form: &FormMatch,
        formed: Formed,
    ) {
        match formed {
            Formed::Taken if fills => self.handle_filled(now_unix_ms, proposal, form),
            Formed::Taken => self.handle_begun(now_unix_ms, proposal, form),
            Formed::Refused { gone } => {
                self.release(fills, form);
                self.hall.refused(proposal, &form.tickets, &gone);
                // Who took them out, where it was not this lobby, and why, is read.
                self.reader.read_soon();
            }
        }
    }

    /// A wish for a match could not be written. It is tried again, but for those whose time is up: they are not held
    /// by a store that takes nothing.
    pub(super) fn handle_not_formed(
        &mut self,
        now_unix_ms: u64,
        proposal: ProposalId,
        fills: bool,
        form: &FormMatch,
    ) {
        self.release(fills, form);
        self.put_off(now_unix_ms, proposal, &form.tickets);
    }

    /// A wish for a match comes to nothing for a reason that may pass.
    pub(super) fn put_off(&mut self, now_unix_ms: u64, proposal: ProposalId, tickets: &[Placed]) {
        self.hall.refused(proposal, tickets, &[]);
        for placed in tickets {
            if self.hall.is_over(placed.ticket, now_unix_ms) {
                self.take_out(now_unix_ms, placed.ticket, QueueEnd::GivenUp);
            }
        }
    }

    /// Places that were reserved in a running match are free again.
    fn release(&mut self, fills: bool, form: &FormMatch) {
        if fills {
            for placed in &form.tickets {
                self.placement.release(form.match_id, placed.ticket);
            }
        }
    }

    /// Parties have a match, durably, that is to be made. Where no match can be made by now they wait on with the time
    /// that they have waited.
    fn handle_begun(&mut self, now_unix_ms: u64, proposal: ProposalId, form: &FormMatch) {
        let mut taken = Vec::with_capacity(form.tickets.len());
        for Placed { ticket, team } in &form.tickets {
            taken.extend(self.hall.find(*ticket).cloned().map(|ticket| (ticket, *team)));
        }
        if !self.has_room(now_unix_ms) {
            self.hall.accepted(proposal, &form.tickets);
            for (ticket, _) in taken {
                self.put_back(form.match_id, ticket);
            }
            return;
        }
        let mode = taken.first().and_then(|(ticket, _)| self.mode(&ticket.mode));
        if let (None, Some(mode)) = (self.placement.find(form.match_id), mode) {
            self.create(form.match_id, mode, None);
        }
        self.seat(now_unix_ms, form.match_id, &taken);
        // The matchmaker hears of what is left of it before it hears that the wish was granted: else it would begin
        // another one for who comes now.
        self.look_at_places();
        self.hall.accepted(proposal, &form.tickets);
        for (ticket, _) in taken {
            self.lead(now_unix_ms, form.match_id, ticket);
        }
    }

    /// A party waits no longer, for it has a match. One that is being made may be refused still.
    fn lead(&mut self, now_unix_ms: u64, match_id: MatchId, ticket: QueueTicket) {
        self.hall.remove(ticket.id);
        self.call_in(now_unix_ms, match_id, &ticket.members);
        if self.placement.find(match_id).is_some_and(PlacedMatch::is_being_made) {
            self.taken_for.entry(match_id).or_default().push(ticket);
        }
    }

    /// Parties have places in a match that ran when they were reserved, durably. Where it is over by now, or gone, or
    /// nobody new comes into any, they wait on with the time that they have waited.
    fn handle_filled(&mut self, now_unix_ms: u64, proposal: ProposalId, form: &FormMatch) {
        self.hall.accepted(proposal, &form.tickets);
        let until = reserved_until(now_unix_ms);
        for placed in &form.tickets {
            let is_there = self.placement.confirm(form.match_id, placed.ticket, until);
            let takes = is_there && !self.is_storage_full;
            let Some(ticket) = self.hall.find(placed.ticket).cloned() else { continue };
            if takes {
                self.lead(now_unix_ms, form.match_id, ticket);
            } else {
                self.put_back(form.match_id, ticket);
            }
        }
    }

    /// A match was not made after all, or takes nobody. Whoever was taken for it here goes back into the queue; others who
    /// wait to be led there are told why they are not.
    pub(super) fn take_back(
        &mut self,
        now_unix_ms: u64,
        match_id: MatchId,
        reason: DisconnectReason,
    ) {
        let parties = self.taken_for.remove(&match_id).unwrap_or_default();
        for (to, voice) in self.take_waiting(match_id) {
            let mode = match self.sessions.get(&to) {
                Some(Session::Authenticated(player)) => mode_of(&parties, player.id),
                _ => None,
            };
            match (mode, voice) {
                (None, _) => self.say(to, voice, LobbyReply::Refused { reason }),
                // They hear that they wait again once they do.
                (Some(_), Voice::News) => {}
                (Some(mode), Voice::Answer) => {
                    self.hold(now_unix_ms, to, LobbyRequest::FindMatch { mode });
                }
            }
        }
        for party in parties {
            self.put_back(match_id, party);
        }
    }

    /// A player gave up the place in a match that is being made: where that is refused, nobody waits for them again.
    pub(super) fn stays_out(&mut self, match_id: MatchId, player: PlayerId) {
        for party in self.taken_for.get_mut(&match_id).into_iter().flatten() {
            party.members.retain(|member| member.player != player);
        }
    }

    /// A party that was taken for a match which it cannot play goes back into the queue, but for those who wait anew. So
    /// does one that changed meanwhile, and is taken out then: nothing is left of the match that somebody could make.
    fn put_back(&mut self, match_id: MatchId, mut ticket: QueueTicket) {
        for member in &ticket.members {
            self.placement.withdraw(match_id, member.player);
        }
        let hall = &self.hall;
        ticket.members.retain(|member| {
            let waits_in = hall.of(member.player);
            waits_in.is_none_or(|newer| newer.id <= ticket.id)
        });
        if ticket.members.is_empty() {
            return;
        }
        let members = ticket.members.iter().map(|member| member.player).collect();
        let (mode, queued_unix_ms) = (ticket.mode.clone(), ticket.queued_unix_ms);
        let online = &self.online;
        self.hall.returns(ticket, match_id, |player| online.contains_key(&player));
        let done_with = Some(match_id);
        self.enqueue(None, NewTicket { mode, members, queued_unix_ms, done_with });
    }

    /// Whom the store did not take back into the queue is tried again; whose time is up meanwhile is told so.
    pub(super) fn put_back_stranded(&mut self, now_unix_ms: u64) {
        for (ticket, match_id) in self.hall.stranded(now_unix_ms) {
            if self.hall.is_over(ticket.id, now_unix_ms) {
                self.dismiss(None, ticket.id, DisconnectReason::QueueTimeout);
            } else {
                self.put_back(match_id, ticket);
            }
        }
    }

    /// Places in a match for these parties.
    fn seat(&mut self, now_unix_ms: u64, match_id: MatchId, parties: &[(QueueTicket, Option<u8>)]) {
        for (ticket, team) in parties {
            self.seat_party(reserved_until(now_unix_ms), match_id, ticket, *team);
        }
    }

    fn seat_party(
        &mut self,
        until_unix_ms: u64,
        match_id: MatchId,
        ticket: &QueueTicket,
        team: Option<u8>,
    ) {
        for Member { player, rating, .. } in &ticket.members {
            let chosen = Some(Chosen { team, mean: rating.mean });
            // Where there is none after all, they are told when they are called in, or ask.
            let _ = self.placement.promise(match_id, *player, chosen, until_unix_ms);
        }
    }

    /// A party was taken for a match before this process was there. What was promised to it then is kept for as long as
    /// it was to be: so whoever of it asks is led there, alone too, and into its team.
    pub(super) fn seat_again(&mut self, now_unix_ms: u64, ticket: &QueueTicket, taken: Taken) {
        // Where the clock was ahead then, no longer than from now on.
        let until_unix_ms = (taken.unix_ms.saturating_add(RESERVATION.as_millis() as u64))
            .min(reserved_until(now_unix_ms));
        if until_unix_ms > now_unix_ms {
            self.seat_party(until_unix_ms, taken.match_id, ticket, taken.team);
        }
    }

    /// Those of a party who are here hear of their match. The others ask, and their places are kept for a while; so does
    /// whoever asked already.
    pub(super) fn call_in(&mut self, now_unix_ms: u64, match_id: MatchId, members: &[Member]) {
        for member in members {
            let connections = self.online.get(&member.player).cloned().unwrap_or_default();
            for to in connections {
                let has_asked = self.held.iter().any(|held| held.from == to);
                if !has_asked
                    && let Some(Session::Authenticated(player)) = self.sessions.get(&to).cloned()
                {
                    self.assign(now_unix_ms, to, Voice::News, &player, match_id);
                }
            }
        }
    }

    /// A match was promised and is not written down: who promised it died before, and it is made now, unless it was
    /// and only its record is missing. What this process promised it made, or it told its players why not.
    pub(super) fn keep_promise(&mut self, now_unix_ms: u64, is_first: bool, promised: Promised) {
        let Promised { match_id, lobby, unix_ms, tickets } = promised;
        let is_late = now_unix_ms.saturating_sub(unix_ms) >= PROMISE_KEPT_WITHIN.as_millis() as u64;
        let is_left = if lobby == self.config.lobby { is_first } else { is_late };
        if !is_left {
            return;
        }
        let is_there = self.placement.find(match_id).is_some();
        if !is_there {
            let mode = tickets.first().and_then(|(ticket, _)| self.mode(&ticket.mode));
            // Of a mode that is gone there is no match; whoever asks waits anew.
            let Some(mode) = mode else { return };
            tracing::info!(%match_id, "a match that was promised before is made now");
            self.create(match_id, mode, None);
        }
        self.seat(now_unix_ms, match_id, &tickets);
        if !is_there {
            for (ticket, _) in &tickets {
                self.call_in(now_unix_ms, match_id, &ticket.members);
            }
        }
    }
}

/// What a player was looking for who is in one of these parties.
fn mode_of(parties: &[QueueTicket], player: PlayerId) -> Option<String> {
    let is_player = |member: &Member| member.player == player;
    let party = parties.iter().find(|party| party.members.iter().any(is_player));
    party.map(|party| party.mode.clone())
}
