//! The log: what is told to operators while a server runs, on standard error, and where the environment asks for
//! it to a collector.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use super::telemetry::{Telemetry, Wanted};
use super::{CliError, is_plain};
use crate::settings::{LogFormat, Values};
use crate::spans;

/// Starts the log as the settings say, and what is sent of it and of spans. The latter must be stopped at the end.
///
/// # Errors
/// The system has no thread for what is to be sent.
pub(super) fn start(values: &Values, wanted: Wanted) -> Result<Telemetry, CliError> {
    // The settings were checked; what is none now would be a filter that lets nothing through.
    let lines = || EnvFilter::new(&values.log);
    // The spans of a node are sent, not printed, and at every level of the log. Both filters say how far down they
    // look: for what is further down nobody is asked then.
    let others = filter_fn(|metadata| metadata.target() != spans::TARGET);
    let others = others.with_max_level_hint(LevelFilter::TRACE);
    let spans = filter_fn(|metadata| metadata.target() == spans::TARGET);
    let spans = spans.with_max_level_hint(LevelFilter::INFO);

    let printed = fmt::layer()
        .with_ansi(std::io::stderr().is_terminal() && !is_plain())
        .with_writer(std::io::stderr);
    let printed = match values.log_format {
        LogFormat::Text => printed.boxed(),
        LogFormat::Json => printed.json().flatten_event(true).boxed(),
    };
    let printed = printed.with_filter(lines().and(others));
    let (telemetry, recorder) = wanted.start().map_err(CliError::failed)?;
    let sent = recorder.map(|recorder| recorder.with_filter(lines().or(spans)));
    // A program that embeds us may have its own log already.
    let _ = Registry::default().with(printed).with(sent).try_init();
    Ok(telemetry)
}
