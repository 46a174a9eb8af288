//! Looking for a match: at once where the mode lets nobody wait, else by the queue.
//!
//! Owns: what follows from what players ask, from what the store says of the queue and from what the matchmaker wants.
//! Must not know: who plays with whom, how the queue is kept.
//!
//! A party is in the queue when that is durable, and it has a match when that is. What is read of the queue now and
//! then is what other lobbies on the same store did.

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{MatchId, PlayerId};
use matchkeep_shared::limits::{
    PROMISE_KEPT_WITHIN, QUEUE_CHANGES_MAX, QUEUE_FORGOTTEN_MAX, QUEUE_KEPT,
};
use matchkeep_shared::wire::lobby::{LobbyReply, Queued as QueuedReply};

use super::{Action, ConnectionKey, Lobby, Player, Session, Voice};
use crate::lobby::placement::Chosen;
use crate::matchmaking::{
    FormMatch, Formed, Member, NewTicket, Placed, Promised, ProposalId, QueueAsk, QueueEnd,
    QueueSaid, QueueState, QueueTicket, QueueTicketId, Queued, Taken, Wish,
};

impl Lobby {
    /// A player looks for a match, with the party if there is one.
    pub(super) fn find_match(
        &mut self,
        now_unix_ms: u64,
        from: ConnectionKey,
        player: &Player,
        mode: &str,
    ) {
        let Some(mode) = self.mode(mode) else {
            return self.refuse(from, DisconnectReason::ModeUnknown);
        };
        if let Some(match_id) = self.placement.own(mode, player.id) {
            return self.assign(now_unix_ms, from, Voice::Answer, player, match_id);
        }
        let name = self.config.modes[mode].name.clone();
        if let Some(ticket) = self.hall.of(player.id) {
            if ticket.mode != name {
                return self.refuse(from, DisconnectReason::QueuedElsewhere);
            }
            let queued = self.queued(now_unix_ms, &ticket.clone());
            return self.reply(from, queued);
        }
        let party = self.parties.of(player.id);
        let members: Vec<PlayerId> = match &party {
            Some(party) => party.members.iter().map(|member| member.player).collect(),
            None => vec![player.id],
        };
        if members[0] != player.id {
            return self.refuse(from, DisconnectReason::NotLeader);
        }
        let rules = self.config.modes[mode].rules;
        if members.len() == 1 && rules.is_immediate() {
            let match_id = self.choose(mode, player.id);
            return self.assign(now_unix_ms, from, Voice::Answer, player, match_id);
        }
        if rules.check_party(members.len()).is_err() {
            return self.refuse(from, DisconnectReason::PartyTooLarge);
        }
        if self.is_storage_full {
            return self.refuse(from, DisconnectReason::StorageFull);
        }
        let new = NewTicket { mode: name, members, queued_unix_ms: now_unix_ms, done_with: None };
        self.ask_queue(Some(from), QueueAsk::Enqueue(new));
    }

    /// A running match of a mode that nobody waits for, or a new one.
    fn choose(&mut self, mode: usize, player: PlayerId) -> MatchId {
        self.placement.choose(mode, player).unwrap_or_else(|| {
            let match_id = MatchId((self.config.random)());
            self.create(match_id, mode, None);
            match_id
        })
    }

    /// A player wants to wait no longer.
    pub(super) fn cancel(&mut self, now_unix_ms: u64, from: ConnectionKey, player: &Player) {
        let waits = self.hall.of(player.id).map(|ticket| ticket.id);
        match waits.filter(|id| self.hall.leaves(*id)) {
            Some(ticket) => self.end(now_unix_ms, Some(from), ticket, QueueEnd::Cancelled),
            None => self.refuse(from, DisconnectReason::NotQueued),
        }
    }

    /// The party that a player waits in waits no longer.
    pub(super) fn stop_waiting(&mut self, now_unix_ms: u64, player: PlayerId) {
        let waits = self.hall.of(player).map(|ticket| ticket.id);
        if let Some(ticket) = waits.filter(|id| self.hall.leaves(*id)) {
            self.end(now_unix_ms, None, ticket, QueueEnd::Cancelled);
        }
    }

    fn end(
        &mut self,
        now_unix_ms: u64,
        to: Option<ConnectionKey>,
        ticket: QueueTicketId,
        end: QueueEnd,
    ) {
        self.ask_queue(to, QueueAsk::End { ticket, end, now_unix_ms });
    }

