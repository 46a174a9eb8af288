//! Journals on real disks that fail: full, cut off, with syncs that stall, fail or lie, with bits that
//! flip. What fails lies under a child of a test, `journal_child`. A binary of its own, because the machine is
//! busy while it runs.

mod child;
mod clocks;
mod flipped;
mod full_disk;
mod power;
mod servers;
mod syncs;

use std::path::{Path, PathBuf};
use std::process::Command;

use matchkeep_shared::ids::MatchId;
use matchkeep_tests::journal_play::{Acked, Told};
use matchkeep_tests::say_skipped;

/// The database's name; the log's begins with it.
const DATABASE: &str = "matches.db";

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Runs a program and fails where it fails.
fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}

/// Compiles a C file that lies beside this one.
fn compile(source: &str, folder: &Path, flags: &[&str]) -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("disks");
    let (from, to) = (sources.join(source), folder.join(source).with_extension("out"));
    let paths = [from.to_str().expect("UTF-8"), "-o", to.to_str().expect("UTF-8")];
    run("cc", &[&["-Wall", "-O1"], flags, &paths[..], &["-ldl", "-lpthread"]].concat());
    to
}

/// Mounting needs root. Without it says on the screen which test was left out.
fn may_mount(test: &str) -> bool {
    use std::os::unix::fs::MetadataExt;
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !is_root {
        say_skipped(&format!("{test}: mounting a file system needs root"));
    }
    is_root
}

/// A file system for as long as this lives.
struct Mount(PathBuf);

impl Mount {
    fn new(arguments: &[&str], folder: &Path) -> Self {
        let folder_text = folder.to_str().expect("UTF-8");
        run("mount", &[arguments, &[folder_text]].concat());
        Self(folder.to_owned())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} is still mounted", self.0.display());
        }
    }
}

/// What a child tells, as text: see `journal_child`.
fn told(text: &str) -> Told {
    let lines = text.lines().filter_map(|line| line.strip_prefix("told "));
    let mut told = Told::new();
    for line in lines {
        let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        let [id, epoch, tick, is_finished] = numbers[..] else {
            // The last line of a child that was killed in it.
            continue;
        };
        let acked = told.entry(MatchId(id)).or_default();
        *acked = Acked { epoch: epoch as u32, tick, is_finished: is_finished == 1 };
    }
    told
}
