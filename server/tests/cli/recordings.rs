//! Recordings of real players, played through the whole. They lie in the folder that `MATCHKEEP_DATA`
//! names; without it these tests say so and pass.

use std::path::PathBuf;

use crate::process::{arg, run, run_json, text};

/// The path of a recording; `None` where nobody says where they are.
fn recording(name: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("MATCHKEEP_DATA") else {
        // Straight to the terminal: what a passing test prints is swallowed.
        use std::io::Write;
        let note = format!("MATCHKEEP_DATA is not set: nothing tested with {name}\n");
        let _ = std::io::stderr().write_all(note.as_bytes());
        return None;
    };
    let path = PathBuf::from(folder).join(name);
    let readable = std::fs::File::open(&path);
    assert!(readable.is_ok(), "MATCHKEEP_DATA is set, and {} cannot be read", path.display());
    Some(path)
}

fn assert_followed(name: &str) {
    let Some(path) = recording(name) else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let report = run_json(&[
        "demo",
        "--trace",
        arg(&path),
        "--seconds",
        "4",
        "--data",
        arg(&data),
        "--json",
    ]);
    let number = |key: &str| report[key].as_f64().unwrap_or_else(|| panic!("{key} in {report}"));
    assert_eq!(number("aim_wrong"), 0.0, "{report}");
    assert!(number("aim_compared") > 0.0, "{report}");
    assert!(number("shots") > 0.0, "{report}");
    assert_eq!(number("matches_completed"), 1.0, "{report}");
}

#[test]
fn bots_aim_as_the_players_of_a_team_match_did() {
    assert_followed("qw_4on4_dm2.traj.gz");
}

#[test]
fn bots_aim_as_the_players_of_a_duel_did() {
    assert_followed("qw_duel_povdmm4.traj.gz");
}

#[test]
fn what_is_no_recording_is_refused_by_path_and_fault() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut header = b"TRAJ0001".to_vec();
    header.resize(64, 0);
    for (name, bytes, fault) in [
        ("empty.traj", &[][..], "magic"),
        ("letter.traj", b"Dear Ada, how are you?", "magic"),
        ("short.traj", b"TRAJ0001 and no more", "length"),
        ("zeros.traj", &header, "header"),
        ("torn.traj.gz", &[0x1f, 0x8b, 8, 0, 1], "unpacked"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("a temporary file");
        let data = folder.path().join("data");
        for arguments in [
            &["demo", "--data", arg(&data), "--trace", arg(&path)][..],
            &["bots", "--data", arg(&data), "--kind", "trace", "--trace", arg(&path)],
        ] {
            let output = run(arguments);
            let message = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
            for part in ["--trace", name, fault] {
                assert!(message.contains(part), "{arguments:?}: `{part}` in: {message}");
            }
            assert!(!data.exists());
        }
    }
}
