//! A match at one tick as a person watches it.
//!
//! Owns: the shape of that document, and playing a stretch of a match as such. Must not know: who looks, and
//! how it is drawn.

use std::ops::ControlFlow;

use matchkeep_shared::Game;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::sketch::Sketch;
use matchkeep_shared::time::Tick;
use serde::{Deserialize, Serialize};

use super::error::TravelError;
use super::playback::{Playback, Rules};
use super::seek::play_from;
use crate::journal::JournalReader;
use crate::matches::state::MatchState;

/// A match after a tick, from above.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Picture {
    /// The match.
    #[serde(rename = "match", with = "matchkeep_shared::ids::match_id_text")]
    #[schema(value_type = String, example = "0123456789abc")]
    pub id: MatchId,
    /// The tick.
    pub tick: Tick,
    /// Why it ended, once it has.
    pub ended: Option<String>,
    /// What is to be seen.
    pub sketch: Sketch,
}

/// The picture of a state that is at hand.
pub fn picture<G: Game>(id: MatchId, state: &MatchState<G>) -> Picture {
    let ended = state.outcome().map(|outcome| outcome.reason.clone());
    Picture { id, tick: state.tick(), ended, sketch: state.game().sketch() }
}

/// The pictures of a match from `first` to `last`, or to where it ends before that.
///
/// # Errors
/// [`TravelError`]; there is a picture at least where there is none.
pub fn pictures<G: Game>(
    journal: &dyn JournalReader,
    match_id: MatchId,
    first: Tick,
    last: Tick,
) -> Result<Vec<Picture>, TravelError> {
    let mut pictures = Vec::new();
    let mut each = |playback: &mut Playback<G>| {
        let Some(state) = playback.state() else { return ControlFlow::Continue(()) };
        pictures.push(picture(match_id, state));
        if state.tick() < last { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    play_from::<G>(journal, match_id, first, Rules::Own, &mut each)?;
    Ok(pictures)
}
