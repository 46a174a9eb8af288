//! One mode, `[modes.NAME]`: read from its table, checked, with what the game makes of its rules.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use matchkeep_shared::Game;
use matchkeep_shared::encoding::encode;
use matchkeep_shared::game::{ConfigError, MapSource, ModeSpec};
use matchkeep_shared::limits::{
    NAME_BYTES_MAX, PLACE_HOLD, PLAYERS_PER_MATCH_MAX, QUEUE_WAIT_MAX, SERVER_MESSAGE_BYTES_MAX,
    TEAMS_PER_MATCH_MAX, TICK_RATE_HZ_MAX, TICK_RATE_HZ_MIN,
};
use matchkeep_shared::nearest::nearest;
use matchkeep_shared::time::TickRate;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::file::read_bounded;
use super::key::bare;
use super::{Mode, SettingsError};
use crate::matchmaking::ModeRules;
use crate::shard::message::{MatchPolicy, Runaway};

/// Every key of a mode's table, with what it does.
pub const MODE_KEYS: &[(&str, &str)] = &[
    ("players_max", "Places in a match"),
    ("players_min", "Players that begin the play by being there"),
    ("tick_rate_hz", "Ticks a second"),
    ("teams", "Teams of equal size; 0: everyone for themselves"),
    ("rated", "Whether results change ratings, and ratings decide who plays whom"),
    ("form_min", "Players with whom a match begins that nobody waits any longer to be full"),
    ("fill_seconds", "How long the first of a match waits for it to be full"),
    ("wait_seconds", "How long anybody waits for a match at most"),
    ("window_start", "How far from a rating another may be, at first"),
    ("window_per_second", "What each second of waiting adds to that"),
    ("hold_seconds", "How long a place is held for a player who lost the connection"),
    ("when_undurable", "What a match does while its journal is far behind: play or pause"),
    ("undurable_ms_max", "How far that is, in a mode that pauses"),
    ("runaway", "What becomes of a match that is too slow for long: flag, pause or end"),
    ("map", "A map that comes with the game, or a file of your own"),
    ("rules", "The game's own rules, a table"),
];

/// The game's configuration of one mode, in bytes: it travels in the welcome, with a few numbers.
const CONFIG_BYTES_MAX: usize = SERVER_MESSAGE_BYTES_MAX - 128;
/// How far the journal may be behind in a mode that pauses then, in milliseconds.
const UNDURABLE_MS: u64 = 1000;
/// What can be set for that. Below a few flushes a match would stand still all the time.
const UNDURABLE_MS_ALLOWED: RangeInclusive<u64> = 250..=60_000;
/// The longest a place can be held, in seconds.
const HOLD_SECONDS_MAX: u64 = 3600;
/// Places of a match without another word.
const PLAYERS_MAX: u64 = 8;

/// How long anybody waits for a match, in seconds, unless the mode says otherwise.
const WAIT_SECONDS: u64 = 120;
/// How far from a rating another may be at first, on a scale on which newcomers are at 25 and who is 4 higher wins
/// two of three; and what each second of waiting adds.
const WINDOW_START: f64 = 2.0;
const WINDOW_PER_SECOND: f64 = 0.2;

/// What a match does while its journal is far behind.
const PLAY: &str = "play";
const PAUSE: &str = "pause";

/// A value of a mode that is in force.
pub(super) struct ModeValue {
    /// Its path in the file.
    pub(super) key: String,
    pub(super) value: Value,
    /// Whether it is written down; else it is the default.
    pub(super) is_set: bool,
}

/// A mode's table while it is read; what was read is noted.
struct Reader<'a> {
    name: &'a str,
    table: &'a Table,
    shown: &'a mut Vec<ModeValue>,
}

