//! Running `matchkeep` and looking at what comes of it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long a process may take to become ready or to end, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program, with nothing in the environment that speaks to it.
pub(crate) fn matchkeep() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_matchkeep"));
    for (name, _) in std::env::vars_os() {
        let known = name.to_string_lossy();
        if known.starts_with("MATCHKEEP") || known.starts_with("OTEL_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Runs the program with these arguments.
pub(crate) fn run(arguments: &[&str]) -> Output {
    matchkeep().args(arguments).output().expect("the program starts")
}

/// Runs it, and it works.
pub(crate) fn run_ok(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Runs it, it works, and what it prints is JSON.
pub(crate) fn run_json(arguments: &[&str]) -> Value {
    let printed = run_ok(arguments);
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

/// What a process said.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// That what was asked for cannot be: the code, and what the message names.
pub(crate) fn is_refused(output: &Output, named: &[&str]) {
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    for part in named {
        assert!(message.contains(part), "`{part}` in: {message}");
    }
}

/// The same of the program with these arguments.
pub(crate) fn refused(arguments: &[&str], named: &[&str]) {
    is_refused(&run(arguments), named);
}

/// A path as an argument.
pub(crate) fn arg(path: &Path) -> &str {
    path.to_str().expect("a temporary path is UTF-8")
}

/// Every file below a folder with what is in it, and every folder, in order.
pub(crate) fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("its entries are readable").path();
        if path.is_dir() {
            all.extend(contents(&path));
            all.push((path, Vec::new()));
        } else {
            let bytes = std::fs::read(&path).expect("the file is readable");
            all.push((path, bytes));
        }
    }
    all.sort();
    all
}

/// What the admin interface answers.
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: ureq::http::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A running `matchkeep serve` on any free ports.
pub(crate) struct Serve {
    child: Child,
    // The server stops when this closes, so that none outlives a test that failed.
    _stdin: Option<ChildStdin>,
    endpoints: Value,
}

impl Serve {
    /// Starts one on this folder.
    pub(crate) fn start(data: &Path, more: &[&str]) -> Self {
        Self::start_as(matchkeep(), data, Stdio::null(), more)
    }

    /// Starts one that logs into this file.
    pub(crate) fn start_logged(data: &Path, log: &Path, more: &[&str]) -> Self {
        let log = std::fs::File::create(log).expect("a temporary file");
        Self::start_as(matchkeep(), data, log.into(), more)
    }

    /// Starts one with an environment of its own.
    pub(crate) fn start_as(mut command: Command, data: &Path, log: Stdio, more: &[&str]) -> Self {
        let mut child = command
            .args(["serve", "--data", arg(data), "--json", "--until-stdin-closes"])
            .args(["--lobby-port", "0", "--shard-port", "0"])
            .args(["--shards", "1", "--pin", "false"])
            .args(if more.contains(&"--admin") { &[][..] } else { &["--admin", "127.0.0.1:0"] })
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("it says where it is");
        let endpoints = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        Self { child, _stdin: stdin, endpoints }
    }

    /// Something of what it said on starting.
    pub(crate) fn told(&self, key: &str) -> &str {
        self.endpoints[key].as_str().expect("it is there, and text")
    }

    /// Its counters.
    pub(crate) fn stats(&self) -> serde_json::Value {
        let (status, body) = self.get("/v1/stats");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("JSON")
    }

    /// Asks its admin interface; the status and the body.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let answer = self.ask("GET", path, &[], "");
        (answer.status, answer.body)
    }

    /// Asks its admin interface in a way of one's own.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .into();
        let url = format!("http://{}{path}", self.told("admin"));
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = match method {
            "GET" => agent.run(request.body(()).expect("a request")),
            _ => agent.run(request.body(body).expect("a request")),
        };
        let mut response = sent.expect("it answers");
        let body = response.body_mut().read_to_string().expect("a body");
        let (parts, _) = response.into_parts();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// A counter of `/v1/stats`.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        let (_, body) = self.get("/v1/stats");
        let stats: Value = serde_json::from_str(&body).expect("JSON");
        stats[name].as_u64().unwrap_or_else(|| panic!("no {name} in {body}"))
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Sends it a signal and waits for its end; the exit code.
    pub(crate) fn stop(mut self, signal: Signal) -> Option<i32> {
        self.signal(signal);
        wait_for("the server's end", || self.child.try_wait().expect("it is ours")).code()
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        // Has no effect on one that ended; spares the next test one that did not.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Looks again and again until there is something.
#[expect(clippy::disallowed_methods, reason = "a test is a shell: it waits for another process")]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
