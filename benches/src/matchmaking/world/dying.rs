//! Nodes that die and come back, and what that does to their matches and players.
//!
//! Owns: when a node dies: between any two things that it does. Must not know: what it was doing.

use anyhow::Result;
use matchkeep_server::shard::message::ShardEvent;
use matchkeep_shared::ids::{Epoch, MatchId, ShardId};
use matchkeep_shared::time::Tick;

use super::players::BACK_MS;
use super::{Event, NodeEvent, World};
use crate::matchmaking::node::Node;
use crate::matchmaking::shards::Stage;

/// A node that may die lives for so long,
const LIFE_MS: (u32, u32) = (3_000, 60_000);
/// and for so many more moments at which it may die.
const MOMENTS_MAX: u32 = 40;
/// A node brings a match of before back in so long.
const RESUME_MS: (u32, u32) = (50, 2_000);
/// And its players are back after so long.
const REJOIN_MS: (u32, u32) = (100, 1_500);
/// A dead node is back after so long.
const DOWN_MS: (u32, u32) = (250, 8_250);

/// How long a node lives still.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fate {
    dies_after_ms: u64,
    moments: u32,
}

impl World<'_> {
    /// A node begins anew: it has what the store has, and its matches come back.
    pub(super) fn begin_node(&mut self, index: usize, now_ms: u64) -> Result<()> {
        let seed = u64::from(self.rng.next_u32());
        let signer = self.keys.signer().clone();
        let mut node = Node::begin(self.plan, index, self.folder.path(), signer, seed)?;
        self.lives[index] += 1;
        let own: Vec<(MatchId, ShardId, Stage)> =
            self.shards.of(index).map(|(id, hosted)| (id, hosted.shard, hosted.stage)).collect();
        for (id, shard, _) in own.iter().filter(|(_, _, stage)| *stage != Stage::Over) {
            node.lobby.expect_match(*id, Some(0), *shard, self.plan.rules.places, None);
        }
        self.nodes[index] = Some(node);
        for (id, _, stage) in own {
            self.record(index, id, now_ms);
            if stage == Stage::Over {
                self.store_result(index, id, now_ms);
            } else {
                let at_ms = now_ms + self.draw(RESUME_MS);
                self.later(index, at_ms, NodeEvent::Resumed(id));
            }
        }
        let dies_after_ms = now_ms + self.draw(LIFE_MS);
        self.fates[index] = Fate { dies_after_ms, moments: self.rng.below(MOMENTS_MAX) };
        self.later(index, now_ms, NodeEvent::Time);
        Ok(())
    }

    /// Whether the node dies at this very moment; then it is dead.
    pub(super) fn dies(&mut self, index: usize, now_ms: u64) -> bool {
        // Those that never die have the lower numbers, so that somebody is always there to ask.
        let fate = &mut self.fates[index];
        let may_die = index + self.plan.dying >= self.plan.lobbies;
        if !may_die || now_ms < fate.dies_after_ms {
            return false;
        }
        if fate.moments > 0 {
            fate.moments -= 1;
            return false;
        }
        self.nodes[index] = None;
        // What was under way for it is void.
        self.lives[index] += 1;
        self.seen.lobby_deaths += 1;
        let cut: Vec<usize> =
            self.links.values().filter(|link| link.node == index).map(|link| link.client).collect();
        for client in cut {
            self.lose_link(client, now_ms);
        }
        let own: Vec<MatchId> = self.shards.of(index).map(|(id, _)| id).collect();
        self.judge.interrupted(&own, now_ms);
        for (match_id, player) in self.shards.stop(index, now_ms) {
            self.judge.undone(player, match_id);
            let client = self.client_of[&player];
            self.clients[client].strayed(Some(match_id));
            let group = self.group_of[client];
            self.groups[group].node = index;
            self.look_in(client, now_ms, BACK_MS);
        }
        let at_ms = now_ms + self.draw(DOWN_MS);
        self.at(at_ms, Event::Back(index));
        true
    }

    /// A match of before goes on, with everybody who has a place in it.
    pub(super) fn resume(&mut self, index: usize, id: MatchId, now_ms: u64) {
        // It was claimed and not made when its node died.
        if self.shards.find(id).is_some_and(|hosted| hosted.epoch == 0) {
            self.judge.made(id);
            self.seen.matches += 1;
        }
        self.run(id, now_ms);
        let Some(hosted) = self.shards.find(id) else { return };
        let players: Vec<_> =
            hosted.seats.iter().map(|(player, seat)| (*player, seat.team)).collect();
        for (player, _) in &players {
            let at_ms = now_ms + self.draw(REJOIN_MS);
            let joined = ShardEvent::Joined { match_id: id, player: *player };
            self.later(index, at_ms, NodeEvent::Shard(joined));
        }
        let (match_id, epoch, tick) = (id, Epoch(2), Tick(1));
        if let Some(node) = &mut self.nodes[index] {
            let event = ShardEvent::Resumed { match_id, epoch, tick, players };
            node.lobby.handle_shard_event(now_ms, &event);
        }
    }
}
