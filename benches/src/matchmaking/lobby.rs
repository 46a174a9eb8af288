//! A lobby as far as matchmaking goes: a matchmaker, a connection to the store, and parties that listen.
//!
//! It dies when it is told to, in the middle of a round; the caller drops it and begins a new one, which knows
//! what the store knows. A match is filled by the lobby that made it alone: only that one knows its places.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use matchkeep_server::matchmaking::{
    FormMatch, Formed, LobbyId, Matchmaker, NewTicket, OpenMatch, Placed, ProposalId, QueueEnd,
    QueueState, QueueTicket, QueueTicketId, Queued, Taken, Wish,
};
use matchkeep_server::store::{Directory, Queue, SqliteDirectory, StoreError};
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::{QUEUE_CHANGES_MAX, QUEUE_FORGOTTEN_MAX, QUEUE_KEPT};
use matchkeep_shared::rng::Rng;

use super::plan::{MODE, Plan};
use super::season::new_match;

/// How long a promise of another lobby may stay unkept before this one keeps it.
const ADOPT_AFTER_MS: u64 = 10_000;

/// What a party asks.
pub(super) enum Request {
    /// A match; also once more, where the lobby asked before died.
    Find { party: usize, new: NewTicket },
    /// None any more.
    Cancel { party: usize },
}

/// What a lobby says, and what has come of it by then.
pub(super) enum News {
    /// A match was made, of these parties.
    Made { match_id: MatchId, by: usize, tickets: Vec<(QueueTicket, Option<u8>)> },
    /// A party is told of its match.
    Matched { party: usize, ticket: QueueTicketId, match_id: MatchId, team: Option<u8> },
    /// A party is told that it waited for too long.
    GivenUp { party: usize },
    /// A party is told that it waits no longer, as it wished.
    Cancelled { party: usize },
}

/// A match that this lobby fills.
struct Own {
    free: Vec<usize>,
    strength: f64,
    players: usize,
}

/// A lobby that lives.
pub(super) struct Lobby {
    index: usize,
    plan: Plan,
    directory: SqliteDirectory,
    matchmaker: Matchmaker,
    /// The last change of the queue that it has seen.
    seen: u64,
    waiting: BTreeMap<QueueTicketId, QueueTicket>,
    /// The party behind each ticket, where it is connected here.
    listening: BTreeMap<QueueTicketId, usize>,
    own: BTreeMap<MatchId, Own>,
    pub(super) inbox: Vec<Request>,
    /// What the matchmaker wants, not written down yet.
    wishes: Vec<Wish>,
    random: Rng,
    /// What each look of the matchmaker took, in microseconds of the wall's clock.
    pub(super) look_us: Vec<f64>,
    pub(super) refused: u64,
    pub(super) filled: u64,
}

/// The lobby died in this round: nothing it holds may be used again.
pub(super) struct Died;

impl Lobby {
    /// Begins with what the store has. `running` are the matches this lobby made and that are played.
    pub(super) fn begin(
        plan: &Plan,
        index: usize,
        folder: &Path,
        seed: u64,
        running: &BTreeSet<MatchId>,
    ) -> Result<Self> {
        let directory = SqliteDirectory::open(folder)?;
        let modes = [(MODE.to_owned(), plan.rules)];
        let mut lobby = Self {
            index,
            plan: *plan,
            directory,
            matchmaker: Matchmaker::new(modes).context("the mode")?,
            seen: 0,
            waiting: BTreeMap::new(),
            listening: BTreeMap::new(),
            own: BTreeMap::new(),
            inbox: Vec::new(),
            wishes: Vec::new(),
            random: Rng::new(seed),
            look_us: Vec::new(),
            refused: 0,
            filled: 0,
        };
        for queued in lobby.changes()? {
            if let QueueState::Taken(taken) = queued.state
                && running.contains(&taken.match_id)
            {
                lobby.take_place(taken.match_id, &queued.ticket, taken.team);
            }
        }
        for match_id in lobby.own.keys().copied().collect::<Vec<_>>() {
            lobby.open(match_id);
        }
        Ok(lobby)
    }

