//! Traces and logs over OTLP: what reaches a collector, and what a server does without one, and with a bad one.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use rustix::process::Signal;

use crate::collector::{Collector, attribute, shown};
use crate::process::{Serve, arg, is_refused, matchkeep, run_ok, text, wait_for};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// The program, with these variables.
fn matchkeep_with(variables: &[(&str, &str)]) -> Command {
    let mut command = matchkeep();
    command.envs(variables.iter().copied());
    command
}

/// Two bots play on it for a second.
fn play(data: &Path) {
    run_ok(&["bots", "--count", "2", "--kind", "idle", "--seconds", "1", "--data", arg(data)]);
}

/// Stops it as a service manager does; how long that took.
#[expect(clippy::disallowed_methods, reason = "a test is a shell: it measures another process")]
fn stop(serve: Serve) -> Duration {
    let begun = Instant::now();
    assert_eq!(serve.stop(Signal::TERM), Some(0));
    begun.elapsed()
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found = spans.iter().find(|span| span.name == name);
    let names: Vec<_> = spans.iter().map(|span| &span.name).collect();
    found.unwrap_or_else(|| panic!("no `{name}` among {names:?}"))
}

#[test]
fn a_collector_gets_the_log_and_the_spans() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let collector = Collector::start();
    let command = matchkeep_with(&[
        (ENDPOINT, &collector.endpoint()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20mine"),
        ("OTEL_SERVICE_NAME", "arena-eu"),
        ("OTEL_RESOURCE_ATTRIBUTES", "host.name=here,service.name=other"),
    ]);
    let serve = Serve::start_as(command, &data, Stdio::null(), &[]);
    play(&data);
    assert_eq!(serve.get("/v1/matches").0, 200);
    assert_eq!(serve.get("/v1/matches/nonsense").0, 400);
    assert_eq!(serve.get("/nowhere").0, 404);
    assert_eq!(serve.get("/readyz").0, 200);
    assert_eq!(serve.get("/metrics").0, 200);
    stop(serve);

    for request in collector.requests() {
        let header = |name: &str| {
            let found = request.headers.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(header("content-type"), Some("application/x-protobuf"));
        assert_eq!(header("authorization"), Some("Bearer mine"));
    }
    for resource in collector.resources() {
        let said = |key| attribute(&resource.attributes, key);
        assert_eq!(said("service.name").as_deref(), Some("arena-eu"));
        assert_eq!(said("host.name").as_deref(), Some("here"));
        assert_eq!(said("service.version").as_deref(), Some(env!("CARGO_PKG_VERSION")));
    }

    let logs = collector.logs();
    let line = |begins: &str| {
        let mut lines = logs.iter().filter(|(_, log)| shown(log.body.as_ref()).starts_with(begins));
        let (target, log) = lines.next().unwrap_or_else(|| panic!("no `{begins}` in {logs:?}"));
        assert_eq!((log.severity_number, &*log.severity_text), (9, "INFO"));
        assert!(log.time_unix_nano > 1_700_000_000_000_000_000, "{log:?}");
        (target.as_str(), log)
    };
    assert_eq!(line("settings: ").0, "matchkeep_server::cli::serve");
    let created = line("match created").1;
    let match_id = attribute(&created.attributes, "match_id").expect("it is told");
    // The last line of all is sent too.
    line("stopping: SIGTERM");

    let spans = collector.spans();
    for span in &spans {
        let is_sound = span.trace_id.len() == 16
            && span.span_id.len() == 8
            && span.start_time_unix_nano <= span.end_time_unix_nano
            && span.start_time_unix_nano > 1_700_000_000_000_000_000;
        assert!(is_sound, "{span:?}");
        assert!(span.attributes.iter().all(|a| !a.key.starts_with("otel.")), "{span:?}");
    }
    let said = |span: &Span, key: &str| attribute(&span.attributes, key);
    let asked = named(&spans, "lobby find_match");
    assert_eq!((asked.kind, asked.parent_span_id.len()), (2, 0), "{asked:?}");
    assert_eq!(said(asked, "lobby.kind").as_deref(), Some("find_match"));
    assert_eq!(said(asked, "lobby.outcome").as_deref(), Some("assigned"));
    assert_eq!(said(asked, "match.id").as_ref(), Some(&match_id));
    let made = named(&spans, "match create");
    assert_eq!(said(made, "match.id").as_ref(), Some(&match_id));
    assert!(said(made, "match.mode").is_some() && made.status.is_none(), "{made:?}");
    // It was made because somebody asked for it.
    let cause = spans.iter().find(|span| span.span_id == made.parent_span_id);
    let cause = cause.expect("its cause is there");
    assert_eq!((&*cause.name, &cause.trace_id), ("lobby find_match", &made.trace_id));
    let looked_up = named(&spans, "store write");
    assert!(!looked_up.parent_span_id.is_empty(), "{looked_up:?}");

    let recovery = named(&spans, "recovery");
    assert_eq!(recovery.parent_span_id, named(&spans, "node start").span_id);
    assert_eq!(said(recovery, "matches.returning").as_deref(), Some("0"));

    let admin = named(&spans, "GET /v1/matches");
    assert_eq!(said(admin, "http.request.method").as_deref(), Some("GET"));
    assert_eq!(said(admin, "http.route").as_deref(), Some("/v1/matches"));
    assert_eq!(said(admin, "http.response.status_code").as_deref(), Some("200"));
    let wrong = named(&spans, "GET /v1/matches/{id}");
    assert_eq!(said(wrong, "http.response.status_code").as_deref(), Some("400"));
    let nowhere = named(&spans, "admin request");
    assert_eq!(said(nowhere, "http.route"), None);
    assert_eq!(said(nowhere, "http.response.status_code").as_deref(), Some("404"));
    assert!(
        spans.iter().all(|span| !span.name.contains("readyz") && !span.name.contains("metric"))
    );
}

#[test]
fn what_sending_says_is_not_sent() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let collector = Collector::start();
    let command = matchkeep_with(&[(ENDPOINT, &collector.endpoint())]);
    let more = ["--log", "trace"];
    let serve = Serve::start_as(command, &folder.path().join("data"), Stdio::null(), &more);
    wait_for("the start", || (!collector.logs().is_empty()).then_some(()));
    // What the start left is under way; then a server that nobody speaks to has nothing to say, and sending nothing.
    let mut before = collector.requests().len();
    wait_for("silence", || {
        std::thread::park_timeout(Duration::from_secs(3));
        let now = collector.requests().len();
        (std::mem::replace(&mut before, now) == now).then_some(())
    });
    stop(serve);
}

