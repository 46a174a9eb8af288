//! Where a lobby is, as it is named on a command line, and by what it is known there.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::str::FromStr;

use matchkeep_client::transport::{Roots, Trust};
use matchkeep_shared::limits::PEM_BYTES_MAX;

use super::CliError;
use crate::watched::read_up_to;

/// A name or an address, and a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct LobbyPlace {
    host: String,
    port: u16,
}

impl LobbyPlace {
    /// Known by its name, for which the certificates in this file vouch, or those that browsers trust.
    pub(super) fn trust(&self, roots: Option<&Path>) -> Result<Trust, CliError> {
        let roots = match roots {
            None => Roots::web(),
            Some(path) => {
                let error = |cause: String| CliError::flag("lobby-ca", path.display(), cause);
                let pem = read_up_to(path, PEM_BYTES_MAX).map_err(error)?;
                Roots::of_pem(&pem).map_err(|cause| error(cause.to_string()))?
            }
        };
        let named = Trust::named(&self.host, roots);
        named.map_err(|cause| CliError::flag("lobby", &self.host, cause))
    }

    /// Its address. Asks the system, which may ask others.
    pub(super) fn resolve(&self) -> Result<SocketAddr, CliError> {
        let error = |cause: String| CliError::flag("lobby", &self.host, cause);
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        let found: Vec<_> = found.map_err(|cause| error(cause.to_string()))?.collect();
        // Servers listen on IPv4 where nobody says otherwise, and UDP tells nobody that it was the wrong one.
        let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
        first.copied().ok_or_else(|| error("the name has no address".to_owned()))
    }
}

/// What is no place.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected is HOST:PORT, such as game.example.org:7777 or 127.0.0.1:7777")]
pub(super) struct NoPlace;

impl FromStr for LobbyPlace {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self { host: address.ip().to_string(), port: address.port() });
        }
        let (host, port) = text.rsplit_once(':').ok_or(NoPlace)?;
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if host.is_empty() || !host.chars().all(is_part) {
            return Err(NoPlace);
        }
        Ok(Self { host: host.to_owned(), port: port.parse().map_err(|_| NoPlace)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_name_or_an_address_with_a_port() {
        for (text, host, port) in [
            ("127.0.0.1:7777", "127.0.0.1", 7777),
            ("[::1]:1", "::1", 1),
            ("game.example.org:7777", "game.example.org", 7777),
        ] {
            let expected = LobbyPlace { host: host.to_owned(), port };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in ["", "game.example.org", ":7777", "a b:1", "https://a:1", "a:70000", "a:"] {
            assert_eq!(text.parse::<LobbyPlace>(), Err(NoPlace), "{text}");
        }
        let here: LobbyPlace = "localhost:7777".parse().expect("a place");
        assert_eq!(here.resolve().map(|address| address.ip().is_loopback()).ok(), Some(true));
    }
}
