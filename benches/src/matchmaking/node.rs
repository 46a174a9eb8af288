//! One node as far as matchmaking goes: the lobby that ships, its connection to the store, and who is connected.
//!
//! Owns: what the node's process holds in memory; when it dies all of it is gone. Must not know: when anything
//! arrives, and who plays. What the lobby asks of the store is written as the store's thread does it, many at a time in
//! one transaction, in any order; the world carries the answers.

use std::path::Path;

use anyhow::{Context, Result, bail};
use matchkeep_server::accounts::{Account, AccountKey};
use matchkeep_server::lobby::core::{ConnectionKey, Lobby, LobbyConfig, ModeEntry, ShardEntry};
use matchkeep_server::matchmaking::{LobbyId, QueueAsk, QueueSaid};
use matchkeep_server::store::{
    Directory, FinishedMatch, NewMatch, Queue, SqliteDirectory, StoreError,
};
use matchkeep_server::tickets::TicketSigner;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{MatchId, ShardId};
use matchkeep_shared::rng::Rng;
use matchkeep_shared::wire::message::GameVersion;

use super::plan::{MODE, Plan};

/// Shards of a node.
const SHARDS: u16 = 2;

/// A node that lives.
pub(super) struct Node {
    pub(super) lobby: Lobby,
    directory: SqliteDirectory,
    /// What the store was asked for and did not do yet.
    asked: Vec<StoreAsk>,
}

/// What is asked of the store.
#[derive(Clone, Debug)]
pub(super) enum StoreAsk {
    Account { to: ConnectionKey, key: AccountKey },
    Queue { to: Option<ConnectionKey>, ask: QueueAsk },
    Record(Box<NewMatch>),
    Result(Box<FinishedMatch>),
}

/// What is durable.
#[derive(Debug)]
pub(super) enum StoreSaid {
    Account(ConnectionKey, Account),
    Queue(Option<ConnectionKey>, QueueAsk, Result<QueueSaid, DisconnectReason>),
    Recorded,
    Stored(MatchId),
}

/// The game that is played: nobody needs more of it than its name.
pub(super) fn game() -> GameVersion {
    GameVersion { name: "played by true skill".to_owned(), rules: 1, schema: 1 }
}

/// A shard of a node; those of others have other numbers, so that a match of one is nobody else's.
fn shard(node: usize, nth: u16) -> ShardId {
    ShardId(node as u16 * SHARDS + nth)
}

impl Node {
    /// A node begins, with nothing but the store.
    ///
    /// # Errors
    /// Where the store cannot be opened.
    pub(super) fn begin(
        plan: &Plan,
        index: usize,
        folder: &Path,
        signer: TicketSigner,
        seed: u64,
    ) -> Result<Self> {
        let entry = |nth| {
            let shard = shard(index, nth);
            ShardEntry { shard, port: 7778 + shard.0, fingerprint: [0; 32] }
        };
        let mut random = Rng::new(seed);
        let wide = move || u64::from(random.next_u32()) << 32 | u64::from(random.next_u32());
        let lobby = Lobby::new(LobbyConfig {
            lobby: LobbyId(index as u64),
            game: game(),
            modes: vec![ModeEntry { name: MODE.to_owned(), rules: plan.rules }],
            shards: (0..SHARDS).map(entry).collect(),
            address: None,
            signer,
            provider: None,
            random: Box::new(wide),
        });
        let directory = SqliteDirectory::open(folder)?;
        Ok(Self { lobby, directory, asked: Vec::new() })
    }

    /// The store is asked for something. Says whether it was idle.
    pub(super) fn ask(&mut self, ask: StoreAsk) -> bool {
        self.asked.push(ask);
        self.asked.len() == 1
    }

    /// The store does all that it was asked for, in one transaction and as tasks of a runtime happen to get there.
    ///
    /// # Errors
    /// Where it fails in a way that has nothing to do with the queue's own rules.
    pub(super) fn write(&mut self, now_ms: u64, rng: &mut Rng) -> Result<Vec<StoreSaid>> {
        let mut asked = std::mem::take(&mut self.asked);
        for n in (1..asked.len()).rev() {
            asked.swap(n, rng.below(n as u32 + 1) as usize);
        }
        // A result needs its match's record: control tries again until that is there.
        asked.sort_by_key(|ask| !matches!(ask, StoreAsk::Record(_)));
        self.directory.begin()?;
        let said = asked.into_iter().map(|ask| self.carry_out(ask, now_ms));
        let said = said.collect::<Result<Vec<_>>>()?;
        self.directory.commit()?;
        Ok(said)
    }

    fn carry_out(&mut self, ask: StoreAsk, now_ms: u64) -> Result<StoreSaid> {
        Ok(match ask {
            StoreAsk::Account { to, key } => {
                StoreSaid::Account(to, self.directory.account(&key, now_ms)?)
            }
            StoreAsk::Queue { to, ask } => {
                let said = match self.directory.carry_out(&ask) {
                    Ok(said) => Ok(said),
                    // As control tells the lobby.
                    Err(StoreError::WaitsElsewhere { .. }) => {
                        Err(DisconnectReason::QueuedElsewhere)
                    }
                    Err(StoreError::QueueCrowded) => Err(DisconnectReason::QueueCrowded),
                    Err(error) => bail!("{ask:?}: {error}"),
                };
                StoreSaid::Queue(to, ask, said)
            }
            StoreAsk::Record(new) => {
                self.directory.create(&new).context("a match's record")?;
                StoreSaid::Recorded
            }
            StoreAsk::Result(finished) => {
                self.directory.finish(&finished).context("a result")?;
                StoreSaid::Stored(finished.id)
            }
        })
    }
}
