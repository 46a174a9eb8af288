//! What passes between a lobby, the store, shards and players.
//!
//! Owns: how long each thing takes, and in which order things arrive. Must not know: why a lobby wants what it wants.

use anyhow::{Result, bail};
use matchkeep_server::lobby::core::{Action, ConnectionKey};
use matchkeep_server::matchmaking::{
    FormMatch, Formed, QueueAsk, QueueSaid, QueueState, QueueTicket,
};
use matchkeep_server::shard::message::ShardEvent;
use matchkeep_shared::ids::{MatchId, ShardId};
use matchkeep_shared::limits::TICKET_VALID;
use matchkeep_shared::rng::Rng;
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::lobby::LobbyRequest;

use super::{Event, NodeEvent, World};
use crate::matchmaking::node::{StoreAsk, StoreSaid};
use crate::matchmaking::people::form_of_the_day;
use crate::matchmaking::season;

/// As in the real shell.
const HOUSEKEEPING_MS: u64 = 250;
/// The store takes together what it is asked for in so long.
const COMMIT_MS: (u32, u32) = (1, 30);
/// From a commit to the lobby hearing of it; each answer takes its own time.
const ANSWER_MS: (u32, u32) = (0, 30);
/// One answer in so many takes longer, up to this.
const SLOW_ONE_IN: u32 = 50;
const SLOW_MS: (u32, u32) = (30, 700);
/// From a shard to the lobby, and back.
const REPORT_MS: (u32, u32) = (0, 10);
/// A match is claimed, and then made, in so long.
const CLAIM_MS: (u32, u32) = (5, 60);
const MAKE_MS: (u32, u32) = (1, 20);
/// From a result that is stored to its players.
const RESULT_MS: (u32, u32) = (5, 200);

