//! A new key that tickets are signed with: every shard believes it before the lobby signs with it.

use std::collections::BTreeSet;

use matchkeep_shared::Game;
use matchkeep_shared::ids::ShardId;

use super::ControlCore;
use crate::shard::message::Command;
use crate::tickets::{KeyId, TicketKeys};

/// A key on its way to the lobby.
pub(super) struct Rotation {
    keys: TicketKeys,
    /// Shards that have not said yet that they believe it.
    missing: BTreeSet<ShardId>,
}

impl<G: Game> ControlCore<G> {
    /// There is a new key. A ticket that a shard met before the key itself would be refused.
    pub fn handle_keys(&mut self, keys: TicketKeys) {
        self.tell_all(&|| Command::Keys(keys.clone()));
        let missing = self.shards.iter().copied().collect();
        self.rotation = Some(Rotation { keys, missing });
    }

    /// A shard believes a key, and signs with it.
    pub(super) fn note_keys_taken(&mut self, shard: ShardId, id: KeyId) {
        // What belongs to a rotation that another one overtook is of no interest.
        let Some(rotation) = self.rotation.as_mut().filter(|it| it.keys.id() == id) else { return };
        rotation.missing.remove(&shard);
        if rotation.missing.is_empty() {
            let signer = rotation.keys.signer().clone();
            self.rotation = None;
            self.lobby.set_signer(signer);
            tracing::info!(key = %id, "tickets are signed with a new key");
        }
    }
}
