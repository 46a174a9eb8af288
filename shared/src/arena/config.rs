//! What a mode fixes before a match of the arena begins, and how it is read from an operator's rules.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::arena::map::{self, Map};
use crate::game::{ConfigError, MapSource, ModeSpec};
use crate::nearest::nearest;

/// What a mode fixes before the match begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ArenaConfig {
    /// Where the match is played. Shared by all matches of a mode.
    pub map: Arc<Map>,
    /// Places in the match.
    pub players_max: u16,
    /// Players that end the warm-up by being there.
    pub players_min: u16,
    /// 2, or 0 for everyone against everyone: the mode's, by which parties are matched.
    pub teams: u8,
    /// Frags of a player, or of a team where there are teams, that end the match; 0 for no such limit.
    pub frag_limit: u16,
    /// Playing time that ends the match; 0 for no such limit.
    pub time_limit_seconds: u16,
    /// The warm-up lasts so long at most, from the first player on.
    pub warmup_seconds_max: u16,
    /// From the end of the warm-up to the first shot that counts.
    pub countdown_seconds: u16,
}

/// A key of `[modes.NAME.rules]`, with the value it has where it is not set.
struct Rule {
    key: &'static str,
    default: u16,
    max: u16,
}

/// Needs not be set: what the mode says is the rule.
const TEAMS: &str = "teams";
/// What teams there can be.
const TEAMS_ALLOWED: [u8; 2] = [0, 2];
const FRAG_LIMIT: Rule = Rule { key: "frag_limit", default: 20, max: 1000 };
const TIME_LIMIT: Rule = Rule { key: "time_limit_seconds", default: 600, max: 7200 };
const WARMUP: Rule = Rule { key: "warmup_seconds", default: 30, max: 600 };
const COUNTDOWN: Rule = Rule { key: "countdown_seconds", default: 3, max: 60 };
const KEYS: [&str; 5] = [TEAMS, FRAG_LIMIT.key, TIME_LIMIT.key, WARMUP.key, COUNTDOWN.key];

impl ArenaConfig {
    /// What `mode` asks for, checked.
    pub(crate) fn read(mode: &ModeSpec<'_>) -> Result<Self, ConfigError> {
        for (key, value) in mode.rules {
            if !KEYS.contains(&key.as_str()) {
                let allowed = format!("no such rule; the nearest is `{}`", nearest_key(key));
                return Err(error(key, written(value), allowed));
            }
        }
        let config = Self {
            map: Arc::new(read_map(mode)?),
            players_max: mode.players_max as u16,
            players_min: mode.players_min as u16,
            teams: read_teams(mode)?,
            frag_limit: FRAG_LIMIT.read(mode.rules)?,
            time_limit_seconds: TIME_LIMIT.read(mode.rules)?,
            warmup_seconds_max: WARMUP.read(mode.rules)?,
            countdown_seconds: COUNTDOWN.read(mode.rules)?,
        };
        if config.frag_limit == 0 && config.time_limit_seconds == 0 {
            let allowed =
                "a match needs an end: set frag_limit or time_limit_seconds above 0".into();
            return Err(error(TIME_LIMIT.key, 0, allowed));
        }
        Ok(config)
    }
}

impl Rule {
    fn read(&self, rules: &toml::Table) -> Result<u16, ConfigError> {
        let Some(value) = rules.get(self.key) else { return Ok(self.default) };
        let number = value.as_integer().and_then(|n| u16::try_from(n).ok());
        number.filter(|n| *n <= self.max).ok_or_else(|| {
            error(
                self.key,
                written(value),
                format!("allowed are whole numbers from 0 to {}", self.max),
            )
        })
    }
}

fn error(key: &str, value: impl ToString, allowed: String) -> ConfigError {
    ConfigError { key: key.into(), value: value.to_string(), allowed }
}

/// A value as an operator wrote it; lists and tables, which no rule takes, by their type.
fn written(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => format!("{text:?}"),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(flag) => flag.to_string(),
        other => other.type_str().to_string(),
    }
}

/// The mode's teams. Others than those that players are matched in would split parties, or have team mates shoot
/// each other.
fn read_teams(mode: &ModeSpec<'_>) -> Result<u8, ConfigError> {
    let teams = mode.teams;
    if !TEAMS_ALLOWED.contains(&teams) {
        let allowed = "the arena allows 0 (everyone against everyone) and 2".into();
        return Err(error(TEAMS, teams, allowed));
    }
    match mode.rules.get(TEAMS) {
        Some(value) if value.as_integer() != Some(teams.into()) => {
            let allowed = format!(
                "the mode has teams = {teams}, by which players are matched: set that one, to 0 or 2, and leave \
                 this out"
            );
            Err(error(&format!("rules.{TEAMS}"), written(value), allowed))
        }
        _ => Ok(teams),
    }
}

