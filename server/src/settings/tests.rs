//! The declaration, the layers, and what is said of what cannot be.

use std::collections::BTreeSet;
use std::path::Path;

use matchkeep_shared::arena::Arena;
use proptest::prelude::*;

use super::*;

fn key(name: &str) -> &'static Key {
    SettingsFile::KEYS.iter().find(|key| key.name == name).expect("it is declared")
}

/// Layers with a file of this text.
fn with_file(text: &str) -> Result<Layers, SettingsError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("m.toml");
    std::fs::write(&path, text).expect("a temporary file");
    let mut layers = Layers::default();
    layers.read_file(&path).map(|()| layers)
}

fn refusal(text: &str) -> String {
    let resolved = with_file(text).and_then(|layers| layers.resolve::<Arena>().map(|_| ()));
    resolved.expect_err("it cannot be").to_string()
}

#[test]
fn each_key_has_one_flag_and_one_variable_of_its_own() {
    let mut names = BTreeSet::new();
    for key in SettingsFile::KEYS {
        assert_eq!(key.flag(), key.name.replace('_', "-"));
        assert_eq!(key.variable(), format!("MATCHKEEP_SERVER_{}", key.name.to_uppercase()));
        assert!(key.about().len() > 10 && !key.default_text().is_empty(), "{}", key.name);
        assert!(names.insert(key.name) && key.variable() != CONFIG_VARIABLE, "{}", key.name);
    }
    assert_eq!(key("lobby_port").flag(), "lobby-port");
    assert_eq!(key("lobby_port").default_text(), "7777");
    assert_eq!(key("shards").default_text(), "one per core");
}

#[test]
fn flags_stand_above_variables_above_the_file_above_defaults() {
    let text = "shards = 3\nlobby_port = 1000\nadmin = '127.0.0.1:1'\n";
    let mut layers = with_file(text).expect("it is sound");
    layers.set_variable(key("shards"), "4").expect("a number");
    layers.set_variable(key("lobby_port"), "2000").expect("a port");
    layers.set_flag(key("shards"), "5").expect("a number");
    let settings = layers.settings();
    let one = |name: &str| {
        let setting = settings.iter().find(|setting| setting.key == name).expect("it is shown");
        (setting.value.to_string(), setting.origin.to_string())
    };
    assert_eq!(one("shards"), ("5".into(), "--shards".into()));
    assert_eq!(one("lobby_port"), ("2000".into(), "MATCHKEEP_SERVER_LOBBY_PORT".into()));
    let (value, origin) = one("admin");
    assert_eq!(value, "\"127.0.0.1:1\"");
    assert!(origin.ends_with("m.toml, line 3"), "{origin}");
    assert_eq!(one("pin"), ("true".into(), "default".into()));
    let (resolved, _) = layers.resolve::<Arena>().expect("it is sound");
    assert_eq!((resolved.shards, resolved.lobby_port), (5, 2000));
}

#[test]
fn what_the_file_says_wrong_is_told_with_its_line() {
    for (text, named) in [
        ("\nshrads = 2", &["shrads", "m.toml, line 2", "no such key", "`shards`"][..]),
        ("lobby-port = 2", &["lobby-port", "line 1", "`lobby_port`"]),
        ("mode = {}", &["mode", "`modes`"]),
        ("pin = 1", &["pin = 1", "line 1", "true and false"]),
        ("\n\nshards = 0", &["shards = 0", "line 3", "1 to 256"]),
        ("log_format = 'xml'", &["log_format = xml", "text, json"]),
        ("log = 'a=b=c'", &["log = a=b=c", "line 1", "info"]),
        ("modes = 3", &["modes = 3", "[modes.NAME]"]),
        ("modes.a = 3", &["modes.a = 3", "line 1", "[modes.a]"]),
        ("[modes.a]\nplayer_max = 3", &["modes.a.player_max", "line 2", "`players_max`"]),
        ("[modes.a]\nmap = 3", &["modes.a.map = 3", "line 2"]),
        ("[modes.a]\nrules = 3", &["modes.a.rules = 3", "line 2", "table"]),
        ("[modes.a]\nrunaway = 'run'", &["modes.a.runaway = run", "flag, pause and end"]),
        ("[modes.a]\nwhen_undurable = 'x'", &["modes.a.when_undurable = x", "play and pause"]),
        ("[modes.a]\nundurable_ms_max = 500", &["modes.a.undurable_ms_max = 500", "\"pause\""]),
        ("[modes.a.rules]\nfrag_limit = -1", &["modes.a.frag_limit = -1", "line 2", "0 to 1000"]),
        ("shards = 1\nshards = 2", &["m.toml", "duplicate"]),
    ] {
        let message = refusal(text);
        for part in named {
            assert!(message.contains(part), "{text}: `{part}` in: {message}");
        }
    }
}

