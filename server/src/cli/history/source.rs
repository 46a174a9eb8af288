//! Where matches are read from: the running server, or a data folder alone.

use std::path::Path;

use matchkeep_shared::ids::MatchId;

use crate::cli::CliError;
use crate::cli::http::{HttpError, Server};
use crate::cli::place::{Named, Place};
use crate::data_dir::DataDir;
use crate::node::Endpoints;
use crate::store::{
    AuditFilter, AuditRow, History, ListFilter, MatchRecord, MatchSummary, StoreError,
};

/// Where matches are read from.
pub(in crate::cli) enum Source {
    Server(Server),
    Folder(Box<History>),
}

impl Source {
    /// The server where one runs, else the folder.
    pub(in crate::cli) fn open(place: &Place) -> Result<Self, CliError> {
        match place.named()? {
            Named::Server(server) => Ok(Self::Server(server)),
            Named::Folder(data) => {
                if let Some(endpoints) = DataDir::inspect(&data)?.endpoints::<Endpoints>()? {
                    let server = place.server_of(&endpoints)?;
                    if server.is_alive() {
                        return Ok(Self::Server(server));
                    }
                }
                Self::folder(&data)
            }
        }
    }

    /// The folder, whether a server runs on it or not.
    pub(in crate::cli) fn folder(data: &Path) -> Result<Self, CliError> {
        let history = History::open(data).map_err(|e| CliError::Usage(e.to_string()))?;
        Ok(Self::Folder(Box::new(history)))
    }

    pub(in crate::cli) fn list(&self, filter: &ListFilter) -> Result<Vec<MatchSummary>, CliError> {
        match self {
            Self::Folder(history) => history.list(filter).map_err(store_error),
            Self::Server(server) => {
                let mut path = format!("/v1/history?limit={}", filter.limit);
                if let Some(before) = filter.before {
                    path += &format!("&before={before}");
                }
                if let Some(mode) = &filter.mode {
                    path += &format!("&mode={mode}");
                }
                if let Some(state) = filter.state {
                    path += &format!("&state={}", state.label());
                }
                server.get(&path).map_err(http_error)
            }
        }
    }

    pub(in crate::cli) fn show(&self, id: MatchId) -> Result<MatchRecord, CliError> {
        match self {
            Self::Folder(history) => history.show(id).map_err(store_error),
            Self::Server(server) => server.get(&format!("/v1/history/{id}")).map_err(http_error),
        }
    }

    pub(in crate::cli) fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditRow>, CliError> {
        match self {
            Self::Folder(history) => history.audit(filter).map_err(store_error),
            Self::Server(server) => {
                let mut path = format!("/v1/audit?limit={}", filter.limit);
                if let Some(before) = filter.before {
                    path += &format!("&before={before}");
                }
                server.get(&path).map_err(http_error)
            }
        }
    }
}

fn store_error(error: StoreError) -> CliError {
    match error {
        StoreError::UnknownMatch(_) => CliError::Usage(error.to_string()),
        error => CliError::failed(error),
    }
}

fn http_error(error: HttpError) -> CliError {
    CliError::Usage(error.to_string())
}