/// The names of a process's threads.
fn threads(serve: &Serve) -> Vec<String> {
    let tasks = format!("/proc/{}/task", serve.pid());
    let tasks = std::fs::read_dir(tasks).expect("it runs").flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.map(|name| name.trim().to_owned()).collect()
}

#[test]
fn nothing_is_sent_unless_it_is_asked_for() {
    let collector = Collector::start();
    let endpoint = collector.endpoint();
    let endpoint = (ENDPOINT, endpoint.as_str());
    let off: [&[(&str, &str)]; 3] = [
        // Nothing of this names where to.
        &[("OTEL_SERVICE_NAME", "arena"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")],
        &[endpoint, ("OTEL_SDK_DISABLED", "true")],
        &[endpoint, ("OTEL_TRACES_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")],
    ];
    for variables in off {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("data");
        let serve = Serve::start_as(matchkeep_with(variables), &data, Stdio::null(), &[]);
        let threads = threads(&serve);
        assert!(threads.iter().all(|name| !name.starts_with("otlp")), "{threads:?}");
        assert_eq!(serve.get("/v1/matches").0, 200);
        stop(serve);
    }
    assert_eq!(collector.connections(), 0);
}

#[test]
fn one_of_the_two_can_be_sent_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let collector = Collector::start();
    let endpoint = collector.endpoint() + "/v1/traces";
    let command = matchkeep_with(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &endpoint)]);
    let serve = Serve::start_as(command, &folder.path().join("data"), Stdio::null(), &[]);
    let threads = threads(&serve);
    assert!(threads.contains(&"otlp-traces".to_owned()), "{threads:?}");
    assert!(!threads.contains(&"otlp-logs".to_owned()), "{threads:?}");
    // Once players may come, and not with the end of the process.
    wait_for("the start's span", || {
        collector.spans().iter().any(|span| span.name == "node start").then_some(())
    });
    stop(serve);
    assert!(collector.requests().iter().all(|request| request.path == "/v1/traces"));
}