    /// The first half of a round: what was asked, what others wrote, and what the matchmaker wishes then. Between
    /// them it may die.
    pub(super) fn look(
        &mut self,
        now_ms: u64,
        mut dies: impl FnMut() -> bool,
        say: &mut Vec<News>,
    ) -> Result<Result<(), Died>> {
        self.directory.begin()?;
        let answered = self.serve(now_ms)?;
        if dies() {
            return Ok(Err(Died));
        }
        self.directory.commit()?;
        if dies() {
            return Ok(Err(Died));
        }
        say.extend(answered);
        for queued in self.changes()? {
            self.tell(&queued, say);
        }
        self.keep_promises(now_ms, say)?;
        let is_due = self.matchmaker.next_time_unix_ms().is_some_and(|due| due <= now_ms);
        let looked = Instant::now();
        self.matchmaker.handle_time(now_ms);
        if is_due {
            self.look_us.push(looked.elapsed().as_secs_f64() * 1e6);
        }
        self.wishes.extend(std::iter::from_fn(|| self.matchmaker.poll()));
        Ok(Ok(()))
    }

    /// The second half: its wishes are written down, unless another lobby was quicker.
    pub(super) fn act(
        &mut self,
        now_ms: u64,
        mut dies: impl FnMut() -> bool,
        say: &mut Vec<News>,
    ) -> Result<Result<(), Died>> {
        let wishes = std::mem::take(&mut self.wishes);
        if wishes.is_empty() {
            return Ok(Ok(()));
        }
        self.directory.begin()?;
        let written = wishes.into_iter().map(|wish| self.write(wish, now_ms));
        let written = written.collect::<Result<Vec<_>>>()?;
        if dies() {
            return Ok(Err(Died));
        }
        self.directory.commit()?;
        if dies() {
            return Ok(Err(Died));
        }
        for (wish, formed) in written {
            self.answer(wish, formed, now_ms, say)?;
            if dies() {
                return Ok(Err(Died));
            }
        }
        Ok(Ok(()))
    }

    /// A match is over: nobody is sent there any more.
    pub(super) fn over(&mut self, match_id: MatchId) {
        self.own.remove(&match_id);
        self.matchmaker.handle_closed_match(match_id);
    }

    /// Lets go of what is old, in steps.
    pub(super) fn forget(&mut self, now_ms: u64) -> Result<()> {
        let before = now_ms.saturating_sub(QUEUE_KEPT.as_millis() as u64);
        loop {
            self.directory.begin()?;
            let gone = self.directory.forget_queued(before)?;
            self.directory.commit()?;
            if gone < QUEUE_FORGOTTEN_MAX as u64 {
                return Ok(());
            }
        }
    }

    fn serve(&mut self, now_ms: u64) -> Result<Vec<News>> {
        let mut answered = Vec::new();
        for request in std::mem::take(&mut self.inbox) {
            match request {
                Request::Find { party, new } => {
                    let queued = self.directory.enqueue(&new)?;
                    self.listening.insert(queued.ticket.id, party);
                    if matches!(queued.state, QueueState::Taken(_)) {
                        self.tell(&queued, &mut answered);
                    }
                }
                Request::Cancel { party } => {
                    let ticket = self.listening.iter().find(|(_, of)| **of == party);
                    let Some((&id, _)) = ticket else { continue };
                    // One that has a match meanwhile hears of it as everybody does.
                    self.directory.cancel_queued(id, QueueEnd::Cancelled, now_ms)?;
                }
            }
        }
        Ok(answered)
    }

    /// All changes since the last time. The matchmaker hears of them.
    fn changes(&mut self) -> Result<Vec<Queued>> {
        let mut all = Vec::new();
        loop {
            let changes = self.directory.queue_changes(self.seen, QUEUE_CHANGES_MAX)?;
            let Some(last) = changes.last() else { return Ok(all) };
            self.seen = last.change;
            for queued in changes {
                let id = queued.ticket.id;
                if queued.state == QueueState::Waiting {
                    self.matchmaker.handle_ticket(&queued.ticket)?;
                    self.waiting.insert(id, queued.ticket.clone());
                } else {
                    self.matchmaker.handle_gone(id);
                    self.waiting.remove(&id);
                }
                all.push(queued);
            }
        }
    }

    /// Whoever listens hears what became of a ticket.
    fn tell(&mut self, queued: &Queued, say: &mut Vec<News>) {
        let ticket = queued.ticket.id;
        if queued.state == QueueState::Waiting {
            return;
        }
        let Some(party) = self.listening.remove(&ticket) else { return };
        say.push(match queued.state {
            QueueState::Taken(Taken { match_id, team, .. }) => {
                News::Matched { party, ticket, match_id, team }
            }
            QueueState::GivenUp => News::GivenUp { party },
            QueueState::Cancelled | QueueState::Waiting => News::Cancelled { party },
        });
    }

