//! What happened, as lines: a hash of all of them, and the lines themselves where somebody wants to read.

use std::fmt::{Arguments, Write};
use std::time::Duration;

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// The trace of one seed.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    lines: u64,
    line: String,
    prints: bool,
}

impl Trace {
    /// An empty one; `prints` shows every line on standard output.
    pub fn new(prints: bool) -> Self {
        Self { hash: FNV_OFFSET, lines: 0, line: String::new(), prints }
    }

    /// Something happened `at` so long after the beginning.
    pub fn note(&mut self, at: Duration, what: Arguments<'_>) {
        self.line.clear();
        let _ = write!(self.line, "{} {what}", at.as_micros());
        for byte in self.line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        }
        self.lines += 1;
        if self.prints {
            println!("{:>11.6} {what}", at.as_secs_f64());
        }
    }

    /// A hash of all lines.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How many lines.
    pub fn lines(&self) -> u64 {
        self.lines
    }
}
