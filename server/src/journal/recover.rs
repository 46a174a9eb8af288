//! Reading matches back: what to go on from, and what was lost.
//!
//! Owns: the header, the newest good checkpoint, everything behind it up to the last good record. Must
//! not know: what the payloads mean, and how a match goes on.

use std::collections::HashMap;

use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::time::Tick;

use super::backend::{
    Cut, JournalEntry, JournalError, JournalReader, Load, LoadFrom, Position, Stored,
};
use super::chain::Chain;
use super::damage::Damage;
use super::record::Kind;
use super::verify::{Lost, Verifier};

/// A good record behind the header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    /// Where it lies.
    pub position: Position,
    /// What it is.
    pub kind: Kind,
    /// The first tick in it.
    pub first: Tick,
    /// The last tick in it.
    pub last: Tick,
    /// What it carries.
    pub payload: Vec<u8>,
    /// The chain's end, where it ends with this record.
    chain: Chain,
}

impl Piece {
    /// The epoch it was written in.
    pub fn epoch(&self) -> Epoch {
        self.chain.epoch()
    }
}

/// A match as far as its journal is good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovered {
    /// What the journal says of the match, the epoch of the last claim first of all.
    pub entry: JournalEntry,
    /// What the header carries.
    pub header: Vec<u8>,
    /// The good records in order: the checkpoint to go on from, where there is one, and everything after
    /// it.
    pub pieces: Vec<Piece>,
    /// What was lost, in order, as far as it is named.
    pub lost: Vec<Lost>,
    /// How many records were lost in all.
    pub lost_records: u64,
    /// Frames behind the last good record that are not durable, with their first and last ticks: there
    /// where the match's own process reads it back, and with nothing lost before them.
    pub unwritten: Vec<(Tick, Tick, Vec<u8>)>,
    begin: Chain,
    header_position: Position,
    seen: Position,
}

/// Why nothing can go on from a journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unrecoverable {
    /// There is no such match.
    #[error("there is no such match in the journal")]
    Unknown,
    /// There is no record of it.
    #[error("the journal has no records of it")]
    Empty,
    /// Without its header nobody knows which game it is.
    #[error("its header cannot be used: {0}")]
    Header(Damage),
    /// Neither its first claim nor a checkpoint can be used.
    #[error("its first claim cannot be used: {0}")]
    Claim(Damage),
}

impl Recovered {
    /// The match.
    pub fn match_id(&self) -> MatchId {
        self.entry.match_id
    }

    /// The epoch of the last claim, which the next one must be above.
    pub fn epoch(&self) -> Epoch {
        self.entry.epoch
    }

    /// The last good tick: the match goes on with the next.
    pub fn tick(&self) -> Tick {
        self.chain().tick()
    }

    /// The state to go on from and its tick; `None`: from the beginning.
    pub fn checkpoint(&self) -> Option<(Tick, &[u8])> {
        let first = self.pieces.first().filter(|piece| piece.kind == Kind::Checkpoint)?;
        Some((first.last, &first.payload))
    }

    /// The frames behind the checkpoint, or from tick 1, in order and without a gap.
    pub fn frames(&self) -> impl Iterator<Item = &Piece> {
        self.pieces.iter().filter(|piece| piece.kind == Kind::Frames)
    }

    /// The result, where the journal is finished.
    pub fn result(&self) -> Option<&[u8]> {
        let last = self.pieces.last().filter(|piece| piece.kind == Kind::Finish)?;
        Some(&last.payload)
    }

    /// Takes piece number `index` and all behind it for lost, because what it carries does not read.
    pub fn cut(&mut self, index: usize) {
        for (i, piece) in self.pieces.drain(index..).enumerate() {
            let label = piece.label();
            let why = if i == 0 { Damage::Content } else { Damage::Behind };
            self.lost.insert(i, Lost { position: Some(piece.position), label, why });
            self.lost_records += 1;
        }
    }

    /// The end of the chain to go on from.
    pub(super) fn chain(&self) -> Chain {
        self.pieces.last().map_or(self.begin, |piece| piece.chain)
    }

    /// What a claim keeps.
    pub(super) fn keep(&self) -> Cut {
        let keep = self.pieces.last().map_or(self.header_position, |piece| piece.position);
        Cut { keep, seen: self.seen }
    }
}

impl Piece {
    fn label(&self) -> super::backend::Label {
        super::backend::Label {
            number: self.chain.records() - 1,
            kind: self.kind,
            epoch: self.chain.epoch(),
            first: self.first,
            last: self.last,
        }
    }
}

