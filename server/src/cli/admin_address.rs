//! Where an admin interface is: an address, or a URL.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use crate::node::Endpoints;

/// Where an admin interface is, and whether it speaks TLS. Displayed as it is spoken of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct AdminAddress {
    /// `HOST:PORT`.
    pub(super) authority: String,
    pub(super) is_tls: bool,
}

impl AdminAddress {
    /// The interface of the server that published this, as it is reached from its own machine.
    pub(super) fn of(endpoints: &Endpoints) -> Self {
        let mut address = endpoints.admin;
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        Self { authority: address.to_string(), is_tls: endpoints.admin_tls }
    }

    /// Where requests go.
    pub(super) fn url(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }
}

impl From<SocketAddr> for AdminAddress {
    fn from(address: SocketAddr) -> Self {
        Self { authority: address.to_string(), is_tls: false }
    }
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_tls { f.write_str(&self.url()) } else { f.write_str(&self.authority) }
    }
}

/// What is no address.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected is IP:PORT, such as 127.0.0.1:7780, or https://HOST:PORT")]
pub(super) struct NoAddress;

impl FromStr for AdminAddress {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        if let Some(rest) = text.strip_prefix("https://") {
            let authority = rest.trim_end_matches('/');
            let (host, port) = authority.rsplit_once(':').ok_or(NoAddress)?;
            let is_part = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
            if host.is_empty() || !host.chars().all(is_part) || port.parse::<u16>().is_err() {
                return Err(NoAddress);
            }
            return Ok(Self { authority: authority.to_owned(), is_tls: true });
        }
        let address = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        address.parse::<SocketAddr>().map(Self::from).map_err(|_| NoAddress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_plain_and_a_url_says_how() {
        for (text, expected) in [
            ("127.0.0.1:7780", "http://127.0.0.1:7780"),
            ("http://127.0.0.1:7780/", "http://127.0.0.1:7780"),
            ("[::1]:1", "http://[::1]:1"),
            ("https://game.example.org:7780", "https://game.example.org:7780"),
            ("https://[::1]:7780/", "https://[::1]:7780"),
        ] {
            let address: AdminAddress = text.parse().expect(text);
            assert_eq!(address.url(), expected);
        }
        for text in ["", "7780", "localhost:7780", "https://a", "https://:1", "https://a b:1"] {
            assert_eq!(text.parse::<AdminAddress>(), Err(NoAddress), "{text}");
        }
    }
}
