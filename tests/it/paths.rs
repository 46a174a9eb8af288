//! Nothing in the repository says on which machine it was written.

use crate::sources::all;

#[test]
fn no_file_contains_a_path_of_a_machine() {
    // In pieces, so that this file contains none either.
    let homes = ["home", "root", "Users", "work"].map(|folder| format!("/{folder}/"));
    let windows = ["C:\\", "Users"].concat();
    let mut faults = Vec::new();
    for source in all() {
        for (i, line) in source.text.lines().enumerate() {
            // A path on a machine begins with its root; `framework/` and `docs/home/` do not.
            let begins_there = |home: &String| {
                line.match_indices(home.as_str()).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    !before.is_some_and(|c| c.is_alphanumeric() || ".-_/}".contains(c))
                })
            };
            if homes.iter().any(begins_there) || line.contains(&windows) {
                faults.push(format!("{}:{}: {line}", source.path, i + 1));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
