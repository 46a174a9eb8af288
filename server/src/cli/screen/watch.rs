//! The scene of a running match.
//!
//! Owns: looking at the match. Must not know: how it is drawn.

use std::time::Duration;

use matchkeep_shared::ids::MatchId;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::draw::{Tint, draw_match};
use super::key::Key;
use super::poller::Poller;
use super::watched::WatchedMatch;
use super::{Next, Scene};
use crate::cli::CliError;
use crate::cli::running::Running;
use crate::shard::view::MatchView;
use crate::travel::Picture;

/// From one look to the next.
const EVERY: Duration = Duration::from_millis(125);

/// A running match on the screen.
pub(in crate::cli) struct WatchScene {
    poller: Poller<(MatchView, Picture)>,
    watched: WatchedMatch,
    tint: Tint,
}

impl WatchScene {
    pub(in crate::cli) fn new(server: Running, id: MatchId) -> Result<Self, CliError> {
        let look = move || Ok((server.view(id)?, server.picture(id)?));
        let poller = Poller::start(EVERY, look)?;
        Ok(Self { poller, watched: WatchedMatch::new(id), tint: Tint::of_environment() })
    }
}

impl Scene for WatchScene {
    fn pass(&mut self, now: Duration) {
        match self.poller.news() {
            Some(Ok((view, picture))) => self.watched.take(now, view, picture),
            // What was seen last stays: it may be how the match ended.
            Some(Err(error)) => self.watched.trouble = Some(error.to_string()),
            None => {}
        }
    }

    fn press(&mut self, key: Key) -> Next {
        if key == Key::Escape { Next::Back } else { Next::Stay }
    }

    fn draw(&self, area: Rect, buffer: &mut Buffer) {
        draw_match(&self.watched, self.tint, area, buffer);
    }
}
