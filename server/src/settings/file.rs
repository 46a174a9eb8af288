//! The declaration of every setting, and the configuration file that holds them.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use matchkeep_shared::limits::MAP_FILE_BYTES_MAX;
use matchkeep_shared::nearest::nearest;
use serde::{Deserialize, Serialize};
use toml::Value;

use super::key::{Key, Kind, bare};
use super::{ADMIN_PORT, ADMISSION, LOBBY_PORT, SHARD_PORT, SettingsError};
use crate::accounts::Algorithm;

/// How the log is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One object a line, for programs.
    Json,
}

/// Declares settings: from each line follow a key of the file, a flag, a variable, and their help.
macro_rules! settings {
    ($(
        #[doc = $about:literal]
        $(#[$hidden:ident])?
        $key:ident: $type:ty, $kind:expr, $placeholder:literal, $default:expr $(=> $told:literal)?;
    )*) => {
        /// What was set in one place, by the keys of the file. Every one may be absent.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct SettingsFile {
            $(#[doc = $about] pub $key: Option<$type>,)*
            /// The modes by name, each a table; none: those that come with the game.
            pub modes: toml::Table,
        }

        /// What is in force: what was set, else the default.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Values {
            $(#[doc = $about] pub $key: $type,)*
            /// The modes by name, as they are written; none: those that come with the game.
            pub modes: toml::Table,
        }

        impl SettingsFile {
            /// Every setting that is one value. The modes are tables, and in the file alone.
            pub const KEYS: &'static [Key] = &[$(Key {
                name: stringify!($key),
                kind: $kind,
                placeholder: $placeholder,
                about: $about,
                default: settings!(@told $($told)?),
                is_hidden: settings!(@hidden $($hidden)?),
            },)*];

            /// What is set here, else what is set in `below`.
            #[must_use]
            pub fn over(self, below: Self) -> Self {
                Self {
                    $($key: self.$key.or(below.$key),)*
                    modes: if self.modes.is_empty() { below.modes } else { self.modes },
                }
            }

            /// What is set here, else the default.
            pub fn over_defaults(self) -> Values {
                Values {
                    $($key: self.$key.unwrap_or_else(|| $default),)*
                    modes: self.modes,
                }
            }

            /// Whether this key is set here.
            pub(super) fn is_set(&self, key: &Key) -> bool {
                match key.name {
                    $(stringify!($key) => self.$key.is_some(),)*
                    _ => false,
                }
            }

            /// Sets a key; whether the value is one of its kind.
            fn take(&mut self, key: &Key, value: Value) -> bool {
                match key.name {
                    $(stringify!($key) => {
                        self.$key = value.try_into().ok();
                        self.$key.is_some()
                    })*
                    _ => false,
                }
            }
        }

        impl Values {
            /// A setting's value, as it would be written in the file.
            pub fn value(&self, key: &Key) -> Value {
                let value = match key.name {
                    $(stringify!($key) => Value::try_from(&self.$key),)*
                    _ => Ok(Value::Boolean(false)),
                };
                // A path that is no text cannot be written in the file; it is shown as well as can be.
                value.unwrap_or_else(|_| Value::String(self.data.display().to_string()))
            }
        }
    };
    (@told) => { None };
    (@told $told:literal) => { Some($told) };
    (@hidden) => { false };
    (@hidden hidden) => { true };
}

