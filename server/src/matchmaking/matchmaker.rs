//! The matchmaker as a state machine.
//!
//! Owns: who waits in which mode, which wishes are out, and when it is looked again. Must not know: how a
//! match is formed; that is `forming`.
//!
//! What happened goes in by `handle_*`; a call of [`Matchmaker::handle_time`] after it makes wishes, and
//! [`Matchmaker::poll`] hands them out. Each is answered once by `handle_accepted` or `handle_refused`, and
//! parties it is about are in no other wish until then.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::{LOOK_PAUSE, LOOK_STEPS_MAX, MATCHMAKING_EVERY};

use super::forming::{Forming, Group};
use super::open::{OpenMatch, OpenMatches};
use super::pool::{Age, Pool};
use super::rules::{ModeRules, RulesError};
use super::steps::{Part, Steps};
use super::ticket::{QueueTicket, QueueTicketId, TicketError};
use super::wish::{Placed, ProposalId, Wish};

const EVERY_MS: u64 = MATCHMAKING_EVERY.as_millis() as u64;
const PAUSE_MS: u64 = LOOK_PAUSE.as_millis() as u64;

/// Forms and fills matches of all modes.
#[derive(Debug)]
pub struct Matchmaker {
    modes: Vec<Mode>,
    /// The mode of each party that waits.
    tickets: BTreeMap<QueueTicketId, usize>,
    /// The mode of each match that is open.
    matches: BTreeMap<MatchId, usize>,
    proposals: BTreeMap<ProposalId, Proposal>,
    /// The parties of all of them, those that wait no longer among them.
    wished: BTreeSet<QueueTicketId>,
    next_proposal: u64,
    wishes: VecDeque<Wish>,
}

#[derive(Debug)]
struct Mode {
    name: String,
    rules: ModeRules,
    pool: Pool,
    open: OpenMatches,
    /// When it is looked again; 0 is at once.
    due_unix_ms: u64,
    /// Until then it is not looked, whatever is due: the control task has others to look after.
    rests_until_unix_ms: u64,
    /// Up to whom a look came that had to stop: the next goes on there. One for those who fill matches, one for
    /// those who begin them.
    filled_to: Option<Age>,
    formed_to: Option<Age>,
    /// The wish for a match with places left: who comes meanwhile waits for it, else everybody would begin
    /// a match of their own.
    partial: Option<ProposalId>,
}

/// A wish that nobody answered yet.
#[derive(Debug)]
struct Proposal {
    mode: usize,
    tickets: Vec<QueueTicketId>,
    /// The match it would fill, the team and for how many.
    fills: Option<(MatchId, usize, usize)>,
}

impl Matchmaker {
    /// For these modes, each by its name.
    ///
    /// # Errors
    /// [`RulesError`] of the first mode whose rules cannot be.
    pub fn new(modes: impl IntoIterator<Item = (String, ModeRules)>) -> Result<Self, RulesError> {
        let mode = |(name, rules): (String, ModeRules)| {
            rules.check()?;
            Ok(Mode {
                name,
                rules,
                pool: Pool::default(),
                open: OpenMatches::default(),
                due_unix_ms: 0,
                rests_until_unix_ms: 0,
                filled_to: None,
                formed_to: None,
                partial: None,
            })
        };
        Ok(Self {
            modes: modes.into_iter().map(mode).collect::<Result<_, _>>()?,
            tickets: BTreeMap::new(),
            matches: BTreeMap::new(),
            proposals: BTreeMap::new(),
            wished: BTreeSet::new(),
            next_proposal: 1,
            wishes: VecDeque::new(),
        })
    }

    /// A mode's rules.
    pub fn rules(&self, mode: &str) -> Option<&ModeRules> {
        self.modes.iter().find(|known| known.name == mode).map(|known| &known.rules)
    }

    /// How many parties wait, those that wishes are about among them.
    pub fn waiting(&self) -> usize {
        self.tickets.len()
    }

    /// A party waits, and that is durable. One that is known already changes nothing; one that was gone and that a
    /// wish is about still is in no other until that is answered.
    ///
    /// # Errors
    /// [`TicketError`]: it can never have a match of that mode.
    pub fn handle_ticket(&mut self, ticket: &QueueTicket) -> Result<(), TicketError> {
        let mode = self.modes.iter().position(|mode| mode.name == ticket.mode);
        let index = mode.ok_or_else(|| TicketError::UnknownMode(ticket.mode.clone()))?;
        let mode = &mut self.modes[index];
        mode.rules.check_party(ticket.members.len())?;
        if self.tickets.contains_key(&ticket.id) {
            return Ok(());
        }
        self.tickets.insert(ticket.id, index);
        // With others waiting already the next round is soon enough: looking costs more the more they are.
        if !mode.pool.has_free() {
            mode.due_unix_ms = 0;
        }
        mode.pool.add(ticket, mode.rules.is_rated);
        if self.wished.contains(&ticket.id) {
            mode.pool.hold(ticket.id);
        }
        Ok(())
    }

