//! A node on the screen: its shards, its matches in order, and which one is selected.
//!
//! Owns: what is sorted by what, and where the selection goes. Must not know: where it comes from, how it is
//! drawn.

use std::cmp::Ordering;

use matchkeep_shared::ids::MatchId;
use serde::Serialize;

use super::key::Key;
use crate::admin::node::NodeDocument;
use crate::shard::view::MatchRow;

/// A node and its matches, as they were together.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct NodeSample {
    pub(super) node: NodeDocument,
    pub(super) matches: Vec<CostRow>,
}

/// A match and how much it costs.
#[derive(Clone, Debug, Serialize)]
pub(super) struct CostRow {
    #[serde(flatten)]
    pub(super) row: MatchRow,
    /// What a tick costs, as a share of the time it has.
    pub(super) tick_share: f64,
}

impl From<MatchRow> for CostRow {
    fn from(row: MatchRow) -> Self {
        let tick_share = row.tick_cost_us * f64::from(row.tick_rate_hz) / 1e6;
        Self { row, tick_share }
    }
}

impl NodeSample {
    /// With the dearest match first.
    pub(in crate::cli) fn new(node: NodeDocument, rows: Vec<MatchRow>) -> Self {
        let mut matches: Vec<CostRow> = rows.into_iter().map(CostRow::from).collect();
        matches.sort_by(|a, b| SortBy::Cost.compare(a, b));
        Self { node, matches }
    }
}

/// What matches are sorted by, in the order of the key that changes it. Numbers have the largest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum SortBy {
    #[default]
    Cost,
    Late,
    Players,
    Lag,
    Id,
}

impl SortBy {
    fn next(self) -> Self {
        match self {
            Self::Cost => Self::Late,
            Self::Late => Self::Players,
            Self::Players => Self::Lag,
            Self::Lag => Self::Id,
            Self::Id => Self::Cost,
        }
    }

    /// For a person.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Cost => "cost",
            Self::Late => "lateness",
            Self::Players => "players",
            Self::Lag => "durable lag",
            Self::Id => "ID",
        }
    }

    fn compare(self, a: &CostRow, b: &CostRow) -> Ordering {
        let order = match self {
            Self::Cost => b.tick_share.total_cmp(&a.tick_share),
            Self::Late => b.row.tick_late_us.total_cmp(&a.row.tick_late_us),
            Self::Players => b.row.players.cmp(&a.row.players),
            Self::Lag => b.row.durable_lag_ticks.cmp(&a.row.durable_lag_ticks),
            Self::Id => Ordering::Equal,
        };
        order.then(a.row.id.cmp(&b.row.id))
    }
}

/// What is on the screen.
#[derive(Debug)]
pub(super) struct NodeModel {
    pub(super) sample: NodeSample,
    pub(super) sort: SortBy,
    /// Stays with its match, wherever that goes in the list.
    pub(super) selected: Option<MatchId>,
    /// Why there is nothing newer.
    pub(super) trouble: Option<String>,
}

impl NodeModel {
    pub(super) fn new(sample: NodeSample) -> Self {
        let mut model = Self { sample, sort: SortBy::default(), selected: None, trouble: None };
        model.settle(0);
        model
    }

    /// Takes what was seen now.
    pub(super) fn take(&mut self, sample: NodeSample) {
        let before = self.position().unwrap_or(0);
        self.sample = sample;
        self.trouble = None;
        self.settle(before);
    }

    /// Moves the selection, or sorts by something else.
    pub(super) fn press(&mut self, key: Key) {
        let at = self.position().unwrap_or(0);
        let last = self.sample.matches.len().saturating_sub(1);
        let to = match key {
            Key::Up => at.saturating_sub(1),
            Key::Down => (at + 1).min(last),
            Key::Home => 0,
            Key::End => last,
            Key::Character('s') => {
                self.sort = self.sort.next();
                return self.settle(at);
            }
            _ => return,
        };
        self.selected = self.sample.matches.get(to).map(|seen| seen.row.id);
    }

    /// Where in the list the selected match is.
    pub(super) fn position(&self) -> Option<usize> {
        self.sample.matches.iter().position(|seen| Some(seen.row.id) == self.selected)
    }

