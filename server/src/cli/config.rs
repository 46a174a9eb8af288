//! `matchkeep config`: what a server would run with, before it runs.

use clap::{Args, Subcommand};
use matchkeep_shared::Game;
use serde_json::json;

use super::settings_args::{SETTINGS_HELP, SettingsArgs};
use super::table::{Align, table};
use super::telemetry::Wanted;
use super::{CliError, emit};
use crate::identity::provider;
use crate::pem;
use crate::settings::{Origin, Setting, SettingsFile};

#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    verb: ConfigVerb,
}

#[derive(Debug, Subcommand)]
enum ConfigVerb {
    /// Check all settings as `serve` would, and start nothing
    #[command(after_help = SETTINGS_HELP)]
    Check(SettingsVerbArgs),
    /// Show each value in force and where it comes from
    #[command(after_help = SETTINGS_HELP)]
    Show(SettingsVerbArgs),
}

#[derive(Debug, Args)]
struct SettingsVerbArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run<G: Game>(args: ConfigArgs) -> Result<(), CliError> {
    match args.verb {
        ConfigVerb::Check(args) => check::<G>(&args),
        ConfigVerb::Show(args) => show::<G>(&args),
    }
}

fn check<G: Game>(args: &SettingsVerbArgs) -> Result<(), CliError> {
    let (settings, _) = args.settings.layers()?.resolve::<G>()?;
    for files in [&settings.lobby_tls, &settings.admin_tls].into_iter().flatten() {
        pem::load(files, &provider()).map_err(|error| CliError::Usage(error.to_string()))?;
    }
    Wanted::from_environment()?;
    let names: Vec<&str> = settings.modes.iter().map(|mode| mode.name.as_str()).collect();
    let file = args.settings.config();
    if args.json {
        return emit(&format!("{}\n", json!({ "sound": true, "file": file, "modes": names })));
    }
    let file = match file {
        Some(path) => format!("`{}` is sound", path.display()),
        None => "no file is named; flags, variables and defaults are sound".to_owned(),
    };
    emit(&format!("{file}: modes {}\n", names.join(", ")))
}

fn show<G: Game>(args: &SettingsVerbArgs) -> Result<(), CliError> {
    let layers = args.settings.layers()?;
    let (_, modes) = layers.resolve::<G>()?;
    let settings = layers.settings();
    if args.json {
        let one = |setting: &Setting| {
            let key = SettingsFile::KEYS.iter().find(|key| key.name == setting.key);
            json!({
                "key": setting.key,
                "value": setting.value,
                "origin": setting.origin,
                "flag": key.map(|key| format!("--{}", key.flag())),
                "variable": key.map(|key| key.variable()),
                "about": key.map(|key| key.about()),
            })
        };
        let settings: Vec<_> = settings.iter().chain(&modes).map(one).collect();
        let document = json!({ "file": args.settings.config(), "settings": settings });
        return emit(&format!("{document}\n"));
    }
    let rows: Vec<Vec<String>> = settings.iter().chain(&modes).map(row).collect();
    let head = [("SETTING", Align::Left), ("VALUE", Align::Left), ("FROM", Align::Left)];
    emit(&table(&head, &rows))
}

fn row(setting: &Setting) -> Vec<String> {
    vec![setting.key.clone(), setting.value.to_string(), setting.origin.to_string()]
}

/// What is in force, a line for each place where something was set.
pub(super) fn by_origin(settings: &[Setting]) -> String {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for Setting { key, value, origin } in settings {
        let place = match origin {
            Origin::Flag { .. } => "flags".to_owned(),
            Origin::Variable { .. } => "environment".to_owned(),
            Origin::File { path, .. } => path.display().to_string(),
            Origin::Game => "game".to_owned(),
            Origin::Default => "defaults".to_owned(),
        };
        let text = format!("{key} = {value}");
        match lines.iter_mut().find(|(known, _)| *known == place) {
            Some((_, texts)) => texts.push(text),
            None => lines.push((place, vec![text])),
        }
    }
    // What somebody set comes before what nobody did.
    lines.sort_by_key(|(place, _)| place == "defaults");
    lines.iter().map(|(place, texts)| format!("{place:<12} {}\n", texts.join(", "))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_together_by_where_they_were_set() {
        let setting = |key: &str, value: i64, origin| Setting {
            key: key.into(),
            value: value.into(),
            origin,
        };
        let flag = || Origin::Flag { name: "--x".into() };
        let file = Origin::File { path: "m.toml".into(), line: 3 };
        let settings = [
            setting("a", 1, Origin::Default),
            setting("b", 2, flag()),
            setting("c", 3, file),
            setting("d", 4, flag()),
        ];
        let text = by_origin(&settings);
        assert_eq!(text, "flags        b = 2, d = 4\nm.toml       c = 3\ndefaults     a = 1\n");
    }
}
