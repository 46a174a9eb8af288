//! A certificate with its chain and its private key, from two PEM files.
//!
//! Owns: reading them, and that they go together. Must not know: who shows them, and when they are read.

use std::path::{Path, PathBuf};

use matchkeep_shared::limits::PEM_BYTES_MAX;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::settings::TlsFiles;
use crate::watched::read_up_to;

/// Why certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// A file.
    #[error("{setting}: `{path}` cannot be read: {cause}")]
    Unreadable {
        /// The setting that names it.
        setting: &'static str,
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// What is in them.
    #[error(
        "{} `{}` and {} `{}` do not go together: {cause}",
        .files.settings[0], .files.certificate.display(), .files.settings[1], .files.key.display()
    )]
    Unfit {
        /// The files.
        files: Box<TlsFiles>,
        /// What rustls says.
        cause: rustls::Error,
    },
}

/// Reads certificate and key, and checks that they go together.
///
/// # Errors
/// [`PemError`] names the setting and the file.
pub(crate) fn load(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, PemError> {
    let [certificate, key] = files.settings;
    let chain = read(certificate, &files.certificate, |pem| {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        match chain {
            Ok(chain) if chain.is_empty() => Err("it holds no certificate in PEM".to_owned()),
            chain => chain.map_err(|error| error.to_string()),
        }
    })?;
    let key = read(key, &files.key, |pem| {
        PrivateKeyDer::from_pem_slice(pem)
            .map_err(|error| format!("no private key in PEM: {error}"))
    })?;
    let certified = CertifiedKey::from_der(chain, key, provider);
    certified.map_err(|cause| PemError::Unfit { files: Box::new(files.clone()), cause })
}

fn read<T>(
    setting: &'static str,
    path: &Path,
    parse: impl FnOnce(&[u8]) -> Result<T, String>,
) -> Result<T, PemError> {
    let parsed = read_up_to(path, PEM_BYTES_MAX).and_then(|bytes| parse(&bytes));
    parsed.map_err(|cause| PemError::Unreadable { setting, path: path.into(), cause })
}
