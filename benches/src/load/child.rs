//! A part of the measurement in a process of its own: this program again, spoken to in lines.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Signal, set_parent_process_death_signal};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::machine::{cpu_of, rss_of};

/// Lines of a child that wait to be read.
const LINES_MAX: usize = 64;
/// How often an ending child is looked after.
const POLL: Duration = Duration::from_millis(10);

/// A running part. Killed, if it still runs, when it is dropped.
#[derive(Debug)]
pub struct Child {
    name: &'static str,
    process: std::process::Child,
    lines: Receiver<String>,
}

impl Child {
    /// Starts this program as `name`, one of its hidden verbs, with these flags.
    ///
    /// # Errors
    /// Where the system does not start it.
    pub fn start(name: &'static str, flags: &[(&str, String)]) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program's own file")?;
        let mut command = Command::new(program);
        command.arg(name);
        for (flag, value) in flags {
            command.arg(format!("--{flag}")).arg(value);
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("the {name} could not be started"))?;
        let out = process.stdout.take().expect("it was asked for a pipe");
        let (sender, lines) = sync_channel(LINES_MAX);
        let child = Self { name, process, lines };
        std::thread::Builder::new().name(format!("{name}-lines")).spawn(move || {
            for line in BufReader::new(out).lines() {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        })?;
        Ok(child)
    }

    /// User plus system time that the child took so far; `None` where it is gone.
    pub fn cpu(&self) -> Option<Duration> {
        cpu_of(self.process.id())
    }

    /// What the child has in memory, in bytes; `None` where it is gone.
    pub fn rss_bytes(&self) -> Option<u64> {
        rss_of(self.process.id())
    }

    /// What the child says next.
    ///
    /// # Errors
    /// Where it says nothing in time, ends, or says something else.
    pub fn hear<T: DeserializeOwned>(&mut self, within: Duration) -> anyhow::Result<T> {
        let name = self.name;
        match self.lines.recv_timeout(within) {
            Ok(line) => {
                serde_json::from_str(&line).with_context(|| format!("the {name} said `{line}`"))
            }
            Err(RecvTimeoutError::Timeout) => bail!("the {name} said nothing for {within:?}"),
            Err(RecvTimeoutError::Disconnected) => bail!("the {name} ended too early"),
        }
    }

    /// Tells the child something.
    ///
    /// # Errors
    /// Where it has ended.
    pub fn tell<T: Serialize>(&mut self, order: &T) -> anyhow::Result<()> {
        let line = serde_json::to_string(order)? + "\n";
        let input = self.process.stdin.as_mut().expect("it was asked for a pipe");
        input.write_all(line.as_bytes()).with_context(|| format!("the {} is gone", self.name))
    }

    /// Closes the child's input: for one that ends then.
    pub fn close_input(&mut self) {
        drop(self.process.stdin.take());
    }

    /// Waits for the child's end.
    ///
    /// # Errors
    /// Where it does not end in time, or not well.
    pub fn finish(mut self, within: Duration) -> anyhow::Result<()> {
        let name = self.name;
        let start = Instant::now();
        loop {
            match self.process.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("the {name} ended with {status}"),
                None if start.elapsed() > within => bail!("the {name} did not end in {within:?}"),
                None => std::thread::sleep(POLL),
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// For a child: ends with its parent, however that ends.
///
/// # Errors
/// Where the kernel refuses.
pub fn end_with_parent() -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("ending with the parent")
}

/// For a child: says something to its parent.
///
/// # Errors
/// Where the parent is gone.
pub fn say<T: Serialize>(what: &T) -> anyhow::Result<()> {
    let line = serde_json::to_string(what)? + "\n";
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.flush().context("the parent is gone")
}
