//! What is wrong with a setting, said to the person who set it.

use std::path::PathBuf;

use super::layers::Origin;

/// A setting that cannot be used. Ends the program with exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A value that makes no sense.
    #[error("{key} = {value}{}: {allowed}", place(.origin))]
    Invalid {
        /// The setting.
        key: String,
        /// As it was given.
        value: String,
        /// What is allowed.
        allowed: String,
        /// Where it was given, as far as that is known.
        origin: Option<Origin>,
    },
    /// A setting that is none.
    #[error("{key}{}: no such {what}; the nearest is `{nearest}`", place(.origin))]
    Unknown {
        /// What it was taken for.
        what: &'static str,
        /// As it was written.
        key: String,
        /// What may have been meant.
        nearest: String,
        /// Where it was written.
        origin: Option<Origin>,
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
    /// A configuration file that is no TOML.
    #[error("configuration `{path}`: {cause}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        cause: String,
    },
}

/// Where it was set, in brackets.
fn place(origin: &Option<Origin>) -> String {
    origin.as_ref().map(|origin| format!(" ({origin})")).unwrap_or_default()
}

impl SettingsError {
    pub(super) fn invalid(
        key: impl Into<String>,
        value: impl ToString,
        allowed: impl Into<String>,
    ) -> Self {
        let (key, value, allowed) = (key.into(), value.to_string(), allowed.into());
        Self::Invalid { key, value, allowed, origin: None }
    }

    /// With where the setting was made, which `find` knows by its key; what is known stays.
    pub(super) fn located(mut self, find: impl Fn(&str) -> Option<Origin>) -> Self {
        if let Self::Invalid { key, origin, .. } | Self::Unknown { key, origin, .. } = &mut self
            && origin.is_none()
        {
            *origin = find(key);
        }
        self
    }
}
