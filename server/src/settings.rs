//! What an operator sets: TOML file, environment and flags, one to one. Everything is checked here, with
//! a message that names the setting, the value, where it was set and what is allowed.
//!
//! [`SettingsFile`] is the one declaration: a key of the file, a flag and a variable each, with its default
//! and a line of documentation. [`Layers`] puts what was set where above each other; `resolve` checks it
//! and makes [`Settings`]. Must not know: how a command line is parsed or anything is printed.

mod error;
mod file;
mod key;
mod layers;
mod lines;
mod mode;
mod resolve;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use matchkeep_shared::time::TickRate;

pub use error::SettingsError;
pub use file::{LogFormat, SettingsFile, Values};
pub use key::{CONFIG_VARIABLE, Key, Kind, VARIABLE_PREFIX};
pub use layers::{Layers, Origin, Setting};
pub use mode::MODE_KEYS;

use crate::accounts::ProviderRules;
use crate::matchmaking::ModeRules;
use crate::rates::Rate;
use crate::shard::message::MatchPolicy;

/// The lobby's UDP port, unless set.
pub const LOBBY_PORT: u16 = 7777;
/// The first shard's UDP port, unless set; the others follow.
pub const SHARD_PORT: u16 = 7778;
/// The admin interface's TCP port, unless set.
pub const ADMIN_PORT: u16 = 7780;
/// Shards of one node.
pub const SHARDS_MAX: usize = 256;
/// Modes of one server.
pub const MODES_MAX: usize = 64;

/// Who may come how often, unless set. A restart sends everybody behind one address back at once, some more than
/// once; in the long run a player opens two connections and plays for minutes.
const ADMISSION: Admission = Admission {
    connections: Rate { per_second: 100, at_once: 1000 },
    requests: Rate { per_second: 10, at_once: 60 },
};

/// How often somebody may come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Admission {
    /// Connections of one address, at the lobby and at each shard.
    pub connections: Rate,
    /// Requests of one player at the lobby.
    pub requests: Rate,
}

impl Admission {
    /// As often as one likes: for who measures, and brings all players from one address.
    pub const ANY: Self = Self { connections: Rate::ANY, requests: Rate::ANY };
}

impl Default for Admission {
    fn default() -> Self {
        ADMISSION
    }
}

/// What is kept of the journals of finished matches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kept {
    /// A finished match's journal is kept for this long.
    pub age_max: Duration,
    /// All journals together, in bytes: above that those of the matches finished first go.
    pub bytes_max: u64,
}

impl Default for Kept {
    /// A month, in 20 GiB.
    fn default() -> Self {
        Self { age_max: Duration::from_secs(30 * 24 * 60 * 60), bytes_max: 20 << 30 }
    }
}

/// Where a certificate and its key are, as PEM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// The certificate, and those that lead from it to a root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The settings that name them, in this order.
    pub settings: [&'static str; 2],
}

/// An identity provider, and where its public keys are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdentitySettings {
    /// The file with the keys.
    pub keys: PathBuf,
    /// What its tokens must say.
    pub rules: ProviderRules,
}

/// Settings that a server can run with.
#[derive(Clone, Debug)]
pub struct Settings<C> {
    /// The data folder.
    pub data: PathBuf,
    /// The address that lobby and shards listen on.
    pub host: IpAddr,
    /// The lobby's UDP port; 0 for any.
    pub lobby_port: u16,
    /// The first shard's UDP port; 0 for any.
    pub shard_port: u16,
    /// Certificate and key of the lobby, where it does not show one of its own.
    pub lobby_tls: Option<TlsFiles>,
    /// The admin interface's address.
    pub admin: SocketAddr,
    /// Certificate and key of the admin interface, where it speaks TLS.
    pub admin_tls: Option<TlsFiles>,
    /// Who says who players are; `None`: they do.
    pub identity: Option<IdentitySettings>,
    /// Who may come how often.
    pub admission: Admission,
    /// The number of shards.
    pub shards: usize,
    /// Whether shards are pinned to cores.
    pub pin: bool,
    /// Whether matches are journaled.
    pub journal: bool,
    /// What is kept of the journals of finished matches.
    pub journal_kept: Kept,
    /// Whether clients are told a hash of the state with every snapshot.
    pub state_hashes: bool,
    /// The modes, at least one.
    pub modes: Vec<Mode<C>>,
}

/// One mode a server can run.
#[derive(Clone, Debug)]
pub struct Mode<C> {
    /// Its name.
    pub name: String,
    /// How its matches are formed, places among it.
    pub rules: ModeRules,
    /// Its tick rate.
    pub rate: TickRate,
    /// How long a place is held for a player who lost the connection.
    pub hold: Duration,
    /// How its matches are run.
    pub policy: MatchPolicy,
    /// The map's name, where the operator set one.
    pub map: Option<String>,
    /// The game's configuration.
    pub config: C,
}
