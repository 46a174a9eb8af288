//! Matches as the journal sees them: bytes that follow from match and tick, handed to a writer by a seed,
//! and what must be there of it whatever happened to the disk.

use std::collections::BTreeMap;

use matchkeep_server::journal::{
    Batch, Chain, Claim, Cut, Entry, Handover, Journal, JournalError, JournalItem, JournalReader,
    JournalReport, JournalState, Kind, Load, LoadFrom, Recovered, Room, Unrecoverable, WhyRefused,
    Writer, recover,
};
use matchkeep_shared::encoding::hash_bytes;
use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::rng::Rng;
use matchkeep_shared::time::Tick;

/// What a tick of a match puts into its journal: 8 bytes that follow from both.
pub fn frame(match_id: MatchId, tick: u64) -> [u8; 8] {
    hash_bytes(&[match_id.0.to_le_bytes(), tick.to_le_bytes()].concat()).to_le_bytes()
}

/// The frames of some ticks.
pub fn frames(match_id: MatchId, first: u64, last: u64) -> Vec<u8> {
    (first..=last).flat_map(|tick| frame(match_id, tick)).collect()
}

/// The state of a match after a tick.
pub fn checkpoint(match_id: MatchId, tick: u64) -> Vec<u8> {
    frame(match_id, tick).repeat(40)
}

/// What the header of a match carries.
pub fn header(match_id: MatchId) -> Vec<u8> {
    match_id.to_string().into_bytes()
}

/// A match whose records are made one by one.
#[derive(Clone, Debug)]
pub struct Scribe {
    /// The end of its journal.
    pub chain: Chain,
}

impl Scribe {
    /// A match without records.
    pub fn new(id: u64) -> Self {
        Self { chain: Chain::new(MatchId(id)) }
    }

    /// Its first claim, with its header.
    ///
    /// # Panics
    /// Where it began already.
    pub fn begin(&mut self) -> Claim {
        let mut records = Batch::default();
        let id = self.chain.match_id();
        self.seal(Kind::Header, Epoch(1), (0, 0), &header(id), &mut records);
        self.seal(Kind::Claim, Epoch(1), (0, 0), b"", &mut records);
        Claim { match_id: id, expected: None, cut: None, unix_ms: 1, records }
    }

    /// A claim of the next epoch.
    ///
    /// # Panics
    /// Where it is finished.
    pub fn claim(&mut self, cut: Option<Cut>) -> Claim {
        let mut records = Batch::default();
        let expected = self.chain.epoch();
        let tick = self.chain.tick().0;
        self.seal(Kind::Claim, Epoch(expected.0 + 1), (tick, tick), b"", &mut records);
        let match_id = self.chain.match_id();
        Claim { match_id, expected: Some(expected), cut, unix_ms: 2, records }
    }

    /// The next ticks, in one record.
    ///
    /// # Panics
    /// Where it is finished.
    pub fn frames(&mut self, ticks: u64, batch: &mut Batch) {
        let first = self.chain.tick().0 + 1;
        let last = first + ticks - 1;
        let bytes = frames(self.chain.match_id(), first, last);
        self.seal(Kind::Frames, self.chain.epoch(), (first, last), &bytes, batch);
    }

    /// A record of another kind, at the last tick.
    ///
    /// # Panics
    /// Where it cannot come next.
    pub fn record(&mut self, kind: Kind, batch: &mut Batch) {
        let tick = self.chain.tick().0;
        let bytes = match kind {
            Kind::Checkpoint => checkpoint(self.chain.match_id(), tick),
            _ => kind.label().as_bytes().to_vec(),
        };
        self.seal(kind, self.chain.epoch(), (tick, tick), &bytes, batch);
        if kind == Kind::Finish {
            batch.set_ended(1000 + self.chain.match_id().0);
        }
    }

    fn seal(
        &mut self,
        kind: Kind,
        epoch: Epoch,
        (first, last): (u64, u64),
        bytes: &[u8],
        batch: &mut Batch,
    ) {
        let payload = |out: &mut Vec<u8>| out.extend_from_slice(bytes);
        let sealed = self.chain.seal(kind, epoch, (Tick(first), Tick(last)), payload, batch);
        sealed.expect("it can come next");
    }
}