    fn write(&mut self, wish: Wish, now_ms: u64) -> Result<(Wish, (MatchId, Formed))> {
        let lobby = LobbyId(self.index as u64);
        let mut form = |match_id, tickets| {
            self.directory.form(&FormMatch { match_id, tickets, lobby, now_unix_ms: now_ms })
        };
        let written = match &wish {
            Wish::Form { tickets, .. } => {
                let high = u64::from(self.random.next_u32()) << 32;
                let match_id = MatchId(high | u64::from(self.random.next_u32()));
                (match_id, form(match_id, tickets.clone())?)
            }
            Wish::Fill { match_id, ticket, .. } => (*match_id, form(*match_id, vec![*ticket])?),
            Wish::GiveUp { ticket } => {
                self.directory.cancel_queued(*ticket, QueueEnd::GivenUp, now_ms)?;
                (MatchId(0), Formed::Taken)
            }
        };
        Ok((wish, written))
    }

    /// A wish is durable, or was refused.
    fn answer(
        &mut self,
        wish: Wish,
        (match_id, formed): (MatchId, Formed),
        now_ms: u64,
        say: &mut Vec<News>,
    ) -> Result<()> {
        let (proposal, placed): (ProposalId, Vec<Placed>) = match wish {
            // Who is given up hears of it with the next changes, here or at the other lobby.
            Wish::GiveUp { .. } => return Ok(()),
            Wish::Form { proposal, tickets, .. } => (proposal, tickets),
            Wish::Fill { proposal, ticket, .. } => {
                self.filled += u64::from(formed == Formed::Taken);
                (proposal, vec![ticket])
            }
        };
        if let Formed::Refused { gone } = formed {
            self.refused += 1;
            self.matchmaker.handle_refused(proposal, &gone);
            return Ok(());
        }
        let known = |placed: Placed| Some((self.waiting.get(&placed.ticket)?.clone(), placed.team));
        let tickets: Vec<(QueueTicket, Option<u8>)> =
            placed.into_iter().filter_map(known).collect();
        let is_new = !self.own.contains_key(&match_id);
        for (ticket, team) in &tickets {
            self.take_place(match_id, ticket, *team);
        }
        if is_new {
            self.make(match_id, tickets, now_ms, say)?;
        }
        self.open(match_id);
        self.matchmaker.handle_accepted(proposal);
        Ok(())
    }

    fn make(
        &mut self,
        match_id: MatchId,
        tickets: Vec<(QueueTicket, Option<u8>)>,
        now_ms: u64,
        say: &mut Vec<News>,
    ) -> Result<()> {
        self.directory.begin()?;
        match self.directory.create(&new_match(match_id, now_ms)) {
            Ok(()) => {
                self.directory.commit()?;
                say.push(News::Made { match_id, by: self.index, tickets });
            }
            // Another lobby kept the promise.
            Err(StoreError::MatchDiffers(_)) => {
                self.directory.roll_back()?;
                self.own.remove(&match_id);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Makes what was promised and not made: its own of before it died, and what another left for long.
    fn keep_promises(&mut self, now_ms: u64, say: &mut Vec<News>) -> Result<()> {
        for promised in self.directory.promised()? {
            let match_id = promised.match_id;
            let is_own = promised.lobby == LobbyId(self.index as u64);
            if !is_own && now_ms < promised.unix_ms + ADOPT_AFTER_MS {
                continue;
            }
            for (ticket, team) in &promised.tickets {
                self.take_place(match_id, ticket, *team);
            }
            self.make(match_id, promised.tickets, now_ms, say)?;
            self.open(match_id);
        }
        Ok(())
    }

    fn take_place(&mut self, match_id: MatchId, ticket: &QueueTicket, team: Option<u8>) {
        let rules = &self.plan.rules;
        let own = self.own.entry(match_id).or_insert_with(|| Own {
            free: vec![rules.party_max(); usize::from(rules.teams)],
            strength: 0.0,
            players: 0,
        });
        let free = &mut own.free[usize::from(team.unwrap_or(0))];
        *free = free.saturating_sub(ticket.members.len());
        own.strength += ticket.strength();
        own.players += ticket.members.len();
    }

    /// The matchmaker hears of a match's places.
    fn open(&mut self, match_id: MatchId) {
        let Some(own) = self.own.get(&match_id) else { return };
        if own.free.iter().all(|free| *free == 0) {
            self.matchmaker.handle_closed_match(match_id);
            return;
        }
        self.matchmaker.handle_open_match(&OpenMatch {
            match_id,
            mode: MODE.to_owned(),
            free: own.free.clone(),
            mean: Some(own.strength / own.players as f64),
            players: own.players,
        });
    }
}
