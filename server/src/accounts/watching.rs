//! The provider's keys as they are in their file, read again when it changes.
//!
//! Owns: that a file which cannot be read is named. Must not know: what keys are for.

use std::path::PathBuf;
use std::sync::Arc;

use matchkeep_shared::limits::IDENTITY_KEYS_BYTES_MAX;
use tokio::sync::watch;

use super::{Algorithm, ProviderKeys};
use crate::watched;

/// Why keys cannot be used.
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
    watched::watch("the identity provider's keys", vec![path.clone()], move || {
        let read = || {
            let bytes = watched::read_up_to(&path, IDENTITY_KEYS_BYTES_MAX)?;
            ProviderKeys::parse(&bytes, algorithm).map_err(|error| error.to_string())
        };
        read().map_err(|cause| KeysUnusable { path: path.clone(), cause })
    })
}
