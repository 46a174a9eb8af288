//! The seam between the store's thread and what it writes to.
//!
//! Owns: the [`Directory`] trait and [`StoreError`], every way a call to the store can fail. Must not
//! know: SQLite, channels, threads.

use matchkeep_shared::ids::{MatchId, PlayerId};
use matchkeep_shared::limits::{PLAYER_NAME_BYTES_MAX, QUEUE_TICKETS_MAX, STORE_WRITES_MAX};

use super::audit::{AuditEntry, AuditKey, AuditOutcome};
use super::queue::Queue;
use super::record::{FinishedMatch, ListFilter, MatchRecord, MatchSummary, NewMatch};
use crate::accounts::{Account, AccountKey};
use crate::journal::JournalError;
use crate::matchmaking::QueueTicketId;
use crate::reservations::{PrivateMatch, Reserved};

/// Why a call to the store failed. Cloned to everyone whose write shared the transaction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The disk is behind by the whole queue. Nothing was written; try again later.
    #[error(
        "{STORE_WRITES_MAX} writes wait for the store already: the disk is too slow; try later"
    )]
    QueueFull,
    /// No space left. Nothing of the batch was written; later tries may work.
    #[error("the disk under `{database}` is full: free some space; nothing was written")]
    Full {
        /// The database's path.
        database: String,
    },
    /// Another program holds the database. Nothing was written; later tries may work.
    #[error("`{database}` is held by another program: end its transaction; nothing was written")]
    Busy {
        /// The database's path.
        database: String,
    },
    /// Storage failed in a way after which nothing it says can be trusted. Every later call gets this
    /// answer; the process should end and look anew.
    #[error("the store failed and takes no more writes ({cause}): check the disk, then restart")]
    Broken {
        /// What failed.
        cause: String,
    },
    /// The store was closed before the call.
    #[error("the store is closed: the server is stopping")]
    Closed,
    /// There is no such match.
    #[error("there is no match {0} in the store: check the ID")]
    UnknownMatch(MatchId),
    /// There is another match of this ID.
    #[error("match {0} is in the store already, and differs: a match ID is given once")]
    MatchDiffers(MatchId),
    /// The match has another result.
    #[error("match {0} has a result already, and another one: the first stays")]
    ResultDiffers(MatchId),
    /// A result names a player who was never there.
    #[error("the result of match {match_id} names player {player}, who has no account")]
    UnknownPlayer {
        /// The match.
        match_id: MatchId,
        /// Who has no account.
        player: PlayerId,
    },
    /// The name cannot be an account's.
    #[error(
        "`{0}` is not a player name: 1 to {PLAYER_NAME_BYTES_MAX} bytes, no control characters, no \
         space at either end"
    )]
    NameInvalid(String),
    /// A player of a party waits already: with others, or for another mode.
    #[error(
        "{player} waits already (ticket {ticket}), with others or for another mode: cancel that first"
    )]
    WaitsElsewhere {
        /// The player's name.
        player: String,
        /// Where.
        ticket: QueueTicketId,
    },
    /// As many wait as there is room for.
    #[error("{QUEUE_TICKETS_MAX} parties wait for a match already: try later")]
    QueueCrowded,
    /// Such a party cannot be.
    #[error("the party cannot wait: {why}")]
    PartyInvalid {
        /// What is wrong.
        why: String,
    },
    /// A number that the database has no room for.
    #[error("{what} = {value} cannot be stored: allowed are 0 to {}", i64::MAX)]
    TooLarge {
        /// What the number is.
        what: &'static str,
        /// The number.
        value: u64,
    },
    /// The database holds what no version of this program writes.
    #[error("the store holds {what} = `{value}`, which cannot be: restore it from a backup")]
    Damaged {
        /// The column.
        what: &'static str,
        /// What is in it.
        value: String,
    },
}

impl StoreError {
    /// Whether the same call will fail again, whatever becomes of the disk.
    pub fn is_final(&self) -> bool {
        match self {
            Self::MatchDiffers(_)
            | Self::ResultDiffers(_)
            | Self::UnknownPlayer { .. }
            | Self::NameInvalid(_)
            | Self::PartyInvalid { .. }
            | Self::TooLarge { .. }
            | Self::Damaged { .. } => true,
            // A match the store does not know yet may be on its way there.
            Self::UnknownMatch(_)
            // Others may leave the queue.
            | Self::WaitsElsewhere { .. }
            | Self::QueueCrowded
            | Self::QueueFull
            | Self::Closed
            | Self::Full { .. }
            | Self::Busy { .. }
            | Self::Broken { .. } => false,
        }
    }

    /// Whether the call alone failed. Otherwise the transaction is lost, with everyone's writes.
    pub(super) fn is_callers_fault(&self) -> bool {
        match self {
            Self::QueueFull
            | Self::Closed
            | Self::UnknownMatch(_)
            | Self::MatchDiffers(_)
            | Self::ResultDiffers(_)
            | Self::UnknownPlayer { .. }
            | Self::NameInvalid(_)
            | Self::WaitsElsewhere { .. }
            | Self::QueueCrowded
            | Self::PartyInvalid { .. }
            | Self::TooLarge { .. }
            // Found while reading, before the call wrote anything.
            | Self::Damaged { .. } => true,
            Self::Full { .. } | Self::Busy { .. } | Self::Broken { .. } => false,
        }
    }
}

