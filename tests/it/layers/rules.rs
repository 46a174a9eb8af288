//! The layers as rules: which files must not name what, and what that is good for.

/// A rule about some files.
pub(super) struct Rule {
    /// Paths that begin so;
    pub(super) files: &'static [&'static str],
    /// but not these.
    pub(super) except: &'static [&'static str],
    /// Names that must not be there.
    pub(super) never: &'static [&'static str],
    /// Lines that may be there all the same.
    pub(super) but: &'static [&'static str],
    /// What it is good for.
    pub(super) because: &'static str,
}

const CLOCKS: &[&str] = &["Instant::now", "SystemTime"];
const SOCKETS: &[&str] = &["UdpSocket", "TcpListener", "TcpStream", "quinn_udp", "rustix"];
const RUNTIMES: &[&str] = &["tokio", "quinn", "axum"];
const FILES: &[&str] = &["std::fs", "fs::File", "rusqlite"];
const THREADS: &[&str] = &["std::thread", "thread::spawn", "crossbeam_channel"];

/// The one piece of tokio that may cross into a thread without a runtime: an answer for somebody who waits.
const ONESHOT: &str = "use tokio::sync::oneshot;";

/// The store's thread gives way to ticks.
const LOWER_PRIORITY: &str = "let _ = rustix::process::nice(NICE);";

/// All rules, each with the lists of names that it shares with others.
pub(super) fn rules() -> Vec<(Rule, &'static [&'static [&'static str]])> {
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
                except: &["server/src/shard/thread"],
                never: &["crate::store", "crate::lobby", "crate::control", "crate::admin"],
                but: &[ONESHOT],
                because: "the shard's core is sans-IO: a test runs it under virtual time; socket, wait \
                          and clock are its thread's",
            },
            &[CLOCKS, SOCKETS, RUNTIMES, FILES, THREADS],
        ),
        (
            rule(
                &["server/src/shard/thread"],
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
                &["server/src/matchmaking"],
                &[],
                &[
                    "Instant",
                    "HashMap",
                    "HashSet",
                    "quinn_proto",
                    "crate::store",
                    "crate::lobby",
                    "crate::control",
                    "crate::shard",
                    "crate::matches",
                    "crate::node",
                ],
                "who plays with whom follows from who waits and what time it is, in the same order on every \
                 machine; that somebody waits is the store's to keep",
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
                &[
                    "server/src/lobby/core",
                    "server/src/lobby/hall.rs",
                    "server/src/lobby/parties.rs",
                    "server/src/lobby/placement.rs",
                ],
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
                but: &[ONESHOT, LOWER_PRIORITY],
                because: "the store stands at the side: whoever writes hands over and goes on, and time \
                          is an argument",
            },
            &[CLOCKS, SOCKETS],
        ),
        (
            rule(
                &[
                    "server/src/shard",
                    "server/src/matches",
                    "server/src/replication",
                    "server/src/lobby/core",
                    "server/src/control/core",
                    "server/src/journal",
                    "server/src/store",
                ],
                &[],
                &["crate::spans", "info_span", "Instrument"],
                "a span has a clock of its own, so shells make it; and nothing in a tick does",
            ),
            &[],
        ),
        (
            rule(
                &["server/src/journal"],
                &[],
                &[
                    "Game",
                    "Instant",
                    "quinn_proto",
                    "crate::store",
                    "crate::matches",
                    "crate::shard",
                    "crate::lobby",
                    "crate::control",
                    "crate::node",
                ],
                "the journal is bytes and their order: it works for every game, on any disk, and under \
                 virtual time",
            ),
            &[CLOCKS, SOCKETS, RUNTIMES, FILES, THREADS],
        ),
        (
            rule(
                &["server/src/travel"],
                &[],
                &[
                    "Instant",
                    "crate::store",
                    "crate::shard",
                    "crate::lobby",
                    "crate::control",
                    "crate::node",
                    "crate::admin",
                    "crate::cli",
                    "std::process",
                ],
                "a match is played again from records, wherever they come from and whoever asks",
            ),
            &[CLOCKS, SOCKETS, RUNTIMES, FILES, THREADS],
        ),
        (
            rule(
                &["server/src/access"],
                &[],
                &["crate::store", "crate::admin", "crate::cli", "crate::node"],
                "who is let in is decided from what is shown, what is kept and what time it is, and no more",
            ),
            &[CLOCKS, SOCKETS, RUNTIMES, FILES, THREADS],
        ),
        (
            rule(
                &["server/src/tickets"],
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
                &["client/src/link"],
                &[],
                &["HashMap", "HashSet", "crate::bots", "Arena", "arena"],
                "the client's connections are sans-IO like the shard's: a test runs servers and clients in one \
                 thread under virtual time, and a seed repeats it",
            ),
            &[CLOCKS, SOCKETS, RUNTIMES, FILES, THREADS],
        ),
        (
            rule(
                &["client/src/bots"],
                &["client/src/bots/swarm"],
                &["quinn_proto", "crate::transport", "crate::netcode", "crate::link"],
                "a bot's brain decides from what it sees; how that crossed the network is the swarm's",
            ),
            &[CLOCKS, SOCKETS, RUNTIMES, FILES, THREADS],
        ),
        (
            rule(
                &["client/src", "shared/src"],
                &[],
                &["matchkeep_server", "clap", "indicatif", "ratatui", "rusqlite", "axum"],
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
                    "client/src/bots/swarm",
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
                    "server/src/control/questions.rs",
                    "server/src/control/barring.rs",
                    "server/src/control/keys.rs",
                    "server/src/control/retention.rs",
                    "server/src/accounts/provider.rs",
                    "server/src/accounts/watching.rs",
                    "server/src/admin",
                    "server/src/cli",
                    "server/src/lobby/certificate.rs",
                    "server/src/lobby/endpoint.rs",
                    "server/src/shard/message.rs",
                    "server/src/store/pending.rs",
                    "server/src/watched.rs",
                    "client/src/transport",
                    "client/src/bots/swarm",
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
                &["clap", "indicatif", "ratatui", "ureq", "println"],
                "only the command line talks to a person",
            ),
            &[],
        ),
        (
            rule(
                &["server/src/cli/screen/draw"],
                &[],
                &[
                    "Instant",
                    "crossterm",
                    "ureq",
                    "crate::cli::http",
                    "crate::cli::journals",
                    "crate::cli::running",
                    "crate::control",
                    "crate::journal",
                    "crate::store",
                ],
                "drawing asks nobody and waits for nothing: the same model gives the same cells, on a terminal \
                 of any size",
            ),
            &[CLOCKS, SOCKETS, RUNTIMES, FILES, THREADS],
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
