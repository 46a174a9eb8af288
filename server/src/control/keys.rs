//! Looking for a new key that tickets are signed with, made by whichever program, and telling control.
//!
//! Owns: that only another key is news. Must not know: what is signed, and how a key becomes one in force.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::ControlEvent;
use crate::identity::{IdentityError, TicketKeyFile, ticket_keys_path};
use crate::tickets::{KeyId, TicketKeys};
use crate::wall::unix_ms;
use crate::watched;

/// The keys of a data folder as they are now, for as long as somebody uses them. Call within a runtime.
///
/// # Errors
/// [`IdentityError`] names the file.
pub(crate) fn watch(data: PathBuf) -> Result<watch::Receiver<Arc<TicketKeys>>, IdentityError> {
    let path = ticket_keys_path(&data);
    watched::watch("the key that tickets are signed with", vec![path.clone()], move || {
        let file = TicketKeyFile::read(&data)?;
        let file = file.ok_or_else(|| IdentityError::Unreadable {
            path: path.clone(),
            source: std::io::ErrorKind::NotFound.into(),
        })?;
        Ok(file.keys_from(unix_ms()))
    })
}

/// Tells control of each new key until either has ended.
pub(crate) async fn run(
    mut keys: watch::Receiver<Arc<TicketKeys>>,
    mut known: KeyId,
    control: mpsc::Sender<ControlEvent>,
) {
    loop {
        let found = TicketKeys::clone(&keys.borrow_and_update());
        if found.id() != known {
            known = found.id();
            if control.send(ControlEvent::Keys(found)).await.is_err() {
                return;
            }
        }
        tokio::select! {
            changed = keys.changed() => if changed.is_err() { return },
            () = control.closed() => return,
        }
    }
}
