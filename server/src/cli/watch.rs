//! Showing something once, or again and again.
//!
//! Owns: `--watch`, clearing the terminal, and the form for programs. Must not know: what is shown.

use std::io::IsTerminal;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::table::fitted;
use super::{CliError, emit, emit_to_reader, print_json};

/// The shortest pause between two looks, in seconds.
const SECONDS_MIN: f64 = 0.1;
/// The longest one.
const SECONDS_MAX: f64 = 3600.0;

/// How often something is shown.
#[derive(Debug, Args)]
pub(super) struct Watch {
    /// Look again every so many seconds, until Ctrl-C: redrawn on a terminal, else one document after the other
    /// (with --json one a line)
    #[arg(
        long = "watch",
        value_name = "SECONDS",
        num_args = 0..=1,
        default_missing_value = "1",
        value_parser = seconds
    )]
    pub(super) every: Option<Duration>,
}

/// A pause between two looks.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok();
    seconds
        .filter(|seconds| (SECONDS_MIN..=SECONDS_MAX).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| format!("allowed are {SECONDS_MIN} to {SECONDS_MAX} seconds"))
}

/// Shows what `look` finds: once, or every so often until nobody reads it any more.
pub(super) fn show<T: Serialize>(
    every: Option<Duration>,
    json: bool,
    look: impl Fn() -> Result<T, CliError>,
    text: impl Fn(&T) -> String,
) -> Result<(), CliError> {
    let Some(every) = every else {
        let seen = look()?;
        return if json { print_json(&seen) } else { emit(&fitted(&text(&seen))) };
    };
    let clears = !json && std::io::stdout().is_terminal();
    loop {
        let seen = look()?;
        let drawn = if json {
            serde_json::to_string(&seen).map_err(CliError::failed)? + "\n"
        } else if clears {
            // To the corner, and nothing of before below.
            format!("\x1b[H\x1b[2J{}", fitted(&text(&seen)))
        } else {
            text(&seen) + "\n"
        };
        if !emit_to_reader(&drawn)? {
            return Ok(());
        }
        pause(every);
    }
}

#[expect(clippy::disallowed_methods, reason = "the command line waits for its next look")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_neither_nothing_nor_for_ever() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["0", "-1", "NaN", "inf", "1e9", "often", ""] {
            assert!(seconds(wrong).is_err_and(|error| error.contains("0.1 to 3600")), "{wrong}");
        }
    }
}
