//! `matchkeep match watch`: a running match on the screen; where nobody sits there, line by line.

use std::time::Duration;

use clap::Args;
use matchkeep_shared::ids::MatchId;

use super::show;
use crate::cli::CliError;
use crate::cli::place::Place;
use crate::cli::running::Running;
use crate::cli::screen::{self, WatchScene};
use crate::cli::watch::seconds;

/// From one look to the next, line by line.
const EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    /// The match's ID
    id: MatchId,
    /// Line by line as `show --watch` does, with so many seconds between two looks
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    every: Option<Duration>,
}

pub(super) fn run(args: &WatchArgs, place: &Place) -> Result<(), CliError> {
    if place.json || args.every.is_some() || !screen::is_possible() {
        return show::run(args.id, Some(args.every.unwrap_or(EVERY)), place);
    }
    let server = Running::find(place)?;
    // Where there is no such match, that is said before the screen is taken over.
    server.view(args.id)?;
    screen::show(&mut WatchScene::new(server, args.id)?)
}