    fn ask_queue(&mut self, to: Option<ConnectionKey>, ask: QueueAsk) {
        self.actions.push_back(Action::Queue { to, ask });
    }

    /// What came of something that was asked of the queue.
    pub fn handle_queue(
        &mut self,
        now_unix_ms: u64,
        to: Option<ConnectionKey>,
        ask: QueueAsk,
        said: Result<QueueSaid, DisconnectReason>,
    ) {
        match (ask, said) {
            (QueueAsk::Enqueue(new), Ok(QueueSaid::Enqueued(queued))) => {
                self.handle_enqueued(now_unix_ms, to, new, queued);
            }
            (QueueAsk::Enqueue(_), Err(reason)) => {
                if let Some(to) = to {
                    self.refuse(to, reason);
                }
            }
            (QueueAsk::End { ticket, end, .. }, Ok(QueueSaid::Ended(has_waited))) => {
                self.handle_ended(to, ticket, end, has_waited);
            }
            (QueueAsk::End { ticket, .. }, Err(reason)) => {
                self.hall.stays(ticket);
                if let Some(to) = to {
                    self.refuse(to, reason);
                }
            }
            (QueueAsk::Form(form), Ok(QueueSaid::Formed(formed))) => {
                let proposal = self.hall.take_proposal(&form.tickets);
                match formed {
                    Formed::Taken => self.handle_taken(now_unix_ms, proposal, &form),
                    Formed::Refused { gone } => {
                        if let Some(proposal) = proposal {
                            self.hall.refused(proposal, &gone);
                        }
                    }
                }
            }
            (QueueAsk::Form(form), Err(_)) => {
                if let Some(proposal) = self.hall.take_proposal(&form.tickets) {
                    self.hall.refused(proposal, &[]);
                }
            }
            (QueueAsk::Changes { .. }, Ok(QueueSaid::Changes(changes))) => {
                self.hall.has_read(
                    changes.last().map(|queued| queued.change),
                    changes.len() < QUEUE_CHANGES_MAX,
                );
                for queued in changes {
                    self.handle_change(now_unix_ms, queued);
                }
            }
            (QueueAsk::Promised, Ok(QueueSaid::Promised(promised))) => {
                let is_first = self.hall.looks_first();
                for promised in promised {
                    self.keep_promise(now_unix_ms, is_first, promised);
                }
            }
            (QueueAsk::Forget { .. }, Ok(QueueSaid::Forgotten(forgotten))) => {
                if forgotten >= QUEUE_FORGOTTEN_MAX as u64 {
                    self.hall.has_more_to_forget();
                }
            }
            // It is read again in a moment.
            (QueueAsk::Changes { .. }, _) => self.hall.has_read(None, true),
            (_, Ok(_)) | (QueueAsk::Promised | QueueAsk::Forget { .. }, Err(_)) => {}
        }
        self.matchmake(now_unix_ms);
    }

    /// A party is in the queue, or has had a match all the while.
    fn handle_enqueued(
        &mut self,
        now_unix_ms: u64,
        to: Option<ConnectionKey>,
        new: NewTicket,
        queued: Queued,
    ) {
        let QueueState::Taken(Taken { match_id, team, .. }) = queued.state else {
            return self.admit(now_unix_ms, to, queued.ticket);
        };
        let Some(to) = to else { return };
        let Some(Session::Authenticated(player)) = self.sessions.get(&to).cloned() else { return };
        let members = &queued.ticket.members;
        let mean = members.iter().find(|member| member.player == player.id);
        let mean = mean.map_or(0.0, |member| member.rating.mean);
        let placed = self.placement.find(match_id);
        // Who has a place in one that is on its way back is not known yet.
        if placed.is_some_and(|placed| placed.expects(player.id) || placed.is_returning()) {
            let chosen = Some(Chosen { team, mean });
            // Where there is none after all, assigning says so.
            let _ = self.placement.promise(match_id, player.id, chosen, now_unix_ms);
            self.assign(now_unix_ms, to, Voice::Answer, &player, match_id);
        } else if new.done_with == Some(match_id) {
            self.refuse(to, DisconnectReason::Internal);
        } else {
            // They had a place there, and gave it up.
            let new = NewTicket { done_with: Some(match_id), ..new };
            self.ask_queue(Some(to), QueueAsk::Enqueue(new));
        }
    }

