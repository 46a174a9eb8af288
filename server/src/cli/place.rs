//! The flags that say where matches are: a data folder, or a running server's admin address.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::admin_address::AdminAddress;
use super::credentials::Credentials;
use super::http::Server;
use super::{CliError, default_data};
use crate::data_dir::{DataDir, DataDirError};
use crate::node::Endpoints;
use crate::settings::ADMIN_PORT;

/// Where matches are, and in which form they are told.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// Data folder of the server; read directly where no server runs on it
    #[arg(long, value_name = "DIR", global = true)]
    pub(super) data: Option<PathBuf>,
    /// Admin address of a running server, or https://HOST:PORT [default: 127.0.0.1:7780]
    #[arg(long, value_name = "ADDR", global = true, conflicts_with = "data")]
    pub(super) admin: Option<AdminAddress>,
    /// Certificates (PEM) by one of which the server must be known; with it, TLS is spoken
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) admin_ca: Option<PathBuf>,
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
    fn server(&self, mut admin: AdminAddress) -> Result<Server, CliError> {
        admin.is_tls |= self.admin_ca.is_some();
        Ok(Server::new(&admin, &self.credentials()?))
    }

    /// The server that published this.
    pub(super) fn server_of(&self, endpoints: &Endpoints) -> Result<Server, CliError> {
        Ok(Server::new(&AdminAddress::of(endpoints), &self.credentials()?))
    }

    fn credentials(&self) -> Result<Credentials, CliError> {
        Credentials::find(self.token_file.as_deref(), self.admin_ca.as_deref())
    }

    pub(super) fn named(&self) -> Result<Named, CliError> {
        if let Some(admin) = &self.admin {
            return Ok(Named::Server(self.server(admin.clone())?));
        }
        if let Some(data) = &self.data {
            return Ok(Named::Folder(data.clone()));
        }
        let admin = SocketAddr::from(([127, 0, 0, 1], ADMIN_PORT));
        let server = self.server(admin.into())?;
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
