//! What an operator sets: TOML file, environment and flags, one to one. Everything is checked here, with
//! a message that names the setting, the value and what is allowed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use matchkeep_shared::Game;
use matchkeep_shared::encoding::encode;
use matchkeep_shared::game::{ConfigError, MapSource, ModeSpec};
use matchkeep_shared::limits::{
    MAP_FILE_BYTES_MAX, NAME_BYTES_MAX, PLACE_HOLD, PLAYERS_PER_MATCH_MAX, SERVER_MESSAGE_BYTES_MAX,
};
use matchkeep_shared::time::TickRate;
use serde::{Deserialize, Serialize};

use crate::shard::message::{MatchPolicy, Runaway};

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
/// The game's configuration of one mode, in bytes: it travels in the welcome, with a few numbers.
const CONFIG_BYTES_MAX: usize = SERVER_MESSAGE_BYTES_MAX - 128;
/// How far the journal may be behind in a mode that pauses then, in milliseconds.
const UNDURABLE_MS: u64 = 1000;
/// What can be set for that. Below a few flushes a match would stand still all the time.
const UNDURABLE_MS_ALLOWED: std::ops::RangeInclusive<u64> = 250..=60_000;
/// The longest the journal of a finished match can be kept, in days.
const JOURNAL_KEEP_DAYS_MAX: u32 = 3650;
/// The most that journals can be given, in GiB.
const JOURNAL_KEEP_GIB_MAX: u32 = 1024 * 1024;
/// The longest a place can be held, in seconds.
const HOLD_SECONDS_MAX: u64 = 3600;

/// A setting that cannot be used. Ends the program with exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A value that makes no sense.
    #[error("{key} = {value}: {allowed}")]
    Invalid {
        /// The setting.
        key: String,
        /// As it was given.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// A file that cannot be read.
    #[error("{what} `{path}` cannot be read: {cause}")]
    Unreadable {
        /// What the file is for.
        what: &'static str,
        /// Where it is looked for.
        path: PathBuf,
        /// What the system says.
        cause: String,
    },
    /// A configuration file that is no TOML, or says what is none of ours.
    #[error("configuration `{path}`: {cause}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        cause: String,
    },
}

impl SettingsError {
    fn invalid(key: impl Into<String>, value: impl ToString, allowed: impl Into<String>) -> Self {
        Self::Invalid { key: key.into(), value: value.to_string(), allowed: allowed.into() }
    }

    /// A setting that has a flag of its own, which is named with it.
    fn flag(key: &str, value: impl ToString, allowed: impl Into<String>) -> Self {
        Self::invalid(format!("{key} (--{})", key.replace('_', "-")), value, allowed)
    }
}

/// The configuration file, as it is written. Every key may be absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingsFile {
    /// The data folder.
    pub data: Option<PathBuf>,
    /// The address that lobby and shards listen on.
    pub host: Option<IpAddr>,
    /// The lobby's UDP port; 0 for any.
    pub lobby_port: Option<u16>,
    /// The first shard's UDP port, the others follow; 0 for any.
    pub shard_port: Option<u16>,
    /// The admin interface's address.
    pub admin: Option<SocketAddr>,
    /// The number of shards.
    pub shards: Option<usize>,
    /// Whether each shard's thread is pinned to a core of its own.
    pub pin: Option<bool>,
    /// Whether matches are journaled, so that they survive the process.
    pub journal: Option<bool>,
    /// For how many days the journal of a finished match is kept; 0: not at all. Results stay.
    pub journal_keep_days: Option<u32>,
    /// What all journals together may take, in GiB: above that those of the matches finished first go.
    pub journal_keep_gib: Option<u32>,
    /// Whether clients are told a hash of the state with every snapshot: for tests of recovery.
    pub state_hashes: Option<bool>,
    /// The modes by name; none: those that come with the game.
    #[serde(default)]
    pub modes: toml::map::Map<String, toml::Value>,
}

/// One mode, as it is written.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModeFile {
    players_max: Option<usize>,
    players_min: Option<usize>,
    tick_rate_hz: Option<u16>,
    hold_seconds: Option<u64>,
    when_undurable: Option<WhenUndurable>,
    undurable_ms_max: Option<u64>,
    runaway: Option<Runaway>,
    map: Option<String>,
    #[serde(default)]
    rules: toml::Table,
}

/// What a match does while its journal is far behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WhenUndurable {
    /// It plays on and shows how far behind the journal is.
    #[default]
    Play,
    /// It stands still until the journal has caught up.
    Pause,
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
    /// The admin interface's address.
    pub admin: SocketAddr,
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
    /// Places in a match.
    pub places: usize,
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

