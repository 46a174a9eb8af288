//! The running server that a verb speaks to, found from the flags that say where matches are.

use std::path::PathBuf;
use std::time::Duration;

use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::LIST_ROWS_MAX;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::CliError;
use super::http::{HttpError, Server};
use super::place::{Named, Place};
use crate::admin::matches::OrderedDocument;
use crate::data_dir::DataDir;
use crate::node::Endpoints;
use crate::shard::timeline::Timeline;
use crate::shard::view::{MatchRow, MatchStage, MatchView};
use crate::travel::Picture;

/// A server that answers.
#[derive(Clone)]
pub(super) struct Running {
    server: Server,
}

impl Running {
    /// The server that is named, or the one that runs on the folder that is.
    pub(super) fn find(place: &Place) -> Result<Self, CliError> {
        let (server, data) = match place.named()? {
            Named::Server(server) => (Some(server), None),
            Named::Folder(data) => {
                let endpoints = DataDir::inspect(&data)?.endpoints::<Endpoints>()?;
                let server = endpoints.map(|endpoints| place.server_of(&endpoints)).transpose()?;
                (server, Some(data))
            }
        };
        let nobody = |data: PathBuf| {
            CliError::Usage(format!(
                "no server runs on `{data}`: `matchkeep serve --data {data}` starts one, and `history ls` lists \
                 what is stored",
                data = data.display()
            ))
        };
        match (server, data) {
            (Some(server), data) => match (server.look(), data) {
                (Ok(()), _) => Ok(Self { server }),
                // Left by a server that was killed.
                (Err(_), Some(data)) if !server.is_tls() => Err(nobody(data)),
                (Err(error), _) => Err(CliError::Usage(format!(
                    "{error}: `serve` says on starting where its admin interface is"
                ))),
            },
            (None, Some(data)) => Err(nobody(data)),
            (None, None) => unreachable!("an address or a folder is named"),
        }
    }

    /// The document at a path.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.server.get(path).map_err(CliError::from)
    }

    /// All matches there are, of a mode and in a stage where these are named.
    pub(super) fn matches(
        &self,
        mode: Option<&str>,
        stage: Option<MatchStage>,
    ) -> Result<Vec<MatchRow>, CliError> {
        let mut filter = format!("limit={LIST_ROWS_MAX}");
        if let Some(mode) = mode {
            filter += &format!("&mode={mode}");
        }
        if let Some(stage) = stage {
            filter += &format!("&stage={}", stage.label());
        }
        let mut all: Vec<MatchRow> = Vec::new();
        loop {
            let after = all.last().map_or_else(String::new, |row| format!("&after={}", row.id));
            let page: Vec<MatchRow> = self.get(&format!("/v1/matches?{filter}{after}"))?;
            let is_last = page.len() < LIST_ROWS_MAX;
            all.extend(page);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// One match with its players.
    pub(super) fn view(&self, id: MatchId) -> Result<MatchView, CliError> {
        self.get(&format!("/v1/matches/{id}"))
    }

    /// How one match looks from above.
    pub(super) fn picture(&self, id: MatchId) -> Result<Picture, CliError> {
        self.get(&format!("/v1/matches/{id}/view"))
    }

    /// The state of one match.
    pub(super) fn state(&self, id: MatchId) -> Result<Value, CliError> {
        self.get(&format!("/v1/matches/{id}/state"))
    }

    /// The next seconds of a match, phase by phase.
    pub(super) fn timeline(&self, id: MatchId, seconds: u64) -> Result<Timeline, CliError> {
        let path = format!("/v1/matches/{id}/timeline?seconds={seconds}");
        self.server.get_after(&path, Duration::from_secs(seconds)).map_err(CliError::from)
    }

    /// Has something done to a match.
    pub(super) fn order(
        &self,
        id: MatchId,
        order: &str,
        body: &Value,
    ) -> Result<OrderedDocument, CliError> {
        let path = format!("/v1/matches/{id}/{order}");
        self.server.post(&path, body).map_err(CliError::from)
    }
}

impl From<HttpError> for CliError {
    fn from(error: HttpError) -> Self {
        if error.is_misplaced() { Self::Usage(error.to_string()) } else { Self::failed(error) }
    }
}
