//! The repository as text, for the tests that read it.

use std::path::{Path, PathBuf};

/// A file that is text.
pub(crate) struct Source {
    /// Its path from the repository's root, with `/`.
    pub(crate) path: String,
    /// What it holds.
    pub(crate) text: String,
}

/// What is made by building and running, wherever it lies.
const MADE: [&str; 6] = [".git", "target", "artifacts", "coverage", "demo-data", "matchkeep-data"];

/// Every text file of the repository.
pub(crate) fn all() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the root");
    let mut sources = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).expect("a folder of the repository is readable");
        for entry in entries {
            let path = entry.expect("its entries are readable").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if MADE.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Some(text) = text_of(&path) {
                let path = path.strip_prefix(root).expect("it lies in the root");
                sources.push(Source { path: path.to_string_lossy().into_owned(), text });
            }
        }
    }
    assert!(sources.len() > 100, "{} files: is this the repository?", sources.len());
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn text_of(path: &PathBuf) -> Option<String> {
    // What fuzzers made and what other programs leave behind is no text.
    String::from_utf8(std::fs::read(path).ok()?).ok()
}

/// Rust code without comments and without the tests at its end, with the number of each line.
pub(crate) fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    // Tests in the file stand at its end, in a module; a test module elsewhere has a file of its own.
    let is_module = |line: &str| line.trim_start_matches("pub(crate) ").starts_with("mod ");
    let begins_tests = |at: &usize| {
        let mut lines = text[*at..].trim_start().lines().skip_while(|line| !is_module(line));
        lines.next().is_some_and(|line| line.ends_with('{'))
    };
    let marks = text.match_indices("\n#[cfg(test)]").map(|(at, _)| at);
    let end = marks.into_iter().find(begins_tests).unwrap_or(text.len());
    let lines = text[..end].lines().enumerate();
    lines.map(|(i, line)| (i + 1, line.split("//").next().unwrap_or_default()))
}

/// Whether the code names `word`, which is not a part of a longer name.
pub(crate) fn names(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}