/// What was told to be durable of a match.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Acked {
    /// Its epoch.
    pub epoch: u32,
    /// Its last tick.
    pub tick: u64,
    /// Whether its result is there.
    pub is_finished: bool,
}

/// Everything that was told.
pub type Told = BTreeMap<MatchId, Acked>;

/// Plays matches into a writer: who does what in which round follows from the seed.
#[derive(Debug)]
pub struct Play {
    writer: Writer,
    room: Room,
    rng: Rng,
    playing: Vec<Playing>,
    next_id: u64,
    rounds: u64,
    /// What was told to be durable.
    pub told: Told,
}

#[derive(Debug)]
struct Playing {
    id: MatchId,
    epoch: u32,
    tick: u64,
}

/// Matches that play at the same time.
const MATCHES: usize = 4;

impl Play {
    /// Nothing is played yet. `process` counts those that used the same journal before.
    pub fn new(seed: u64, process: u64) -> Self {
        Self {
            writer: Writer::new(),
            room: Room::new(usize::MAX / 2),
            rng: Rng::new(seed),
            playing: Vec::new(),
            next_id: 1 + 1000 * process,
            rounds: 0,
            told: Told::new(),
        }
    }

    /// Goes on with every match that is open in the journal, and sets aside those that cannot.
    ///
    /// # Errors
    /// The journal's own.
    ///
    /// # Panics
    /// Where it does not know a match that it listed.
    pub fn resume(&mut self, journal: &mut dyn Journal) -> Result<(), JournalError> {
        for (match_id, recovered) in recover_all(journal, Some(JournalState::Open))? {
            let recovered = match recovered {
                Ok(recovered) => recovered,
                Err(why) => {
                    let set_aside = journal.quarantine(match_id, &why.to_string())?;
                    set_aside.expect("it was listed");
                    continue;
                }
            };
            let (id, epoch) = (recovered.match_id(), recovered.epoch().0 + 1);
            let tick = recovered.tick().0;
            let recovered = Box::new(recovered);
            self.hand(id, epoch, Entry::Resume { recovered, claim: Vec::new(), unix_ms: 5 });
            self.playing.push(Playing { id, epoch, tick });
        }
        Ok(())
    }

    /// One round: some ticks of some matches, then a flush. What it told is in [`told`](Self::told).
    ///
    /// # Panics
    /// Where the journal refuses what must be taken.
    pub fn round(&mut self, journal: &mut dyn Journal) -> JournalReport {
        while self.playing.len() < MATCHES {
            let id = MatchId(self.next_id);
            self.next_id += 1;
            self.playing.push(Playing { id, epoch: 1, tick: 0 });
            let begin = Entry::Begin { header: header(id), claim: b"new".to_vec(), unix_ms: 3 };
            self.hand(id, 1, begin);
        }
        self.rounds += 1;
        let mut playing = std::mem::take(&mut self.playing);
        playing.retain_mut(|playing| self.play(playing));
        self.playing = playing;
        let report = self.writer.flush(journal);
        for (match_id, epoch) in &report.claimed {
            self.told.entry(*match_id).or_default().epoch = epoch.0;
        }
        for durable in &report.durable {
            let acked = self.told.entry(durable.match_id).or_default();
            (acked.tick, acked.is_finished) = (durable.tick.0, durable.is_finished);
        }
        let stale =
            |refused: &&matchkeep_server::journal::Refused| refused.why != WhyRefused::NotClaimed;
        assert!(report.refused.iter().filter(stale).count() == 0, "{:?}", report.refused);
        report
    }

