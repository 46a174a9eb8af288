//! Looking for a match: at once where the mode lets nobody wait, else by the queue.
//!
//! Owns: what follows from what players ask, and what is asked of the queue: by whom, when, and what has to wait for its
//! answer. Must not know: who plays with whom, how the queue is kept. What the store says of parties that wait is for
//! `queued`, of parties that have a match for `taking`.
//!
//! A party is in the queue when that is durable, and it has a match when that is. What is read of the queue now and
//! then is what other lobbies on the same store did. Answers come in any order; so who asks for something that an answer
//! on its way decides is held until it is there.

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{MatchId, PlayerId};
use matchkeep_shared::limits::LOBBY_HELD_MAX;
use matchkeep_shared::wire::lobby::LobbyRequest;

use super::{Action, ConnectionKey, Held, Lobby, Player, Voice};
use crate::matchmaking::{
    FormMatch, NewTicket, QueueAsk, QueueEnd, QueueSaid, QueueTicketId, Wish,
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
        let Some(index) = self.mode(mode) else {
            return self.refuse(from, DisconnectReason::ModeUnknown);
        };
        if let Some(match_id) = self.placement.own(index, player.id) {
            return self.assign(now_unix_ms, from, Voice::Answer, player, match_id);
        }
        let party = self.parties.of(player.id);
        let members: Vec<PlayerId> = match &party {
            Some(party) => party.members.iter().map(|member| member.player).collect(),
            None => vec![player.id],
        };
        let is_undecided =
            |member: &PlayerId| self.hall.is_leaving(*member) || self.enqueuing.contains(member);
        if !self.reader.is_caught_up() || members.iter().any(is_undecided) {
            let mode = mode.to_owned();
            return self.hold(now_unix_ms, from, LobbyRequest::FindMatch { mode });
        }
        let name = self.config.modes[index].name.clone();
        if let Some(ticket) = self.hall.of(player.id) {
            if ticket.mode != name {
                return self.refuse(from, DisconnectReason::QueuedElsewhere);
            }
            let queued = self.queued(now_unix_ms, &ticket.clone());
            return self.reply(from, queued);
        }
        if members[0] != player.id {
            return self.refuse(from, DisconnectReason::NotLeader);
        }
        let rules = self.config.modes[index].rules;
        if members.len() == 1 && rules.is_immediate() {
            let match_id = self.choose(index, player.id);
            return self.assign(now_unix_ms, from, Voice::Answer, player, match_id);
        }
        if rules.check_party(members.len()).is_err() {
            return self.refuse(from, DisconnectReason::PartyTooLarge);
        }
        if self.is_storage_full {
            return self.refuse(from, DisconnectReason::StorageFull);
        }
        let new = NewTicket { mode: name, members, queued_unix_ms: now_unix_ms, done_with: None };
        self.enqueue(Some(from), new);
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
        if self.hall.returning(player.id).is_some() {
            // They wait again when that is written.
            return self.hold(now_unix_ms, from, LobbyRequest::Cancel);
        }
        let waits = self.hall.of(player.id).map(|ticket| ticket.id);
        match waits.filter(|id| self.hall.leaves(*id)) {
            Some(ticket) => self.end(now_unix_ms, Some(from), ticket, QueueEnd::Cancelled),
            None => self.refuse(from, DisconnectReason::NotQueued),
        }
    }

    /// The party that a player waits in waits no longer.
    pub(super) fn stop_waiting(&mut self, now_unix_ms: u64, player: PlayerId) {
        if let Some(ticket) = self.hall.of(player).map(|ticket| ticket.id) {
            self.take_out(now_unix_ms, ticket, QueueEnd::Cancelled);
        }
    }

    /// A party is to be taken out of the queue, unless it is already.
    pub(super) fn take_out(&mut self, now_unix_ms: u64, ticket: QueueTicketId, end: QueueEnd) {
        if self.hall.leaves(ticket) {
            self.end(now_unix_ms, None, ticket, end);
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

    /// A party wants to wait; `to` asked for it, where somebody did.
    pub(super) fn enqueue(&mut self, to: Option<ConnectionKey>, new: NewTicket) {
        self.enqueuing.extend(&new.members);
        self.ask_queue(to, QueueAsk::Enqueue(new));
    }

    fn ask_queue(&mut self, to: Option<ConnectionKey>, ask: QueueAsk) {
        self.actions.push_back(Action::Queue { to, ask });
    }

    /// What cannot be judged yet is judged when something more is known.
    pub(super) fn hold(&mut self, now_unix_ms: u64, from: ConnectionKey, request: LobbyRequest) {
        self.held.push(Held { from, request, since_unix_ms: now_unix_ms });
        self.read(now_unix_ms);
    }

    /// Something more is known: who was held is heard again, in the order of their asking.
    pub(super) fn serve_held(&mut self, now_unix_ms: u64) {
        for Held { from, request, since_unix_ms } in std::mem::take(&mut self.held) {
            self.handle_request(now_unix_ms, from, request);
            // Where it is still not enough it was held since they asked, and not since now.
            if let Some(again) = self.held.last_mut().filter(|held| held.from == from) {
                again.since_unix_ms = since_unix_ms;
            }
        }
    }

    /// Who was held for too long hears that nothing is known still. They may ask again.
    pub(super) fn refuse_held(&mut self, now_unix_ms: u64) {
        let held_ms = LOBBY_HELD_MAX.as_millis() as u64;
        let is_late = |held: &mut Held| now_unix_ms.saturating_sub(held.since_unix_ms) >= held_ms;
        let late: Vec<Held> = self.held.extract_if(.., is_late).collect();
        let is_full = self.is_storage_full;
        let reason =
            if is_full { DisconnectReason::StorageFull } else { DisconnectReason::Internal };
        for Held { from, .. } in late {
            self.refuse(from, reason);
        }
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
            (QueueAsk::Enqueue(new), said) => {
                for member in &new.members {
                    self.enqueuing.remove(member);
                }
                match said {
                    Ok(QueueSaid::Enqueued(queued)) => {
                        self.handle_enqueued(now_unix_ms, to, new, queued);
                    }
                    Ok(_) => {}
                    Err(reason) => self.handle_not_enqueued(now_unix_ms, to, &new, reason),
                }
                self.serve_held(now_unix_ms);
            }
            (QueueAsk::End { ticket, end, .. }, said) => {
                match said {
                    Ok(QueueSaid::Ended(has_waited)) => {
                        self.handle_ended(to, ticket, end, has_waited);
                    }
                    Ok(_) => {}
                    Err(reason) => self.handle_not_ended(now_unix_ms, to, ticket, end, reason),
                }
                self.hear_news(now_unix_ms, ticket);
                self.serve_held(now_unix_ms);
            }
            (QueueAsk::Form { proposal, fills, form }, said) => {
                match said {
                    Ok(QueueSaid::Formed(formed)) => {
                        self.handle_formed(now_unix_ms, proposal, fills, &form, formed);
                    }
                    Ok(_) => {}
                    Err(_) => self.handle_not_formed(now_unix_ms, proposal, fills, &form),
                }
                for placed in &form.tickets {
                    self.hear_news(now_unix_ms, placed.ticket);
                }
            }
            (QueueAsk::Changes { .. }, Ok(QueueSaid::Changes(changes))) => {
                let is_first = self.reader.reads_first();
                self.reader.has_read(now_unix_ms, &changes);
                for queued in changes {
                    self.handle_change(now_unix_ms, is_first, queued);
                }
                self.go_on_reading(now_unix_ms);
            }
            (QueueAsk::Promised { .. }, Ok(QueueSaid::Promised(promised))) => {
                let is_first = self.reader.looks_first();
                self.reader.has_looked(now_unix_ms, &promised);
                for promised in promised {
                    self.keep_promise(now_unix_ms, is_first, promised);
                }
                self.go_on_reading(now_unix_ms);
            }
            (QueueAsk::Ratings { match_id, players, .. }, said) => {
                let means: Vec<(PlayerId, f64)> = match said {
                    Ok(QueueSaid::Ratings(ratings)) => {
                        let means = ratings.into_iter().map(|rating| rating.mean);
                        players.into_iter().zip(means).collect()
                    }
                    Ok(_) | Err(_) => Vec::new(),
                };
                self.placement.set_means(match_id, &means);
            }
            (QueueAsk::Forget { .. }, Ok(QueueSaid::Forgotten(forgotten))) => {
                self.reader.has_forgotten(forgotten);
            }
            (QueueAsk::Changes { .. }, _) => self.reader.has_not_read(),
            (QueueAsk::Promised { .. }, _) => self.reader.has_not_looked(),
            (QueueAsk::Forget { .. }, _) => {}
        }
        self.matchmake(now_unix_ms);
    }

    /// A page was read: the next one, and with the last one what waited for it.
    fn go_on_reading(&mut self, now_unix_ms: u64) {
        self.read(now_unix_ms);
        if self.reader.is_caught_up() {
            self.serve_held(now_unix_ms);
        }
    }

    /// What is to be read of the queue by now.
    pub(super) fn read(&mut self, now_unix_ms: u64) {
        for ask in self.reader.due(now_unix_ms, self.hall.is_empty()) {
            self.ask_queue(None, ask);
        }
    }

    /// Of matches that go on it is asked how good their players are.
    pub(super) fn ask_for_means(&mut self) {
        while let Some((match_id, mode, players)) = self.placement.poll_unrated() {
            let Some(mode) = self.config.modes.get(mode) else { continue };
            let ladder = mode.name.clone();
            self.ask_queue(None, QueueAsk::Ratings { match_id, ladder, players });
        }
    }

    /// What time does to those who wait.
    pub(super) fn keep_hall(&mut self, now_unix_ms: u64) {
        self.drop_absent(now_unix_ms);
        for (ticket, end) in self.hall.lost(now_unix_ms) {
            self.take_out(now_unix_ms, ticket, end);
        }
        self.put_back_stranded(now_unix_ms);
        self.read(now_unix_ms);
        self.ask_for_means();
        self.matchmake(now_unix_ms);
    }

    pub(super) fn look_at_places(&mut self) {
        while let Some((match_id, vacancy)) = self.placement.poll_changed() {
            self.hall.set_vacancy(match_id, vacancy);
        }
    }

    /// Who can have a match now? Before all is known that was there at the start, nobody: a party may have one. Nobody is
    /// taken out of the queue for a match that cannot be made.
    pub(super) fn matchmake(&mut self, now_unix_ms: u64) {
        if !self.reader.is_caught_up() {
            return;
        }
        self.look_at_places();
        for wish in self.hall.wishes(now_unix_ms) {
            let (proposal, fills, match_id, tickets) = match wish {
                Wish::Form { proposal, tickets, .. } if !self.has_room(now_unix_ms) => {
                    self.put_off(now_unix_ms, proposal, &tickets);
                    continue;
                }
                Wish::Fill { proposal, ticket, .. } if self.is_storage_full => {
                    self.put_off(now_unix_ms, proposal, &[ticket]);
                    continue;
                }
                Wish::Form { proposal, tickets, .. } => {
                    (proposal, false, MatchId((self.config.random)()), tickets)
                }
                Wish::Fill { proposal, match_id, ticket } => {
                    let party = self.hall.find(ticket.ticket);
                    let has_room = party
                        .is_some_and(|party| self.placement.reserve(match_id, party, ticket.team));
                    if !has_room {
                        // Its places are told when they change; until then another match may have some.
                        self.hall.refused(proposal, &[ticket], &[]);
                        continue;
                    }
                    (proposal, true, match_id, vec![ticket])
                }
                Wish::GiveUp { ticket } => {
                    self.take_out(now_unix_ms, ticket, QueueEnd::GivenUp);
                    continue;
                }
            };
            let form = FormMatch { match_id, tickets, lobby: self.config.lobby, now_unix_ms };
            self.ask_queue(None, QueueAsk::Form { proposal, fills, form });
        }
    }

    /// Whether a match that is begun now could be made, as far as is known.
    pub(super) fn has_room(&self, now_unix_ms: u64) -> bool {
        !self.is_storage_full && self.no_room_until_unix_ms <= now_unix_ms
    }
}
