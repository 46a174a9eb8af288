//! The log: what is told to operators while a server runs, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::is_plain;
use crate::settings::{LogFormat, Values};

/// Starts the log as the settings say.
pub(super) fn start(values: &Values) {
    let log = tracing_subscriber::fmt()
        // The settings were checked; what is none now would be a filter that lets nothing through.
        .with_env_filter(EnvFilter::new(&values.log))
        .with_ansi(std::io::stderr().is_terminal() && !is_plain())
        .with_writer(std::io::stderr);
    // A program that embeds us may have its own log already.
    let _ = match values.log_format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}
