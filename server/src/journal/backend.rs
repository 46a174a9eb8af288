//! The seam between the journal and where its records lie.
//!
//! Owns: the traits [`JournalReader`] and [`Journal`], what goes through them, and every way a call can
//! fail. Must not know: SQLite, files, what records carry, whether they are good.

use std::ops::ControlFlow;
use std::time::Duration;

use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::time::Tick;

use super::batch::Batch;
use super::record::{Head, Kind};

/// Why a call to a journal failed as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// No space left. Nothing was written; later tries may work.
    #[error("the disk under `{place}` is full: free some space; nothing was written")]
    Full {
        /// Where records lie.
        place: String,
    },
    /// Somebody else holds the place. Nothing was written; later tries may work.
    #[error("`{place}` is held by another program: end its transaction; nothing was written")]
    Busy {
        /// Where records lie.
        place: String,
    },
    /// Records lie behind somebody who does not hand them out. Nothing was written; later tries may work.
    #[error("`{place}` does not hand out its journals: {cause}")]
    Unreachable {
        /// Who.
        place: String,
        /// What came instead.
        cause: String,
    },
    /// Storage failed in a way after which nothing it says can be trusted, a failed fsync first of all.
    /// Every later call gets this answer; the process should end and look anew.
    #[error("the journal failed and takes no more ({cause}): check the disk, then restart")]
    Broken {
        /// What failed.
        cause: String,
    },
}

impl JournalError {
    /// Whether the same call may work later.
    pub fn may_pass(&self) -> bool {
        !matches!(self, Self::Broken { .. })
    }
}

/// Why a journal takes nothing of one match. The other matches of the call are not touched by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no journal of this match.
    #[error("there is no such match")]
    Unknown,
    /// Another owner has it: its epoch is not the one named.
    #[error("its epoch is {current}")]
    Stale {
        /// The epoch it has.
        current: Epoch,
    },
    /// What comes is not its next record, or something was appended since it was read: read it again.
    #[error("it does not end where it was thought to end")]
    Moved,
    /// It has its last record.
    #[error("it is finished")]
    Finished,
    /// It was set aside.
    #[error("it is in quarantine")]
    Quarantined,
}

/// Where a record lies, as the journal counts. Within a match, later records have higher positions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Position(pub u64);

/// What to keep of a journal that was read, and read to which end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// The last good record. Those behind it are set aside, never deleted.
    pub keep: Position,
    /// The last record there was, good or not. Where there is a later one by now, the claim is refused.
    pub seen: Position,
}

/// One match's claim: raises its epoch by one if that is still the expected one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The match.
    pub match_id: MatchId,
    /// The epoch it must have; `None` where there must be no such match yet.
    pub expected: Option<Epoch>,
    /// What to keep; `None` keeps all, which is right for who holds the expected epoch.
    pub cut: Option<Cut>,
    /// When, in milliseconds of Unix time. For operators alone.
    pub unix_ms: u64,
    /// What is appended with it: the claim's record, behind the header's for a new match.
    pub records: Batch,
}

impl Claim {
    /// The epoch it asks for.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.expected.map_or(1, |expected| expected.0.saturating_add(1)))
    }
}

/// What has become of a match's journal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum JournalState {
    /// It may go on.
    Open,
    /// It has its last record.
    Finished,
    /// It was set aside with all its data; nothing goes on and nothing is deleted.
    Quarantined,
    /// It was finished, and retention deleted its records.
    Retired,
}

impl JournalState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Open, Self::Finished, Self::Quarantined, Self::Retired];

    /// The state as stores and people write it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Finished => "finished",
            Self::Quarantined => "quarantined",
            Self::Retired => "retired",
        }
    }

    /// The state of this label.
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.label() == label)
    }
}

/// One match's journal, in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JournalEntry {
    /// The match.
    pub match_id: MatchId,
    /// What has become of it.
    pub state: JournalState,
    /// Its epoch, by the last claim.
    pub epoch: Epoch,
    /// Its last tick that is durable.
    pub tick: Tick,
    /// Its newest checkpoint.
    pub checkpoint: Option<Tick>,
    /// Its last record; `None` once retention deleted them.
    pub end: Option<Position>,
    /// Its records, those set aside not counted.
    pub records: u64,
    /// The same, in bytes.
    pub bytes: u64,
    /// Records that claims have set aside.
    pub set_aside: u64,
    /// Its incidents.
    pub incidents: u64,
    /// When it was finished, in milliseconds of Unix time.
    pub ended_unix_ms: Option<u64>,
    /// Why it was set aside.
    pub why: Option<String>,
}

