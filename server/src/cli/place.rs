//! The flags that say where matches are: a data folder, or a running server's admin address.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::{CliError, default_data, http};
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
    /// Print JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
}

/// What was named, or is meant where nothing was.
pub(super) enum Named {
    Server(SocketAddr),
    Folder(PathBuf),
}

impl Place {
    pub(super) fn named(&self) -> Result<Named, CliError> {
        if let Some(admin) = self.admin {
            return Ok(Named::Server(admin));
        }
        if let Some(data) = &self.data {
            return Ok(Named::Folder(data.clone()));
        }
        let admin = SocketAddr::from(([127, 0, 0, 1], ADMIN_PORT));
        if http::get_text(admin, "/livez").is_ok() {
            return Ok(Named::Server(admin));
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