    /// Says whether the match goes on.
    fn play(&mut self, playing: &mut Playing) -> bool {
        let id = playing.id;
        if self.rng.below(4) == 0 {
            return true;
        }
        for _ in 0..=self.rng.below(2) {
            let (first, last) = (playing.tick + 1, playing.tick + 1 + u64::from(self.rng.below(4)));
            let bytes = frames(id, first, last);
            let frames = Entry::Frames { first: Tick(first), last: Tick(last), bytes };
            self.hand(id, playing.epoch, frames);
            playing.tick = last;
        }
        let tick = Tick(playing.tick);
        match self.rng.below(12) {
            0..=2 => {
                let encode = Box::new(move |out: &mut Vec<u8>| out.extend(checkpoint(id, tick.0)));
                let entry = Entry::Checkpoint { tick, bytes_hint: 320, encode };
                self.hand(id, playing.epoch, entry);
            }
            3 => {
                let entry = Entry::Incident { tick: tick + 1, bytes: b"panicked".to_vec() };
                self.hand(id, playing.epoch, entry);
                playing.epoch += 1;
                self.hand(id, playing.epoch, Entry::Restart { claim: Vec::new(), unix_ms: 4 });
            }
            4 => {
                let entry = Entry::Finish { tick, bytes: b"won".to_vec(), unix_ms: self.rounds };
                self.hand(id, playing.epoch, entry);
                return false;
            }
            _ => {}
        }
        true
    }

    fn hand(&mut self, match_id: MatchId, epoch: u32, entry: Entry) {
        let item = JournalItem { match_id, epoch: Epoch(epoch), entry };
        self.writer.push(Handover::new(&self.room, item).expect("there is room for everything"));
    }
}

/// A match, and what recovery said of it.
pub type Answer = (MatchId, Result<Recovered, Unrecoverable>);

/// Recovers every match in a state.
///
/// # Errors
/// The journal's own.
pub fn recover_all(
    journal: &dyn JournalReader,
    state: Option<JournalState>,
) -> Result<Vec<Answer>, JournalError> {
    let mut wanted = Vec::new();
    journal.list(state, &mut |entry| {
        wanted.push(Load { match_id: entry.match_id, from: LoadFrom::Checkpoint(Tick(u64::MAX)) });
    })?;
    let recovered = recover(journal, &wanted)?;
    Ok(wanted.into_iter().map(|load| load.match_id).zip(recovered).collect())
}

/// What must hold of a journal whatever happened: all that was told is there, and every byte that is
/// there is the one that was written. Gives the number of records that were lost, none of which was told.
///
/// # Panics
/// Where it does not hold.
pub fn check(journal: &dyn JournalReader, told: &Told) -> u64 {
    let mut lost = 0;
    let mut recovered = Vec::new();
    for (id, found) in recover_all(journal, None).expect("it is readable") {
        match found {
            Ok(found) => recovered.push(found),
            // Its first claim was never told.
            Err(why) => {
                assert!(!told.contains_key(&id), "match {id}: {why}");
                let entry = journal.entry(id).expect("it is readable").expect("it was listed");
                lost += u64::from(entry.state != JournalState::Quarantined);
            }
        }
    }
    for (id, acked) in told {
        let found = recovered.iter().find(|recovered| recovered.match_id() == *id);
        let found = found.unwrap_or_else(|| panic!("match {id} was told and is not there"));
        assert!(found.epoch().0 >= acked.epoch, "match {id}: epoch {} of {acked:?}", found.epoch());
        assert!(found.tick().0 >= acked.tick, "match {id}: tick {} of {acked:?}", found.tick());
        assert!(!acked.is_finished || found.result().is_some(), "match {id}: no result");
    }
    for found in &recovered {
        let id = found.match_id();
        assert_eq!(found.header, header(id));
        let mut tick = 0;
        if let Some((at, state)) = found.checkpoint() {
            assert_eq!(state, checkpoint(id, at.0), "match {id}: the state after {at}");
            tick = at.0;
        }
        for piece in found.frames() {
            assert_eq!(piece.first.0, tick + 1, "match {id}");
            assert_eq!(piece.payload, frames(id, piece.first.0, piece.last.0), "match {id}");
            tick = piece.last.0;
        }
        assert_eq!(tick, found.tick().0, "match {id}");
        lost += found.lost_records;
    }
    lost
}