/// A server plays, and ends in time with this collector; what it logged.
fn plays_with(endpoint: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, log) = (folder.path().join("data"), folder.path().join("log"));
    let file = std::fs::File::create(&log).expect("a file");
    let serve = Serve::start_as(matchkeep_with(&[(ENDPOINT, endpoint)]), &data, file.into(), &[]);
    play(&data);
    assert!(serve.counter("ticks") > 30);
    // The first try, and a second one.
    std::thread::park_timeout(Duration::from_secs(3));
    let took = stop(serve);
    // Two seconds for what waits, and what a stop takes by itself.
    assert!(took < Duration::from_secs(8), "{took:?}");
    std::fs::read_to_string(&log).expect("a file")
}

fn times(log: &str, part: &str) -> usize {
    log.lines().filter(|line| line.contains(part)).count()
}

#[test]
fn a_collector_that_is_gone_costs_a_warning() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let log = plays_with(&format!("http://{address}"));
    // Once for each of the two, and where it was to be; then what became of it.
    assert_eq!(times(&log, "the collector does not take what it is sent"), 2, "{log}");
    assert_eq!(times(&log, &format!("http://{address}/v1/logs")), 2, "at the start, too: {log}");
    assert_eq!(times(&log, "not everything reached the collector"), 2, "{log}");
}

#[test]
fn a_collector_that_hangs_does_not_hold_the_server() {
    let collector = Collector::answering(|_| None);
    let log = plays_with(&collector.endpoint());
    assert_eq!(times(&log, "the collector does not answer: what waits is lost too"), 2, "{log}");
}

#[test]
fn what_a_collector_refuses_is_given_up_and_counted() {
    let collector = Collector::answering(|_| Some(400));
    let log = plays_with(&collector.endpoint());
    assert_eq!(times(&log, "the collector does not take what it is sent"), 2, "{log}");
    assert_eq!(times(&log, "not everything reached the collector"), 2, "{log}");
    let mut bodies: Vec<_> = collector.logs().into_iter().map(|(_, record)| record).collect();
    let all = bodies.len();
    bodies.dedup();
    assert_eq!(bodies.len(), all, "none was sent twice");
}

#[test]
fn what_a_collector_takes_later_is_sent_again_and_not_lost() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, log) = (folder.path().join("data"), folder.path().join("log"));
    let collector = Collector::answering(|nth| Some(if nth < 4 { 503 } else { 200 }));
    let file = std::fs::File::create(&log).expect("a file");
    let command = matchkeep_with(&[(ENDPOINT, &collector.endpoint())]);
    let serve = Serve::start_as(command, &data, file.into(), &[]);
    wait_for("the collector's return", || {
        let log = std::fs::read_to_string(&log).expect("a file");
        (times(&log, "the collector takes what it is sent again") == 2).then_some(())
    });
    stop(serve);
    let log = std::fs::read_to_string(&log).expect("a file");
    assert_eq!(times(&log, "not everything"), 0, "{log}");
    let said = |(_, record): &(String, LogRecord)| shown(record.body.as_ref());
    let logs: Vec<String> = collector.logs().iter().map(said).collect();
    for line in ["settings: ", "stopping: SIGTERM"] {
        assert!(logs.iter().any(|log| log.starts_with(line)), "{line} in {logs:?}");
    }
    assert!(logs.iter().all(|log| !log.contains("collector")), "{logs:?}");
}

#[test]
fn a_variable_that_cannot_be_ends_it_before_it_began() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let endpoint = (ENDPOINT, "http://127.0.0.1:4318");
    for (variable, value, fix) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "`http/protobuf`"),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/json", "`http/protobuf`"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "1 to 600000"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "http://127.0.0.1:4318"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere.pem", "PEM"),
        ("OTEL_RESOURCE_ATTRIBUTES", "here", "KEY=VALUE"),
    ] {
        for verb in [&["serve", "--data", arg(&data)][..], &["config", "check"]] {
            let output = matchkeep_with(&[endpoint, (variable, value)]).args(verb).output();
            let output = output.expect("the program starts");
            is_refused(&output, &[variable, value, fix]);
        }
    }
    assert!(!data.exists());
    // Without an endpoint nobody looks.
    let output = matchkeep_with(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")])
        .args(["config", "check"])
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{}", text(&output.stderr));
}
