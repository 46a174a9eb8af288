//! What a journal holds, and every change to it as a value, so that a disk can do the first half of them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use matchkeep_server::journal::{
    Batch, Claim, Cut, JournalEntry, JournalState, Kind, Label, Load, LoadFrom, Position, Record,
    Refusal, Retained, Retention, Stored,
};
use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::limits::JOURNAL_RETAIN_RECORDS_MAX;
use matchkeep_shared::time::Tick;

/// One change.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Claim { match_id: MatchId, epoch: Epoch, first: u64 },
    SetAside { match_id: MatchId, keep: u64, seen: u64 },
    Put(Row),
    Quarantine { match_id: MatchId, why: String },
    Delete { match_id: MatchId, until: u64 },
}

/// A record.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) position: u64,
    pub(super) match_id: MatchId,
    pub(super) label: Label,
    pub(super) bytes: Vec<u8>,
    pub(super) ended_unix_ms: Option<u64>,
}

#[derive(Clone, Debug)]
struct Match {
    entry: JournalEntry,
    first: u64,
}

/// All journals.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    matches: Vec<Match>,
    rows: BTreeMap<u64, Row>,
    set_aside: Vec<Row>,
}

/// Changes that are planned one after the other, each on top of those before it.
pub(super) struct Plan<'a> {
    image: &'a Image,
    matches: BTreeMap<MatchId, JournalEntry>,
    next: u64,
    pub(super) ops: Vec<Op>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(image: &'a Image) -> Self {
        let next = image.rows.last_key_value().map_or(1, |(position, _)| position + 1);
        let matches = image.matches.iter().map(|found| (found.entry.match_id, found.entry.clone()));
        Self { image, matches: matches.collect(), next, ops: Vec::new() }
    }

    pub(super) fn claim(&mut self, claim: &Claim) -> Result<Epoch, Refusal> {
        let (match_id, epoch) = (claim.match_id, claim.epoch());
        match (claim.expected, self.matches.get(&match_id)) {
            (None, None) => {}
            (None, Some(_)) => return Err(self.why_refused(match_id, Epoch(0))),
            (Some(expected), Some(entry))
                if entry.epoch == expected && entry.state == JournalState::Open =>
            {
                let keeps = |cut: Cut| {
                    let kept = self.image.rows.get(&cut.keep.0);
                    kept.is_some_and(|row| row.match_id == match_id)
                };
                if claim.cut.is_some_and(|cut| Some(cut.seen) != entry.end || !keeps(cut)) {
                    return Err(Refusal::Moved);
                }
            }
            (Some(expected), _) => return Err(self.why_refused(match_id, expected)),
        }
        self.push(Op::Claim { match_id, epoch, first: self.next });
        if let Some(cut) = claim.cut {
            self.push(Op::SetAside { match_id, keep: cut.keep.0, seen: cut.seen.0 });
        }
        self.append(&claim.records);
        Ok(epoch)
    }

    pub(super) fn append(&mut self, batch: &Batch) -> Vec<(MatchId, Refusal)> {
        let mut refused: Vec<(MatchId, Refusal)> = Vec::new();
        for sealed in batch.iter() {
            let (match_id, epoch) = (sealed.head.match_id, sealed.head.epoch);
            if refused.iter().any(|(refused, _)| *refused == match_id) {
                continue;
            }
            let entry = self.matches.get(&match_id);
            let takes = |e: &JournalEntry| {
                e.epoch == epoch && e.state == JournalState::Open && e.records == sealed.head.number
            };
            if !entry.is_some_and(takes) {
                refused.push((match_id, self.why_refused(match_id, epoch)));
                continue;
            }
            let position = self.next;
            self.next += 1;
            self.push(Op::Put(Row {
                position,
                match_id,
                label: Label::from(sealed.head),
                bytes: sealed.bytes.to_vec(),
                ended_unix_ms: sealed.ended_unix_ms,
            }));
        }
        refused
    }

    pub(super) fn quarantine(&mut self, match_id: MatchId, why: &str) -> Result<(), Refusal> {
        match self.matches.get(&match_id).map(|entry| entry.state) {
            None => Err(Refusal::Unknown),
            Some(JournalState::Open | JournalState::Finished) => {
                self.push(Op::Quarantine { match_id, why: why.to_owned() });
                Ok(())
            }
            Some(JournalState::Quarantined | JournalState::Retired) => Ok(()),
        }
    }

    pub(super) fn retain(&mut self, limits: &Retention) -> Retained {
        let finished =
            self.image.matches.iter().filter(|m| m.entry.state == JournalState::Finished);
        let oldest = finished.min_by_key(|found| found.entry.ended_unix_ms);
        let Some(Match { entry, first }) = oldest else { return Retained::default() };
        let age_ms = limits.now_unix_ms.saturating_sub(entry.ended_unix_ms.unwrap_or(0));
        let total: u64 = self.image.matches.iter().map(|found| found.entry.bytes).sum();
        if u128::from(age_ms) <= limits.age_max.as_millis() && total <= limits.bytes_max {
            return Retained::default();
        }
        let last = entry.end.map_or(0, |end| end.0);
        let until = last.min(first + JOURNAL_RETAIN_RECORDS_MAX as u64 - 1);
        let gone =
            self.image.rows.range(..=until).filter(|(_, row)| row.match_id == entry.match_id);
        let bytes: Vec<u64> = gone.map(|(_, row)| row.bytes.len() as u64).collect();
        self.push(Op::Delete { match_id: entry.match_id, until });
        Retained {
            matches: u64::from(until == last),
            records: bytes.len() as u64,
            bytes: bytes.iter().sum(),
            more: true,
        }
    }

    fn why_refused(&self, match_id: MatchId, epoch: Epoch) -> Refusal {
        match self.matches.get(&match_id).map(|entry| (entry.state, entry.epoch)) {
            None => Refusal::Unknown,
            Some((JournalState::Finished | JournalState::Retired, _)) => Refusal::Finished,
            Some((JournalState::Quarantined, _)) => Refusal::Quarantined,
            Some((JournalState::Open, current)) if current == epoch => Refusal::Moved,
            Some((JournalState::Open, current)) => Refusal::Stale { current },
        }
    }

    /// Notes a change, and what of it the ones behind it must see.
    fn push(&mut self, op: Op) {
        match &op {
            Op::Claim { match_id, epoch, .. } => {
                let entry = self.matches.entry(*match_id).or_insert_with(|| new_entry(*match_id));
                entry.epoch = *epoch;
            }
            Op::Put(row) => {
                let entry = self.matches.get_mut(&row.match_id).expect("it was claimed");
                entry.end = Some(Position(row.position));
                entry.records = row.label.number + 1;
                if row.label.kind == Kind::Finish {
                    entry.state = JournalState::Finished;
                }
            }
            Op::SetAside { match_id, keep, .. } => {
                let entry = self.matches.get_mut(match_id).expect("it was claimed");
                entry.records = self.image.rows[keep].label.number + 1;
            }
            Op::Quarantine { .. } | Op::Delete { .. } => {}
        }
        self.ops.push(op);
    }
}

