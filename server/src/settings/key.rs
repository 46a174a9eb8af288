//! A setting's key, and the rule by which its flag and its variable follow from it.

/// Every variable begins with this; the key in capitals follows.
pub const VARIABLE_PREFIX: &str = "MATCHKEEP_SERVER_";
/// The variable that names the configuration file: the one that mirrors no key.
pub const CONFIG_VARIABLE: &str = "MATCHKEEP_SERVER_CONFIG";

/// One setting, as it is declared.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name in the file.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// What stands for its value in help.
    pub placeholder: &'static str,
    /// What it does, in one line.
    pub(super) about: &'static str,
    /// How the default is told where it depends on the machine.
    pub(super) default: Option<&'static str>,
    /// For tests of the whole: it works, and help does not tell of it.
    pub is_hidden: bool,
}

impl Key {
    /// `lobby-port` of `lobby_port`: the flag without its dashes.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// `MATCHKEEP_SERVER_LOBBY_PORT` of `lobby_port`.
    pub fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.name.to_uppercase())
    }

    /// What it does, in one line.
    pub fn about(&self) -> &'static str {
        self.about.trim_start()
    }
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file or folder.
    Path,
    /// An IP address.
    Ip,
    /// An IP address with a port.
    Address,
    /// A UDP or TCP port.
    Port,
    /// A whole number, none below 0.
    Count,
    /// Any text.
    Text,
    /// Yes or no.
    Switch,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// Filter directives of the log.
    Filter,
}

impl Kind {
    /// A flag's or variable's text as the value it would be in the file.
    pub(super) fn read(self, text: &str) -> toml::Value {
        let value = match self {
            Self::Port | Self::Count => text.parse().ok().map(toml::Value::Integer),
            Self::Switch => text.parse().ok().map(toml::Value::Boolean),
            Self::Path | Self::Ip | Self::Address | Self::Text | Self::OneOf(_) | Self::Filter => {
                None
            }
        };
        value.unwrap_or_else(|| toml::Value::String(text.to_owned()))
    }

    /// What is allowed, in words.
    pub(super) fn allowed(self) -> String {
        match self {
            Self::Path => "a path is expected".into(),
            Self::Ip => "an IP address is expected, such as \"127.0.0.1\"".into(),
            Self::Address => {
                "an IP address with a port is expected, such as \"127.0.0.1:7780\"".into()
            }
            Self::Port => "allowed are whole numbers from 0 to 65535".into(),
            Self::Count => "a whole number is expected, not below 0".into(),
            Self::Text => "a text is expected".into(),
            Self::Switch => "allowed are true and false".into(),
            Self::OneOf(all) => format!("allowed are {}", all.join(", ")),
            Self::Filter => "a level is expected, such as \"info\", or one for each part, such as \
                             \"info,matchkeep_server::journal=debug\""
                .into(),
        }
    }
}

/// A value as it is written, without quotes.
pub(super) fn bare(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