impl SettingsFile {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`SettingsError`] names the file, and the line where it is at fault.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = read_bounded("configuration", path)?;
        toml::from_str(&text)
            .map_err(|e| SettingsError::Malformed { path: path.into(), cause: e.to_string() })
    }

    /// What is set here, else what is set in `below`.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        Self {
            data: self.data.or(below.data),
            host: self.host.or(below.host),
            lobby_port: self.lobby_port.or(below.lobby_port),
            shard_port: self.shard_port.or(below.shard_port),
            admin: self.admin.or(below.admin),
            shards: self.shards.or(below.shards),
            pin: self.pin.or(below.pin),
            journal: self.journal.or(below.journal),
            journal_keep_days: self.journal_keep_days.or(below.journal_keep_days),
            journal_keep_gib: self.journal_keep_gib.or(below.journal_keep_gib),
            state_hashes: self.state_hashes.or(below.state_hashes),
            modes: if self.modes.is_empty() { below.modes } else { self.modes },
        }
    }

    /// Checks everything and fills in the defaults.
    ///
    /// # Errors
    /// [`SettingsError`] for the first setting that cannot be used.
    pub fn resolve<G: Game>(self) -> Result<Settings<G::Config>, SettingsError> {
        let host = self.host.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        if !host.is_loopback() {
            let allowed = "a loopback address, such as 127.0.0.1: players are known by name alone, \
                           and that is for development only";
            return Err(SettingsError::flag("host", host, allowed));
        }
        let admin = self.admin.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, ADMIN_PORT)));
        if !admin.ip().is_loopback() {
            let allowed = "a loopback address: the admin interface has no access control yet";
            return Err(SettingsError::flag("admin", admin, allowed));
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let shards = self.shards.unwrap_or(cores);
        if !(1..=SHARDS_MAX).contains(&shards) {
            let allowed = format!("allowed are 1 to {SHARDS_MAX}");
            return Err(SettingsError::flag("shards", shards, allowed));
        }
        let shard_port = self.shard_port.unwrap_or(SHARD_PORT);
        if shard_port != 0 && usize::from(shard_port) + shards > usize::from(u16::MAX) + 1 {
            let allowed = format!("{shards} ports from here must not pass 65535");
            return Err(SettingsError::flag("shard_port", shard_port, allowed));
        }
        let lobby_port = self.lobby_port.unwrap_or(LOBBY_PORT);
        let shard_ports = usize::from(shard_port)..usize::from(shard_port) + shards;
        if lobby_port != 0 && shard_port != 0 && shard_ports.contains(&lobby_port.into()) {
            let allowed = format!("shards use {shard_ports:?}: choose a port outside");
            return Err(SettingsError::flag("lobby_port", lobby_port, allowed));
        }
        let mut journal_kept = Kept::default();
        if let Some(days) = self.journal_keep_days {
            if days > JOURNAL_KEEP_DAYS_MAX {
                let allowed = format!("allowed are 0 to {JOURNAL_KEEP_DAYS_MAX}");
                return Err(SettingsError::flag("journal_keep_days", days, allowed));
            }
            journal_kept.age_max = Duration::from_secs(u64::from(days) * 24 * 60 * 60);
        }
        if let Some(gib) = self.journal_keep_gib {
            if gib > JOURNAL_KEEP_GIB_MAX {
                let allowed = format!("allowed are 0 to {JOURNAL_KEEP_GIB_MAX}");
                return Err(SettingsError::flag("journal_keep_gib", gib, allowed));
            }
            journal_kept.bytes_max = u64::from(gib) << 30;
        }
        let mut modes = self.modes;
        if modes.is_empty() {
            let builtin: SettingsFile = toml::from_str(G::MODES).map_err(|e| {
                let path = format!("built-in modes of {}", G::NAME).into();
                SettingsError::Malformed { path, cause: e.to_string() }
            })?;
            modes = builtin.modes;
        }
        if !(1..=MODES_MAX).contains(&modes.len()) {
            let allowed = format!("allowed are 1 to {MODES_MAX} modes");
            return Err(SettingsError::invalid("modes", modes.len(), allowed));
        }
        let modes = modes.into_iter().map(|(name, mode)| resolve_mode::<G>(name, mode));
        Ok(Settings {
            data: self.data.unwrap_or_else(|| PathBuf::from("matchkeep-data")),
            host,
            lobby_port,
            shard_port,
            admin,
            shards,
            pin: self.pin.unwrap_or(true),
            journal: self.journal.unwrap_or(true),
            journal_kept,
            state_hashes: self.state_hashes.unwrap_or(false),
            modes: modes.collect::<Result<_, _>>()?,
        })
    }
}

