//! A collector of OpenTelemetry as far as a test needs one: it takes what is sent to it over HTTP, and reads it with
//! the schema's own types.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Everything that came, and who connected.
#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    requests: Vec<Request>,
}

/// One that listens.
pub(crate) struct Collector {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Collector {
    /// One that takes everything.
    pub(crate) fn start() -> Self {
        Self::answering(|_| Some(200))
    }

    /// One that answers the nth request of all with this status, or not at all.
    pub(crate) fn answering(status: impl Fn(usize) -> Option<u16> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (seeing, status) = (Arc::clone(&seen), Arc::new(status));
        let serve = move || {
            for stream in listener.incoming().flatten() {
                seeing.lock().expect("no test panics with it").connections += 1;
                let (seeing, status) = (Arc::clone(&seeing), Arc::clone(&status));
                let converse = move || converse(&stream, &seeing, &*status);
                std::thread::Builder::new().spawn(converse).expect("a thread");
            }
        };
        std::thread::Builder::new().spawn(serve).expect("a thread");
        Self { address, seen }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().expect("no panic").connections
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.lock().expect("no panic").requests.clone()
    }

    /// All spans that came.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let requests = self.requests().into_iter().filter(|request| request.path == "/v1/traces");
        let decode = |request: Request| ExportTraceServiceRequest::decode(&*request.body);
        let resources = requests.flat_map(|request| decode(request).expect("OTLP").resource_spans);
        resources.flat_map(|part| part.scope_spans).flat_map(|part| part.spans).collect()
    }

    /// All log records that came, each with the module that wrote it.
    pub(crate) fn logs(&self) -> Vec<(String, LogRecord)> {
        let requests = self.requests().into_iter().filter(|request| request.path == "/v1/logs");
        let decode = |request: Request| ExportLogsServiceRequest::decode(&*request.body);
        let resources = requests.flat_map(|request| decode(request).expect("OTLP").resource_logs);
        let scopes = resources.flat_map(|part| part.scope_logs);
        let records = scopes.flat_map(|part| {
            let name = part.scope.expect("a scope").name;
            part.log_records.into_iter().map(move |record| (name.clone(), record))
        });
        records.collect()
    }

    /// What every request said of the process.
    pub(crate) fn resources(&self) -> Vec<Resource> {
        let of = |request: Request| match &*request.path {
            "/v1/traces" => {
                let request = ExportTraceServiceRequest::decode(&*request.body).expect("OTLP");
                request.resource_spans.into_iter().map(|part| part.resource).collect::<Vec<_>>()
            }
            _ => {
                let request = ExportLogsServiceRequest::decode(&*request.body).expect("OTLP");
                request.resource_logs.into_iter().map(|part| part.resource).collect()
            }
        };
        let resources = self.requests().into_iter().flat_map(of);
        resources.map(|resource| resource.expect("a resource")).collect()
    }
}

/// The value of an attribute, as text.
pub(crate) fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    Some(shown(found.value.as_ref()))
}

/// A value as text.
pub(crate) fn shown(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(is)) => is.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

/// Takes requests from a connection until it ends.
fn converse(stream: &TcpStream, seen: &Mutex<Seen>, status: &dyn Fn(usize) -> Option<u16>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader) {
        let nth = {
            let mut seen = seen.lock().expect("no panic");
            seen.requests.push(request);
            seen.requests.len() - 1
        };
        let Some(status) = status(nth) else {
            // It holds the connection and says nothing.
            let _ = std::io::copy(&mut reader, &mut std::io::sink());
            return;
        };
        let answer = format!("HTTP/1.1 {status} As told\r\nContent-Length: 0\r\n\r\n");
        if (&*stream).write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
    let path = line.split(' ').nth(1).expect("a path").to_owned();
    assert!(line.starts_with("POST "), "{line}");
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.expect("its length is told").1.parse().expect("a number");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { path, headers, body })
}
