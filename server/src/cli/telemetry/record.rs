//! What is sent, and how a batch of it becomes one request: log records by the part of the program that wrote
//! them, spans all together.

use std::collections::BTreeMap;

use prost::Message;

use super::message::{
    LogRecord, LogsRequest, Resource, ResourceLogs, ResourceSpans, Scope, ScopeLogs, ScopeSpans,
    Span, TracesRequest,
};

/// The version of whatever the records are from.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Something that a collector takes.
pub(super) trait Record: Sized + Send + 'static {
    /// What many of it are called.
    const NAME: &'static str;

    /// The body of a request with these.
    fn request(resource: &Resource, records: Vec<Self>) -> Vec<u8>;
}

/// A log record, and the module that wrote it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) target: &'static str,
    pub(super) record: LogRecord,
}

impl Record for Line {
    const NAME: &'static str = "logs";

    fn request(resource: &Resource, lines: Vec<Self>) -> Vec<u8> {
        let mut by_target: BTreeMap<&str, Vec<LogRecord>> = BTreeMap::new();
        for line in lines {
            by_target.entry(line.target).or_default().push(line.record);
        }
        let scopes = by_target.into_iter().map(|(target, records)| ScopeLogs {
            scope: Some(Scope { name: target.to_owned(), version: VERSION.to_owned() }),
            records,
        });
        let resource = ResourceLogs { resource: Some(resource.clone()), scopes: scopes.collect() };
        LogsRequest { resources: vec![resource] }.encode_to_vec()
    }
}

impl Record for Span {
    const NAME: &'static str = "traces";

    fn request(resource: &Resource, spans: Vec<Self>) -> Vec<u8> {
        let scope = Scope { name: "matchkeep".to_owned(), version: VERSION.to_owned() };
        let scopes = vec![ScopeSpans { scope: Some(scope), spans }];
        let resource = ResourceSpans { resource: Some(resource.clone()), scopes };
        TracesRequest { resources: vec![resource] }.encode_to_vec()
    }
}
