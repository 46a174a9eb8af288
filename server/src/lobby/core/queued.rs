//! Parties that wait: what the store says of them, and who of them hears what.
//!
//! Owns: what follows from a party being in the queue, out of it, or changed by somebody. Must not know: how it gets a
//! match; that is `taking`.

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::PlayerId;
use matchkeep_shared::wire::lobby::{LobbyReply, LobbyRequest, Queued as QueuedReply};

use super::{ConnectionKey, Lobby, Session, Voice};
use crate::lobby::placement::Chosen;
use crate::matchmaking::{
    Member, NewTicket, QueueEnd, QueueState, QueueTicket, QueueTicketId, Queued, Taken,
};

impl Lobby {
    /// A party is in the queue, or has had a match all the while.
    pub(super) fn handle_enqueued(
        &mut self,
        now_unix_ms: u64,
        to: Option<ConnectionKey>,
        new: NewTicket,
        queued: Queued,
    ) {
        let id = queued.ticket.id;
        let QueueState::Taken(Taken { match_id, team, .. }) = queued.state else {
            if self.hall.is_past(id) {
                return self.answer_past(now_unix_ms, to, &new);
            }
            self.note_gathered(to, &new, id);
            let is_outdated = self.is_outdated(&queued.ticket);
            self.admit(now_unix_ms, to, queued.ticket);
            // Somebody came or went while it was written: the party as it is now waits anew.
            if is_outdated {
                self.take_out(now_unix_ms, id, QueueEnd::Cancelled);
            }
            return;
        };
        let Some(to) = to else {
            // Another lobby found it a match before it was put back here.
            for member in &queued.ticket.members {
                if let Some(waits) = self.hall.of(member.player).map(|ticket| ticket.id) {
                    self.hall.remove(waits);
                }
            }
            return self.call_in(now_unix_ms, match_id, &queued.ticket.members);
        };
        let Some(Session::Authenticated(player)) = self.sessions.get(&to).cloned() else { return };
        let members = &queued.ticket.members;
        let mean = members.iter().find(|member| member.player == player.id);
        let mean = mean.map_or(0.0, |member| member.rating.mean);
        let placed = self.placement.find(match_id);
        // Who has a place in one that is on its way back is not known yet.
        if placed.is_some_and(|placed| placed.expects(player.id) || placed.is_returning()) {
            let chosen = Some(Chosen { team, mean });
            let until = reserved_until(now_unix_ms);
            match self.placement.promise(match_id, player.id, chosen, until) {
                Ok(()) => self.assign(now_unix_ms, to, Voice::Answer, &player, match_id),
                Err(reason) => self.refuse(to, reason),
            }
        } else if new.done_with == Some(match_id) {
            self.refuse(to, DisconnectReason::Internal);
        } else {
            // They had a place there, and gave it up.
            let new = NewTicket { done_with: Some(match_id), ..new };
            self.enqueue(Some(to), new);
        }
    }

    /// What became of the party was heard before the answer to whoever asked for it.
    fn answer_past(&mut self, now_unix_ms: u64, to: Option<ConnectionKey>, new: &NewTicket) {
        let Some(to) = to else {
            return self.handle_not_enqueued(
                now_unix_ms,
                None,
                new,
                DisconnectReason::QueueCancelled,
            );
        };
        let Some(Session::Authenticated(player)) = self.sessions.get(&to).cloned() else { return };
        let own = self.mode(&new.mode).and_then(|mode| self.placement.own(mode, player.id));
        match own {
            Some(match_id) => self.assign(now_unix_ms, to, Voice::Answer, &player, match_id),
            None => self.refuse(to, DisconnectReason::QueueCancelled),
        }
    }

    /// A party does not come into the queue. One that was in it before and could not be put back is tried again, unless
    /// that may not pass.
    pub(super) fn handle_not_enqueued(
        &mut self,
        now_unix_ms: u64,
        to: Option<ConnectionKey>,
        new: &NewTicket,
        reason: DisconnectReason,
    ) {
        let may_pass = matches!(reason, DisconnectReason::StorageFull | DisconnectReason::Internal);
        match (to, self.hall.returning(new.members[0])) {
            (Some(to), _) => self.refuse(to, reason),
            (None, Some(id)) if may_pass => self.hall.returns_later(id, now_unix_ms),
            (None, Some(id)) => self.dismiss(None, id, reason),
            (None, None) => {}
        }
    }

    /// Of a party that came together here it is known when it falls apart. One that is put back is the one that it was.
    fn note_gathered(&mut self, to: Option<ConnectionKey>, new: &NewTicket, id: QueueTicketId) {
        let before = self.hall.of(new.members[0]).map(|ticket| ticket.id);
        let is_gathered = to.is_some() || before.is_some_and(|id| self.hall.is_gathered(id));
        if new.members.len() > 1 && is_gathered {
            self.hall.gathers(id);
        }
    }

    /// Whether the players of a party that waits are, as far as this lobby knows, in another party by now, or in none
    /// where they came together here. An ended process forgot parties, and not those that wait.
    pub(super) fn is_outdated(&self, ticket: &QueueTicket) -> bool {
        let is_of_it = |player: PlayerId| ticket.members.iter().any(|it| it.player == player);
        let is_gathered = self.hall.is_gathered(ticket.id);
        let is_other = |member: &Member| {
            let party = self.parties.of(member.player);
            party.map_or(is_gathered, |party| {
                party.members.len() != ticket.members.len()
                    || !party.members.iter().all(|known| is_of_it(known.player))
            })
        };
        ticket.members.iter().any(is_other)
    }

