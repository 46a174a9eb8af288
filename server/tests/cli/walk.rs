//! A walk through the documents, as a newcomer makes it: their blocks marked as runnable are run, in order, in an
//! empty folder, and what they print is what the document shows.
//!
//! A block whose fence says `sh run` is run; one that says `sh run background` goes on to the end of its document.
//! A block right behind it that says `text printed` is what comes out. Figures, IDs and the width of columns are
//! those of the day; a line `...` stands for any lines. `ID` in a command is the match that was seen last.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::process::text;

/// How long a block may take until it prints what it should: a server must be up, bots must have come.
const PATIENCE: Duration = Duration::from_secs(60);
/// From one try to the next.
const RETRY: Duration = Duration::from_millis(250);
/// What runs for so long goes on.
const SETTLES: Duration = Duration::from_secs(1);
/// The letters of a match's ID, and how many there are.
const ID_LETTERS: &str = "0123456789abcdefghjkmnpqrstvwxyz";
const ID_LENGTH: usize = 13;

/// A fenced block of a document.
struct Block {
    /// Of its fence.
    line: usize,
    /// What its fence says.
    kind: String,
    text: String,
}

fn blocks(document: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    for (number, line) in document.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(_) if is_open => is_open = false,
            Some(kind) => {
                let block = Block { line: number + 1, kind: kind.to_owned(), text: String::new() };
                blocks.push(block);
                is_open = true;
            }
            None if is_open => {
                let block = blocks.last_mut().expect("one is open");
                block.text += line;
                block.text.push('\n');
            }
            None => {}
        }
    }
    blocks
}

/// What a newcomer started and left running, with all its children.
struct Background(Child);

impl Drop for Background {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.0);
        // Has no effect where all have ended.
        let _ = kill_process_group(group, Signal::TERM);
        let _ = self.0.wait();
    }
}

/// Walks through a document; says how many blocks were run.
#[expect(clippy::disallowed_methods, reason = "a newcomer has a PATH, a watch and patience")]
fn walk(path: &str) -> usize {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("server/ lies in the root");
    let document = std::fs::read_to_string(root.join(path)).expect("a document");
    let blocks = blocks(&document);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = Path::new(env!("CARGO_BIN_EXE_matchkeep"));
    let built = program.parent().expect("it lies in a folder");
    std::fs::create_dir(folder.path().join("target")).expect("made");
    std::os::unix::fs::symlink(built, folder.path().join("target/release")).expect("linked");
    let paths = format!("{}:{}", built.display(), std::env::var("PATH").expect("there is a PATH"));
    let shell = |commands: &str, id: &str| {
        // What was built is what is tested.
        let commands = commands.replace("cargo run --release --", "target/release/matchkeep");
        let mut command = Command::new("sh");
        command.args(["-e", "-c", &with_id(&commands, id)]).current_dir(folder.path());
        command.env("PATH", &paths).stdin(Stdio::null());
        for (name, value) in [
            ("LOBBY_PORT", "0"),
            ("SHARD_PORT", "0"),
            ("ADMIN", "127.0.0.1:0"),
            ("SHARDS", "1"),
            ("PIN", "false"),
        ] {
            command.env(format!("MATCHKEEP_SERVER_{name}"), value);
        }
        command
    };
    let mut id = String::new();
    let mut runs = 0;
    let mut left_running: Vec<Background> = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        let place = format!("{path}:{}", block.line);
        match block.kind.as_str() {
            "sh run background" => {
                let since = Instant::now();
                let running = loop {
                    let mut command = shell(&block.text, &id);
                    command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
                    let mut running = Background(command.spawn().expect("a shell"));
                    std::thread::sleep(SETTLES);
                    // Whoever starts bots looks first whether the server is up.
                    match running.0.try_wait().expect("it can be asked") {
                        None => break running,
                        Some(status) => {
                            assert!(since.elapsed() < PATIENCE, "{place}: ended at once: {status}");
                        }
                    }
                };
                left_running.push(running);
            }
            "sh run" => {
                let shown = blocks.get(number + 1).filter(|next| next.kind == "text printed");
                let since = Instant::now();
                loop {
                    let output = shell(&block.text, &id).output().expect("a shell");
                    let (printed, said) = (text(&output.stdout), text(&output.stderr));
                    let is_shown = shown.is_none_or(|shown| fits(&shown.text, &printed));
                    if output.status.success() && is_shown {
                        id = last_id(&printed).unwrap_or(id);
                        break;
                    }
                    assert!(
                        since.elapsed() < PATIENCE,
                        "{place}: {}\n--- printed\n{printed}--- said\n{said}--- shown\n{}",
                        output.status,
                        shown.map_or("", |shown| &shown.text),
                    );
                    std::thread::sleep(RETRY);
                }
            }
            "text printed" => {
                let before = number.checked_sub(1).map(|before| blocks[before].kind.as_str());
                assert_eq!(before, Some("sh run"), "{place}: nothing prints this");
                continue;
            }
            _ => continue,
        }
        runs += 1;
    }
    // Bots before their server: the newest first.
    while left_running.pop().is_some() {}
    runs
}

