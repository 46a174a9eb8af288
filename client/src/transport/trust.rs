//! By what a lobby is known: a fingerprint, or a name that others vouch for.
//!
//! Owns: the certificates of those others, and the name. Must not know: connections.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};

use super::Fingerprint;

/// By what a client knows its lobby. Shards are known by the fingerprint that the lobby tells.
#[derive(Clone, Debug)]
pub enum Trust {
    /// By its certificate, whatever that says: for development, and where the fingerprint is given out with the game.
    Pinned(Fingerprint),
    /// By its name: the certificate is for it, is in force, and leads to one of the roots.
    Named {
        /// The name, or an IP address.
        name: ServerName<'static>,
        /// Who may vouch for it.
        roots: Roots,
    },
}

impl Trust {
    /// By a name (`game.example.org`) or an IP address that these roots vouch for.
    ///
    /// # Errors
    /// [`TrustError::Name`] where it is neither.
    pub fn named(name: &str, roots: Roots) -> Result<Self, TrustError> {
        let error = |_| TrustError::Name(name.chars().take(80).collect());
        Ok(Self::Named { name: ServerName::try_from(name.to_owned()).map_err(error)?, roots })
    }

    /// The name to ask for.
    pub(crate) fn name(&self) -> String {
        match self {
            // Of no meaning: the certificate is known by its fingerprint.
            Self::Pinned(_) => "matchkeep".to_owned(),
            Self::Named { name, .. } => name.to_str().into_owned(),
        }
    }
}

impl From<Fingerprint> for Trust {
    fn from(fingerprint: Fingerprint) -> Self {
        Self::Pinned(fingerprint)
    }
}

/// Certificates of those who may vouch for a name. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Roots(pub(crate) Arc<RootCertStore>);

impl Roots {
    /// Those that browsers trust, as they were when this was built.
    pub fn web() -> Self {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
        Self(Arc::new(RootCertStore { roots: roots.collect() }))
    }

    /// Those in a text in PEM.
    ///
    /// # Errors
    /// [`TrustError`] where there is none, or one cannot be read.
    pub fn of_pem(pem: &[u8]) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| TrustError::Roots(error.to_string()))?;
            roots.add(certificate).map_err(|error| TrustError::Roots(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(TrustError::NoRoots);
        }
        Ok(Self(Arc::new(roots)))
    }
}

/// Why nobody can be known by this.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TrustError {
    /// No name.
    #[error("`{0}` is neither a name, such as game.example.org, nor an IP address")]
    Name(String),
    /// What is no certificate.
    #[error("a certificate in it cannot be read: {0}")]
    Roots(String),
    /// Nothing.
    #[error("it holds no certificate in PEM")]
    NoRoots,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_names_and_roots_are_certificates() {
        let certified = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]);
        let pem = certified.expect("a certificate").cert.pem();
        let roots = Roots::of_pem(pem.as_bytes()).expect("one root");
        for name in ["game.example.org", "localhost", "127.0.0.1", "::1"] {
            assert_eq!(Trust::named(name, roots.clone()).expect("it is one").name(), name);
        }
        for name in ["", "a b", "-a", "https://a"] {
            let error = Trust::named(name, roots.clone()).expect_err("it is none");
            assert_eq!(error, TrustError::Name(name.to_owned()));
        }
        assert_eq!(Roots::of_pem(b"").expect_err("none"), TrustError::NoRoots);
        let torn = pem.replace("END CERT", "");
        assert!(Roots::of_pem(torn.as_bytes()).is_err());
        assert!(!Roots::web().0.is_empty());
    }
}