    /// A party waits no longer: it was cancelled, or taken, by whomever. A wish that is about it is answered all the
    /// same.
    pub fn handle_gone(&mut self, id: QueueTicketId) {
        if let Some(mode) = self.tickets.remove(&id) {
            self.modes[mode].pool.remove(id);
        }
    }

    /// A match runs and has free places, or has others than before. One that a wish of this matchmaker began
    /// is told of before [`handle_accepted`](Self::handle_accepted).
    pub fn handle_open_match(&mut self, open: &OpenMatch) {
        let Some(index) = self.modes.iter().position(|mode| mode.name == open.mode) else { return };
        let mode = &mut self.modes[index];
        self.matches.insert(open.match_id, index);
        mode.open.set(open, &mode.rules);
        mode.due_unix_ms = 0;
    }

    /// A match is full for good, over or gone.
    pub fn handle_closed_match(&mut self, match_id: MatchId) {
        if let Some(mode) = self.matches.remove(&match_id) {
            self.modes[mode].open.remove(match_id);
        }
    }

    /// The wish is written down: its parties have their match.
    pub fn handle_accepted(&mut self, proposal: ProposalId) {
        let Some(Proposal { mode, tickets, fills }) = self.proposals.remove(&proposal) else {
            return;
        };
        for ticket in tickets {
            self.wished.remove(&ticket);
            self.handle_gone(ticket);
        }
        let mode = &mut self.modes[mode];
        mode.settle(proposal, fills, true);
        mode.due_unix_ms = 0;
    }

    /// The wish was not written down, because these parties are gone; or, where none is, for a reason that may
    /// pass. The others wait on.
    pub fn handle_refused(&mut self, proposal: ProposalId, gone: &[QueueTicketId]) {
        let Some(Proposal { mode, tickets, fills }) = self.proposals.remove(&proposal) else {
            return;
        };
        for ticket in gone {
            self.handle_gone(*ticket);
        }
        let mode = &mut self.modes[mode];
        for ticket in tickets {
            self.wished.remove(&ticket);
            mode.pool.release(ticket);
        }
        mode.settle(proposal, fills, false);
        // What may pass does not pass at once.
        if !gone.is_empty() {
            mode.due_unix_ms = 0;
        }
    }

    /// Looks who can have a match now, in every mode in which that is due.
    pub fn handle_time(&mut self, now_unix_ms: u64) {
        for index in 0..self.modes.len() {
            let mode = &self.modes[index];
            if mode.pool.has_free() && mode.look_unix_ms() <= now_unix_ms {
                let steps = self.look(index, now_unix_ms);
                self.modes[index].looked(steps, now_unix_ms);
            }
        }
    }

    /// When [`handle_time`](Self::handle_time) is wanted; `None` while nobody waits.
    pub fn next_time_unix_ms(&self) -> Option<u64> {
        let due = self.modes.iter().filter(|mode| mode.pool.has_free());
        due.map(Mode::look_unix_ms).min()
    }

    /// The next wish.
    pub fn poll(&mut self) -> Option<Wish> {
        self.wishes.pop_front()
    }

    /// Running matches first, the longest waiting first; then new ones; then whose time is up. Returns what it
    /// took: where that is too much it stops, and the next look goes on.
    fn look(&mut self, index: usize, now_unix_ms: u64) -> usize {
        let mut steps = Steps::default();
        self.fill(index, &mut steps, now_unix_ms);
        self.form(index, &mut steps, now_unix_ms);
        self.give_up(index, now_unix_ms);
        steps.taken()
    }