#[test]
fn a_default_that_clashes_names_the_flag_that_changes_it() {
    let message = refusal("shard_port = 7776");
    assert!(message.contains("lobby_port = 7777 (--lobby-port)"), "{message}");
}

#[test]
fn a_variable_that_is_none_is_told_with_the_nearest() {
    let error = Layers::check_variable("MATCHKEEP_SERVER_SHRADS").expect_err("there is no such");
    let message = error.to_string();
    for part in ["MATCHKEEP_SERVER_SHRADS", "environment variable", "`MATCHKEEP_SERVER_SHARDS`"] {
        assert!(message.contains(part), "{message}");
    }
    for fine in ["MATCHKEEP_SERVER_CONFIG", "MATCHKEEP_SERVER_PIN", "MATCHKEEP_DATA", "PATH"] {
        Layers::check_variable(fine).expect("that is none of ours, or is one");
    }
}

#[test]
fn values_of_modes_are_shown_with_where_they_are_from() {
    let text = "[modes.a]\nplayers_max = 4\n[modes.a.rules]\nfrag_limit = 3\n";
    let (_, shown) = with_file(text).expect("sound").resolve::<Arena>().expect("sound");
    let one = |name: &str| {
        let setting = shown.iter().find(|setting| setting.key == name).expect("it is shown");
        (setting.value.to_string(), setting.origin.to_string())
    };
    let (value, origin) = one("modes.a.players_max");
    assert!(value == "4" && origin.ends_with("line 2"), "{value}, {origin}");
    let (value, origin) = one("modes.a.rules.frag_limit");
    assert!(value == "3" && origin.ends_with("line 4"), "{value}, {origin}");
    assert_eq!(one("modes.a.tick_rate_hz"), ("60".into(), "default".into()));
    let (_, shown) = Layers::default().resolve::<Arena>().expect("the defaults are sound");
    let map = shown.iter().find(|setting| setting.key == "modes.duel.map").expect("it is shown");
    assert_eq!(map.origin, Origin::Game);
}

#[test]
fn every_key_of_a_mode_is_known_and_read() {
    let text = "[modes.a]\nplayers_max = 4\nplayers_min = 3\ntick_rate_hz = 30\nhold_seconds = 5\n\
                when_undurable = 'pause'\nundurable_ms_max = 500\nrunaway = 'end'\nmap = 'duel'\n\
                rules = { frag_limit = 3 }\n";
    let (settings, shown) = with_file(text).expect("sound").resolve::<Arena>().expect("sound");
    for (key, about) in MODE_KEYS {
        let path = format!("modes.a.{key}");
        assert!(shown.iter().any(|setting| setting.key.starts_with(&path)), "{key}: {about}");
    }
    let mode = &settings.modes[0];
    assert_eq!((mode.rules.places, mode.rate.hz()), (4, 30));
    assert_eq!(mode.policy.undurable_max, Some(Duration::from_millis(500)));
}