impl Image {
    pub(super) fn apply(&mut self, op: &Op) {
        match op {
            Op::Claim { match_id, epoch, first } => {
                if !self.matches.iter().any(|found| found.entry.match_id == *match_id) {
                    let entry = new_entry(*match_id);
                    self.matches.push(Match { entry, first: *first });
                }
                self.entry(*match_id).epoch = *epoch;
            }
            Op::SetAside { match_id, keep, seen } => {
                let is_aside = |row: &Row| row.match_id == *match_id && row.position > *keep;
                let range = self.rows.range(keep..=seen);
                let aside: Vec<Row> =
                    range.filter(|(_, row)| is_aside(row)).map(|(_, row)| row.clone()).collect();
                aside.iter().for_each(|row| drop(self.rows.remove(&row.position)));
                let end = self.rows[keep].label;
                let entry = self.entry(*match_id);
                entry.end = Some(Position(*keep));
                (entry.records, entry.tick) = (end.number + 1, end.last);
                entry.set_aside += aside.len() as u64;
                entry.bytes -= aside.iter().map(|row| row.bytes.len() as u64).sum::<u64>();
                let incidents = aside.iter().filter(|row| row.label.kind == Kind::Incident).count();
                entry.incidents -= incidents as u64;
                self.set_aside.extend(aside);
            }
            Op::Put(row) => {
                let entry = self.entry(row.match_id);
                entry.end = Some(Position(row.position));
                entry.records += 1;
                entry.bytes += row.bytes.len() as u64;
                if row.label.kind == Kind::Incident {
                    entry.incidents += 1;
                } else {
                    entry.tick = entry.tick.max(row.label.last);
                }
                // Torn, it closes nothing.
                if row.label.kind == Kind::Finish && Record::decode(&row.bytes).is_ok() {
                    entry.state = JournalState::Finished;
                    entry.ended_unix_ms = row.ended_unix_ms;
                }
                self.rows.insert(row.position, row.clone());
            }
            Op::Quarantine { match_id, why } => {
                let entry = self.entry(*match_id);
                (entry.state, entry.why) = (JournalState::Quarantined, Some(why.clone()));
            }
            Op::Delete { match_id, until } => {
                let is_gone = |row: &Row| row.match_id == *match_id && row.position <= *until;
                let found = self.matches.iter_mut().find(|found| found.entry.match_id == *match_id);
                let found = found.expect("it was claimed");
                found.first = until + 1;
                for (_, row) in self.rows.extract_if(.., |_, row| is_gone(row)) {
                    found.entry.records -= 1;
                    found.entry.bytes -= row.bytes.len() as u64;
                }
                if found.entry.end == Some(Position(*until)) {
                    (found.entry.state, found.entry.end) = (JournalState::Retired, None);
                }
            }
        }
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = JournalEntry> {
        self.matches.iter().map(|found| {
            let id = found.entry.match_id;
            let of_match = self.rows.values().filter(|row| row.match_id == id);
            let checkpoints = of_match.filter(|row| row.label.kind == Kind::Checkpoint);
            let checkpoint = checkpoints.map(|row| row.label.last).max();
            JournalEntry { checkpoint, ..found.entry.clone() }
        })
    }

    pub(super) fn load(
        &self,
        wanted: &[Load],
        each: &mut dyn FnMut(&Stored<'_>) -> ControlFlow<()>,
    ) {
        let mut from = BTreeMap::new();
        for load in wanted {
            let found = self.matches.iter().find(|found| found.entry.match_id == load.match_id);
            let Some(Match { entry, first }) = found.filter(|f| f.entry.end.is_some()) else {
                continue;
            };
            let checkpoint = match load.from {
                LoadFrom::Beginning => None,
                LoadFrom::Checkpoint(tick) => {
                    let is_it = |row: &&Row| {
                        row.match_id == entry.match_id
                            && row.label.kind == Kind::Checkpoint
                            && row.label.last <= tick
                    };
                    let checkpoints = self.rows.values().filter(is_it);
                    checkpoints.map(|row| (row.label.last, row.position)).max()
                }
            };
            if let Some(header) = self.rows.get(first)
                && each(&header.stored()).is_break()
            {
                return;
            }
            from.insert(load.match_id, checkpoint.map_or(first + 1, |(_, position)| position));
        }
        for (position, row) in &self.rows {
            let is_due = from.get(&row.match_id).is_some_and(|from| position >= from);
            if is_due && each(&row.stored()).is_break() {
                return;
            }
        }
    }

    /// The records of a match, to be damaged.
    pub(super) fn rows_mut(&mut self, match_id: MatchId) -> impl Iterator<Item = &mut Row> {
        self.rows.values_mut().filter(move |row| row.match_id == match_id)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.rows.values().chain(&self.set_aside).map(|row| row.bytes.len() as u64).sum()
    }

    pub(super) fn set_aside(&self, match_id: MatchId) -> usize {
        self.set_aside.iter().filter(|row| row.match_id == match_id).count()
    }

    fn entry(&mut self, match_id: MatchId) -> &mut JournalEntry {
        let mut entries = self.matches.iter_mut().map(|found| &mut found.entry);
        entries.find(|entry| entry.match_id == match_id).expect("it was claimed")
    }
}

impl Row {
    fn stored(&self) -> Stored<'_> {
        Stored {
            match_id: self.match_id,
            position: Position(self.position),
            label: self.label,
            bytes: &self.bytes,
        }
    }
}

fn new_entry(match_id: MatchId) -> JournalEntry {
    JournalEntry {
        match_id,
        state: JournalState::Open,
        epoch: Epoch(0),
        tick: Tick(0),
        checkpoint: None,
        end: None,
        records: 0,
        bytes: 0,
        set_aside: 0,
        incidents: 0,
        ended_unix_ms: None,
        why: None,
    }
}
