//! What is made of matches that the process before left, each in another state.

use std::ops::ControlFlow;

use matchkeep_shared::arena::Arena;
use matchkeep_shared::encoding::encode;
use matchkeep_shared::limits::PLAYERS_PER_MATCH_MAX;

use super::*;
use crate::journal::{Batch, CHECKSUM_BYTES, Chain, Claim, Journal, JournalEntry, Stored};
use crate::matches::header::CONTENT_VERSION;
use crate::matches::incident::IncidentCause;
use crate::settings::Layers;
use crate::store::{SqliteDirectory, SqliteJournal};

const NOW: u64 = 1_800_000_000_000;
const ID: MatchId = MatchId(7);

/// What the process before left: one match, in the directory and in the journal.
struct Left {
    _folder: tempfile::TempDir,
    journal: SqliteJournal,
    directory: SqliteDirectory,
    chain: Chain,
}

/// A journal as a disk gives it back that does not give back everything.
struct Disk<'a> {
    journal: &'a SqliteJournal,
    /// Whether a list has what there is.
    lists: bool,
    /// What became of a record's bytes.
    damage: fn(Kind, &mut Vec<u8>),
}

impl JournalReader for Disk<'_> {
    fn load_while(
        &self,
        wanted: &[Load],
        each: &mut dyn FnMut(&Stored<'_>) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.journal.load_while(wanted, &mut |stored| {
            let mut bytes = stored.bytes.to_vec();
            (self.damage)(stored.label.kind, &mut bytes);
            each(&Stored { bytes: &bytes, ..*stored })
        })
    }

    fn list(
        &self,
        state: Option<JournalState>,
        each: &mut dyn FnMut(JournalEntry),
    ) -> Result<(), JournalError> {
        if self.lists { self.journal.list(state, each) } else { Ok(()) }
    }

    fn entry(&self, match_id: MatchId) -> Result<Option<JournalEntry>, JournalError> {
        self.journal.entry(match_id)
    }
}

/// A match of this build.
fn spec() -> MatchSpec<<Arena as Game>::Config> {
    let (settings, _) = Layers::default().resolve::<Arena>().expect("defaults are sound");
    let mode = settings.modes.into_iter().next().expect("there is a mode");
    MatchSpec {
        id: ID,
        mode: mode.name,
        places: mode.rules.places,
        rate: mode.rate,
        hold_ticks: mode.rate.ticks_in(mode.hold),
        config: mode.config,
        seed: 7,
    }
}

/// Its header.
fn header() -> MatchHeader {
    MatchHeader::new::<Arena>(&spec(), None, 1)
}

impl Left {
    fn new(header: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut directory = SqliteDirectory::open(folder.path()).expect("made");
        directory.create(&NewMatch::sample(ID.0)).expect("new");
        let mut journal = SqliteJournal::open(folder.path()).expect("ours");
        let mut chain = Chain::new(ID);
        let mut records = Batch::default();
        for (kind, payload) in [(Kind::Header, header), (Kind::Claim, b"")] {
            let payload = |out: &mut Vec<u8>| out.extend_from_slice(payload);
            let ticks = (Tick(0), Tick(0));
            chain.seal(kind, Epoch(1), ticks, payload, &mut records).expect("it can come next");
        }
        let claim = Claim { match_id: ID, expected: None, cut: None, unix_ms: 1, records };
        assert_eq!(journal.claim(&[claim]), Ok(vec![Ok(Epoch(1))]));
        Self { _folder: folder, journal, directory, chain }
    }

    /// A match that ended, and of which nobody stored how.
    fn finished() -> Self {
        let mut left = Self::new(&encode(&header()));
        let outcome = Outcome { reason: "frag limit".to_owned(), players: Vec::new() };
        let payload = |out: &mut Vec<u8>| out.extend_from_slice(&encode(&outcome));
        let (ticks, mut batch) = ((Tick(0), Tick(0)), Batch::default());
        let sealed = left.chain.seal(Kind::Finish, Epoch(1), ticks, payload, &mut batch);
        sealed.expect("it can come next");
        assert_eq!(left.journal.append(&batch), Ok(vec![]));
        left
    }

    fn disk(&self) -> Disk<'_> {
        Disk { journal: &self.journal, lists: true, damage: |_, _| {} }
    }

    fn gather(&self) -> Recovered<Arena> {
        self.gather_from(&self.disk())
    }

    fn gather_from(&self, disk: &Disk<'_>) -> Recovered<Arena> {
        gather(disk, &self.directory, &BTreeMap::new(), NOW).expect("it reads")
    }
}

/// A match that goes on, and of which the watchdog noted a step that did not come back.
pub(crate) fn hung() -> Recovered<Arena> {
    let left = Left::new(&encode(&header()));
    let (tick, suspect) = (Tick(1), Vec::new());
    let text = "the step did not come back".to_owned();
    let hung = Incident { cause: IncidentCause::Hung, tick, text, suspect };
    let hung = BTreeMap::from([(ID, hung)]);
    gather(&left.disk(), &left.directory, &hung, NOW).expect("it reads")
}

