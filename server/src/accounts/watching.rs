//! The provider's keys as they are in their file, read again when it changes.
//!
//! Owns: when the file is looked at, and that one which cannot be read changes nothing. Must not know: what keys are
//! for.

use std::fs::Metadata;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use matchkeep_shared::limits::IDENTITY_KEYS_BYTES_MAX;
use tokio::sync::watch;

use super::{Algorithm, KeysError, ProviderKeys};

/// How often it is looked whether the file changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why there are no keys to begin with.
#[derive(Debug, thiserror::Error)]
#[error("identity_keys: `{path}` cannot be used: {cause}")]
pub struct KeysUnusable {
    /// The file.
    path: PathBuf,
    /// What is wrong with it.
    cause: String,
}

/// Reads the keys, and goes on looking for new ones as long as somebody uses them. Call within a runtime.
///
/// # Errors
/// [`KeysUnusable`] names the file.
pub(crate) fn watch(
    path: PathBuf,
    algorithm: Algorithm,
) -> Result<watch::Receiver<Arc<ProviderKeys>>, KeysUnusable> {
    // Before the file is read: what changes meanwhile is found.
    let seen = stamp(&path);
    let keys =
        read(&path, algorithm).map_err(|cause| KeysUnusable { path: path.clone(), cause })?;
    let (sender, receiver) = watch::channel(Arc::new(keys));
    tokio::spawn(look_again(path, algorithm, seen, sender));
    Ok(receiver)
}

async fn look_again(
    path: PathBuf,
    algorithm: Algorithm,
    mut seen: Option<Stamp>,
    keys: watch::Sender<Arc<ProviderKeys>>,
) {
    loop {
        tokio::select! {
            () = keys.closed() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let found = stamp(&path);
        if found == seen {
            continue;
        }
        seen = found;
        match read(&path, algorithm) {
            Ok(found) => {
                tracing::info!(keys = ?found, "the identity provider's keys were read again");
                keys.send_replace(Arc::new(found));
            }
            Err(cause) => {
                let path = path.display();
                tracing::error!(%path, %cause, "new identity_keys cannot be used; those before stay in force");
            }
        }
    }
}

/// By what it is seen that a file is another one.
type Stamp = (SystemTime, u64, u64);

fn stamp(path: &Path) -> Option<Stamp> {
    let of = |metadata: Metadata| Some((metadata.modified().ok()?, metadata.len(), metadata.ino()));
    std::fs::metadata(path).ok().and_then(of)
}

fn read(path: &Path, algorithm: Algorithm) -> Result<ProviderKeys, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let mut bounded = file.take(IDENTITY_KEYS_BYTES_MAX as u64 + 1);
    bounded.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() > IDENTITY_KEYS_BYTES_MAX {
        return Err(format!("longer than {IDENTITY_KEYS_BYTES_MAX} bytes"));
    }
    ProviderKeys::parse(&bytes, algorithm).map_err(|error: KeysError| error.to_string())
}
