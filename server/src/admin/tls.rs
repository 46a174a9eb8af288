//! TLS for the admin interface.
//!
//! Owns: how it speaks TLS, and that a new certificate is taken while the server runs. Must not know: who connects,
//! and what is asked.

mod listener;

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::sign::SingleCertAndKey;
use tokio::sync::watch;

use crate::pem::{self, PemError};
use crate::settings::TlsFiles;
use crate::watched;
pub(super) use listener::TlsListener;

/// The certificate in force; a new one when the files change.
pub(crate) type Certificate = watch::Receiver<Arc<ServerConfig>>;

/// Reads certificate and key, and checks that they go together.
fn load(files: &TlsFiles) -> Result<ServerConfig, PemError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certified = pem::load(files, &provider)?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|cause| PemError::Unfit { files: Box::new(files.clone()), cause })?
        .with_no_client_auth();
    let mut config = config.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Reads certificate and key, and goes on looking for new ones.
pub(crate) fn open(files: TlsFiles) -> Result<Certificate, PemError> {
    let paths = vec![files.certificate.clone(), files.key.clone()];
    watched::watch("the admin interface's certificate", paths, move || load(&files))
}
