//! Starts the child, `journal_child`: a process of its own, with the faults of a test under it.

use std::path::Path;
use std::process::{Command, Stdio};

fn child(work: &str, folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_journal_child"));
    command.arg(work).arg(folder).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A child that plays rounds.
pub(super) fn player(folder: &Path, seed: u64, process: u64, rounds: u64) -> Command {
    let mut command = child("play", folder);
    command.args([seed, process, rounds].map(|number| number.to_string()));
    command
}

/// A child that hands over ticks of one match, at its pace.
pub(super) fn giver(folder: &Path) -> Command {
    child("hand-over", folder)
}
