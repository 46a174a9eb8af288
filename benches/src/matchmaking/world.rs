//! Players, nodes and matches under virtual time, and what is seen of them.
//!
//! Owns: what happens when, and what parties want. What players do about it is `players`', what passes between a lobby,
//! the store and shards `carrying`'s, what a death does `dying`'s. Must not know: what a lobby makes of it.

mod carrying;
mod dying;
mod players;

use std::collections::BTreeMap;

use anyhow::Result;
use matchkeep_server::identity::ServerIdentity;
use matchkeep_server::lobby::core::ConnectionKey;
use matchkeep_server::matchmaking::{QueueTicket, QueueTicketId};
use matchkeep_server::shard::message::ShardEvent;
use matchkeep_server::store::SqliteDirectory;
use matchkeep_server::tickets::TicketKeys;
use matchkeep_shared::ids::{MatchId, PlayerId, ShardId};
use matchkeep_shared::rng::Rng;
use matchkeep_shared::wire::lobby::{Assignment, LobbyMessage, LobbyRequest};

use self::dying::Fate;
use super::client::{Client, Step};
use super::judge::{Faults, Judge};
use super::node::{Node, StoreSaid};
use super::people::{Party, parties};
use super::plan::Plan;
use super::shards::Shards;

/// From a match to the next wish for one, at most.
const REST_MS_MAX: u32 = 20_000;
/// So long after the last party came everybody is through with all they wanted; who is not is lost.
const END_MS: u64 = 3_600_000;

/// What came of it all.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Matches that were made.
    pub matches: u64,
    /// What must not be.
    pub faults: Faults,
    /// Parties that were told that they waited for too long.
    pub given_up: u64,
    /// Parties that took their wish back.
    pub cancelled: u64,
    /// How often a lobby died.
    pub lobby_deaths: u64,
    /// Wishes of a matchmaker that came too late: another lobby had one of the parties, or it was gone.
    pub refused: u64,
    /// Parties that went into running matches.
    pub filled: u64,
    /// From asking to being told of a match, in seconds.
    pub wait_seconds: Vec<f64>,
    /// Between the mean ratings of the two teams of a new match.
    pub rating_difference: Vec<f64>,
    /// Between the best and the worst player of a new match.
    pub rating_spread: Vec<f64>,
    /// What time does to a lobby, a look of its matchmaker among it, in microseconds of the wall's clock.
    pub look_us: Vec<f64>,
    /// How long it went on.
    pub virtual_seconds: u64,
}

/// Something that happens at its time. What is about a node that died since is void.
enum Event {
    /// A party wants a match.
    Begin(usize),
    /// A party wants none any more: of this wish, if it is still the same.
    Tire(usize, u32),
    /// A player looks whether there is something to ask.
    Look(usize),
    /// A request arrives.
    Asks(ConnectionKey, LobbyRequest),
    /// Something that the lobby said arrives.
    Hears(ConnectionKey, LobbyMessage),
    /// A player shows a ticket.
    Shows(usize, Assignment),
    /// A match is over: of this going-on, if it still is the same.
    Over(MatchId, u32),
    /// Its players hear the result.
    Told(MatchId),
    /// Nobody has a ticket to it any more.
    Settle(MatchId),
    /// A dead node is back.
    Back(usize),
    /// Something of a node, in this life of it.
    Node(usize, u32, NodeEvent),
}

/// What happens to a node that lives.
enum NodeEvent {
    /// The store writes.
    Write,
    /// The store answers.
    Said(StoreSaid),
    /// Its lobby wants a match.
    Claim(ShardId, MatchId),
    /// A claimed match is there.
    Made(MatchId),
    /// A match of before goes on.
    Resumed(MatchId),
    /// A shard says something.
    Shard(ShardEvent),
    /// A connection is gone.
    Gone(ConnectionKey),
    /// Time passes.
    Time,
}

/// A connection as the network sees it.
struct Link {
    client: usize,
    node: usize,
    /// How long a message takes; all of one connection take the same, so that they stay in order.
    way_ms: u64,
}

/// A party and what it wants now.
struct Group {
    party: Party,
    /// The players, as indices; the leader first.
    clients: Vec<usize>,
    /// How many matches it has wanted.
    wish: u32,
    since_ms: u64,
    node: usize,
    code: Option<String>,
    is_told: bool,
    is_tired: bool,
    /// When one of them last did something for which a party waits no longer.
    stirred_ms: Option<u64>,
    turned_out_ms: Option<u64>,
    is_done: bool,
}

