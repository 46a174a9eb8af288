//! The flags that say where matches are: a data folder, or a running server's admin address.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::credentials::Credentials;
use super::http::Server;
use super::{CliError, default_data};
use crate::data_dir::{DataDir, DataDirError};
use crate::settings::ADMIN_PORT;

/// Where matches are, and in which form they are told.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// Data folder of the server; read directly where no server runs on it
    #[arg(long, value_name = "DIR", global = true)]
    pub(super) data: Option<PathBuf>,
    /// Admin address of a running server [default: 127.0.0.1:7780]
    #[arg(long, value_name = "ADDR", global = true, conflicts_with = "data")]
    pub(super) admin: Option<SocketAddr>,
    /// File with the token to show the server [default: the one in MATCHKEEP_TOKEN]
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) token_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
}

/// What was named, or is meant where nothing was.
pub(super) enum Named {
    Server(Server),
    Folder(PathBuf),
}

impl Place {
    /// The server at an address, asked with the token that was given.
    pub(super) fn server(&self, admin: SocketAddr) -> Result<Server, CliError> {
        Ok(Server::new(admin, &Credentials::find(self.token_file.as_deref())?))
    }

    pub(super) fn named(&self) -> Result<Named, CliError> {
        if let Some(admin) = self.admin {
            return Ok(Named::Server(self.server(admin)?));
        }
        if let Some(data) = &self.data {
            return Ok(Named::Folder(data.clone()));
        }
        let admin = SocketAddr::from(([127, 0, 0, 1], ADMIN_PORT));
        let server = self.server(admin)?;
        if server.is_alive() {
            return Ok(Named::Server(server));
        }
        // Without a word about where, the folder that `serve` uses by default is meant.
        match DataDir::inspect(&default_data()) {
            Ok(_) => Ok(Named::Folder(default_data())),
            Err(DataDirError::Missing { .. }) => Err(CliError::Usage(format!(
                "no server answers at {admin}, and there is no data folder `{}` here: name the \
                 folder with --data or the server with --admin",
                default_data().display()
            ))),
            Err(error) => Err(error.into()),
        }
    }
}
