//! A running server's journals, page by page over its admin interface.

use std::ops::ControlFlow;

use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::LIST_ROWS_MAX;

use crate::admin::journals::JournalDocument;
use crate::cli::CliError;
use crate::cli::http::{HttpError, Server};
use crate::journal::{
    JournalEntry, JournalError, JournalReader, JournalState, Load, LoadFrom, PAGE_BYTES_MAX, Page,
    Position, Stored,
};

/// Journals behind an admin address.
pub(super) struct RemoteJournal {
    server: Server,
}

impl RemoteJournal {
    /// The journals of a server that lets us look.
    pub(super) fn new(server: Server) -> Result<Self, CliError> {
        // Whoever may not look is told so now, and as what it is.
        server.get_text("/v1/node")?;
        Ok(Self { server })
    }

    fn error(&self, cause: impl ToString) -> JournalError {
        JournalError::Unreachable { place: self.server.to_string(), cause: cause.to_string() }
    }

    fn entry_of(&self, document: JournalDocument) -> Result<JournalEntry, JournalError> {
        document.entry().ok_or_else(|| self.error("its list of journals cannot be read"))
    }

    /// One match's records.
    fn load_one(
        &self,
        load: &Load,
        each: &mut dyn FnMut(&Stored<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, JournalError> {
        let path = format!("/v1/matches/{}/journal/records", load.match_id);
        let mut query = match load.from {
            LoadFrom::Beginning => String::new(),
            LoadFrom::Checkpoint(tick) => format!("?checkpoint={tick}"),
        };
        loop {
            let page = self.server.get_bytes(&format!("{path}{query}"), PAGE_BYTES_MAX);
            let page = match page {
                Ok(page) => page,
                Err(HttpError::Unknown(_)) => return Ok(ControlFlow::Continue(())),
                Err(error) => return Err(self.error(error)),
            };
            let mut page = Page::read(load.match_id, &page).map_err(|e| self.error(e))?;
            let mut last: Option<Position> = None;
            while let Some(stored) = page.next_record().map_err(|e| self.error(e))? {
                last = Some(stored.position);
                if each(&stored).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            match last.filter(|_| page.has_more) {
                Some(Position(last)) => query = format!("?after={last}"),
                None => return Ok(ControlFlow::Continue(())),
            }
        }
    }
}

impl JournalReader for RemoteJournal {
    fn load_while(
        &self,
        wanted: &[Load],
        each: &mut dyn FnMut(&Stored<'_>) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        for load in wanted {
            if self.load_one(load, each)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn list(
        &self,
        state: Option<JournalState>,
        each: &mut dyn FnMut(JournalEntry),
    ) -> Result<(), JournalError> {
        let mut after = String::new();
        loop {
            let path = format!("/v1/journals{after}");
            let page: Vec<JournalDocument> = self.server.get(&path).map_err(|e| self.error(e))?;
            let is_full = page.len() == LIST_ROWS_MAX;
            let mut last: Option<MatchId> = None;
            for document in page {
                let entry = self.entry_of(document)?;
                last = Some(entry.match_id);
                if state.is_none_or(|state| state == entry.state) {
                    each(entry);
                }
            }
            match last.filter(|_| is_full) {
                Some(last) => after = format!("?after={last}"),
                None => return Ok(()),
            }
        }
    }

    fn entry(&self, match_id: MatchId) -> Result<Option<JournalEntry>, JournalError> {
        let path = format!("/v1/matches/{match_id}/journal");
        let found: Option<JournalDocument> = self.server.find(&path).map_err(|e| self.error(e))?;
        found.map(|document| self.entry_of(document)).transpose()
    }
}