    /// A party waits: its players hear of it, each once.
    fn admit(&mut self, now_unix_ms: u64, to: Option<ConnectionKey>, ticket: QueueTicket) {
        let news = self.queued(now_unix_ms, &ticket);
        let members: Vec<PlayerId> = ticket.members.iter().map(|member| member.player).collect();
        let online = &self.online;
        let is_new = self.hall.add(ticket, |player| online.contains_key(&player)).is_some();
        if let Some(to) = to {
            self.reply(to, news.clone());
        }
        if is_new {
            for player in members {
                self.tell(player, to, &news);
            }
        }
    }

    fn queued(&self, now_unix_ms: u64, ticket: &QueueTicket) -> LobbyReply {
        let rules = self.mode(&ticket.mode).map(|mode| self.config.modes[mode].rules);
        LobbyReply::Queued(QueuedReply {
            mode: ticket.mode.clone(),
            waited_ms: now_unix_ms.saturating_sub(ticket.queued_unix_ms),
            limit_ms: rules.map_or(0, |rules| rules.wait_seconds_max * 1000),
        })
    }

    /// A party was to be taken out of the queue.
    fn handle_ended(
        &mut self,
        to: Option<ConnectionKey>,
        ticket: QueueTicketId,
        end: QueueEnd,
        has_waited: bool,
    ) {
        if !has_waited {
            // It has a match, and hears of that.
            self.hall.stays(ticket);
            if let Some(to) = to {
                self.refuse(to, DisconnectReason::NotQueued);
            }
            return;
        }
        let reason = match end {
            QueueEnd::Cancelled => DisconnectReason::QueueCancelled,
            QueueEnd::GivenUp => DisconnectReason::QueueTimeout,
        };
        self.dismiss(to, ticket, reason);
    }

    /// A party waits no longer: its players hear why.
    fn dismiss(&mut self, to: Option<ConnectionKey>, id: QueueTicketId, reason: DisconnectReason) {
        let news = LobbyReply::Unqueued { reason };
        if let Some(to) = to {
            self.reply(to, news.clone());
        }
        let Some(ticket) = self.hall.remove(id) else { return };
        for member in &ticket.members {
            self.tell(member.player, to, &news);
        }
    }

    /// Parties have a match, durably: one to be made, or one that runs.
    fn handle_taken(&mut self, now_unix_ms: u64, proposal: Option<ProposalId>, form: &FormMatch) {
        let is_new = self.placement.find(form.match_id).is_none();
        let mut taken = Vec::with_capacity(form.tickets.len());
        for Placed { ticket, team } in &form.tickets {
            taken.extend(self.hall.find(*ticket).cloned().map(|ticket| (ticket, *team)));
        }
        let mode = taken.first().and_then(|(ticket, _)| self.mode(&ticket.mode));
        if let (true, Some(mode)) = (is_new, mode) {
            self.create(form.match_id, mode, None);
            self.seat(now_unix_ms, form.match_id, &taken);
            self.look_at_places();
        }
        if let Some(proposal) = proposal {
            self.hall.accepted(proposal);
        }
        if !is_new {
            // What the matchmaker takes it for after this is set right by its places.
            self.seat(now_unix_ms, form.match_id, &taken);
        }
        for (ticket, _) in taken {
            self.hall.remove(ticket.id);
            self.call_in(now_unix_ms, form.match_id, &ticket.members);
        }
    }

    /// Places in a match for these parties.
    fn seat(&mut self, now_unix_ms: u64, match_id: MatchId, parties: &[(QueueTicket, Option<u8>)]) {
        for (ticket, team) in parties {
            for Member { player, rating, .. } in &ticket.members {
                let chosen = Some(Chosen { team: *team, mean: rating.mean });
                // Where there is none after all, they are told when they are called in.
                let _ = self.placement.promise(match_id, *player, chosen, now_unix_ms);
            }
        }
    }

    /// Those of a party who are here hear of their match. The others ask, and their places are kept for a while.
    fn call_in(&mut self, now_unix_ms: u64, match_id: MatchId, members: &[Member]) {
        for member in members {
            let connections = self.online.get(&member.player).cloned().unwrap_or_default();
            for to in connections {
                if let Some(Session::Authenticated(player)) = self.sessions.get(&to).cloned() {
                    self.assign(now_unix_ms, to, Voice::News, &player, match_id);
                }
            }
        }
    }