    fn fill(&mut self, index: usize, steps: &mut Steps, now_unix_ms: u64) {
        let mode = &mut self.modes[index];
        let mut after = mode.filled_to.take();
        // From this size on no match has room. Where ratings matter it says nothing of the next party.
        let mut no_room_from = if mode.open.is_empty() { 1 } else { usize::MAX };
        while no_room_from > 1
            && let Some(waiting) = self.modes[index].pool.oldest_after(after)
        {
            if steps.are_used_up(Part::First) {
                self.modes[index].filled_to = after;
                return;
            }
            after = Some(waiting.age());
            steps.take(1);
            if waiting.size >= no_room_from {
                continue;
            }
            let mode = &mut self.modes[index];
            let window = mode.rules.window(waiting.waited_ms(now_unix_ms));
            steps.take(mode.open.len());
            let Some((match_id, team)) = mode.open.find(waiting.size, waiting.mean, window) else {
                if !mode.rules.is_rated {
                    no_room_from = waiting.size;
                }
                continue;
            };
            mode.open.ask(match_id, team, waiting.size);
            let ticket = mode.placed(waiting.id, team);
            let fills = Some((match_id, team, waiting.size));
            let proposal = self.wish_of(index, vec![waiting.id], fills);
            self.wishes.push_back(Wish::Fill { proposal, match_id, ticket });
        }
    }

    fn form(&mut self, index: usize, steps: &mut Steps, now_unix_ms: u64) {
        let mut after = self.modes[index].formed_to.take();
        let mut forming = Forming::new(self.modes[index].rules, steps);
        loop {
            let mode = &mut self.modes[index];
            // A match on its way that has places left is for who comes now: for everybody where ratings do not
            // matter, else at least no second one like it is begun.
            if mode.partial.is_some() && !mode.rules.is_rated {
                break;
            }
            let Some(anchor) = mode.pool.oldest_after(after) else { break };
            if forming.steps().are_used_up(Part::All) {
                mode.formed_to = after;
                break;
            }
            after = Some(anchor.age());
            let may_be_partial = mode.partial.is_none();
            if let Some(group) = forming.form(&mode.pool, &anchor, now_unix_ms, may_be_partial) {
                self.propose(index, group);
            }
        }
    }

    fn give_up(&mut self, index: usize, now_unix_ms: u64) {
        while let Some(oldest) = self.modes[index].pool.oldest_after(None)
            && self.modes[index].rules.is_over(oldest.waited_ms(now_unix_ms))
        {
            self.handle_gone(oldest.id);
            self.wishes.push_back(Wish::GiveUp { ticket: oldest.id });
        }
    }

    fn propose(&mut self, index: usize, group: Group) {
        let ids = group.tickets.iter().map(|(ticket, _)| ticket.id).collect();
        let proposal = self.wish_of(index, ids, None);
        let mode = &mut self.modes[index];
        if group.players < mode.rules.places {
            mode.partial = Some(proposal);
        }
        let placed = group.tickets.iter().map(|(ticket, team)| mode.placed(ticket.id, *team));
        let (tickets, mode) = (placed.collect(), mode.name.clone());
        self.wishes.push_back(Wish::Form { proposal, mode, tickets });
    }

    fn wish_of(
        &mut self,
        mode: usize,
        tickets: Vec<QueueTicketId>,
        fills: Option<(MatchId, usize, usize)>,
    ) -> ProposalId {
        for ticket in &tickets {
            self.modes[mode].pool.hold(*ticket);
            self.wished.insert(*ticket);
        }
        let proposal = ProposalId(self.next_proposal);
        self.next_proposal += 1;
        self.proposals.insert(proposal, Proposal { mode, tickets, fills });
        proposal
    }
}

impl Mode {
    /// When it is looked again.
    fn look_unix_ms(&self) -> u64 {
        self.due_unix_ms.max(self.rests_until_unix_ms)
    }

    /// A look took so many steps: the more, the longer is the rest.
    fn looked(&mut self, steps: usize, now_unix_ms: u64) {
        let rest_ms = steps as u64 * PAUSE_MS / LOOK_STEPS_MAX as u64;
        self.rests_until_unix_ms = now_unix_ms + rest_ms;
        let is_through = self.filled_to.is_none() && self.formed_to.is_none();
        self.due_unix_ms = if is_through { now_unix_ms + EVERY_MS } else { now_unix_ms };
    }

    fn placed(&self, ticket: QueueTicketId, team: usize) -> Placed {
        Placed { ticket, team: (self.rules.teams > 0).then_some(team as u8) }
    }

    /// A wish is answered.
    fn settle(
        &mut self,
        proposal: ProposalId,
        fills: Option<(MatchId, usize, usize)>,
        is_given: bool,
    ) {
        if self.partial == Some(proposal) {
            self.partial = None;
        }
        if let Some((match_id, team, size)) = fills {
            self.open.answered(match_id, team, size, is_given);
        }
    }
}

#[cfg(test)]
mod tests;
