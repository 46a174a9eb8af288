//! `matchkeep history replay`: a match played again on the screen.

use clap::Args;
use matchkeep_shared::Game;
use matchkeep_shared::ids::MatchId;

use crate::cli::CliError;
use crate::cli::journals::Journals;
use crate::cli::place::Place;
use crate::cli::screen::{self, ReplayScene, SPEED_MAX, SPEED_MIN};

/// What stands below the flags of `replay`.
pub(super) const REPLAY_HELP: &str = "\
Keys:
  space        pause, and go on
  left, right  5 seconds back, or on
  Home, End    to the beginning, to the end
  . ,          one tick on, one back
  + -          twice as fast, half as fast
  q, Ctrl-C    leave";

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// The match's ID
    id: MatchId,
    /// How fast, as a share of the match's own time
    #[arg(long, value_name = "X", default_value = "1", value_parser = speed)]
    speed: f64,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse::<f64>().ok().filter(|speed| (SPEED_MIN..=SPEED_MAX).contains(speed));
    speed.ok_or_else(|| format!("allowed are {SPEED_MIN} to {SPEED_MAX}"))
}

pub(super) fn run<G: Game>(args: &ReplayArgs, place: &Place) -> Result<(), CliError> {
    if place.json || !screen::is_possible() {
        return Err(CliError::Usage(format!(
            "`history replay` draws on a terminal{}: `history export {}` writes the match for programs, a line of \
             JSON for each tick, event and position",
            if place.json {
                ", and has no --json"
            } else {
                ", and standard input or output is none"
            },
            args.id
        )));
    }
    let journals = Journals::open(place)?;
    screen::show(&mut ReplayScene::new::<G>(journals, args.id, args.speed)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_neither_nothing_nor_beyond_what_can_be_played() {
        assert_eq!(speed("0.5"), Ok(0.5));
        for wrong in ["0", "-1", "65", "NaN", "inf", "fast", ""] {
            assert!(speed(wrong).is_err_and(|error| error.contains("0.05 to 64")), "{wrong}");
        }
    }
}
