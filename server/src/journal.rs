//! A match's journal: the records that are durable of it, one behind the other, each bound to the one
//! before it.
//!
//! Owns: the bytes of a record, the chain, how a journal is written and read back, and the seam to where
//! records lie. Must not know: what a record carries (games, frames, states), matches in play, shards,
//! clocks, threads, SQLite.
//!
//! * [`Record`], [`Chain`]: bytes, and what must hold from one record to the next.
//! * [`Journal`], [`JournalReader`]: where records lie. [`SqliteJournal`](crate::store::SqliteJournal) is
//!   one.
//! * [`Writer`]: from what matches hand over to one append for all of them.
//! * [`Page`]: records on their way to another process.
//! * [`recover()`]: back from records to what a match goes on from, and what was lost.
//!
//! `docs/JOURNAL.md` draws the bytes.

mod backend;
mod batch;
mod chain;
mod damage;
mod item;
mod page;
mod record;
mod recover;
mod report;
mod room;
mod verify;
mod writer;

pub use backend::{
    Claim, Cut, Journal, JournalEntry, JournalError, JournalReader, JournalState, Label, Load,
    LoadFrom, Position, Refusal, Retained, Retention, Stored,
};
pub use batch::{Batch, Sealed};
pub use chain::Chain;
pub use damage::Damage;
pub use item::{Encode, Entry, JournalItem};
pub use page::{NoPage, PAGE_BYTES_MAX, Page, PageWriter};
pub use record::{CHECKSUM_BYTES, FORMAT_VERSION, HEAD_BYTES, Head, Kind, Record, RecordHash};
pub use recover::{Piece, Recovered, Unrecoverable, recover};
pub use report::{Durable, DurableTicks, JournalReport, Refused, WhyRefused};
pub use room::{Handover, Permit, Room};
pub use verify::{Lost, Verifier};
pub use writer::Writer;
