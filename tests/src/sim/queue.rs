//! The queue and the ratings of the directory in memory.

use std::collections::BTreeMap;

use matchkeep_server::matchmaking::{
    Finisher, FormMatch, Formed, Member, NewTicket, Promised, QueueEnd, QueueState, QueueTicket,
    QueueTicketId, Queued, Rating, Taken, rate,
};
use matchkeep_server::store::{Queue, StoreError};
use matchkeep_shared::game::Outcome;
use matchkeep_shared::ids::{MatchId, PlayerId};
use matchkeep_shared::limits::{
    QUEUE_CHANGES_MAX, QUEUE_FORGOTTEN_MAX, QUEUE_PROMISES_MAX, QUEUE_TICKETS_MAX,
};

use super::directory::{MemoryDirectory, Tables};

/// Who waits, and how good everybody is.
#[derive(Clone, Debug, Default)]
pub(super) struct QueueTables {
    tickets: BTreeMap<QueueTicketId, Row>,
    next_ticket: u64,
    change: u64,
    ratings: BTreeMap<(PlayerId, String), Rating>,
}

#[derive(Clone, Debug)]
struct Row {
    mode: String,
    members: Vec<PlayerId>,
    queued_unix_ms: u64,
    state: QueueState,
    ended_unix_ms: u64,
    change: u64,
}

impl Row {
    /// Whether it is the same party, for the same mode.
    fn is_party_of(&self, new: &NewTicket) -> bool {
        self.mode == new.mode
            && self.members[0] == new.members[0]
            && self.members.len() == new.members.len()
            && new.members.iter().all(|player| self.members.contains(player))
    }
}

impl QueueTables {
    fn next_change(&mut self) -> u64 {
        self.change += 1;
        self.change
    }

    /// How many parties got a match.
    pub(super) fn matched(&self) -> u64 {
        let taken = |row: &&Row| matches!(row.state, QueueState::Taken(_));
        self.tickets.values().filter(taken).count() as u64
    }

    /// Whether none of a party has been in another one since.
    fn is_newest(&self, id: QueueTicketId) -> bool {
        let Some(row) = self.tickets.get(&id) else { return false };
        let mut newer = self.tickets.range(id..).skip(1);
        !newer.any(|(_, newer)| newer.members.iter().any(|player| row.members.contains(player)))
    }

    fn rating(&self, ladder: &str, player: PlayerId) -> Rating {
        self.ratings.get(&(player, ladder.to_owned())).copied().unwrap_or_default()
    }

    /// A result that counts for a ladder.
    pub(super) fn rate(&mut self, ladder: &str, outcome: &Outcome) {
        let finisher = |result: &matchkeep_shared::game::PlayerResult| Finisher {
            player: result.player,
            rating: self.rating(ladder, result.player),
            team: result.team,
            place: result.place,
        };
        let finishers: Vec<Finisher> = outcome.players.iter().map(finisher).collect();
        for (player, rating) in rate(&finishers) {
            self.ratings.insert((player, ladder.to_owned()), rating);
        }
    }
}

impl Tables {
    fn queued(&self, id: QueueTicketId) -> Option<Queued> {
        let row = self.queue.tickets.get(&id)?;
        let member = |player: &PlayerId| Member {
            player: *player,
            name: self.name(*player).unwrap_or_default(),
            rating: self.queue.rating(&row.mode, *player),
        };
        let members = row.members.iter().map(member).collect();
        let (mode, queued_unix_ms) = (row.mode.clone(), row.queued_unix_ms);
        let ticket = QueueTicket { id, mode, members, queued_unix_ms };
        Some(Queued { ticket, state: row.state, change: row.change })
    }
}

impl Queue for MemoryDirectory {
    fn enqueue(&mut self, new: &NewTicket) -> Result<Queued, StoreError> {
        let tables = self.working();
        let invalid = |why: String| Err(StoreError::PartyInvalid { why });
        if new.members.is_empty() {
            return invalid("nobody is in it".to_owned());
        }
        for (index, player) in new.members.iter().enumerate() {
            if new.members[..index].contains(player) {
                return invalid(format!("player {player} is in it twice"));
            }
            if tables.name(*player).is_none() {
                return invalid(format!("player {player} has no account"));
            }
        }
        let waiting = || {
            let rows = tables.queue.tickets.iter();
            rows.filter(|(_, row)| row.state == QueueState::Waiting)
        };
        let known = waiting().find_map(|(id, row)| {
            let player = row.members.iter().find(|player| new.members.contains(player))?;
            Some((*id, *player, row))
        });
        if let Some((ticket, player, row)) = known {
            if row.is_party_of(new) {
                return Ok(tables.queued(ticket).expect("it was just found"));
            }
            let player = tables.name(player).unwrap_or_default();
            return Err(StoreError::WaitsElsewhere { player, ticket });
        }
        let mut rows = tables.queue.tickets.iter().rev();
        let newest = rows.find(|(_, row)| row.members.contains(&new.members[0]));
        if let Some((id, row)) = newest
            && let QueueState::Taken(taken) = row.state
            && new.done_with != Some(taken.match_id)
            && row.is_party_of(new)
            && tables.goes_on(taken.match_id)
        {
            return Ok(tables.queued(*id).expect("it was just found"));
        }
        if waiting().count() as u64 >= QUEUE_TICKETS_MAX {
            return Err(StoreError::QueueCrowded);
        }
        tables.queue.next_ticket += 1;
        let id = QueueTicketId(tables.queue.next_ticket);
        let change = tables.queue.next_change();
        let row = Row {
            mode: new.mode.clone(),
            members: new.members.clone(),
            queued_unix_ms: new.queued_unix_ms,
            state: QueueState::Waiting,
            ended_unix_ms: 0,
            change,
        };
        tables.queue.tickets.insert(id, row);
        Ok(tables.queued(id).expect("it was just put there"))
    }