fn resolve_mode<G: Game>(
    name: String,
    mode: toml::Value,
) -> Result<Mode<G::Config>, SettingsError> {
    let key = |setting: &str| format!("modes.{name}.{setting}");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(is_plain) {
        let allowed = format!("a mode's name is 1 to {NAME_BYTES_MAX} letters, digits, - and _");
        return Err(SettingsError::invalid("modes", name, allowed));
    }
    let mode: ModeFile = mode.try_into().map_err(|e: toml::de::Error| {
        SettingsError::invalid(format!("modes.{name}"), "..", e.message().to_owned())
    })?;
    let players_max = mode.players_max.unwrap_or(8);
    if !(1..=PLAYERS_PER_MATCH_MAX).contains(&players_max) {
        let allowed = format!("allowed are 1 to {PLAYERS_PER_MATCH_MAX}");
        return Err(SettingsError::invalid(key("players_max"), players_max, allowed));
    }
    let players_min = mode.players_min.unwrap_or(players_max.min(2));
    if !(1..=players_max).contains(&players_min) {
        let allowed = format!("allowed are 1 to players_max, which is {players_max}");
        return Err(SettingsError::invalid(key("players_min"), players_min, allowed));
    }
    let hz = mode.tick_rate_hz.unwrap_or(u16::from(TickRate::default()));
    let rate = TickRate::try_from(hz)
        .map_err(|e| SettingsError::invalid(key("tick_rate_hz"), hz, e.to_string()))?;
    let hold_seconds = mode.hold_seconds.unwrap_or(PLACE_HOLD.as_secs());
    if hold_seconds > HOLD_SECONDS_MAX {
        let allowed = format!("allowed are 0 to {HOLD_SECONDS_MAX}");
        return Err(SettingsError::invalid(key("hold_seconds"), hold_seconds, allowed));
    }
    let undurable_max = match mode.when_undurable.unwrap_or_default() {
        WhenUndurable::Pause => {
            let ms = mode.undurable_ms_max.unwrap_or(UNDURABLE_MS);
            if !UNDURABLE_MS_ALLOWED.contains(&ms) {
                let (least, most) = (UNDURABLE_MS_ALLOWED.start(), UNDURABLE_MS_ALLOWED.end());
                let allowed = format!("allowed are {least} to {most}");
                return Err(SettingsError::invalid(key("undurable_ms_max"), ms, allowed));
            }
            Some(Duration::from_millis(ms))
        }
        WhenUndurable::Play => {
            if let Some(ms) = mode.undurable_ms_max {
                let allowed = "only with when_undurable = \"pause\"";
                return Err(SettingsError::invalid(key("undurable_ms_max"), ms, allowed));
            }
            None
        }
    };
    let policy = MatchPolicy { undurable_max, runaway: mode.runaway.unwrap_or_default() };
    // A name without a path is a map that comes with the game; anything else is a file.
    let file = mode.map.as_deref().filter(|map| map.contains(['/', '.']));
    let text = file.map(|path| read_map(Path::new(path))).transpose()?;
    let map = match (&mode.map, &text) {
        (Some(path), Some(text)) => Some(MapSource::File { path, text }),
        (Some(name), None) => Some(MapSource::Named(name)),
        (None, _) => None,
    };
    let spec = ModeSpec { players_max, players_min, map, rules: &mode.rules };
    let config = G::configure(&spec).map_err(|error| {
        let ConfigError { key: setting, value, allowed } = error;
        SettingsError::Invalid { key: key(&setting), value, allowed }
    })?;
    let bytes = encode(&config).len();
    if bytes > CONFIG_BYTES_MAX {
        let allowed = format!("a client is told at most {CONFIG_BYTES_MAX}: take a smaller map");
        return Err(SettingsError::invalid(
            format!("modes.{name}"),
            format!("{bytes} bytes"),
            allowed,
        ));
    }
    let hold = Duration::from_secs(hold_seconds);
    Ok(Mode { name, places: players_max, rate, hold, policy, map: mode.map, config })
}

fn read_map(path: &Path) -> Result<String, SettingsError> {
    read_bounded("map", path)
}

fn read_bounded(what: &'static str, path: &Path) -> Result<String, SettingsError> {
    use std::io::Read;
    let error = |cause: String| SettingsError::Unreadable { what, path: path.into(), cause };
    let file = std::fs::File::open(path).map_err(|e| error(e.to_string()))?;
    let mut text = String::new();
    let limit = MAP_FILE_BYTES_MAX as u64 + 1;
    file.take(limit).read_to_string(&mut text).map_err(|e| error(e.to_string()))?;
    if text.len() > MAP_FILE_BYTES_MAX {
        return Err(error(format!("longer than {MAP_FILE_BYTES_MAX} bytes")));
    }
    Ok(text)
}