fn read_map(mode: &ModeSpec<'_>) -> Result<Map, ConfigError> {
    let default = MapSource::Named(map::default_name(mode.players_max));
    let (value, text) = match mode.map.unwrap_or(default) {
        MapSource::Named(name) => match Map::builtin(name) {
            Some(text) => (name, text),
            None => return Err(error("map", name, "allowed are `duel`, `large` or a file".into())),
        },
        MapSource::File { path, text } => (path, text),
    };
    Map::parse(text).map_err(|e| error("map", value, e.to_string()))
}

fn nearest_key(key: &str) -> &'static str {
    nearest(key, KEYS).unwrap_or(TEAMS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        players_max: usize,
        map: Option<MapSource<'_>>,
        rules: &str,
    ) -> Result<ArenaConfig, String> {
        let rules = rules.parse().expect("the test's TOML is sound");
        let mode = ModeSpec { players_max, players_min: 2, teams: 0, map, rules: &rules };
        ArenaConfig::read(&mode).map_err(|e| e.to_string())
    }

    fn read_teams(teams: u8, rules: &str) -> Result<u8, String> {
        let rules = rules.parse().expect("the test's TOML is sound");
        let mode = ModeSpec { players_max: 8, players_min: 2, teams, map: None, rules: &rules };
        ArenaConfig::read(&mode).map(|config| config.teams).map_err(|e| e.to_string())
    }

    #[test]
    fn teams_are_those_that_players_are_matched_in() {
        assert_eq!(read_teams(0, ""), Ok(0));
        assert_eq!(read_teams(2, ""), Ok(2));
        assert_eq!(read_teams(2, "teams = 2"), Ok(2));
        assert_eq!(read_teams(0, "teams = 0"), Ok(0));
        for (teams, rules, expected) in [
            (1, "", "teams = 1: the arena allows 0 (everyone against everyone) and 2"),
            (4, "", "teams = 4: the arena allows 0 (everyone against everyone) and 2"),
            (4, "teams = 4", "teams = 4: the arena allows 0"),
            (0, "teams = 2", "rules.teams = 2: the mode has teams = 0, by which"),
            (2, "teams = 0", "rules.teams = 0: the mode has teams = 2, by which"),
            (2, "teams = 258", "rules.teams = 258: the mode has teams = 2"),
            (2, "teams = 'two'", "rules.teams = \"two\": the mode has teams = 2"),
        ] {
            let message = read_teams(teams, rules).expect_err(rules);
            assert!(message.starts_with(expected), "{teams}, {rules}: {message}");
        }
    }

    #[test]
    fn what_is_not_set_has_a_default() {
        let config = read(4, None, "").expect("defaults are sound");
        assert_eq!((config.map.name(), config.teams, config.frag_limit), ("duel", 0, 20));
        assert_eq!(read(5, None, "").expect("defaults are sound").map.name(), "large");
    }

    #[test]
    fn an_unknown_rule_is_refused_and_the_nearest_named() {
        let message = read(4, None, "frag_limits = 3").expect_err("no such rule");
        assert_eq!(message, "frag_limits = 3: no such rule; the nearest is `frag_limit`");
        let message = read(4, None, "time_limit = 3").expect_err("no such rule");
        assert!(message.contains("`time_limit_seconds`"), "{message}");
    }

    #[test]
    fn values_out_of_range_are_refused_with_what_is_allowed() {
        for (rules, expected) in [
            ("frag_limit = -1", "frag_limit = -1: allowed are whole numbers from 0 to 1000"),
            ("countdown_seconds = 1.5", "countdown_seconds = 1.5"),
            ("warmup_seconds = \"x\"", "warmup_seconds = \"x\""),
            ("frag_limit = 0\ntime_limit_seconds = 0", "needs an end"),
        ] {
            let message = read(4, None, rules).expect_err(rules);
            assert!(message.contains(expected), "{rules}: {message}");
        }
    }

    #[test]
    fn a_map_is_named_or_read() {
        let message = read(4, Some(MapSource::Named("q3dm6")), "").expect_err("no such map");
        assert!(message.contains("map = q3dm6: allowed are `duel`, `large`"), "{message}");
        let file = MapSource::File { path: "mine.toml", text: "name = 3" };
        let message = read(4, Some(file), "").expect_err("no map");
        assert!(message.starts_with("map = mine.toml: "), "{message}");
        let file =
            MapSource::File { path: "mine.toml", text: Map::builtin("large").expect("is there") };
        assert_eq!(read(2, Some(file), "").expect("a sound map").map.name(), "large");
    }
}
