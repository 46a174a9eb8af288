//! What a well-kept tool does: help with examples and exit codes, completions, a manual, no colours for who
//! wants none.

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::process::{arg, matchkeep, run, run_ok, text};

const VERBS: [&str; 15] = [
    "demo",
    "serve",
    "bots",
    "history",
    "match",
    "top",
    "node",
    "player",
    "queue",
    "token",
    "key",
    "audit",
    "config",
    "completions",
    "man",
];

#[test]
fn help_has_examples_and_says_what_exit_codes_mean() {
    let help = run_ok(&["--help"]);
    for verb in VERBS {
        assert!(help.contains(&format!("  {verb} ")), "{verb} in {help}");
    }
    for part in ["Examples:", "Exit codes:", "  0  ", "  1  ", "  2  ", "NO_COLOR"] {
        assert!(help.contains(part), "{part} in {help}");
    }
    assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    // Each example is a command line that there is.
    let examples = help.lines().filter_map(|line| line.strip_prefix("  matchkeep "));
    for example in examples {
        let verb = example.split(' ').next().unwrap_or_default();
        assert!(VERBS.contains(&verb), "{example}");
    }
}

#[test]
fn every_verb_has_help_of_its_own() {
    for verb in VERBS {
        let help = run_ok(&[verb, "--help"]);
        assert!(help.contains(&format!("Usage: matchkeep {verb}")), "{help}");
    }
    assert!(run_ok(&["serve", "--help"]).contains("[modes.NAME.rules]"));
}

#[test]
fn each_shell_has_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run_ok(&["completions", shell]);
        for word in ["history", "lobby-port", "matchkeep"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("matchkeep.bash");
    std::fs::write(&script, run_ok(&["completions", "bash"])).expect("a temporary file");
    let complete = "source \"$1\"; COMP_WORDS=(matchkeep hist); COMP_CWORD=1; \
                    _matchkeep matchkeep hist matchkeep; echo \"${COMPREPLY[@]}\"";
    let output = Command::new("bash").args(["-c", complete, "bash", arg(&script)]).output();
    let output = output.expect("bash starts");
    assert_eq!(text(&output.stdout).trim(), "history", "{}", text(&output.stderr));
    let output = run(&["completions", "tcsh"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}

#[test]
fn there_is_a_manual_page_for_each_verb() {
    let page = run_ok(&["man"]);
    for part in [".TH matchkeep 1", "SUBCOMMANDS", ".SS Exit codes", "&  2  what was asked for"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("man1");
    run_ok(&["man", "--out", arg(&out)]);
    for verb in VERBS {
        let page = std::fs::read_to_string(out.join(format!("matchkeep-{verb}.1")));
        assert!(page.is_ok_and(|page| page.contains(verb)), "{verb}");
    }
    let show = std::fs::read_to_string(out.join("matchkeep-history-show.1")).expect("it is there");
    assert!(show.contains(".TH matchkeep-history-show 1"), "{show}");
    let output = run(&["man", "--out", "/proc/nowhere"]);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("/proc/nowhere"), "{message}");
}

/// What the program writes to a terminal.
fn on_a_terminal(arguments: &[&str], no_color: Option<&str>) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&master).expect("it is ours");
    unlockpt(&master).expect("it is ours");
    let name = ptsname(&master, Vec::new()).expect("it has a name").into_string();
    let open = || File::options().write(true).open(name.as_deref().expect("it is a path"));
    let mut command = matchkeep();
    command.args(arguments).env("TERM", "xterm-256color").env_remove("NO_COLOR");
    command.env_remove("CLICOLOR").env_remove("CLICOLOR_FORCE");
    if let Some(value) = no_color {
        command.env("NO_COLOR", value);
    }
    command.stdin(Stdio::null());
    command.stdout(open().expect("the terminal's other side"));
    command.stderr(open().expect("the terminal's other side"));
    let mut child = command.spawn().expect("the program starts");
    // With it go our own hands on the terminal: it is at its end when the program is.
    drop(command);
    let mut seen = Vec::new();
    let mut master = File::from(master);
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = master.read(&mut piece) {
        seen.extend_from_slice(&piece[..length]);
    }
    child.wait().expect("it is ours");
    text(&seen)
}

#[test]
fn nothing_is_coloured_for_who_wants_no_colours() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let serve = [
        &["serve", "--until-stdin-closes", "--data", arg(&data), "--shards", "1"][..],
        &["--lobby-port", "0", "--shard-port", "0", "--admin", "127.0.0.1:0"],
    ]
    .concat();
    let demo = folder.path().join("demo");
    let demo = ["demo", "--seconds", "1", "--bots", "2", "--data", arg(&demo)];
    for arguments in [&["--help"][..], &["serve", "--dance"], &serve, &demo] {
        let coloured = on_a_terminal(arguments, None);
        assert!(is_coloured(&coloured), "{arguments:?}: {coloured}");
        let plain = on_a_terminal(arguments, Some("1"));
        assert!(!plain.is_empty() && !is_coloured(&plain), "{arguments:?}: {plain}");
    }
    // Empty is as good as unset. (The library that draws the demo's bar thinks otherwise.)
    for arguments in [&["--help"][..], &serve] {
        let coloured = on_a_terminal(arguments, Some(""));
        assert!(is_coloured(&coloured), "{arguments:?}: {coloured}");
    }
}

/// Whether some of it is coloured or bold; moving the cursor is neither.
fn is_coloured(text: &str) -> bool {
    text.split("\u{1b}[").skip(1).any(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';');
        end.is_some_and(|end| rest[end..].starts_with('m'))
    })
}
