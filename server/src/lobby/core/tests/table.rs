//! The queue in memory: what a store would answer.

use std::collections::{BTreeMap, BTreeSet};

use matchkeep_shared::limits::{QUEUE_CHANGES_MAX, QUEUE_PROMISES_MAX};

use super::*;
use crate::matchmaking::{
    FormMatch, Formed, LobbyId, Member, NewTicket, Promised, QueueEnd, QueueSaid, QueueState,
    QueueTicket, QueueTicketId, Queued, Rating, Taken,
};

#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) rows: BTreeMap<QueueTicketId, Row>,
    change: u64,
    /// Matches that have a record, and whether they go on.
    pub(super) records: BTreeMap<MatchId, bool>,
    /// Who is not as good as a newcomer.
    pub(super) means: BTreeMap<PlayerId, f64>,
    /// Nothing can be written.
    pub(super) is_full: bool,
    /// As many wait as there is room for.
    pub(super) is_crowded: bool,
    /// Nothing can be read.
    pub(super) is_unreadable: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) new: NewTicket,
    pub(super) state: QueueState,
    pub(super) change: u64,
}

impl Table {
    fn next_change(&mut self) -> u64 {
        self.change += 1;
        self.change
    }

    fn rating(&self, player: PlayerId) -> Rating {
        let newcomer = Rating::default();
        let mean = self.means.get(&player).copied().unwrap_or(newcomer.mean);
        Rating { mean, ..newcomer }
    }

    pub(super) fn queued(&self, id: QueueTicketId) -> Queued {
        let Row { new, state, change } = self.rows[&id].clone();
        let member = |player: &PlayerId| Member {
            player: *player,
            name: format!("p{}", player.0),
            rating: self.rating(*player),
        };
        let members = new.members.iter().map(member).collect();
        let ticket =
            QueueTicket { id, mode: new.mode, members, queued_unix_ms: new.queued_unix_ms };
        Queued { ticket, state, change }
    }

    /// A party that waits from then on, as another lobby or an earlier process wrote it.
    pub(super) fn insert(&mut self, mode: &str, members: &[u64], unix_ms: u64) -> QueueTicketId {
        let id = QueueTicketId(self.rows.len() as u64 + 1);
        let members = members.iter().map(|player| PlayerId(*player)).collect();
        let new =
            NewTicket { mode: mode.into(), members, queued_unix_ms: unix_ms, done_with: None };
        let (state, change) = (QueueState::Waiting, self.next_change());
        self.rows.insert(id, Row { new, state, change });
        id
    }

    pub(super) fn set(&mut self, id: QueueTicketId, state: QueueState) {
        let change = self.next_change();
        let row = self.rows.get_mut(&id).expect("it is there");
        (row.state, row.change) = (state, change);
    }

    pub(super) fn take(&mut self, id: QueueTicketId, match_id: MatchId, team: u8, unix_ms: u64) {
        let (team, lobby) = (Some(team), LobbyId(0));
        self.set(id, QueueState::Taken(Taken { match_id, team, lobby, unix_ms }));
    }

    fn newest_of(&self, player: PlayerId) -> Option<QueueTicketId> {
        let mut rows = self.rows.iter().rev();
        rows.find(|(_, row)| row.new.members.contains(&player)).map(|(id, _)| *id)
    }

    fn enqueue(&mut self, new: &NewTicket) -> Result<Queued, DisconnectReason> {
        let is_same = |row: &Row| {
            let sorted = |members: &[PlayerId]| members.iter().copied().collect::<BTreeSet<_>>();
            row.new.mode == new.mode
                && row.new.members[0] == new.members[0]
                && sorted(&row.new.members) == sorted(&new.members)
        };
        for (id, row) in &self.rows {
            let is_of_it = row.new.members.iter().any(|player| new.members.contains(player));
            if row.state == QueueState::Waiting && is_of_it {
                return if is_same(row) {
                    Ok(self.queued(*id))
                } else {
                    Err(DisconnectReason::QueuedElsewhere)
                };
            }
        }
        if let Some(id) = self.newest_of(new.members[0])
            && let QueueState::Taken(taken) = self.rows[&id].state
            && is_same(&self.rows[&id])
            && new.done_with != Some(taken.match_id)
            && self.records.get(&taken.match_id).copied().unwrap_or(true)
        {
            return Ok(self.queued(id));
        }
        if self.is_full {
            return Err(DisconnectReason::StorageFull);
        }
        if self.is_crowded {
            return Err(DisconnectReason::QueueCrowded);
        }
        let members: Vec<u64> = new.members.iter().map(|player| player.0).collect();
        let id = self.insert(&new.mode, &members, new.queued_unix_ms);
        Ok(self.queued(id))
    }

