//! `matchkeep top`: the whole node on the screen, its dearest matches first.

use clap::Args;

use super::place::Place;
use super::running::Running;
use super::screen::{self, TopScene};
use super::{CliError, print_json};

/// What stands below the flags of `top`.
pub(super) const TOP_HELP: &str = "\
Keys:
  up, down, k, j, Home, End  select a match
  Enter                      watch it; Esc goes back
  s                          sort by cost, lateness, players, durable lag, ID
  q, Ctrl-C                  leave";

#[derive(Debug, Args)]
pub(super) struct TopArgs {
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(args: &TopArgs) -> Result<(), CliError> {
    if !args.place.json && !screen::is_possible() {
        return Err(CliError::Usage(
            "`top` draws on a terminal, and standard input or output is none: `top --json` prints one sample, \
             `match ls --sort cost --watch` one table after the other"
                .to_owned(),
        ));
    }
    let server = Running::find(&args.place)?;
    let sample = screen::look(&server)?;
    if args.place.json {
        return print_json(&sample);
    }
    screen::show(&mut TopScene::new(server, sample)?)
}
