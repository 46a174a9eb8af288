//! How far a long verb is: a bar on a terminal, nothing elsewhere.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar redrawn at every tick would cost more than the tick.
const EVERY_TICKS: u64 = 256;

/// A bar over ticks, on standard error; gone when it is dropped.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    ticks: u64,
}

impl Progress {
    /// Over so many ticks in all.
    pub(super) fn new(what: impl ToString, ticks: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(ticks).with_message(what.to_string());
            let style =
                ProgressStyle::with_template("[{bar:40.cyan/blue}] {pos}/{len} ticks  {msg}");
            bar.set_style(style.expect("the template is sound").progress_chars("=> "));
            bar
        });
        Self { bar, ticks: 0 }
    }

    /// One tick more.
    pub(super) fn step(&mut self) {
        self.ticks += 1;
        if let Some(bar) = self.bar.as_ref().filter(|_| self.ticks.is_multiple_of(EVERY_TICKS)) {
            bar.set_position(self.ticks);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