impl Reader<'_> {
    fn invalid(
        &self,
        key: &str,
        value: impl ToString,
        allowed: impl Into<String>,
    ) -> SettingsError {
        SettingsError::invalid(format!("modes.{}.{key}", self.name), value, allowed)
    }

    /// The value of a key, else the default; `allowed` says what it must be.
    fn read<T: DeserializeOwned + Serialize>(
        &mut self,
        key: &str,
        default: T,
        allowed: impl Fn() -> String,
        is_allowed: impl Fn(&T) -> bool,
    ) -> Result<T, SettingsError> {
        let written = self.table.get(key);
        let value = match written {
            Some(value) => {
                let read = value.clone().try_into::<T>().ok().filter(is_allowed);
                read.ok_or_else(|| self.invalid(key, bare(value), allowed()))?
            }
            None => default,
        };
        if let Ok(shown) = Value::try_from(&value) {
            self.show(key, shown);
        }
        Ok(value)
    }

    fn show(&mut self, key: &str, value: Value) {
        let (path, is_set) = (format!("modes.{}.{key}", self.name), self.table.contains_key(key));
        self.shown.push(ModeValue { key: path, value, is_set });
    }

    fn number(
        &mut self,
        key: &str,
        default: u64,
        allowed: RangeInclusive<u64>,
    ) -> Result<u64, SettingsError> {
        let text = || format!("allowed are {} to {}", allowed.start(), allowed.end());
        self.read(key, default, text, |number| allowed.contains(number))
    }

    /// How matches are formed. Without a word about it nobody waits.
    fn rules(&mut self, places: usize) -> Result<ModeRules, SettingsError> {
        let yes_or_no = || "allowed are true and false".to_owned();
        let from_zero = || "a number from 0 on is expected".to_owned();
        let is_finite = |number: &f64| number.is_finite() && *number >= 0.0;
        let most_seconds = QUEUE_WAIT_MAX.as_secs();
        let teams = self.number("teams", 0, 0..=u64::from(TEAMS_PER_MATCH_MAX))? as u8;
        let is_rated = self.read("rated", false, yes_or_no, |_| true)?;
        // Ratings mean nothing where nobody waits for somebody else.
        let least = if is_rated || teams > 0 { places } else { 1 };
        let form_min = self.number("form_min", least as u64, 1..=places as u64)? as usize;
        let wait_seconds_max = self.number("wait_seconds", WAIT_SECONDS, 1..=most_seconds)?;
        let fill_seconds = self.number("fill_seconds", 0, 0..=wait_seconds_max)?;
        let window_start = self.read("window_start", WINDOW_START, from_zero, is_finite)?;
        let window_per_second =
            self.read("window_per_second", WINDOW_PER_SECOND, from_zero, is_finite)?;
        let rules = ModeRules {
            places,
            teams,
            form_min,
            fill_seconds,
            is_rated,
            window_start,
            window_per_second,
            wait_seconds_max,
        };
        rules.check().map_err(|error| self.invalid(error.key, error.value, error.allowed))?;
        Ok(rules)
    }

    fn undurable_max(&mut self) -> Result<Option<Duration>, SettingsError> {
        let choice = || format!("allowed are {PLAY} and {PAUSE}");
        let is_choice = |choice: &String| [PLAY, PAUSE].contains(&choice.as_str());
        let when = self.read("when_undurable", PLAY.to_owned(), choice, is_choice)?;
        if when == PAUSE {
            let ms = self.number("undurable_ms_max", UNDURABLE_MS, UNDURABLE_MS_ALLOWED)?;
            return Ok(Some(Duration::from_millis(ms)));
        }
        match self.table.get("undurable_ms_max") {
            Some(ms) => {
                let allowed = "only with when_undurable = \"pause\"";
                Err(self.invalid("undurable_ms_max", bare(ms), allowed))
            }
            None => Ok(None),
        }
    }
}

