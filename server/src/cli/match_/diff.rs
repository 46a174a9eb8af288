//! `matchkeep match diff`: what changed in a match between two ticks.

use clap::Args;
use matchkeep_shared::Game;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::time::Tick;
use serde_json::json;

use super::state::seen;
use crate::cli::journals::Journals;
use crate::cli::place::Place;
use crate::cli::{CliError, emit, print_json};
use crate::travel::{Rules, diff};

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// The match's ID
    id: MatchId,
    /// The first tick; 0 is before the first step
    #[arg(long, value_name = "TICK")]
    from: u64,
    /// The second one, earlier or later
    #[arg(long, value_name = "TICK")]
    to: u64,
}

pub(super) fn run<G: Game>(args: DiffArgs, place: &Place) -> Result<(), CliError> {
    let journals = Journals::open(place)?;
    let seen = |tick: u64| -> Result<_, CliError> {
        let document = seen::<G>(&journals, args.id, Tick(tick), Rules::Own)?;
        Ok(json!({ "state": document["state"], "entities": document["entities"] }))
    };
    let changes = diff(&seen(args.from)?, &seen(args.to)?);
    if place.json {
        return print_json(&json!({
            "match": args.id.to_string(),
            "from": args.from,
            "to": args.to,
            "changes": changes,
        }));
    }
    if changes.is_empty() {
        return emit("nothing changed\n");
    }
    emit(&changes.iter().map(|change| format!("{change}\n")).collect::<String>())
}
