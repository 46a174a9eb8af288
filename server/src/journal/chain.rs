//! The chain of one match's records: what must hold from one to the next.
//!
//! Owns: numbers, hashes, epochs and ticks in their order, for whoever checks records and for whoever
//! makes them. Must not know: where records lie.

use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::time::Tick;

use super::batch::Batch;
use super::damage::Damage;
use super::record::{Head, Kind, Record, RecordHash};

/// The end of a match's journal: all that the next record must agree with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chain {
    match_id: MatchId,
    next: u64,
    epoch: Epoch,
    tick: Tick,
    before: RecordHash,
    is_finished: bool,
}

impl Chain {
    /// A journal without a record.
    pub fn new(match_id: MatchId) -> Self {
        Self {
            match_id,
            next: 0,
            epoch: Epoch(0),
            tick: Tick(0),
            before: RecordHash::NONE,
            is_finished: false,
        }
    }

    /// A journal that ends with this checkpoint, which is believed: the place to go on from in the middle.
    pub fn after_checkpoint(record: &Record<'_>) -> Self {
        let mut chain = Self::new(record.head.match_id);
        chain.advance(&record.head, record.hash());
        chain.tick = record.head.last;
        chain
    }

    /// Whose.
    pub fn match_id(&self) -> MatchId {
        self.match_id
    }

    /// The number of records, which is also the next one's number.
    pub fn records(&self) -> u64 {
        self.next
    }

    /// The newest epoch claimed; 0 before the first claim.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The last tick whose frame is in it.
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// Whether it is finished.
    pub fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// Takes the next record, or says why it is not the next one; the chain is then as it was.
    ///
    /// # Errors
    /// What is wrong with its place.
    pub fn accept(&mut self, record: &Record<'_>) -> Result<(), Damage> {
        let head = &record.head;
        if head.match_id != self.match_id {
            return Err(Damage::WrongMatch(head.match_id));
        }
        if head.number < self.next {
            return Err(Damage::Repeated { expected: self.next, found: head.number });
        }
        if head.number > self.next {
            return Err(Damage::Missing { expected: self.next, found: head.number });
        }
        if head.before != self.before {
            return Err(Damage::BrokenChain);
        }
        self.check_order(head)?;
        self.advance(head, record.hash());
        Ok(())
    }

    /// Makes the next record, at the end of `batch`. An epoch is begun by a claim and is otherwise the
    /// chain's own.
    ///
    /// # Errors
    /// A record that could not come next, or is too large. Chain and batch are then as they were.
    pub fn seal(
        &mut self,
        kind: Kind,
        epoch: Epoch,
        ticks: (Tick, Tick),
        payload: impl FnOnce(&mut Vec<u8>),
        batch: &mut Batch,
    ) -> Result<(), Damage> {
        let (first, last) = ticks;
        let (match_id, number, before) = (self.match_id, self.next, self.before);
        let head = Head { kind, match_id, number, epoch, first, last, before };
        head.check()?;
        self.check_order(&head)?;
        let hash = batch.push(&head, payload)?;
        self.advance(&head, hash);
        Ok(())
    }

    /// What must hold beside the hash: the kind's place, the epoch, the ticks.
    fn check_order(&self, head: &Head) -> Result<(), Damage> {
        if self.is_finished {
            return Err(Damage::AfterFinish);
        }
        if (head.kind == Kind::Header) != (head.number == 0) {
            return Err(Damage::HeaderPlace);
        }
        let (from, to) = (self.epoch, head.epoch);
        // Only claims raise it: behind the header the epoch is still 0, and a claim must follow.
        let begins = matches!(head.kind, Kind::Header | Kind::Claim);
        if to < from || (begins && to == from) {
            return Err(Damage::EpochWentBack { from, to });
        }
        if to > from && !begins {
            return Err(Damage::EpochUnclaimed { from, to });
        }
        let expected = match head.kind {
            Kind::Frames => self.tick + 1,
            // About a tick that may never have come to its end.
            Kind::Incident => return Ok(()),
            _ => self.tick,
        };
        if head.first != expected {
            return Err(Damage::TickGap { expected, found: head.first });
        }
        Ok(())
    }

    fn advance(&mut self, head: &Head, hash: RecordHash) {
        self.next = head.number + 1;
        if head.kind != Kind::Header {
            self.epoch = head.epoch;
        }
        self.before = hash;
        self.is_finished = head.kind == Kind::Finish;
        if head.kind == Kind::Frames {
            self.tick = head.last;
        }
    }
}