/// The table of a mode with a name that can be one; every key of it is one that there is.
fn table<'a>(name: &str, mode: &'a Value) -> Result<&'a Table, SettingsError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(is_plain) {
        let allowed = format!("a mode's name is 1 to {NAME_BYTES_MAX} letters, digits, - and _");
        return Err(SettingsError::invalid("modes", name, allowed));
    }
    let Some(table) = mode.as_table() else {
        let allowed = format!("a table is expected: [modes.{name}]");
        return Err(SettingsError::invalid(format!("modes.{name}"), bare(mode), allowed));
    };
    let known = || MODE_KEYS.iter().map(|(key, _)| *key);
    match table.keys().find(|key| !known().any(|known| known == *key)) {
        None => Ok(table),
        Some(unknown) => Err(SettingsError::Unknown {
            what: "key of a mode",
            key: format!("modes.{name}.{unknown}"),
            nearest: nearest(unknown, known()).unwrap_or_default().into(),
            origin: None,
        }),
    }
}

/// Checks a mode; what it is made of is added to `shown`.
pub(super) fn resolve<G: Game>(
    name: String,
    mode: &Value,
    shown: &mut Vec<ModeValue>,
) -> Result<Mode<G::Config>, SettingsError> {
    let mut mode = Reader { name: &name, table: table(&name, mode)?, shown };
    let most = PLAYERS_PER_MATCH_MAX as u64;
    let players_max = mode.number("players_max", PLAYERS_MAX, 1..=most)?;
    let at_most = || format!("allowed are 1 to players_max, which is {players_max}");
    let is_least = |least: &u64| (1..=players_max).contains(least);
    let players_min = mode.read("players_min", players_max.min(2), at_most, is_least)?;
    let hz_allowed = u64::from(TICK_RATE_HZ_MIN)..=u64::from(TICK_RATE_HZ_MAX);
    let hz = mode.number("tick_rate_hz", u16::from(TickRate::default()).into(), hz_allowed)?;
    let rate = TickRate::try_from(hz as u16)
        .map_err(|error| mode.invalid("tick_rate_hz", hz, error.to_string()))?;
    let hold_seconds = mode.number("hold_seconds", PLACE_HOLD.as_secs(), 0..=HOLD_SECONDS_MAX)?;
    let rules = mode.rules(players_max as usize)?;
    let undurable_max = mode.undurable_max()?;
    let choice = || "allowed are flag, pause and end".to_owned();
    let runaway = mode.read("runaway", Runaway::default(), choice, |_| true)?;
    let policy = MatchPolicy { undurable_max, runaway };

    let map = match mode.table.get("map") {
        None => None,
        Some(Value::String(map)) => Some(map.clone()),
        Some(other) => {
            return Err(mode.invalid("map", bare(other), "a name or a file is expected"));
        }
    };
    if let Some(map) = &map {
        mode.show("map", map.clone().into());
    }
    let none = Table::new();
    let own = match mode.table.get("rules") {
        None => &none,
        Some(Value::Table(own)) => own,
        Some(other) => return Err(mode.invalid("rules", bare(other), "a table is expected")),
    };
    for (rule, value) in own {
        let key = format!("modes.{name}.rules.{rule}");
        mode.shown.push(ModeValue { key, value: value.clone(), is_set: true });
    }

    let (players_max, players_min) = (players_max as usize, players_min as usize);
    // A name without a path is a map that comes with the game; anything else is a file.
    let file = map.as_deref().filter(|map| map.contains(['/', '.']));
    let text = file.map(|path| read_bounded("map", Path::new(path))).transpose()?;
    let source = match (&map, &text) {
        (Some(path), Some(text)) => Some(MapSource::File { path, text }),
        (Some(name), None) => Some(MapSource::Named(name)),
        (None, _) => None,
    };
    let teams = rules.teams;
    let spec = ModeSpec { players_max, players_min, teams, map: source, rules: own };
    let config = G::configure(&spec).map_err(|error| {
        let ConfigError { key, value, allowed } = error;
        mode.invalid(&key, value, allowed)
    })?;
    let bytes = encode(&config).len();
    if bytes > CONFIG_BYTES_MAX {
        let allowed = format!("a client is told at most {CONFIG_BYTES_MAX}: take a smaller map");
        let value = format!("{bytes} bytes");
        return Err(SettingsError::invalid(format!("modes.{name}"), value, allowed));
    }
    let hold = Duration::from_secs(hold_seconds);
    Ok(Mode { name, rules, rate, hold, policy, map, config })
}
