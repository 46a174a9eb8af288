//! The terminal: taken over for a while, and given back whatever happens.
//!
//! Owns: the terminal's modes, its size, keys, signals that end a view, and what was said meanwhile. Must not
//! know: what is drawn.

use std::io::{self, Stdout, Write};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, event, execute};
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::SigId;
use signal_hook::consts::SIGTERM;

use super::key::Key;

/// The size of a terminal that does not know its own.
const SIZE_UNKNOWN: Rect = Rect { x: 0, y: 0, width: 80, height: 24 };

/// A terminal that is ours until this is dropped.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    area: Rect,
    begun: Instant,
    /// Somebody wants the process to end.
    stopped: Arc<AtomicBool>,
    signal: Option<SigId>,
    /// What panics said, to be read once the terminal shows it.
    said: Arc<Mutex<Vec<String>>>,
}

impl Screen {
    /// Takes the terminal over.
    #[expect(
        clippy::disallowed_methods,
        reason = "the command line's clock for what is on the screen"
    )]
    pub(super) fn open() -> io::Result<Self> {
        let area = size();
        let options = TerminalOptions { viewport: Viewport::Fixed(area) };
        let terminal = Terminal::with_options(CrosstermBackend::new(io::stdout()), options)?;
        let stopped = Arc::new(AtomicBool::new(false));
        let said = Arc::new(Mutex::new(Vec::new()));
        let begun = Instant::now();
        // From here on it is given back, whichever of these fails.
        let mut screen = Self { terminal, area, begun, stopped, signal: None, said };
        // SIGHUP ends the process where it stands: there is no terminal any more to be given back.
        screen.signal = Some(signal_hook::flag::register(SIGTERM, Arc::clone(&screen.stopped))?);
        let said = Arc::clone(&screen.said);
        panic::set_hook(Box::new(move |info| {
            said.lock().unwrap_or_else(PoisonError::into_inner).push(info.to_string());
        }));
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen, cursor::Hide, Clear(ClearType::All))?;
        Ok(screen)
    }

    /// The time since it was taken over.
    pub(super) fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Draws all of it; what did not change is not sent.
    pub(super) fn draw(&mut self, draw: impl FnOnce(Rect, &mut Buffer)) -> io::Result<()> {
        let area = size();
        if area != self.area {
            self.terminal.resize(area)?;
            self.area = area;
        }
        self.terminal.draw(|frame| draw(frame.area(), frame.buffer_mut()))?;
        Ok(())
    }

    /// The next key, if one comes in time.
    pub(super) fn key(&self, within: Duration) -> io::Result<Option<Key>> {
        let is_gone = is_gone(within)?;
        if is_gone || self.stopped.load(Ordering::Relaxed) {
            return Ok(Some(Key::Quit));
        }
        if !event::poll(Duration::ZERO)? {
            return Ok(None);
        }
        // What is no key of ours is a reason to draw.
        Ok(Key::of(&event::read()?))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Each is tried, whatever became of the others: nobody is left to hear of it.
        let _ = execute!(io::stdout(), LeaveAlternateScreen, cursor::Show);
        let _ = disable_raw_mode();
        if let Some(signal) = self.signal.take() {
            signal_hook::low_level::unregister(signal);
        }
        // A thread that panics must not touch the hook; its process ends.
        if !std::thread::panicking() {
            let _ = panic::take_hook();
        }
        for said in self.said.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = writeln!(io::stderr(), "{said}");
        }
    }
}

/// Waits until something comes from the terminal. Says whether that is its end, which crossterm would read for
/// ever and never give out.
fn is_gone(within: Duration) -> io::Result<bool> {
    let stdin = io::stdin();
    let mut keys = [PollFd::new(&stdin, PollFlags::IN)];
    let within =
        Timespec { tv_sec: within.as_secs() as i64, tv_nsec: within.subsec_nanos().into() };
    match poll(&mut keys, Some(&within)) {
        Ok(_) => {
            Ok(keys[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL))
        }
        // A signal: the terminal has another size, or the process is to end.
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The size of the terminal that is drawn on, which need not be the one that keys come from.
fn size() -> Rect {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
    size.filter(|size| size.ws_col > 0 && size.ws_row > 0)
        .map_or(SIZE_UNKNOWN, |size| Rect::new(0, 0, size.ws_col, size.ws_row))
}
