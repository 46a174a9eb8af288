//! TLS for the admin interface.
//!
//! Owns: reading certificate and key, and taking new ones while the server runs. Must not know: who connects,
//! and what is asked.

mod listener;

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use matchkeep_shared::limits::ADMIN_PEM_BYTES_MAX;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::watch;

use crate::settings::TlsFiles;
pub(super) use listener::TlsListener;

/// How often it is looked whether the files changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
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
    #[error("admin_certificate `{certificate}` and admin_key `{key}` do not go together: {cause}")]
    Unfit {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What rustls says.
        cause: rustls::Error,
    },
}

/// The certificate in force; a new one when the files change.
pub(crate) type Certificate = watch::Receiver<Arc<ServerConfig>>;

/// Reads certificate and key, and checks that they go together.
///
/// # Errors
/// [`TlsError`] names the setting and the file.
pub(crate) fn load(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = read("admin_certificate", &files.certificate, |pem| {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        match chain {
            Ok(chain) if chain.is_empty() => Err("it holds no certificate in PEM".to_owned()),
            chain => chain.map_err(|error| error.to_string()),
        }
    })?;
    let key = read("admin_key", &files.key, |pem| {
        PrivateKeyDer::from_pem_slice(pem)
            .map_err(|error| format!("no private key in PEM: {error}"))
    })?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
    let mut config = config.map_err(|cause| TlsError::Unfit {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        cause,
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn read<T>(
    setting: &'static str,
    path: &Path,
    parse: impl FnOnce(&[u8]) -> Result<T, String>,
) -> Result<T, TlsError> {
    let read = || {
        let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        let mut bounded = file.take(ADMIN_PEM_BYTES_MAX as u64 + 1);
        bounded.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        if bytes.len() > ADMIN_PEM_BYTES_MAX {
            return Err(format!("longer than {ADMIN_PEM_BYTES_MAX} bytes"));
        }
        parse(&bytes)
    };
    read().map_err(|cause| TlsError::Unreadable { setting, path: path.into(), cause })
}

/// Reads certificate and key, and goes on looking for new ones.
pub(crate) fn open(files: TlsFiles) -> Result<Certificate, TlsError> {
    // Before the files are read: what changes meanwhile is found.
    let seen = Stamp::of(&files);
    let (sender, receiver) = watch::channel(load(&files)?);
    tokio::spawn(look_again(files, seen, sender));
    Ok(receiver)
}

/// By what it is seen that a file is another one.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp([Option<(SystemTime, u64, u64)>; 2]);

impl Stamp {
    fn of(files: &TlsFiles) -> Self {
        Self([&files.certificate, &files.key].map(|path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
        }))
    }
}

/// Takes what is new. What cannot be used is told, and the certificate before stays.
async fn look_again(files: TlsFiles, mut seen: Stamp, current: watch::Sender<Arc<ServerConfig>>) {
    let files = Arc::new(files);
    loop {
        tokio::select! {
            () = current.closed() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let looked_at = Arc::clone(&files);
        let look = move || {
            let stamp = Stamp::of(&looked_at);
            (stamp, (stamp != seen).then(|| load(&looked_at)))
        };
        let Ok((stamp, loaded)) = tokio::task::spawn_blocking(look).await else { continue };
        seen = stamp;
        match loaded {
            None => {}
            Some(Ok(config)) => {
                current.send_replace(config);
                tracing::info!("the admin interface has a new certificate");
            }
            Some(Err(error)) => {
                tracing::error!(%error, "the admin interface keeps the certificate it has");
            }
        }
    }
}
