//! Listens to what the program says of itself, and puts it into the outboxes: events as log records, the spans
//! of [`crate::spans`] when they end.
//!
//! It runs on whatever thread speaks, a shard's too: it builds one record and never waits.

use std::cell::Cell;

use ring::rand::{SecureRandom, SystemRandom};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::fields::Fields;
use super::message::{AnyValue, KeyValue, LogRecord, Span, Status, Value};
use super::outbox::Outbox;
use super::record::Line;
use crate::spans;
use crate::wall::unix_ns;

thread_local! {
    /// Whether this thread sends what is recorded: what it says itself is not.
    static IS_SENDING: Cell<bool> = const { Cell::new(false) };
}

/// From now on nothing is recorded of what this thread says: what sending says would have to be sent.
pub(super) fn mute_this_thread() {
    IS_SENDING.set(true);
}

/// The way into the outboxes.
pub(in crate::cli) struct Recorder {
    logs: Option<Outbox<Line>>,
    spans: Option<Outbox<Span>>,
    random: SystemRandom,
}

impl Recorder {
    pub(super) fn new(logs: Option<Outbox<Line>>, spans: Option<Outbox<Span>>) -> Self {
        Self { logs, spans, random: SystemRandom::new() }
    }

    /// One that hears and sends nothing.
    #[cfg(test)]
    pub(in crate::cli) fn deaf() -> Self {
        Self::new(None, None)
    }

    /// A name that nothing else has.
    fn id<const BYTES: usize>(&self) -> Vec<u8> {
        let mut id = vec![0; BYTES];
        self.random.fill(&mut id).expect("the system has random numbers");
        id
    }
}

/// A span that somebody still holds.
struct Open {
    span: Span,
    /// It was said to be over, and is on its way. What still goes on within it names it.
    is_sent: bool,
}

impl Open {
    /// Adds attributes; some say what the span is and are none.
    fn add(&mut self, attributes: Vec<KeyValue>) {
        for attribute in attributes {
            let value = attribute.value.and_then(|value| value.value);
            match (&*attribute.key, value) {
                (spans::NAME, Some(Value::Text(name))) => self.span.name = name,
                (spans::IS_ASKED, Some(Value::Bool(true))) => self.span.kind = 2,
                (spans::IS_OVER, Some(Value::Bool(true))) => self.span.end_unix_ns = unix_ns(),
                (spans::FAULT, Some(Value::Text(message))) => {
                    self.span.status = Some(Status { message, code: 2 });
                }
                (_, None) => {}
                (key, Some(value)) => {
                    self.span.attributes.retain(|known| known.key != key);
                    self.span.attributes.push(KeyValue::new(key, value));
                }
            }
        }
    }
}

impl<S> Layer<S> for Recorder
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if self.spans.is_none() || attributes.metadata().target() != spans::TARGET {
            return;
        }
        let Some(span) = context.span(id) else { return };
        let around = span.scope().skip(1).find_map(|outer| {
            let extensions = outer.extensions();
            let outer = &extensions.get::<Open>()?.span;
            Some((outer.trace_id.clone(), outer.span_id.clone()))
        });
        let (trace_id, parent_span_id) = around.unwrap_or_else(|| (self.id::<16>(), Vec::new()));
        let begun = Span {
            trace_id,
            span_id: self.id::<8>(),
            parent_span_id,
            name: attributes.metadata().name().to_owned(),
            kind: 1,
            start_unix_ns: unix_ns(),
            ..Span::default()
        };
        let mut open = Open { span: begun, is_sent: false };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        open.add(fields.attributes);
        span.extensions_mut().insert(open);
    }

    fn on_record(&self, id: &Id, values: &tracing::span::Record<'_>, context: Context<'_, S>) {
        let (Some(outbox), Some(span)) = (&self.spans, context.span(id)) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            let mut fields = Fields::default();
            values.record(&mut fields);
            open.add(fields.attributes);
            // Not at its close: whatever was begun within it holds it, a task that lives as long as the process too.
            if open.span.end_unix_ns != 0 && !open.is_sent {
                open.is_sent = true;
                outbox.put(open.span.clone());
            }
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let (Some(outbox), Some(span)) = (&self.spans, context.span(&id)) else { return };
        let held = span.extensions_mut().remove::<Open>();
        if let Some(Open { mut span, is_sent: false }) = held {
            span.end_unix_ns = unix_ns();
            outbox.put(span);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(outbox) = &self.logs else { return };
        if IS_SENDING.get() {
            return;
        }
        let metadata = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let around = context.event_scope(event).and_then(|mut scope| {
            scope.find_map(|span| {
                let extensions = span.extensions();
                let span = &extensions.get::<Open>()?.span;
                Some((span.trace_id.clone(), span.span_id.clone()))
            })
        });
        let (trace_id, span_id) = around.unwrap_or_default();
        let now = unix_ns();
        let (severity_number, severity_text) = severity(*metadata.level());
        let record = LogRecord {
            time_unix_ns: now,
            observed_unix_ns: now,
            severity_number,
            severity_text: severity_text.to_owned(),
            body: fields.message.map(|message| AnyValue { value: Some(message) }),
            attributes: fields.attributes,
            trace_id,
            span_id,
        };
        outbox.put(Line { target: metadata.target(), record });
    }
}

/// The number and the word for a level.
fn severity(level: Level) -> (i32, &'static str) {
    match level {
        Level::TRACE => (1, "TRACE"),
        Level::DEBUG => (5, "DEBUG"),
        Level::INFO => (9, "INFO"),
        Level::WARN => (13, "WARN"),
        Level::ERROR => (17, "ERROR"),
    }
}

#[cfg(test)]
mod tests;
