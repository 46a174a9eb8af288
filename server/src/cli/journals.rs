//! The journals that verbs play again: a data folder's, or a running server's.
//!
//! A folder that is named is read directly, with a server at work on it or without; a server that is named
//! alone hands its journals out. Either way the match is played in this program.

mod remote;

use matchkeep_shared::ids::MatchId;

use super::CliError;
use super::history::source::Source;
use super::place::{Named, Place};
use crate::data_dir::DataDir;
use crate::journal::JournalReader;
use crate::store::{MatchRecord, SqliteJournalReader, StoreError};
use crate::travel::TravelError;
use remote::RemoteJournal;

/// Journals, and what is known of their matches.
pub(super) struct Journals {
    reader: Box<dyn JournalReader>,
    source: Source,
}

impl Journals {
    pub(super) fn open(place: &Place) -> Result<Self, CliError> {
        match place.named()? {
            Named::Server(server) => {
                let reader = Box::new(RemoteJournal::new(server.clone())?);
                Ok(Self { reader, source: Source::Server(server) })
            }
            Named::Folder(data) => {
                DataDir::inspect(&data)?;
                let reader = SqliteJournalReader::open(&data);
                let reader = Box::new(reader.map_err(|e| CliError::Usage(e.to_string()))?);
                Ok(Self { reader, source: Source::folder(&data)? })
            }
        }
    }

    pub(super) fn reader(&self) -> &dyn JournalReader {
        &*self.reader
    }

    /// What the directory has of a match; `None` where it has nothing.
    pub(super) fn record(&self, id: MatchId) -> Result<Option<MatchRecord>, CliError> {
        match self.source.find(id) {
            Ok(record) => Ok(record),
            Err(error) => Err(CliError::failed(error)),
        }
    }
}

impl From<TravelError> for CliError {
    fn from(error: TravelError) -> Self {
        if error.is_misplaced() { Self::Usage(error.to_string()) } else { Self::failed(error) }
    }
}

impl Source {
    /// One match; `None` where there is no such one.
    fn find(&self, id: MatchId) -> Result<Option<MatchRecord>, CliError> {
        match self {
            Self::Folder(history) => match history.show(id) {
                Err(StoreError::UnknownMatch(_)) => Ok(None),
                found => found.map(Some).map_err(CliError::failed),
            },
            Self::Server(server) => {
                server.find(&format!("/v1/history/{id}")).map_err(CliError::failed)
            }
        }
    }
}