    /// Sorts, and where the selected match is gone selects the one that came into its place.
    fn settle(&mut self, before: usize) {
        let sort = self.sort;
        let matches = &mut self.sample.matches;
        matches.sort_by(|a, b| sort.compare(a, b));
        if self.position().is_none() {
            let matches = &self.sample.matches;
            let to = before.min(matches.len().saturating_sub(1));
            self.selected = matches.get(to).map(|seen| seen.row.id);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use matchkeep_shared::ids::{Epoch, ShardId};
    use matchkeep_shared::time::Tick;

    use super::*;
    use crate::admin::node::ShardDocument;
    use crate::shard::stats::Summary;
    use crate::shard::view::MatchStage;

    pub(in crate::cli::screen) fn row(id: u64, players: usize, hz: u16, cost: f64) -> MatchRow {
        MatchRow {
            id: MatchId(id),
            mode: "ffa".into(),
            shard: ShardId(0),
            stage: MatchStage::Running,
            epoch: Epoch(1),
            tick: Tick(600 + id),
            tick_rate_hz: hz,
            players,
            held: 1,
            places: 8,
            entities: 20,
            tick_cost_us: cost,
            tick_late_us: 1000.0 - cost,
            durable_lag_ticks: Some(4),
        }
    }

    pub(in crate::cli::screen) fn sample(rows: Vec<MatchRow>) -> NodeSample {
        let summary = Summary { count: 9, p50: 210, p99: 870, p999: 900, max: 950 };
        let address = "127.0.0.1:7778".parse().expect("an address");
        let shard = ShardDocument {
            shard: ShardId(0),
            address,
            matches: rows.len() as u64,
            matches_standing: 0,
            players: 7,
            connections: 7,
            entities: 60,
            ticks: 1234,
            ticks_skipped: 5,
            tick_lateness_us: summary,
            tick_work_us: summary,
            receive_us: 3.0,
            udp_received_bytes: 1,
            udp_sent_bytes: 2,
            udp_dropped: 3,
            receive_buffer_bytes: 4,
        };
        let node = NodeDocument {
            pid: 42,
            game: "sprint".into(),
            rules_version: 1,
            ready: true,
            running_ms: 61_000,
            lobby: address,
            lobby_fingerprint: "ab".into(),
            admin: address,
            admin_tls: false,
            matches: rows.len() as u64,
            players: 7,
            shards: vec![shard],
        };
        NodeSample::new(node, rows)
    }

    fn ids(model: &NodeModel) -> Vec<u64> {
        model.sample.matches.iter().map(|seen| seen.row.id.0).collect()
    }

    #[test]
    fn matches_are_sorted_by_their_share_of_the_tick_and_by_other_things_on_request() {
        // 100 us are more of a tick at 120 Hz than 150 us at 60 Hz.
        let rows = vec![row(1, 3, 60, 150.0), row(2, 5, 120, 100.0), row(3, 4, 60, 40.0)];
        let mut model = NodeModel::new(sample(rows));
        assert_eq!(ids(&model), [2, 1, 3]);
        assert!((model.sample.matches[0].tick_share - 0.012).abs() < 1e-9);
        let mut seen = Vec::new();
        for _ in 0..5 {
            model.press(Key::Character('s'));
            seen.push((model.sort.label(), ids(&model)));
        }
        let expected = [
            ("lateness", vec![3, 2, 1]),
            ("players", vec![2, 3, 1]),
            ("durable lag", vec![1, 2, 3]),
            ("ID", vec![1, 2, 3]),
            ("cost", vec![2, 1, 3]),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn the_selection_stays_with_its_match_and_goes_on_when_that_is_gone() {
        let rows = |costs: &[(u64, f64)]| {
            costs.iter().map(|(id, cost)| row(*id, 1, 60, *cost)).collect::<Vec<_>>()
        };
        let mut model = NodeModel::new(sample(rows(&[(1, 30.0), (2, 20.0), (3, 10.0)])));
        assert_eq!(model.selected, Some(MatchId(1)));
        model.press(Key::Up);
        model.press(Key::Down);
        assert_eq!(model.selected, Some(MatchId(2)));
        model.take(sample(rows(&[(1, 1.0), (2, 2.0), (3, 3.0)])));
        assert_eq!((model.selected, model.position()), (Some(MatchId(2)), Some(1)));
        model.take(sample(rows(&[(1, 1.0), (3, 3.0)])));
        assert_eq!(model.selected, Some(MatchId(1)), "what came into its place");
        model.press(Key::Home);
        assert_eq!(model.selected, Some(MatchId(3)));
        model.take(sample(Vec::new()));
        assert_eq!((model.selected, model.position()), (None, None));
        for key in [Key::Up, Key::Down, Key::End, Key::Character('s')] {
            model.press(key);
        }
        assert_eq!(model.selected, None);
        model.take(sample(rows(&[(9, 1.0)])));
        assert_eq!(model.selected, Some(MatchId(9)));
    }
}