#[test]
fn rules_of_the_queue_that_cannot_be_are_refused() {
    for (mode, named) in [
        ("teams = 9", &["modes.a.teams = 9", "0 to 8"][..]),
        ("teams = 1", &["modes.a.teams = 1", "0, or 2 to 8 where they divide 8 places"]),
        ("teams = 3", &["modes.a.teams = 3", "divide 8 places"]),
        ("players_max = 7\nteams = 2", &["modes.a.teams = 2", "line 3", "divide 7 places"]),
        ("teams = 4", &["modes.a.teams = 4", "line 2", "the arena allows 0", "2"]),
        ("rules = { teams = 2 }", &["modes.a.rules.teams = 2", "line 2", "the mode has teams = 0"]),
        ("teams = 2\nrules = { teams = 0 }", &["modes.a.rules.teams = 0", "line 3", "teams = 2"]),
        ("teams = 'two'", &["modes.a.teams = two", "0 to 8"]),
        ("form_min = 0", &["modes.a.form_min = 0", "1 to 8"]),
        ("form_min = 9", &["modes.a.form_min = 9", "line 2", "1 to 8"]),
        ("players_max = 4\nform_min = 5", &["modes.a.form_min = 5", "1 to 4"]),
        ("wait_seconds = 0", &["modes.a.wait_seconds = 0", "1 to 3600"]),
        ("wait_seconds = 3601", &["modes.a.wait_seconds = 3601", "1 to 3600"]),
        ("fill_seconds = 121", &["modes.a.fill_seconds = 121", "0 to 120"]),
        ("wait_seconds = 9\nfill_seconds = 10", &["modes.a.fill_seconds = 10", "0 to 9"]),
        ("rated = 1", &["modes.a.rated = 1", "true and false"]),
        ("window_start = -0.5", &["modes.a.window_start = -0.5", "from 0 on"]),
        ("window_start = inf", &["modes.a.window_start = inf", "from 0 on"]),
        ("window_per_second = nan", &["modes.a.window_per_second = nan", "from 0 on"]),
        ("window_per_second = 'x'", &["modes.a.window_per_second = x", "from 0 on"]),
    ] {
        let message = refusal(&format!("[modes.a]\n{mode}\n"));
        for part in named {
            assert!(message.contains(part), "{mode}: `{part}` in: {message}");
        }
    }
}

#[test]
fn the_game_hears_of_the_teams_that_players_are_matched_in() {
    let text =
        "[modes.a]\nplayers_max = 4\nteams = 2\n[modes.b]\nteams = 2\nform_min = 1\n[modes.c]\n";
    let (settings, _) = with_file(text).expect("sound").resolve::<Arena>().expect("sound");
    let teams = |n: usize| (settings.modes[n].rules.teams, settings.modes[n].config.teams);
    assert_eq!([teams(0), teams(1), teams(2)], [(2, 2), (2, 2), (0, 0)]);
    let form_min = |n: usize| settings.modes[n].rules.form_min;
    assert_eq!([form_min(0), form_min(1), form_min(2)], [4, 1, 1]);
    // The modes that come with the game agree with it, and nobody waits in them.
    let (settings, _) = Layers::default().resolve::<Arena>().expect("the defaults are sound");
    for mode in settings.modes {
        assert_eq!((mode.rules.teams, mode.rules.is_immediate()), (mode.config.teams, true));
        assert_eq!(mode.rules.teams > 0, mode.name == "teams");
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = Layers::default().read_file(Path::new("nowhere.toml")).expect_err("none is there");
    assert!(error.to_string().contains("`nowhere.toml`"), "{error}");
}

proptest! {
    #[test]
    fn any_file_is_read_or_refused(text in "([a-z_]{0,9} ?= ?[0-9a-z'\\[\\]{}.]{0,6}\n|\\[[a-z.]{0,12}\\]\n){0,6}") {
        if let Ok(layers) = with_file(&text) {
            let _ = layers.resolve::<Arena>();
        }
    }
}
