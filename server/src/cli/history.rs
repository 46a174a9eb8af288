//! `matchkeep history`: stored matches, from the running server or from a data folder alone. A file for
//! each verb.

mod bisect;
mod export;
mod hashes;
mod ls;
mod replay;
mod show;
pub(super) mod source;
mod verify;

use clap::{Args, Subcommand};
use matchkeep_client::bots::Playable;
use matchkeep_shared::ids::MatchId;

use super::CliError;
use super::place::Place;
pub(super) use show::describe;

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    #[command(subcommand)]
    verb: HistoryVerb,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum HistoryVerb {
    /// List matches, newest first
    Ls(ls::ListArgs),
    /// Show one match with its players
    Show {
        /// The match's ID
        id: MatchId,
    },
    /// Play matches again and compare everything that is stored of them
    Verify(verify::VerifyArgs),
    /// Find the first tick at which this build and another one disagree, and in which fields
    Bisect(bisect::BisectArgs),
    /// Write a match as lines of JSON: ticks, events, positions
    Export(export::ExportArgs),
    /// Watch a match again, from its journal: pause, seek, single ticks, any speed
    #[command(after_help = replay::REPLAY_HELP)]
    Replay(replay::ReplayArgs),
    /// Play a match again and print the hash of its state at every tick
    Hashes(hashes::HashesArgs),
}

pub(super) fn run<G: Playable>(args: HistoryArgs) -> Result<(), CliError> {
    let place = args.place;
    match args.verb {
        HistoryVerb::Ls(list) => ls::run(list, place),
        HistoryVerb::Show { id } => show::run(id, place),
        HistoryVerb::Verify(verify) => verify::run::<G>(verify, place),
        HistoryVerb::Bisect(bisect) => bisect::run::<G>(bisect, place),
        HistoryVerb::Export(export) => export::run::<G>(export, place),
        HistoryVerb::Replay(replay) => replay::run::<G>(&replay, &place),
        HistoryVerb::Hashes(hashes) => hashes::run::<G>(hashes, place),
    }
}
