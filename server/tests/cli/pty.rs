//! The program on a terminal of its own: what is on it, keys, and how the terminal is left.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::process::{matchkeep, wait_for};

/// A program on a terminal.
pub(crate) struct OnTerminal {
    child: Child,
    master: File,
    /// Our own hand on its other side: it keeps its modes.
    slave: File,
    modes_before: LocalModes,
    /// All that the program wrote.
    written: Arc<Mutex<Vec<u8>>>,
    size: (u16, u16),
}

impl OnTerminal {
    /// Starts the program on a terminal of so many columns and rows.
    pub(crate) fn start(arguments: &[&str], size: (u16, u16)) -> Self {
        Self::start_as(matchkeep().args(arguments).env_remove("NO_COLOR"), size)
    }

    pub(crate) fn start_as(command: &mut Command, size: (u16, u16)) -> Self {
        let (master, slave) = terminal();
        let modes_before = tcgetattr(&slave).expect("it has modes").local_modes;
        put(command, &slave);
        let written = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, sink) = (master.try_clone().expect("a copy"), Arc::clone(&written));
        let read = move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut piece) {
                sink.lock().expect("nobody panics").extend_from_slice(&piece[..length]);
            }
        };
        std::thread::Builder::new().spawn(read).expect("a thread");
        let screen = Self {
            child: command.spawn().expect("the program starts"),
            master,
            slave,
            modes_before,
            written,
            size: (0, 0),
        };
        screen.resized(size)
    }

    /// Gives the terminal another size. Nobody is told: the program looks for itself.
    pub(crate) fn resized(mut self, size: (u16, u16)) -> Self {
        let (ws_col, ws_row) = size;
        let to = Winsize { ws_col, ws_row, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.slave, to).expect("a size");
        self.size = size;
        self
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("it reads");
    }

    /// Waits until all of this is on the screen; all that is.
    pub(crate) fn shows(&self, parts: &[&str]) -> String {
        let mut screen = String::new();
        let all = parts.join("`, `");
        wait_for(&format!("`{all}` on the screen"), || {
            screen = self.screen();
            let is_there = parts.iter().all(|part| screen.contains(part));
            is_there.then_some(())
        });
        screen
    }

    /// What is on the screen now.
    pub(crate) fn screen(&self) -> String {
        screen(&self.written(), self.size)
    }

    /// All that was written, sequences that move and colour included.
    pub(crate) fn written(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().expect("nobody panics")).into_owned()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Waits for the end: the exit code. The terminal is as it was.
    pub(crate) fn ended(mut self) -> Option<i32> {
        let status = wait_for("the end", || self.child.try_wait().expect("it is ours"));
        let modes = tcgetattr(&self.slave).expect("it has modes").local_modes;
        assert_eq!(modes, self.modes_before, "the terminal echoes and waits for lines again");
        wait_for("the way back to what was on the terminal before", || {
            let written = self.written();
            let (left, shown) = (written.rfind("\u{1b}[?1049l"), written.rfind("\u{1b}[?25h"));
            let entered = written.rfind("\u{1b}[?1049h");
            (left > entered && shown > entered && entered.is_some()).then_some(())
        });
        status.code()
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        // Has no effect on a program that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A terminal: our side and the program's.
fn terminal() -> (File, File) {
    let master =
        openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
    grantpt(&master).expect("it is ours");
    unlockpt(&master).expect("it is ours");
    let name = ptsname(&master, Vec::new()).expect("it has a name").into_string();
    let name = name.expect("it is a path");
    let slave = File::options().read(true).write(true).open(name).expect("its other side");
    (File::from(master), slave)
}

/// The program is to run there.
fn put(command: &mut Command, slave: &File) {
    let side = || slave.try_clone().expect("a copy");
    command.env("TERM", "xterm-256color").stdin(side()).stdout(side()).stderr(side());
}

/// Starts the program on a terminal that goes away once this is on it; how the program ends then.
pub(crate) fn hung_up(arguments: &[&str], shown: &str) -> ExitStatus {
    let (mut master, slave) = terminal();
    let mut command = matchkeep();
    put(command.args(arguments), &slave);
    let mut child = command.spawn().expect("the program starts");
    drop((command, slave));
    let mut written = Vec::new();
    let mut piece = [0; 4096];
    while !String::from_utf8_lossy(&written).contains(shown) {
        let length = master.read(&mut piece).expect("the program writes");
        written.extend_from_slice(&piece[..length]);
    }
    drop(master);
    wait_for("the end", || child.try_wait().expect("it is ours"))
}

/// What a terminal shows after all this was written to it. It knows what the program uses: text, going to a
/// place, clearing; whatever else a sequence does leaves no character.
fn screen(written: &str, (columns, rows): (u16, u16)) -> String {
    let (columns, rows) = (usize::from(columns), usize::from(rows));
    let mut cells = vec![vec![' '; columns]; rows];
    let (mut x, mut y) = (0, 0);
    let mut rest = written.chars();
    while let Some(character) = rest.next() {
        match character {
            '\u{1b}' => {
                if rest.next() != Some('[') {
                    continue;
                }
                let mut numbers = String::new();
                let end = rest.by_ref().find(|c| {
                    let is_end = c.is_ascii_alphabetic();
                    numbers.extend((!is_end).then_some(*c));
                    is_end
                });
                let mut numbers = numbers.split(';').map(|n| n.parse::<usize>().unwrap_or(1));
                match end {
                    Some('H') => {
                        y = numbers.next().unwrap_or(1).max(1) - 1;
                        x = numbers.next().unwrap_or(1).max(1) - 1;
                    }
                    Some('J') => cells = vec![vec![' '; columns]; rows],
                    _ => {}
                }
            }
            '\r' => x = 0,
            '\n' => y += 1,
            character => {
                if let Some(cell) = cells.get_mut(y).and_then(|row| row.get_mut(x)) {
                    *cell = character;
                }
                x += 1;
            }
        }
    }
    cells.into_iter().map(|row| row.into_iter().collect::<String>() + "\n").collect()
}