    /// Somebody changed the queue: this lobby, an earlier one of its name, or another.
    fn handle_change(&mut self, now_unix_ms: u64, queued: Queued) {
        let id = queued.ticket.id;
        if self.hall.is_busy(id) {
            // What this lobby asked for is answered by itself.
            return;
        }
        match queued.state {
            QueueState::Waiting => self.admit(now_unix_ms, None, queued.ticket),
            QueueState::Taken(Taken { match_id, .. }) => {
                if let Some(ticket) = self.hall.remove(id) {
                    self.call_in(now_unix_ms, match_id, &ticket.members);
                }
            }
            QueueState::Cancelled => self.dismiss(None, id, DisconnectReason::QueueCancelled),
            QueueState::GivenUp => self.dismiss(None, id, DisconnectReason::QueueTimeout),
        }
    }

    /// A match was promised and is not there: who promised it died before it was made, and it is made now. What this
    /// process promised it made, or it told its players why not.
    fn keep_promise(&mut self, now_unix_ms: u64, is_first: bool, promised: Promised) {
        let Promised { match_id, lobby, unix_ms, tickets } = promised;
        let is_late = now_unix_ms.saturating_sub(unix_ms) >= PROMISE_KEPT_WITHIN.as_millis() as u64;
        let is_left = if lobby == self.config.lobby { is_first } else { is_late };
        if self.placement.find(match_id).is_some() || !is_left {
            return;
        }
        let mode = tickets.first().and_then(|(ticket, _)| self.mode(&ticket.mode));
        // Of a mode that is gone there is no match; whoever asks waits anew.
        let Some(mode) = mode else { return };
        tracing::info!(%match_id, "a match that was promised before is made now");
        self.create(match_id, mode, None);
        self.seat(now_unix_ms, match_id, &tickets);
        for (ticket, _) in &tickets {
            self.call_in(now_unix_ms, match_id, &ticket.members);
        }
    }

    /// A player is here again: the party that waits for them goes on.
    pub(super) fn welcome_back(&mut self, now_unix_ms: u64, to: ConnectionKey, player: PlayerId) {
        if let Some(ticket) = self.hall.of(player).cloned() {
            let queued = self.queued(now_unix_ms, &ticket);
            self.say(to, Voice::News, queued);
            self.look_who_is_here(player);
            self.matchmake(now_unix_ms);
        }
    }

    /// A player came or went.
    pub(super) fn look_who_is_here(&mut self, player: PlayerId) {
        if let Some(id) = self.hall.of(player).map(|ticket| ticket.id) {
            let online = &self.online;
            self.hall.look_who_is_here(id, |player| online.contains_key(&player));
        }
    }

    /// What time does to those who wait.
    pub(super) fn keep_hall(&mut self, now_unix_ms: u64) {
        self.drop_absent(now_unix_ms);
        for ticket in self.hall.lost(now_unix_ms) {
            if self.hall.leaves(ticket) {
                self.end(now_unix_ms, None, ticket, QueueEnd::Cancelled);
            }
        }
        for ask in self.hall.chores(now_unix_ms, QUEUE_KEPT.as_millis() as u64) {
            self.ask_queue(None, ask);
        }
        self.matchmake(now_unix_ms);
    }

    fn look_at_places(&mut self) {
        while let Some((match_id, vacancy)) = self.placement.poll_changed() {
            self.hall.set_vacancy(match_id, vacancy);
        }
    }

    /// Who can have a match now?
    pub(super) fn matchmake(&mut self, now_unix_ms: u64) {
        self.look_at_places();
        for wish in self.hall.wishes(now_unix_ms) {
            let (match_id, tickets) = match wish {
                Wish::Form { tickets, .. } => (MatchId((self.config.random)()), tickets),
                Wish::Fill { match_id, ticket, .. } => (match_id, vec![ticket]),
                Wish::GiveUp { ticket } => {
                    if self.hall.leaves(ticket) {
                        self.end(now_unix_ms, None, ticket, QueueEnd::GivenUp);
                    }
                    continue;
                }
            };
            let form = FormMatch { match_id, tickets, lobby: self.config.lobby, now_unix_ms };
            self.ask_queue(None, QueueAsk::Form(form));
        }
    }
}
