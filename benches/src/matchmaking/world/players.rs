//! Every player's way: connecting, asking, hearing, going where a ticket leads, and coming back.
//!
//! Owns: how long players and their messages take. Must not know: what a lobby or the store makes of it.

use anyhow::{Result, bail, ensure};
use matchkeep_server::lobby::core::ConnectionKey;
use matchkeep_server::shard::message::ShardEvent;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::wire::lobby::{Assignment, LobbyMessage, LobbyRequest};

use super::{Event, Link, NodeEvent, World};
use crate::matchmaking::client::{Asked, Client, Friends, Heard, Step};
use crate::matchmaking::node::game;
use crate::matchmaking::shards::NoPlace;

/// A message between a player and the lobby takes so long, at least and at most.
const WAY_MS: (u32, u32) = (2, 60);
/// From a ticket to the match.
const JOIN_MS: (u32, u32) = (20, 800);
/// One in so many takes longer, up to this.
const SLOW_ONE_IN: u32 = 20;
pub(super) const SLOW_MS: (u32, u32) = (800, 5_000);
/// Who waits for something that does not come looks again after so long.
const AGAIN_MS: (u32, u32) = (3_000, 6_000);
/// Who lost the connection is back after so long, where somebody answers.
pub(super) const BACK_MS: (u32, u32) = (500, 4_000);
/// Whose connection is new listens for so long whether they wait all the while.
const LISTEN_MS: (u32, u32) = (1_000, 2_500);
/// One party in so many asks another lobby when its own died; the others wait for that.
const MOVES_ONE_IN: u32 = 4;
/// What somebody did is why their party waits no longer, up to so long after it.
const STIRRED_MS: u64 = 5_000;
/// Who just heard something acts on it after so long.
const SOON_MS: (u32, u32) = (100, 1_000);

