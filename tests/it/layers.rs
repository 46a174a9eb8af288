//! What each layer must not know. The design draws the layers; this reads every source file and fails
//! when one names what is not its business.

mod rules;

use crate::sources::{Source, all, code, names};
use rules::{Rule, rules};

/// Every line of a file that breaks a rule.
fn broken(rule: &Rule, more: &[&[&str]], source: &Source) -> Vec<String> {
    let begins = |paths: &[&str]| paths.iter().any(|path| source.path.starts_with(path));
    let is_test = source.path.ends_with("/tests.rs") || source.path.contains("/tests/");
    if !source.path.ends_with(".rs") || is_test || !begins(rule.files) || begins(rule.except) {
        return Vec::new();
    }
    let never: Vec<&str> =
        more.iter().flat_map(|words| words.iter()).chain(rule.never).copied().collect();
    let lines = code(&source.text).filter(|(_, line)| !rule.but.contains(&line.trim()));
    let faults = lines.flat_map(|(number, line)| {
        let words = never.iter().filter(move |word| names(line, word));
        words.map(move |word| format!("{}:{number} names {word}", source.path))
    });
    faults.collect()
}

#[test]
fn no_layer_names_what_it_must_not_know() {
    let sources = all();
    let mut faults = Vec::new();
    for (rule, more) in rules() {
        for path in rule.files.iter().chain(rule.except) {
            let is_there = sources.iter().any(|source| source.path.starts_with(path));
            assert!(is_there, "a rule is about {path}, and there is no such file any more");
        }
        for source in &sources {
            let found = broken(&rule, more, source);
            faults.extend(found.iter().map(|fault| format!("{fault}: {}", rule.because)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_planted_fault_is_found() {
    for (path, text, expected) in [
        ("shared/src/time.rs", "let t = std::time::Instant::now();", "Instant::now"),
        ("server/src/shard/core.rs", "use tokio::sync::mpsc;", "tokio"),
        ("server/src/matches/seat.rs", "a\nuse crate::shard::core::Core;", "crate::shard"),
        ("server/src/replication.rs", "fn f<G: Game>() {}", "Game"),
        ("server/src/matchmaking/pool.rs", "use crate::store::Queued;", "crate::store"),
        ("client/src/netcode.rs", "use quinn::Connection;", "quinn"),
        ("client/src/link/player.rs", "tokio::spawn(x)", "tokio"),
        ("client/src/link.rs", "links: HashMap<Handle, Link>,", "HashMap"),
        ("server/src/settings.rs", "let a: Arena;", "Arena"),
        ("server/src/lobby/core.rs", "std::fs::read(path)", "std::fs"),
        ("server/src/control/core/act.rs", "let span = crate::spans::start();", "crate::spans"),
        ("server/src/journal/writer.rs", "use crate::matches::Match;", "crate::matches"),
        ("server/src/travel/seek.rs", "use crate::store::SqliteJournalReader;", "crate::store"),
        ("server/src/cli/screen/draw/map.rs", "use crate::cli::http;", "crate::cli::http"),
        ("server/src/access/keyring.rs", "use crate::store::Tokens;", "crate::store"),
        ("client/src/bots/arena/legs.rs", "bincode::encode(x)", "bincode"),
    ] {
        let source = Source { path: path.into(), text: text.into() };
        let found: Vec<_> =
            rules().iter().flat_map(|(rule, more)| broken(rule, more, &source)).collect();
        let named = found.iter().any(|fault| fault.ends_with(&format!("names {expected}")));
        assert!(named, "{path}: {text}: {found:?}");
    }
    // What is allowed is not found: a comment, a longer name, an answer's channel.
    for (path, text) in [
        ("server/src/replication.rs", "// Game::replicate\nlet SubGame = game;"),
        ("server/src/shard/message.rs", "use tokio::sync::oneshot;"),
        ("shared/src/time.rs", "mod x;\n#[cfg(test)]\nmod tests {\n Instant::now() }"),
    ] {
        let source = Source { path: path.into(), text: text.into() };
        for (rule, more) in rules() {
            assert_eq!(broken(&rule, more, &source), Vec::<String>::new());
        }
    }
}

#[test]
fn shared_depends_on_nothing_that_does_io() {
    // Whatever a layer's code says, what it links could do the rest.
    let allowed = [
        "bincode",
        "glam",
        "libm",
        "serde",
        "slotmap",
        "thiserror",
        "toml",
        "utoipa",
        "xxhash-rust",
        "proptest",
    ];
    let sources = all();
    let manifest = sources.iter().find(|source| source.path == "shared/Cargo.toml");
    let manifest: toml::Table =
        manifest.expect("it is there").text.parse().expect("a manifest is TOML");
    for section in ["dependencies", "dev-dependencies"] {
        let names = manifest.get(section).and_then(toml::Value::as_table).expect("it has some");
        for name in names.keys() {
            assert!(allowed.contains(&name.as_str()), "shared/Cargo.toml: {section}: {name}");
        }
    }
}
