//! Data folders: ours, foreign, locked, damaged.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use super::*;

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("the system has a temporary folder")
}

/// Every file below `path` with its bytes.
fn contents(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(path).expect("readable") {
        let path = entry.expect("readable").path();
        all.insert(path.clone(), fs::read(&path).expect("a file"));
    }
    all
}

#[test]
fn a_missing_and_an_empty_folder_become_data_folders_and_open_again() {
    let temporary = temporary();
    for path in [temporary.path().join("a/b"), temporary.path().join("empty")] {
        if path.ends_with("empty") {
            fs::create_dir(&path).expect("made");
            fs::create_dir(path.join("lost+found")).expect("made");
        }
        drop(DataDir::open(&path).expect("a fresh folder"));
        drop(DataDir::open(&path).expect("our own folder"));
        DataDir::inspect(&path).expect("our own folder");
    }
}

#[test]
fn two_servers_never_share_a_folder() {
    let temporary = temporary();
    let first = DataDir::open(temporary.path()).expect("a fresh folder");
    let error = DataDir::open(temporary.path()).expect_err("the first one has it");
    let pid = format!("(pid {})", std::process::id());
    assert!(matches!(error, DataDirError::InUse { .. }) && error.to_string().contains(&pid));
    DataDir::inspect(temporary.path()).expect("a reader needs no lock");
    drop(first);
    DataDir::open(temporary.path()).expect("the lock was given back");
}

#[test]
fn a_foreign_folder_is_left_as_it_was() {
    let temporary = temporary();
    fs::write(temporary.path().join("thesis.txt"), "mine").expect("written");
    let before = contents(temporary.path());
    for error in [
        DataDir::open(temporary.path()).expect_err("not ours"),
        DataDir::inspect(temporary.path()).expect_err("not ours"),
    ] {
        assert!(matches!(&error, DataDirError::Foreign { found, .. } if found == "thesis.txt"));
    }
    assert_eq!(contents(temporary.path()), before);
}

#[test]
fn a_newer_format_and_a_damaged_marker_are_refused_untouched() {
    for (text, newer) in [
        (format!("{MARKER_FIRST_LINE}{}\n", FORMAT_VERSION + 1), true),
        (String::new(), false),
        (format!("{MARKER_FIRST_LINE}one\n"), false),
    ] {
        let temporary = temporary();
        fs::write(temporary.path().join(MARKER_FILE), text).expect("written");
        let before = contents(temporary.path());
        let error = DataDir::open(temporary.path()).expect_err("not usable");
        assert_eq!(matches!(error, DataDirError::NewerFormat { found: 2, .. }), newer);
        assert_eq!(matches!(error, DataDirError::Damaged { .. }), !newer);
        assert_eq!(contents(temporary.path()), before);
    }
}

#[test]
fn a_path_that_cannot_be_a_folder_is_named() {
    let temporary = temporary();
    let file = temporary.path().join("file");
    fs::write(&file, "").expect("written");
    let error = DataDir::open(&file).expect_err("a file");
    assert!(matches!(&error, DataDirError::NotAFolder { path } if *path == file));
    let below = file.join("data");
    let error = DataDir::open(&below).expect_err("below a file");
    assert!(error.to_string().contains(&*below.to_string_lossy()), "{error}");
}

#[test]
fn an_unwritable_folder_is_named() {
    if rustix::process::geteuid().is_root() {
        // Modes do not bind root; /proc/self/fdinfo and the like bind everybody.
        let error = DataDir::open(Path::new("/proc/matchkeep")).expect_err("not writable");
        assert!(error.to_string().contains("/proc/matchkeep"), "{error}");
        return;
    }
    let temporary = temporary();
    let mode = fs::Permissions::from_mode(0o555);
    fs::set_permissions(temporary.path(), mode).expect("ours");
    let error = DataDir::open(temporary.path()).expect_err("not writable");
    assert!(matches!(error, DataDirError::Unwritable { .. }), "{error}");
}

#[test]
fn inspecting_creates_nothing() {
    let temporary = temporary();
    let error = DataDir::inspect(temporary.path()).expect_err("empty");
    assert!(matches!(error, DataDirError::Missing { .. }));
    assert!(contents(temporary.path()).is_empty());
    let missing = temporary.path().join("missing");
    let error = DataDir::inspect(&missing).expect_err("missing");
    assert!(matches!(error, DataDirError::Missing { .. }) && !missing.exists());
}

#[test]
fn endpoints_come_and_go_and_a_killed_servers_are_taken_away() {
    let temporary = temporary();
    let dir = DataDir::open(temporary.path()).expect("a fresh folder");
    let folder = DataDir::inspect(temporary.path()).expect("ours");
    let read = || folder.endpoints::<BTreeMap<String, String>>().expect("readable");
    let endpoints = BTreeMap::from([("lobby".to_owned(), "127.0.0.1:7777".to_owned())]);
    assert_eq!(read(), None);
    dir.publish_endpoints(&endpoints).expect("writable");
    assert_eq!(read().as_ref(), Some(&endpoints));
    dir.withdraw_endpoints().expect("writable");
    dir.withdraw_endpoints().expect("right also where there are none");
    assert_eq!(read(), None);

    dir.publish_endpoints(&endpoints).expect("writable");
    drop(dir);
    assert_eq!(read(), Some(endpoints));
    let _dir = DataDir::open(temporary.path()).expect("our own folder");
    assert_eq!(read(), None);
}

#[test]
fn a_fingerprint_reads_back_and_a_damaged_one_is_named() {
    let temporary = temporary();
    let dir = DataDir::open(temporary.path()).expect("a fresh folder");
    let folder = DataDir::inspect(temporary.path()).expect("ours");
    assert_eq!(folder.lobby_fingerprint().expect("none yet"), None);
    let hex = "0f".repeat(32);
    dir.publish_fingerprint(&hex).expect("writable");
    assert_eq!(folder.lobby_fingerprint().expect("readable"), Some(hex));
    fs::write(temporary.path().join(FINGERPRINT_FILE), "0f0f").expect("written");
    assert!(matches!(folder.lobby_fingerprint(), Err(DataDirError::Damaged { .. })));
}