impl World<'_> {
    /// A player looks again after so long, or before.
    pub(super) fn look_in(&mut self, client: usize, now_ms: u64, after: (u32, u32)) {
        let at_ms = now_ms + self.draw(after);
        if self.looks_ms[client].is_none_or(|due| at_ms < due || due <= now_ms) {
            self.looks_ms[client] = Some(at_ms);
            self.at(at_ms, Event::Look(client));
        }
    }

    /// What a player does by themselves: connect, and ask what there is to ask.
    pub(super) fn look(&mut self, client: usize, now_ms: u64) {
        if self.clients[client].step != Step::Wants {
            return;
        }
        self.look_in(client, now_ms, AGAIN_MS);
        let group = &self.groups[self.group_of[client]];
        let (node, size) = (group.node, group.clients.len());
        if !self.clients[client].is_connected() {
            if self.nodes[node].is_some() {
                self.connect(client, node, now_ms);
            } else if self.nodes.len() > 1 && self.rng.below(MOVES_ONE_IN) == 0 {
                self.move_group(client);
            }
            return;
        }
        let code = self.groups[self.group_of[client]].code.clone();
        let of_group = self.groups[self.group_of[client]].clients.iter();
        let found = of_group.copied().find_map(|friend| match self.clients[friend].step {
            Step::Goes(match_id) | Step::Plays(match_id) => Some(match_id),
            Step::Rests | Step::Wants | Step::Waits => None,
        });
        let friends = Friends { size, code: code.as_deref(), found };
        if let Some(request) = self.clients[client].ask(friends) {
            if matches!(request, LobbyRequest::JoinParty { .. }) {
                self.groups[self.group_of[client]].stirred_ms = Some(now_ms);
            }
            self.send(client, request, now_ms);
        }
    }

    /// The party's lobby does not answer: all of it go to one that does. Who was told of a match waits for the lobby that has
    /// it: no other can lead there.
    fn move_group(&mut self, client: usize) {
        let group = self.group_of[client];
        let is_free = self.groups[group].clients.iter().all(|of| self.link_of[*of].is_none());
        if is_free && !self.groups[group].is_told {
            self.groups[group].node = self.choose_node();
        }
    }

    fn connect(&mut self, client: usize, node: usize, now_ms: u64) {
        let key = ConnectionKey(self.next_key);
        self.next_key += 1;
        let way_ms = self.draw(WAY_MS);
        self.links.insert(key.0, Link { client, node, way_ms });
        self.link_of[client] = Some(key);
        let request = self.clients[client].connect(game());
        self.send(client, request, now_ms);
    }

    pub(super) fn send(&mut self, client: usize, request: LobbyRequest, now_ms: u64) {
        let Some(key) = self.link_of[client] else { return };
        let way_ms = self.links.get(&key.0).map_or(0, |link| link.way_ms);
        self.at(now_ms + way_ms, Event::Asks(key, request));
    }

    /// A player needs the lobby no longer.
    pub(super) fn hang_up(&mut self, client: usize, now_ms: u64) {
        let Some(key) = self.link_of[client].take() else { return };
        self.clients[client].cut();
        if let Some(Link { node, way_ms, .. }) = self.links.remove(&key.0) {
            let life = self.lives[node];
            self.at(now_ms + way_ms, Event::Node(node, life, NodeEvent::Gone(key)));
        }
    }

    /// The connection of a player ended by itself.
    pub(super) fn lose_link(&mut self, client: usize, now_ms: u64) {
        if let Some(key) = self.link_of[client].take() {
            self.links.remove(&key.0);
        }
        self.clients[client].cut();
        let group = self.group_of[client];
        self.groups[group].code = None;
        self.look_in(client, now_ms, BACK_MS);
    }

    pub(super) fn hear(
        &mut self,
        key: ConnectionKey,
        message: LobbyMessage,
        now_ms: u64,
    ) -> Result<()> {
        let Some(client) = self.links.get(&key.0).map(|link| link.client) else { return Ok(()) };
        let group = self.group_of[client];
        match self.clients[client].hear(message) {
            Heard::Nothing | Heard::Queued => {}
            Heard::Goes => {
                let is_back = self.clients[client].is_astray();
                self.look_in(client, now_ms, if is_back { LISTEN_MS } else { SOON_MS });
            }
            Heard::Code(code) => {
                self.groups[group].code = Some(code);
                for friend in self.groups[group].clients.clone() {
                    self.look_in(friend, now_ms, SOON_MS);
                }
            }
            Heard::Assigned(assignment) => self.follow(client, assignment, now_ms)?,
            Heard::Unqueued(reason) => self.hear_unqueued(client, reason, now_ms),
            Heard::Refused(Some(Asked::Cancel)) => self.groups[group].is_tired = false,
            Heard::Refused(_) => self.look_in(client, now_ms, SOON_MS),
        }
        Ok(())
    }

    /// A player has a ticket, and goes where it leads.
    fn follow(&mut self, client: usize, assignment: Assignment, now_ms: u64) -> Result<()> {
        let verified = self.keys.verifier().verify(&assignment.ticket, now_ms);
        ensure!(verified.is_ok(), "a ticket that is no good: {verified:?}");
        let player = self.clients[client].player;
        self.judge.told(player, assignment.match_id);
        if !matches!(self.clients[client].step, Step::Wants | Step::Waits) {
            return Ok(());
        }
        self.clients[client].step = Step::Goes(assignment.match_id);
        let group = &mut self.groups[self.group_of[client]];
        if !std::mem::replace(&mut group.is_told, true) {
            let waited_ms = now_ms - group.since_ms;
            self.seen.wait_seconds.push(waited_ms as f64 / 1000.0);
        }
        let is_slow = self.rng.below(SLOW_ONE_IN) == 0;
        let way_ms = self.draw(if is_slow { SLOW_MS } else { JOIN_MS });
        self.at(now_ms + way_ms, Event::Shows(client, assignment));
        Ok(())
    }

    /// A player hears that they wait no longer.
    fn hear_unqueued(&mut self, client: usize, reason: DisconnectReason, now_ms: u64) {
        if !matches!(self.clients[client].step, Step::Wants | Step::Waits) {
            return;
        }
        let number = self.group_of[client];
        let group = &mut self.groups[number];
        let recently = |at: Option<u64>| at.is_some_and(|at| now_ms < at + STIRRED_MS);
        if reason == DisconnectReason::QueueTimeout {
            self.seen.given_up += 1;
            self.rest(number, now_ms);
        } else if group.is_tired {
            self.seen.cancelled += 1;
            self.rest(number, now_ms);
        } else {
            if !recently(group.stirred_ms) && !recently(group.turned_out_ms) {
                group.turned_out_ms = Some(now_ms);
                self.judge.turned_out(number);
            }
            self.clients[client].step = Step::Wants;
            self.look_in(client, now_ms, SOON_MS);
        }
    }

    /// A player shows a ticket where it leads.
    pub(super) fn show(
        &mut self,
        client: usize,
        assignment: &Assignment,
        now_ms: u64,
    ) -> Result<()> {
        let match_id = assignment.match_id;
        if self.clients[client].step != Step::Goes(match_id) {
            return Ok(());
        }
        let claims = self.keys.verifier().verify(&assignment.ticket, now_ms);
        let player = self.clients[client].player;
        let claims = match claims {
            Ok(claims) => claims,
            Err(reason) => bail!("{reason:?} of a ticket that is young"),
        };
        ensure!(claims.player == player && claims.match_id == match_id, "another one's ticket");
        let places = self.plan.rules.places;
        match self.shards.join(match_id, player, claims.team, places, now_ms) {
            Ok(()) => {
                let team = self
                    .shards
                    .find(match_id)
                    .and_then(|hosted| hosted.seats.get(&player).and_then(|seat| seat.team));
                self.judge.joined(player, match_id, team, now_ms);
                self.clients[client].step = Step::Plays(match_id);
                self.report(match_id, ShardEvent::Joined { match_id, player }, now_ms);
                if !self.groups[self.group_of[client]].party.stays {
                    self.hang_up(client, now_ms);
                }
            }
            Err(why) => {
                let is_over = [DisconnectReason::MatchOver, DisconnectReason::MatchUnknown]
                    .map(NoPlace::Refused);
                if is_over.contains(&why) {
                    self.judge.came_late(player, match_id);
                }
                let sought = (why == NoPlace::Silent).then_some(match_id);
                self.clients[client].strayed(sought);
                self.look_in(client, now_ms, SOON_MS);
            }
        }
        Ok(())
    }

    /// The players of a match hear its result, and go.
    pub(super) fn tell_result(&mut self, match_id: MatchId, now_ms: u64) {
        let plays = |client: &Client| client.step == Step::Plays(match_id);
        let players: Vec<usize> =
            (0..self.clients.len()).filter(|client| plays(&self.clients[*client])).collect();
        for client in players {
            self.clients[client].step = Step::Rests;
            self.rest(self.group_of[client], now_ms);
        }
    }
}
