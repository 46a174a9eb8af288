//! The log: what is told to operators while a server runs, on standard error, and where the environment asks for
//! it to a collector.

use std::io::IsTerminal;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use super::telemetry::{Recorder, Telemetry, Wanted};
use super::{CliError, is_plain};
use crate::settings::{LogFormat, Values};
use crate::spans;

/// Starts the log as the settings say, and what is sent of it and of spans. The latter must be stopped at the end.
///
/// # Errors
/// The system has no thread for what is to be sent.
pub(super) fn start(values: &Values, wanted: Wanted) -> Result<Telemetry, CliError> {
    let (telemetry, recorder) = wanted.start().map_err(CliError::failed)?;
    // A program that embeds us may have its own log already.
    let _ = listener(&values.log, values.log_format, recorder).try_init();
    Ok(telemetry)
}

/// What hears of everything that is said, and of no more: the printer alone, or a printer and a recorder.
fn listener(
    filter: &str,
    format: LogFormat,
    recorder: Option<Recorder>,
) -> Box<dyn Subscriber + Send + Sync> {
    // The settings were checked; what is none now would be a filter that lets nothing through.
    let lines = || EnvFilter::new(filter);
    // The spans of a node are sent, at whatever level the log is, and not printed.
    let others = filter_fn(|metadata| metadata.target() != spans::TARGET);
    let Some(recorder) = recorder else {
        // Filters of the whole: what they do not let through is not even made.
        return Box::new(Registry::default().with(lines()).with(others).with(printer(format)));
    };
    // Each has its own. Both say how far down they look: of what is further down nobody is asked.
    let others = others.with_max_level_hint(LevelFilter::TRACE);
    let printed = printer(format).with_filter(lines().and(others));
    let spans = filter_fn(|metadata| metadata.target() == spans::TARGET);
    let sent = recorder.with_filter(lines().or(spans.with_max_level_hint(LevelFilter::INFO)));
    Box::new(Registry::default().with(printed).with(sent))
}

/// Writes lines to standard error.
fn printer<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let printer = fmt::layer()
        .with_ansi(std::io::stderr().is_terminal() && !is_plain())
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => printer.boxed(),
        LogFormat::Json => printer.json().flatten_event(true).boxed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_asked_about_what_nobody_wants_to_hear() {
        let hint = |filter: &str, recorder: Option<Recorder>| {
            listener(filter, LogFormat::Text, recorder).max_level_hint()
        };
        assert_eq!(hint("info", None), Some(LevelFilter::INFO));
        assert_eq!(hint("error", None), Some(LevelFilter::ERROR));
        assert_eq!(hint("warn,matchkeep_server=debug", None), Some(LevelFilter::DEBUG));
        let recorder = || Some(Recorder::deaf());
        assert_eq!(hint("info", recorder()), Some(LevelFilter::INFO));
        assert_eq!(hint("error", recorder()), Some(LevelFilter::INFO), "for spans");
    }

    #[test]
    fn a_span_is_made_only_where_it_is_sent() {
        for (filter, is_sent) in [("trace", false), ("error", true), ("info", true)] {
            let recorder = is_sent.then(Recorder::deaf);
            let listener = listener(filter, LogFormat::Text, recorder);
            tracing::subscriber::with_default(listener, || {
                assert_eq!(spans::start().is_disabled(), !is_sent, "{filter}");
            });
        }
    }
}
