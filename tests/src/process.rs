//! A server in a process of its own: one that a test kills, or that ends by itself.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use matchkeep_client::transport::Fingerprint;

/// How long a process may take to end, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server. It ends with its owner.
pub struct ServerProcess {
    child: Child,
    program: String,
    data: PathBuf,
    /// Where its one shard is.
    shard: SocketAddr,
    /// Where its lobby is.
    pub lobby: SocketAddr,
    /// What the lobby's certificate is known by.
    pub fingerprint: Fingerprint,
}

impl ServerProcess {
    /// Starts `program serve` on this folder, on any free ports, with these variables set.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start(program: &str, data: &Path, variables: &[(&str, &OsStr)]) -> Self {
        Self::start_at(program, data, variables, [0; 2])
    }

    /// Kills it, without a word, and starts it again where it was.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn kill_and_restart(self, variables: &[(&str, &OsStr)]) -> Self {
        let (program, data) = (self.program.clone(), self.data.clone());
        let ports = [self.lobby.port(), self.shard.port()];
        drop(self);
        Self::start_at(&program, &data, variables, ports)
    }

    fn start_at(program: &str, data: &Path, variables: &[(&str, &OsStr)], ports: [u16; 2]) -> Self {
        let child = Self::command(program, data, variables, ports).spawn();
        let mut child = child.expect("the server starts");
        let out = child.stdout.take().expect("it was asked for a pipe");
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).expect("it says where it is");
        let told: serde_json::Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let text = |key: &str| told[key].as_str().unwrap_or_else(|| panic!("no {key} in {line}"));
        let lobby = text("lobby").parse().expect("an address");
        let shard = told["shards"][0].as_str().and_then(|at| at.parse().ok());
        let shard = shard.unwrap_or_else(|| panic!("no shard in {line}"));
        let fingerprint = text("lobby_fingerprint").parse().expect("a fingerprint");
        let (program, data) = (program.to_owned(), data.to_owned());
        Self { child, program, data, shard, lobby, fingerprint }
    }

    /// Starts `program serve` on this folder with these variables set, which ends before players may come: how, and what
    /// it said on its standard error.
    ///
    /// # Panics
    /// Where it does not start, or end.
    pub fn dies_at_start(
        program: &str,
        data: &Path,
        variables: &[(&str, &OsStr)],
    ) -> (ExitStatus, String) {
        let child = Self::command(program, data, variables, [0; 2]).spawn();
        ended(&mut child.expect("the server starts"))
    }

    /// Starts `program serve` on this folder with these variables set, and tells it to stop after a while, before players
    /// may come: how it ends, how long that takes, and what it said on its standard error.
    ///
    /// # Panics
    /// Where it does not start, or end.
    pub fn stopped_at_start(
        program: &str,
        data: &Path,
        variables: &[(&str, &OsStr)],
        after: Duration,
    ) -> (ExitStatus, Duration, String) {
        let child = Self::command(program, data, variables, [0; 2]).spawn();
        let mut child = child.expect("the server starts");
        std::thread::sleep(after);
        let told = Instant::now();
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
        let (status, said) = ended(&mut child);
        (status, told.elapsed(), said)
    }

    fn command(
        program: &str,
        data: &Path,
        variables: &[(&str, &OsStr)],
        [lobby_port, shard_port]: [u16; 2],
    ) -> Command {
        let mut command = Command::new(program);
        command
            .args(["serve", "--admin", "127.0.0.1:0", "--shards", "1", "--pin", "false"])
            .args(["--lobby-port", &lobby_port.to_string()])
            .args(["--shard-port", &shard_port.to_string()])
            .args(["--json", "--until-stdin-closes", "--data"])
            .arg(data)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Waits until it ends by itself: how, and what it said on its standard error.
    ///
    /// # Panics
    /// Where it does not.
    pub fn ended(mut self) -> (ExitStatus, String) {
        ended(&mut self.child)
    }
}

/// Waits until a process ends by itself: how, and what it said on its standard error.
fn ended(child: &mut Child) -> (ExitStatus, String) {
    let mut errors = child.stderr.take().expect("it was asked for a pipe");
    // Read all the while: a full pipe would hold it up.
    let said = std::thread::spawn(move || {
        let mut said = String::new();
        let read = errors.read_to_string(&mut said);
        read.map(|_| said)
    });
    let since = Instant::now();
    let status = loop {
        match child.try_wait().expect("it is our child") {
            Some(status) => break status,
            None if since.elapsed() > PATIENCE => {
                // It may have ended just now.
                let _ = child.kill();
                panic!("it still runs");
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    (status, said.join().expect("no panic").expect("it says it in UTF-8"))
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
