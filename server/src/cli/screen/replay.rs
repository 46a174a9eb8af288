//! The scene of a match that is played again from its journal.
//!
//! Owns: bringing together where in time it is and what it looks like there. Must not know: where records lie,
//! how it is drawn.

use std::time::Duration;

use matchkeep_shared::Game;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::time::Tick;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::draw::{Tint, draw_match};
use super::film::Film;
use super::key::Key;
use super::playhead::Playhead;
use super::watched::WatchedMatch;
use super::{Next, Scene};
use crate::cli::CliError;
use crate::cli::journals::Journals;
use crate::travel::{Rules, Span, TravelError, at, pictures, span};

/// What is played at once: as long as from one checkpoint to the next, which is what must be played anyway.
const STRETCH: Duration = Duration::from_secs(5);
/// How often the end of a running match is asked for.
const EXTEND_EVERY: Duration = Duration::from_secs(1);

/// The ends of a match.
type Ends = Box<dyn Fn() -> Result<Span, TravelError>>;

/// An old match on the screen.
pub(in crate::cli) struct ReplayScene {
    watched: WatchedMatch,
    playhead: Playhead,
    film: Film,
    /// The tick that was asked of it last.
    shown: Option<Tick>,
    ends: Ends,
    /// Whether the match may go on, and when that was asked last.
    is_open: bool,
    extended: Duration,
    tint: Tint,
}

impl ReplayScene {
    /// A match of `journals`, from its beginning.
    pub(in crate::cli) fn new<G: Game>(
        journals: Journals,
        id: MatchId,
        speed: f64,
    ) -> Result<Self, CliError> {
        let ends = span(journals.reader(), id)?;
        let first = at::<G>(journals.reader(), id, Tick(0), Rules::Own)?;
        let (_, spec) = first.made_of().expect("tick 0 was reached");
        let rate = spec.rate;
        let journals = std::rc::Rc::new(journals);
        let reader = std::rc::Rc::clone(&journals);
        let make = move |first, last| {
            pictures::<G>(reader.reader(), id, first, last).map_err(CliError::from)
        };
        Ok(Self {
            watched: WatchedMatch::new(id),
            playhead: Playhead::new(rate, ends.newest, speed),
            film: Film::new(rate.ticks_in(STRETCH), Box::new(make)),
            shown: None,
            ends: Box::new(move || span(journals.reader(), id)),
            is_open: ends.is_open,
            extended: Duration::ZERO,
            tint: Tint::of_environment(),
        })
    }

    /// Asks how far a running match has come.
    fn extend(&mut self, now: Duration) {
        if !self.is_open || now < self.extended + EXTEND_EVERY {
            return;
        }
        self.extended = now;
        match (self.ends)() {
            Ok(ends) => {
                self.playhead.extend(ends.newest);
                self.is_open = ends.is_open;
            }
            Err(error) => self.watched.trouble = Some(error.to_string()),
        }
    }
}

impl Scene for ReplayScene {
    fn pass(&mut self, now: Duration) {
        self.extend(now);
        self.playhead.pass(now);
        let tick = self.playhead.tick();
        // Once: what cannot be shown is no other the next time.
        if self.shown.replace(tick) != Some(tick) {
            match self.film.at(tick, self.playhead.newest()) {
                Ok(picture) => {
                    self.watched.picture = Some(picture);
                    self.watched.trouble = None;
                }
                Err(error) => {
                    self.watched.trouble = Some(error.to_string());
                    self.playhead.stand_still();
                }
            }
        }
        self.watched.playhead = Some(self.playhead.clone());
    }

    fn press(&mut self, key: Key) -> Next {
        if key == Key::Escape {
            return Next::Back;
        }
        self.playhead.press(key);
        Next::Stay
    }

    fn draw(&self, area: Rect, buffer: &mut Buffer) {
        draw_match(&self.watched, self.tint, area, buffer);
    }
}
