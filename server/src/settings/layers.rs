//! What was set where: flags above variables, these above the file, the file above the defaults.

use std::fmt;
use std::path::{Path, PathBuf};

use matchkeep_shared::Game;
use matchkeep_shared::nearest::nearest;
use serde::Serialize;

use super::file::{SettingsFile, Values, read_bounded};
use super::key::{CONFIG_VARIABLE, Key, VARIABLE_PREFIX};
use super::lines::Lines;
use super::mode::ModeValue;
use super::{Settings, SettingsError, resolve};

/// Where a value comes from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "from", rename_all = "lowercase")]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A mode that comes with the game.
    Game,
    /// The configuration file.
    File {
        /// As it was named.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// An environment variable.
    Variable {
        /// Its name.
        name: String,
    },
    /// A flag.
    Flag {
        /// With its dashes.
        name: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Game => f.write_str("game"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Variable { name } | Self::Flag { name } => f.write_str(name),
        }
    }
}

/// A value in force, and where it comes from.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Setting {
    /// The key's path in the file, such as `shards` or `modes.duel.players_max`.
    pub key: String,
    /// The value, as the file would have it.
    pub value: toml::Value,
    /// Where it comes from.
    pub origin: Origin,
}

/// The configuration file, read.
#[derive(Clone, Debug)]
struct Read {
    path: PathBuf,
    settings: SettingsFile,
    lines: Lines,
}

/// Everything that was set, by where.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    file: Option<Read>,
    variables: SettingsFile,
    flags: SettingsFile,
}

impl Layers {
    /// Reads the configuration file.
    ///
    /// # Errors
    /// [`SettingsError`] names the file, and the line where it is at fault.
    pub fn read_file(&mut self, path: &Path) -> Result<(), SettingsError> {
        let text = read_bounded("configuration", path)?;
        let lines = Lines::of(&text);
        let settings = SettingsFile::parse(&text).map_err(|error| match error {
            SettingsError::Malformed { cause, .. } => {
                SettingsError::Malformed { path: path.into(), cause }
            }
            error => error.located(|key| {
                let line = lines.nearest(key)?;
                Some(Origin::File { path: path.into(), line })
            }),
        })?;
        self.file = Some(Read { path: path.into(), settings, lines });
        Ok(())
    }

    /// Takes a flag's text.
    ///
    /// # Errors
    /// [`SettingsError`] where it is no value of this key.
    pub fn set_flag(&mut self, key: &Key, text: &str) -> Result<(), SettingsError> {
        let set = self.flags.set(key, key.kind.read(text));
        set.map_err(|error| error.located(|_| Some(flag(key))))
    }

    /// Takes an environment variable's text.
    ///
    /// # Errors
    /// [`SettingsError`] where it is no value of this key.
    pub fn set_variable(&mut self, key: &Key, text: &str) -> Result<(), SettingsError> {
        let set = self.variables.set(key, key.kind.read(text));
        set.map_err(|error| error.located(|_| Some(variable(key))))
    }

    /// Checks the name of an environment variable: one of ours must be one that there is.
    ///
    /// # Errors
    /// [`SettingsError::Unknown`] with the nearest one.
    pub fn check_variable(name: &str) -> Result<(), SettingsError> {
        let mut known: Vec<String> = SettingsFile::KEYS.iter().map(Key::variable).collect();
        known.push(CONFIG_VARIABLE.to_owned());
        if !name.starts_with(VARIABLE_PREFIX) || known.iter().any(|known| known == name) {
            return Ok(());
        }
        let nearest = nearest(name, known.iter().map(String::as_str)).unwrap_or_default().into();
        let what = "environment variable";
        Err(SettingsError::Unknown { what, key: name.to_owned(), nearest, origin: None })
    }

    /// What is in force.
    pub fn values(&self) -> Values {
        let file = self.file.as_ref().map(|read| read.settings.clone()).unwrap_or_default();
        self.flags.clone().over(self.variables.clone()).over(file).over_defaults()
    }

    /// Every setting but the modes, and where it comes from.
    pub fn settings(&self) -> Vec<Setting> {
        let values = self.values();
        let setting = |key: &Key| {
            let (value, origin) = (values.value(key), self.origin(key));
            Setting { key: key.name.to_owned(), value, origin }
        };
        SettingsFile::KEYS.iter().map(setting).collect()
    }

    fn origin(&self, key: &Key) -> Origin {
        if self.flags.is_set(key) {
            return flag(key);
        }
        if self.variables.is_set(key) {
            return variable(key);
        }
        self.in_file(|lines| lines.exactly(key.name)).unwrap_or(Origin::Default)
    }

    fn in_file(&self, find: impl Fn(&Lines) -> Option<usize>) -> Option<Origin> {
        let read = self.file.as_ref()?;
        Some(Origin::File { path: read.path.clone(), line: find(&read.lines)? })
    }

    /// Checks everything: what a server runs with, and its modes' values with where they come from.
    ///
    /// # Errors
    /// [`SettingsError`] for the first setting that cannot be used, and where it was set.
    pub fn resolve<G: Game>(&self) -> Result<(Settings<G::Config>, Vec<Setting>), SettingsError> {
        let values = self.values();
        let are_games_own = values.modes.is_empty();
        let (settings, modes) = resolve::resolve::<G>(values).map_err(|error| {
            error.located(|name| {
                let key = SettingsFile::KEYS.iter().find(|key| key.name == name);
                let origin = key.map(|key| match self.origin(key) {
                    // Nobody set it, and yet it clashes: what changes it is named.
                    Origin::Default => flag(key),
                    origin => origin,
                });
                origin.or_else(|| self.in_file(|lines| lines.nearest(name)))
            })
        })?;
        let setting = |ModeValue { key, value, is_set }: ModeValue| {
            let origin = match is_set {
                false => Origin::Default,
                true if are_games_own => Origin::Game,
                true => self.in_file(|lines| lines.nearest(&key)).unwrap_or(Origin::Game),
            };
            Setting { key, value, origin }
        };
        Ok((settings, modes.into_iter().map(setting).collect()))
    }
}

fn flag(key: &Key) -> Origin {
    Origin::Flag { name: format!("--{}", key.flag()) }
}

fn variable(key: &Key) -> Origin {
    Origin::Variable { name: key.variable() }
}
