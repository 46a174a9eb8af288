//! The stores that every test of this kind runs on.

use matchkeep_server::journal::Journal;
use matchkeep_server::store::SqliteJournal;
use matchkeep_tests::memory_journal::{MemoryDisk, MemoryJournal};

/// A place for journals that outlives whoever opens it.
pub(crate) trait Bed {
    /// Opens it, as a process after another one does.
    fn open(&self) -> Box<dyn Journal>;
}

/// In memory.
pub(crate) struct Memory(pub(crate) MemoryDisk);

/// In a database.
pub(crate) struct Sqlite(pub(crate) tempfile::TempDir);

impl Memory {
    pub(crate) fn new() -> Self {
        Self(MemoryDisk::new(1))
    }
}

impl Sqlite {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }
}

impl Bed for Memory {
    fn open(&self) -> Box<dyn Journal> {
        Box::new(MemoryJournal::open(&self.0))
    }
}

impl Bed for Sqlite {
    fn open(&self) -> Box<dyn Journal> {
        Box::new(SqliteJournal::open(self.0.path()).expect("it opens"))
    }
}