struct World<'a> {
    plan: &'a Plan,
    rng: Rng,
    folder: tempfile::TempDir,
    keys: TicketKeys,
    groups: Vec<Group>,
    /// How many of them want something still.
    open: usize,
    clients: Vec<Client>,
    /// The group of each, the connection, and when they look next.
    group_of: Vec<usize>,
    link_of: Vec<Option<ConnectionKey>>,
    looks_ms: Vec<Option<u64>>,
    client_of: BTreeMap<PlayerId, usize>,
    /// By the number of the connection.
    links: BTreeMap<u64, Link>,
    next_key: u64,
    nodes: Vec<Option<Node>>,
    /// Which life of a node this is, and how it ends.
    lives: Vec<u32>,
    fates: Vec<Fate>,
    shards: Shards,
    /// Parties as the store handed them out.
    tickets: BTreeMap<QueueTicketId, QueueTicket>,
    events: BTreeMap<(u64, u64), Event>,
    next_event: u64,
    judge: Judge,
    seen: Observed,
}

/// Plays it, and says how it goes.
///
/// # Errors
/// Where the store fails, or a lobby does what it has no reason for.
pub fn play(plan: &Plan, say: impl Fn(&str)) -> Result<Observed> {
    let folder = tempfile::tempdir()?;
    let mut directory = SqliteDirectory::open(folder.path())?;
    let mut rng = Rng::new(plan.seed);
    say(&format!("{} players play the season before", plan.players));
    let people = super::season::play(plan, &mut rng, &mut directory)?;
    drop(directory);
    let parties = parties(plan, &mut rng, &people);
    let last_ms = parties.iter().map(|party| party.comes_ms).max().unwrap_or(0);
    let mut world = World::new(plan, folder, rng, parties)?;
    for node in 0..plan.lobbies {
        world.begin_node(node, 0)?;
    }
    let (mut now_ms, mut minute) = (0, 0);
    while now_ms < last_ms + END_MS && world.open > 0 {
        let Some(((at_ms, _), event)) = world.events.pop_first() else { break };
        now_ms = at_ms;
        world.happen(now_ms, event)?;
        if now_ms / 60_000 > minute {
            minute = now_ms / 60_000;
            let waits = |client: &&Client| client.step == Step::Waits;
            let waiting = world.clients.iter().filter(waits).count();
            say(&format!(
                "minute {minute}: {} matches, {waiting} players wait",
                world.seen.matches
            ));
        }
    }
    let mut seen = world.seen;
    seen.virtual_seconds = now_ms / 1000;
    let unfinished = world.groups.iter().enumerate().filter(|(_, group)| !group.is_done);
    seen.faults = world.judge.conclude(unfinished.map(|(group, _)| group));
    Ok(seen)
}

impl<'a> World<'a> {
    fn new(
        plan: &'a Plan,
        folder: tempfile::TempDir,
        rng: Rng,
        parties: Vec<Party>,
    ) -> Result<Self> {
        let members = |party: &Party| party.members.iter().map(|person| person.player).collect();
        let judge = Judge::new(plan.rules, parties.iter().map(members).collect());
        let mut world = Self {
            plan,
            rng,
            folder,
            keys: ServerIdentity::ephemeral()?.ticket_keys(),
            groups: Vec::new(),
            open: parties.len(),
            clients: Vec::new(),
            group_of: Vec::new(),
            link_of: Vec::new(),
            looks_ms: Vec::new(),
            client_of: BTreeMap::new(),
            links: BTreeMap::new(),
            next_key: 1,
            nodes: (0..plan.lobbies).map(|_| None).collect(),
            lives: vec![0; plan.lobbies],
            fates: vec![Fate::default(); plan.lobbies],
            shards: Shards::default(),
            tickets: BTreeMap::new(),
            events: BTreeMap::new(),
            next_event: 0,
            judge,
            seen: Observed::default(),
        };
        for party in parties {
            world.add_group(party);
        }
        Ok(world)
    }

