//! What the measured programs have in common: flags that cannot be, a report for a program or a person, and how
//! they end.

use std::process::ExitCode;

use serde::Serialize;

/// A flag whose value cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("--{flag} {value}: {allowed}")]
pub struct FlagError {
    /// Which.
    pub flag: &'static str,
    /// What it was set to.
    pub value: u64,
    /// What it may be set to, in words.
    pub allowed: String,
}

/// Checks a flag's value.
///
/// # Errors
/// [`FlagError`] where it is not within `min` and `max`.
pub fn within(flag: &'static str, value: u64, min: u64, max: u64) -> Result<(), FlagError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(FlagError { flag, value, allowed: format!("allowed are {min} to {max}") })
}

/// Why a program did not measure.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What was asked for cannot be.
    #[error(transparent)]
    Asked(#[from] FlagError),
    /// It failed on the way.
    #[error("{0:#}")]
    OnTheWay(#[from] anyhow::Error),
}

/// How a program ends. Exit codes: 0 it measured; 1 it failed on the way; 2 what was asked for cannot be.
pub fn ended(outcome: Result<(), Failure>) -> ExitCode {
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    eprintln!("error: {failure}");
    match failure {
        Failure::Asked(_) => ExitCode::from(2),
        Failure::OnTheWay(_) => ExitCode::FAILURE,
    }
}

/// Prints a report on standard output: one JSON object, or a table for a person.
///
/// # Errors
/// Where it cannot be JSON.
pub fn print<R: Serialize>(
    json: bool,
    report: &R,
    table: impl FnOnce(&R) -> String,
) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string(report)?);
    } else {
        print!("{}", table(report));
    }
    Ok(())
}
