//! How far a long verb is: a bar on a terminal, nothing elsewhere.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use matchkeep_shared::time::Tick;

/// A bar redrawn at every tick would cost more than the tick.
const EVERY_TICKS: u64 = 256;

/// A bar over ticks, on standard error; gone when it is dropped.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    /// Ticks of matches that are done.
    before: u64,
}

impl Progress {
    /// Over so many ticks in all.
    pub(super) fn new(ticks: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(ticks);
            let style =
                ProgressStyle::with_template("[{bar:40.cyan/blue}] {pos}/{len} ticks  {msg}");
            bar.set_style(style.expect("the template is sound").progress_chars("=> "));
            bar
        });
        Self { bar, before: 0 }
    }

    /// Another match begins.
    pub(super) fn begin(&mut self, what: impl ToString) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_string());
        }
    }

    /// The match that began last has come so far.
    pub(super) fn at(&self, tick: Tick) {
        if let Some(bar) = self.bar.as_ref().filter(|_| tick.0.is_multiple_of(EVERY_TICKS)) {
            bar.set_position(self.before + tick.0);
        }
    }

    /// The match that began last is done, and had so many ticks.
    pub(super) fn done(&mut self, ticks: Tick) {
        self.before += ticks.0;
        self.at(Tick(0));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