    /// A party waits: its players hear of it, each once.
    fn admit(&mut self, now_unix_ms: u64, to: Option<ConnectionKey>, mut ticket: QueueTicket) {
        // A clock may have been ahead of ours when it was written: then it has waited since now, and no hour longer.
        ticket.queued_unix_ms = ticket.queued_unix_ms.min(now_unix_ms);
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

    pub(super) fn queued(&self, now_unix_ms: u64, ticket: &QueueTicket) -> LobbyReply {
        let rules = self.mode(&ticket.mode).map(|mode| self.config.modes[mode].rules);
        LobbyReply::Queued(QueuedReply {
            mode: ticket.mode.clone(),
            waited_ms: now_unix_ms.saturating_sub(ticket.queued_unix_ms),
            limit_ms: rules.map_or(0, |rules| rules.wait_seconds_max * 1000),
        })
    }

    /// A party was to be taken out of the queue.
    pub(super) fn handle_ended(
        &mut self,
        to: Option<ConnectionKey>,
        ticket: QueueTicketId,
        end: QueueEnd,
        has_waited: bool,
    ) {
        if has_waited {
            return self.dismiss(to, ticket, reason_of(end));
        }
        // It has a match, or somebody else took it out, and it hears of that.
        self.hall.ended(ticket);
        self.reader.read_soon();
        if let Some(to) = to {
            self.refuse(to, DisconnectReason::NotQueued);
        }
    }

    /// A party could not be taken out of the queue. Whose time is up is told so all the same, and gets no match; so does
    /// one whose players are no party any more: that it goes is written when it can be.
    pub(super) fn handle_not_ended(
        &mut self,
        now_unix_ms: u64,
        to: Option<ConnectionKey>,
        id: QueueTicketId,
        end: QueueEnd,
        reason: DisconnectReason,
    ) {
        if let Some(to) = to {
            self.refuse(to, reason);
        }
        let Some(ticket) = self.hall.find(id).cloned() else { return };
        let is_up = end == QueueEnd::GivenUp;
        if !is_up && !self.is_outdated(&ticket) {
            return self.hall.stays(id);
        }
        self.hall.owes(id, end, now_unix_ms);
        let news = LobbyReply::Unqueued { reason: reason_of(end) };
        if is_up && self.hall.tells(id) {
            for member in &ticket.members {
                self.tell(member.player, None, &news);
            }
        }
        // Whoever looks for another match, with one of them at least, can have none as long as this is not written.
        for held in std::mem::take(&mut self.held) {
            let waits_for_it = match self.sessions.get(&held.from) {
                Some(Session::Authenticated(player)) => {
                    let party = self.parties.of(player.id).map_or_else(Vec::new, |it| it.members);
                    ticket.members.iter().map(|member| member.player).any(|member| {
                        member == player.id || party.iter().any(|known| known.player == member)
                    })
                }
                _ => false,
            };
            if waits_for_it && matches!(held.request, LobbyRequest::FindMatch { .. }) {
                self.refuse(held.from, reason);
            } else {
                self.held.push(held);
            }
        }
    }

    /// A party waits no longer: its players hear why, unless they did before.
    pub(super) fn dismiss(
        &mut self,
        to: Option<ConnectionKey>,
        id: QueueTicketId,
        reason: DisconnectReason,
    ) {
        let news = LobbyReply::Unqueued { reason };
        if let Some(to) = to {
            self.reply(to, news.clone());
        }
        let Some((ticket, was_told)) = self.hall.remove(id) else { return };
        if !was_told {
            for member in &ticket.members {
                self.tell(member.player, to, &news);
            }
        }
    }

    /// Somebody changed the queue: this lobby, an earlier one of its name, or another. `is_first`: before this process
    /// asked for anything.
    pub(super) fn handle_change(&mut self, now_unix_ms: u64, is_first: bool, queued: Queued) {
        if self.hall.puts_off(&queued) {
            // What this lobby asked for is answered by itself.
            return;
        }
        let id = queued.ticket.id;
        match queued.state {
            QueueState::Waiting => return self.admit(now_unix_ms, None, queued.ticket),
            QueueState::Taken(taken) => match self.hall.remove(id) {
                Some((ticket, _)) => self.call_in(now_unix_ms, taken.match_id, &ticket.members),
                None if is_first => self.seat_again(now_unix_ms, &queued.ticket, taken),
                None => {}
            },
            QueueState::Cancelled => self.dismiss(None, id, DisconnectReason::QueueCancelled),
            QueueState::GivenUp => self.dismiss(None, id, DisconnectReason::QueueTimeout),
        }
        self.hall.passes(id);
    }

    /// What was read of a party and put off until this lobby had its answers.
    pub(super) fn hear_news(&mut self, now_unix_ms: u64, id: QueueTicketId) {
        if let Some(queued) = self.hall.take_news(id) {
            self.handle_change(now_unix_ms, false, queued);
        }
    }

    /// A player is here again: the party that waits for them goes on.
    pub(super) fn welcome_back(&mut self, now_unix_ms: u64, to: ConnectionKey, player: PlayerId) {
        if let Some(ticket) = self.hall.of(player).cloned() {
            if self.hall.is_told_to_wait(player) {
                let queued = self.queued(now_unix_ms, &ticket);
                self.say(to, Voice::News, queued);
            }
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
}

/// Until when a place is kept that is promised now, in milliseconds of Unix time.
pub(super) fn reserved_until(now_unix_ms: u64) -> u64 {
    now_unix_ms + matchkeep_shared::limits::RESERVATION.as_millis() as u64
}

fn reason_of(end: QueueEnd) -> DisconnectReason {
    match end {
        QueueEnd::Cancelled => DisconnectReason::QueueCancelled,
        QueueEnd::GivenUp => DisconnectReason::QueueTimeout,
    }
}
