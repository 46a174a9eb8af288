//! Checking the stored records of one match, one after the other, as they are read.
//!
//! Owns: what is good, where that ends, and what was lost, record by record. Must not know: where records
//! come from, and what the good ones are for.

use std::fmt;

use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::JOURNAL_LOST_NAMED_MAX;
use matchkeep_shared::time::Tick;

use super::backend::{Label, Position, Stored};
use super::chain::Chain;
use super::damage::Damage;
use super::record::{Kind, Record};

/// A record that is there, or should be, and cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lost {
    /// Where it lies; `None` where it is gone.
    pub position: Option<Position>,
    /// What the journal noted of it; of records that are gone, their first number and the last tick.
    pub label: Label,
    /// What is wrong with it.
    pub why: Damage,
}

impl Lost {
    /// For people: a line for each run of records that are lost for the same reason.
    pub fn lines(lost: &[Lost]) -> Vec<String> {
        let same = |a: &Lost, b: &Lost| a.why == b.why && a.label.number + 1 == b.label.number;
        lost.chunk_by(same)
            .map(|run| {
                let (first, last) = (&run[0].label, &run[run.len() - 1].label);
                let records = Span("record", first.number, last.number);
                let ticks = Span("tick", first.first.0, last.last.0);
                format!("{records}, {ticks}: {}", run[0].why)
            })
            .collect()
    }
}

/// `records 17-19` or `record 17`.
struct Span(&'static str, u64, u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(what, first, last) = self;
        if first == last {
            write!(f, "{what} {first}")
        } else {
            write!(f, "{what}s {first}-{last}")
        }
    }
}

/// Checks one match's records in the order of their append.
#[derive(Clone, Debug)]
pub struct Verifier {
    chain: Chain,
    /// A checkpoint may follow the header at once: the journal is read from there.
    may_jump: bool,
    last_good: Option<Position>,
    last_number: Option<u64>,
    lost: Vec<Lost>,
    lost_records: u64,
}

impl Verifier {
    /// For a journal that is read from its beginning.
    pub fn new(match_id: MatchId) -> Self {
        Self {
            chain: Chain::new(match_id),
            may_jump: false,
            last_good: None,
            last_number: None,
            lost: Vec::new(),
            lost_records: 0,
        }
    }

    /// For a journal that is read from a checkpoint: the header, then that checkpoint. What lies between
    /// is not looked at.
    pub fn from_checkpoint(match_id: MatchId) -> Self {
        Self { may_jump: true, ..Self::new(match_id) }
    }

    /// Checks the next record; `None` where it is lost. Behind the first damage every record is.
    pub fn push<'a>(&mut self, stored: &Stored<'a>) -> Option<Record<'a>> {
        self.last_number = Some(stored.label.number);
        let result = self.check(stored);
        match result {
            Ok(_) => self.last_good = Some(stored.position),
            Err(why) => self.lose(Some(stored.position), stored.label, why),
        }
        result.ok()
    }

    /// After the last record: says what the store counts and did not give.
    pub fn end(&mut self, records: u64, tick: Tick) {
        let given = self.last_number.map_or(0, |number| number + 1);
        if given < records {
            let epoch = self.chain.epoch();
            let first = self.chain.tick() + 1;
            let label =
                Label { number: given, kind: Kind::Frames, epoch, first, last: tick.max(first) };
            self.lose(None, label, Damage::Gone);
        }
    }

    /// The chain up to the last good record.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The last good record; `None` where there is none.
    pub fn last_good(&self) -> Option<Position> {
        self.last_good
    }

    /// What was lost, in order; the first [`JOURNAL_LOST_NAMED_MAX`].
    pub fn lost(&self) -> &[Lost] {
        &self.lost
    }

    /// How many records were lost in all.
    pub fn lost_records(&self) -> u64 {
        self.lost_records
    }

    fn check<'a>(&mut self, stored: &Stored<'a>) -> Result<Record<'a>, Damage> {
        let record = Record::decode(stored.bytes)?;
        if self.lost_records > 0 {
            return Err(Damage::Behind);
        }
        if record.head.match_id == stored.match_id && Label::from(&record.head) != stored.label {
            return Err(Damage::Mislabelled);
        }
        let jumps = self.may_jump
            && self.chain.records() == 1
            && stored.label.number > 1
            && record.head.kind == Kind::Checkpoint
            && record.head.match_id == self.chain.match_id();
        if jumps {
            self.chain = Chain::after_checkpoint(&record);
        } else {
            self.chain.accept(&record)?;
        }
        Ok(record)
    }

    fn lose(&mut self, position: Option<Position>, label: Label, why: Damage) {
        self.lost_records += 1;
        if self.lost.len() < JOURNAL_LOST_NAMED_MAX {
            self.lost.push(Lost { position, label, why });
        }
    }
}