/// What the journal noted of a record beside its bytes. Good for naming a record that does not read, and
/// wrong where the note itself is damaged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label {
    /// Its place in the match's chain, from 0.
    pub number: u64,
    /// What it is.
    pub kind: Kind,
    /// Under which epoch it was written.
    pub epoch: Epoch,
    /// The first tick in it.
    pub first: Tick,
    /// The last tick in it.
    pub last: Tick,
}

impl From<&Head> for Label {
    fn from(head: &Head) -> Self {
        let Head { number, kind, epoch, first, last, .. } = *head;
        Self { number, kind, epoch, first, last }
    }
}

/// A record as it lies in the journal, unchecked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stored<'a> {
    /// Whose it is.
    pub match_id: MatchId,
    /// Where it lies.
    pub position: Position,
    /// What the journal noted of it.
    pub label: Label,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// From where a match is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoadFrom {
    /// Everything.
    Beginning,
    /// The first record, then everything from the newest checkpoint at or before this tick; everything
    /// where there is none.
    Checkpoint(Tick),
}

/// One match to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Load {
    /// The match.
    pub match_id: MatchId,
    /// From where.
    pub from: LoadFrom,
}

/// What retention leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// Now, in milliseconds of Unix time.
    pub now_unix_ms: u64,
    /// Finished matches are kept for this long.
    pub age_max: Duration,
    /// Journals together, in bytes: above that the matches finished first go first. Open ones and those
    /// in quarantine count and stay.
    pub bytes_max: u64,
}

/// What a step of retention did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Retained {
    /// Matches whose last record it deleted.
    pub matches: u64,
    /// Records it deleted.
    pub records: u64,
    /// The same, in bytes.
    pub bytes: u64,
    /// Whether there is more to do now.
    pub more: bool,
}

/// Reading journals, with an owner at work on them or without.
pub trait JournalReader {
    /// Gives the stored records of these matches to `each`, in the order of their append; with several
    /// matches, in one pass for all. What is held in memory is one record. Matches that are not there, or
    /// have no records left, give none.
    ///
    /// # Errors
    /// [`JournalError`]; what `each` got until then is good to use.
    fn load(&self, wanted: &[Load], each: &mut dyn FnMut(&Stored<'_>)) -> Result<(), JournalError> {
        self.load_while(wanted, &mut |stored| {
            each(stored);
            ControlFlow::Continue(())
        })
    }

    /// As [`load`](Self::load), until `each` has enough: what lies behind is not read.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn load_while(
        &self,
        wanted: &[Load],
        each: &mut dyn FnMut(&Stored<'_>) -> ControlFlow<()>,
    ) -> Result<(), JournalError>;

    /// Gives every match in this state (in any, for `None`) to `each`, the first claimed first.
    ///
    /// # Errors
    /// [`JournalError`].
    fn list(
        &self,
        state: Option<JournalState>,
        each: &mut dyn FnMut(JournalEntry),
    ) -> Result<(), JournalError>;

    /// One match; `None` where there is no such one.
    ///
    /// # Errors
    /// [`JournalError`].
    fn entry(&self, match_id: MatchId) -> Result<Option<JournalEntry>, JournalError>;
}

/// Writing journals. Every call is one step: durable as a whole when it returned `Ok`, and not there at
/// all after [`JournalError::Full`] and [`JournalError::Busy`].
pub trait Journal: JournalReader + Send {
    /// Raises epochs: for each claim the answer in its place. A claim that is granted is durable with its
    /// records, and from then on every append under the epoch before is refused.
    ///
    /// # Errors
    /// [`JournalError`]: no claim was granted.
    fn claim(&mut self, claims: &[Claim]) -> Result<Vec<Result<Epoch, Refusal>>, JournalError>;

    /// Appends records in the order they have, each under the epoch its head names, and gives the matches
    /// it refused: of those nothing is written, of the others everything. A finish closes its match.
    ///
    /// # Errors
    /// [`JournalError`]: nothing was written.
    fn append(&mut self, batch: &Batch) -> Result<Vec<(MatchId, Refusal)>, JournalError>;

    /// Sets a match aside: it is refused everything from here on, and kept. Right also where it is aside
    /// already (the first reason stays); a finished match may be set aside too.
    ///
    /// # Errors
    /// [`JournalError`]. `Ok(Err(_))` for a match that is not there.
    fn quarantine(
        &mut self,
        match_id: MatchId,
        why: &str,
    ) -> Result<Result<(), Refusal>, JournalError>;

    /// Deletes records of finished matches, one bounded step at a time; call again while there is more.
    ///
    /// # Errors
    /// [`JournalError`].
    fn retain(&mut self, limits: &Retention) -> Result<Retained, JournalError>;
}
