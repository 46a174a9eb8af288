//! The demo's server: this same program, as a child process, stopped when the demo ends.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::cli::admin_address::AdminAddress;
use crate::cli::credentials::Credentials;
use crate::cli::{CliError, http};
use crate::data_dir::{DataDir, DataDirError};
use crate::node::Endpoints;

/// How long the server may take to become ready.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How long it may take to stop.
const STOPPED_WITHIN: Duration = Duration::from_secs(20);
/// How often the child is looked after.
const POLL: Duration = Duration::from_millis(20);
/// The last so many lines of its log are shown when it fails.
const LOG_LINES: usize = 5;

/// A running server.
pub(super) struct Server {
    child: Child,
    endpoints: Endpoints,
    log: PathBuf,
    config_file: PathBuf,
    data: PathBuf,
}

/// Starts the program as a server: on these ports for lobby and first shard, 0 for any.
fn spawn(
    data: &Path,
    config_file: &Path,
    log: &Path,
    (lobby, shard): (u16, u16),
) -> Result<Child, CliError> {
    let log_file = OpenOptions::new().create(true).append(true).open(log);
    let log_file = log_file.map_err(|e| unwritable(log, &e))?;
    let program = std::env::current_exe().map_err(CliError::failed)?;
    Command::new(program)
        .arg("serve")
        .arg("--until-stdin-closes")
        .arg("--config")
        .arg(config_file)
        .arg("--data")
        .arg(data)
        .args(["--host", "127.0.0.1", "--admin", "127.0.0.1:0"])
        .args(["--lobby-port", &lobby.to_string(), "--shard-port", &shard.to_string()])
        // One: its neighbours' ports may be taken when it comes back.
        .args(["--shards", "1"])
        // The demo's own bots, however many, come from one address, and all again after the chaos.
        .args(["--connections-per-address-per-second", "0"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log_file)
        .spawn()
        .map_err(CliError::failed)
}

impl Server {
    /// Starts a server on `data` with this configuration and waits until it is ready.
    pub(super) fn start(data: &Path, config: &str) -> Result<Self, CliError> {
        // Before anything is written: a folder that is not ours stays as it is.
        match DataDir::inspect(data) {
            Ok(_) | Err(DataDirError::Missing { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        // The server makes and locks the folder; what is for it alone lies beside until then.
        let scratch = std::env::temp_dir().join(format!("matchkeep-demo-{}", std::process::id()));
        std::fs::create_dir_all(&scratch).map_err(|e| unwritable(&scratch, &e))?;
        let config_file = scratch.join("demo.toml");
        std::fs::write(&config_file, config).map_err(|e| unwritable(&config_file, &e))?;
        let log = scratch.join("server.log");
        // Any free ports: the demo is in nobody's way.
        let child = spawn(data, &config_file, &log, (0, 0))?;
        let endpoints = Endpoints {
            pid: 0,
            lobby: ([0, 0, 0, 0], 0).into(),
            lobby_fingerprint: String::new(),
            shards: Vec::new(),
            admin: ([0, 0, 0, 0], 0).into(),
            admin_tls: false,
        };
        let data = data.to_owned();
        let mut server = Self { child, endpoints, log, config_file, data };
        server.wait_ready()?;
        Ok(server)
    }

    /// Kills the server in whatever it is doing, and starts it again where it was.
    pub(super) fn kill_and_restart(&mut self) -> Result<(), CliError> {
        self.child.kill().map_err(CliError::failed)?;
        self.child.wait().map_err(CliError::failed)?;
        let shard = self.endpoints.shards.first().map_or(0, |address| address.port());
        let ports = (self.endpoints.lobby.port(), shard);
        self.child = spawn(&self.data, &self.config_file, &self.log, ports)?;
        self.wait_ready()
    }

    fn wait_ready(&mut self) -> Result<(), CliError> {
        for _ in 0..READY_WITHIN.as_millis() / POLL.as_millis() {
            if let Some(status) = self.exited()? {
                return Err(self.failure(status));
            }
            // A folder that is not there yet, or another server's entry, is no answer.
            let told = DataDir::inspect(&self.data)
                .ok()
                .and_then(|folder| folder.endpoints::<Endpoints>().ok().flatten());
            if let Some(endpoints) = told.filter(|told| told.pid == self.child.id())
                && http::Server::new(&AdminAddress::of(&endpoints), &Credentials::default())
                    .get_text("/readyz")
                    .is_ok()
            {
                self.endpoints = endpoints;
                return Ok(());
            }
            pause();
        }
        Err(CliError::Failed(format!(
            "the server was not ready within {} s; its log is {}",
            READY_WITHIN.as_secs(),
            self.log.display()
        )))
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Stops the server as an operator would, and waits for it.
    pub(super) fn stop(mut self) -> Result<(), CliError> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).map_err(CliError::failed)?;
        for _ in 0..STOPPED_WITHIN.as_millis() / POLL.as_millis() {
            match self.exited()? {
                Some(status) if status.success() => {
                    if let Some(scratch) = self.log.parent() {
                        // A few small files in the system's folder for such.
                        let _ = std::fs::remove_dir_all(scratch);
                    }
                    return Ok(());
                }
                Some(status) => return Err(self.failure(status)),
                None => pause(),
            }
        }
        Err(CliError::Failed(format!(
            "the server did not stop within {} s; its log is {}",
            STOPPED_WITHIN.as_secs(),
            self.log.display()
        )))
    }

    fn exited(&mut self) -> Result<Option<ExitStatus>, CliError> {
        self.child.try_wait().map_err(CliError::failed)
    }

    /// What the server said before it ended; its bad input is the demo's.
    fn failure(&self, status: ExitStatus) -> CliError {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last = log.lines().rev().take(LOG_LINES).collect::<Vec<_>>();
        let error = last.iter().find_map(|line| line.strip_prefix("error: "));
        match (error, status.code()) {
            (Some(error), Some(2)) => CliError::Usage(error.to_owned()),
            (Some(error), _) => CliError::Failed(format!("the server failed: {error}")),
            (None, _) => {
                let tail = last.into_iter().rev().collect::<Vec<_>>().join("\n");
                CliError::Failed(format!("the server ended with {status}; its last words:\n{tail}"))
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Only where the demo failed: a server that was stopped has ended, and this does nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> CliError {
    CliError::Usage(format!("`{}` cannot be written: {error}", path.display()))
}

#[expect(clippy::disallowed_methods, reason = "waits for another process, on the command line")]
fn pause() {
    std::thread::sleep(POLL);
}