impl World<'_> {
    pub(super) fn later(&mut self, node: usize, at_ms: u64, event: NodeEvent) {
        let life = self.lives[node];
        self.at(at_ms, Event::Node(node, life, event));
    }

    /// A request arrives, where somebody is there to take it.
    pub(super) fn bring(
        &mut self,
        key: ConnectionKey,
        request: LobbyRequest,
        now_ms: u64,
    ) -> Result<()> {
        let Some(link) = self.links.get(&key.0) else { return Ok(()) };
        let index = link.node;
        let Some(node) = &mut self.nodes[index] else { return Ok(()) };
        node.lobby.handle_request(now_ms, key, request);
        self.act(index, now_ms)
    }

    /// Something happens to a node that lives.
    pub(super) fn happen_to(&mut self, index: usize, event: NodeEvent, now_ms: u64) -> Result<()> {
        if matches!(event, NodeEvent::Write | NodeEvent::Said(_)) && self.dies(index, now_ms) {
            return Ok(());
        }
        let Some(node) = &mut self.nodes[index] else { return Ok(()) };
        match event {
            NodeEvent::Write => return self.write(index, now_ms),
            NodeEvent::Said(said) => match said {
                StoreSaid::Account(to, account) => {
                    node.lobby.handle_account(now_ms, to, Ok(account));
                }
                StoreSaid::Queue(to, ask, said) => node.lobby.handle_queue(now_ms, to, ask, said),
                StoreSaid::Recorded => {}
                StoreSaid::Stored(id) => {
                    self.shards.close(id);
                    let at_ms = now_ms + self.draw(RESULT_MS);
                    self.at(at_ms, Event::Told(id));
                    self.report_from(index, ShardEvent::Closed { match_id: id }, now_ms);
                }
            },
            NodeEvent::Claim(shard, id) => self.claim(index, shard, id, now_ms),
            NodeEvent::Made(id) => {
                self.judge.made(id);
                self.seen.matches += 1;
                self.run(id, now_ms);
                self.report_from(index, ShardEvent::Created { match_id: id }, now_ms);
            }
            NodeEvent::Resumed(id) => self.resume(index, id, now_ms),
            NodeEvent::Shard(event) => node.lobby.handle_shard_event(now_ms, &event),
            NodeEvent::Gone(key) => node.lobby.handle_gone(key),
            NodeEvent::Time => {
                let looked = std::time::Instant::now();
                node.lobby.handle_time(now_ms);
                self.seen.look_us.push(looked.elapsed().as_secs_f64() * 1e6);
                self.later(index, now_ms + HOUSEKEEPING_MS, NodeEvent::Time);
            }
        }
        self.act(index, now_ms)
    }

    /// Carries out what a lobby wants; it may die before any of it.
    fn act(&mut self, index: usize, now_ms: u64) -> Result<()> {
        while let Some(node) = &mut self.nodes[index] {
            let Some(action) = node.lobby.poll_action() else { break };
            if self.dies(index, now_ms) {
                break;
            }
            match action {
                Action::Say { to, message } => {
                    let Some(link) = self.links.get(&to.0) else { continue };
                    let at_ms = now_ms + link.way_ms;
                    self.at(at_ms, Event::Hears(to, message));
                }
                Action::LookUp { to, key } => {
                    self.ask_store(index, StoreAsk::Account { to, key }, now_ms);
                }
                Action::Queue { to, ask } => {
                    self.ask_store(index, StoreAsk::Queue { to, ask }, now_ms);
                }
                Action::Create { shard, match_id, .. } => {
                    let at_ms = now_ms + self.draw(CLAIM_MS);
                    self.later(index, at_ms, NodeEvent::Claim(shard, match_id));
                }
                // Nobody asks for a private match, gives up a place or asks out of turn.
                action => bail!("lobby {index} wants {action:?}"),
            }
        }
        Ok(())
    }

    fn ask_store(&mut self, index: usize, ask: StoreAsk, now_ms: u64) {
        let Some(node) = &mut self.nodes[index] else { return };
        if node.ask(ask) {
            let at_ms = now_ms + self.draw(COMMIT_MS);
            self.later(index, at_ms, NodeEvent::Write);
        }
    }

    /// The store writes; what it answers is under way when that is durable.
    fn write(&mut self, index: usize, now_ms: u64) -> Result<()> {
        let Some(node) = &mut self.nodes[index] else { return Ok(()) };
        let said = node.write(now_ms, &mut self.rng)?;
        for said in &said {
            self.note(said);
        }
        if self.dies(index, now_ms) {
            return Ok(());
        }
        for said in said {
            let is_slow = self.rng.below(SLOW_ONE_IN) == 0;
            let at_ms = now_ms + self.draw(if is_slow { SLOW_MS } else { ANSWER_MS });
            self.later(index, at_ms, NodeEvent::Said(said));
        }
        Ok(())
    }

    /// What is durable is owed, whoever lives to hear of it.
    fn note(&mut self, said: &StoreSaid) {
        let StoreSaid::Queue(_, ask, Ok(said)) = said else { return };
        match (ask, said) {
            (_, QueueSaid::Enqueued(queued)) if queued.state == QueueState::Waiting => {
                self.tickets.insert(queued.ticket.id, queued.ticket.clone());
            }
            (QueueAsk::Form { .. }, QueueSaid::Formed(Formed::Refused { .. })) => {
                self.seen.refused += 1;
            }
            (QueueAsk::Form { form, .. }, QueueSaid::Formed(Formed::Taken)) => self.owe(form),
            _ => {}
        }
    }

    fn owe(&mut self, form: &FormMatch) {
        let known = |ticket| self.tickets.get(ticket).cloned();
        let parties: Vec<(QueueTicket, Option<u8>)> = form
            .tickets
            .iter()
            .filter_map(|placed| Some((known(&placed.ticket)?, placed.team)))
            .collect();
        let members = parties.iter().flat_map(|(ticket, _)| &ticket.members);
        let is_new = self.judge.owes(form.match_id, members.map(|member| member.player));
        if !is_new {
            self.seen.filled += 1;
            return;
        }
        let mean_of = |wanted: u8| {
            let team = parties.iter().filter(|(_, team)| *team == Some(wanted));
            let ratings: Vec<f64> = team
                .flat_map(|(ticket, _)| ticket.members.iter().map(|member| member.rating.mean))
                .collect();
            ratings.iter().sum::<f64>() / ratings.len().max(1) as f64
        };
        self.seen.rating_difference.push((mean_of(0) - mean_of(1)).abs());
        let means = parties.iter().flat_map(|(ticket, _)| &ticket.members);
        let means = means.map(|member| member.rating.mean);
        let best = means.clone().fold(f64::NEG_INFINITY, f64::max);
        self.seen.rating_spread.push(best - means.fold(f64::INFINITY, f64::min));
    }

    fn claim(&mut self, index: usize, shard: ShardId, id: MatchId, now_ms: u64) {
        if self.shards.claim(id, index, shard, now_ms) {
            self.record(index, id, now_ms);
            let at_ms = now_ms + self.draw(MAKE_MS);
            self.later(index, at_ms, NodeEvent::Made(id));
        } else {
            self.report_from(index, ShardEvent::CreateRefused { match_id: id }, now_ms);
        }
    }

    /// The directory hears of a match that is in the journal.
    pub(super) fn record(&mut self, index: usize, id: MatchId, now_ms: u64) {
        let Some(hosted) = self.shards.find(id) else { return };
        let new = season::new_match(id, hosted.shard, hosted.created_unix_ms);
        self.ask_store(index, StoreAsk::Record(Box::new(new)), now_ms);
    }

    pub(super) fn run(&mut self, id: MatchId, now_ms: u64) {
        if let Some((ends_ms, epoch)) = self.shards.run(id, now_ms, &mut self.rng) {
            self.at(ends_ms, Event::Over(id, epoch));
        }
    }

    /// The shard that has a match says something to its lobby.
    pub(super) fn report(&mut self, id: MatchId, event: ShardEvent, now_ms: u64) {
        if let Some(node) = self.shards.find(id).map(|hosted| hosted.node) {
            self.report_from(node, event, now_ms);
        }
    }

    fn report_from(&mut self, node: usize, event: ShardEvent, now_ms: u64) {
        let at_ms = now_ms + self.draw(REPORT_MS);
        self.later(node, at_ms, NodeEvent::Shard(event));
    }

    /// A match is over. The better team of the day wins.
    pub(super) fn end(&mut self, id: MatchId, epoch: u32, now_ms: u64) -> Result<()> {
        let Some(node) = self.shards.end(id, epoch).map(|hosted| hosted.node) else {
            return Ok(());
        };
        self.judge.ended(id, now_ms);
        // Who got a ticket to it just before has until then to come.
        let settled_ms =
            now_ms + TICKET_VALID.as_millis() as u64 + u64::from(super::players::SLOW_MS.1);
        self.at(settled_ms, Event::Settle(id));
        self.store_result(node, id, now_ms);
        let outcome = season::nothing();
        self.report_from(node, ShardEvent::Ended { match_id: id, tick: Tick(1), outcome }, now_ms);
        Ok(())
    }

    pub(super) fn store_result(&mut self, node: usize, id: MatchId, now_ms: u64) {
        let Some(hosted) = self.shards.find(id) else { return };
        // Told twice, where the first answer was lost, it is the same result.
        let mut luck = Rng::new(id.0);
        let mut strength = [0.0; 2];
        let mut lines = Vec::with_capacity(hosted.seats.len());
        for (player, seat) in &hosted.seats {
            let client = self.client_of[player];
            let members = &self.groups[self.group_of[client]].party.members;
            let Some(person) = members.iter().find(|person| person.player == *player) else {
                continue;
            };
            let team = seat.team.unwrap_or(0);
            strength[usize::from(team)] += form_of_the_day(&mut luck, person);
            lines.push((*person, team));
        }
        let winner = u8::from(strength[1] > strength[0]);
        let place = |team: u8| if team == winner { 1 } else { 2 };
        lines.sort_by_key(|(_, team)| place(*team));
        let lines = lines.iter().map(|(person, team)| (person, Some(*team), place(*team)));
        let finished = season::result(id, lines, now_ms);
        self.ask_store(node, StoreAsk::Result(Box::new(finished)), now_ms);
    }
}