/// How many go on, ended, are to be set aside, and are left alone.
fn counted(recovered: &Recovered<Arena>) -> [usize; 4] {
    let Recovered { matches, finished, quarantined, foreign } = recovered;
    [matches.len(), finished.len(), quarantined.len(), *foreign as usize]
}

#[test]
fn an_open_match_goes_on_and_one_that_ended_has_its_result() {
    assert_eq!(counted(&Left::new(&encode(&header())).gather()), [1, 0, 0, 0]);
    let recovered = Left::finished().gather();
    assert_eq!(counted(&recovered), [0, 1, 0, 0]);
    assert_eq!(recovered.finished[0].outcome.reason, "frag limit");
}

#[test]
fn a_match_set_aside_in_the_journal_alone_is_set_aside_once_more() {
    let mut left = Left::new(&encode(&header()));
    assert_eq!(left.journal.quarantine(ID, "it died three times"), Ok(Ok(())));
    let recovered = left.gather();
    assert_eq!(recovered.quarantined, [(ID, "it died three times".to_owned())]);
    assert_eq!(counted(&recovered), [0, 0, 1, 0]);
    left.directory.quarantine(ID, "it died three times").expect("there");
    assert_eq!(counted(&left.gather()), [0, 0, 0, 0], "both have it");
}

#[test]
fn an_open_match_that_the_list_passes_over_goes_on() {
    let left = Left::new(&encode(&header()));
    let disk = Disk { lists: false, ..left.disk() };
    assert_eq!(counted(&left.gather_from(&disk)), [1, 0, 0, 0]);
}

#[test]
fn a_match_that_ended_and_whose_end_is_damaged_is_set_aside() {
    let left = Left::finished();
    let damage = |kind, bytes: &mut Vec<u8>| {
        if kind == Kind::Finish {
            bytes[70] ^= 1;
        }
    };
    let recovered = left.gather_from(&Disk { damage, ..left.disk() });
    let why = "it ended, and how is lost: record 2, tick 0: checksum";
    assert_eq!(recovered.quarantined, [(ID, why.to_owned())]);
    assert_eq!(counted(&recovered), [0, 0, 1, 0]);
}

#[test]
fn a_match_with_more_places_than_any_has_is_set_aside_and_not_made_room_for() {
    for (places, sets_aside) in
        [(PLAYERS_PER_MATCH_MAX, 0), (PLAYERS_PER_MATCH_MAX + 1, 1), (usize::MAX, 1)]
    {
        let spec = MatchSpec { places, ..spec() };
        let left = Left::new(&encode(&MatchHeader::new::<Arena>(&spec, None, 1)));
        assert_eq!(left.gather().quarantined.len(), sets_aside, "{places}");
    }
}

/// Bytes that are changed, with a checksum that is right again.
fn reseal(bytes: &mut [u8], change: impl FnOnce(&mut [u8])) {
    let (record, checksum) = bytes.split_at_mut(bytes.len() - CHECKSUM_BYTES);
    change(record);
    checksum.copy_from_slice(&crc32fast::hash(record).to_le_bytes());
}

fn is_left_alone(left: &Left, disk: &Disk<'_>, why: &str) {
    let before = left.journal.entry(ID).expect("it reads");
    assert_eq!(counted(&left.gather_from(disk)), [0, 0, 0, 1], "{why}");
    assert_eq!(left.journal.entry(ID).expect("it reads"), before, "{why}");
}

#[test]
fn a_match_of_another_build_is_counted_and_left_as_it_is() {
    let others: [fn(&mut MatchHeader); 3] = [
        |header| header.rules_version += 1,
        |header| header.game = "chess".to_owned(),
        |header| header.content_version += 1,
    ];
    for change in others {
        let mut other = header();
        change(&mut other);
        let left = Left::new(&encode(&other));
        is_left_alone(&left, &left.disk(), &format!("{other:?}"));
    }
    for version in [CONTENT_VERSION - 1, CONTENT_VERSION + 1] {
        let left = Left::new(&[&encode(&version)[..], b"and who knows what"].concat());
        is_left_alone(&left, &left.disk(), "a header that reads in no other way");
    }
    let left = Left::new(&[&encode(&CONTENT_VERSION)[..], b"and no header"].concat());
    assert_eq!(counted(&left.gather()), [0, 0, 1, 0], "this build's, and damaged");
}

#[test]
fn a_match_in_another_format_is_left_as_it_is_and_one_with_flipped_bits_is_not() {
    let left = Left::new(&encode(&header()));
    let all: fn(Kind, &mut Vec<u8>) = |_, bytes| reseal(bytes, |record| record[4] += 1);
    is_left_alone(&left, &Disk { damage: all, ..left.disk() }, "all");
    let claim: fn(Kind, &mut Vec<u8>) = |kind, bytes| {
        if kind == Kind::Claim {
            reseal(bytes, |record| record[4] += 1);
        }
    };
    is_left_alone(&left, &Disk { damage: claim, ..left.disk() }, "from the claim on");
    let flipped: fn(Kind, &mut Vec<u8>) = |_, bytes| bytes[4] ^= 2;
    let recovered = left.gather_from(&Disk { damage: flipped, ..left.disk() });
    assert_eq!(counted(&recovered), [0, 0, 1, 0]);
    assert_eq!(recovered.quarantined[0].1, "its header cannot be used: checksum");
}
