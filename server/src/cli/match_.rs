//! `matchkeep match`: one match, running or finished. A file for each verb; the orders share one.

mod diff;
mod inspect;
mod ls;
mod orders;
mod show;
mod state;
mod trace;
mod tree;
mod watch;

use clap::{Args, Subcommand};
use matchkeep_client::bots::Playable;
use matchkeep_shared::ids::MatchId;

use super::CliError;
use super::place::Place;
use super::watch::Watch;

/// What stands below the verbs of `match`.
pub(super) const MATCH_HELP: &str = "\
`ls`, `show`, `watch`, `inspect`, `trace` and the orders speak to a running server; `state` and `diff` play a match again \
from its journal, running or finished.

Exit codes:
  0  it worked
  1  it failed on the way: the server is stopping, or does not answer in time
  2  what was asked for cannot be: no such server, match, player or field, or the match is not in a stage for it";

#[derive(Debug, Args)]
pub(super) struct MatchArgs {
    #[command(subcommand)]
    verb: MatchVerb,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum MatchVerb {
    /// List running matches
    Ls(ls::ListArgs),
    /// Show a running match and its players
    Show {
        /// The match's ID
        id: MatchId,
        #[command(flatten)]
        watch: Watch,
    },
    /// Watch a running match from above, with its players, links and ticks; where there is no terminal, as
    /// `show` again and again
    Watch(watch::WatchArgs),
    /// Show everything of a running match: players, links, tick budget, entities, any field
    Inspect(inspect::InspectArgs),
    /// Write the next seconds of a running match, tick by tick and phase by phase, for Perfetto
    Trace(trace::TraceArgs),
    /// Tell the players of a running match something
    Say(orders::SayArgs),
    /// Send a player away; the place is free at once, and the player may come again
    Kick(orders::KickArgs),
    /// Let a running match stand still
    Pause(orders::OrderArgs),
    /// Let a match go on that stands still
    Resume(orders::OrderArgs),
    /// End a running match as it stands
    End(orders::EndArgs),
    /// Show the whole match, or one field of it, as it was after a tick
    State(state::StateArgs),
    /// Show what changed between two ticks
    Diff(diff::DiffArgs),
}

pub(super) fn run<G: Playable>(args: MatchArgs) -> Result<(), CliError> {
    let place = &args.place;
    match args.verb {
        MatchVerb::Ls(list) => ls::run(&list, place),
        MatchVerb::Show { id, watch } => show::run(id, watch.every, place),
        MatchVerb::Watch(watch) => watch::run(&watch, place),
        MatchVerb::Inspect(inspect) => inspect::run(&inspect, place),
        MatchVerb::Trace(trace) => trace::run(&trace, place),
        MatchVerb::Say(say) => orders::say(&say, place),
        MatchVerb::Kick(kick) => orders::kick(&kick, place),
        MatchVerb::Pause(order) => orders::pause(&order, place),
        MatchVerb::Resume(order) => orders::resume(&order, place),
        MatchVerb::End(end) => orders::end(&end, place),
        MatchVerb::State(state) => state::run::<G>(state, place),
        MatchVerb::Diff(diff) => diff::run::<G>(diff, place),
    }
}