    fn cancel_queued(
        &mut self,
        id: QueueTicketId,
        end: QueueEnd,
        now_unix_ms: u64,
    ) -> Result<bool, StoreError> {
        let queue = &mut self.working().queue;
        let is_waiting = |row: &Row| row.state == QueueState::Waiting;
        if !queue.tickets.get(&id).is_some_and(is_waiting) {
            return Ok(false);
        }
        let change = queue.next_change();
        let row = queue.tickets.get_mut(&id).expect("it was just found");
        row.state = match end {
            QueueEnd::Cancelled => QueueState::Cancelled,
            QueueEnd::GivenUp => QueueState::GivenUp,
        };
        (row.ended_unix_ms, row.change) = (now_unix_ms, change);
        Ok(true)
    }

    fn form(&mut self, form: &FormMatch) -> Result<Formed, StoreError> {
        let queue = &mut self.working().queue;
        let (mut gone, mut wanted) = (Vec::new(), Vec::new());
        for placed in &form.tickets {
            match queue.tickets.get(&placed.ticket).map(|row| row.state) {
                Some(QueueState::Waiting) => wanted.push(*placed),
                Some(QueueState::Taken(taken)) if taken.match_id == form.match_id => {}
                _ => gone.push(placed.ticket),
            }
        }
        if !gone.is_empty() {
            return Ok(Formed::Refused { gone });
        }
        for placed in wanted {
            let change = queue.next_change();
            let row = queue.tickets.get_mut(&placed.ticket).expect("it was just found");
            let (match_id, lobby, unix_ms) = (form.match_id, form.lobby, form.now_unix_ms);
            row.state = QueueState::Taken(Taken { match_id, team: placed.team, lobby, unix_ms });
            (row.ended_unix_ms, row.change) = (unix_ms, change);
        }
        Ok(Formed::Taken)
    }

    fn queue_changes(&self, after: u64, limit: usize) -> Result<Vec<Queued>, StoreError> {
        Ok(self.read(|tables| {
            let rows = tables.queue.tickets.iter();
            let mut changed: Vec<_> = rows.filter(|(_, row)| row.change > after).collect();
            changed.sort_by_key(|(_, row)| row.change);
            let changed = changed.into_iter().take(limit.min(QUEUE_CHANGES_MAX));
            changed.filter_map(|(id, _)| tables.queued(*id)).collect()
        }))
    }

    fn queue_of(&self, player: PlayerId) -> Result<Option<Queued>, StoreError> {
        Ok(self.read(|tables| {
            let mut rows = tables.queue.tickets.iter().rev();
            let newest = rows.find(|(_, row)| row.members.contains(&player));
            newest.and_then(|(id, _)| tables.queued(*id))
        }))
    }

    fn promised_after(&self, after: Option<MatchId>) -> Result<Vec<Promised>, StoreError> {
        Ok(self.read(|tables| {
            let mut promised: Vec<Promised> = Vec::new();
            for (id, row) in &tables.queue.tickets {
                let QueueState::Taken(taken) = row.state else { continue };
                let is_before = after.is_some_and(|after| taken.match_id <= after);
                if is_before || tables.has_match(taken.match_id) || !tables.queue.is_newest(*id) {
                    continue;
                }
                let Some(Queued { ticket, .. }) = tables.queued(*id) else { continue };
                let Taken { match_id, team, lobby, unix_ms } = taken;
                match promised.iter_mut().find(|known| known.match_id == match_id) {
                    Some(known) => known.tickets.push((ticket, team)),
                    None => {
                        let tickets = vec![(ticket, team)];
                        promised.push(Promised { match_id, lobby, unix_ms, tickets });
                    }
                }
            }
            promised.sort_by_key(|promised| promised.match_id);
            promised.truncate(QUEUE_PROMISES_MAX);
            promised
        }))
    }

    fn forget_queued(&mut self, before_unix_ms: u64) -> Result<u64, StoreError> {
        let tickets = &mut self.working().queue.tickets;
        let ended = tickets.iter().filter(|(_, row)| row.state != QueueState::Waiting);
        let old = ended.filter(|(_, row)| row.ended_unix_ms < before_unix_ms);
        let mut old: Vec<_> = old.map(|(id, row)| (row.ended_unix_ms, *id)).collect();
        old.sort_unstable();
        old.truncate(QUEUE_FORGOTTEN_MAX);
        for (_, id) in &old {
            tickets.remove(id);
        }
        Ok(old.len() as u64)
    }

    fn ratings(&self, ladder: &str, players: &[PlayerId]) -> Result<Vec<Rating>, StoreError> {
        Ok(self.read(|tables| {
            players.iter().map(|player| tables.queue.rating(ladder, *player)).collect()
        }))
    }
}
