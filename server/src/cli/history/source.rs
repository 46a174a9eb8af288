//! Where matches are read from: the running server, or a data folder alone.

use std::net::SocketAddr;
use std::path::Path;

use matchkeep_shared::ids::MatchId;

use crate::cli::CliError;
use crate::cli::http::{self, HttpError};
use crate::cli::place::{Named, Place};
use crate::data_dir::DataDir;
use crate::node::Endpoints;
use crate::store::{History, ListFilter, MatchRecord, MatchSummary, StoreError};

/// Where matches are read from.
pub(in crate::cli) enum Source {
    Server(SocketAddr),
    Folder(Box<History>),
}

impl Source {
    /// The server where one runs, else the folder.
    pub(in crate::cli) fn open(place: &Place) -> Result<Self, CliError> {
        match place.named()? {
            Named::Server(admin) => Ok(Self::Server(admin)),
            Named::Folder(data) => {
                if let Some(endpoints) = DataDir::inspect(&data)?.endpoints::<Endpoints>()?
                    && http::get_text(endpoints.admin, "/livez").is_ok()
                {
                    return Ok(Self::Server(endpoints.admin));
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
            Self::Server(admin) => {
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
                http::get(*admin, &path).map_err(http_error)
            }
        }
    }

    pub(in crate::cli) fn show(&self, id: MatchId) -> Result<MatchRecord, CliError> {
        match self {
            Self::Folder(history) => history.show(id).map_err(store_error),
            Self::Server(admin) => {
                http::get(*admin, &format!("/v1/history/{id}")).map_err(http_error)
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
