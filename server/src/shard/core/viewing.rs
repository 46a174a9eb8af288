//! What an operator sees of the shard's matches: rows, one match with its players, a copy of its state.
//!
//! Owns: putting it together when somebody asks. Must not know: who asks. Nothing here costs a tick
//! anything while nobody does.

use matchkeep_shared::Game;
use matchkeep_shared::ids::{MatchId, Slot};

use super::{Connection, Core, Host, Stage};
use crate::matches::state::MatchState;
use crate::shard::view::{LinkView, MatchRow, MatchStage, MatchView, PlayerView, RowFilter};

impl<G: Game> Core<G> {
    /// The matches that are wanted, by ascending ID.
    pub(super) fn rows(&self, filter: &RowFilter) -> Vec<MatchRow> {
        let fits = |host: &Host<G>| {
            filter.after.is_none_or(|after| host.game.spec().id > after)
                && filter.mode.as_ref().is_none_or(|mode| host.game.spec().mode == *mode)
                && filter.stage.is_none_or(|stage| host.stage_now() == stage)
        };
        let hosts = self.hosts.iter().enumerate();
        let mut wanted: Vec<(MatchId, usize)> = hosts
            .filter_map(|(index, host)| Some((index, host.as_ref()?)))
            .filter(|(_, host)| fits(host))
            .map(|(index, host)| (host.game.spec().id, index))
            .collect();
        wanted.sort_unstable();
        wanted.truncate(filter.limit);
        wanted.into_iter().filter_map(|(_, index)| self.row(index)).collect()
    }

    /// One match as it stands in a list.
    pub(super) fn row(&self, index: usize) -> Option<MatchRow> {
        let host = self.hosts.get(index)?.as_ref()?;
        let spec = host.game.spec();
        let players = host.sessions.iter().flatten().count();
        Some(MatchRow {
            id: spec.id,
            mode: spec.mode.clone(),
            shard: self.shard,
            stage: host.stage_now(),
            epoch: host.game.epoch(),
            tick: host.game.tick(),
            tick_rate_hz: spec.rate.into(),
            players,
            held: host.game.taken().saturating_sub(players),
            places: spec.places,
            entities: host.game.entities(),
            tick_cost_us: host.pace.cost().as_secs_f64() * 1e6,
            tick_late_us: host.pace.lateness().as_secs_f64() * 1e6,
            durable_lag_ticks: host.game.durable_lag(),
        })
    }

    /// One match with its players.
    pub(super) fn view(&self, match_id: MatchId) -> Option<Box<MatchView>> {
        let index = *self.by_match.get(&match_id)?;
        let host = self.hosts[index].as_ref()?;
        let players = host.game.state().taken().filter_map(|slot| self.player(host, slot));
        Some(Box::new(MatchView {
            row: self.row(index)?,
            phases: host.pace.phases.costs(self.stats.receive_for_each_tick()),
            players_seen: players.collect(),
        }))
    }

    fn player(&self, host: &Host<G>, slot: Slot) -> Option<PlayerView> {
        let handle = host.sessions[slot.index()];
        let connection = handle.and_then(|handle| self.connections.get(handle.0)?.as_deref());
        let player = host.game.state().player(slot)?;
        let last = host.last_disconnects[slot.index()].filter(|(whose, _)| *whose == player);
        Some(PlayerView {
            player,
            name: None,
            slot,
            connected: connection.is_some(),
            link: connection.map(link),
            input_margin_us: host.game.input_margin_100us(slot).map(|units| i32::from(units) * 100),
            inputs: host.game.input_counts(slot).unwrap_or_default(),
            last_disconnect: last.map(|(_, reason)| reason.label().to_owned()),
        })
    }

    /// A copy of what decides a match's next step.
    pub(super) fn copy_state(&self, match_id: MatchId) -> Option<Box<MatchState<G>>> {
        let host = self.hosts[*self.by_match.get(&match_id)?].as_ref()?;
        Some(Box::new(host.game.state().clone()))
    }
}

fn link(connection: &Connection) -> LinkView {
    let stats = connection.quic.stats();
    LinkView {
        address: connection.quic.remote_address(),
        rtt_us: stats.path.rtt.as_micros() as u64,
        rtt_min_us: stats.path.min_rtt.as_micros() as u64,
        packets_sent: stats.path.sent_packets,
        packets_lost: stats.path.lost_packets,
        udp_sent: stats.udp_tx.datagrams,
        udp_sent_bytes: stats.udp_tx.bytes,
        udp_received: stats.udp_rx.datagrams,
        udp_received_bytes: stats.udp_rx.bytes,
        datagrams_sent: stats.frame_tx.datagram,
        datagrams_received: stats.frame_rx.datagram,
    }
}

impl<G: Game> Host<G> {
    /// Where the match is in its life.
    pub(super) fn stage_now(&self) -> MatchStage {
        match self.stage {
            Stage::Running if self.game.death().is_some() => MatchStage::Restarting,
            Stage::Running => self.pace.stage(),
            Stage::Fallen => MatchStage::Restarting,
            Stage::Finishing { .. } => MatchStage::Ending,
            Stage::Over { .. } => MatchStage::Ended,
        }
    }
}
