//! Full-screen views: what is on the terminal until somebody leaves.
//!
//! Owns: the loop, and what a view is. Must not know: what is shown. A view has three parts: a model that is
//! plain values (`node`, `watched`, `playhead`), a source that feeds it (`poller`, `film`), and a drawing of
//! the model (`draw`), which asks nobody and decides nothing.

mod draw;
mod film;
mod key;
mod minute;
mod node;
mod playhead;
mod poller;
mod replay;
mod terminal;
mod top;
mod watch;
mod watched;

use std::io::{self, IsTerminal};
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::CliError;
use key::Key;
pub(super) use playhead::{SPEED_MAX, SPEED_MIN};
pub(super) use replay::ReplayScene;
use terminal::Screen;
pub(super) use top::{TopScene, look};
pub(super) use watch::WatchScene;

/// From one pass to the next, when nobody presses anything.
const PASS: Duration = Duration::from_millis(50);

/// What can be on the screen.
pub(super) trait Scene {
    /// Takes what came in meanwhile; `now` counts from the screen's beginning.
    fn pass(&mut self, now: Duration);

    /// Does what a key means here.
    fn press(&mut self, key: Key) -> Next;

    /// Draws itself.
    fn draw(&self, area: Rect, buffer: &mut Buffer);
}

/// What comes after a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// The same scene.
    Stay,
    /// What was there before.
    Back,
}

/// Whether somebody sits there: a terminal to draw on and one to read keys from.
pub(super) fn is_possible() -> bool {
    io::stdout().is_terminal() && io::stdin().is_terminal()
}

/// Shows a scene until whoever looks at it leaves.
pub(super) fn show(scene: &mut dyn Scene) -> Result<(), CliError> {
    let mut screen = Screen::open().map_err(lost)?;
    loop {
        scene.pass(screen.now());
        screen.draw(|area, buffer| scene.draw(area, buffer)).map_err(lost)?;
        let mut wait = PASS;
        while let Some(key) = screen.key(wait).map_err(lost)? {
            if key == Key::Quit || scene.press(key) == Next::Back {
                return Ok(());
            }
            // All that was pressed, then a look at it.
            wait = Duration::ZERO;
        }
    }
}

fn lost(error: io::Error) -> CliError {
    CliError::Failed(format!("the terminal cannot be used: {error}"))
}
