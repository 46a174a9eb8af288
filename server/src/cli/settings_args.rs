//! Flags and variables of the settings, made from their declaration: what a key is called is said there.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, ValueHint};

use crate::settings::{CONFIG_VARIABLE, Key, Kind, Layers, SettingsError, SettingsFile};

/// What stands below the flags of each verb that takes settings.
pub(super) const SETTINGS_HELP: &str = "\
Each setting is a flag here, a key in the file (`--lobby-port 1` is `lobby_port = 1`) and a variable \
(MATCHKEEP_SERVER_LOBBY_PORT=1). Flags stand above variables, these above the file, the file above the \
defaults.

Modes and the game's rules are tables, [modes.NAME] and [modes.NAME.rules], and in the file alone.";

const CONFIG: &str = "config";
const HEADING: &str = "Settings";

/// The configuration file and every setting, as given on the command line and in the environment.
#[derive(Clone, Debug, Default)]
pub(super) struct SettingsArgs {
    config: Option<PathBuf>,
    given: Vec<Given>,
}

#[derive(Clone, Debug)]
struct Given {
    key: &'static Key,
    text: String,
    is_flag: bool,
}

impl Args for SettingsArgs {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new(CONFIG)
            .long(CONFIG)
            .value_name("FILE")
            .env(CONFIG_VARIABLE)
            .hide_env_values(true)
            .value_parser(clap::value_parser!(PathBuf))
            .value_hint(ValueHint::FilePath)
            .help("Configuration file (TOML)");
        SettingsFile::KEYS.iter().fold(command.arg(config), |command, key| command.arg(arg(key)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn arg(key: &'static Key) -> Arg {
    let hint = match key.kind {
        Kind::Path => ValueHint::DirPath,
        _ => ValueHint::Other,
    };
    Arg::new(key.name)
        .long(key.flag())
        .env(key.variable())
        .hide_env_values(true)
        .value_name(key.placeholder)
        .value_hint(hint)
        .help_heading(HEADING)
        .help(format!("{} [default: {}]", key.about(), key.default_text()))
        .hide(key.is_hidden)
}

impl FromArgMatches for SettingsArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = SettingsFile::KEYS.iter().filter_map(|key| {
            let text = matches.get_one::<String>(key.name)?.clone();
            let is_flag = matches.value_source(key.name) == Some(ValueSource::CommandLine);
            Some(Given { key, text, is_flag })
        });
        Ok(Self { config: matches.get_one::<PathBuf>(CONFIG).cloned(), given: given.collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl SettingsArgs {
    /// The configuration file, where one is named.
    pub(super) fn config(&self) -> Option<&PathBuf> {
        self.config.as_ref()
    }

    /// Everything that was set, checked one by one.
    pub(super) fn layers(&self) -> Result<Layers, SettingsError> {
        for (name, _) in std::env::vars_os() {
            Layers::check_variable(&name.to_string_lossy())?;
        }
        let mut layers = Layers::default();
        for Given { key, text, is_flag } in &self.given {
            match is_flag {
                true => layers.set_flag(key, text)?,
                false => layers.set_variable(key, text)?,
            }
        }
        if let Some(path) = &self.config {
            layers.read_file(path)?;
        }
        Ok(layers)
    }
}