settings! {
    /// Data folder; made where there is none
    data: PathBuf, Kind::Path, "DIR", PathBuf::from("matchkeep-data");
    /// Address that lobby and shards listen on
    host: IpAddr, Kind::Ip, "IP", IpAddr::V4(Ipv4Addr::LOCALHOST);
    /// UDP port of the lobby; 0 for any
    lobby_port: u16, Kind::Port, "PORT", LOBBY_PORT;
    /// UDP port of the first shard, the others follow; 0 for any
    shard_port: u16, Kind::Port, "PORT", SHARD_PORT;
    /// Certificate of the lobby with its chain (PEM), by which clients know it by name; read again when it changes
    lobby_certificate: PathBuf, Kind::Path, "FILE", PathBuf::new() => "none: one of its own, for who knows its fingerprint";
    /// Private key of that certificate (PEM)
    lobby_key: PathBuf, Kind::Path, "FILE", PathBuf::new() => "none";
    /// TCP address of the admin interface
    admin: SocketAddr, Kind::Address, "ADDR", SocketAddr::from((Ipv4Addr::LOCALHOST, ADMIN_PORT));
    /// Certificate of the admin interface with its chain (PEM); with it, it speaks TLS
    admin_certificate: PathBuf, Kind::Path, "FILE", PathBuf::new() => "none";
    /// Private key of that certificate (PEM)
    admin_key: PathBuf, Kind::Path, "FILE", PathBuf::new() => "none";
    /// Public keys of the identity provider that says who players are (JSON Web Key Set or PEM); read again when they change
    identity_keys: PathBuf, Kind::Path, "FILE", PathBuf::new() => "none: players are known by name";
    /// What the identity provider signs with: EdDSA, ES256 or RS256
    identity_algorithm: Algorithm, Kind::OneOf(Algorithm::LABELS), "NAME", Algorithm::EdDSA;
    /// The identity provider, as its tokens name it (`iss`)
    identity_issuer: String, Kind::Text, "TEXT", String::new() => "none";
    /// What this game is called in its tokens (`aud`)
    identity_audience: String, Kind::Text, "TEXT", String::new() => "none";
    /// Minutes that a token of the identity provider may be good for at most
    identity_minutes_max: u32, Kind::Count, "MINUTES", 15;
    /// Connections that one address may open a second, in the long run, at the lobby and at each shard; 0: as many as it likes
    connections_per_address_per_second: u32, Kind::Count, "N", ADMISSION.connections.per_second;
    /// Connections that one address may open at once: everybody behind it
    connections_per_address_at_once: u32, Kind::Count, "N", ADMISSION.connections.at_once;
    /// Requests that one player may make of the lobby a second, in the long run, over however many connections; 0: as many as they like
    requests_per_player_per_second: u32, Kind::Count, "N", ADMISSION.requests.per_second;
    /// Requests that one player may make of the lobby at once
    requests_per_player_at_once: u32, Kind::Count, "N", ADMISSION.requests.at_once;
    /// Number of shards, each a thread
    shards: usize, Kind::Count, "N", cores() => "one per core";
    /// Pin each shard to a core of its own
    pin: bool, Kind::Switch, "BOOL", true;
    /// Journal matches, so that they survive the process
    journal: bool, Kind::Switch, "BOOL", true;
    /// Days that the journal of a finished match is kept; its result stays
    journal_keep_days: u32, Kind::Count, "DAYS", 30;
    /// GiB that all journals together may take; above that those of the matches finished first go
    journal_keep_gib: u32, Kind::Count, "GIB", 20;
    /// What is logged: a level, or one for each part of the program
    log: String, Kind::Filter, "FILTER", "info".to_owned();
    /// How the log is written: text for people, json for programs
    log_format: LogFormat, Kind::OneOf(&["text", "json"]), "FORMAT", LogFormat::Text;
    /// Tell clients a hash of the state with every snapshot, for tests of recovery
    #[hidden]
    state_hashes: bool, Kind::Switch, "BOOL", false;
}

/// The number of cores that this process may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl SettingsFile {
    /// Reads settings from TOML.
    ///
    /// # Errors
    /// [`SettingsError`] for the first fault: no TOML, a key that is none, a value of another kind.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
            SettingsError::Malformed { path: PathBuf::new(), cause: e.to_string() }
        })?;
        let mut settings = Self::default();
        for (name, value) in table {
            if name == "modes" {
                let Value::Table(modes) = value else {
                    let allowed = "tables are expected: [modes.NAME]";
                    return Err(SettingsError::invalid(name, bare(&value), allowed));
                };
                settings.modes = modes;
            } else {
                let Some(key) = Self::KEYS.iter().find(|key| key.name == name) else {
                    return Err(unknown(name));
                };
                settings.set(key, value)?;
            }
        }
        Ok(settings)
    }

    /// Sets a key to what was written.
    pub(super) fn set(&mut self, key: &Key, value: Value) -> Result<(), SettingsError> {
        let written = bare(&value);
        if self.take(key, value) {
            return Ok(());
        }
        Err(SettingsError::invalid(key.name, written, key.kind.allowed()))
    }
}

fn unknown(key: String) -> SettingsError {
    let names = SettingsFile::KEYS.iter().map(|key| key.name).chain(["modes"]);
    let nearest = nearest(&key.replace('-', "_").to_lowercase(), names).unwrap_or_default().into();
    SettingsError::Unknown { what: "key", key, nearest, origin: None }
}

impl Key {
    /// The default, as help tells it.
    pub fn default_text(&self) -> String {
        let told = self.default.map(str::to_owned);
        told.unwrap_or_else(|| bare(&SettingsFile::default().over_defaults().value(self)))
    }
}

/// The text of a file that is not too long.
pub(super) fn read_bounded(what: &'static str, path: &Path) -> Result<String, SettingsError> {
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