    fn add_group(&mut self, party: Party) {
        let group = self.groups.len();
        let first = self.clients.len();
        for (nth, person) in party.members.iter().enumerate() {
            self.client_of.insert(person.player, self.clients.len());
            self.clients.push(Client::new(person.player, person.name(), nth == 0));
            self.group_of.push(group);
            self.link_of.push(None);
            self.looks_ms.push(None);
        }
        self.at(party.comes_ms, Event::Begin(group));
        self.groups.push(Group {
            clients: (first..self.clients.len()).collect(),
            party,
            wish: 0,
            since_ms: 0,
            node: 0,
            code: None,
            is_told: false,
            is_tired: false,
            stirred_ms: None,
            turned_out_ms: None,
            is_done: false,
        });
    }

    fn at(&mut self, at_ms: u64, event: Event) {
        self.next_event += 1;
        self.events.insert((at_ms, self.next_event), event);
    }

    fn draw(&mut self, (low, high): (u32, u32)) -> u64 {
        u64::from(low + self.rng.below(high - low))
    }

    fn happen(&mut self, now_ms: u64, event: Event) -> Result<()> {
        match event {
            Event::Begin(group) => self.want(group, now_ms),
            Event::Tire(group, wish) => self.tire(group, wish, now_ms),
            Event::Look(client) if self.looks_ms[client] == Some(now_ms) => {
                self.looks_ms[client] = None;
                self.look(client, now_ms);
            }
            Event::Look(_) => {}
            Event::Asks(key, request) => self.bring(key, request, now_ms)?,
            Event::Hears(key, message) => self.hear(key, message, now_ms)?,
            Event::Shows(client, assignment) => self.show(client, &assignment, now_ms)?,
            Event::Over(match_id, epoch) => self.end(match_id, epoch, now_ms)?,
            Event::Told(match_id) => self.tell_result(match_id, now_ms),
            Event::Settle(match_id) => self.judge.settle(match_id),
            Event::Back(node) => self.begin_node(node, now_ms)?,
            Event::Node(node, life, event) if self.lives[node] == life => {
                self.happen_to(node, event, now_ms)?;
            }
            Event::Node(..) => {}
        }
        Ok(())
    }

    /// A party wants a match, of its own lobby as long as it is connected, else of any that lives.
    fn want(&mut self, group: usize, now_ms: u64) {
        let clients = self.groups[group].clients.clone();
        if clients.iter().all(|client| self.link_of[*client].is_none()) {
            self.groups[group].node = self.choose_node();
            self.groups[group].code = None;
        }
        let known = &mut self.groups[group];
        known.wish += 1;
        known.since_ms = now_ms;
        (known.is_told, known.is_tired) = (false, false);
        (known.stirred_ms, known.turned_out_ms) = (None, None);
        let (wish, patience_ms) = (known.wish, known.party.patience_ms);
        for client in clients {
            self.clients[client].want();
            self.look_in(client, now_ms, (0, 1_000));
        }
        if let Some(patience_ms) = patience_ms {
            self.at(now_ms + patience_ms, Event::Tire(group, wish));
        }
    }

    fn choose_node(&mut self) -> usize {
        let alive: Vec<usize> =
            (0..self.nodes.len()).filter(|node| self.nodes[*node].is_some()).collect();
        let nth = self.rng.below(alive.len().max(1) as u32) as usize;
        alive.get(nth).copied().unwrap_or(0)
    }

    fn tire(&mut self, group: usize, wish: u32, now_ms: u64) {
        let leader = self.groups[group].clients[0];
        if self.groups[group].wish != wish {
            return;
        }
        if let Some(request) = self.clients[leader].cancel() {
            self.groups[group].is_tired = true;
            self.send(leader, request, now_ms);
        }
    }

    /// One of a party is through with this wish: so are all who neither play nor are on their way. When nobody does, the
    /// party rests, and may want another match.
    fn rest(&mut self, number: usize, now_ms: u64) {
        for client in self.groups[number].clients.clone() {
            let client = &mut self.clients[client];
            if matches!(client.step, Step::Wants | Step::Waits) {
                client.step = Step::Rests;
            }
        }
        let group = &mut self.groups[number];
        let rests = |client: &usize| self.clients[*client].step == Step::Rests;
        if group.is_done || !group.clients.iter().all(rests) {
            return;
        }
        if group.wish >= group.party.matches {
            group.is_done = true;
            self.open -= 1;
            for client in group.clients.clone() {
                self.hang_up(client, now_ms);
            }
            return;
        }
        let again_ms = now_ms + 1 + u64::from(self.rng.below(REST_MS_MAX));
        self.at(again_ms, Event::Begin(number));
    }
}