/// Reads these matches back, all in one pass over the journal, and in another one those whose checkpoint
/// turns out to be damaged: they begin with the one before. What is held in memory is what lies behind the
/// checkpoints. The answers are in the order of `wanted`, which names each match once; `from` says which
/// checkpoint is the newest to be used.
///
/// # Errors
/// [`JournalError`] where the journal cannot be read at all.
pub fn recover(
    journal: &dyn JournalReader,
    wanted: &[Load],
) -> Result<Vec<Result<Recovered, Unrecoverable>>, JournalError> {
    let mut answers: Vec<Option<Result<Recovered, Unrecoverable>>> = vec![None; wanted.len()];
    let mut open: Vec<(usize, Reading)> = Vec::new();
    for (i, load) in wanted.iter().enumerate() {
        match journal.entry(load.match_id)? {
            None => answers[i] = Some(Err(Unrecoverable::Unknown)),
            Some(entry) => open.push((i, Reading::new(entry, *load, None))),
        }
    }
    while !open.is_empty() {
        let loads: Vec<Load> = open.iter().map(|(_, reading)| reading.load).collect();
        let mut by_match: HashMap<MatchId, &mut Reading> =
            open.iter_mut().map(|(_, reading)| (reading.load.match_id, reading)).collect();
        journal.load(&loads, &mut |stored| {
            if let Some(reading) = by_match.get_mut(&stored.match_id) {
                reading.push(stored);
            }
        })?;
        let mut again = Vec::new();
        for (i, reading) in open {
            match reading.end() {
                Outcome::Answer(answer) => answers[i] = Some(*answer),
                Outcome::Again(reading) => again.push((i, *reading)),
            }
        }
        open = again;
    }
    Ok(answers.into_iter().map(|answer| answer.expect("each was answered")).collect())
}

/// One match on its way back.
struct Reading {
    entry: JournalEntry,
    load: Load,
    /// The damaged checkpoint of the pass before.
    avoided: Option<Position>,
    verifier: Verifier,
    header: Option<(Position, Chain, Vec<u8>)>,
    pieces: Vec<Piece>,
}

enum Outcome {
    Answer(Box<Result<Recovered, Unrecoverable>>),
    Again(Box<Reading>),
}

impl Reading {
    fn new(entry: JournalEntry, load: Load, avoided: Option<Position>) -> Self {
        let verifier = match load.from {
            LoadFrom::Beginning => Verifier::new(load.match_id),
            LoadFrom::Checkpoint(_) => Verifier::from_checkpoint(load.match_id),
        };
        Self { entry, load, avoided, verifier, header: None, pieces: Vec::new() }
    }

    fn push(&mut self, stored: &Stored<'_>) {
        let Some(record) = self.verifier.push(stored) else { return };
        let chain = *self.verifier.chain();
        let payload = record.payload.to_vec();
        if record.head.kind == Kind::Header {
            self.header = Some((stored.position, chain, payload));
            return;
        }
        let (kind, first, last) = (record.head.kind, record.head.first, record.head.last);
        self.pieces.push(Piece { position: stored.position, kind, first, last, payload, chain });
    }

    fn end(mut self) -> Outcome {
        self.verifier.end(self.entry.records, self.entry.tick);
        let lost = self.verifier.lost();
        let first_lost = lost.first().copied();
        let answer = |answer| Outcome::Answer(Box::new(answer));
        let why = first_lost.map(|lost| lost.why);
        let Some((header_position, begin, header)) = self.header else {
            return answer(Err(match why {
                None | Some(Damage::Gone) => Unrecoverable::Empty,
                Some(why) => Unrecoverable::Header(why),
            }));
        };
        if self.pieces.is_empty() {
            // Nothing but a header: the next record, if it is a checkpoint, gave way to nothing.
            let damaged = first_lost.filter(|lost| lost.label.number > 1);
            if let (Some(lost), LoadFrom::Checkpoint(_)) = (damaged, self.load.from) {
                return Outcome::Again(Box::new(Self::before(
                    self.entry,
                    self.load,
                    &lost,
                    self.avoided,
                )));
            }
            return answer(Err(Unrecoverable::Claim(why.unwrap_or(Damage::Gone))));
        }
        let seen = self.entry.end.unwrap_or(header_position);
        answer(Ok(Recovered {
            entry: self.entry,
            header,
            pieces: self.pieces,
            lost: lost.to_vec(),
            lost_records: self.verifier.lost_records(),
            unwritten: Vec::new(),
            begin,
            header_position,
            seen,
        }))
    }

    /// The same match, from an earlier checkpoint than the damaged one.
    fn before(entry: JournalEntry, load: Load, damaged: &Lost, avoided: Option<Position>) -> Self {
        // A label is a claim too: where it leads to the same place again, everything is read.
        let is_stuck = damaged.position.is_none() || damaged.position == avoided;
        let from = if is_stuck || damaged.label.last == Tick(0) {
            LoadFrom::Beginning
        } else {
            LoadFrom::Checkpoint(damaged.label.last - 1)
        };
        Self::new(entry, Load { from, ..load }, damaged.position)
    }
}
