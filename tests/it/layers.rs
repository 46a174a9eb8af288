//! What each layer must not know. The design draws the layers; this reads every source file and fails
//! when one names what is not its business.

use crate::sources::{Source, all, code, names};

/// A rule about some files.
struct Rule {
    /// Paths that begin so;
    files: &'static [&'static str],
    /// but not these.
    except: &'static [&'static str],
    /// Names that must not be there.
    never: &'static [&'static str],
    /// Lines that may be there all the same.
    but: &'static [&'static str],
    /// What it is good for.
    because: &'static str,
}

const CLOCKS: &[&str] = &["Instant::now", "SystemTime"];
const SOCKETS: &[&str] = &["UdpSocket", "TcpListener", "TcpStream", "quinn_udp", "rustix"];
const RUNTIMES: &[&str] = &["tokio", "quinn", "axum"];
const FILES: &[&str] = &["std::fs", "fs::File", "rusqlite"];
const THREADS: &[&str] = &["std::thread", "thread::spawn", "crossbeam_channel"];

/// The one piece of tokio that may cross into a thread without a runtime: an answer for somebody who waits.
const ONESHOT: &str = "use tokio::sync::oneshot;";

fn rules() -> Vec<(Rule, &'static [&'static [&'static str]])> {
    let rule = |files, except, never, because| Rule { files, except, never, but: &[], because };
    vec![
        (
            rule(
                &["shared/src"],
                &[],
                &["quinn_proto", "std::env", "HashMap", "HashSet", "matchkeep_client", "std::io"],
                "what shared computes depends on its arguments alone: the same bits on any machine, and \
                 it compiles for wasm32",
            ),
            &[CLOCKS, SOCKETS, RUNTIMES, FILES, THREADS],
        ),
        (
            Rule {
                files: &["server/src/shard"],
                except: &["server/src/shard/thread.rs"],
                never: &["crate::store", "crate::lobby", "crate::control", "crate::admin"],
                but: &[ONESHOT],
                because: "the shard's core is sans-IO: a test runs it under virtual time; socket, wait \
                          and clock are its thread's",
            },
            &[CLOCKS, SOCKETS, RUNTIMES, FILES, THREADS],
        ),
        (
            rule(
                &["server/src/shard/thread.rs"],
                &[],
                &["crate::store", "crate::lobby", "crate::control", "crate::matches"],
                "the shell carries bytes and time into the core and knows nothing of what they mean; a \
                 tick is never driven by a runtime's timer",
            ),
            &[RUNTIMES, FILES],
        ),
        (
            rule(
                &["server/src/matches"],
                &[],
                &[
                    "Instant",
                    "quinn_proto",
                    "crate::shard",
                    "crate::store",
                    "crate::lobby",
                    "crate::control",
                    "crate::node",
                ],
                "a match knows inputs, state and tick: replayed from its journal it must do the same",
            ),
            &[CLOCKS, SOCKETS, RUNTIMES, FILES, THREADS],
        ),
        (
            rule(
                &["server/src/replication"],
                &[],
                &[
                    "Game",
                    "Instant",
                    "quinn_proto",
                    "crate::matches",
                    "crate::shard",
                    "crate::store",
                    "crate::lobby",
                    "crate::control",
                    "arena",
                ],
                "replication is a pure function of the quantised world, the acknowledgements and the \
                 budget; it works for every game because it knows none",
            ),
            &[CLOCKS, SOCKETS, RUNTIMES, FILES, THREADS],
        ),
        (
            rule(
                &["server/src/lobby/core", "server/src/lobby/placement.rs"],
                &[],
                &["Instant", "crate::store", "crate::control", "crate::node", "crate::matches"],
                "the lobby's logic is sans-IO like the shard's: requests and events in, actions out",
            ),
            &[CLOCKS, SOCKETS, RUNTIMES, FILES, THREADS],
        ),
        (
            Rule {
                files: &["server/src/store"],
                except: &[],
                never: &[
                    "quinn",
                    "axum",
                    "crate::shard",
                    "crate::lobby",
                    "crate::control",
                    "crate::matches",
                    "crate::node",
                    "tokio",
                ],
                but: &[ONESHOT],
                because: "the store stands at the side: whoever writes hands over and goes on, and time \
                          is an argument",
            },
            &[CLOCKS, SOCKETS],
        ),
        (
            rule(
                &["server/src/tickets.rs"],
                &[],
                &["crate::identity", "crate::shard", "crate::lobby"],
                "where keys are kept and what time it is are others' business; verifying is a pure \
                 function",
            ),
            &[CLOCKS, SOCKETS, RUNTIMES, FILES, THREADS],
        ),
        (
            rule(
                &["client/src/netcode"],
                &[],
                &["quinn_proto", "crate::transport", "crate::bots", "arena"],
                "the netcode is sans-IO: a browser's transport or an engine's goes around it as well",
            ),
            &[CLOCKS, SOCKETS, RUNTIMES, FILES, THREADS],
        ),
        (
            rule(
                &["client/src/bots"],
                &["client/src/bots/swarm.rs"],
                &["quinn_proto", "crate::transport", "crate::netcode"],
                "a bot's brain decides from what it sees; how that crossed the network is the swarm's",
            ),
            &[CLOCKS, SOCKETS, RUNTIMES, FILES, THREADS],
        ),
        (
            rule(
                &["client/src", "shared/src"],
                &[],
                &["matchkeep_server", "clap", "indicatif", "rusqlite", "axum"],
                "a game that links the client does not inherit a server or a command line",
            ),
            &[],
        ),
        (
            rule(
                &[
                    "server/src",
                    "client/src/netcode",
                    "client/src/transport",
                    "client/src/bots/swarm.rs",
                    "client/src/bots/recording.rs",
                ],
                &["server/src/main.rs"],
                &["Arena", "arena"],
                "the engine runs any game: the arena is named where a program is put together",
            ),
            &[],
        ),
        (
            rule(
                &["server/src", "client/src"],
                &[
                    "server/src/node.rs",
                    "server/src/control.rs",
                    "server/src/admin",
                    "server/src/cli",
                    "server/src/lobby/endpoint.rs",
                    "server/src/shard/message.rs",
                    "server/src/store/thread.rs",
                    "client/src/transport",
                    "client/src/bots/swarm.rs",
                ],
                &["tokio"],
                "tokio is for lobby, admin, control and around clients; elsewhere nothing awaits",
            ),
            &[],
        ),
        (
            rule(
                &["server/src"],
                &["server/src/cli"],
                &["clap", "indicatif", "ureq", "println"],
                "only the command line talks to a person",
            ),
            &[],
        ),
        (
            rule(
                &["server/src"],
                &["server/src/store"],
                &["rusqlite"],
                "SQLite is one form of the store, and the store's secret",
            ),
            &[],
        ),
        (
            rule(
                &["server/src"],
                &["server/src/admin"],
                &["axum", "metrics_exporter_prometheus"],
                "how counters leave the process is admin's business; whoever counts, counts in numbers",
            ),
            &[],
        ),
        (
            rule(
                &["shared/", "client/", "server/", "tests/src", "benches/"],
                &["shared/src/encoding.rs"],
                &["bincode"],
                "its last version is unmaintained: one file names it, so that one file replaces it",
            ),
            &[],
        ),
    ]
}

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
        ("client/src/netcode.rs", "use quinn::Connection;", "quinn"),
        ("server/src/settings.rs", "let a: Arena;", "Arena"),
        ("server/src/lobby/core.rs", "std::fs::read(path)", "std::fs"),
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
