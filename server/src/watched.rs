//! Files that a running server reads again when they change.
//!
//! Owns: when they are looked at, and that what cannot be used changes nothing. Must not know: what is in them, and who
//! uses it.

use std::fmt::Display;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

/// How often it is looked whether they changed.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Reads what is in `files`, and again when they change, for as long as somebody uses it. `what` it is, logs say. Call
/// within a runtime.
///
/// # Errors
/// What `load` says of the files as they are now.
pub(crate) fn watch<T, E>(
    what: &'static str,
    files: Vec<PathBuf>,
    load: impl Fn() -> Result<T, E> + Send + Sync + 'static,
) -> Result<watch::Receiver<Arc<T>>, E>
where
    T: Send + Sync + 'static,
    E: Display + 'static,
{
    // Before they are read: what changes meanwhile is found.
    let seen = stamps(&files);
    let (sender, receiver) = watch::channel(Arc::new(load()?));
    tokio::spawn(look_again(what, files, seen, load, sender));
    Ok(receiver)
}

/// The bytes of a file, unless it is longer than that.
pub(crate) fn read_up_to(path: &Path, bytes_max: usize) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let mut bounded = file.take(bytes_max as u64 + 1);
    bounded.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() > bytes_max {
        return Err(format!("longer than {bytes_max} bytes"));
    }
    Ok(bytes)
}

/// By what it is seen that a file is another one.
type Stamp = (SystemTime, u64, u64);

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    let of = |metadata: Metadata| Some((metadata.modified().ok()?, metadata.len(), metadata.ino()));
    files.iter().map(|path| std::fs::metadata(path).ok().and_then(of)).collect()
}

async fn look_again<T, E>(
    what: &'static str,
    files: Vec<PathBuf>,
    mut seen: Vec<Option<Stamp>>,
    load: impl Fn() -> Result<T, E> + Send + Sync + 'static,
    current: watch::Sender<Arc<T>>,
) where
    T: Send + Sync + 'static,
    E: Display + 'static,
{
    let looked_at = Arc::new((files, load));
    let mut complaint = None;
    loop {
        tokio::select! {
            () = current.closed() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        // What could not be used is tried again: a file may be closed to us for a while without changing.
        let (known, is_failing) = (seen.clone(), complaint.is_some());
        let looked_at = Arc::clone(&looked_at);
        let look = move || {
            let (files, load) = &*looked_at;
            let found = stamps(files);
            let loaded =
                (is_failing || found != known).then(|| load().map_err(|error| error.to_string()));
            (found, loaded)
        };
        let Ok((found, loaded)) = tokio::task::spawn_blocking(look).await else { continue };
        seen = found;
        match loaded {
            None => {}
            Some(Ok(loaded)) => {
                complaint = None;
                current.send_replace(Arc::new(loaded));
                tracing::info!("{what} changed, and is in force as it is now");
            }
            Some(Err(error)) => {
                if complaint.as_ref() != Some(&error) {
                    tracing::error!(%error, "{what} cannot be used; what was there before stays in force");
                }
                complaint = Some(error);
            }
        }
    }
}