    fn form(&mut self, form: &FormMatch) -> Formed {
        let is_gone = |id: &QueueTicketId| match self.rows.get(id).map(|row| row.state) {
            Some(QueueState::Waiting) => false,
            Some(QueueState::Taken(taken)) => taken.match_id != form.match_id,
            _ => true,
        };
        let gone: Vec<QueueTicketId> =
            form.tickets.iter().map(|placed| placed.ticket).filter(is_gone).collect();
        if !gone.is_empty() {
            return Formed::Refused { gone };
        }
        for placed in &form.tickets {
            let (match_id, lobby, unix_ms) = (form.match_id, form.lobby, form.now_unix_ms);
            let taken = Taken { match_id, team: placed.team, lobby, unix_ms };
            self.set(placed.ticket, QueueState::Taken(taken));
        }
        Formed::Taken
    }

    pub(super) fn promised(&self, after: Option<MatchId>) -> Vec<Promised> {
        let mut promised: BTreeMap<MatchId, Promised> = BTreeMap::new();
        for id in self.rows.keys() {
            let Queued { ticket, state, .. } = self.queued(*id);
            let QueueState::Taken(Taken { match_id, team, lobby, unix_ms }) = state else {
                continue;
            };
            let is_newest =
                ticket.members.iter().all(|member| self.newest_of(member.player) == Some(*id));
            let is_behind = after.is_none_or(|after| match_id > after);
            if is_newest && is_behind && !self.records.contains_key(&match_id) {
                let new = Promised { match_id, lobby, unix_ms, tickets: Vec::new() };
                promised.entry(match_id).or_insert(new).tickets.push((ticket, team));
            }
        }
        promised.into_values().take(QUEUE_PROMISES_MAX).collect()
    }

    pub(super) fn carry_out(&mut self, ask: &QueueAsk) -> Result<QueueSaid, DisconnectReason> {
        match ask {
            QueueAsk::Enqueue(new) => self.enqueue(new).map(QueueSaid::Enqueued),
            QueueAsk::End { .. } | QueueAsk::Form { .. } if self.is_full => {
                Err(DisconnectReason::StorageFull)
            }
            QueueAsk::End { ticket, end, .. } => {
                let has_waited = self.rows[ticket].state == QueueState::Waiting;
                if has_waited {
                    self.set(
                        *ticket,
                        match end {
                            QueueEnd::Cancelled => QueueState::Cancelled,
                            QueueEnd::GivenUp => QueueState::GivenUp,
                        },
                    );
                }
                Ok(QueueSaid::Ended(has_waited))
            }
            QueueAsk::Form { form, .. } => Ok(QueueSaid::Formed(self.form(form))),
            _ if self.is_unreadable => Err(DisconnectReason::Internal),
            QueueAsk::Changes { after } => {
                let mut changed: Vec<Queued> =
                    self.rows.keys().map(|id| self.queued(*id)).collect();
                changed.retain(|queued| queued.change > *after);
                changed.sort_by_key(|queued| queued.change);
                changed.truncate(QUEUE_CHANGES_MAX);
                Ok(QueueSaid::Changes(changed))
            }
            QueueAsk::Promised { after } => Ok(QueueSaid::Promised(self.promised(*after))),
            QueueAsk::Ratings { players, .. } => {
                let ratings = players.iter().map(|player| self.rating(*player)).collect();
                Ok(QueueSaid::Ratings(ratings))
            }
            QueueAsk::Forget { .. } => Ok(QueueSaid::Forgotten(0)),
        }
    }
}