/// Commands with the ID where they say `ID`.
fn with_id(commands: &str, id: &str) -> String {
    let words = commands.split_inclusive(|c: char| !c.is_alphanumeric());
    words
        .map(|word| if split(word).0 == "ID" { word.replace("ID", id) } else { word.into() })
        .collect()
}

/// A piece of text up to and with what is no letter and no digit: the word, and that.
fn split(piece: &str) -> (&str, &str) {
    piece.split_at(piece.trim_end_matches(|c: char| !c.is_alphanumeric()).len())
}

fn is_id(word: &str) -> bool {
    word.len() == ID_LENGTH
        && word.chars().all(|c| ID_LETTERS.contains(c))
        && word.contains(|c: char| c.is_ascii_digit())
}

fn is_hash(word: &str) -> bool {
    word.len() == 64 && word.chars().all(|c| c.is_ascii_hexdigit())
}

/// The name of a key that tickets are signed with.
fn is_key(word: &str) -> bool {
    word.len() == 8 && word.chars().all(|c| c.is_ascii_hexdigit())
}

fn last_id(printed: &str) -> Option<String> {
    let mut words = printed.split(|c: char| !c.is_alphanumeric());
    words.rfind(|word| is_id(word)).map(str::to_owned)
}

/// A line without what is of the day.
fn plain(line: &str) -> String {
    let words = line.split_whitespace().map(|word| {
        let parts = word.split_inclusive(|c: char| !c.is_alphanumeric());
        let parts = parts.map(|part| {
            let (body, end) = split(part);
            let body = match body {
                body if is_id(body) => "ID".to_owned(),
                body if is_hash(body) => "HASH".to_owned(),
                body if is_key(body) => "KEY".to_owned(),
                body => figures(body),
            };
            body + end
        });
        // A figure with a fraction is one.
        parts.collect::<String>().replace("#.#", "#")
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A word whose figures are all alike.
fn figures(word: &str) -> String {
    let mut plain = String::new();
    for letter in word.chars() {
        if !letter.is_ascii_digit() {
            plain.push(letter);
        } else if !plain.ends_with('#') {
            plain.push('#');
        }
    }
    plain
}

/// Whether what was printed is what the document shows.
fn fits(shown: &str, printed: &str) -> bool {
    fn fit(shown: &[String], printed: &[String]) -> bool {
        match shown.split_first() {
            None => printed.is_empty(),
            Some((line, rest)) if line == "..." => {
                (0..=printed.len()).any(|skipped| fit(rest, &printed[skipped..]))
            }
            Some((line, rest)) => printed.first() == Some(line) && fit(rest, &printed[1..]),
        }
    }
    let lines = |text: &str| text.lines().map(plain).collect::<Vec<_>>();
    fit(&lines(shown), &lines(printed))
}

#[test]
fn the_readme_can_be_walked() {
    assert!(walk("README.md") >= 5, "most of it is runnable");
}

#[test]
fn the_operators_book_can_be_walked() {
    assert!(walk("docs/OPERATIONS.md") >= 8, "most of it is runnable");
}

#[test]
fn what_is_of_the_day_is_no_difference_and_all_else_is() {
    let shown = "ID             MODE  COST\n3bk19fdhqf92m  ffa   12.5 us\n...\ndone\n";
    let printed = "ID MODE COST\n0zz19fdhqf92m  ffa 7.25 us\nmore\nand more\ndone\n";
    assert!(fits(shown, printed));
    for other in [
        "ID MODE COST\n0zz19fdhqf92m  ffa 7.25 ms\ndone\n",
        "ID MODE\n0zz19fdhqf92m  ffa 7.25 us\ndone\n",
        "ID MODE COST\nffa 7.25 us\ndone\n",
        "ID MODE COST\n0zz19fdhqf92m  ffa 7.25 us\ndone\nand more\n",
        "",
    ] {
        assert!(!fits(shown, other), "{other}");
    }
    assert_eq!(last_id("match 3bk19fdhqf92m,\nwindows-1252").as_deref(), Some("3bk19fdhqf92m"));
    assert_eq!(
        with_id("match show ID --data IDEA; ls ID", "x1"),
        "match show x1 --data IDEA; ls x1"
    );
}