impl From<JournalError> for StoreError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Full { place } => Self::Full { database: place },
            JournalError::Busy { place } => Self::Busy { database: place },
            JournalError::Broken { cause } => Self::Broken { cause },
            error @ JournalError::Unreachable { .. } => Self::Broken { cause: error.to_string() },
        }
    }
}

/// What is durable beside the journal: players, matches, results, the audit log, the queue and ratings.
///
/// Called on the store's thread alone. Writes lie between [`begin`](Self::begin) and
/// [`commit`](Self::commit), and are durable when `commit` returned `Ok`. A write that fails by the
/// caller's mistake changes nothing and leaves the transaction good; after any other error the
/// transaction is rolled back.
pub trait Directory: Queue + Send {
    /// Begins a transaction.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Busy`] or [`StoreError::Broken`].
    fn begin(&mut self) -> Result<(), StoreError>;

    /// Makes everything since [`begin`](Self::begin) durable. On error nothing of it is kept, except that
    /// after [`StoreError::Broken`] nobody knows.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Busy`] or [`StoreError::Broken`].
    fn commit(&mut self) -> Result<(), StoreError>;

    /// Undoes everything since [`begin`](Self::begin). Right also where the transaction is gone.
    ///
    /// # Errors
    /// [`StoreError::Broken`].
    fn roll_back(&mut self) -> Result<(), StoreError>;

    /// The account of this name; a new one where there is none.
    ///
    /// # Errors
    /// [`StoreError::NameInvalid`], or storage's own.
    fn player(&mut self, name: &str, now_unix_ms: u64) -> Result<PlayerId, StoreError>;

    /// The account of a player, a new one where there is none, and whether they may play.
    ///
    /// # Errors
    /// [`StoreError::NameInvalid`], or storage's own.
    fn account(&mut self, key: &AccountKey, now_unix_ms: u64) -> Result<Account, StoreError>;

    /// Writes down that a player wants a private match. The same request again changes nothing, and answers what it
    /// led to. What that player's requests led to before is let go of
    /// [`PRIVATE_MATCH_KEPT`](matchkeep_shared::limits::PRIVATE_MATCH_KEPT) after it has ended.
    ///
    /// # Errors
    /// Storage's own.
    fn reserve(&mut self, wanted: &PrivateMatch, now_unix_ms: u64) -> Result<Reserved, StoreError>;

    /// Whose a private match is, which request led to it, and what it is joined with; `None` where it is none.
    ///
    /// # Errors
    /// Storage's own.
    fn private(&self, id: MatchId) -> Result<Option<PrivateMatch>, StoreError>;

    /// Notes that a match begins. The same match again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::MatchDiffers`], or storage's own.
    fn create(&mut self, new: &NewMatch) -> Result<(), StoreError>;

    /// Notes a match's result. The same result again changes nothing; when it was first told stays.
    /// A match that was interrupted can still get its result. Where the match counts for a ladder, its players'
    /// ratings change with it, once.
    ///
    /// # Errors
    /// [`StoreError::UnknownMatch`], [`StoreError::UnknownPlayer`], [`StoreError::ResultDiffers`], or
    /// storage's own.
    fn finish(&mut self, finished: &FinishedMatch) -> Result<(), StoreError>;

    /// Marks every match that is still running and has no journal as interrupted, and says how many there
    /// were. For the time when nothing runs: right after opening, and before a server that stops closes.
    /// Matches with a journal stay running: they go on from it.
    ///
    /// # Errors
    /// Storage's own.
    fn interrupt_running(&mut self) -> Result<u64, StoreError>;

    /// Notes that a match cannot go on and is set aside. A match that is set aside already, or has its
    /// result, stays as it is.
    ///
    /// # Errors
    /// [`StoreError::UnknownMatch`], or storage's own.
    fn quarantine(&mut self, id: MatchId, why: &str) -> Result<(), StoreError>;

    /// Adds a row to the audit log.
    ///
    /// # Errors
    /// Storage's own.
    fn audit(&mut self, key: AuditKey, entry: &AuditEntry) -> Result<(), StoreError>;

    /// Notes what came of what a row is about. One that is there no more is no error.
    ///
    /// # Errors
    /// Storage's own.
    fn settle_audit(
        &mut self,
        key: AuditKey,
        outcome: AuditOutcome,
        why: Option<&str>,
    ) -> Result<(), StoreError>;

    /// Matches, newest first.
    ///
    /// # Errors
    /// [`StoreError::UnknownMatch`] where the filter names one, or storage's own.
    fn list(&self, filter: &ListFilter) -> Result<Vec<MatchSummary>, StoreError>;

    /// One match with its players.
    ///
    /// # Errors
    /// [`StoreError::UnknownMatch`], or storage's own.
    fn show(&self, id: MatchId) -> Result<MatchRecord, StoreError>;
}
