//! Who waits, on a data folder.

use crate::process::{Serve, arg, refused, run_json, run_ok};

#[test]
fn who_waited_is_seen_beside_a_server() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let config = folder.path().join("m.toml");
    let modes = "[modes.pair]\nplayers_max = 2\nteams = 2\nrated = true\n";
    std::fs::write(&config, modes).expect("a temporary file");
    let serve = Serve::start(&data, &["--config", arg(&config)]);
    let here = arg(&data);
    assert_eq!(run_ok(&["queue", "ls", "--data", here]), "nobody waits\n");
    run_ok(&["bots", "--count", "2", "--seconds", "1", "--kind", "idle", "--data", here]);

    let rows = run_json(&["queue", "ls", "--all", "--json", "--data", here]);
    assert_eq!(rows.as_array().map(Vec::len), Some(2), "{rows}");
    for row in rows.as_array().expect("a list") {
        assert_eq!((&row["state"], &row["mode"]), (&"matched".into(), &"pair".into()), "{row}");
        assert_eq!(row["match"], rows[0]["match"], "{row}");
        assert_eq!(row["players"][0]["rating"], 25.0, "{row}");
    }
    assert_ne!(rows[0]["team"], rows[1]["team"], "{rows}");
    let table = run_ok(&["queue", "ls", "--all", "--mode", "pair", "--data", here]);
    assert!(table.contains("matched") && table.lines().count() == 3, "{table}");
    let none = run_ok(&["queue", "ls", "--all", "--mode", "other", "--data", here]);
    assert_eq!(none, "nobody waits\n");
    refused(&["queue", "ls", "--limit", "0", "--data", here], &["--limit 0", "1000"]);
    let nowhere = folder.path().join("nowhere");
    refused(&["queue", "ls", "--data", arg(&nowhere)], &[arg(&nowhere)]);
    drop(serve);
}
