//! The certificate by whose name clients know the lobby, where the operator has one.
//!
//! Owns: that a new one is shown to who connects from then on. Must not know: who connects, and where fingerprints are
//! told.

use std::sync::Arc;

use quinn::Endpoint;
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

use super::endpoint;
use crate::identity::{Fingerprint, ServerIdentity, provider};
use crate::pem::{self, PemError};
use crate::settings::TlsFiles;
use crate::watched;

/// The certificate in force; a new one when the files change.
pub(crate) type Certificate = watch::Receiver<Arc<CertifiedKey>>;

/// Reads certificate and key, and goes on looking for new ones.
///
/// # Errors
/// [`PemError`] names the setting and the file.
pub(crate) fn open(files: TlsFiles) -> Result<Certificate, PemError> {
    let paths = vec![files.certificate.clone(), files.key.clone()];
    watched::watch("the lobby's certificate", paths, move || pem::load(&files, &provider()))
}

/// What clients can pin of it.
pub(crate) fn fingerprint(certificate: &CertifiedKey) -> Fingerprint {
    Fingerprint::of(certificate.cert.first().expect("a chain of none is not loaded"))
}

/// Shows new certificates to who connects, as long as the files are looked at, and tells of each.
pub(crate) async fn renew(
    identity: ServerIdentity,
    endpoint: Endpoint,
    mut certificate: Certificate,
    tell: impl Fn(Fingerprint),
) {
    while certificate.changed().await.is_ok() {
        let shown = Arc::clone(&certificate.borrow_and_update());
        let fingerprint = fingerprint(&shown);
        match endpoint::server_config(&identity, Some(shown)) {
            Ok(config) => {
                endpoint.set_server_config(Some(config));
                tell(fingerprint);
                tracing::info!(%fingerprint, "the lobby shows a new certificate");
            }
            Err(error) => tracing::error!(%error, "the lobby shows the certificate it has"),
        }
    }
}
