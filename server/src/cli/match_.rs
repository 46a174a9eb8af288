//! `matchkeep match`: one match, running or finished. A file for each verb.

mod diff;
mod state;
mod tree;

use clap::{Args, Subcommand};
use matchkeep_client::bots::Playable;

use super::CliError;
use super::place::Place;

#[derive(Debug, Args)]
pub(super) struct MatchArgs {
    #[command(subcommand)]
    verb: MatchVerb,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum MatchVerb {
    /// Show the whole match, or one field of it, as it was after a tick
    State(state::StateArgs),
    /// Show what changed between two ticks
    Diff(diff::DiffArgs),
}

pub(super) fn run<G: Playable>(args: MatchArgs) -> Result<(), CliError> {
    match args.verb {
        MatchVerb::State(state) => state::run::<G>(state, &args.place),
        MatchVerb::Diff(diff) => diff::run::<G>(diff, &args.place),
    }
}
